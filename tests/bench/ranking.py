"""Scores the ranker on labelled papers beside its peers, in one run: day zero, with all decisions, and with a few.

    python tests/bench/ranking.py ../shared/bench --cache /tmp/bench [--few 3]

The folder holds docs.jsonl.gz, dev_topics.json, dev_splits.json and peers.py (which needs bm25s); vectors are computed
once and kept in the cache folder, in float32. Without --few, day zero and the ranking learned from all decisions are
scored; with it, that learned from the newest N accepted papers and 4 N rejected ones.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from calibration import bin_scores, calibration_error

from crawler.embed import SentenceTransformerEmbedder
from crawler.models import DEFAULT_MODEL, find_model
from crawler.ranking.background import Background
from crawler.ranking.ranker import Claim, Decided, Document, Ranker, Seen, document_text, to_chances


def main() -> None:
    """Write the run files and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--few", type=int)
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    documents = options.cache / "docs.jsonl.gz"
    shutil.copyfile(options.bench / "docs.jsonl.gz", documents)
    place = find_model(DEFAULT_MODEL, os.environ)
    bench = Bench(options.bench, documents, SentenceTransformerEmbedder(place))
    words = ["--docs", documents, "--model", place.target, "--per-topic"]
    if options.few is None:
        bench.rank_all(options.cache / "day-zero.run")
        words += ["--day-zero", f"ours={options.cache / 'day-zero.run'}"]
    else:
        words += ["--few", options.few]
    learned = options.cache / "learned.run"
    bench.rank_later(learned, options.few)
    words += ["--learned", f"ours={learned}"]
    subprocess.run([sys.executable, options.bench / "peers.py", *map(str, words)], check=True)


class Bench:
    """The labelled papers, and the topics as claims."""

    def __init__(self, folder: Path, documents: Path, embedder: SentenceTransformerEmbedder) -> None:
        with gzip.open(documents, "rt", encoding="utf-8") as file:
            self.rows = [json.loads(line) for line in file]
        kept = documents.with_name("vectors.npy")  # of whole abstracts; peers.py keeps its own, as its model is set
        if not kept.exists():
            np.save(kept, embedder.encode([document_text(row["title"], row["abstract"]) for row in self.rows]))
        self.vectors = np.load(kept)
        self.documents = [Document(row["title"], row["abstract"]) for row in self.rows]
        topics = json.loads((folder / "dev_topics.json").read_text(encoding="utf-8"))
        self.claims = [
            Claim(topic, text["title"], text["claim"], tuple(text["keywords"])) for topic, text in topics.items()
        ]
        self.claim_vectors = [embedder.encode(claim.texts()) for claim in self.claims]
        lines = (folder / "dev.qrels").read_text(encoding="utf-8").splitlines()
        self.labels = {(topic, paper): int(label) for topic, _, paper, label in map(str.split, lines)}
        self.splits = json.loads((folder / "dev_splits.json").read_text(encoding="utf-8"))
        self.background = Background.load(embedder.identity)
        self.seen = Seen(self.documents, self.vectors, [row["published"] for row in self.rows])

    def rank_all(self, run: Path) -> None:
        """Rank every paper for every topic from its text alone, and write a TREC run file."""
        ranker = Ranker(self.claims, self.claim_vectors, self.background, self.seen)
        logits = ranker.evidence(self.documents, self.vectors)
        self._judged: list[tuple[float, int]] = []
        with run.open("w", encoding="utf-8") as out:
            for column, claim in enumerate(self.claims):
                self._write(out, claim.code, logits[:, column], range(len(self.rows)))
        self._print_reliability("day zero")

    def rank_later(self, run: Path, few: int | None) -> None:
        """Rank the papers after each topic's cut by the decisions before it, and write a TREC run file."""
        places = {row["id"]: place for place, row in enumerate(self.rows)}
        began = time.perf_counter()
        ranker = Ranker(
            self.claims,
            self.claim_vectors,
            self.background,
            self.seen,
            [self.decided(one, places, few) for one in self.claims],
        )
        made = time.perf_counter() - began
        logits = ranker.evidence(self.documents, self.vectors)
        self._judged = []
        print(f"ranker of {len(self.claims)} claims over {len(self.rows)} papers made in {made:.1f} s")
        with run.open("w", encoding="utf-8") as out:
            for column, claim in enumerate(self.claims):
                if claim.code in self.splits:
                    cut = self.splits[claim.code]["cut"]
                    later = [place for place, row in enumerate(self.rows) if row["published"] >= cut]
                    self._write(out, claim.code, logits[:, column], later)
        self._print_reliability("learned")

    def decided(self, claim: Claim, places: dict[str, int], few: int | None) -> Decided:
        """Return what was decided on a topic before its cut, as places of papers; with `few`, the newest only."""
        if claim.code not in self.splits:
            return Decided()
        split = self.splits[claim.code]
        accepted, rejected = split["train_relevant"], split["train_not_relevant"]
        if few is not None:
            accepted, rejected = accepted[-few:], rejected[: 4 * few]
        return Decided(
            [places[one] for one in accepted if one in places], [places[one] for one in rejected if one in places]
        )

    def _write(self, out: Any, topic: str, logits: Any, places: Any) -> None:
        ranked = sorted(places, key=lambda place: (-logits[place], self.rows[place]["id"]))
        labels = [self.labels.get((topic, self.rows[place]["id"]), 0) for place in places]
        chances = to_chances(logits[list(places)])
        self._judged += [(chance, label) for chance, label in zip(chances, labels, strict=True) if label >= 0]
        for number, place in enumerate(ranked, 1):
            out.write(f"{topic} Q0 {self.rows[place]['id']} {number} {logits[place]:.9f} {Ranker.version}\n")

    def _print_reliability(self, title: str) -> None:
        """Print how many of the pairs of each score are labelled relevant, and the expected calibration error."""
        chances, labels = (np.array(column) for column in zip(*self._judged, strict=True))
        bins = bin_scores(chances, (labels > 0).astype(np.float64))
        print(f"\n{title}: score, pairs, labelled relevant, mean score")
        for one in bins:
            print(f"  {one.low:.2f}-{one.high:.2f} {one.pairs:7} {one.share:.3f} {one.mean:.3f}")
        likely = calibration_error(bins[1:])
        print(f"  expected calibration error {calibration_error(bins):.4f}, of scores from 0.1 on {likely:.3f}")


if __name__ == "__main__":
    main()
