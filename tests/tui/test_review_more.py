"""What goes beyond the one key a paper: other phenomena, sentences, views, orders, progress, and other keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tui.sample_queue import NOW, review_of

from crawler.ranking.splitting import split_sentences
from curation.export.bibtex_text import render_paper
from curation.review import Decision, Review
from curation.tui.dialogs import MarkDialog, ProgressDialog, ReassignDialog, StanceDialog, ViewDialog
from curation.tui.keys import REVIEW_KEYS, remap
from curation.tui.progress import PAUSE_SECONDS, Progress
from curation.tui.screens import Tools
from curation.tui.spans import SpanPicker
from db.errors import SettingsError
from db.phenomena import list_phenomena
from db.records import Stance, Verdict

Look = Callable[..., str]
SIZE = (120, 40)


def tools(**changes: Any) -> Tools:
    """Return the tools as the command line makes them, without an effort."""
    made = Tools(lambda text: [(one.start, one.end) for one in split_sentences(text)], render_paper)
    return replace(made, **changes)


def make(place: Any, **options: Any) -> Any:
    """Return an app with the catalogue and the tools."""
    entries = [(entry.code, entry.title) for entry in list_phenomena(place.store)]
    return place.app(**{"entries": entries, "tools": tools()} | options)


# What is known


async def test_what_is_known_for_the_claim_stands_beside_it_newest_first(place: Any, look: Look) -> None:
    review = review_of(place.store)
    rows = [row for row in review.waiting() if row["phenomenon"] == "W1.4"]
    review.decide(rows[1]["id"], Decision(Verdict.ACCEPT, Stance.CONTRADICTS))
    review.decide(rows[2]["id"], Decision(Verdict.ACCEPT, Stance.SUPPORTS))
    app = make(place, phenomenon="W1.4")
    async with app.run_test(size=SIZE):
        seen = look(app, "#claim")
        assert "Known: 1 for it, 1 against it" in seen
        known = review.show(rows[0]["id"])["known"]
        assert [piece["published"] for piece in known] == sorted((one["published"] for one in known), reverse=True)
        places = [seen.index(f"{piece['published']} {piece['stance']}") for piece in known]
        assert places == sorted(places)


# Another phenomenon


async def test_a_paper_goes_to_another_phenomenon_and_is_decided_there_with_the_next_key(
    place: Any, look: Look
) -> None:
    app = make(place, phenomenon="H1.2")
    async with app.run_test(size=SIZE) as pilot:
        paper = app.desk.chosen["arxiv_id"]
        await pilot.press("n", *"mine", "enter", "d")
        assert isinstance(app.screen, ReassignDialog)
        await pilot.press(*"w2.2", "enter")
        assert (app.desk.chosen["arxiv_id"], app.desk.chosen["phenomenon"]) == (paper, "W2.2")
        assert "decide it there now" in look(app, "#status")
        await pilot.press("c")
    made = [(one["kind"], one["stance"], one["note"]) for one in place.decisions()]
    assert made == [("reject", None, "re-assigned to W2.2: mine"), ("accept", "contradicts", None)]


async def test_what_is_decided_there_already_is_told_and_escape_changes_nothing(place: Any, look: Look) -> None:
    review = review_of(place.store)
    best = review.waiting()[0]
    review.decide_paper(best["arxiv_id"], "W2.2", Decision(Verdict.ACCEPT, Stance.MENTIONS))
    app = make(place)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("d", "escape")
        assert len(place.decisions()) == 1
        await pilot.press("d", *"zzzz", "enter")
        assert isinstance(app.screen, ReassignDialog), "there is no such phenomenon"
        await pilot.press(*["backspace"] * 4, *"grok", "down", "up", "enter")
        assert "there it is accepted" in look(app, "#status")
        assert app.desk.chosen["id"] != best["id"]
        await pilot.press("u")
        assert app.desk.chosen["id"] == best["id"]


async def test_after_a_re_assignment_is_taken_back_only_the_own_note_is_at_hand(place: Any) -> None:
    app = make(place)
    async with app.run_test(size=SIZE) as pilot:
        waiting = len(app.desk.rows)
        await pilot.press("n", *"mine", "enter", "d", *"w2.2", "enter", "u")
        assert list(app.desk.notes.values()) == ["mine"]
        assert len(app.desk.rows) == waiting
        await pilot.press("s")
        assert place.decisions()[-1]["note"] == "mine"


async def test_another_stance_keeps_the_sentence_and_the_note(place: Any) -> None:
    app = make(place)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("n", *"why", "enter", "e", "right_square_bracket", "enter", "s", "v", "a", "f")
    first, second = place.decisions()
    assert (second["stance"], second["note"], second["sentence"]) == ("qualifies", "why", first["sentence"])


async def test_a_fault_in_telling_what_is_left_ends_no_session(place: Any, look: Look) -> None:
    def tell(code: str) -> list[dict[str, Any]]:
        raise ValueError("no such thing")

    app = make(place, tools=tools(tell_effort=tell))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("i")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "cannot be told" in look(app) and app.is_running


def test_a_re_assigned_paper_can_be_accepted_there_at_once(place: Any) -> None:
    review = review_of(place.store)
    best = review.waiting()[0]
    row = review.reassign(best["id"], "W2.2", stance=Stance.QUALIFIES, note="mine")
    assert (row["status"], row["stance"], row["phenomenon"]) == ("accepted", "qualifies", "W2.2")
    assert review.show(best["id"])["status"] == "rejected"


# The sentence


async def test_the_sentence_is_chosen_in_the_abstract_and_kept_with_the_decision(place: Any, look: Look) -> None:
    app = make(place)
    async with app.run_test(size=SIZE) as pilot:
        row = app.desk.read()
        sentences = [row["abstract"][one.start : one.end] for one in split_sentences(row["abstract"])]
        here = sentences.index(row["sentence"])
        other = sentences[here + 1] if here + 1 < len(sentences) else sentences[here - 1]
        await pilot.press("e")
        assert isinstance(app.screen, MarkDialog)
        await pilot.press("right" if here + 1 < len(sentences) else "left", "enter")
        assert app.desk.marks == {row["id"]: other}
        await pilot.press("e", "right_square_bracket", "left_curly_bracket", "enter")
        shorter = " ".join(other.split()[1:-1])
        assert " ".join(app.desk.marks[row["id"]].split()) == shorter
        await pilot.press("e", "left", "escape")
        assert " ".join(app.desk.marks[row["id"]].split()) == shorter, "escape leaves it as it was"
        await pilot.press("s")
        assert " ".join(place.decisions()[-1]["sentence"].split()) == shorter
        shown = review_of(place.store).show(row["id"])
        assert shown["abstract"][shown["sentence_start"] : shown["sentence_end"]] == shown["sentence"]
        assert " ".join(shown["sentence"].split()) == shorter
        await pilot.press("u")
        assert " ".join(app.desk.marks[row["id"]].split()) == shorter, "at hand again"
        await pilot.press("U")
        assert " ".join(place.decisions()[-1]["sentence"].split()) == shorter
        assert app.desk.marks == {}


async def test_leaving_asks_before_a_chosen_sentence_is_lost(place: Any, look: Look) -> None:
    app = make(place)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("e", "right", "enter", "q")
        assert "sentence" in look(app) and "leave without" in look(app)


@pytest.mark.parametrize("text", ["", " ", "one", "Two words. Then three more! \n and a rest", "a\u0301 b"])
def test_any_moves_leave_a_span_that_begins_and_ends_with_words(text: str) -> None:
    import random

    drawn = random.Random(text)
    picker = SpanPicker(text, [(one.start, one.end) for one in split_sentences(text)])
    for _ in range(300):
        drawn.choice((picker.go, picker.move_start, picker.move_end))(drawn.choice((-2, -1, 1, 2)))
        if picker.span is None:
            assert not text.split()
            continue
        start, end = picker.span
        assert 0 <= start < end <= len(text)
        assert picker.text == text[start:end] == picker.text.strip()


# BibTeX


async def test_the_bibtex_entry_is_copied(place: Any, look: Look) -> None:
    app = make(place)
    async with app.run_test(size=SIZE) as pilot:
        row = app.desk.read()
        await pilot.press("y")
        assert app.clipboard == render_paper(row)
        assert row["arxiv_id"] in app.clipboard and app.clipboard.startswith("@misc{")
        assert "as BibTeX" in look(app, "#status")


# Views and orders


async def test_what_was_put_aside_or_decided_is_found_and_decided_anew(place: Any, look: Look) -> None:
    app = make(place)
    async with app.run_test(size=SIZE) as pilot:
        best = app.desk.chosen["id"]
        await pilot.press("b", "v")
        assert isinstance(app.screen, ViewDialog)
        await pilot.press("b")
        assert [row["id"] for row in app.desk.rows] == [best]
        assert "maybe" in look(app, "#status")
        await pilot.press("c")
        assert app.desk.rows == [] and "Nothing here" in look(app)
        await pilot.press("v", "a")
        assert [row["stance"] for row in app.desk.rows] == ["contradicts"]
        await pilot.press("s")
        assert [row["stance"] for row in app.desk.rows] == ["supports"], "it stays in view as it stands now"
        await pilot.press("r")
        assert app.desk.rows == []
        await pilot.press("v", "r")
        assert [row["id"] for row in app.desk.rows] == [best]
        await pilot.press("v", "w")
        assert len(app.desk.rows) == 11
    assert [one["kind"] for one in place.decisions()] == ["maybe", "accept", "accept", "reject"]


async def test_conflicts_are_seen_with_both_sides_and_settled_with_a_key(place: Any, look: Look) -> None:
    best = review_of(place.store).waiting()[0]["id"]
    for name, decision in (("grace", Decision(Verdict.REJECT)), ("ben", Decision(Verdict.ACCEPT, Stance.SUPPORTS))):
        Review(place.store, reviewer=name, clock=lambda: NOW, blind=True).decide(best, decision)
    app = make(place)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("v", "x")
        assert [row["id"] for row in app.desk.rows] == [best]
        seen = look(app, "#claim")
        assert "Decided differently" in seen and "rejected, grace" in seen and "accepted as supports, ben" in seen
        await pilot.press("f")
        assert app.desk.rows == []
    assert review_of(place.store).conflicts() == []


async def test_a_blind_reviewer_sees_no_conflicts(place: Any, look: Look) -> None:
    app = make(place, review=Review(place.store, reviewer="ada", clock=lambda: NOW, blind=True))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("v", "x")
        assert app.desk.view == "waiting" and len(app.desk.rows) == 12
        assert any("blind" in note.message for note in app._notifications)


async def test_the_list_stands_best_first_by_phenomenon_or_newest_first(place: Any, look: Look) -> None:
    app = make(place)
    codes = [entry.code for entry in list_phenomena(place.store)]
    async with app.run_test(size=SIZE) as pilot:
        opened = app.desk.chosen["id"]
        best = [row["id"] for row in app.desk.rows]
        await pilot.press("S")
        groups = [row["phenomenon"] for row in app.desk.rows]
        assert groups == sorted(groups, key=codes.index)
        heads = [row["phenomenon"] for row in app.desk.rows if row["heads_group"]]
        assert heads == list(dict.fromkeys(groups))
        assert app.desk.chosen["id"] == opened, "the same paper is open"
        await pilot.press("S")
        days = [row["published"] for row in app.desk.rows]
        assert days == sorted(days, reverse=True)
        last = app.desk.rows[-1]
        app.desk.reorder({last["id"]: 0.99})
        assert app.desk.rows[-1]["id"] == last["id"], "a better score makes no paper newer"
        await pilot.press("S", "R")
        assert [row["id"] for row in app.desk.rows] == best


async def test_only_this_phenomenon_and_all_again(place: Any) -> None:
    app = make(place)
    async with app.run_test(size=SIZE) as pilot:
        code = app.desk.chosen["phenomenon"]
        await pilot.press("P")
        assert {row["phenomenon"] for row in app.desk.rows} == {code}
        await pilot.press("P")
        assert len(app.desk.rows) == 12


async def test_the_filter_looks_into_the_sentence(place: Any) -> None:
    app = make(place)
    async with app.run_test(size=SIZE) as pilot:
        word = app.desk.chosen["sentence"].split()[-1].strip(".")
        await pilot.press("slash", *word, "enter")
        assert app.desk.rows and all(word.casefold() in str(row).casefold() for row in app.desk.rows)


# Progress


def test_pauses_do_not_count_and_what_is_taken_back_is_told() -> None:
    now = [0.0]
    progress = Progress(lambda: now[0])
    for seconds in (10, 20, 30, PAUSE_SECONDS + 1):
        now[0] += seconds
        progress.count(Decision(Verdict.REJECT))
    assert progress.seconds == 60
    assert progress.rate == 4
    progress.take_back(Decision(Verdict.REJECT))
    progress.take_back(Decision(Verdict.MAYBE))  # of an earlier session
    assert (progress.made["reject"], progress.taken_back) == (3, 1)


async def test_the_progress_tells_what_is_done_and_then_what_is_left(place: Any, look: Look) -> None:
    asked: list[str] = []

    def tell(code: str) -> list[dict[str, Any]]:
        asked.append(code)
        return [{"recall": 0.95, "more": 34}]

    app = make(place, tools=tools(tell_effort=tell))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("s", "r", "r", "i")
        assert isinstance(app.screen, ProgressDialog)
        await app.workers.wait_for_complete()
        await pilot.pause()
        seen = look(app)
        assert "3 decided" in seen and "2 reject" in seen and "1 supports" in seen
        assert "34 for 95%" in seen
        assert asked == [app.desk.chosen["phenomenon"]]


# Keys


async def test_other_keys_do_the_same_and_are_listed(place: Any, look: Look) -> None:
    app = make(place, keys=["reject=s", "supports=f5,r", "help=h"])
    async with app.run_test(size=SIZE) as pilot:
        assert "s reject" in look(app, "#keys") and "h keys" in look(app, "#keys")
        await pilot.press("s", "r", "f5")
        assert [one["kind"] for one in place.decisions()] == ["reject", "accept", "accept"]
        await pilot.press("a")
        assert isinstance(app.screen, StanceDialog)
        assert "f5 r supports" in look(app)
        await pilot.press("r", "h")
        assert place.decisions()[-1]["stance"] == "supports"
        assert "f5 r" in look(app)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (["rejct=x"], "no 'rejct'"),
        (["reject=u"], "both"),
        (["reject=x,x"], "both"),
        (["reject=question_mark"], "both"),
        (["help=slash"], "both"),
        (["reject=hyper+x"], "is no key"),
        (["reject=nosuchkey"], "is no key"),
        (["reject=x,"], "is no key"),
    ],
)
def test_keys_that_do_not_hold_are_refused(keys: list[str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        remap(keys)


def test_every_key_has_a_name_of_its_own() -> None:
    names = [binding.id for binding in REVIEW_KEYS]
    assert all(names) and len(set(names)) == len(names)
    assert remap([]) == REVIEW_KEYS
