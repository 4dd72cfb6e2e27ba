"""What paging lost is found by other lists and fetched by its id, and the ledger says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from fakes import CATEGORIES, FakeTime, make_client, oai_source, reconciliation, run_night
from loopback import faults
from loopback.papers import MadePaper, make_papers
from loopback.server import ArxivServer

from db.missing import HELD_FOR, LATER_EVERY, NIGHTLY_FOR, NIGHTLY_TRIES, count_missing
from db.records import RunStatus
from db.store import Store

TODAY = date(2026, 11, 24)  # a Tuesday: the feeds are full
MORNING = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[ArxivServer]:
    """Give a stand-in with 40 papers of one day, all wanted, in pages of 12."""
    with ArxivServer(make_papers(40, day=TODAY, categories=["cs.LG"]), page_size=12, today=TODAY) as running:
        yield running


def night(store: Store, server: ArxivServer, **options: Any) -> dict[str, Any]:
    """Run a night at half past six of the server's day, with the cross-checks."""
    clock = datetime.combine(server.today, MORNING.timetz())
    client = make_client(FakeTime(), max_wait=5.0, read_timeout=1.0)
    checks = reconciliation(server, client=client, clock=lambda: clock, **options)
    source = oai_source(server.oai_url, client=client, clock=lambda: clock)
    return run_night(store, source, clock=lambda: clock, reconciliation=checks).run


def move_on(server: ArxivServer, days: int = 1, new: int = 3) -> None:
    """Let days pass, and some papers be announced on the last of them."""
    server._planned.clear()
    server.today += timedelta(days=days)
    server.put(*make_papers(new, day=server.today, categories=["cs.LG"]))


def missing(store: Store, server: ArxivServer) -> int:
    return count_missing(store, now=datetime.combine(server.today, MORNING.timetz()))


def stored(store: Store) -> set[str]:
    return {row["arxiv_id"] for row in store.rows("SELECT arxiv_id FROM papers")}


def wanted(server: ArxivServer) -> set[str]:
    return {key for key, paper in server.papers.items() if not set(CATEGORIES).isdisjoint(paper.categories)}


def part(run: dict[str, Any], source: str, name: str) -> dict[str, Any]:
    return next(one for one in run["parts"] if (one["source"], one["part"]) == (source, name))


def lose_some(server: ArxivServer) -> None:
    """Let three records of the first page move to the end, so that the second passes over three others."""
    server.play(faults.MovedBetweenPages(3), on=1)


def test_the_feeds_find_what_paging_lost_and_the_api_brings_it(store: Store, server: ArxivServer) -> None:
    lose_some(server)
    run = night(store, server)
    assert (run["status"], run["error"]) == ("complete", None)
    assert stored(store) == wanted(server)
    fetched = part(run, "api", "ids")
    assert fetched["promised"] == fetched["received"] == fetched["new"] == 3
    assert part(run, "rss", "cs.LG")["missing"] == 3
    assert [(one["told_by"], one["settled_as"]) for one in run["missing_papers"]] == [("rss", "fetched")] * 3


def test_without_feeds_the_identifiers_find_it_in_the_night_in_which_pages_were_turned(
    store: Store, server: ArxivServer
) -> None:
    lose_some(server)
    run = night(store, server, feeds=False)
    assert stored(store) == wanted(server)
    assert part(run, "identifiers", "cs:cs:LG")["missing"] == 3
    assert {one["told_by"] for one in run["missing_papers"]} == {"identifiers"}


def test_the_same_loss_without_reconciliation_is_real(store: Store, server: ArxivServer) -> None:
    lose_some(server)
    clock = lambda: MORNING  # noqa: E731
    run = run_night(store, oai_source(server.oai_url, clock=clock), clock=clock).run
    assert run["status"] == "complete"
    assert len(wanted(server) - stored(store)) == 3


def test_a_night_of_one_page_reads_no_identifiers_until_a_week_has_passed(store: Store, server: ArxivServer) -> None:
    server.page_size = 2500
    passes = []
    for day in range(17):
        if day:
            move_on(server, new=2)
        run = night(store, server, feeds=False)
        passes += [day for one in run["parts"] if one["part"] == "cs:cs:LG"]
    assert passes == [7, 14]


