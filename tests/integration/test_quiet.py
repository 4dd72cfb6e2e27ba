"""A night that found nothing says whether that was normal, and an answer that is days old is none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from fakes import oai_source, run_night
from loopback.papers import make_papers
from loopback.server import ArxivServer

from crawler.nightly import Outcome
from crawler.zero import judge_zero
from curation.digest.facts import gather_digest
from db.store import Store

FRIDAY = date(2026, 11, 20)


@pytest.fixture
def server() -> Iterator[ArxivServer]:
    with ArxivServer(make_papers(5, day=FRIDAY, categories=["cs.LG"]), today=FRIDAY) as running:
        yield running


def night(store: Store, server: ArxivServer, day: date) -> Outcome:
    server.today = day
    clock = morning(day)
    return run_night(
        store,
        oai_source(server.oai_url, clock=lambda: clock),
        clock=lambda: clock,
        judge_zero=lambda run: judge_zero(store, run, holidays=(), first_night_days=7),
    )


def morning(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 6, 30, tzinfo=UTC)


def test_a_weekend_is_quiet_and_normal(store: Store, server: ArxivServer) -> None:
    night(store, server, FRIDAY)
    for day in (FRIDAY + timedelta(days=1), FRIDAY + timedelta(days=2)):
        run = night(store, server, day).run
        assert (run["status"], run["note"]) == ("quiet", None)


def test_a_quiet_monday_says_that_something_was_announced(store: Store, server: ArxivServer) -> None:
    night(store, server, FRIDAY)
    run = night(store, server, FRIDAY + timedelta(days=3)).run
    assert run["status"] == "quiet"
    assert "announcement of 2026-11-22" in run["note"]
    assert "zero is not normal" in run["note"]


def test_the_digest_tells_of_it_among_what_went_wrong(store: Store, server: ArxivServer) -> None:
    night(store, server, FRIDAY)
    night(store, server, FRIDAY + timedelta(days=3))
    digest = gather_digest(store, since=morning(FRIDAY), now=morning(FRIDAY + timedelta(days=4)))
    assert digest.has_news
    assert [run.status for run in digest.went_wrong] == ["quiet"]


def test_a_second_night_of_the_same_day_is_quiet_and_normal(store: Store, server: ArxivServer) -> None:
    night(store, server, FRIDAY)
    assert night(store, server, FRIDAY).run["note"] is None


@pytest.mark.parametrize(("days", "status"), [(0, "complete"), (1, "complete"), (2, "partial"), (3, "partial")])
def test_a_list_that_is_days_old_by_our_clock_is_not_whole(
    store: Store, server: ArxivServer, days: int, status: str
) -> None:
    clock = morning(FRIDAY)
    server.clock_offset = -timedelta(days=days)
    server.put(*make_papers(3, day=FRIDAY - timedelta(days=5), categories=["cs.LG"]))
    run = run_night(store, oai_source(server.oai_url, clock=lambda: clock), clock=lambda: clock).run
    assert run["status"] == status
    server.clock_offset = timedelta()
    run = run_night(store, oai_source(server.oai_url, clock=lambda: clock), clock=lambda: clock).run
    assert run["error"] is None
    assert store.value("SELECT count(*) FROM papers") == 8


def test_an_empty_list_that_is_days_old_is_no_quiet_night(store: Store, server: ArxivServer) -> None:
    night(store, server, FRIDAY)
    server.clock_offset = -timedelta(days=3)
    clock = morning(FRIDAY + timedelta(days=6))
    server.today = FRIDAY + timedelta(days=6)
    server.papers.clear()
    run = run_night(store, oai_source(server.oai_url, clock=lambda: clock), clock=lambda: clock).run
    assert run["status"] == "failed"
    assert "compare the clocks" in run["error"]
