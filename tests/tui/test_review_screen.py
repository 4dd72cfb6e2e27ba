"""Keys go in, rows of the database come out."""

from __future__ import annotations

import sqlite3
import webbrowser
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tui.sample_queue import HITS, NOW, review_of

from curation.review import Decision, Review
from curation.tui.dialogs import HelpDialog, LeaveDialog, NoteDialog, SnoozeDialog, StanceDialog, UndoDialog
from curation.tui.screens import ReviewScreen
from curation.tui.widgets import QueueList, TextPane
from db.phenomena import list_phenomena
from db.records import Stance, Verdict
from db.store import Row

NARROW = (80, 24)
WIDE = (160, 48)
Look = Callable[..., str]
NOTICE = "Toast"


@pytest.mark.parametrize(
    ("key", "kind", "stance"),
    [
        ("s", "accept", "supports"),
        ("c", "accept", "contradicts"),
        ("f", "accept", "qualifies"),
        ("m", "accept", "mentions"),
        ("r", "reject", None),
        ("b", "maybe", None),
    ],
)
async def test_one_key_decides(place: Any, key: str, kind: str, stance: str | None) -> None:
    app = place.app()
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press(key)
        (made,) = place.decisions()
    assert (made["kind"], made["stance"], made["reviewer"]) == (kind, stance, "ada")
    assert place.store.value("SELECT arxiv_id FROM candidates WHERE candidate_id = ?", (made["candidate_id"],)) == (
        HITS[0].arxiv_id
    )


@pytest.mark.parametrize(
    ("key", "stance"), [("s", "supports"), ("c", "contradicts"), ("f", "qualifies"), ("m", "mentions")]
)
async def test_accept_asks_for_the_stance(place: Any, key: str, stance: str) -> None:
    app = place.app()
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("a")
        assert isinstance(app.screen, StanceDialog)
        await pilot.press(key)
        assert [made["stance"] for made in place.decisions()] == [stance]


@pytest.mark.parametrize(("key", "leave"), [("a", "escape"), ("a", "q"), ("z", "escape"), ("n", "escape")])
async def test_a_question_can_be_left_without_a_decision(place: Any, key: str, leave: str) -> None:
    app = place.app()
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press(key, leave)
        assert isinstance(app.screen, ReviewScreen)
        assert place.decisions() == []


async def test_a_decided_paper_leaves_the_list_and_the_next_one_is_open(place: Any, look: Look) -> None:
    app = place.app()
    async with app.run_test(size=WIDE) as pilot:
        assert "Twenty Tokens per Parameter" in look(app)
        await pilot.press("s")
        assert "Twenty Tokens per Parameter" not in look(app)
        assert app.desk.chosen is not None and app.desk.chosen["arxiv_id"] == HITS[1].arxiv_id
        assert "We train 412 decoder-only" in look(app, "#abstract")
        assert "accepted as supports - u undoes" in look(app)
        assert "1 of 11" in look(app) and "1 decided" in look(app)


class WatchedReview(Review):
    """A review that notes what was on disk each time a paper was read for the screen."""

    def watch(self, count: Callable[[], int]) -> list[tuple[int, int]]:
        self._count, self._seen = count, list[tuple[int, int]]()
        return self._seen

    def show(self, candidate_id: int, *, hide_score: bool = False) -> Row:
        self._seen.append((candidate_id, self._count()))
        return super().show(candidate_id, hide_score=hide_score)


async def test_a_decision_is_on_disk_before_the_next_paper_is_read(place: Any) -> None:
    review = WatchedReview(place.store, reviewer="ada", clock=lambda: NOW)
    seen = review.watch(lambda: len(place.decisions()))
    first, second = (row["id"] for row in review.waiting()[:2])
    async with place.app(review).run_test(size=NARROW) as pilot:
        await pilot.press("r")
    assert seen[0] == (first, 0)
    assert [on_disk for candidate, on_disk in seen if candidate == second] == [1]


async def test_the_whole_queue_can_be_decided_and_then_says_what_to_do(place: Any, look: Look) -> None:
    app = place.app()
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press(*["r"] * len(HITS))
        assert len(place.decisions()) == len(HITS)
        assert "The queue is empty: 12 decisions made" in look(app)
        assert "bmp nightly" in look(app) and "bmp status" in look(app)
        await pilot.press("s", "r", "a", "z", "n", "o", "b", "j", "k", "g", "G", "enter", "space")
        assert len(place.decisions()) == len(HITS)
        await pilot.press("u", "q")
    assert app.return_value == len(HITS) - 1


