"""arXiv's calendar: when it announces papers, when their metadata follow, and when a night without any is normal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from zoneinfo import ZoneInfo

ZONE = "America/New_York"  # arXiv's clock, summer time included
ANNOUNCED = time(20, 0)  # https://info.arxiv.org/help/availability.html
METADATA = time(22, 30)  # "typically around 10:30pm ET": https://info.arxiv.org/help/oa/index.html

_MONDAY, _THURSDAY, _FRIDAY, _SATURDAY, _SUNDAY = 0, 3, 4, 5, 6
_ONE_DAY = timedelta(days=1)
_LISTED = {
    2026: ("01-01", "01-19", "06-19", "07-03", "09-07", "11-26", "12-25", "12-29", "12-31"),
}


@dataclass(frozen=True, slots=True)
class Announcement:
    """One evening on which arXiv makes papers public; moments in UTC.

    Attributes:
        day: the day of that evening on arXiv's own clock.
        at: when it is made.
        metadata_at: about when OAI-PMH has its papers, and a harvest can find them.
    """

    day: date
    at: datetime
    metadata_at: datetime


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a run can find: the announcements since the run before it, and a sentence for what zero papers mean."""

    announcements: tuple[Announcement, ...]
    why: str

    @property
    def zero_is_normal(self) -> bool:
        """Tell whether it is no sign of a fault if nothing new comes."""
        return not self.announcements


def list_holidays(year: int) -> frozenset[date]:
    """Return the days of a year on whose evening arXiv announces nothing.

    Those of 2026 are as arXiv lists them, with 12-29, which no rule gives. Those of other years are by rule: New Year's
    Day, Martin Luther King day, Juneteenth, Independence Day (the Friday or Monday where it is on a weekend), Labor
    Day, Thanksgiving, Christmas, New Year's Eve. Days that arXiv adds out of turn are told on https://status.arxiv.org.

    A day is taken at its word: a holiday on a Friday takes no announcement away, not even the one of Sunday.
    """
    if year in _LISTED:
        return frozenset(date.fromisoformat(f"{year}-{day}") for day in _LISTED[year])
    return frozenset(
        (
            date(year, 1, 1),
            _nth_weekday(year, 1, _MONDAY, 3),
            date(year, 6, 19),
            _observed(date(year, 7, 4)),
            _nth_weekday(year, 9, _MONDAY, 1),
            _nth_weekday(year, 11, _THURSDAY, 4),
            date(year, 12, 25),
            date(year, 12, 31),
        )
    )


def list_announcements(after: datetime, until: datetime, holidays: Collection[date] = ()) -> list[Announcement]:
    """Return the announcements whose metadata came after `after` and not after `until`, oldest first.

    Args:
        after: an aware moment, such as the start of the last good run.
        until: an aware moment, such as the start of a run.
        holidays: days to add to those of `list_holidays`.
    """
    return [_announcement(day) for day in _evenings(after, until) if _why_silent(day, holidays) is None]


def next_announcement(now: datetime, holidays: Collection[date] = ()) -> Announcement:
    """Return the first announcement that is made after `now`."""
    return _first(lambda one: one.at > now, now, holidays)


def next_metadata(now: datetime, holidays: Collection[date] = ()) -> Announcement:
    """Return the first announcement whose metadata come after `now`; it may have been made already."""
    return _first(lambda one: one.metadata_at > now, now, holidays)


def expect(after: datetime, until: datetime, holidays: Collection[date] = ()) -> Expectation:
    """Return what a run that starts at `until` can find if the last good one started at `after`.

    Args:
        holidays: days to add to those of `list_holidays`.
    """
    announcements = tuple(list_announcements(after, until, holidays))
    if announcements:
        return Expectation(announcements, _explain_announcements(announcements))
    return Expectation((), f"{_explain_silence(after, until, holidays)}, so zero is normal")


def _evenings(after: datetime, until: datetime) -> Iterator[date]:
    """Give the days whose evening's metadata came, or would have come, in the span."""
    for day in _days_from(after):
        metadata_at = _announcement(day).metadata_at
        if metadata_at > until:
            return
        if metadata_at > after:
            yield day


def _first(wanted: Callable[[Announcement], bool], now: datetime, holidays: Collection[date]) -> Announcement:
    loud = (_announcement(day) for day in _days_from(now) if _why_silent(day, holidays) is None)
    return next(one for one in loud if wanted(one))


def _days_from(moment: datetime) -> Iterator[date]:
    """Give arXiv's days from that of `moment` on, without end."""
    first = moment.astimezone(ZoneInfo(ZONE)).date()
    return (first + number * _ONE_DAY for number in count())


def _announcement(day: date) -> Announcement:
    return Announcement(day, _in_utc(day, ANNOUNCED), _in_utc(day, METADATA))


def _in_utc(day: date, clock_time: time) -> datetime:
    return datetime.combine(day, clock_time, ZoneInfo(ZONE)).astimezone(UTC)


def _why_silent(day: date, holidays: Collection[date]) -> str | None:
    """Return why there is no announcement on a day's evening, or None where there is one."""
    if day.weekday() in (_FRIDAY, _SATURDAY):
        return "Friday and Saturday nights have no announcement"
    if day in holidays or day in list_holidays(day.year):
        return f"{day} is a holiday of arXiv"
    return None


def _explain_announcements(announcements: tuple[Announcement, ...]) -> str:
    last = announcements[-1]
    which = f"{last.day}, the last of {len(announcements)}," if len(announcements) > 1 else f"{last.day}"
    came = f"has its metadata about {_said(last.metadata_at)} UTC"
    return f"arXiv's announcement of {which} {came}, so zero is not normal"


def _explain_silence(after: datetime, until: datetime, holidays: Collection[date]) -> str:
    reasons = dict.fromkeys(reason for day in _evenings(after, until) if (reason := _why_silent(day, holidays)))
    return "; ".join(reasons) or f"no metadata are due between {_said(after)} and {_said(until)} UTC"


def _said(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def _nth_weekday(year: int, month: int, weekday: int, number: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (number - 1))


def _observed(day: date) -> date:
    """Return the working day on which a holiday is kept in the United States."""
    return day + {_SATURDAY: -_ONE_DAY, _SUNDAY: _ONE_DAY}.get(day.weekday(), timedelta())
