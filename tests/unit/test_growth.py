"""Growth: quarters without a gap, years that end with the newest paper, and the pace of all papers taken away."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.growth import Calendar

DAYS = st.dates(date(2021, 1, 1), date(2026, 11, 24)).map(date.isoformat)


def test_quarters_run_without_a_gap_to_the_newest_paper_of_all() -> None:
    growth = Calendar(["2025-12-31", "2026-11-24"]).tell(["2025-12-31", "2026-04-01"])
    assert growth.quarters == (("2025Q4", 1), ("2026Q1", 0), ("2026Q2", 1), ("2026Q3", 0), ("2026Q4", 0))


def test_years_are_counted_back_from_the_newest_paper_of_all() -> None:
    newest = date(2026, 11, 24)
    days = [(newest - timedelta(days=back)).isoformat() for back in (0, 364, 365, 729, 730)]
    growth = Calendar([*days, "2020-01-01"]).tell(days)
    assert (growth.last_year, growth.year_before) == (2, 2)


def test_what_comes_at_the_pace_of_all_papers_has_not_grown() -> None:
    days = [f"{year}-06-15" for year in (2024, 2025, 2025, 2026, 2026, 2026, 2026)]
    assert Calendar(days).tell(days).relative == 1
    assert Calendar(days).tell(["2025-06-15"] * 4).relative < 1
    assert Calendar(days).tell(["2026-06-15"] * 4).relative == pytest.approx(9 / (4.5 / 2.5))


@given(st.lists(DAYS, min_size=1, max_size=60))
def test_every_paper_stands_in_one_quarter(days: list[str]) -> None:
    growth = Calendar([*days, "2026-11-24"]).tell(days)
    assert sum(papers for _, papers in growth.quarters) == len(days)
    names = [name for name, _ in growth.quarters]
    assert names == sorted(set(names))
    assert names[-1] == "2026Q4"
    assert growth.last_year + growth.year_before <= len(days)
