"""arXiv's calendar: its evenings, its holidays, its clock, and what a night without papers means."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crawler.announcements import (
    ZONE,
    expect,
    list_announcements,
    list_holidays,
    next_announcement,
    next_metadata,
)

MOMENTS = st.datetimes(datetime(2025, 12, 1), datetime(2029, 2, 1), timezones=st.just(UTC))
DAYS = st.frozensets(st.dates(date(2025, 12, 1), date(2029, 2, 1)), max_size=5)


def at(text: str) -> datetime:
    """Read a moment in UTC such as `2026-11-24 06:30`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def days_between(after: str, until: str, *holidays: date) -> list[str]:
    """Return the days of the announcements that a run at `until` finds after one at `after`."""
    return [f"{one.day:%a %d}" for one in list_announcements(at(after), at(until), holidays)]


def test_a_week_has_five_announcements_and_the_weekend_none() -> None:
    assert days_between("2026-11-16 06:30", "2026-11-23 06:30") == ["Mon 16", "Tue 17", "Wed 18", "Thu 19", "Sun 22"]


def test_a_holiday_has_no_announcement() -> None:
    assert days_between("2026-11-25 06:30", "2026-11-30 06:30") == ["Wed 25", "Sun 29"]


def test_a_holiday_on_a_friday_leaves_the_sunday_alone() -> None:
    assert days_between("2026-07-02 06:30", "2026-07-06 06:30") == ["Thu 02", "Sun 05"]


def test_days_of_the_users_own_have_no_announcement_either() -> None:
    assert days_between("2026-11-17 06:30", "2026-11-20 06:30", date(2026, 11, 18)) == ["Tue 17", "Thu 19"]


def test_the_span_is_open_at_its_start_and_closed_at_its_end() -> None:
    came = "2026-11-24 03:30"
    assert days_between("2026-11-24 03:29", came) == ["Mon 23"]
    assert days_between(came, "2026-11-24 06:30") == []


@pytest.mark.parametrize(
    ("day", "announced", "metadata"),
    [
        ("2026-10-29", "2026-10-30 00:00", "2026-10-30 02:30"),  # the last one before winter time
        ("2026-11-01", "2026-11-02 01:00", "2026-11-02 03:30"),  # on the evening after the change
        ("2027-03-11", "2027-03-12 01:00", "2027-03-12 03:30"),  # the last one before summer time
        ("2027-03-14", "2027-03-15 00:00", "2027-03-15 02:30"),
    ],
)
def test_utc_follows_the_change_of_arxivs_clock(day: str, announced: str, metadata: str) -> None:
    found = next_announcement(at(f"{day} 12:00"))
    assert (found.day, found.at, found.metadata_at) == (date.fromisoformat(day), at(announced), at(metadata))


def test_between_an_announcement_and_its_metadata_the_next_of_each_differ() -> None:
    now = at("2026-11-24 02:00")
    assert next_announcement(now).at == at("2026-11-25 01:00")
    assert next_metadata(now).metadata_at == at("2026-11-24 03:30")


def test_the_next_announcement_lies_beyond_thanksgiving_and_its_weekend() -> None:
    assert next_announcement(at("2026-11-26 01:00")).at == at("2026-11-30 01:00")


def test_the_holidays_of_2026_are_the_listed_ones() -> None:
    listed = "01-01 01-19 06-19 07-03 09-07 11-26 12-25 12-29 12-31"
    assert sorted(list_holidays(2026)) == [date.fromisoformat(f"2026-{day}") for day in listed.split()]


@pytest.mark.parametrize(
    ("year", "days"),
    [
        (2027, "01-01 01-18 06-19 07-05 09-06 11-25 12-25 12-31"),  # the fourth of July is a Sunday
        (2028, "01-01 01-17 06-19 07-04 09-04 11-23 12-25 12-31"),
        (2032, "01-01 01-19 06-19 07-05 09-06 11-25 12-25 12-31"),
        (2037, "01-01 01-19 06-19 07-03 09-07 11-26 12-25 12-31"),  # the fourth of July is a Saturday
    ],
)
def test_the_holidays_of_other_years_come_by_rule(year: int, days: str) -> None:
    assert sorted(list_holidays(year)) == [date.fromisoformat(f"{year}-{day}") for day in days.split()]


@pytest.mark.parametrize(
    ("after", "until", "count", "why"),
    [
        (
            "2026-11-21 06:30",
            "2026-11-22 06:30",
            0,
            "Friday and Saturday nights have no announcement, so zero is normal",
        ),
        ("2026-11-26 06:30", "2026-11-27 06:30", 0, "2026-11-26 is a holiday of arXiv, so zero is normal"),
        (
            "2026-11-26 06:30",
            "2026-11-28 06:30",
            0,
            "2026-11-26 is a holiday of arXiv; Friday and Saturday nights have no announcement, so zero is normal",
        ),
        (
            "2026-11-24 06:30",
            "2026-11-24 12:00",
            0,
            "no metadata are due between 2026-11-24 06:30 and 2026-11-24 12:00 UTC, so zero is normal",
        ),
        (
            "2026-11-23 06:30",
            "2026-11-24 06:30",
            1,
            "arXiv's announcement of 2026-11-23 has its metadata about 2026-11-24 03:30 UTC, so zero is not normal",
        ),
        (
            "2026-11-22 06:30",
            "2026-11-24 06:30",
            2,
            "arXiv's announcement of 2026-11-23, the last of 2, has its metadata about 2026-11-24 03:30 UTC,"
            " so zero is not normal",
        ),
    ],
)
def test_an_expectation_says_why_zero_is_or_is_not_normal(after: str, until: str, count: int, why: str) -> None:
    expected = expect(at(after), at(until))
    assert (len(expected.announcements), expected.zero_is_normal, expected.why) == (count, count == 0, why)


def test_a_day_of_the_users_own_is_named_as_the_reason() -> None:
    expected = expect(at("2026-11-23 06:30"), at("2026-11-24 06:30"), {date(2026, 11, 23)})
    assert expected.why == "2026-11-23 is a holiday of arXiv, so zero is normal"


@given(st.tuples(MOMENTS, MOMENTS, MOMENTS).map(sorted), DAYS)
@example([at("2026-10-31 00:00"), at("2026-11-02 03:30"), at("2026-11-03 00:00")], frozenset())
@example([at("2027-03-13 00:00"), at("2027-03-15 02:30"), at("2027-03-16 00:00")], frozenset())
def test_adjoining_spans_have_the_announcements_of_their_union(
    moments: list[datetime], holidays: frozenset[date]
) -> None:
    first, middle, last = moments
    halves = list_announcements(first, middle, holidays) + list_announcements(middle, last, holidays)
    assert halves == list_announcements(first, last, holidays)


@given(MOMENTS, DAYS)
def test_every_announcement_is_made_at_eight_in_the_evening_of_a_day_that_has_one(
    after: datetime, holidays: frozenset[date]
) -> None:
    for one in list_announcements(after, after + timedelta(days=20), holidays):
        told = one.at.astimezone(ZoneInfo(ZONE))
        assert f"{told:%H:%M}" == "20:00"
        assert told.date() == one.day
        assert f"{told:%a}" not in ("Fri", "Sat")
        assert one.day not in holidays | list_holidays(one.day.year)
        assert one.metadata_at - one.at == timedelta(hours=2, minutes=30)


@given(MOMENTS, DAYS)
def test_the_next_metadata_are_the_first_that_come(now: datetime, holidays: frozenset[date]) -> None:
    found = next_metadata(now, holidays)
    assert list_announcements(now, found.metadata_at, holidays) == [found]