def test_what_an_earlier_week_lost_is_found_by_the_weekly_pass(store: Store, server: ArxivServer) -> None:
    server.page_size = 2500
    night(store, server, feeds=False)
    move_on(server, days=5)
    night(store, server, feeds=False)
    lost = sorted(stored(store))[:2]
    with store.transaction():  # as if a page had passed over them
        store.connection.execute("PRAGMA defer_foreign_keys = ON")
        for table in ("vectors", "matched_revisions"):
            store.connection.execute(f"DELETE FROM {table}")
        for arxiv_id in lost:
            store.connection.execute("DELETE FROM revisions WHERE arxiv_id = ?", (arxiv_id,))
            store.connection.execute("DELETE FROM papers WHERE arxiv_id = ?", (arxiv_id,))
    move_on(server, days=2)
    run = night(store, server, feeds=False)
    assert stored(store) == wanted(server)
    assert sorted(one["arxiv_id"] for one in run["missing_papers"]) == lost


def test_a_revision_that_paging_lost_is_found_too(store: Store, server: ArxivServer) -> None:
    server.page_size = 2500
    night(store, server)
    move_on(server)
    changed = next(iter(server.papers.values())).revised(server.now, abstract="Another abstract altogether.")
    server.put(changed)
    server.play(faults.StaleNoRecords(), on=lambda number, path, query: "ListRecords" in query, times=None)
    run = night(store, server)
    assert run["changed"] == 1
    assert store.value("SELECT max(version) FROM revisions WHERE arxiv_id = ?", (changed.arxiv_id,)) == 2


def test_a_paper_that_no_interface_gives_makes_every_night_partial_until_it_comes(
    store: Store, server: ArxivServer
) -> None:
    lose_some(server)
    server.play(faults.Unavailable(), on=lambda number, path, query: "/api" in path, times=None)
    run = night(store, server)
    assert run["status"] == "partial"
    assert "announced papers have not arrived: 3" in run["error"]
    assert missing(store, server) == 3
    server.put(*(replace(paper, modified=TODAY - timedelta(days=40)) for paper in server.papers.values()))
    run = night(store, server)  # the list has nothing of them any more, and the API is still sick
    assert run["status"] == "failed"
    assert "announced papers have not arrived: 3" in run["error"]
    move_on(server)
    run = night(store, server)
    assert (run["status"], run["error"]) == ("complete", None)
    assert stored(store) == wanted(server)
    assert missing(store, server) == 0


def test_after_a_month_a_missing_paper_is_asked_for_every_week_and_told_of_until_it_comes(
    store: Store, server: ArxivServer
) -> None:
    lose_some(server)
    sick = faults.ServerError(404), lambda number, path, query: "/api" in path
    server.play(sick[0], on=sick[1], times=None)
    night(store, server)
    server.put(*(replace(paper, modified=TODAY - timedelta(days=400)) for paper in server.papers.values()))
    with store.transaction():
        store.connection.execute("UPDATE missing_papers SET tries = ?", (NIGHTLY_TRIES,))
    asked, notes = [], []
    for day in range(2 * LATER_EVERY.days + 1):
        move_on(server, days=1 if day else NIGHTLY_FOR.days)
        server.play(sick[0], on=sick[1], times=None)
        before = len(server.log)
        run = night(store, server, feeds=False)
        assert (run["status"], run["error"]) == ("complete", None)
        asked += [day for entry in server.log[before:] if "/api" in entry.path][:1]
        notes += [day for _ in [run["note"]] if run["note"] and "have never arrived: 3" in run["note"]]
    assert asked == notes == [0, 7, 14]
    assert missing(store, server) == 3
    move_on(server, days=LATER_EVERY.days)
    night(store, server, feeds=False)
    move_on(server)  # the feeds told a version, so that one look-up was enough
    assert missing(store, server) == 0
    assert stored(store) >= {row["arxiv_id"] for row in store.rows("SELECT arxiv_id FROM missing_papers")}


def test_what_arrives_in_a_later_harvest_is_settled_without_a_look_up(store: Store, server: ArxivServer) -> None:
    lose_some(server)
    server.play(faults.ServerError(404), on=lambda number, path, query: "/api" in path, times=None)
    night(store, server)
    server.page_size = 2500
    move_on(server)
    asked = len(server.log)
    assert night(store, server)["status"] == "complete"
    assert not any("/api" in entry.path for entry in server.log[asked:])
    assert store.rows("SELECT DISTINCT settled_as FROM missing_papers") == [{"settled_as": "arrived"}]


