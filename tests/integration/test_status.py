"""`bmp status`: what it expects, whether zero was normal, and when a person should look."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bmp import Bmp
from click.testing import CliRunner, Result

from curation.cli.context import AppContext
from curation.cli.status import status
from db.runs import set_run, start_run
from db.settings import Settings
from db.store import night_lock, open_store
from db.times import from_text, now_utc, to_text

TUESDAY = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)
NOON = timedelta(hours=5, minutes=30)
DAY = timedelta(days=1)

DEFAULT_CATEGORIES = next(one.default for one in fields(Settings) if one.name == "categories")

Status = Callable[..., Result]


def add_run(
    db: Path,
    started_at: datetime,
    ended: str,
    *,
    kind: str = "nightly",
    categories: Sequence[str] = DEFAULT_CATEGORIES,
    **values: Any,
) -> None:
    """Put a run into the ledger as if it had started then."""
    with open_store(db, create=True, clock=now_utc) as store, store.transaction():
        run_id = start_run(
            store, kind=kind, source="oai", categories=categories, started_at=to_text(started_at), program_version="0"
        )
        set_run(store, run_id, status=ended, **values)


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Give the path of an empty database."""
    path = tmp_path / "bmp.db"
    open_store(path, create=True, clock=now_utc).close()
    return path


@pytest.fixture
def status_at(db: Path) -> Status:
    """Return a function that calls `bmp status` at a moment."""

    def call(now: datetime, *words: str, **environment: str) -> Result:
        return CliRunner().invoke(status, words, obj=AppContext(environment, db, clock=lambda: now))

    return call


def facts_at(status_at: Status, now: datetime, **environment: str) -> Any:
    """Return what `bmp status --json` says at a moment."""
    return json.loads(status_at(now, "--json", **environment).stdout)


def test_it_says_what_the_next_night_can_expect(db: Path, status_at: Status) -> None:
    add_run(db, TUESDAY, "complete", new=5)
    facts = facts_at(status_at, TUESDAY + NOON)
    assert facts["next_run"] == "2026-11-25T06:30:00Z"
    assert facts["expects"] == {
        "next_announcement_at": "2026-11-25T01:00:00Z",
        "next_metadata_at": "2026-11-25T03:30:00Z",
        "next_run_announcements": 1,
        "zero_is_normal": False,
        "why": "arXiv's announcement of 2026-11-24 has its metadata about 2026-11-25 03:30 UTC, so zero is not normal",
    }
    assert "expected    1 announcement by the next night: arXiv's" in status_at(TUESDAY + NOON).stdout


def test_it_counts_what_failed_nights_left_behind(db: Path, status_at: Status) -> None:
    add_run(db, TUESDAY - 2 * DAY, "complete", new=5)
    add_run(db, TUESDAY - DAY, "failed")
    add_run(db, TUESDAY, "partial", new=1)
    expects = facts_at(status_at, TUESDAY + NOON)["expects"]
    assert expects["next_run_announcements"] == 3
    assert "the last of 3" in expects["why"]


def test_it_expects_nothing_on_thanksgiving(db: Path, status_at: Status) -> None:
    thursday = TUESDAY + 2 * DAY
    add_run(db, thursday, "complete", new=5)
    expects = facts_at(status_at, thursday + NOON)["expects"]
    assert (expects["next_run_announcements"], expects["zero_is_normal"]) == (0, True)
    assert expects["why"] == "2026-11-26 is a holiday of arXiv, so zero is normal"
    assert expects["next_announcement_at"] == "2026-11-30T01:00:00Z"
    assert "expected    no announcements by the next night: 2026-11-26 is a" in status_at(thursday + NOON).stdout


def test_days_of_the_settings_count_as_holidays(db: Path, status_at: Status) -> None:
    add_run(db, TUESDAY, "complete", new=5)
    expects = facts_at(status_at, TUESDAY + NOON, BMP_ARXIV_HOLIDAYS="2026-11-24")["expects"]
    assert expects["why"] == "2026-11-24 is a holiday of arXiv, so zero is normal"
    assert expects["next_announcement_at"] == "2026-11-26T01:00:00Z"


def test_the_first_night_expects_what_lies_in_the_days_it_looks_back(status_at: Status) -> None:
    assert facts_at(status_at, TUESDAY + NOON)["expects"]["next_run_announcements"] == 5
    assert facts_at(status_at, TUESDAY + NOON, BMP_FIRST_NIGHT_DAYS="1")["expects"]["next_run_announcements"] == 1


