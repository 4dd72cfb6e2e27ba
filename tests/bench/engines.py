"""Times the engines beside plain `SentenceTransformer.encode`: texts per second, start, peak memory, least cosine.

    python tests/bench/engines.py --papers ../shared/data/papers.jsonl.gz --texts 512 --rounds 3

Plain means the library with its defaults: float32, batches of 32, texts cut at what the model is set to (256 word
pieces; the program reads them whole). Each engine runs in a process of its own, all of them in turn, round after round;
a ratio is the median of the rounds' ratios. Without --papers the bundled sample's abstracts are taken.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

PLAIN, REFERENCE = "plain", "float32"


@dataclass(frozen=True, slots=True)
class Timed:
    """One engine's figures: medians of its rounds, but its ratio, which is the median of the rounds' ratios."""

    name: str
    engine: str
    texts_per_second: float
    ratio: float
    first_vector_seconds: float
    peak_mb: float
    least_cosine: float
    modules: str


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--papers", type=Path)
    parser.add_argument("--texts", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(encode_as(options.child[0], Path(options.child[1]))))
        return
    print("engine    texts/s  of plain  first vector s  peak MB  least cosine  imports     as")
    for one in measure(options.papers, options.texts, options.rounds):
        print(
            f"{one.name:<9} {one.texts_per_second:<8.1f} {one.ratio:<9.2f} {one.first_vector_seconds:<15.2f}"
            f" {one.peak_mb:<8.0f} {one.least_cosine:<13.6f} {one.modules:<11} {one.engine}"
        )


def measure(papers: Path | None, texts: int, rounds: int) -> list[Timed]:
    """Return the figures of all engines that are installed, plain encode first.

    Args:
        papers: a file of the public snapshot, or None for the bundled sample.
        texts: how many are embedded.
    """
    names = [PLAIN, REFERENCE, "torch", *(["openvino"] if find_spec("openvino") else [])]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "texts.json").write_text(json.dumps(read_texts(papers, texts)), encoding="utf-8")
        for name in names[2:]:  # what is done once on a machine is not timed
            run(name, folder)
        told = [{name: run(name, folder) for name in names} for _ in range(rounds)]
    found = []
    for name in names:
        seconds = median(one[name]["seconds"] for one in told)
        found.append(
            Timed(
                name,
                told[0][name]["engine"],
                texts / seconds,
                median(one[PLAIN]["seconds"] / one[name]["seconds"] for one in told),
                median(one[name]["first"] for one in told),
                max(one[name]["peak_mb"] for one in told),
                min(one[name]["least_cosine"] for one in told),
                told[0][name]["modules"],
            )
        )
    return found


def read_texts(papers: Path | None, number: int) -> list[str]:
    """Return so many titles with their abstracts."""
    from crawler.engines.probe import probe_texts

    if papers is None:
        return probe_texts(number)
    with gzip.open(papers, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line, _ in zip(file, range(number), strict=False)]
    return [f"{row['title']}. {row['abstract']}" for row in rows]


def run(name: str, folder: str) -> dict[str, Any]:
    """Embed the texts with an engine in a process of its own."""
    words = [sys.executable, __file__, "--child", name, folder]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def encode_as(name: str, folder: Path) -> dict[str, Any]:
    """Embed the texts in this process."""
    began = time.perf_counter()
    texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    from crawler.models import DEFAULT_MODEL, find_model

    place = find_model(DEFAULT_MODEL, os.environ)
    if name == PLAIN:
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(place.target, device="cpu")
        engine = "SentenceTransformer.encode with its defaults"
        encode = model.encode
    else:
        from crawler.embed import SentenceTransformerEmbedder

        embedder = SentenceTransformerEmbedder(place, engine=name, cache=folder / "cache")
        embedder.prepare(len(texts) if name == REFERENCE else 1_000_000)
        engine, encode = embedder.engine, embedder.encode
        if embedder.choice:
            engine = str(embedder.choice.best.setting)
    encode(texts[:1])
    first = time.perf_counter() - began
    began = time.perf_counter()
    vectors = np.asarray(encode(texts), dtype=np.float32)
    seconds = time.perf_counter() - began
    kept = folder / "float32.npy"
    if name == REFERENCE and not kept.exists():
        np.save(kept, vectors)
    cosine = float((vectors * np.load(kept)).sum(axis=1).min()) if kept.exists() and name != PLAIN else float("nan")
    return {
        "engine": engine,
        "seconds": seconds,
        "first": first,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "least_cosine": cosine,
        "modules": " ".join(one for one in ("torch", "openvino") if one in sys.modules),
    }


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    main()
