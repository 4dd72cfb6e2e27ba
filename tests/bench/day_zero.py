"""Ranks the benchmark's papers on day zero and scores the ranking beside the peers, in one run.

    python tests/bench/day_zero.py --model FOLDER [--bench ../shared/bench] [--cache FOLDER]
    python tests/bench/day_zero.py --model FOLDER --queue ../shared/data/papers.jsonl.gz

The first writes three run files (joined evidence, words alone, vectors alone), has the benchmark's own `peers.py`
score them with the peers, and prints the constants of the logistic curve that fits the labels. The second prints how
many papers of cs.LG and cs.CL get a candidate at which threshold. Vectors are kept in the cache folder.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from crawler.ranking.background import Background  # noqa: E402 - the path above makes it importable
from crawler.ranking.dense import DenseEvidence  # noqa: E402
from crawler.ranking.lexical import LexicalEvidence  # noqa: E402
from crawler.ranking.ranker import DEFAULT_THRESHOLD, Claim, Document, Ranker, document_text  # noqa: E402
from db.records import ModelIdentity  # noqa: E402

Vectors = npt.NDArray[np.float32]


class CachedModel:
    """A sentence-transformers model that keeps the vectors of each list of texts in a folder."""

    def __init__(self, folder: str, cache: Path) -> None:
        self._folder, self._cache = folder, cache
        weights = (Path(folder) / "model.safetensors").read_bytes()
        self.identity = ModelIdentity(folder, hashlib.sha256(weights).hexdigest(), "", 256, 384)

    def encode(self, texts: list[str]) -> Vectors:
        """Return unit vectors, shape (texts, d)."""
        key = hashlib.sha256("\0".join([self.identity.revision, *texts]).encode()).hexdigest()[:16]
        path = self._cache / f"{key}.npy"
        if not path.exists():
            from sentence_transformers import SentenceTransformer

            model = SentenceTransformer(self._folder, device="cpu")
            np.save(path, model.encode(texts, batch_size=16, normalize_embeddings=True, show_progress_bar=True))
        vectors: Vectors = np.load(path)
        return vectors

    def encode_claims(self, claims: list[Claim]) -> list[Vectors]:
        """Return the vectors of each claim's texts."""
        flat = self.encode([text for claim in claims for text in claim.texts()])
        ends = np.cumsum([len(claim.texts()) for claim in claims])
        return [flat[end - len(claim.texts()) : end] for claim, end in zip(claims, ends, strict=True)]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a file of JSON lines, gz."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def flat(text: str) -> str:
    """Return a text on one line."""
    return " ".join(text.split())


def write_run(path: Path, topics: list[str], ids: list[str], scores: npt.NDArray[np.float64]) -> None:
    """Write a TREC run file: every paper for every topic, best first, equal scores by id."""
    rows = []
    for column, topic in enumerate(topics):
        order = sorted(range(len(ids)), key=lambda row: (-scores[row, column], ids[row]))
        rows += [f"{topic} Q0 {ids[row]} {rank} {scores[row, column]:.9f} bmp\n" for rank, row in enumerate(order, 1)]
    path.write_text("".join(rows), encoding="utf-8")


