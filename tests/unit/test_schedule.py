"""When a night is due, as the ledger tells it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.schedule import is_due
from crawler.slots import latest_slot, next_slot
from db.times import to_text

AT = "06:30"
SLOT = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def run(started_at: datetime, status: str, **more: Any) -> dict[str, Any]:
    """Return a ledger row."""
    return {"started_at": to_text(started_at), "status": status, **more}


@pytest.mark.parametrize(
    ("now", "latest"),
    [
        (SLOT - timedelta(seconds=1), SLOT - DAY),
        (SLOT, SLOT),
        (SLOT + timedelta(hours=23, minutes=59), SLOT),
    ],
)
def test_the_latest_slot_is_not_after_now_and_the_next_one_a_day_later(now: datetime, latest: datetime) -> None:
    assert latest_slot(now, AT) == latest
    assert next_slot(now, AT) == latest + DAY


def test_slots_are_in_utc_whatever_clock_the_moment_is_told_by() -> None:
    berlin = datetime.fromisoformat("2026-11-24T07:15:00+01:00")  # 06:15 UTC
    assert latest_slot(berlin, AT) == SLOT - DAY


@given(st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)), st.times())
def test_a_slot_is_always_within_a_day_of_now(now: datetime, of_day: Any) -> None:
    at = f"{of_day:%H:%M}"
    assert timedelta() <= now - latest_slot(now, at) < DAY
    assert timedelta() < next_slot(now, at) - now <= DAY


@pytest.mark.parametrize("changed", [datetime(2026, 11, 1, tzinfo=UTC), datetime(2027, 3, 14, tzinfo=UTC)])
def test_slots_stay_a_day_apart_when_clocks_change(changed: datetime) -> None:
    slots = [next_slot(changed + number * DAY, AT) for number in range(-2, 3)]
    assert {later - earlier for earlier, later in pairwise(slots)} == {DAY}


@pytest.mark.parametrize("status", ["complete", "quiet"])
def test_a_night_with_a_good_end_is_the_only_one_of_its_slot(status: str) -> None:
    runs = [run(SLOT, status)]
    assert not is_due(runs, SLOT + MINUTE, AT)
    assert not is_due(runs, SLOT + DAY - MINUTE, AT)
    assert is_due(runs, SLOT + DAY, AT)


def test_a_night_is_due_where_none_ever_ran() -> None:
    assert is_due([], SLOT, AT)


def test_a_night_that_was_missed_is_due_after_the_downtime() -> None:
    assert is_due([run(SLOT - 3 * DAY, "complete")], SLOT + 9 * HOUR, AT)


def test_a_night_before_the_slot_does_not_stand_for_it() -> None:
    assert is_due([run(SLOT - MINUTE, "complete")], SLOT, AT)


@pytest.mark.parametrize("status", ["failed", "partial", "running"])
def test_a_night_without_a_good_end_is_tried_again_after_an_hour(status: str) -> None:
    """A row that says `running` may be that of a killed process; if it is alive, the night's lock says so."""
    runs = [run(SLOT, status)]
    assert not is_due(runs, SLOT + HOUR - MINUTE, AT)
    assert is_due(runs, SLOT + HOUR, AT)


def test_a_retry_that_ends_well_ends_the_retries() -> None:
    assert not is_due([run(SLOT + HOUR, "complete"), run(SLOT, "failed")], SLOT + 3 * HOUR, AT)


def test_there_are_three_retries_and_then_the_next_slot() -> None:
    now, runs = SLOT, []
    while now < SLOT + DAY:
        if is_due(runs, now, AT):
            runs.insert(0, run(now, "failed"))
        now += 5 * MINUTE
    assert [one["started_at"] for one in reversed(runs)] == [to_text(SLOT + number * HOUR) for number in range(4)]
    assert is_due(runs, now, AT)


@pytest.mark.parametrize("refused", [1, True])
def test_a_refused_night_is_the_last_of_its_slot(refused: object) -> None:
    runs = [run(SLOT, "failed", refused=refused)]
    assert not is_due(runs, SLOT + HOUR, AT)
    assert not is_due(runs, SLOT + DAY - MINUTE, AT)
    assert is_due(runs, SLOT + DAY, AT)


def test_a_refused_retry_is_the_last_too() -> None:
    runs = [run(SLOT + HOUR, "partial", refused=True), run(SLOT, "failed", refused=False)]
    assert not is_due(runs, SLOT + 3 * HOUR, AT)
