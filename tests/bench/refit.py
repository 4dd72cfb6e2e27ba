"""Times the ranking after one more decision: learning a phenomenon anew and scoring what waits for it.

    python tests/bench/refit.py ../shared/bench --cache /tmp/bench

50 phenomena of the catalogue, and 100,000 papers: those of the benchmark, repeated, with vectors a little apart. Each
phenomenon begins with 10 accepted and 20 rejected papers, and 200 wait, all drawn from those nearest to it. Once all
papers are at hand, once what the program takes: the newest 20,000, and those that are decided or wait. The first
decision on a phenomenon also makes its ranking of day zero, which no later one does.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ranking import Bench

from crawler.embed import Embedder, SentenceTransformerEmbedder
from crawler.learning import AT_HAND
from crawler.models import DEFAULT_MODEL, find_model
from crawler.ranking.ranker import Claim, Decided, Ranker, Seen
from curation.catalogue import load_catalogue

NEAREST, ACCEPTED, DECIDED, MORE, WAITING = 2_000, 10, 30, 20, 200
APART = 0.02  # length of what is added to a repeated vector


def main() -> None:
    """Time both settings and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--phenomena", type=int, default=50)
    parser.add_argument("--papers", type=int, default=100_000)
    parser.add_argument("--decisions", type=int, default=5, help=f"how many to time each, at most {MORE}")
    options = parser.parse_args()
    embedder = SentenceTransformerEmbedder(find_model(DEFAULT_MODEL, os.environ))
    bench = Bench(options.bench, options.cache / "docs.jsonl.gz", embedder)
    made = Made(bench, embedder, options.phenomena, options.papers)
    newest = np.argsort(made.published, kind="stable")[-AT_HAND:]
    print("| at hand | ranker made, s | first decision, s: median | worst | each later one, s: median | worst |")
    print("|---|---|---|---|---|---|")
    for rows in (np.unique(np.concatenate([newest, made.drawn.ravel()])), np.arange(options.papers)):
        taken, first, later = made.time(rows, options.decisions)
        cells = [taken, np.median(first), max(first), np.median(later), max(later)]
        print(f"| {len(rows):,} | {' | '.join(f'{cell:.2f}' for cell in cells)} |", flush=True)


class Made:
    """Papers repeated until they are enough, phenomena, and the papers drawn for each, shape (phenomena, drawn)."""

    def __init__(self, bench: Bench, embedder: Embedder, phenomena: int, papers: int) -> None:
        random = np.random.default_rng(1)
        self.background = bench.background
        self.source = np.arange(papers) % len(bench.rows)  # the same text under another place is another paper
        self.documents = bench.documents
        noise = random.standard_normal((papers, bench.vectors.shape[1]), dtype=np.float32)
        vectors = bench.vectors[self.source] + noise * np.float32(APART / np.sqrt(noise.shape[1]))
        self.vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        self.published = np.array([row["published"] for row in bench.rows])[self.source]
        self.claims = [Claim.of(phenomenon) for phenomenon in load_catalogue()[:phenomena]]
        self.claim_vectors = [embedder.encode(claim.texts()) for claim in self.claims]
        nearest = [np.argsort(-(self.vectors @ some.mean(axis=0)))[:NEAREST] for some in self.claim_vectors]
        self.drawn = np.array([random.choice(rows, DECIDED + MORE + WAITING, replace=False) for rows in nearest])

    def time(self, rows: Any, decisions: int) -> tuple[float, list[float], list[float]]:
        """Return seconds for making the ranker, for the first decision on each phenomenon, and for each later one.

        Args:
            rows: the papers at hand, in ascending order.
        """
        seen = Seen(
            [self.documents[place] for place in self.source[rows]], self.vectors[rows], self.published[rows].tolist()
        )
        drawn = np.searchsorted(rows, self.drawn).tolist()
        began = time.perf_counter()
        ranker = Ranker(self.claims, self.claim_vectors, self.background, seen, [decide(some, 0) for some in drawn])
        made, first, later = time.perf_counter() - began, list[float](), list[float]()
        for place, some in enumerate(drawn):
            for number in range(1, decisions + 1):
                began = time.perf_counter()
                ranker.learn(place, decide(some, number))
                ranker.score_seen(place, some[-WAITING:])
                (later if number > 1 else first).append(time.perf_counter() - began)
        return made, first, later


def decide(drawn: Sequence[int], more: int) -> Decided:
    """Return the decisions that a phenomenon begins with, and so many more: every third of those accepts."""
    new = drawn[DECIDED : DECIDED + more]
    accepted = [*drawn[:ACCEPTED], *new[::3]]
    return Decided(accepted, [row for row in drawn[: DECIDED + more] if row not in accepted])


if __name__ == "__main__":
    main()