@pytest.mark.parametrize("fault", [faults.ServerError(404), faults.HtmlPage(), faults.EmptyBody(), faults.Truncated()])
def test_a_cross_check_that_fails_is_told_and_takes_nothing_from_the_night(
    store: Store, server: ArxivServer, fault: faults.Fault
) -> None:
    server.play(fault, on=lambda number, path, query: "/rss" in path or "ListIdentifiers" in query, times=None)
    run = night(store, server)
    assert (run["status"], run["error"]) == ("complete", None)
    assert stored(store) == wanted(server)
    checks = [one for one in run["parts"] if one["source"] in ("rss", "identifiers")]
    assert len(checks) == 8
    assert all(one["error"] for one in checks)


@pytest.mark.parametrize("where", ["/rss", "ListIdentifiers", "/api"])
def test_a_refusal_of_any_interface_is_the_last_request_of_the_night(
    store: Store, server: ArxivServer, where: str
) -> None:
    lose_some(server)
    server.play(faults.Forbidden(), on=lambda number, path, query: where in path + query, times=None)
    run = night(store, server, feeds=where != "ListIdentifiers")
    assert where in server.log[-1].path + server.log[-1].query
    assert run["refused"]
    assert [entry.status for entry in server.log].count(403) == 1


def test_a_sick_endpoint_is_not_asked_for_cross_checks(store: Store, server: ArxivServer) -> None:
    server.play(faults.ServerError(404), on=3, times=None)
    assert night(store, server)["status"] == "partial"
    assert {entry.path for entry in server.log} == {"/oai"}


def test_the_cursor_of_the_identifiers_moves_with_the_pass(store: Store, server: ArxivServer) -> None:
    run = night(store, server)
    row = part(run, "identifiers", "cs:cs:LG")
    assert (row["cursor_before"], row["cursor_after"]) == (None, TODAY.isoformat())


class TestRecordsThatCannotBeRead:
    """A malformed record makes its night partial, and does not hold the cursor for ever."""

    def test_its_paper_is_fetched_by_its_id_the_same_night(self, store: Store, server: ArxivServer) -> None:
        server.play(faults.MalformedRecord("missing_title"), on=2)
        run = night(store, server)
        assert (run["status"], run["malformed"]) == ("partial", 1)
        assert stored(store) == wanted(server)
        assert [(one["told_by"], one["settled_as"]) for one in run["missing_papers"]] == [("malformed", "fetched")]
        assert run["malformed_records"][0]["size_bytes"] > 100

    def test_once_it_is_fetched_the_same_bytes_hold_nothing_back(self, store: Store, server: ArxivServer) -> None:
        server.play(faults.MalformedRecord("missing_title"), on=1)
        night(store, server)
        move_on(server)
        server.play(faults.MalformedRecord("missing_title"), on=len(server.log) + 1)
        run = night(store, server)
        assert (run["status"], run["malformed"]) == ("complete", 1)
        assert store.value("SELECT position FROM cursors WHERE (source, part) = ('oai', 'cs')") == "2026-11-25"

    def test_one_that_never_can_be_had_lets_the_cursor_go_after_a_week(self, store: Store, server: ArxivServer) -> None:
        server.page_size = 2500

        def first_record_is_broken() -> None:
            server.play(faults.ServerError(404), on=lambda number, path, query: "/api" in path, times=None)
            is_cs = lambda number, path, query: "ListRecords" in query and "set=cs" in query  # noqa: E731
            server.play(faults.MalformedRecord("missing_title"), on=is_cs, times=None)

        first_record_is_broken()
        assert night(store, server)["status"] == RunStatus.PARTIAL
        cursor = "SELECT position FROM cursors WHERE (source, part) = ('oai', 'cs')"
        assert store.value(cursor) == TODAY.isoformat()
        move_on(server, days=HELD_FOR.days)
        first_record_is_broken()
        night(store, server)
        assert store.value(cursor) == TODAY.isoformat()
        move_on(server)
        first_record_is_broken()
        run = night(store, server)
        assert store.value(cursor) == server.today.isoformat()
        assert run["status"] == "partial"  # the paper itself is still missing
        assert "announced papers have not arrived: 1" in run["error"]


