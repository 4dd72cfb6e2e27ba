"""What a night and a reviewer ask of millions of papers is answered along indexes; the plans say so, no clock does."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from db.candidates import count_queued_on, find_newest_queued, list_candidates
from db.matches import (
    count_backlog,
    count_unmatched,
    find_matching_model,
    find_newest_ranking,
    list_backlog,
    list_unmatched,
)
from db.papers import (
    count_revisions_without_vector,
    list_hashes_at_hand,
    list_newest,
    list_revisions_without_vector,
)
from db.store import Store

NOW = "2026-11-24T06:30:00Z"
TODAY = date(2026, 11, 24)
BIG = ("papers", "revisions", "vectors", "matches", "matched_revisions", "candidates")


def find_plan(store: Store, ask: Callable[[], Any]) -> list[str]:
    """Return the steps of the plans of all that a function reads."""
    asked: list[str] = []
    store.connection.set_trace_callback(asked.append)  # with the parameters filled in
    try:
        ask()
    finally:
        store.connection.set_trace_callback(None)
    plain = sqlite3.connect(store.path)
    try:
        selects = [sql for sql in asked if sql.lstrip().startswith("SELECT")]
        assert selects
        return [row[3] for sql in selects for row in plain.execute(f"EXPLAIN QUERY PLAN {sql}")]
    finally:
        plain.close()


ALIASES = {"p": "papers", "r": "revisions", "v": "vectors", "d": "matched_revisions", "m": "matches", "c": "candidates"}


def find_scans(plan: list[str]) -> list[str]:
    """Return the steps that read a whole big table, or a whole index of one."""
    scans = [step.split() for step in plan if step.startswith("SCAN")]
    return [" ".join(words[1:]) for words in scans if ALIASES.get(words[1], words[1]) in BIG]


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: count_revisions_without_vector(store, 1),
        lambda store: list_revisions_without_vector(store, 1, after=0, limit=10),
        lambda store: count_unmatched(store, 1, 1),
        lambda store: list_unmatched(store, 1, 1, after=0, limit=10),
    ],
)
def test_what_is_left_to_do_is_found_along_the_revisions_in_an_index_alone(
    store: Store, ask: Callable[[Store], Any]
) -> None:
    plan = find_plan(store, lambda: ask(store))
    along = [step for step in plan if "papers_by_revision" in step]
    assert along and all("COVERING INDEX" in step for step in along)
    assert all("papers_by_revision" in scan for scan in find_scans(plan))
    assert "USE TEMP B-TREE FOR ORDER BY" not in plan


@pytest.mark.parametrize(
    "ask",
    [
        find_newest_ranking,
        find_matching_model,
        lambda store: list_newest(store, 1, limit=10),
        lambda store: list_hashes_at_hand(store, 1, limit=10),
        lambda store: count_queued_on(store, NOW),
        lambda store: count_backlog(store, 1),
        lambda store: list_backlog(store, 1, limit=10),
    ],
)
def test_no_big_table_is_read_from_end_to_end(store: Store, ask: Callable[[Store], Any]) -> None:
    allowed = ("papers_newest", "matched_in_run", "USING COVERING INDEX sqlite_autoindex_candidates_1")
    assert not [
        scan for scan in find_scans(find_plan(store, lambda: ask(store))) if not any(x in scan for x in allowed)
    ]


def test_the_newest_papers_and_the_newest_run_are_read_in_order(store: Store) -> None:
    for ask in (lambda: list_newest(store, 1, limit=10), lambda: find_newest_ranking(store)):
        assert not [step for step in find_plan(store, ask) if step == "USE TEMP B-TREE FOR ORDER BY"]


def test_the_newest_candidate_is_the_first_that_is_looked_at(store: Store) -> None:
    assert find_newest_queued(store) == 0
    (step,) = find_plan(store, lambda: find_newest_queued(store))
    assert step == "SCAN candidates"  # backwards by id, and no further than the first that has a match


def test_the_queue_s_first_page_is_found_from_the_highest_score_downwards(store: Store) -> None:
    plan = find_plan(store, lambda: list_candidates(store, today=TODAY, limit=50))
    assert find_scans(plan) == ["m USING COVERING INDEX matches_by_score"]
    assert any(step.startswith("SCAN s USING INDEX standing_by_score") for step in plan)


def test_a_page_of_one_phenomenon_reads_its_candidates_alone(store: Store) -> None:
    plan = find_plan(store, lambda: list_candidates(store, today=TODAY, limit=50, phenomenon="H1.1"))
    assert not find_scans(plan)
    assert any("candidates_of_phenomenon" in step for step in plan)
