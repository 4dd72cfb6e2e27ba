"""`bmp schedule` as a process: what it says when it starts, read from the ledger."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bmp import Bmp

from curation.cli.night import describe_due
from db.runs import set_run, start_run
from db.settings import Settings
from db.store import Store, open_store
from db.times import now_utc, to_text

AT = "06:30"
SLOT = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def add_run(store: Store, started_at: datetime, status: str, *, kind: str = "nightly") -> None:
    """Put a run into the ledger as if it had started then."""
    categories = Settings(db=store.path, config=store.path, cache=store.path, reviewer="ada").categories
    with store.transaction():
        run_id = start_run(
            store, kind=kind, source="oai", categories=categories, started_at=to_text(started_at), program_version="0"
        )
        set_run(store, run_id, status=status)


def first_words(db: Path, **environment: str) -> str:
    """Start the schedule, return what it says up to its first message, and end it."""
    env = {**os.environ, "BMP_DB": str(db), "BMP_MODEL": "/nonexistent", **environment}
    running = subprocess.Popen(
        [sys.executable, "-m", "curation", "schedule"], env=env, stderr=subprocess.PIPE, text=True
    )
    assert running.stderr is not None
    said = ""
    try:
        while "Ctrl-C ends this" not in said:
            said += (line := running.stderr.readline())
            assert line, said
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)
    finally:
        running.kill()
    return said


def test_it_says_that_a_night_starts_now(tmp_path: Path) -> None:
    with open_store(tmp_path / "bmp.db", create=True) as store:
        add_run(store, now_utc(), "complete", kind="demo")
    said = first_words(tmp_path / "bmp.db")
    assert "A night starts now. Ctrl-C ends this." in said
    assert "holds the demo's made-up papers" in said


def test_it_sees_the_night_behind_any_number_of_other_runs(tmp_path: Path) -> None:
    began = now_utc()
    with open_store(tmp_path / "bmp.db", create=True) as store:
        add_run(store, began, "quiet")
        for _ in range(25):
            add_run(store, began, "complete", kind="fetch")
    at = f"{began - HOUR:%H:%M}"
    said = first_words(tmp_path / "bmp.db", BMP_NIGHTLY_AT=at)
    assert f"None starts now: the last good night was at {began:%Y-%m-%d %H:%M} UTC." in said
    assert "made-up" not in said


@pytest.mark.parametrize(
    ("nights", "said"),
    [
        ([], "A night starts now."),
        ([("failed", 1, False), ("quiet", 0, False)], "the last good night was at 2026-11-24 06:30 UTC."),
        ([("failed", 1, False), ("failed", 0, True)], "arXiv refused the night of 2026-11-24 06:30 UTC."),
        ([("quiet", 3, False), ("quiet", 0, False)], "the last good night was at 2026-11-24 06:30 UTC."),
        ([("partial", 2, False)], "the last try was at 2026-11-24 08:30 UTC (partial), and the next one comes later."),
    ],
)
def test_it_names_the_night_for_which_none_starts(nights: list[tuple[str, int, bool]], said: str) -> None:
    rows = [
        {"status": status, "started_at": to_text(SLOT + hours * HOUR), "refused": refused}
        for status, hours, refused in nights
    ]
    assert describe_due(rows, SLOT + 2.5 * HOUR, AT).endswith(said)


def test_a_category_that_arxiv_has_not_ends_it_at_once(bmp: Bmp, monkeypatch: pytest.MonkeyPatch) -> None:
    bmp("init")
    monkeypatch.setenv("BMP_CATEGORIES", "cs.LG foo")
    told = bmp("schedule")
    assert told.code == 2
    assert told.err.count("\n") == 1 and "'foo' is not an arXiv category" in told.err
