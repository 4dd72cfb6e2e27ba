"""Times a night of real papers beside the model alone on the same texts, and a second run with nothing new.

    python tests/bench/speed.py [--quick] [--data ../shared/data]

A night is `bmp backfill` on a fresh database, in a process of its own. Beside it a process finds and loads the same
model as the program does and encodes the same texts, and does nothing else. Both are told with the start of the
process, and without it by their own clocks.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from common import BMP, Ended, Options, Row, options_from, parser_of, print_rows, run_process

PAPERS, QUICK_PAPERS = 2_000, 200
FILE = "papers.jsonl.gz"


def measure(options: Options) -> list[Row]:
    """Return the night beside the model alone, the second run, and peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        file, source = write_papers(options, Path(folder))
        database = Path(folder) / "bmp.db"
        run_process([*BMP, "--db", str(database), "init"])
        words = [*BMP, "--db", str(database), "backfill", str(file), "--json"]
        run_process([sys.executable, __file__, "--settle"])  # the fastest setting is looked for once on a machine
        night, again = run_process(words), run_process(words)
        alone = run_process([sys.executable, __file__, "--alone", str(database)])
    return [*_compare(night, alone, source), *_compare_again(night, again)]


def _compare(night: Ended, alone: Ended, source: str) -> list[Row]:
    run, model = json.loads(night.out), json.loads(alone.out)
    inside = run["seconds"]["total"]
    told = f"night of {run['embedded']} texts, {source}"
    return [
        Row(
            f"{told}: whole process",
            f"{night.seconds:.1f} s",
            f"{alone.seconds:.1f} s model alone",
            night.seconds / alone.seconds,
            "<= 1.10",
        ),
        Row(
            "the same in processor time, which others' work disturbs less",
            f"{night.cpu_seconds:.1f} s",
            f"{alone.cpu_seconds:.1f} s",
            night.cpu_seconds / alone.cpu_seconds,
            "<= 1.10",
        ),
        Row(
            "without the start of the process",
            f"{inside:.1f} s",
            f"{model['seconds']:.1f} s load and encode",
            inside / model["seconds"],
            "<= 1.10",
        ),
        Row(
            "peak memory",
            f"{night.peak_mb:.0f} MB",
            f"{alone.peak_mb:.0f} MB",
            night.peak_mb / alone.peak_mb,
            "< 1.5 GB",
        ),
    ]


def _compare_again(night: Ended, again: Ended) -> list[Row]:
    embedded = json.loads(again.out)["embedded"]
    return [
        Row(
            f"second run, {embedded} embedded",
            f"{again.seconds:.2f} s",
            f"{night.seconds:.1f} s first run",
            again.seconds / night.seconds,
            "<= 0.05",
        )
    ]


def write_papers(options: Options, folder: Path) -> tuple[Path, str]:
    """Write the papers of a night as JSON lines; return the file, and in words what they are."""
    file, size = folder / "papers.jsonl", QUICK_PAPERS if options.quick else PAPERS
    real = options.data / FILE
    if real.is_file():
        with gzip.open(real, "rt", encoding="utf-8") as lines:
            file.write_text("".join(islice(lines, size)), encoding="utf-8")
        return file, "real papers"
    from tui.sample_queue import sample_papers

    lines = [
        {
            "id": paper.arxiv_id,
            "title": paper.title,
            "abstract": paper.abstract,
            "authors": ", ".join(paper.authors),
            "categories": " ".join(paper.categories),
            "versions": [{"version": "v1", "created": paper.published_at.strftime("%a, %d %b %Y %H:%M:%S GMT")}],
            "update_date": paper.published_at.date().isoformat(),
        }
        for paper in sample_papers()
        if not paper.withdrawn
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file, "the bundled sample, for there are no real papers here"


def encode_alone(database: Path) -> None:
    """Encode every text of a database, claims included, with the model of the settings; write the seconds as JSON."""
    from crawler.ranking.claims import Claim, document_text
    from curation.cli.context import AppContext
    from curation.cli.wiring import make_embedder
    from db.phenomena import list_phenomena
    from db.store import open_store

    with open_store(database) as store:
        rows = store.rows("SELECT title, abstract FROM papers JOIN revisions USING (revision_id)")
        texts = [document_text(row["title"], row["abstract"]) for row in rows]
        texts += [text for entry in list_phenomena(store) for text in Claim.of(entry).texts()]  # a first night's too
        began = time.perf_counter()
        embedder = make_embedder(AppContext(dict(os.environ), database))(store)
        embedder.prepare(len(texts))
        embedder.encode(texts)
    print(json.dumps({"texts": len(texts), "seconds": time.perf_counter() - began}))


def settle() -> None:
    """Let the fastest setting of this machine be found."""
    from curation.cli.context import AppContext
    from curation.cli.wiring import open_embedder

    open_embedder(AppContext(dict(os.environ), None)).prepare(PAPERS)


def main() -> None:
    """Measure and print the table."""
    parser = parser_of(__doc__)
    parser.add_argument("--alone", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--settle", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.settle:
        settle()
    elif options.alone:
        encode_alone(options.alone)
    else:
        print_rows("The night", measure(options_from(options)))


if __name__ == "__main__":
    main()
