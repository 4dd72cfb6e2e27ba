"""Standing scores: how what waits scores after the decisions made since it was queued.

A match keeps the score that it was made with. What orders the queue is the standing score, where there is one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from db.decisions import EFFECTIVE_DECISIONS
from db.store import Row, Store


@dataclass(frozen=True, slots=True)
class Standing:
    """A candidate's score under a ranker that learned from later decisions, for the match that it has."""

    candidate_id: int
    match_id: int
    score: float
    ranker_version: str


def list_unsettled(store: Store, phenomenon: str) -> list[Row]:
    """Return what was matched for a phenomenon and is neither accepted nor rejected: `candidate_id`, `match_id`,
    `arxiv_id`, by id. Audits are left out: their score is that of their draw.
    """
    return store.rows(
        "SELECT c.candidate_id, c.match_id, c.arxiv_id FROM candidates c"
        f" LEFT JOIN ({EFFECTIVE_DECISIONS}) e USING (candidate_id) LEFT JOIN decisions d USING (decision_id)"
        " WHERE c.phenomenon_code = ? AND c.match_id IS NOT NULL AND coalesce(d.kind, '') NOT IN ('accept', 'reject')"
        " AND NOT EXISTS (SELECT 1 FROM audits a WHERE (a.candidate_id, a.match_id) = (c.candidate_id, c.match_id))"
        " ORDER BY c.candidate_id",
        (phenomenon,),
    )


def save_standing(store: Store, scores: Iterable[Standing]) -> None:
    """Keep these scores in place of earlier ones. Runs inside a transaction."""
    store.connection.executemany(
        "INSERT INTO standing_scores (candidate_id, match_id, score, ranker_version) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (candidate_id) DO UPDATE SET match_id = excluded.match_id, score = excluded.score,"
        " ranker_version = excluded.ranker_version",
        [(one.candidate_id, one.match_id, one.score, one.ranker_version) for one in scores],
    )
