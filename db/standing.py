"""Standing scores: how what waits scores after the decisions made since it was queued.

A match keeps the score that it was made with. What orders the queue is the standing score, where there is one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from db.decisions import DECISION_IN_FORCE
from db.store import Row, Store


@dataclass(frozen=True, slots=True)
class Standing:
    """A candidate's score under a ranker that learned from later decisions, for the match that it has."""

    candidate_id: int
    match_id: int
    score: float
    ranker_version: str


def list_unsettled(store: Store, phenomenon: str | None = None) -> list[Row]:
    """Return what was matched and is neither accepted nor rejected, by id: `candidate_id`, `match_id`, `phenomenon`,
    `arxiv_id`, `text_hash`, `score`, and `standing_version`, the ranker of its standing score if it has one.

    Left out are audits, whose score is that of their draw, withdrawn papers, and those whose text was matched and
    passed but is another one by now.

    Args:
        phenomenon: only what waits for this code.
    """
    return store.rows(
        "SELECT c.candidate_id, c.match_id, c.phenomenon_code AS phenomenon, c.arxiv_id, r.text_hash,"
        " round(coalesce(s.score, m.score), 6) AS score, s.ranker_version AS standing_version"
        " FROM candidates c JOIN matches m USING (match_id) JOIN revisions r ON r.revision_id = m.revision_id"
        " JOIN phenomena h ON h.code = c.phenomenon_code AND NOT h.retired"
        " JOIN papers p ON p.arxiv_id = c.arxiv_id JOIN revisions n ON n.revision_id = p.revision_id"
        " LEFT JOIN standing_scores s ON (s.candidate_id, s.match_id) = (c.candidate_id, c.match_id)"
        f" LEFT JOIN decisions d ON d.decision_id = {DECISION_IN_FORCE}"
        f" WHERE {'c.phenomenon_code = :phenomenon' if phenomenon else '1'} AND n.text_hash = r.text_hash"
        " AND NOT p.withdrawn AND coalesce(d.kind, '') NOT IN ('accept', 'reject')"
        " AND NOT EXISTS (SELECT 1 FROM audits a WHERE (a.candidate_id, a.match_id) = (c.candidate_id, c.match_id))"
        " ORDER BY c.candidate_id",
        {"phenomenon": phenomenon},
    )


def save_standing(store: Store, scores: Iterable[Standing]) -> None:
    """Keep these scores in place of earlier ones, but none of a match that is not its candidate's any more.

    Runs inside a transaction.
    """
    store.connection.executemany(
        "INSERT INTO standing_scores (candidate_id, match_id, score, ranker_version)"
        " SELECT candidate_id, match_id, ?3, ?4 FROM candidates WHERE (candidate_id, match_id) = (?1, ?2)"
        " ON CONFLICT (candidate_id) DO UPDATE SET match_id = excluded.match_id, score = excluded.score,"
        " ranker_version = excluded.ranker_version",
        [(one.candidate_id, one.match_id, one.score, one.ranker_version) for one in scores],
    )
