"""What moved between two moments: the difference of two states, whatever happened between them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bmp import Bmp
from conftest import LOADED

from curation.evidence import load_evidence, load_past_evidence
from curation.moves import MoveKind, Moves, find_moves, list_months
from curation.review import Decision, Review
from curation.upkeep import Upkeep
from db.papers import save_papers
from db.phenomena import find_phenomenon
from db.records import Aspect, Maturity, Paper, Phenomenon, Stance, Verdict
from db.runs import start_run
from db.store import Store, open_store
from db.times import to_text
from db.upkeep import save_phenomena

START = datetime(2026, 10, 5, tzinfo=UTC)
GROKKING = Phenomenon("W2.2", Aspect.WHAT, "Dynamics", "Grokking", "Late generalisation.")
DESCENT = Phenomenon("W2.1", Aspect.WHAT, "Dynamics", "Double descent", "Test error descends twice.")
SUPPORTS = Decision(Verdict.ACCEPT, Stance.SUPPORTS)
CONTRADICTS = Decision(Verdict.ACCEPT, Stance.CONTRADICTS)
REJECT = Decision(Verdict.REJECT)
PAPER = "2610.00001"


def on(day: int) -> datetime:
    """Return a moment, counted in days from the first one."""
    return START + timedelta(days=day)


def paper(version: int = 1, *, withdrawn: bool = False) -> Paper:
    """Return a version of the paper, each with an abstract of its own."""
    moment = on(version)
    return Paper(
        PAPER, version, "Grokking again", f"Abstract {version}.", ("Ada Byron",), ("cs.LG",), START, moment,
        moment.date(), withdrawn=withdrawn, tells_type=True,
    )  # fmt: skip


def bring(store: Store, one: Paper, day: int) -> None:
    """Save a paper as a night does."""
    now = to_text(on(day))
    with store.transaction():
        run_id = start_run(store, kind="nightly", source="oai", categories=[], started_at=now, program_version="test")
        save_papers(store, [one], run_id=run_id, now=now)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Give a database with two entries and a paper."""
    path = tmp_path / "bmp.db"
    with open_store(path, create=True) as store:
        with store.transaction():
            save_phenomena(store, [DESCENT, GROKKING], replace(LOADED, changed_at=to_text(START)))
        bring(store, paper(), 0)
    return path


@pytest.fixture
def opened(place: Path) -> Iterator[Store]:
    """Give the database, open."""
    with open_store(place) as store:
        yield store


def decide(store: Store, day: int, decision: Decision, code: str = "W2.2", by: str = "ada") -> int:
    """Decide on the paper on a day, and return the candidate's id."""
    row = Review(store, reviewer=by, clock=lambda: on(day)).decide_paper(PAPER, code, decision)
    return int(row["id"])


def upkeep(store: Store, day: int) -> Upkeep:
    """Return the catalogue in ben's hands on a day."""
    return Upkeep(store, author="ben", clock=lambda: on(day))


def moved(store: Store, first: int, last: int) -> list[tuple[MoveKind, str, str, str]]:
    """Return what moved from one day to before another: kind, entry, day, by whom."""
    moves = find_moves(store, since=to_text(on(first)), until=to_text(on(last)))
    return [(move.kind, move.phenomenon, move.at[:10], move.by) for move in moves.moves]


def test_what_was_accepted_is_added_and_what_was_taken_back_before_the_end_is_not(opened: Store) -> None:
    found = decide(opened, 3, SUPPORTS)
    assert moved(opened, 0, 3) == []
    assert moved(opened, 3, 4) == [(MoveKind.ADDED, "W2.2", "2026-10-08", "ada")]
    Review(opened, reviewer="ada", clock=lambda: on(5)).undo(found)
    assert moved(opened, 0, 9) == []
    assert moved(opened, 4, 9) == [(MoveKind.REMOVED, "W2.2", "2026-10-10", "ada")]
    assert moved(opened, 0, 5) == [(MoveKind.ADDED, "W2.2", "2026-10-08", "ada")]


