"""Times what a person waits for: help, the queue, the exports and the app, on a large database.

    python tests/bench/interactive.py [--quick] [--keep FILE]

The papers are made, and so are their vectors. Each command is a process of its own, and its time is that of the whole
process; beside it stands that of `bmp --help`, taken in the same round. The app runs in a terminal, and a key's time
goes on until the screen tells of the next paper.
"""

from __future__ import annotations

import os
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from common import BMP, Options, Row, interleave, median_ratio, options_from, parser_of, print_rows, run_process
from review import make
from tui.terminal import Terminal

from crawler.ranking.ranker import Claim
from db.phenomena import list_phenomena
from db.records import ModelIdentity
from db.store import Store, open_store
from db.text import hash_text, text_hash
from db.vectors import save_engine, save_model, save_vectors

IDENTITY = ModelIdentity("all-MiniLM-L6-v2", "1", "", 256, 384)
AT_HAND = 20_000
FORMATS = ("markdown", "json", "csv", "bibtex", "ris", "atom", "sqlite", "site")
REST_SECONDS = 0.15
WORST_START, WORST_WAIT, WORST_KEY = "<= 12", "< 0.3 s beside help", "< 100 ms"


def make_database(path: Path, *, papers: int, waiting: int, decided: int) -> None:
    """Fill a database with made papers, decisions and vectors, over all phenomena of the catalogue."""
    make(path, waiting, decided, phenomena=1_000)
    with open_store(path) as store, store.transaction():
        _repeat_papers(store, papers - waiting - decided)
        save_made_vectors(store)


def _repeat_papers(store: Store, count: int) -> None:
    """Add so many papers that were never queued: a stored one under other ids, with titles of their own."""
    paper = store.rows("SELECT * FROM papers LIMIT 1")[0]
    revision = store.rows("SELECT * FROM revisions WHERE revision_id = ?", (paper["revision_id"],))[0]
    first = store.value("SELECT max(revision_id) FROM revisions") + 1
    papers, revisions = [], []
    for number in range(count):
        arxiv_id = f"{1001 + number // 90_000}.{number % 90_000 + 10_000}"
        title = f"Paper {number} that nobody queued"
        named = {"arxiv_id": arxiv_id, "revision_id": first + number}
        papers.append({**paper, **named})
        text = text_hash(title, revision["abstract"])
        revisions.append({**revision, **named, "title": title, "text_hash": text})
    for table, rows in (("papers", papers), ("revisions", revisions)):
        names = list(rows[0]) if rows else list(revision)
        store.connection.executemany(
            f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)})", rows
        )


def save_made_vectors(store: Store) -> None:
    """Give every claim, every candidate's paper and the newest others a vector drawn at random."""
    drawn = np.random.default_rng(1)
    model_id = save_model(store, IDENTITY)
    claims = [hash_text(text) for entry in list_phenomena(store) for text in Claim.of(entry).texts()]
    rows = store.rows("SELECT text_hash FROM revisions ORDER BY revision_id LIMIT ?", (AT_HAND,))
    hashes = list(dict.fromkeys([*claims, *(row["text_hash"] for row in rows)]))
    vectors = drawn.standard_normal((len(hashes), IDENTITY.dimensions), dtype=np.float32)
    save_vectors(
        store,
        model_id,
        save_engine(store, model_id, "made", None),
        hashes,
        vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
    )


def measure(options: Options, keep: Path | None = None) -> list[Row]:
    """Return the medians of commands and keys.

    Args:
        keep: where the database is made, or lies from before.
    """
    papers, waiting, decided = (5_000, 1_000, 500) if options.quick else (100_000, 10_000, 5_000)
    with tempfile.TemporaryDirectory() as folder:
        path = keep or Path(folder) / "bmp.db"
        if not path.exists():
            make_database(path, papers=papers, waiting=waiting, decided=decided)
        rows = [_measure_help(options)]
        rows += [_measure_command(options, path, words) for words in list_commands(path, Path(folder))]
        return [*rows, *_measure_app(path, 10 if options.quick else 50)]


