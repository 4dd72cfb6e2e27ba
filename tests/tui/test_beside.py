"""Ranking beside the review: the order follows the decisions, and nothing waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from tui.sample_queue import review_of

from curation.tui.desk import Desk
from db.errors import EmbeddingError

NARROW = (80, 24)
Rerank = Callable[[str], Mapping[int, float]]


class FakeRanking:
    """Gives made scores, when it is let."""

    def __init__(self, scores: Mapping[int, float]) -> None:
        self.scores = scores
        self.may_go = threading.Event()
        self.asked: list[str] = []
        self.threads: set[int] = set()
        self.closed = threading.Event()

    @contextmanager
    def open(self) -> Iterator[Rerank]:
        """Open it, as the app does in its thread."""
        self.threads.add(threading.get_ident())
        yield self.rerank
        self.closed.set()

    def rerank(self, code: str) -> Mapping[int, float]:
        """Wait until it may go."""
        self.asked.append(code)
        self.may_go.wait(20)
        return self.scores


async def wait_for(pilot: Any, condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        await pilot.pause(0.02)
    raise AssertionError("it did not come")


async def test_the_next_paper_is_open_before_the_order_changes(place: Any, look: Callable[..., str]) -> None:
    rows = review_of(place.store).waiting()
    first, second, third, last = rows[0], rows[1], rows[2], rows[-1]
    ranking = FakeRanking({last["id"]: 0.999, third["id"]: 0.001})
    app = place.app(open_rerank=ranking.open)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("s")
        assert app.desk.chosen["id"] == second["id"]  # while the ranking still waits
        assert [made["candidate_id"] for made in place.decisions()] == [first["id"]]
        await wait_for(pilot, lambda: bool(ranking.asked))
        ranking.may_go.set()
        await wait_for(pilot, lambda: app.desk.rows[1]["id"] == last["id"])
        assert app.desk.chosen["id"] == second["id"]  # what is open stays open
        assert app.desk.rows[-1]["id"] == third["id"]
        assert "0.99" in look(app, "#queue")
        await pilot.press("r")
        assert app.desk.chosen["id"] == last["id"]
    assert ranking.asked[0] == first["phenomenon"] and ranking.closed.wait(5)
    assert threading.get_ident() not in ranking.threads


async def test_an_undo_asks_too_and_many_questions_at_once_are_one(place: Any) -> None:
    ranking = FakeRanking({})
    app = place.app(open_rerank=ranking.open)
    codes = [row["phenomenon"] for row in review_of(place.store).waiting()[:4]]
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("s")
        await wait_for(pilot, lambda: bool(ranking.asked))
        await pilot.press("s", "s", "r", "u")
        ranking.may_go.set()
        await wait_for(pilot, lambda: len(ranking.asked) == 1 + len(set(codes[1:4])))
    assert ranking.asked[0] == codes[0] and set(ranking.asked[1:]) == set(codes[1:4])


@pytest.mark.parametrize(
    "fault", [EmbeddingError("a claim has no vector [bold]yet", "`bmp nightly` makes them"), MemoryError("[red]full")]
)
async def test_a_ranking_that_fails_is_said_once_and_decisions_go_on(
    place: Any, look: Callable[..., str], fault: Exception
) -> None:
    @contextmanager
    def broken() -> Iterator[Rerank]:
        raise fault
        yield

    app = place.app(open_rerank=broken)
    async with app.run_test(size=NARROW, notifications=True) as pilot:
        await wait_for(pilot, lambda: "the order of the queue stays as it is" in look(app, "Toast"))
        await pilot.press("s", "r")
    assert len(place.decisions()) == 2


def test_what_has_been_seen_stays_in_its_order_and_an_audit_in_its_place(place: Any) -> None:
    desk = Desk(review_of(place.store))
    desk.reload()
    ids = [row["id"] for row in desk.rows]
    desk.rows[4]["audit"] = True
    desk.go_to(2)
    desk.reorder({row["id"]: 1 - row["score"] for row in desk.rows})
    assert [row["id"] for row in desk.rows[:3]] == ids[:3] and desk.index == 2
    scores = [row["place"] for row in desk.rows[3:]]
    assert scores == sorted(scores, reverse=True)
    kept = next(row for row in desk.rows if row["audit"])
    assert kept["place"] == kept["score"] and kept["id"] == ids[4]


async def test_no_score_is_seen_while_something_drawn_at_random_waits(place: Any, look: Callable[..., str]) -> None:
    row = review_of(place.store).waiting()[-1]
    match_id = place.store.value("SELECT match_id FROM candidates WHERE candidate_id = ?", (row["id"],))
    with place.store.transaction():
        place.store.insert(
            "audits",
            {"candidate_id": row["id"], "match_id": match_id, "run_id": 1, "draw": 1, "stratum": "near"}
            | {"probability": 0.1, "place": 0.93},
        )
    app = place.app()
    async with app.run_test(size=(160, 48)) as pilot:
        assert [one["id"] for one in app.desk.rows].index(row["id"]) == 3
        seen = look(app, "#queue", "#claim")
        assert "0.9" not in seen and "scores are hidden while papers drawn at random wait" in seen
        await pilot.press("down", "down", "down", "r", "R")
        seen = look(app, "#queue", "#claim")
        assert "0.97" in seen and "scores are hidden" not in seen