def test_a_quiet_night_of_the_weekend_was_normal(db: Path, status_at: Status) -> None:
    sunday = TUESDAY - 2 * DAY
    add_run(db, sunday - DAY, "complete", new=5)
    add_run(db, sunday, "quiet")
    assert facts_at(status_at, sunday + NOON)["last_run_zero"] == {
        "zero_is_normal": True,
        "announcements": 0,
        "why": "Friday and Saturday nights have no announcement, so zero is normal",
    }
    assert "last zero   Friday and Saturday nights" in status_at(sunday + NOON).stdout


def test_a_quiet_night_after_an_announcement_was_not_normal(db: Path, status_at: Status) -> None:
    add_run(db, TUESDAY - DAY, "complete", new=5)
    add_run(db, TUESDAY, "quiet")
    zero = facts_at(status_at, TUESDAY + NOON)["last_run_zero"]
    assert (zero["zero_is_normal"], zero["announcements"]) == (False, 1)
    assert "so zero is not normal" in zero["why"]


def test_a_quiet_retry_after_a_partial_night_that_took_the_papers_was_normal(db: Path, status_at: Status) -> None:
    add_run(db, TUESDAY - DAY, "complete", new=5)
    add_run(db, TUESDAY, "partial", new=4)
    add_run(db, TUESDAY + timedelta(hours=1), "quiet")
    assert facts_at(status_at, TUESDAY + NOON)["last_run_zero"]["zero_is_normal"]


def test_a_quiet_retry_after_a_failed_night_was_not_normal(db: Path, status_at: Status) -> None:
    add_run(db, TUESDAY - DAY, "complete", new=5)
    add_run(db, TUESDAY, "failed")
    add_run(db, TUESDAY + timedelta(hours=1), "quiet")
    assert not facts_at(status_at, TUESDAY + NOON)["last_run_zero"]["zero_is_normal"]


def test_a_night_that_found_something_has_no_zero_to_explain(db: Path, status_at: Status) -> None:
    add_run(db, TUESDAY, "complete", new=5)
    assert facts_at(status_at, TUESDAY + NOON)["last_run_zero"] is None
    assert "last zero" not in status_at(TUESDAY + NOON).stdout


def test_a_good_night_is_overdue_after_36_hours(db: Path, status_at: Status) -> None:
    add_run(db, TUESDAY, "quiet")
    add_run(db, TUESDAY + DAY, "partial", new=1)
    limit = TUESDAY + timedelta(hours=36)
    assert facts_at(status_at, limit)["overdue"] is False
    assert status_at(limit, "--check").exit_code == 0
    late = limit + timedelta(seconds=1)
    assert facts_at(status_at, late)["overdue"] is True
    assert facts_at(status_at, late)["last_good_at"] == to_text(TUESDAY)
    shown = status_at(late, "--check")
    assert shown.exit_code == 1
    assert "warning     no night has come to a good end since 2026-11-24T06:30:00Z" in shown.stdout
    assert status_at(late).exit_code == 0


def test_other_runs_are_no_nights(db: Path, status_at: Status) -> None:
    add_run(db, TUESDAY, "complete", kind="backfill", new=5)
    assert facts_at(status_at, TUESDAY + NOON)["overdue"] is True


def test_a_failed_night_fails_the_check_before_it_is_overdue(db: Path, status_at: Status) -> None:
    add_run(db, TUESDAY - DAY, "complete", new=5)
    add_run(db, TUESDAY, "failed")
    assert not facts_at(status_at, TUESDAY + timedelta(hours=1))["overdue"]
    assert status_at(TUESDAY + timedelta(hours=1), "--check").exit_code == 1
    assert (
        json.loads(status_at(TUESDAY + timedelta(hours=1), "--check", "--json").stdout)["last_run"]["status"]
        == "failed"
    )


def test_a_failed_night_is_told_as_what_the_check_fails_for(db: Path, status_at: Status) -> None:
    add_run(db, TUESDAY - DAY, "complete", new=5)
    add_run(db, TUESDAY, "failed", error="oaipmh.arxiv.org: answered 503")
    shown = status_at(TUESDAY + timedelta(hours=1), "--check").stdout
    assert "attention   the last night failed: oaipmh.arxiv.org: answered 503; bmp runs show 2\n" in shown
    assert "warning" not in shown