def list_commands(path: Path, folder: Path) -> list[tuple[str, ...]]:
    """Return the commands that are timed, for a database; what they write goes into the folder."""
    with open_store(path) as store:
        found = store.rows("SELECT max(candidate_id) AS id, phenomenon_code AS code FROM candidates")[0]
    candidate, code = str(found["id"]), found["code"]
    exports = [("export", one, "-o", str(folder / one)) for one in FORMATS]
    return [
        ("queue", "list"),
        ("queue", "list", "--limit", "20"),
        ("queue", "list", "--json"),
        ("queue", "show", candidate),
        ("queue", "decide", candidate, "maybe"),
        ("queue", "rerank", "--phenomenon", code),
        ("queue", "stats"),
        ("status",),
        ("phenomena", "list"),
        ("runs", "list"),
        *exports,
    ]


def _measure_help(options: Options) -> Row:
    bare, asked = interleave(
        3 * options.rounds,
        lambda: run_process([sys.executable, "-c", "pass"]).seconds,
        lambda: run_process([*BMP, "--help"]).seconds,
    )
    return Row(
        "`bmp --help`", _seconds(asked), f"{_seconds(bare)} bare interpreter", median_ratio(asked, bare), WORST_START
    )


def _measure_command(options: Options, path: Path, words: tuple[str, ...]) -> Row:
    """Time one command beside help; one that takes long is run once. A decision is another one in each round."""
    rounds = iter(range(10**6))

    def run() -> float:
        note = ("--note", f"round {next(rounds)} {time.time_ns()}") if "decide" in words else ()
        return run_process([*BMP, "--db", str(path), *words, *note]).seconds

    asked, taken = interleave(1, lambda: run_process([*BMP, "--help"]).seconds, run)
    if taken[0] < 5:
        more = interleave(options.rounds - 1, lambda: run_process([*BMP, "--help"]).seconds, run)
        asked, taken = asked + more[0], taken + more[1]
    told = " ".join(words[:2] if words[0] == "export" else words)
    goal = WORST_WAIT if words[0] != "export" and "rerank" not in words and "stats" not in words else "a few seconds"
    return Row(f"`bmp {told}`", _seconds(taken), f"{_seconds(asked)} help", median_ratio(taken, asked), goal)


def _measure_app(path: Path, keys: int) -> list[Row]:
    """Open the app in a terminal, go down the queue, then accept and reject: until the screen tells what came next."""
    environment = {**os.environ, "BMP_REVIEWER": "bench"}
    began = time.perf_counter()
    terminal = Terminal(path, columns=120, rows=40, environment=environment)
    try:
        terminal.wait_for(lambda text: re.search(r" 1 of \d+ 0 decided", text) is not None)
        opened = time.perf_counter() - began
        times: dict[str, list[float]] = {}
        told = {"next": ("j", " {} of "), "accept": ("s", " {} decided"), "reject": ("r", " {} decided")}
        for name, (key, wanted) in told.items():
            first = {"next": 2, "accept": 1, "reject": keys + 1}[name]
            times[name] = [_press(terminal, key, wanted.format(number)) for number in range(first, first + keys)]
    finally:
        terminal.close()
    return [
        Row("app: open", f"{opened:.2f} s", goal="< 1 s"),
        *(
            Row(
                f"app: {name}",
                f"{statistics.median(taken) * 1000:.0f} ms, worst {max(taken) * 1000:.0f}",
                goal=WORST_KEY,
            )
            for name, taken in times.items()
        ),
    ]


def _press(terminal: Terminal, key: str, wanted: str) -> float:
    """Return the seconds from a key until the screen has a text; the app comes to rest before the next one."""
    terminal.send(key)
    seconds = terminal.wait_for(wanted)
    terminal.read(REST_SECONDS)
    return seconds


def _seconds(taken: list[float]) -> str:
    return f"{statistics.median(taken):.3f} s"


def main() -> None:
    """Measure and print the table."""
    parser = parser_of(__doc__)
    parser.add_argument("--keep", type=Path, help="where the database is made, or lies from before")
    options = parser.parse_args()
    print_rows("Interactive", measure(options_from(options), options.keep))


if __name__ == "__main__":
    main()