def test_the_ledger_keeps_the_answer_that_could_not_be_used(store: Store, server: ArxivServer) -> None:
    from db.runs import find_bad_answer

    server.play(faults.PlainText("Rate exceeded."), on=1, times=None)
    run = night(store, server)
    assert run["status"] == "failed"
    assert part(run, "oai", "cs")["bad_answer"] is True
    assert find_bad_answer(store, run["run_id"], "oai/cs") == b"Rate exceeded."


def test_each_part_of_the_ledger_adds_up_to_the_run(store: Store, server: ArxivServer) -> None:
    lose_some(server)
    run = night(store, server)
    harvested = [one for one in run["parts"] if one["source"] == "oai"]
    brought = [*harvested, part(run, "api", "ids")]
    assert all(run[name] == sum(one[name] for one in harvested) for name in ("promised", "received", "malformed"))
    assert all(run[name] == sum(one[name] for one in brought) for name in ("new", "changed", "withdrawn"))
    assert run["fetched"] == part(run, "api", "ids")["received"] == 3
    assert part(run, "oai", "cs")["asked"] == "records of set cs from 2026-11-17"
    assert part(run, "oai", "cs")["pages"] == 4
    assert (run["model"], run["model_revision"]) == ("fake/hash", "1")


API = lambda number, path, query: "/api" in path  # noqa: E731


class TestOneBadEntryAmongThoseLookedUp:
    """What is wrong with one paper is no reason to go without the others."""

    def test_an_entry_that_cannot_be_read_is_kept_and_the_others_arrive(
        self, store: Store, server: ArxivServer
    ) -> None:
        lose_some(server)
        server.play(faults.MalformedRecord("missing_title"), on=API, times=None)
        run = night(store, server)
        assert run["fetched"] == 2
        assert len(wanted(server) - stored(store)) == 1
        (record,) = [one for one in run["malformed_records"] if one["source"] == "api"]
        assert record["reason"] == "the entry has no title"
        assert run["status"] == "partial"
        (lost,) = wanted(server) - stored(store)
        assert f"{lost}: the entry has no title" in run["error"]

    def test_an_id_that_spoils_every_request_is_asked_for_alone(self, store: Store, server: ArxivServer) -> None:
        night(store, server)
        move_on(server, new=30)
        poison = sorted(server.papers)[-20]
        server.play(faults.StaleNoRecords(), on=lambda number, path, query: "ListRecords" in query, times=None)
        server.play(faults.RefusedId(poison), on=API, times=None)
        run = night(store, server)
        assert wanted(server) - stored(store) == {poison}
        assert run["status"] == "partial"
        assert f"announced papers have not arrived: 1 ({poison})" in run["error"]

    def test_two_ids_that_spoil_every_request_are_asked_for_alone(self, store: Store, server: ArxivServer) -> None:
        night(store, server)
        move_on(server, new=8)
        poison = {sorted(server.papers)[-8], sorted(server.papers)[-3]}
        server.play(faults.StaleNoRecords(), on=lambda number, path, query: "ListRecords" in query, times=None)
        for one in sorted(poison):
            named = lambda number, path, query, one=one: "/api" in path and one in query  # noqa: E731
            server.play(faults.RefusedId(one), on=named, times=None)
        night(store, server)
        assert wanted(server) - stored(store) == poison

    def test_a_pause_that_the_interface_asks_for_is_kept_and_the_rest_comes(
        self, store: Store, server: ArxivServer
    ) -> None:
        lose_some(server)
        server.play(faults.Unavailable(retry_after=4), on=API)
        run = night(store, server)
        assert (run["status"], run["fetched"]) == ("complete", 3)

    def test_a_pause_that_is_too_long_ends_the_look_ups(self, store: Store, server: ArxivServer) -> None:
        lose_some(server)
        server.play(faults.Unavailable(retry_after=4000), on=API, times=None)
        run = night(store, server)
        assert run["status"] == "partial"
        assert sum("/api" in entry.path for entry in server.log) == 1

    def test_a_sick_interface_is_not_asked_for_every_half(self, store: Store, server: ArxivServer) -> None:
        lose_some(server)
        server.play(faults.ServerError(404), on=API, times=None)
        night(store, server)
        assert sum("/api" in entry.path for entry in server.log) <= 4

    def test_a_paper_without_abstract_is_no_bad_entry(self, store: Store, server: ArxivServer) -> None:
        server.put(*(replace(paper, abstract="") for paper in server.papers.values()))
        lose_some(server)
        run = night(store, server)
        assert (run["status"], run["fetched"]) == ("complete", 3)


