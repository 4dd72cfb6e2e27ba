"""Growth: how some of the papers came over time, beside all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta

from db.proposals import Growth

YEAR = timedelta(days=365)
ONE_MORE = 0.5  # added to each count, so that none is a division by zero and few say little


class Calendar:
    """The days on which all papers at hand were first published; the newest one is the day that is counted back from.

    So growth is a function of the papers, and no clock is asked.
    """

    def __init__(self, days: Sequence[str]) -> None:
        """Take the days, as `2026-11-24`; at least one."""
        self._newest = date.fromisoformat(max(days))
        self._pace = self._ratio(*self._count_years(days))

    def tell(self, days: Sequence[str]) -> Growth:
        """Return the growth of papers published on these days, at least one of which is given."""
        last, before = self._count_years(days)
        relative = self._ratio(last, before) / self._pace
        return Growth(self._count_quarters(days), last, before, round(relative, 6))

    def _count_years(self, days: Sequence[str]) -> tuple[int, int]:
        """Return the papers of the last 365 days and of the 365 before those."""
        last = (self._newest - YEAR).isoformat()
        before = (self._newest - 2 * YEAR).isoformat()
        return sum(day > last for day in days), sum(before < day <= last for day in days)

    @staticmethod
    def _ratio(last: int, before: int) -> float:
        return (last + ONE_MORE) / (before + ONE_MORE)

    def _count_quarters(self, days: Sequence[str]) -> tuple[tuple[str, int], ...]:
        counts = Counter(_quarter_of(date.fromisoformat(day)) for day in days)
        year, quarter = min(counts)
        found = []
        while (year, quarter) <= _quarter_of(self._newest):
            found.append((f"{year}Q{quarter}", counts[year, quarter]))
            year, quarter = (year, quarter + 1) if quarter < 4 else (year + 1, 1)
        return tuple(found)


def _quarter_of(day: date) -> tuple[int, int]:
    return day.year, (day.month + 2) // 3
