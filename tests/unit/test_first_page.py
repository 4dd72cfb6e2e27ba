"""The queue's first page, which is found without a look at the rest, is the beginning of the whole queue."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date

import pytest

from db.candidates import count_by_status, list_candidates
from db.records import Status
from db.store import Store

TODAY = date(2026, 11, 24)
PAPERS, PHENOMENA = 60, 3


def fill(store: Store, chance: random.Random) -> None:
    """Queue random pairs, of which some were decided on in some way, scored anew, drawn for an audit or retired."""
    execute = store.connection.execute
    execute("PRAGMA foreign_keys = OFF")
    for number in range(PHENOMENA):
        execute(
            "INSERT INTO phenomena (code, position, aspect, group_name, title, statement, keywords, reference_ids,"
            " criteria, maturity, retired) VALUES (?, ?, 'how', 'g', 't', 's', '[]', '[]', '{}', 'observed', ?)",
            (f"H{number}", number, int(number == 2)),
        )
    for paper in range(1, PAPERS + 1):
        execute(
            "INSERT INTO papers (arxiv_id, revision_id, authors, categories, published_at, run_id)"
            " VALUES (?, ?, '[]', '', '2026-11-01', 1)",
            (f"p{paper}", paper),
        )
        execute("INSERT INTO revisions VALUES (?, ?, 1, 't', 'a', ?, '2026-11-01', 1)", (paper, f"p{paper}", "0" * 64))
        for number in range(PHENOMENA):
            queue(store, chance, paper, f"H{number}")


def queue(store: Store, chance: random.Random, paper: int, code: str) -> None:
    """Queue one pair, or only match it; few different scores make many equal ones."""
    by_hand, score = chance.random() < 0.1, chance.randrange(8) / 8
    match_id = None
    if not by_hand:
        match_id = store.insert(
            "matches", {"revision_id": paper, "phenomenon_code": code, "ranking_id": 1, "score": score}
        )
    if chance.random() < 0.2:
        return
    candidate = {"arxiv_id": f"p{paper}", "phenomenon_code": code, "match_id": match_id, "queued_at": ""}
    candidate_id = store.insert("candidates", candidate)
    if match_id and chance.random() < 0.3:
        older = chance.random() < 0.3  # a score of a match that gave way to this one
        standing = {"candidate_id": candidate_id, "match_id": -1 if older else match_id}
        store.insert("standing_scores", {**standing, "score": chance.randrange(8) / 8, "ranker_version": ""})
    if match_id and chance.random() < 0.1:
        drawn = {"candidate_id": candidate_id, "match_id": match_id, "run_id": 1, "draw": 1, "stratum": "near"}
        store.insert("audits", {**drawn, "probability": 0.5, "place": chance.randrange(8) / 8})
    for turn in range(chance.choice((0, 0, 0, 1, 1, 2))):
        decide(store, chance, candidate_id, paper, turn)


def decide(store: Store, chance: random.Random, candidate_id: int, paper: int, turn: int) -> None:
    """Append one event of any kind; an undo is that of the event before it."""
    before = store.value("SELECT max(decision_id) FROM decisions WHERE candidate_id = ?", (candidate_id,))
    kinds = ["accept", "reject", "maybe", "snooze", "reopen", *(["undo"] * 3 if before else [])]
    kind = chance.choice(kinds)
    store.insert(
        "decisions",
        {
            "candidate_id": candidate_id,
            "kind": kind,
            "stance": "supports" if kind == "accept" else None,
            "until": chance.choice(("2026-11-01", "2026-12-01")) if kind == "snooze" else None,
            "undoes": before if kind == "undo" else None,
            "turn": turn + 1,
            "follows": "[]",
            "revision_id": paper,
            "catalogue_version": "",
            "reviewer": "r",
            "decided_at": "2026-11-20T00:00:00Z",
            "place": f"{turn} {candidate_id}",
        },
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("mixed", [False, True])
def test_a_page_is_the_beginning_of_the_whole_queue(store: Store, seed: int, mixed: bool) -> None:
    fill(store, random.Random(seed))
    whole = list_candidates(store, today=TODAY, mixed=mixed)
    assert {row["status"] for row in whole} == {"reopened", "pending"}
    for limit in (0, 1, 2, 5, 13, 34, len(whole), len(whole) + 5):
        assert list_candidates(store, today=TODAY, mixed=mixed, limit=limit) == whole[:limit]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("mine", [None, "r", "somebody else"])
def test_the_counts_are_those_of_the_whole_queue(store: Store, seed: int, mine: str | None) -> None:
    fill(store, random.Random(seed))
    everything = list_candidates(store, today=TODAY, statuses=tuple(Status), mine=mine)
    counted = count_by_status(store, today=TODAY, mine=mine)
    assert {(row["phenomenon"], row["status"]): row["count"] for row in counted} == Counter(
        (row["phenomenon"], row["status"]) for row in everything
    )
    assert [row["phenomenon"] for row in counted] == sorted(row["phenomenon"] for row in counted)
