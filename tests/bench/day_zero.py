"""Scores the ranker on labelled papers, day zero, beside BM25, TF-IDF and the model's plain cosine, in one run.

    python tests/bench/day_zero.py ../shared/bench --cache /tmp/bench

The folder holds docs.jsonl.gz, dev_topics.json and peers.py (which needs bm25s); vectors are computed once and kept in
the cache folder, in float32.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from crawler.embed import DEFAULT_MODEL, SentenceTransformerEmbedder, find_model
from crawler.ranking.background import Background
from crawler.ranking.ranker import Claim, Document, Ranker, document_text


def main() -> None:
    """Write the run file and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    documents = options.cache / "docs.jsonl.gz"
    shutil.copyfile(options.bench / "docs.jsonl.gz", documents)
    run = options.cache / "ours.run"
    place = find_model(DEFAULT_MODEL, os.environ)
    write_run(documents, options.bench / "dev_topics.json", run, SentenceTransformerEmbedder(place))
    words = ["--docs", documents, "--model", place.target, "--day-zero", f"ours={run}", "--per-topic"]
    subprocess.run([sys.executable, options.bench / "peers.py", *map(str, words)], check=True)


def write_run(documents: Path, topics: Path, run: Path, embedder: SentenceTransformerEmbedder) -> None:
    """Rank every document for every topic and write a TREC run file; keep the vectors where peers.py looks for them."""
    with gzip.open(documents, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    kept = Path(f"{documents}.vectors.npy")
    if not kept.exists():
        np.save(kept, embedder.encode([document_text(row["title"], row["abstract"]) for row in rows]))
    vectors = np.load(kept)
    texts = [Document(row["title"], row["abstract"]) for row in rows]
    with run.open("w", encoding="utf-8") as out:
        for topic, text in json.loads(topics.read_text(encoding="utf-8")).items():
            claim = Claim(topic, text["title"], text["claim"], tuple(text["keywords"]))
            ranker = Ranker([claim], [embedder.encode(claim.texts())], Background.load(embedder.identity))
            # Ranked by evidence, not by the rounded score, so that the tail keeps its order.
            scores = ranker.evidence(texts, vectors)[:, 0]
            for number, index in enumerate(np.argsort(-scores, kind="stable"), 1):
                out.write(f"{topic} Q0 {rows[index]['id']} {number} {scores[index]:.9f} {ranker.version}\n")


if __name__ == "__main__":
    main()
