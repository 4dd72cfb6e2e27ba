"""Whatever a paper, a catalogue or a note holds, the screen shows it as text and sends the terminal nothing else."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.segment import Segment
from textual import events
from tui.sample_queue import HITS, NOW, Hit, fill, review_of, sample_papers

from crawler.ranking.splitting import split_sentences
from curation.export.bibtex_text import render_paper
from curation.review import Decision, Review
from curation.tui.app import ReviewApp
from curation.tui.screens import Tools
from db.decisions import reopen_accepted
from db.errors import DecisionError
from db.phenomena import list_phenomena
from db.records import Aspect, Criteria, Phenomenon, Stance, Verdict
from db.times import to_text

MARKUP = (
    "Attention [/] is all",
    "[@click=app.quit]press me[/]",
    "x [red]y",
    "[link=https://a.b]z",
    "$[a,b]$ [",
    "[[",
    r"\[b]",
)
CONTROL = (
    "\x1b[31mred\x1b[2J",
    "\x1b]0;title\x07",
    "\x1b]52;c;ZXZpbA==\x1b\\",
    "\x9b31mC1",
    "\u202eright to left",
    "zero\u200bwidth\u2060\ufeff",
    "bell\x07back\x08del\x7f",
    "tab\there\r\nand\x0bthere",
    "line\u2028par\u2029",
    "tag\U000e0041s",
)
WIDE_TEXT = (
    "大規模言語モデルのスケーリング則" * 8,
    "🧪👩🏽‍🔬 emoji 🚀" * 10,
    "x" * 5000,
    "é" * 300,
    "\u0301\u0301\u0301",
    "",
)
HOSTILE = (*MARKUP, *CONTROL, *WIDE_TEXT)
UNSAFE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
Look = Callable[..., str]


def entry(code: str, text: str) -> Phenomenon:
    return Phenomenon(
        code=code,
        aspect=Aspect.HOW,
        group=text or "g",
        title=text or "t",
        statement=text or "s",
        keywords=(text, "loss ("),
        criteria=Criteria((text,), (text,), (text,)),
    )


@pytest.fixture
def hostile_place(empty_place: Any) -> Any:
    """A database whose every text is hostile, a paper and a phenomenon for each; each was decided and undone once."""
    papers = [
        replace(
            paper,
            title=text,
            abstract=f"{text} Evidence {text}. {text}" if text else "",
            authors=(text,) * 6,
            comments=text,
            journal_ref=text,
            doi=text,
        )
        for paper, text in zip({p.arxiv_id: p for p in sample_papers()}.values(), HOSTILE, strict=False)
    ]
    codes = [f"H1.{number}" for number in range(len(HOSTILE))]
    hits = [
        Hit(paper.arxiv_id, code, 0.9, "Evidence" if paper.abstract else None)
        for paper, code in zip(papers, codes, strict=True)
    ]
    fill(empty_place.store, papers, [entry(code, text) for code, text in zip(codes, HOSTILE, strict=True)], hits)
    for candidate, text in zip(review_of(empty_place.store).waiting(), HOSTILE, strict=True):
        review = review_of(empty_place.store, reviewer=f"r{text}")
        review.decide(candidate["id"], Decision(Verdict.REJECT, note=text or None))
        review.undo(candidate["id"])
    return empty_place


def assert_harmless(app: ReviewApp) -> None:
    for strip in app.screen._compositor.render_strips():
        for segment in strip:
            assert_plain(segment)


def assert_plain(segment: Segment) -> None:
    assert not segment.control
    bad = [character for character in segment.text if unicodedata.category(character) in UNSAFE]
    assert not bad, (segment.text, bad)
    if segment.style:
        assert not segment.style.link
        assert "@click" not in segment.style.meta, segment  # scroll bars have `@mouse.down`


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_hostile_text_stays_text_on_every_paper(hostile_place: Any, size: tuple[int, int]) -> None:
    app = hostile_place.app()
    async with app.run_test(size=size) as pilot:
        for _ in HOSTILE:
            await pilot.pause()
            assert_harmless(app)
            await pilot.press("j")
        assert app.desk.index == len(HOSTILE) - 1 and app.is_running


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_hostile_text_stays_text_in_what_changed(hostile_place: Any, look: Look, size: tuple[int, int]) -> None:
    store, review = hostile_place.store, review_of(hostile_place.store)
    for candidate, text in zip(review.waiting(), reversed(HOSTILE), strict=True):
        review.decide(candidate["id"], Decision(Verdict.ACCEPT, stance=Stance.SUPPORTS))
        with store.transaction():
            store.connection.execute(
                "INSERT INTO revisions (arxiv_id, version, title, abstract, text_hash, submitted_at, run_id)"
                " SELECT arxiv_id, 9, ?, ?, ?, submitted_at, run_id FROM revisions WHERE arxiv_id = ?",
                (text, f"Now {text} {text}", "0" * 64, candidate["arxiv_id"]),
            )
            store.connection.execute(
                "UPDATE papers SET comments = ?, withdrawn = ?, revision_id ="
                " (SELECT max(revision_id) FROM revisions r WHERE r.arxiv_id = papers.arxiv_id) WHERE arxiv_id = ?",
                (text, int(candidate["id"] % 2), candidate["arxiv_id"]),
            )
            reopen_accepted(store, candidate["arxiv_id"], text, now=to_text(NOW))
    app = hostile_place.app()
    async with app.run_test(size=size) as pilot:
        for _ in HOSTILE:
            await pilot.pause()
            assert_harmless(app)
            assert "Re-opened:" in look(app, "#abstract")
            await pilot.press("j")
        assert app.desk.index == len(HOSTILE) - 1 and app.is_running


@pytest.mark.parametrize("place_in_queue", range(0, len(HOSTILE), 4))
async def test_hostile_text_stays_text_in_every_dialog(hostile_place: Any, place_in_queue: int) -> None:
    review = review_of(hostile_place.store, reviewer=f"r{HOSTILE[place_in_queue]}")
    app = hostile_place.app(review)
    async with app.run_test(size=(80, 24)) as pilot:
        app.desk.go_to(place_in_queue)
        for keys in (("r",), ("u",), ("n",), ("enter",), ("enter",), ("a", "escape"), ("o",), ("slash", "z"), ("q",)):
            await pilot.press(*keys)
            await pilot.pause()
            assert_harmless(app)
        assert app.is_running


@pytest.mark.parametrize("place_in_queue", range(len(HOSTILE)))
async def test_hostile_text_stays_text_in_the_newer_screens(hostile_place: Any, place_in_queue: int) -> None:
    """Another phenomenon, the sentence, BibTeX, views and orders, with hostile names on both sides of a conflict."""
    text = HOSTILE[place_in_queue]
    key = hostile_place.store.value("SELECT max(candidate_id) FROM candidates")
    for number, stance in enumerate((Stance.SUPPORTS, Stance.CONTRADICTS)):
        name = f"{text}{number}"[-100:]
        blind = Review(hostile_place.store, reviewer=name, clock=lambda: NOW, blind=True)
        blind.decide(key, Decision(Verdict.ACCEPT, stance, note=text))
    entries = [(one.code, one.title) for one in list_phenomena(hostile_place.store)]
    split = Tools(lambda abstract: [(one.start, one.end) for one in split_sentences(abstract)], render_paper)
    app = hostile_place.app(entries=entries, tools=split)
    strokes: tuple[tuple[str, ...], ...] = (
        ("d",), ("o",), ("down", "escape"), ("e",), ("right",), ("left_curly_bracket", "enter"), ("y",), ("S",), ("S",),
        ("P",), ("P",), ("i",), ("escape", "v"), ("x",), ("v", "a"), ("v", "w"), ("d", "down", "enter"), ("u",), ("U",),
    )  # fmt: skip
    async with app.run_test(size=(80, 24)) as pilot:
        app.desk.go_to(place_in_queue)
        for keys in strokes:
            await pilot.press(*keys)
            await pilot.pause()
            assert_harmless(app)
        assert app.is_running


@pytest.mark.parametrize("text", MARKUP)
async def test_markup_is_shown_letter_by_letter(place: Any, look: Look, text: str) -> None:
    place.store.connection.execute("UPDATE revisions SET title = ?, abstract = ?", (text, f"{text} and {text}"))
    app = place.app()
    async with app.run_test(size=(160, 48)):
        for part in ("#queue", "#head", "#abstract"):
            assert text in look(app, part)


class Refusing:
    """Stands for a review that refuses with the words of a hostile paper."""

    def __init__(self, review: Any) -> None:
        self._review, self.text = review, ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._review, name)

    def decide(self, candidate_id: int, decision: Decision, **_: object) -> None:
        raise DecisionError(self.text, self.text)


async def test_a_notice_is_shown_as_text(place: Any, look: Look) -> None:
    refusing = Refusing(review_of(place.store))
    app = place.app(refusing)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        for text in HOSTILE:
            refusing.text = text
            await pilot.press("s")
            await pilot.pause()
            assert_harmless(app)
            app.clear_notifications()
        refusing.text = MARKUP[0]
        await pilot.press("s")
        await pilot.pause()
        assert MARKUP[0] in look(app, "Toast") and app.is_running


@pytest.mark.parametrize("key", ["slash", "n"])
async def test_what_is_pasted_is_cleaned(place: Any, key: str) -> None:
    app = place.app()
    async with app.run_test(size=(80, 24)) as pilot:
        for text in (*CONTROL, *MARKUP):
            await pilot.press(key)
            assert app.focused is not None
            app.focused.post_message(events.Paste(f"a{text}b"))
            await pilot.pause()
            assert_harmless(app)
            await pilot.press("enter")
            assert_harmless(app)


def test_the_sample_hits_have_evidence_that_is_in_their_abstracts() -> None:
    abstracts = {paper.arxiv_id: paper.abstract for paper in sample_papers()}
    assert all(hit.opening is None or hit.opening in abstracts[hit.arxiv_id] for hit in HITS)
