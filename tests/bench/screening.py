"""Screens labelled papers one by one with the ranker, beside `asreview simulate`, from the same pool.

    python tests/bench/screening.py ../shared/bench --cache /tmp/bench

The folder and the cache are those of ranking.py; ASReview (`pip install asreview`) runs by its own command with its
own defaults. A topic's pool is all that is labelled relevant for it and, for time's sake, 2,000 others, in a shuffled
order; doubtful labels (-1) are left out. Ours takes the best paper that is not screened, learns its label, and fits
anew after each of the first 200 decisions, then after every 25; ASReview fits after each. Without prior knowledge ours
has the claim's text, and ASReview begins at the top of the file; with it both get one relevant and one irrelevant
paper, which count neither as found nor as screened.
"""

from __future__ import annotations

import argparse
import csv
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ranking import Bench

from crawler.embed import SentenceTransformerEmbedder
from crawler.evaluation import count_for_recall
from crawler.models import DEFAULT_MODEL, find_model
from crawler.ranking.ranker import Claim, Decided, Ranker, Seen

OTHERS = 2_000
EACH = 200  # decisions after each of which ours is fitted anew
EVERY = 25  # decisions between two fits from then on
FIRST = 100


@dataclass(frozen=True, slots=True)
class Pool:
    """What is screened for a topic: papers by their places in the benchmark, with their labels."""

    claim: Claim
    column: int
    places: list[int]
    labels: list[int]

    def draw_priors(self, seed: int) -> list[int]:
        """Return one relevant and one irrelevant paper, as rows of the pool."""
        random = np.random.default_rng(seed)
        return [int(random.choice(np.flatnonzero(np.array(self.labels) == label))) for label in (1, 0)]


@dataclass(frozen=True, slots=True)
class Screened:
    """The labels in the order of screening, and the median seconds from one decision to the next ranking."""

    labels: list[int]
    seconds: float

    def found(self) -> int:
        """Return how many relevant papers were among the first."""
        return sum(self.labels[:FIRST])

    def work_saved(self, relevant: int, papers: int) -> float:
        """Return work saved over sampling at 95% recall (Cohen 2006)."""
        screened = int(np.argmax(np.cumsum(self.labels) >= count_for_recall(relevant))) + 1
        return 1 - screened / papers - 0.05


def main() -> None:
    """Screen every topic both ways and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--others", type=int, default=OTHERS)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    place = find_model(DEFAULT_MODEL, os.environ)
    bench = Bench(options.bench, options.cache / "docs.jsonl.gz", SentenceTransformerEmbedder(place))
    print(f"of the first {FIRST} decisions relevant, WSS@95, seconds a refit: ours | ASReview; then both with priors")
    figures = []
    for column in range(len(bench.claims)):
        pool = make_pool(bench, column, options.others, options.seed)
        cells = []
        for priors in ([], pool.draw_priors(options.seed)):
            relevant = sum(pool.labels) - sum(pool.labels[row] for row in priors)
            for screened in (screen(bench, pool, priors), screen_with_asreview(bench, pool, priors, options.seed)):
                saved = screened.work_saved(relevant, len(pool.places) - len(priors))
                cells += [screened.found(), saved, screened.seconds]
        print_row(f"{pool.claim.code} ({sum(pool.labels)} of {len(pool.places):,})", cells)
        figures.append(cells)
    print_row("mean", np.mean(figures, axis=0).tolist())


def make_pool(bench: Bench, column: int, others: int, seed: int) -> Pool:
    """Draw a topic's pool."""
    claim = bench.claims[column]
    labels = [bench.labels.get((claim.code, row["id"]), 0) for row in bench.rows]
    random = np.random.default_rng([seed, column])
    rest = np.flatnonzero(np.array(labels) == 0)
    drawn = random.choice(rest, min(others, len(rest)), replace=False)
    places = random.permutation(np.concatenate([np.flatnonzero(np.array(labels) == 1), drawn])).tolist()
    return Pool(claim, column, places, [labels[place] for place in places])


def screen(bench: Bench, pool: Pool, priors: list[int]) -> Screened:
    """Screen with the ranker until 95% of the relevant papers are found."""
    seen = Seen(
        [bench.documents[place] for place in pool.places],
        bench.vectors[pool.places],
        [bench.rows[place]["published"] for place in pool.places],
    )
    ranker = Ranker([pool.claim], [bench.claim_vectors[pool.column]], bench.background, seen)
    decided, order, seconds, ranked = list(priors), list[int](), list[float](), list[int]()
    wanted = count_for_recall(sum(pool.labels) - sum(pool.labels[row] for row in priors))
    while sum(order) < wanted:
        if len(order) <= EACH or len(order) % EVERY == 0:
            began = time.perf_counter()
            left = np.setdiff1d(np.arange(len(pool.places)), decided)
            ranker.learn(0, Decided(*([row for row in decided if pool.labels[row] == label] for label in (1, 0))))
            scores = ranker.score_seen(0, left.tolist())
            ranked = left[np.argsort(-scores, kind="stable")].tolist()
            seconds.append(time.perf_counter() - began)
        row = ranked.pop(0)
        decided.append(row)
        order.append(pool.labels[row])
    return Screened(order, float(np.median(seconds)))


def screen_with_asreview(bench: Bench, pool: Pool, priors: list[int], seed: int) -> Screened:
    """Screen with `asreview simulate` until all relevant papers are found."""
    with tempfile.TemporaryDirectory() as folder:
        papers, project = Path(folder, "pool.csv"), Path(folder, "pool.asreview")
        with papers.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["title", "abstract", "included"])
            for place, label in zip(pool.places, pool.labels, strict=True):
                writer.writerow([bench.rows[place]["title"], bench.rows[place]["abstract"], label])
        words = [papers, "--ai", "elas_u4", "--seed", seed, "--output", project]
        words += ["--prior-idx", *priors] if priors else []
        command = [sys.executable, "-m", "asreview", "simulate", *map(str, words)]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)  # it leaves a cache where it runs
        return read_project(project, Path(folder))


def read_project(project: Path, folder: Path) -> Screened:
    """Read what an ASReview project file says of its simulation."""
    with zipfile.ZipFile(project) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".db"))
        kept = archive.extract(name, folder)
    with sqlite3.connect(kept) as db:
        rows = db.execute("SELECT label, time, classifier FROM results WHERE querier IS NOT NULL ORDER BY rowid")
        labels, times, classifiers = zip(*rows.fetchall(), strict=True)
    gaps = [late - soon for soon, late, by in zip(times, times[1:], classifiers[1:], strict=False) if by is not None]
    return Screened([int(label) for label in labels], float(np.median(gaps)))


def print_row(name: str, cells: list[float]) -> None:
    """Print a row of the table: for each way the relevant papers found, work saved, seconds."""
    texts = [f"{cell:.1f}" if number % 3 == 0 else f"{cell:.3f}" for number, cell in enumerate(cells)]
    print(f"| {name} | {' | '.join(texts)} |", flush=True)


if __name__ == "__main__":
    main()
