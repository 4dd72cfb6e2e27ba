"""Times a backfill: lines read with and without a look at bytes, memory over few and many papers, a Ray cluster.

    python tests/bench/backfill.py [--quick] [--data ../shared/data] [--papers 240000]

The lines are those of the real papers under other ids; one in ten is of the default categories, as in the whole file.
For memory a model that knows nothing stands in, so that a run takes minutes: what grows would be lists of papers, not
the model. On Ray the real model embeds, in two workers of one core, beside one process with all cores.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[1]))

from common import BMP, Options, Row, interleave, median_ratio, options_from, parser_of, print_rows, run_process

if TYPE_CHECKING:
    from db.records import Phenomenon
    from db.store import Store

WANTED, OTHER = "cs.LG", "hep-th"
NOW = "2026-11-26T06:30:00Z"
LINES, PAPERS, RAY_PAPERS, MATCHED = 50_000, 240_000, 1_000, 30_000


def measure(options: Options, papers: int = PAPERS) -> list[Row]:
    """Return lines a second, peak memory, what matching costs beside embedding, and texts a second on Ray."""
    if not (options.data / "papers.jsonl.gz").is_file():
        return [Row("backfill", "not measured: there are no real papers here")]
    size = 10 if options.quick else 1
    with tempfile.TemporaryDirectory() as folder:
        rows = [_time_lines(options, Path(folder), LINES // size), *_weigh(options, Path(folder), papers // size)]
        rows.append(_time_matching(options, Path(folder), MATCHED // size))
        if find_spec("ray"):
            rows.append(_time_ray(options, Path(folder), RAY_PAPERS // size))
    return rows


def make_lines(data: Path, number: int, *, wanted: int) -> Iterator[bytes]:
    """Yield so many lines of real papers, over and over under other ids; one in `wanted` of a wanted category."""
    with gzip.open(data / "papers.jsonl.gz", "rb") as file:
        records = [json.loads(line) for line in file]
    for place in islice(count(), number):
        record = {**records[place % len(records)], "id": f"{place // 100_000 + 701:04d}.{place % 100_000:05d}"}
        record["categories"] = WANTED if place % wanted == 0 else OTHER
        yield json.dumps(record).encode() + b"\n"


def _time_lines(options: Options, folder: Path, number: int) -> Row:
    from crawler.sources.snapshot import CategoryTest, SnapshotSource

    path = folder / "lines.jsonl"
    with path.open("wb") as file:
        file.writelines(make_lines(options.data, number, wanted=10))

    def read() -> float:
        began, source = time.process_time(), SnapshotSource(path, (WANTED,))
        received = sum(page.received for page in source.pages(source.parts()[0], "0"))
        assert received == -(-number // 10)
        return time.process_time() - began

    def parse() -> float:
        with patch.object(CategoryTest, "may_hold", lambda self, line: True):
            return read()

    ours, plain = interleave(options.rounds, read, parse)
    return Row(
        f"reading {number} lines, one in ten wanted",
        f"{number / min(ours):.0f} lines/s",
        f"{number / min(plain):.0f} without the look at bytes",
        1 / median_ratio(ours, plain),
        ">= 1",
    )


def _weigh(options: Options, folder: Path, papers: int) -> list[Row]:
    """Return the peak memory of a backfill of a twelfth of the papers, of a third and of all."""
    told = []
    for number in (papers // 12, papers // 3, papers):
        path = folder / f"{number}.jsonl.gz"
        with gzip.open(path, "wb", compresslevel=1) as file:
            file.writelines(make_lines(options.data, number, wanted=1))
        ended = run_process([sys.executable, __file__, "--child", str(path)])
        told.append((number, ended.peak_mb, json.loads(ended.out.splitlines()[-1]), ended.seconds))
    first = told[0][1]
    return [
        Row(
            f"backfill of {number} papers, {run['queued']} queued",
            f"{peak:.0f} MB at most, {seconds:.0f} s",
            f"{first:.0f} MB with {told[0][0]}",
            peak / first,
            "< 1.5 GB, not growing",
        )
        for number, peak, run, seconds in told
    ]


def run_light(path: Path) -> dict[str, Any]:
    """Run a backfill with a model that knows nothing, and return its ledger row."""
    from fakes import run_night

    from crawler.sources.snapshot import SnapshotSource
    from curation.catalogue import load_catalogue
    from db.store import open_store

    with open_store(path.with_suffix(".db"), create=True) as store:
        _load(store, load_catalogue())
        source = SnapshotSource(path, (WANTED,))
        return run_night(store, source, kind="backfill", categories=(WANTED,), threshold=0.9).run


def _load(store: Store, phenomena: Sequence[Phenomenon]) -> None:
    from db.records import CatalogueChange, ChangeKind
    from db.upkeep import save_phenomena

    with store.transaction():
        save_phenomena(store, phenomena, CatalogueChange(ChangeKind.LOAD, "bmp", NOW))


def _time_matching(options: Options, folder: Path, number: int) -> Row:
    """Match stored papers anew, as a changed catalogue asks for, beside the model at its best on some of their texts.

    Papers and catalogue are real, the vectors are drawn at random; both are told in processor time.
    """
    from engines import read_texts
    from fakes import run_night
    from scale import MadeEmbedder

    from crawler.control import Stop, no_progress
    from crawler.embed import AUTO, WORTH_MEASURING, SentenceTransformerEmbedder
    from crawler.match import match_missing
    from crawler.models import DEFAULT_MODEL, find_model
    from crawler.sources.snapshot import SnapshotSource
    from curation.catalogue import load_catalogue
    from db.store import open_store

    path, embedder = folder / "matched.jsonl", MadeEmbedder()
    with path.open("wb") as file:
        file.writelines(make_lines(options.data, number, wanted=1))
    first, *others = load_catalogue()
    with open_store(folder / "matched.db", create=True) as store:
        _load(store, [first, *others])
        run_night(store, SnapshotSource(path, (WANTED,)), categories=(WANTED,), threshold=1.0, embedder=embedder)
        _load(store, [replace(first, title=f"{first.title} again"), *others])
        began = time.process_time()
        match_missing(store, embedder, run_id=1, threshold=1.0, now=NOW, stop=Stop(), progress=no_progress)
        matching = (time.process_time() - began) / number
    texts = read_texts(options)
    model = SentenceTransformerEmbedder(find_model(DEFAULT_MODEL, os.environ), engine=AUTO, cache=folder / "cache")
    model.prepare(WORTH_MEASURING)
    began = time.process_time()
    model.encode(texts)
    embedding = (time.process_time() - began) / len(texts)
    return Row(
        f"{number} real papers matched anew with {1 + len(others)} phenomena, the ranker's making included",
        f"{matching * 1000:.3f} ms a paper",
        f"{embedding * 1000:.1f} ms to embed one, {model.engine}",
        matching / embedding,
        "<= 0.001",
    )


def _time_ray(options: Options, folder: Path, number: int) -> Row:
    """Embed the same papers in one process and by two workers, each in a database of its own."""
    path = folder / "ray.jsonl"
    with path.open("wb") as file:
        file.writelines(make_lines(options.data, number, wanted=1))
    seconds = []
    for place, words in enumerate([(), ("--engine", "ray", "--workers", "2")]):
        database = folder / f"ray{place}.db"
        run_process([*BMP, "--db", str(database), "init"])
        began = [*BMP, "--db", str(database), "backfill", str(path), "--category", WANTED, "--json", *words]
        told = json.loads(run_process(began).out)["seconds"]
        seconds.append(told["harvest"] + told["embed"])
    alone, cluster = (number / one for one in seconds)
    return Row(
        f"{number} papers read and embedded by two Ray workers, with their start",
        f"{cluster:.1f} papers/s",
        f"{alone:.1f} by one process",
        cluster / alone,
        "slower on one machine",
    )


def main() -> None:
    """Measure and print the table."""
    parser = parser_of(__doc__)
    parser.add_argument("--papers", type=int, default=PAPERS, help="of the largest backfill")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    if parsed.child:
        print(json.dumps(run_light(parsed.child), default=str))
        return
    print_rows("Backfill", measure(options_from(parsed), parsed.papers))


if __name__ == "__main__":
    main()
