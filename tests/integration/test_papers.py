"""What arrives is compared with what is known: new, changed, withdrawn, or nothing at all; decisions are never lost."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from conftest import LOADED, NOW
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation.review import Decision, Review
from db.errors import DecisionError
from db.papers import SavedPapers, save_papers
from db.records import Aspect, Paper, Phenomenon, Stance, Verdict
from db.runs import start_run
from db.store import Store, open_store
from db.times import to_text
from db.upkeep import save_phenomena

MOMENT = datetime(2026, 11, 1, tzinfo=UTC)
PAPER = Paper("2611.00001", 1, "Title", "Abstract.", ("Ada",), ("cs.LG",), MOMENT, MOMENT, date(2026, 11, 1))
ACCEPT = Decision(Verdict.ACCEPT, Stance.SUPPORTS)


@pytest.fixture
def run_id(store: Store) -> int:
    return _begin(store)


def _begin(store: Store) -> int:
    with store.transaction():
        save_phenomena(store, [Phenomenon("W2.2", Aspect.WHAT, "g", "Grokking", "Late generalisation.")], LOADED)
        return start_run(
            store, kind="nightly", source="oai", categories=[], started_at=to_text(NOW), program_version="test"
        )


def _save(store: Store, run_id: int, *papers: Paper) -> SavedPapers:
    with store.transaction():
        return save_papers(store, papers, run_id=run_id, now=to_text(NOW))


def _review(store: Store) -> Review:
    return Review(store, reviewer="ada", clock=lambda: NOW)


def test_the_same_again_changes_nothing(store: Store, run_id: int) -> None:
    assert _save(store, run_id, PAPER) == SavedPapers(new=1)
    assert _save(store, run_id, PAPER) == SavedPapers()
    assert _save(store, run_id, replace(PAPER, datestamp=date(2026, 11, 20))) == SavedPapers()
    assert store.value("SELECT count(*) FROM revisions") == 1


@pytest.mark.parametrize(
    ("arriving", "saved", "status"),
    [
        (
            replace(PAPER, version=2, abstract="Another.", datestamp=date(2026, 11, 9)),
            SavedPapers(changed=1),
            "reopened",
        ),
        (replace(PAPER, abstract="Mended.", datestamp=date(2026, 11, 9)), SavedPapers(changed=1), "reopened"),
        (replace(PAPER, version=2, datestamp=date(2026, 11, 9)), SavedPapers(changed=1), "accepted"),
        (replace(PAPER, datestamp=date(2026, 11, 9), doi="10.1/x"), SavedPapers(), "accepted"),
        (replace(PAPER, version=2, withdrawn=True, datestamp=date(2026, 11, 9)), SavedPapers(0, 1, 1), "reopened"),
        (replace(PAPER, abstract="Older.", datestamp=date(2026, 10, 1)), SavedPapers(), "accepted"),
        (replace(PAPER, abstract="Undated.", datestamp=None), SavedPapers(), "accepted"),
    ],
    ids=["new version", "same version mended", "version without new text", "details", "withdrawn", "older", "undated"],
)
def test_a_change_of_text_or_a_withdrawal_re_opens_and_nothing_else_does(
    store: Store, run_id: int, arriving: Paper, saved: SavedPapers, status: str
) -> None:
    _save(store, run_id, PAPER)
    decided = _review(store).decide_paper(PAPER.arxiv_id, "W2.2", ACCEPT)
    assert _save(store, run_id, arriving) == saved
    row = _review(store).show(decided["id"])
    assert row["status"] == status
    assert row["history"][0]["kind"] == "accept"
    assert _save(store, run_id, arriving) == SavedPapers()
    assert len(_review(store).show(decided["id"])["history"]) == len(row["history"])


def test_a_rejected_candidate_is_not_re_opened(store: Store, run_id: int) -> None:
    _save(store, run_id, PAPER)
    decided = _review(store).decide_paper(PAPER.arxiv_id, "W2.2", Decision(Verdict.REJECT))
    _save(store, run_id, replace(PAPER, version=2, abstract="Another.", datestamp=date(2026, 11, 9)))
    assert _review(store).show(decided["id"])["status"] == "rejected"


def test_decisions_can_be_neither_changed_nor_deleted(store: Store, run_id: int) -> None:
    _save(store, run_id, PAPER)
    _review(store).decide_paper(PAPER.arxiv_id, "W2.2", ACCEPT)
    for statement in ("UPDATE decisions SET note = 'x'", "DELETE FROM decisions"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            store.connection.execute(statement)


def test_a_decision_that_does_not_hold_leaves_no_candidate_behind(store: Store, run_id: int) -> None:
    _save(store, run_id, PAPER)
    with pytest.raises(DecisionError, match="stance"):
        _review(store).decide_paper(PAPER.arxiv_id, "W2.2", Decision(Verdict.ACCEPT))
    assert store.value("SELECT count(*) FROM candidates") == 0


def test_a_decision_after_a_re_opening_wants_no_undo(store: Store, run_id: int) -> None:
    _save(store, run_id, PAPER)
    decided = _review(store).decide_paper(PAPER.arxiv_id, "W2.2", ACCEPT)
    _save(store, run_id, replace(PAPER, version=2, abstract="Another.", datestamp=date(2026, 11, 9)))
    with pytest.raises(DecisionError, match=r"re-opened .* `bmp queue decide 1 accept --stance S`, or reject"):
        _review(store).undo(decided["id"])
    assert _review(store).decide(decided["id"], ACCEPT)["status"] == "accepted"


STATES = {"accept": "accepted", "reject": "rejected", "maybe": "maybe", "undo": "", "revise": "reopened"}


@settings(max_examples=60)
@given(st.lists(st.sampled_from(sorted(STATES)), max_size=14))
@example(["accept", "maybe", "revise", "undo"])
@example(["accept", "revise", "accept", "undo"])
@example(["accept", "revise", "accept", "revise", "maybe", "undo", "accept", "undo", "undo"])
def test_any_sequence_of_events_leaves_the_state_that_the_log_implies(events: list[str]) -> None:
    """A stack of states is the model: a decision pushes, an undo pops, a revision re-opens what is accepted.

    Each state stands beside the version that it was decided on: an acceptance of an earlier one, which an undo brings
    back, is re-opened at once.
    """
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "a.db", create=True) as store:
        run_id, review = _begin(store), _review(store)
        _save(store, run_id, PAPER)
        identifier = review.decide_paper(PAPER.arxiv_id, "W2.2", Decision(Verdict.MAYBE))["id"]
        stack, version = [("maybe", 1)], 1
        for event in events:
            logged = len(review.show(identifier)["history"])
            if event == "revise":
                version += 1
                _save(store, run_id, replace(PAPER, version=version, abstract=f"Text {version}."))
            elif event == "undo":
                if stack and stack[-1][0] != "reopened":
                    review.undo(identifier)
                    stack.pop()
                else:
                    with pytest.raises(DecisionError):
                        review.undo(identifier)
            elif stack and stack[-1] == (STATES[event], version):
                with pytest.raises(DecisionError, match="already"):
                    review.decide(identifier, Decision(Verdict(event), Stance.SUPPORTS if event == "accept" else None))
            else:
                stance = Stance.SUPPORTS if event == "accept" else None
                review.decide(identifier, Decision(Verdict(event), stance))
                stack.append((STATES[event], version))
            if stack and stack[-1][0] == "accepted" and stack[-1][1] < version:
                stack.append(("reopened", version))
            row = review.show(identifier)
            assert row["status"] == (stack[-1][0] if stack else "pending")
            assert (row["difference"] is not None) == (row["status"] == "reopened")
            if row["difference"]:
                accepted = next(decided for state, decided in reversed(stack) if state == "accepted")
                assert (row["difference"]["from_version"], row["difference"]["to_version"]) == (accepted, version)
            assert len(row["history"]) >= logged


def test_an_acceptance_that_an_undo_brings_back_is_re_opened_where_the_paper_was_withdrawn_since(
    store: Store, run_id: int
) -> None:
    _save(store, run_id, PAPER)
    review = _review(store)
    candidate = review.decide_paper(PAPER.arxiv_id, "W2.2", ACCEPT)["id"]
    review.decide(candidate, Decision(Verdict.REJECT))
    _save(store, run_id, replace(PAPER, withdrawn=True, datestamp=date(2026, 11, 24)))
    assert review.undo(candidate)["status"] == "reopened"
    review.decide(candidate, Decision(Verdict.ACCEPT, Stance.MENTIONS))  # knowing that it is withdrawn
    review.decide(candidate, Decision(Verdict.REJECT))
    assert review.undo(candidate)["status"] == "accepted"
