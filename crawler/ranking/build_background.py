"""Counts the background figures from files of real papers: `python -m crawler.ranking.build_background --help`."""

from __future__ import annotations

import argparse
import gzip
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from crawler.ranking.background import FLOOR
from crawler.ranking.words import split_terms

FIELD = frozenset({"cs.LG", "cs.CL", "cs.AI", "stat.ML"})


def read_papers(paths: Iterable[Path], left_out: frozenset[str]) -> Iterator[dict[str, Any]]:
    """Yield the field's papers from files of the public metadata snapshot (JSON lines, gz), without those left out."""
    for path in paths:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                paper = json.loads(line)
                if FIELD & set(paper["categories"].split()) and paper["id"] not in left_out:
                    yield paper


def count_terms(papers: Iterable[dict[str, Any]]) -> tuple[int, Counter[str]]:
    """Return the number of papers, and in how many of them each word and each pair of words stands."""
    total, counts = 0, Counter[str]()
    for paper in papers:
        total += 1
        counts.update({*split_terms(paper["title"]), *split_terms(paper["abstract"])})
    return total, counts


def save_terms(path: Path, total: int, counts: Counter[str]) -> None:
    """Write the number of papers, then a term and its count a line, in the order of the alphabet; the bytes repeat."""
    rows = [f"{term}\t{count}" for term, count in sorted(counts.items()) if count >= FLOOR]
    path.write_bytes(gzip.compress("\n".join([str(total), *rows]).encode(), 9, mtime=0))


def save_centre(path: Path, vectors: Path, revision: str, prompt: str, max_length: int) -> None:
    """Write the mean of unit vectors, a .npy file of shape (n, d), with the name of the model that made them."""
    centre = np.load(vectors).mean(axis=0, dtype=np.float64).astype(np.float32)
    buffer = io.BytesIO()
    np.savez(buffer, centre=centre, revision=revision, prompt=prompt, max_length=max_length)
    path.write_bytes(buffer.getvalue())


def main() -> None:
    """Read the papers, count, write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("papers", nargs="+", type=Path, help="metadata snapshot, .jsonl.gz")
    parser.add_argument("--without", action="append", default=[], type=Path, help="leave these papers out, .jsonl.gz")
    parser.add_argument("--vectors", type=Path, help="unit vectors of background papers, .npy")
    parser.add_argument("--revision", default="", help="SHA-256 of the model's weights")
    parser.add_argument("--prompt", default="")
    parser.add_argument("--max-length", type=int, default=512, help="word pieces the model reads")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data")
    options = parser.parse_args()
    left_out: set[str] = set()
    for path in options.without:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            left_out |= {json.loads(line)["id"] for line in lines}
    save_terms(
        options.out / "document-frequencies.tsv.gz", *count_terms(read_papers(options.papers, frozenset(left_out)))
    )
    if options.vectors:
        save_centre(options.out / "vectors.npz", options.vectors, options.revision, options.prompt, options.max_length)


if __name__ == "__main__":
    main()