def compare(model: CachedModel, bench: Path, cache: Path, folder: str) -> None:
    """Rank the benchmark, score the runs with the peers, print the fitted curve."""
    papers = read_lines(bench / "docs.jsonl.gz")
    documents = [Document(paper["title"], paper["abstract"]) for paper in papers]
    vectors = model.encode([document_text(one.title, one.abstract) for one in documents])
    entries = json.loads((bench / "dev_topics.json").read_text(encoding="utf-8"))
    claims = [Claim(name, one["title"], one["claim"], tuple(one["keywords"])) for name, one in entries.items()]
    claim_vectors, background = model.encode_claims(claims), Background.load(model.identity)
    joined = Ranker(claims, claim_vectors, background).evidence(documents, vectors)
    runs = {
        "joined": joined,
        "words alone": LexicalEvidence(claims, background.lexicon).score(documents),
        "vectors alone": DenseEvidence(claim_vectors, background.centre).score(vectors),
    }
    options = []
    for name, scores in runs.items():
        path = cache / f"{name.replace(' ', '-')}.run"
        write_run(path, list(entries), [paper["id"] for paper in papers], scores)
        options += ["--day-zero", f"{name}={path}"]
    docs = cache / "docs.jsonl.gz"  # the peers keep their vectors beside the papers, and the benchmark is read-only
    docs.write_bytes((bench / "docs.jsonl.gz").read_bytes())
    np.save(cache / "docs.jsonl.gz.vectors.npy", vectors)
    command = [sys.executable, str(bench / "peers.py"), "--model", folder, "--docs", str(docs), "--per-topic", *options]
    subprocess.run(command, check=True)
    print_curve(joined, [paper["id"] for paper in papers], list(entries), bench / "dev.qrels")


def print_curve(evidence: npt.NDArray[np.float64], ids: list[str], topics: list[str], qrels: Path) -> None:
    """Print slope and midpoint of the logistic curve, over all topics and with each topic left out."""
    from sklearn.linear_model import LogisticRegression

    labels: dict[str, dict[str, int]] = defaultdict(dict)
    for line in qrels.read_text(encoding="utf-8").splitlines():
        topic, _, paper, label = line.split()
        labels[topic][paper] = int(label)
    truth = np.array([[labels[topic].get(paper, 0) for topic in topics] for paper in ids])
    for left_out in [None, *topics]:
        use = [column for column, topic in enumerate(topics) if topic != left_out]
        known = truth[:, use] >= 0
        fit = LogisticRegression(C=1e6).fit(evidence[:, use][known][:, None], truth[:, use][known])
        slope, intercept = float(fit.coef_[0, 0]), float(fit.intercept_[0])
        print(f"logistic curve without {left_out}: slope {slope:.2f}, midpoint {-intercept / slope:.2f}")


def measure_queue(model: CachedModel, papers_path: Path, catalogue: Path) -> None:
    """Print the share of papers of cs.LG and cs.CL that get a candidate, for a range of thresholds."""
    papers = [one for one in read_lines(papers_path) if {"cs.LG", "cs.CL"} & set(one["categories"].split())]
    documents = [Document(flat(paper["title"]), flat(paper["abstract"])) for paper in papers]
    vectors = model.encode([document_text(one.title, one.abstract) for one in documents])
    entries = tomllib.loads(catalogue.read_text(encoding="utf-8"))["phenomenon"]
    claims = [Claim(one["code"], one["title"], one["statement"], tuple(one.get("keywords", ()))) for one in entries]
    scores = Ranker(claims, model.encode_claims(claims), Background.load(model.identity)).score(documents, vectors)
    print(f"{len(papers)} papers, {len(claims)} phenomena")
    for threshold in sorted({0.5, 0.6, 0.7, 0.8, 0.9, 0.95, DEFAULT_THRESHOLD}):
        passed = scores >= threshold
        print(
            f"threshold {threshold:.2f}: {passed.any(axis=1).mean():.2%} of the papers,"
            f" {passed.sum()} candidates, {passed.any(axis=0).sum()} phenomena"
        )


def main() -> None:
    """Read the options, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--bench", type=Path, default=ROOT.parent / "shared" / "bench")
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "bench")
    parser.add_argument("--queue", type=Path, help="metadata snapshot to measure the threshold on, .jsonl.gz")
    parser.add_argument("--catalogue", type=Path, default=ROOT / "curation" / "data" / "phenomena.toml")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    model = CachedModel(options.model, options.cache)
    if options.queue:
        measure_queue(model, options.queue, options.catalogue)
    else:
        compare(model, options.bench, options.cache, options.model)


if __name__ == "__main__":
    main()
