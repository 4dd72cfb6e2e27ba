"""The audit: a random sample of what was scored and not queued, from what waits for the draw to what was decided."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from db.candidates import add_candidate, find_candidate_id
from db.decisions import EFFECTIVE_DECISIONS, STATUS
from db.matches import Match, save_match
from db.records import Stratum
from db.store import Row, Store


@dataclass(frozen=True, slots=True)
class PoolPair:
    """A pair that was scored and not queued; of each stratum those with the smallest `chance` are drawn."""

    revision_id: int
    phenomenon: str
    score: float
    chance: int


@dataclass(frozen=True, slots=True)
class Audit:
    """A pair that was drawn, with the probability that it had of being drawn."""

    match: Match
    stratum: Stratum
    probability: float
    chance: int


def next_draw(store: Store) -> int:
    """Return the number of the next draw, from 1 on; it stays the same until something was drawn."""
    return int(store.value("SELECT coalesce(max(draw), 0) + 1 FROM audits"))


def find_candidate_pairs(store: Store, arxiv_ids: Sequence[str]) -> set[tuple[str, str]]:
    """Return which pairs of these papers with a phenomenon are candidates, whatever was decided on them."""
    rows = store.rows(
        "SELECT arxiv_id, phenomenon_code FROM candidates WHERE arxiv_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(arxiv_ids)),),
    )
    return {(row["arxiv_id"], row["phenomenon_code"]) for row in rows}


def forget_other_pools(store: Store, ranking_id: int, size: int) -> None:
    """Forget what waits for a draw, if it was gathered under another ranking or for draws of another size."""
    other = "SELECT EXISTS (SELECT 1 FROM audit_pool WHERE (ranking_id, size) <> (?, ?))"
    if store.value(other, (ranking_id, size)):
        with store.transaction():
            _empty_pool(store)


def add_to_pool(
    store: Store, ranking_id: int, stratum: Stratum, counts: Mapping[str, int], pairs: Iterable[PoolPair], *, size: int
) -> None:
    """Let pairs wait for the draw, and keep no more of them than can be drawn. Runs inside a transaction.

    Args:
        counts: how many pairs of each phenomenon the sample is drawn from, whether they stand in `pairs` or not.
        pairs: those with the smallest chances, `size` of them or all.
        size: how many a draw takes at most.
    """
    store.connection.executemany(
        "INSERT INTO audit_frames (stratum, phenomenon_code, waiting) VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET waiting = waiting + excluded.waiting",
        [(stratum.value, phenomenon, count) for phenomenon, count in counts.items()],
    )
    store.connection.executemany(
        "INSERT INTO audit_pool (revision_id, phenomenon_code, stratum, ranking_id, size, score, chance)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(one.revision_id, one.phenomenon, stratum.value, ranking_id, size, one.score, one.chance) for one in pairs],
    )
    store.connection.execute(
        "DELETE FROM audit_pool WHERE stratum = :stratum AND rowid NOT IN (SELECT rowid FROM audit_pool"
        " WHERE stratum = :stratum ORDER BY chance, revision_id, phenomenon_code LIMIT :size)",
        {"stratum": stratum.value, "size": size},
    )


def count_waiting(store: Store) -> dict[Stratum, int]:
    """Return how many pairs of each stratum wait for the draw."""
    rows = store.rows("SELECT stratum, sum(waiting) AS count FROM audit_frames GROUP BY stratum")
    return {stratum: 0 for stratum in Stratum} | {Stratum(row["stratum"]): row["count"] for row in rows}


def list_pool(store: Store, stratum: Stratum, *, limit: int) -> list[Row]:
    """Return the pairs with the smallest chances, in their order, with paper and text.

    `usable` tells whether the revision is still its paper's current one, not withdrawn, the entry not retired, and the
    pair no candidate yet.
    """
    return store.rows(
        "SELECT q.revision_id, q.phenomenon_code AS phenomenon, q.score, q.chance, r.arxiv_id, r.title,"
        " r.abstract, r.text_hash,"
        " p.revision_id = q.revision_id AND NOT p.withdrawn AND NOT h.retired AND c.candidate_id IS NULL AS usable"
        " FROM audit_pool q JOIN revisions r ON r.revision_id = q.revision_id JOIN papers p ON p.arxiv_id = r.arxiv_id"
        " JOIN phenomena h ON h.code = q.phenomenon_code"
        " LEFT JOIN candidates c ON c.arxiv_id = p.arxiv_id AND c.phenomenon_code = q.phenomenon_code"
        " WHERE q.stratum = ? ORDER BY q.chance, q.revision_id, q.phenomenon_code LIMIT ?",
        (stratum.value, limit),
    )


def queue_audits(store: Store, ranking_id: int, audits: Sequence[Audit], *, run_id: int, now: str) -> int:
    """Queue what was drawn like any other candidate and end the draw; return how many are new.

    Runs inside the transaction that queues the night's matches, after them: each audit gets its place in the queue
    from a candidate of the night that its chance points at, so that it does not wait at the end for ever. Who decides
    sees its own score.
    """
    draw, places = next_draw(store), _list_places(store, run_id)
    queued = 0
    for audit in audits:
        arxiv_id = store.value("SELECT arxiv_id FROM revisions WHERE revision_id = ?", (audit.match.revision_id,))
        if find_candidate_id(store, arxiv_id, audit.match.phenomenon) is not None:  # a person was faster
            continue
        match_id = _save_match(store, ranking_id, audit.match)
        add_candidate(store, arxiv_id, audit.match.phenomenon, match_id=match_id, run_id=run_id, now=now)
        store.insert(
            "audits",
            {
                "candidate_id": find_candidate_id(store, arxiv_id, audit.match.phenomenon),
                "match_id": match_id,
                "run_id": run_id,
                "draw": draw,
                "stratum": audit.stratum.value,
                "probability": audit.probability,
                "place": places[audit.chance % len(places)] if places else audit.match.score,
            },
        )
        queued += 1
    store.connection.execute("UPDATE audit_frames SET drawn_from = drawn_from + waiting")
    _empty_pool(store)
    return queued


def _list_places(store: Store, run_id: int) -> list[float]:
    """Return the scores of what a run queued or, if that is nothing, of what was ever queued; without audits."""
    scores = (
        "SELECT m.score FROM candidates c JOIN matches m USING (match_id) WHERE {} ORDER BY m.score, c.candidate_id"
    )
    no_audit = "c.candidate_id NOT IN (SELECT candidate_id FROM audits)"
    of_run = store.rows(scores.format(f"c.run_id = ? AND {no_audit}"), (run_id,))
    return [row["score"] for row in of_run or store.rows(scores.format(no_audit))]


def _save_match(store: Store, ranking_id: int, match: Match) -> int:
    save_match(store, ranking_id, match)
    return int(
        store.value(
            "SELECT match_id FROM matches WHERE (revision_id, phenomenon_code, ranking_id) = (?, ?, ?)",
            (match.revision_id, match.phenomenon, ranking_id),
        )
    )


def _empty_pool(store: Store) -> None:
    store.connection.execute("UPDATE audit_frames SET waiting = 0")
    store.connection.execute("DELETE FROM audit_pool")


def list_frames(store: Store) -> list[Row]:
    """Return rows of `phenomenon`, `stratum` and `size`: how many pairs the audits were drawn from, over all draws."""
    return store.rows(
        "SELECT phenomenon_code AS phenomenon, stratum, drawn_from AS size FROM audit_frames"
        " JOIN phenomena ON code = phenomenon_code WHERE drawn_from > 0 AND NOT retired"
        " ORDER BY position, code, stratum"
    )


def list_scored(store: Store, *, today: date) -> list[Row]:
    """Return every candidate that has a score: `phenomenon`, `arxiv_id`, `score`, `status`, `stratum`, `probability`.

    The last two are None but for audits. The rows are in the catalogue's order, best first within a phenomenon.

    Args:
        today: the day that snoozed candidates are judged by.
    """
    return store.rows(
        "SELECT c.phenomenon_code AS phenomenon, c.arxiv_id, coalesce(s.score, m.score) AS score,"
        f" {STATUS} AS status, a.stratum, a.probability"
        " FROM candidates c JOIN matches m ON m.match_id = c.match_id JOIN phenomena h ON h.code = c.phenomenon_code"
        f" LEFT JOIN ({EFFECTIVE_DECISIONS}) e ON e.candidate_id = c.candidate_id"
        " LEFT JOIN decisions d ON d.decision_id = e.decision_id"
        " LEFT JOIN audits a ON a.candidate_id = c.candidate_id"
        " LEFT JOIN standing_scores s ON s.candidate_id = c.candidate_id AND s.match_id = c.match_id"
        " WHERE NOT h.retired ORDER BY h.position, h.code, score DESC, c.candidate_id",
        {"today": today.isoformat()},
    )
