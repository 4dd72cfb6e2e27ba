"""Times the engines beside plain `SentenceTransformer.encode`: texts per second, start, peak memory, least cosine.

    python tests/bench/engines.py [--quick] [--rounds 3] [--data ../shared/data]

Plain means the library with its defaults: float32, batches of 32, texts cut at what the model is set to (256 word
pieces). The program reads them whole, so that plain encode of whole texts stands beside it as well. Each engine runs in
a process of its own, all of them in turn, round after round; a ratio is the median of the rounds' ratios. Where there
are no real papers the bundled sample's abstracts are taken.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
import tempfile
import time
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from common import Options, Row, median_ratio, options_from, parser_of, print_rows, run_process

PLAIN, WHOLE, REFERENCE = "plain", "whole", "float32"
WHOLE_PIECES = 512
GOALS = {"torch": ">= 2.3", "openvino": ">= 4"}
TEXTS, QUICK_TEXTS = 256, 64


def measure(options: Options) -> list[Row]:
    """Return for each engine that is installed its speed beside plain encode's, its start, memory and closeness."""
    names = [REFERENCE, "torch", *(["openvino"] if find_spec("openvino") else [])]
    with tempfile.TemporaryDirectory() as folder:
        texts = read_texts(options)
        (Path(folder) / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
        for name in names:  # what is done once on a machine is not timed
            run(name, folder)
        told = [{name: run(name, folder) for name in (PLAIN, WHOLE, *names)} for _ in range(options.rounds)]
    plain, whole = ([one[name]["seconds"] for one in told] for name in (PLAIN, WHOLE))
    rows = []
    for name in names:
        rounds = [one[name] for one in told]
        taken = [one["seconds"] for one in rounds]
        speed = f"{len(texts) / median(taken):.1f} texts/s"
        for what, beside, goal in (
            ("plain encode", plain, GOALS.get(name, "")),
            ("reading whole texts, too", whole, ""),
        ):
            told_beside = f"{len(texts) / median(beside):.1f} {what}"
            rows.append(Row(rounds[0]["setting"], speed, told_beside, 1 / median_ratio(taken, beside), goal))
        first, modules = median(one["first"] for one in rounds), rounds[0]["modules"]
        peak, cosine = max(one["peak_mb"] for one in rounds), min(one["least_cosine"] for one in rounds)
        least = f"least cosine {cosine:.6f}"
        rows.append(Row(f"its start, with {modules}", f"{first:.2f} s to a vector", f"{peak:.0f} MB, {least}"))
    return rows


def read_texts(options: Options) -> list[str]:
    """Return titles with abstracts: of real papers, or of the bundled sample."""
    from crawler.engines.probe import probe_texts

    number, real = QUICK_TEXTS if options.quick else TEXTS, options.data / "papers.jsonl.gz"
    if not real.is_file():
        return probe_texts(number)
    with gzip.open(real, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in islice(file, number)]
    return [f"{row['title']}. {row['abstract']}" for row in rows]


def run(name: str, folder: str) -> dict[str, Any]:
    """Embed the texts with an engine in a process of its own."""
    ended = run_process([sys.executable, __file__, "--child", name, folder])
    told: dict[str, Any] = json.loads(ended.out.splitlines()[-1])
    return {**told, "peak_mb": ended.peak_mb}


def encode_as(name: str, folder: Path) -> dict[str, Any]:
    """Embed the texts in this process."""
    began = time.perf_counter()
    texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    from crawler.models import DEFAULT_MODEL, find_model

    place = find_model(DEFAULT_MODEL, os.environ)
    if name in (PLAIN, WHOLE):
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(place.target, device="cpu")
        setting = name
        if name == WHOLE:
            model.max_seq_length = WHOLE_PIECES
        encode = model.encode
    else:
        from crawler.embed import WORTH_MEASURING, SentenceTransformerEmbedder

        embedder = SentenceTransformerEmbedder(place, engine=name, cache=folder / "cache")
        embedder.prepare(WORTH_MEASURING)
        setting, encode = embedder.engine, embedder.encode
        if embedder.choice:
            setting = str(embedder.choice.best.setting)
    encode(texts[:1])
    first = time.perf_counter() - began
    began = time.perf_counter()
    vectors = np.asarray(encode(texts), dtype=np.float32)
    seconds = time.perf_counter() - began
    kept = folder / "float32.npy"
    if name == REFERENCE and not kept.exists():
        np.save(kept, vectors)
    cosine = (
        float((vectors * np.load(kept)).sum(axis=1).min())
        if kept.exists() and name not in (PLAIN, WHOLE)
        else float("nan")
    )
    return {
        "setting": setting,
        "seconds": seconds,
        "first": first,
        "least_cosine": cosine,
        "modules": " ".join(one for one in ("torch", "openvino") if one in sys.modules),
    }


def main() -> None:
    """Measure and print the table."""
    parser = parser_of(__doc__)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(encode_as(options.child[0], Path(options.child[1]))))
    else:
        print_rows("The model's engines", measure(options_from(options)))


if __name__ == "__main__":
    main()