def test_a_rejection_after_an_acceptance_removes_and_says_by_whom(opened: Store) -> None:
    decide(opened, 3, SUPPORTS)
    decide(opened, 6, Decision(Verdict.REJECT, note="no run of its own"), by="cy")
    assert moved(opened, 4, 9) == [(MoveKind.REMOVED, "W2.2", "2026-10-11", "cy")]
    (move,) = find_moves(opened, since=to_text(on(4)), until=to_text(on(9))).moves
    assert move.note == "no run of its own"
    assert move.evidence is not None
    assert move.evidence.stance is Stance.SUPPORTS


def test_another_stance_is_a_change_with_both_told(opened: Store) -> None:
    decide(opened, 3, SUPPORTS)
    decide(opened, 6, CONTRADICTS, by="cy")
    (move,) = find_moves(opened, since=to_text(on(4)), until=to_text(on(9))).moves
    assert (move.kind, move.before, move.after) == (MoveKind.CHANGED, "supports (v1)", "contradicts (v1)")


@pytest.mark.parametrize(("withdrawn", "kind"), [(False, MoveKind.REOPENED), (True, MoveKind.WITHDRAWN)])
def test_a_revision_re_opens_and_a_withdrawal_is_told_as_one(opened: Store, withdrawn: bool, kind: MoveKind) -> None:
    decide(opened, 3, SUPPORTS)
    bring(opened, paper(2, withdrawn=withdrawn), 6)
    assert moved(opened, 4, 9) == [(kind, "W2.2", "2026-10-11", "bmp")]
    decide(opened, 8, SUPPORTS)
    assert moved(opened, 7, 9) == [(MoveKind.CHANGED, "W2.2", "2026-10-13", "ada")]
    assert moved(opened, 0, 5) == [(MoveKind.ADDED, "W2.2", "2026-10-08", "ada")]


def test_maturity_moves_up_and_down_and_keeps_why(opened: Store) -> None:
    for day, maturity in ((3, Maturity.REPLICATED), (6, Maturity.CONTESTED)):
        seen = find_phenomenon(opened, "W2.2")
        upkeep(opened, day).edit(seen, replace(seen, maturity=maturity), f"why {maturity}")
    assert moved(opened, 0, 5) == [(MoveKind.PROMOTED, "W2.2", "2026-10-08", "ben")]
    (move,) = find_moves(opened, since=to_text(on(5)), until=to_text(on(9))).moves
    assert (move.kind, move.before, move.after, move.note) == (
        MoveKind.DEMOTED, "replicated", "contested", "why contested",
    )  # fmt: skip
    assert moved(opened, 0, 9) == [(MoveKind.DEMOTED, "W2.2", "2026-10-11", "ben")]


def test_a_merged_entry_is_retired_and_its_evidence_is_added_where_it_went(opened: Store) -> None:
    decide(opened, 3, SUPPORTS, code="W2.1")
    upkeep(opened, 6).merge("W2.1", "W2.2")
    assert moved(opened, 5, 9) == [
        (MoveKind.ADDED, "W2.2", "2026-10-11", "ben"),
        (MoveKind.RETIRED, "W2.1", "2026-10-11", "ben"),
    ]
    assert moved(opened, 0, 9) == moved(opened, 5, 9)


def test_new_and_reworded_entries_are_told_and_the_programs_own_are_counted(opened: Store) -> None:
    upkeep(opened, 3).add([Phenomenon("W2.3", Aspect.WHAT, "Dynamics", "Slingshots", "Norms grow in bursts.")])
    upkeep(opened, 4).edit(GROKKING, replace(GROKKING, statement="Generalisation comes late."))
    assert moved(opened, 1, 9) == [
        (MoveKind.NEW, "W2.3", "2026-10-08", "ben"),
        (MoveKind.REWORDED, "W2.2", "2026-10-09", "ben"),
    ]
    assert find_moves(opened, since=to_text(on(0)), until=to_text(on(1))) == Moves(
        to_text(on(0)), to_text(on(1)), (), loaded=2
    )