def test_a_night_that_was_stopped_passes_the_check_until_a_good_one_is_overdue(db: Path, status_at: Status) -> None:
    add_run(db, TUESDAY - DAY, "complete", new=5)
    add_run(db, TUESDAY, "failed", error="stopped before the end; the next run goes on from here")
    shown = status_at(TUESDAY + timedelta(hours=1), "--check")
    assert shown.exit_code == 0
    assert "attention" not in shown.stdout
    assert status_at(TUESDAY + timedelta(hours=13), "--check").exit_code == 1


def test_a_night_that_was_stopped_after_something_went_wrong_fails_the_check(db: Path, status_at: Status) -> None:
    add_run(db, TUESDAY - DAY, "complete", new=5)
    add_run(db, TUESDAY, "failed", error="answered 503; stopped before the end; the next run goes on from here")
    assert status_at(TUESDAY + timedelta(hours=1), "--check").exit_code == 1


def test_the_command_line_warns_and_fails_the_check_where_no_night_ever_ran(bmp: Bmp) -> None:
    bmp("init")
    shown = bmp("status", "--check")
    assert shown.code == 1
    assert "warning     no night has come to a good end yet: bmp nightly" in shown.out
    assert bmp("status").code == 0
    assert bmp("status", "--json").json["overdue"] is True


def test_the_command_line_passes_the_check_after_a_good_night(bmp: Bmp, tmp_path: Path) -> None:
    add_run(tmp_path / "bmp.db", now_utc(), "complete", new=1)
    checked = bmp("status", "--check", "--json")
    assert checked.code == 0
    assert checked.json["overdue"] is False
    assert from_text(checked.json["next_run"]) > now_utc()


def test_a_row_that_a_clock_ahead_left_hides_nothing(db: Path, status_at: Status) -> None:
    add_run(db, TUESDAY + 400 * DAY, "complete", new=5)
    facts = facts_at(status_at, TUESDAY)
    assert (facts["overdue"], facts["last_good_at"]) == (True, None)
    add_run(db, TUESDAY, "quiet")
    assert not facts_at(status_at, TUESDAY + NOON)["overdue"]


def test_a_night_of_fewer_categories_is_no_night_of_all(db: Path, status_at: Status) -> None:
    add_run(db, TUESDAY, "complete", new=5, categories=["cs.DB"])
    assert facts_at(status_at, TUESDAY + NOON)["overdue"]
    add_run(db, TUESDAY, "complete", new=5, categories=["cs.DB", *DEFAULT_CATEGORIES])
    assert not facts_at(status_at, TUESDAY + NOON)["overdue"]


def test_the_note_of_the_last_night_is_told(db: Path, status_at: Status) -> None:
    add_run(db, TUESDAY, "complete", new=5, note="no cross-check has come through")
    assert "last note   no cross-check has come through" in status_at(TUESDAY + NOON).stdout


def test_a_night_that_was_killed_fails_the_check_and_one_at_work_does_not(db: Path, status_at: Status) -> None:
    add_run(db, TUESDAY - DAY, "complete", new=5)
    add_run(db, TUESDAY, "running")
    with night_lock(db):
        assert status_at(TUESDAY + NOON, "--check").exit_code == 0
    checked = status_at(TUESDAY + NOON, "--check")
    assert checked.exit_code == 1
    assert "attention   the last night was killed before its end" in checked.stdout


def test_a_failure_is_not_hidden_by_a_night_of_other_categories_or_one_that_was_stopped(
    db: Path, status_at: Status
) -> None:
    add_run(db, TUESDAY - DAY, "complete", new=5)
    add_run(db, TUESDAY, "failed", error="answered 503")
    add_run(db, TUESDAY, "quiet", categories=["cs.DB"])
    add_run(db, TUESDAY, "partial", error="stopped before the end; the next run goes on from here")
    checked = status_at(TUESDAY + NOON, "--check")
    assert checked.exit_code == 1
    assert "attention   the last night of all categories that ran to its end failed; bmp runs show 2" in checked.stdout
    add_run(db, TUESDAY, "quiet")
    assert status_at(TUESDAY + NOON, "--check").exit_code == 0