async def test_an_empty_queue_is_friendly(empty_place: Any, look: Look) -> None:
    app = empty_place.app()
    async with app.run_test(size=NARROW) as pilot:
        assert "Nothing waits for you" in look(app)
        assert "bmp nightly" in look(app) and "bmp status" in look(app)
        await pilot.press("u", "s", "j")
        assert app.is_running


async def test_undo_brings_the_paper_back_and_opens_it(place: Any, look: Look) -> None:
    app = place.app()
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("j", "j", "c", "g", "u")
        assert [made["kind"] for made in place.decisions()] == ["accept", "undo"]
        assert app.desk.chosen is not None and app.desk.chosen["arxiv_id"] == HITS[2].arxiv_id
        assert len(app.desk.rows) == len(HITS) and app.desk.decided == []
        assert "no longer accepted as contradicts" in look(app)


async def test_undo_reaches_an_earlier_session_of_the_same_reviewer_only(place: Any, look: Look) -> None:
    earlier = review_of(place.store)
    other = review_of(place.store, "grace")
    hers, mine = earlier.waiting()[3]["id"], earlier.waiting()[4]["id"]
    earlier.decide(mine, Decision(Verdict.REJECT))
    other.decide(hers, Decision(Verdict.REJECT))
    app = place.app()
    async with app.run_test(size=NARROW, notifications=True) as pilot:
        await pilot.press("u")
        assert isinstance(app.screen, UndoDialog) and "rejected, ada" in look(app)
        await pilot.press("n")
        assert isinstance(app.screen, ReviewScreen) and len(place.decisions()) == 2
        await pilot.press("u", "u")
        assert app.desk.chosen is not None and app.desk.chosen["id"] == mine
        await pilot.press("u")
        await pilot.pause()
        assert "ada has no decision to undo" in look(app, NOTICE)
    assert [made["kind"] for made in place.decisions()] == ["reject", "reject", "undo"]


async def test_what_was_taken_back_can_be_done_again_in_turn(place: Any, look: Look) -> None:
    app = place.app()
    async with app.run_test(size=NARROW, notifications=True) as pilot:
        await pilot.press("s", "r", "b", "u", "u", "U")
        assert [made["kind"] for made in place.decisions()] == ["accept", "reject", "maybe", "undo", "undo", "reject"]
        assert "rejected again" in look(app)
        await pilot.press("U")
        assert [made["kind"] for made in place.decisions()][-1] == "maybe" and len(app.desk.decided) == 3
        await pilot.press("U")
        await pilot.pause()
        assert "nothing was taken back in this session" in look(app, NOTICE)
        await pilot.press("u", "s", "U")  # a new decision ends what could be done again
        assert [made["kind"] for made in place.decisions()][-2:] == ["undo", "accept"]


async def test_what_is_done_again_keeps_stance_note_and_day(place: Any) -> None:
    app = place.app()
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("n", *"hm", "enter", "c", "z", "enter", "u", "u", "U", "U")
    first, second, *_, third, fourth = place.decisions()
    for made, again in ((first, third), (second, fourth)):
        assert [made[name] for name in ("kind", "stance", "note", "until")] == [
            again[name] for name in ("kind", "stance", "note", "until")
        ]


async def test_a_decision_of_another_window_is_not_done_over_by_a_redo(place: Any, look: Look) -> None:
    app = place.app()
    async with app.run_test(size=NARROW, notifications=True) as pilot:
        await pilot.press("s", "u")
        assert app.desk.chosen is not None
        review_of(place.store, "grace").decide(app.desk.chosen["id"], Decision(Verdict.MAYBE))
        await pilot.press("U")
        await pilot.pause()
        assert "changed meanwhile: maybe by grace" in look(app, NOTICE)
    assert [made["kind"] for made in place.decisions()] == ["accept", "undo", "maybe"]


async def test_two_decisions_on_one_paper_can_both_be_done_again(place: Any) -> None:
    review = review_of(place.store)
    best = review.waiting()[0]["id"]
    review.decide(best, Decision(Verdict.MAYBE))
    review.decide(best, Decision(Verdict.REJECT))
    app = place.app()
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("u", "y", "u", "y", "U", "U")
    assert [made["kind"] for made in place.decisions()] == ["maybe", "reject", "undo", "undo", "maybe", "reject"]