def test_the_months_join_to_the_whole(opened: Store) -> None:
    """What is evidence now is what was added less what was removed, month by month."""
    decide(opened, 3, SUPPORTS)
    decide(opened, 3, SUPPORTS, code="W2.1")
    decide(opened, 40, REJECT)
    decide(opened, 70, CONTRADICTS)
    months = list_months(opened)
    assert [month.since for month in months] == ["2026-12-01", "2026-11-01", "2026-10-01"]
    standing: set[str] = set()
    for month in reversed(months):
        standing |= {move.phenomenon for move in month.of(MoveKind.ADDED)}
        standing -= {move.phenomenon for move in month.of(MoveKind.REMOVED)}
    assert standing == set(load_evidence(opened))
    assert list_months(opened) == months


def test_a_past_state_is_read_as_it_was(opened: Store) -> None:
    found = decide(opened, 3, SUPPORTS)
    now = list(load_evidence(opened)["W2.2"])
    decide(opened, 6, CONTRADICTS)
    assert load_past_evidence(opened, [found], to_text(on(4))) == now
    assert load_past_evidence(opened, [found], to_text(on(3))) == []
    assert load_past_evidence(opened, [], to_text(on(9))) == []


def test_the_changelog_is_written_for_a_span(bmp: Bmp, place: Path) -> None:
    with open_store(place) as store:
        decide(store, 3, Decision(Verdict.ACCEPT, Stance.SUPPORTS, "<b>bold</b> [x](javascript:1)"))
    first, last = on(3).date(), on(3).date()
    told = bmp("export", "markdown", "--since", first, "--until", last)
    assert told.code == 0
    assert "## Added (1)" in told.out
    assert "https://arxiv.org/abs/2610.00001v1" in told.out
    assert "<b>" not in told.out.replace("\\<b\\>", "")
    as_json = json.loads(bmp("export", "json", "--since", first, "--until", last).out)
    assert as_json["counts"]["added"] == 1
    assert (as_json["since"], as_json["until"]) == (first.isoformat(), last.isoformat())
    assert as_json["moves"][0]["paper"]["arxiv_id"] == PAPER
    later = bmp("export", "markdown", "--since", last + timedelta(days=1))
    assert "Nothing moved." in later.out


@pytest.mark.parametrize(
    "words",
    [
        ("csv", "--since", "2026-10-01"),
        ("json", "--until", "2026-10-01"),
        ("json", "--since", "2026-10-02", "--until", "2026-10-01"),
        ("json", "--since", "yesterday"),
    ],
    ids=" ".join,
)
def test_a_span_that_is_none_is_wrong_usage(bmp: Bmp, place: Path, words: tuple[str, ...]) -> None:
    assert place.exists()
    result = bmp("export", *words)
    assert (result.code, result.out) == (2, "")


def test_what_an_undo_brings_back_is_dated_by_the_undo(opened: Store) -> None:
    found = decide(opened, 3, SUPPORTS)
    decide(opened, 6, REJECT)
    Review(opened, reviewer="ada", clock=lambda: on(8)).undo(found)
    assert moved(opened, 7, 9) == [(MoveKind.ADDED, "W2.2", "2026-10-13", "ada")]


def test_the_calendars_last_month_ends_no_export(opened: Store) -> None:
    last = datetime(9999, 12, 15, tzinfo=UTC)
    Review(opened, reviewer="ada", clock=lambda: last).decide_paper(PAPER, "W2.2", SUPPORTS)
    assert list_months(opened)[0].of(MoveKind.ADDED)


def test_another_aspect_is_told(opened: Store) -> None:
    upkeep(opened, 4).edit(GROKKING, replace(GROKKING, aspect=Aspect.HOW))
    assert moved(opened, 1, 9) == [(MoveKind.REWORDED, "W2.2", "2026-10-09", "ben")]
