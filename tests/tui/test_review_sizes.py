"""What is to be seen at every size of the window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tui.sample_queue import HITS, decide_earlier, review_of, sample_papers

from curation.review import Decision
from db.decisions import reopen_accepted
from db.papers import save_papers
from db.records import Stance, Status, Verdict

NARROW = (80, 24)
WIDE = (160, 48)
Look = Callable[..., str]
PARTS = ("#queue", "#head", "#abstract", "#claim", "#status", "#keys")


@pytest.mark.parametrize("size", [NARROW, (100, 30), (120, 36), WIDE, (200, 60)])
async def test_paper_and_claim_are_on_one_screen(place: Any, look: Look, size: tuple[int, int]) -> None:
    decide_earlier(place.store)
    app = place.app()
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        seen = look(app, *PARTS)
    for part in (
        "0.97", "Twenty Tokens per Parameter", "Hanako Mizusaki", "2026-11-18", "0001.00007v1", "cs.CL", "H1.2",
        "A compute budget has one", "ada", "1 of 12", "0 decided", "s supports", "? keys", "For a fixed compute",
        "decades of compute.",
    ):  # fmt: skip
        assert part in seen, part


async def test_the_evidence_is_in_view_at_every_size_whatever_paper_is_open(place: Any, look: Look) -> None:
    for size in (NARROW, WIDE):
        app = place.app()
        async with app.run_test(size=size) as pilot:
            for hit in HITS:
                await pilot.pause()
                if hit.opening:
                    assert hit.opening in look(app, "#abstract"), hit
                await pilot.press("j")


@pytest.mark.parametrize("size", [(20, 5), (40, 10), (1, 1), (300, 4)])
async def test_a_tiny_window_breaks_nothing(place: Any, size: tuple[int, int]) -> None:
    app = place.app()
    async with app.run_test(size=size) as pilot:
        await pilot.press("j", "question_mark", "escape", "enter", "s")
        await pilot.resize_terminal(100, 30)
        assert len(place.decisions()) == 1


async def test_history_reasons_and_flags_are_said_in_words(place: Any, look: Look) -> None:
    decide_earlier(place.store)
    app = place.app()
    async with app.run_test(size=(160, 60)) as pilot:
        seen = look(app, "#claim")
        assert "scored 0.97 for H1.2" in seen and "2026-11-21 decision taken back, grace" in seen
        await pilot.press(*["j"] * 9)
        assert "WITHDRAWN" in look(app)


async def test_a_reopened_paper_stands_first_and_says_why(place: Any, look: Look) -> None:
    review = review_of(place.store)
    last = review.waiting()[-1]
    review.decide(last["id"], Decision(Verdict.ACCEPT, stance=Stance.SUPPORTS))
    with place.store.transaction():
        reopen_accepted(place.store, last["arxiv_id"], "v2 changed the abstract", now="2026-11-21T06:30:00Z")
    app = place.app()
    async with app.run_test(size=WIDE):
        assert app.desk.rows[0]["status"] == Status.REOPENED
        assert "RE-OPENED" in look(app, "#head") and "re-opened" in look(app, "#queue")
        assert "v2 changed the abstract" in look(app, "#claim")


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_what_changed_in_a_reopened_paper_is_in_view(place: Any, look: Look, size: tuple[int, int]) -> None:
    review = review_of(place.store)
    last = review.waiting()[-1]
    review.decide(last["id"], Decision(Verdict.ACCEPT, stance=Stance.SUPPORTS))
    (paper,) = {known for known in sample_papers() if known.arxiv_id == last["arxiv_id"]}
    words = paper.abstract.split()
    changed = replace(
        paper, version=paper.version + 1, title=f"Not {paper.title}", abstract=" ".join([*words[:-1], "nonsense."])
    )
    with place.store.transaction():
        save_papers(place.store, [changed], run_id=1, now="2026-11-21T06:30:00Z")
    app = place.app()
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        seen = look(app, "#abstract")
    assert f"Re-opened: v{changed.version} changed the title or the abstract" in seen
    assert "Title: {+Not+}" in seen
    assert f"[-{words[-1]}-] {{+nonsense.+}}" in seen