class TestAnIndexThatLagsBehind:
    """A look-up that shows an older state than what was told of is no proof of the newer one."""

    def revise_unseen(self, store: Store, server: ArxivServer) -> tuple[MadePaper, MadePaper]:
        """Let a paper have a new version that the harvest passes over, and of which only the day is told."""
        server.page_size = 2500
        night(store, server)
        move_on(server, days=8)
        old = next(iter(server.papers.values()))
        changed = old.revised(server.now, abstract="Another abstract altogether.")
        server.put(changed)
        server.play(faults.StaleNoRecords(), on=lambda number, path, query: "ListRecords" in query, times=None)
        return old, changed

    def newest(self, store: Store, paper: MadePaper) -> Any:
        return store.value("SELECT max(version) FROM revisions WHERE arxiv_id = ?", (paper.arxiv_id,))

    def test_the_new_version_comes_on_a_later_day(self, store: Store, server: ArxivServer) -> None:
        old, changed = self.revise_unseen(store, server)
        server.on_request = lambda number, here: here.put(old if "/api" in here.log[number - 1].path else changed)
        run = night(store, server, feeds=False)
        assert self.newest(store, changed) == old.newest.number
        assert run["error"] is None
        assert [one["settled_as"] for one in run["missing_papers"] if one["arxiv_id"] == changed.arxiv_id] == [None]
        server.on_request = None
        move_on(server)
        server.put(replace(changed, modified=TODAY - timedelta(days=40)))
        night(store, server, feeds=False)
        assert self.newest(store, changed) == changed.newest.number

    def test_what_stays_the_same_for_a_day_is_settled(self, store: Store, server: ArxivServer) -> None:
        night(store, server)
        move_on(server, days=8)
        touched = next(iter(server.papers.values())).touched(server.now)
        server.put(touched)
        server.play(faults.StaleNoRecords(), on=lambda number, path, query: "ListRecords" in query, times=None)
        first = night(store, server, feeds=False)
        assert (first["error"], missing(store, server)) == (None, 0)
        told = "SELECT settled_as FROM missing_papers WHERE arxiv_id = ?"
        assert store.value(told, (touched.arxiv_id,)) is None
        server.today += timedelta(days=1)
        second = night(store, server, feeds=False)
        assert (second["status"], second["changed"]) == ("quiet", 0)
        assert store.value(told, (touched.arxiv_id,)) == "fetched"
        asked = len(server.log)
        night(store, server, feeds=False)
        assert not any("/api" in entry.path for entry in server.log[asked:])


def test_a_look_up_does_not_take_back_a_withdrawal_that_only_the_source_type_tells(
    store: Store, server: ArxivServer
) -> None:
    first = next(iter(server.papers.values()))
    newest = first.versions[-1]._replace(source_type="I")
    server.put(replace(first, versions=(*first.versions[:-1], newest)))
    server.page_size = 2500
    night(store, server)
    withdrawn = "SELECT withdrawn FROM papers WHERE arxiv_id = ?"
    assert store.value(withdrawn, (first.arxiv_id,)) == 1
    move_on(server, days=8)
    server.put(server.papers[first.arxiv_id].touched(server.now))
    server.play(faults.StaleNoRecords(), on=lambda number, path, query: "ListRecords" in query, times=None)
    for _ in range(2):
        night(store, server, feeds=False)
        server.today += timedelta(days=1)
    assert store.value("SELECT settled_as FROM missing_papers WHERE arxiv_id = ?", (first.arxiv_id,)) == "fetched"
    assert store.value(withdrawn, (first.arxiv_id,)) == 1