async def test_the_same_papers_other_candidates_are_at_hand(place: Any, look: Look) -> None:
    app = place.app()
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        assert app.desk.chosen is not None
        paper, code = app.desk.chosen["arxiv_id"], app.desk.chosen["phenomenon"]
        other = next(entry for entry in list_phenomena(place.store) if entry.code != code)
        review_of(place.store, "grace").decide_paper(paper, other.code, Decision(Verdict.ACCEPT, Stance.QUALIFIES))
        await pilot.press("R")
        (told,) = app.desk.read()["others"]
        assert (told["phenomenon"], told["status"], told["stance"]) == (other.code, "accepted", "qualifies")
        claim = app.screen.query_one("#claim", TextPane)
        claim.scroll_end(animate=False)
        await pilot.pause()
        assert f"{other.code} accepted (qualifies)" in look(app, "#claim")


async def test_undo_finds_a_paper_that_the_filter_hides(place: Any) -> None:
    app = place.app()
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("s", "slash", *"grok", "enter", "u")
        assert app.desk.chosen is not None and app.desk.chosen["arxiv_id"] == HITS[0].arxiv_id
        assert app.desk.words == ""


async def test_undo_tells_where_a_paper_is_that_does_not_wait_again(place: Any, look: Look) -> None:
    review = review_of(place.store)
    best = review.waiting()[0]["id"]
    review.decide(best, Decision(Verdict.MAYBE))
    review.decide(best, Decision(Verdict.REJECT))
    app = place.app()
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("u", "y")
        assert "no longer rejected (0001.00007, H1.2: now maybe, not in this list)" in look(app)


async def test_snooze_offers_a_week(place: Any) -> None:
    app = place.app()
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("z")
        assert isinstance(app.screen, SnoozeDialog)
        await pilot.press("enter")
        (made,) = place.decisions()
    assert (made["kind"], made["until"]) == ("snooze", (NOW.date() + timedelta(days=7)).isoformat())


@pytest.mark.parametrize(("typed", "until"), [("30", "2026-12-21"), ("2027-01-15", "2027-01-15")])
async def test_snooze_takes_days_or_a_date(place: Any, typed: str, until: str) -> None:
    app = place.app()
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("z", *typed, "enter")
        assert [made["until"] for made in place.decisions()] == [until]
        assert len(app.desk.rows) == len(HITS) - 1


@pytest.mark.parametrize("typed", ["0", "2026-11-21", "2020-01-01", "soon", "99999", "2026-13-01"])
async def test_snooze_refuses_what_is_not_in_the_future_and_asks_again(place: Any, typed: str) -> None:
    app = place.app()
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("z", *typed, "enter")
        assert isinstance(app.screen, SnoozeDialog)
        assert place.decisions() == []


async def test_a_note_is_kept_with_the_next_decision_and_comes_back_with_undo(place: Any, look: Look) -> None:
    app = place.app()
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("n", *"table", "space", "3", "enter")
        assert "table 3" in look(app, "#claim")
        assert place.decisions() == []
        await pilot.press("j", "r", "k", "s")
        assert [made["note"] for made in place.decisions()] == [None, "table 3"]
        await pilot.press("u")
        assert app.desk.note == "table 3"
        await pilot.press("n")
        assert isinstance(app.screen, NoteDialog)
        await pilot.press("ctrl+u", "enter")
        assert app.desk.note == ""


async def test_leaving_asks_when_a_note_would_be_lost(place: Any) -> None:
    app = place.app()
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("r", "n", *"hm", "enter", "q")
        assert isinstance(app.screen, LeaveDialog)
        await pilot.press("escape")
        assert isinstance(app.screen, ReviewScreen)
        await pilot.press("q", "q")
    assert app.return_value == 1


async def test_the_filter_takes_words_of_title_and_code(place: Any, look: Look) -> None:
    app = place.app()
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("slash", *"w2.2", "space", *"GROKKING", "enter")
        assert [row["arxiv_id"] for row in app.desk.rows] == ["0001.00018", "0001.00016"]
        assert "1 of 2" in look(app)
        await pilot.press("j", "r")
        assert [row["arxiv_id"] for row in app.desk.rows] == ["0001.00018"]
        await pilot.press("slash", *"zzz")
        assert "Nothing waits with “zzz”" in look(app)
        await pilot.press("escape")
        assert len(app.desk.rows) == len(HITS) - 1


async def test_letters_typed_into_the_filter_decide_nothing(place: Any) -> None:
    app = place.app()
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("slash", *"scramble", "space", "q")
        assert app.is_running and place.decisions() == []


async def test_the_keys_move(place: Any) -> None:
    app = place.app()
    async with app.run_test(size=NARROW) as pilot:
        places = []
        for key in ("j", "down", "k", "up", "k", "G", "j", "g", "end", "home"):
            await pilot.press(key)
            places.append(app.desk.index)
    assert places == [1, 2, 1, 0, 0, 11, 11, 0, 11, 0]


