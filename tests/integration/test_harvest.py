"""The nightly harvest against a server that speaks arXiv's OAI-PMH: what is kept, counted, and asked for next time."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from fakes import CATEGORIES, NOW, oai_source, run_night
from loopback import faults
from loopback.papers import MadePaper, make_papers
from loopback.server import ArxivServer

from db.runs import find_cursor
from db.store import Row, Store

TODAY = date(2026, 11, 24)


def wanted(papers: Iterable[MadePaper]) -> set[str]:
    return {paper.arxiv_id for paper in papers if not set(CATEGORIES).isdisjoint(paper.categories)}


def stored(store: Store) -> set[str]:
    return {row["arxiv_id"] for row in store.rows("SELECT arxiv_id FROM papers")}


def in_set(papers: Iterable[MadePaper], archive: str) -> int:
    return sum(any(name.startswith(f"{archive}.") for name in paper.categories) for paper in papers)


def night(store: Store, server: ArxivServer, **options: object) -> Row:
    """Run a night against the server as it is now; the machine's clock agrees with the server's."""
    clock = server.now + timedelta(hours=3)
    run: Row = run_night(store, oai_source(server.oai_url, clock=lambda: clock), clock=lambda: clock, **options).run  # type: ignore[arg-type]
    return run


def asked_from(server: ArxivServer, archive: str) -> list[str]:
    queries = [parse_qs(entry.query) for entry in server.log]
    return [query["from"][0] for query in queries if query.get("set") == [archive] and "from" in query]


@pytest.fixture
def server() -> Iterator[ArxivServer]:
    # 120 papers over four days, and no page ends together with its day
    with ArxivServer(make_papers(120, day=date(2026, 11, 20), days=4), page_size=13) as running:
        yield running


@pytest.fixture(autouse=True)
def without_syncing(store: Store) -> None:
    """Nothing here pulls the plug, and waiting for the disk is most of the time of these tests."""
    store.connection.execute("PRAGMA synchronous = OFF")


# What is kept


def test_a_first_night_brings_every_paper_of_the_categories_and_no_other(store: Store, server: ArxivServer) -> None:
    run = night(store, server)
    papers = server.papers.values()
    assert stored(store) == wanted(papers)
    assert 0 < len(wanted(papers)) < len(papers)
    assert (run["status"], run["error"]) == ("complete", None)
    assert run["new"] == len(wanted(papers)) and run["changed"] == 0
    assert run["received"] == run["promised"] == in_set(papers, "cs") + in_set(papers, "stat")
    assert run["received"] > len(papers) * 0.9  # cross-lists were received twice, and are new once
    assert run["embedded"] == run["new"]
    assert server.max_concurrent == 1


def test_what_is_stored_is_what_the_server_has(store: Store, server: ArxivServer) -> None:
    night(store, server)
    rows = store.rows("SELECT p.*, r.version, r.title, r.abstract FROM papers p JOIN revisions r USING (revision_id)")
    for row in rows:
        paper = server.papers[row["arxiv_id"]]
        assert (row["title"], row["abstract"]) == (paper.title, paper.abstract)
        assert (row["version"], row["categories"]) == (paper.newest.number, " ".join(paper.categories))
        assert len(json.loads(row["authors"])) == len(paper.authors)
        assert "\\" not in row["authors"]
        assert (row["comments"], row["doi"], row["withdrawn"]) == (paper.comments, paper.doi, 0)
        assert row["datestamp"] == paper.datestamp.isoformat()


def test_a_second_night_brings_nothing_and_is_quiet(store: Store, server: ArxivServer) -> None:
    night(store, server)
    before = [tuple(row.values()) for row in store.rows("SELECT * FROM papers ORDER BY arxiv_id")]
    run = night(store, server)
    assert (run["status"], run["new"], run["changed"], run["embedded"]) == ("quiet", 0, 0, 0)
    assert run["received"] > 0
    assert [tuple(row.values()) for row in store.rows("SELECT * FROM papers ORDER BY arxiv_id")] == before


def test_a_night_without_any_record_is_quiet(store: Store) -> None:
    with ArxivServer() as empty:
        run = night(store, empty)
    assert (run["status"], run["received"], run["promised"], run["error"]) == ("quiet", 0, 0, None)
    assert find_cursor(store, "oai", "cs") == TODAY.isoformat()


def test_new_revisions_withdrawals_and_mere_touches_are_told_apart(store: Store, server: ArxivServer) -> None:
    night(store, server)
    revised, withdrawn, touched = sorted(wanted(server.papers.values()))[:3]
    server.today = TODAY + timedelta(days=1)
    at = datetime(2026, 11, 25, 1, tzinfo=UTC)
    server.put(server.papers[revised].revised(at, abstract="A new abstract."))
    server.put(server.papers[withdrawn].withdrawn(at))
    server.put(server.papers[touched].touched(at))
    run = night(store, server)
    assert (run["status"], run["new"], run["changed"], run["withdrawn"]) == ("complete", 0, 2, 1)
    assert store.value("SELECT group_concat(arxiv_id) FROM papers WHERE withdrawn") == withdrawn
    assert store.value("SELECT count(*) FROM revisions WHERE arxiv_id = ?", (revised,)) == 2


def test_a_known_paper_that_leaves_the_categories_is_kept_up_to_date(store: Store, server: ArxivServer) -> None:
    night(store, server)
    known = next(paper for paper in server.papers.values() if paper.categories == ("cs.LG",))
    at = datetime(2026, 11, 25, 1, tzinfo=UTC)
    server.today = TODAY + timedelta(days=1)
    server.put(replace(known.revised(at, title="Now about databases"), categories=("cs.DB",)))
    assert night(store, server)["changed"] == 1
    assert store.value("SELECT categories FROM papers WHERE arxiv_id = ?", (known.arxiv_id,)) == "cs.DB"


# The cursor


def test_the_next_night_asks_from_three_days_before_the_last(store: Store, server: ArxivServer) -> None:
    night(store, server)
    server.today = TODAY + timedelta(days=4)
    night(store, server)
    assert asked_from(server, "cs") == asked_from(server, "stat") == ["2026-11-17", "2026-11-21"]
    assert find_cursor(store, "oai", "cs") == "2026-11-28"


def test_the_cursor_moves_page_by_page_and_together_with_the_papers(store: Store, server: ArxivServer) -> None:
    seen: list[tuple[str | None, int]] = []

    def look(number: int, running: ArxivServer) -> None:
        # The writer is at work in another thread: a connection of its own sees what is committed.
        with sqlite3.connect(store.path) as reader:
            row = reader.execute("SELECT position FROM cursors WHERE part = 'cs'").fetchone()
            count = reader.execute("SELECT count(*) FROM papers").fetchone()[0]
        reader.close()
        seen.append((row and row[0], count))

    server.on_request = look
    night(store, server)
    days = [day for day, _ in seen]
    assert days[0] is None and days[1] == "2026-11-20" and days[-1] == "2026-11-24"
    assert sorted(days[1:], key=str) == days[1:]
    by_day = {
        day: wanted(paper for paper in server.papers.values() if paper.modified < day and in_set([paper], "cs"))
        for day in (date(2026, 11, number) for number in range(20, 25))
    }
    for day, count in seen[1:]:
        assert count >= len(by_day[date.fromisoformat(str(day))])


def test_a_page_that_fails_leaves_the_cursor_before_the_gap_and_the_next_night_fills_it(
    store: Store, server: ArxivServer
) -> None:
    server.play(faults.ServerError(), on=4, times=None)
    run = night(store, server)
    assert run["status"] == "partial" and "answered 500" in run["error"]
    assert 0 < run["received"] == 39 and run["promised"] is None
    cursor = find_cursor(store, "oai", "cs")
    missing = wanted(server.papers.values()) - stored(store)
    assert (
        missing
        and cursor
        == min(server.papers[one].datestamp for one in missing if in_set([server.papers[one]], "cs")).isoformat()
    )
    assert find_cursor(store, "oai", "stat") is None
    server._planned.clear()
    server.today = TODAY + timedelta(days=10)  # long down: the overlap alone would not reach back
    assert night(store, server)["status"] == "complete"
    assert stored(store) == wanted(server.papers.values())


def test_one_set_that_fails_does_not_keep_the_other_from_arriving(store: Store, server: ArxivServer) -> None:
    server.play(faults.HtmlPage(), on=lambda number, path, query: "set=cs" in query, times=None)
    run = night(store, server)
    assert run["status"] == "partial"
    assert stored(store) == wanted(paper for paper in server.papers.values() if in_set([paper], "stat"))
    assert find_cursor(store, "oai", "cs") is None and find_cursor(store, "oai", "stat") == "2026-11-24"


def test_a_refusal_ends_the_night_after_one_knock(store: Store, server: ArxivServer) -> None:
    server.play(faults.Forbidden(), on=1, times=None)
    run = night(store, server)
    assert (run["status"], run["received"], len(server.log)) == ("failed", 0, 1)
    assert "(403)" in run["error"]


# Malformed records


@pytest.mark.parametrize("kind", ["missing_title", "bad_date", "no_id"])
def test_a_malformed_record_holds_the_cursor_and_comes_again(store: Store, server: ArxivServer, kind: str) -> None:
    server.play(faults.MalformedRecord(kind, index=3), on=3)  # type: ignore[arg-type]
    run = night(store, server)
    assert (run["status"], run["malformed"]) == ("partial", 1)
    assert f"bmp runs show {run['run_id']}" in run["error"]
    assert len(run["malformed_records"]) == 1
    assert store.value("SELECT count(*) FROM malformed_records WHERE CAST(raw AS TEXT) LIKE '%<record%'") == 1
    missing = wanted(server.papers.values()) - stored(store)
    assert len(missing) <= 1
    assert str(find_cursor(store, "oai", "cs")) <= "2026-11-21"
    server.today = TODAY + timedelta(days=10)
    night(store, server)
    assert stored(store) == wanted(server.papers.values())
    assert find_cursor(store, "oai", "cs") == "2026-12-04"


# Tokens


def test_a_token_that_is_refused_begins_the_list_anew_and_loses_nothing(store: Store, server: ArxivServer) -> None:
    server.play(faults.BadToken(), on=4)
    run = night(store, server)
    assert (run["status"], run["error"]) == ("complete", None)
    assert stored(store) == wanted(server.papers.values())


def test_a_token_refused_in_the_middle_of_a_long_day_is_no_circle(store: Store) -> None:
    papers = make_papers(60, day=date(2026, 11, 23), categories=["cs.LG"])
    with ArxivServer(papers, page_size=10) as server:
        server.play(faults.BadToken(), on=4)
        run = night(store, server)
    assert (run["status"], run["error"]) == ("complete", None)
    assert stored(store) == wanted(papers)


@pytest.mark.parametrize("fault", [faults.RepeatedToken(), faults.EndlessTokens(), faults.BadToken()])
def test_a_list_that_never_ends_is_ended_by_us(store: Store, server: ArxivServer, fault: faults.Fault) -> None:
    server.play(fault, times=None)
    run = night(store, server)
    assert run["status"] == "partial" and re.search("circle|refused", run["error"])
    assert len(server.log) < 40
    server._planned.clear()
    night(store, server)
    assert stored(store) == wanted(server.papers.values())


@pytest.mark.parametrize("moved", [1, 3])
def test_what_moved_between_two_pages_is_brought_by_the_next_night(
    store: Store, server: ArxivServer, moved: int
) -> None:
    server.papers = {paper.arxiv_id: paper for paper in make_papers(90, day=date(2026, 11, 22), days=2)}
    server.play(faults.MovedBetweenPages(moved), on=lambda number, path, query: "ListRecords" in query, times=4)
    night(store, server)
    server._planned.clear()
    first = stored(store)
    server.today = TODAY + timedelta(days=1)
    night(store, server)
    assert stored(store) == wanted(server.papers.values())
    assert first < stored(store)  # the hazard is real: the first night did pass over some


# since


def test_since_later_than_the_cursor_leaves_the_cursor(store: Store, server: ArxivServer) -> None:
    server.today = date(2026, 11, 20)
    server_papers = dict(server.papers)
    server.papers = {key: paper for key, paper in server_papers.items() if paper.datestamp <= server.today}
    night(store, server)
    server.papers, server.today = server_papers, TODAY
    run = night(store, server, since=date(2026, 11, 23))
    assert (run["status"], run["since"]) == ("complete", "2026-11-23")
    assert find_cursor(store, "oai", "cs") == "2026-11-20"
    night(store, server)
    assert stored(store) == wanted(server_papers.values())


def test_since_earlier_than_the_cursor_does_no_harm(store: Store, server: ArxivServer) -> None:
    old = make_papers(20, day=date(2026, 9, 1), categories=["cs.LG"])
    server.put(*old)
    night(store, server)
    assert not wanted(old) & stored(store)
    run = night(store, server, since=date(2026, 8, 30))
    assert (run["new"], run["since"]) == (20, "2026-08-30")
    assert find_cursor(store, "oai", "cs") == "2026-11-24"


def test_since_earlier_and_cut_off_does_not_set_the_cursor_back(store: Store, server: ArxivServer) -> None:
    server.put(*make_papers(60, day=date(2026, 9, 1), categories=["cs.LG"]))
    night(store, server)
    asked = len(server.log)
    server.play(faults.ServerError(), on=asked + 3, times=None)
    assert night(store, server, since=date(2026, 8, 30))["status"] == "partial"
    assert find_cursor(store, "oai", "cs") == "2026-11-24"


# Clocks

YEARS = timedelta(days=5 * 365)


def at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    ("server_off", "ours_off"),
    [(YEARS, timedelta()), (-YEARS, timedelta()), (timedelta(), YEARS), (timedelta(), -YEARS)],
)
def test_a_clock_that_is_years_off_loses_nothing(
    store: Store, server: ArxivServer, server_off: timedelta, ours_off: timedelta, known: bool
) -> None:
    if known:
        everything = dict(server.papers)
        server.papers = {key: paper for key, paper in everything.items() if paper.datestamp <= date(2026, 11, 21)}
        night(store, server)
        server.papers = everything
    server.clock_offset = server_off
    clock = at(NOW + ours_off)
    run = run_night(store, oai_source(server.oai_url, clock=clock), clock=clock).run
    if stored(store) != wanted(server.papers.values()) and server_off != ours_off:
        assert run["status"] != "quiet"  # two clocks that are wrong alike cannot be told from right ones
    server.clock_offset = timedelta()
    run = night(store, server)
    assert run["error"] is None
    assert stored(store) == wanted(server.papers.values())
    new = make_papers(10, day=date(2026, 11, 25), categories=["cs.LG"])
    server.put(*new)
    server.today = date(2026, 11, 25)
    assert night(store, server)["new"] == 10


def test_our_clock_being_late_does_not_set_the_cursor_back_by_years(store: Store, server: ArxivServer) -> None:
    night(store, server)
    clock = at(NOW - timedelta(days=25 * 365))
    assert run_night(store, oai_source(server.oai_url, clock=clock), clock=clock).run["status"] == "quiet"
    assert find_cursor(store, "oai", "cs") == "2026-11-24"


def test_a_datestamp_in_the_far_future_does_not_carry_the_cursor_away(store: Store, server: ArxivServer) -> None:
    paper = next(iter(make_papers(1, day=date(2026, 11, 19), categories=["cs.LG"])))
    server.put(paper.touched(datetime(2026, 11, 24, 1, tzinfo=UTC)))
    bent = f"<datestamp>{TODAY}"

    class Bent:
        def answer(self, call: faults.Call) -> object:
            good = call.good()
            return replace(good, body=good.body.replace(bent.encode(), b"<datestamp>9998-01-01"))

    server.play(Bent(), times=None)  # type: ignore[arg-type]
    server.play(faults.ServerError(), on=lambda number, path, query: "set=stat" in query, times=None)
    night(store, server)
    assert str(find_cursor(store, "oai", "cs")) <= "2026-11-24"


# Lists that are not what they seem


CS_RECORDS = lambda number, path, query: "ListRecords" in query and "set=cs" in query  # noqa: E731


def test_a_list_that_ends_before_its_size_is_not_whole_and_is_asked_for_again(
    store: Store, server: ArxivServer
) -> None:
    night(store, server)
    server.today += timedelta(days=1)
    new = make_papers(40, day=server.today, categories=["cs.LG"])
    server.put(*new)
    server.play(faults.EndsEarly(size=60), on=CS_RECORDS)
    before = find_cursor(store, "oai", "cs")
    run = night(store, server)
    assert run["status"] == "partial"
    assert "the list of set cs ended after 13 of 60 records" in run["error"]
    assert find_cursor(store, "oai", "cs") == before
    assert night(store, server)["status"] == "complete"
    assert stored(store) >= {paper.arxiv_id for paper in new}
    assert asked_from(server, "cs")[-1] == asked_from(server, "cs")[-2]


def test_a_list_that_ends_early_on_the_first_night_is_begun_anew_on_the_next(store: Store, server: ArxivServer) -> None:
    server.play(faults.EndsEarly(size=60), on=CS_RECORDS)
    assert night(store, server)["status"] == "partial"
    server.today += timedelta(days=1)
    assert night(store, server)["status"] == "complete"
    assert asked_from(server, "cs")[0] == asked_from(server, "cs")[1]
    assert stored(store) == wanted(server.papers.values())


def test_a_record_of_the_future_vouches_for_nothing(store: Store, server: ArxivServer) -> None:
    """A page that ends with one would otherwise move the cursor past the pages that were not read."""
    server.play(faults.RecordOfTheFuture(), on=CS_RECORDS)
    server.play(faults.ServerError(404), on=lambda number, path, query: "resumptionToken" in query, times=None)
    assert night(store, server)["status"] == "partial"
    assert find_cursor(store, "oai", "cs") is None
    server.heal()
    assert night(store, server)["status"] == "complete"
    assert stored(store) == wanted(server.papers.values())


def test_a_night_of_other_categories_has_a_cursor_of_its_own(store: Store, server: ArxivServer) -> None:
    night(store, server)
    before = find_cursor(store, "oai", "cs")
    server.today += timedelta(days=9)
    new = make_papers(20, day=server.today - timedelta(days=5), categories=["cs.LG", "cs.DB"])
    server.put(*new)
    run = night(store, server, categories=("cs.DB",), scope="cs.DB")
    assert find_cursor(store, "oai", "cs") == before
    assert run["parts"][0]["cursor_after"] == find_cursor(store, "oai", "cs", scope="cs.DB") == str(server.today)
    night(store, server)
    assert stored(store) >= wanted(new)
    server.today += timedelta(days=1)
    night(store, server, categories=("cs.DB",), scope="cs.DB")
    assert asked_from(server, "cs")[-1] == str(server.today - timedelta(days=4))


def test_a_size_that_is_a_little_too_large_is_an_estimate(store: Store, server: ArxivServer) -> None:
    server.page_size = 2500
    size = in_set(server.papers.values(), "cs")
    server.play(faults.EndsEarly(size=size + 2), on=CS_RECORDS)
    assert night(store, server)["error"] is None
    assert find_cursor(store, "oai", "cs") == TODAY.isoformat()


def test_an_empty_answer_to_a_token_ends_the_list_where_it_was_read_to(store: Store, server: ArxivServer) -> None:
    stale = faults.StaleNoRecords()
    server.play(stale, on=lambda number, path, query: "resumptionToken" in query and "cs" in query, times=None)
    night(store, server)
    assert str(find_cursor(store, "oai", "cs")) < TODAY.isoformat()
    server.heal()
    night(store, server)
    assert stored(store) == wanted(server.papers.values())


def test_a_paper_that_was_dated_ahead_takes_later_changes(store: Store, server: ArxivServer) -> None:
    server.page_size = 2500
    server.play(faults.RecordOfTheFuture(), on=CS_RECORDS)
    night(store, server)
    assert store.value("SELECT max(datestamp) FROM papers") <= TODAY.isoformat()