def test_a_cross_check_that_fails_for_long_is_told_by_the_night(store: Store, server: ArxivServer) -> None:
    server.page_size = 2500
    notes = []
    for day in range(17):
        if day:
            move_on(server)
        broken = lambda number, path, query: "/rss/cs.LG" in path or "ListIdentifiers" in query  # noqa: E731
        server.play(faults.ServerError(404), on=broken, times=None)
        run = night(store, server)
        assert (run["status"], run["error"]) == ("complete", None)
        notes.append(run["note"])
    assert notes[:15] == [None] * 15
    assert "no cross-check has come through for more than 14 days with 5 (rss of cs.LG" in notes[15]
    move_on(server)
    assert night(store, server)["note"] is None


def test_the_first_pass_looks_back_as_far_as_the_first_night(store: Store, server: ArxivServer) -> None:
    server.page_size = 2500
    night(store, server, feeds=False)
    lost = make_papers(4, day=TODAY - timedelta(days=6), categories=["cs.LG"])  # as if a page had passed over them
    server.put(*lost)
    move_on(server, days=7)
    night(store, server, feeds=False)
    assert stored(store) >= {paper.arxiv_id for paper in lost}


def test_identifiers_that_come_again_and_again_end_the_pass_at_once(store: Store, server: ArxivServer) -> None:
    server.play(faults.EndlessTokens(), on=lambda number, path, query: "ListIdentifiers" in query, times=None)
    run = night(store, server)
    assert "runs in a circle" in part(run, "identifiers", "cs:cs:LG")["error"]
    assert sum("ListIdentifiers" in entry.query for entry in server.log) <= 2 * len(CATEGORIES)


def test_a_night_of_other_categories_leaves_alone_what_it_would_not_keep(store: Store, server: ArxivServer) -> None:
    lose_some(server)
    server.play(faults.ServerError(404), on=API, times=None)
    night(store, server)
    server.put(*(replace(paper, modified=TODAY - timedelta(days=40)) for paper in server.papers.values()))
    move_on(server)
    clock = datetime.combine(server.today, MORNING.timetz())
    client = make_client(FakeTime(), max_wait=5.0, read_timeout=1.0)
    checks = reconciliation(server, client=client, clock=lambda: clock)
    source = oai_source(server.oai_url, client=client, clock=lambda: clock)
    options: dict[str, Any] = {"categories": ("cs.DB",), "scope": "cs.DB", "reconciliation": checks}
    run = run_night(store, source, clock=lambda: clock, **options).run
    assert (run["error"], missing(store, server)) == (None, 3)
    move_on(server)
    assert night(store, server)["error"] is None
    assert stored(store) == wanted(server)


def test_what_one_look_up_saw_and_no_other_confirmed_counts_as_missing_again(store: Store, server: ArxivServer) -> None:
    old, changed = TestAnIndexThatLagsBehind().revise_unseen(store, server)
    server.on_request = lambda number, here: here.put(old if "/api" in here.log[number - 1].path else changed)
    assert night(store, server, feeds=False)["error"] is None
    server.on_request = None
    errors = []
    for _ in range(5):
        move_on(server)
        server.put(replace(changed, modified=TODAY - timedelta(days=40)))
        server.play(faults.ServerError(404), on=API, times=None)
        run = night(store, server, feeds=False)
        errors.append(run["error"])
        assert run["error"] or "look-ups by id failed" in run["note"]
    assert [bool(error) for error in errors] == [False, False, True, True, True]


def test_a_mended_text_of_a_record_that_could_not_be_read_comes_by_its_id(store: Store, server: ArxivServer) -> None:
    server.page_size = 2500
    night(store, server, feeds=False)
    server._planned.clear()
    server.today += timedelta(days=5)
    first = next(iter(server.papers.values()))
    mended = replace(first, abstract="An abstract that was mended without a new version.", modified=server.today)
    server.put(mended)  # the only record of the list
    in_cs = lambda number, path, query: "ListRecords" in query and "set=cs" in query  # noqa: E731
    server.play(faults.MalformedRecord("missing_title"), on=in_cs)
    run = night(store, server, feeds=False)
    assert (run["malformed"], run["changed"], run["status"]) == (1, 1, "partial")
    text = "SELECT abstract FROM papers JOIN revisions USING (revision_id) WHERE papers.arxiv_id = ?"
    assert store.value(text, (first.arxiv_id,)) == mended.abstract
