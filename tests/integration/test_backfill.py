"""A backfill that is killed goes on from its last page, and leads to what an undisturbed one leads to."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
import signal
from pathlib import Path

import pytest
from conftest import LOADED, NOW
from fakes import run_night

from crawler.sources import snapshot
from crawler.sources.snapshot import LINES_PER_PAGE, SnapshotSource
from db.records import Aspect, Phenomenon
from db.store import Row, open_store
from db.upkeep import save_phenomena

pytestmark = pytest.mark.slow

LINES, PER_PAGE, WANTED = 90, 10, ("cs.LG",)
THRESHOLD = 0.1
GROKKING = Phenomenon("W1.1", Aspect.WHAT, "Made", "Grokking", "Networks generalise late.", ("grokking",))
_STATE = (
    "SELECT p.arxiv_id, version, text_hash FROM papers p JOIN revisions r USING (revision_id) ORDER BY 1",
    "SELECT text_hash, hex(vector) FROM vectors ORDER BY 1",
    "SELECT arxiv_id, phenomenon_code, score FROM matches JOIN revisions USING (revision_id) ORDER BY 1, 2",
    "SELECT arxiv_id, phenomenon_code FROM candidates ORDER BY 1, 2",
    "SELECT source, position FROM cursors",
)


def write_snapshot(path: Path) -> Path:
    """Write a packed snapshot of which every other line is wanted."""
    lines = [
        json.dumps(
            {
                "id": f"2601.{number:05d}",
                "title": f"On grokking, part {number}",
                "abstract": f"Networks generalise late, {number} times. Nothing else does.",
                "categories": ("cs.LG", "math.CO")[number % 2],
                "versions": [{"version": "v1", "created": "Mon, 5 Jan 2026 10:00:00 GMT"}],
            }
        )
        for number in range(LINES)
    ]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def backfill(path: Path, file: Path, killed_at: tuple[str, int] | None = None) -> Row:
    """Run a backfill, and kill this process when a stage is told of for the so manyth time."""
    told: list[str] = []

    def progress(stage: str, done: int, total: int | None) -> None:
        told.append(stage)
        if killed_at and told.count(killed_at[0]) == killed_at[1]:
            os.kill(os.getpid(), signal.SIGKILL)

    snapshot.LINES_PER_PAGE = PER_PAGE
    try:
        with open_store(path, create=True, clock=lambda: NOW) as store:
            with store.transaction():
                save_phenomena(store, [GROKKING], LOADED)
            source = SnapshotSource(file, WANTED)
            return run_night(
                store, source, kind="backfill", categories=WANTED, threshold=THRESHOLD, progress=progress
            ).run
    finally:
        snapshot.LINES_PER_PAGE = LINES_PER_PAGE


def read_state(path: Path) -> list[list[Row]]:
    """Return what is kept, without the numbers of rows."""
    with open_store(path) as store:
        return [store.rows(sql) for sql in _STATE]


@pytest.mark.parametrize(("stage", "times"), [("read", 4), ("embed", 1), ("match", 1)])
def test_a_killed_backfill_goes_on_from_its_last_page(tmp_path: Path, stage: str, times: int) -> None:
    file = write_snapshot(tmp_path / "snapshot.gz")
    whole = backfill(tmp_path / "whole.db", file)
    assert (whole["status"], whole["received"]) == ("complete", LINES // 2)
    killed = tmp_path / "killed.db"
    process = multiprocessing.get_context("spawn").Process(target=backfill, args=(killed, file, (stage, times)))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    again = backfill(killed, file)
    assert read_state(killed) == read_state(tmp_path / "whole.db")
    if stage == "read":
        assert again["received"] == (LINES - times * PER_PAGE) // 2
    else:
        assert again["embedded"] == 0
