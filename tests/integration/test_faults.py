"""Every fault that the stand-in of arXiv can play: how the night ends, and that the next ones lose nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from fakes import CATEGORIES, FakeTime, make_client, oai_source, run_night
from loopback import faults
from loopback.papers import make_papers
from loopback.server import ArxivServer

from crawler.sources.oai import OaiSource
from db.store import Store

# (fault, the night's states when it is played from the first page on, on the third page once, from the third on)
FAULTS: list[tuple[faults.Fault, str, str, str]] = [
    (faults.Unavailable(), "failed", "complete", "partial"),
    (faults.Unavailable(2), "failed", "complete", "partial"),
    (faults.Unavailable(datetime(2026, 11, 24, 7, tzinfo=UTC)), "failed", "partial", "partial"),
    (faults.Unavailable(86_400), "failed", "partial", "partial"),
    (faults.Unavailable("soon"), "failed", "complete", "partial"),
    (faults.TooMany(), "failed", "complete", "partial"),
    (faults.TooMany(86_400), "failed", "partial", "partial"),
    (faults.Forbidden(), "failed", "partial", "partial"),
    (faults.ServerError(), "failed", "complete", "partial"),
    (faults.ServerError(502), "failed", "complete", "partial"),
    (faults.ServerError(404), "failed", "partial", "partial"),
    (faults.Reset(), "failed", "complete", "partial"),
    (faults.Hang(30), "failed", "complete", "partial"),
    (faults.Drip(500), "failed", "complete", "partial"),
    (faults.HtmlPage(), "failed", "complete", "partial"),
    (faults.PlainText(), "failed", "complete", "partial"),
    (faults.EmptyBody(), "failed", "complete", "partial"),
    (faults.WrongRoot(), "failed", "complete", "partial"),
    (faults.Truncated(), "failed", "complete", "partial"),
    (faults.Truncated(0.99), "failed", "complete", "partial"),
    (faults.EntityBomb(), "failed", "complete", "partial"),
    (faults.ExternalEntity(), "failed", "complete", "partial"),
    (faults.IllegalControlCharacter(), "failed", "complete", "partial"),
    (faults.MalformedRecord("missing_title"), "partial", "partial", "partial"),
    (faults.MalformedRecord("bad_date"), "partial", "partial", "partial"),
    (faults.MalformedRecord("no_id"), "partial", "partial", "partial"),
    (faults.RepeatedToken(), "partial", "partial", "partial"),
    (faults.EndlessTokens(), "partial", "complete", "partial"),
    (faults.BadToken(), "partial", "complete", "partial"),
    (faults.MovedBetweenPages(1), "complete", "complete", "complete"),
    (faults.StaleNoRecords(), "quiet", "complete", "complete"),
]
FIRST = date(2026, 11, 22)


def identify(fault: object) -> str:
    return repr(fault) if not isinstance(fault, str) else fault


@pytest.fixture(autouse=True)
def without_syncing(store: Store) -> None:
    """Nothing here pulls the plug, and waiting for the disk is most of the time of these tests."""
    store.connection.execute("PRAGMA synchronous = OFF")


def source(server: ArxivServer) -> OaiSource:
    clock = server.now + timedelta(hours=3)
    client = make_client(FakeTime(), max_wait=5.0, read_timeout=0.5)
    return oai_source(server.oai_url, client=client, clock=lambda: clock)


def wanted(server: ArxivServer) -> set[str]:
    return {key for key, paper in server.papers.items() if not set(CATEGORIES).isdisjoint(paper.categories)}


def stored(store: Store) -> set[str]:
    return {row["arxiv_id"] for row in store.rows("SELECT arxiv_id FROM papers")}


def play_and_recover(store: Store, plan: Callable[[ArxivServer], None]) -> str:
    """Run a night with the fault and, once the endpoint is well, one of the next day; return the first one's state."""
    with ArxivServer(make_papers(44, day=FIRST, days=2), page_size=12) as server:
        plan(server)
        run = run_night(store, source(server)).run
        assert (run["error"] is None) == (run["status"] in ("complete", "quiet"))
        assert stored(store) <= wanted(server)
        assert server.max_concurrent == 1
        server._planned.clear()
        server.today += timedelta(days=1)
        server.put(*make_papers(5, day=server.today, categories=["cs.LG"]))
        next_run = run_night(store, source(server)).run
        assert (next_run["status"], next_run["error"]) == ("complete", None)
        assert stored(store) == wanted(server)
    return str(run["status"])


def is_page_three(number: int, path: str, query: str) -> bool:
    return number >= 3


@pytest.mark.parametrize(("fault", "state"), [(row[0], row[1]) for row in FAULTS], ids=identify)
def test_a_fault_from_the_first_page_on(store: Store, fault: faults.Fault, state: str) -> None:
    assert play_and_recover(store, lambda server: server.play(fault, on=1, times=None)) == state


@pytest.mark.parametrize(("fault", "state"), [(row[0], row[2]) for row in FAULTS], ids=identify)
def test_a_fault_that_passes_on_the_third_page(store: Store, fault: faults.Fault, state: str) -> None:
    assert play_and_recover(store, lambda server: server.play(fault, on=3)) == state


@pytest.mark.parametrize(("fault", "state"), [(row[0], row[3]) for row in FAULTS], ids=identify)
def test_a_fault_from_the_third_page_on(store: Store, fault: faults.Fault, state: str) -> None:
    assert play_and_recover(store, lambda server: server.play(fault, on=3, times=None)) == state


def test_a_refusal_in_the_middle_is_followed_by_no_request(store: Store) -> None:
    with ArxivServer(make_papers(44, day=FIRST, days=2), page_size=12) as server:
        server.play(faults.Forbidden(), on=3, times=None)
        run_night(store, source(server))
        assert len(server.log) == 3


def test_a_body_beyond_the_cap_is_a_fault_like_others(store: Store) -> None:
    def plan(server: ArxivServer) -> None:
        server.play(faults.Oversized(65 * 2**20), on=3)

    assert play_and_recover(store, plan) == "complete"


def test_a_day_in_which_everything_goes_wrong_once_still_ends_well(store: Store) -> None:
    with ArxivServer(make_papers(44, day=FIRST, days=2), page_size=12) as server:
        for fault, _, state, _ in FAULTS:
            if state == "complete" and not isinstance(fault, faults.StaleNoRecords | faults.MovedBetweenPages):
                server.play(fault, on=lambda number, path, query: number % 2 == 0)
        clock = server.now + timedelta(hours=3)
        client = make_client(FakeTime(), max_wait=10_000, read_timeout=0.3)
        run = run_night(store, oai_source(server.oai_url, client=client, clock=lambda: clock)).run
        assert (run["status"], run["error"]) == ("complete", None)
        assert stored(store) == wanted(server)
