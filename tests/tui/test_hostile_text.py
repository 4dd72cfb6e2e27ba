"""Whatever a paper, a catalogue or a note holds, the screen shows it as text and sends the terminal nothing else."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.segment import Segment
from tui.sample_queue import HITS, Hit, fill, review_of, sample_papers

from curation.review import Decision
from curation.tui.app import ReviewApp
from db.errors import DecisionError
from db.records import Aspect, Criteria, Phenomenon, Verdict

MARKUP = ("Attention [/] is all", "[@click=app.quit]press me[/]", "x [red]y", "[link=https://a.b]z", "$[a,b]$ [", "[[", r"\[b]")
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
WIDE_TEXT = ("大規模言語モデルのスケーリング則" * 8, "🧪👩🏽‍🔬 emoji 🚀" * 10, "x" * 5000, "é" * 300, "\u0301\u0301\u0301", "")
HOSTILE = (*MARKUP, *CONTROL, *WIDE_TEXT)
UNSAFE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
Look = Callable[[ReviewApp], str]


def entry(text: str) -> Phenomenon:
    return Phenomenon(
        code="H1.1",
        aspect=Aspect.HOW,
        group=text or "g",
        title=text or "t",
        statement=text or "s",
        keywords=(text, "loss ("),
        criteria=Criteria((text,), (text,), (text,)),
    )


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


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:24])
async def test_hostile_text_stays_text_on_every_screen(empty_place: Any, text: str) -> None:
    papers = [
        replace(
            paper,
            title=text,
            abstract=f"{text} Evidence {text}. {text}" if text else "",
            authors=(text,) * 6,
            categories=("cs.LG",),
            comments=text,
            journal_ref=text,
            doi=text,
        )
        for paper in sample_papers()[:3]
    ]
    hits = [Hit(paper.arxiv_id, "H1.1", 0.5, None) for paper in papers]
    hits[0] = Hit(papers[0].arxiv_id, "H1.1", 0.9, "Evidence" if text else None)
    fill(empty_place.store, papers, [entry(text)], hits)
    review = review_of(empty_place.store, reviewer=f"r{text}")
    best = review.waiting()[0]["id"]
    review.decide(best, Decision(Verdict.REJECT, note=text or None))
    review.undo(best)
    app = empty_place.app(review)
    for size in ((80, 24), (160, 48)):
        app = empty_place.app(review)
        async with app.run_test(size=size) as pilot:
            for keys in (
                ("n",), ("enter",), ("j",), ("enter",), ("enter",), ("a",), ("escape",), ("z",), ("escape",),
                ("question_mark",), ("escape",), ("o",), ("slash", *"zzz"), ("escape",), ("t",), ("r",), ("u",),
            ):  # fmt: skip
                await pilot.press(*keys)
                await pilot.pause()
                assert_harmless(app)
            assert app.is_running


@pytest.mark.parametrize("text", MARKUP)
async def test_markup_is_shown_letter_by_letter(place: Any, look: Look, text: str) -> None:
    place.store.connection.execute("UPDATE revisions SET title = ?, abstract = ?", (text, f"{text} and {text}"))
    app = place.app()
    async with app.run_test(size=(160, 48)):
        assert look(app).count(text) >= 4


class Refusing:
    """Stands for a review that refuses with the words of a hostile paper."""

    def __init__(self, review: Any, text: str) -> None:
        self._review, self._text = review, text

    def __getattr__(self, name: str) -> Any:
        return getattr(self._review, name)

    def decide(self, candidate_id: int, decision: Decision) -> None:
        raise DecisionError(self._text, self._text)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:24])
async def test_a_notice_is_shown_as_text(place: Any, text: str) -> None:
    app = place.app(Refusing(review_of(place.store), text))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("s")
        await pilot.pause()
        assert_harmless(app)
        assert app.is_running


@pytest.mark.parametrize("text", [*CONTROL, *MARKUP], ids=lambda text: ascii(text)[:24])
async def test_what_is_pasted_is_cleaned(place: Any, text: str) -> None:
    from textual import events

    app = place.app()
    async with app.run_test(size=(80, 24)) as pilot:
        for key in ("slash", "n"):
            await pilot.press(key)
            assert app.focused is not None
            app.focused.post_message(events.Paste(f"a{text}b"))
            await pilot.pause()
            assert_harmless(app)
            await pilot.press("enter")
            await pilot.pause()
            assert_harmless(app)
            await pilot.press("escape")


def test_the_sample_hits_have_evidence_that_is_in_their_abstracts() -> None:
    abstracts = {paper.arxiv_id: paper.abstract for paper in sample_papers()}
    assert all(hit.opening is None or hit.opening in abstracts[hit.arxiv_id] for hit in HITS)