async def test_a_click_opens_a_row(place: Any) -> None:
    app = place.app()
    async with app.run_test(size=NARROW) as pilot:
        await pilot.click(QueueList, offset=(10, 2))
        assert app.desk.index == 2


async def test_space_reads_on(place: Any) -> None:
    app = place.app()
    async with app.run_test(size=NARROW) as pilot:
        await pilot.pause()
        pane = app.screen.query_one("#abstract")
        before = pane.scroll_offset.y
        await pilot.press("space")
        await pilot.pause()
        further = pane.scroll_offset.y
        await pilot.press("pageup", "pageup")
        await pilot.pause()
        assert pane.scroll_offset.y < before < further


async def test_only_one_phenomenon_can_be_reviewed(place: Any, look: Look) -> None:
    app = place.app(phenomenon="W1.4")
    async with app.run_test(size=NARROW) as pilot:
        assert {row["phenomenon"] for row in app.desk.rows} == {"W1.4"}
        assert "1 of 3 W1.4" in look(app)
        await pilot.press("r", "r", "r")
        assert "for W1.4" in look(app)


async def test_open_hands_the_address_to_the_browser(place: Any, look: Look) -> None:
    app = place.app()
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("o")
        await pilot.press("p")
        assert place.opened == ["https://arxiv.org/abs/0001.00007v1", "https://arxiv.org/pdf/0001.00007v1"]


async def test_without_a_browser_the_address_is_said(place: Any, look: Look) -> None:
    def refuse(url: str) -> None:
        raise webbrowser.Error("none")

    app = place.app(open_url=refuse)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("o")
        assert "no browser here: https://arxiv.org/abs/0001.00007v1" in look(app)


async def test_help_names_every_key(place: Any, look: Look) -> None:
    app = place.app()
    async with app.run_test(size=(120, 60)) as pilot:
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpDialog)
        seen = look(app)
        for binding in ReviewScreen.BINDINGS:
            assert binding.tooltip in seen, binding
        await pilot.press("question_mark")
        assert isinstance(app.screen, ReviewScreen)


async def test_the_light_theme_is_one_key_away_and_the_dark_one_comes_back(place: Any) -> None:
    app = place.app()
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("t")
        assert not app.current_theme.dark
        await pilot.press("t")
        assert app.current_theme.dark


class FailingReview(Review):
    """A review whose database fails."""

    broken = True

    def decide(self, candidate_id: int, decision: Decision, *, seen: Row | None = None) -> Row:
        if self.broken:
            raise sqlite3.OperationalError("database is [red]locked")
        return super().decide(candidate_id, decision, seen=seen)


async def test_a_failing_database_is_said_and_nothing_is_lost(place: Any, look: Look) -> None:
    review = FailingReview(place.store, reviewer="ada", clock=lambda: NOW)
    app = place.app(review)
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await pilot.press("n", *"hm", "enter", "s")
        await pilot.pause()
        assert "database is [red]locked" in look(app, NOTICE)
        assert place.decisions() == [] and app.desk.index == 0 and len(app.desk.rows) == len(HITS)
        review.broken = False
        await pilot.press("s")
        assert [made["note"] for made in place.decisions()] == ["hm"]


async def test_a_candidate_that_vanished_meanwhile_is_said(place: Any, look: Look) -> None:
    app = place.app()
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        assert app.desk.chosen is not None
        place.store.connection.execute("DELETE FROM candidates WHERE candidate_id = ?", (app.desk.chosen["id"],))
        await pilot.press("s")
        await pilot.pause()
        assert "there is no candidate" in look(app, NOTICE)
        await pilot.press("R", "s")
        assert [made["kind"] for made in place.decisions()] == ["accept"]


async def test_a_decision_of_a_second_window_is_never_overwritten_unseen(place: Any, look: Look) -> None:
    app = place.app()
    async with app.run_test(size=NARROW, notifications=True) as pilot:
        assert app.desk.chosen is not None
        review_of(place.store, "grace").decide(app.desk.chosen["id"], Decision(Verdict.MAYBE))
        await pilot.press("r")
        assert [(made["kind"], made["reviewer"]) for made in place.decisions()] == [("maybe", "grace")]
        await pilot.pause()
        assert "changed meanwhile: maybe by grace" in look(app, NOTICE)
        await pilot.press("R")
        assert len(app.desk.rows) == len(HITS) - 1
