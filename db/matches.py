"""Matches: the scores that led to the queue, each under the ranking that made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from db.candidates import add_candidate
from db.records import Sentence
from db.store import Row, Store


@dataclass(frozen=True, slots=True)
class Match:
    """A revision's score against one phenomenon, with the sentence that bears on the claim."""

    revision_id: int
    arxiv_id: str
    phenomenon: str
    score: float
    sentence: Sentence | None


def save_ranking(store: Store, ranker_version: str, model_id: int, catalogue_version: str, threshold: float) -> int:
    """Return the id of this way of ranking, making it on first sight. Runs inside a transaction."""
    values = {
        "ranker_version": ranker_version,
        "model_id": model_id,
        "catalogue_version": catalogue_version,
        "threshold": threshold,
    }
    known = store.value(
        "SELECT ranking_id FROM rankings WHERE (ranker_version, model_id, catalogue_version, threshold) ="
        " (:ranker_version, :model_id, :catalogue_version, :threshold)",
        values,
    )
    return int(known) if known is not None else store.insert("rankings", values)


def list_unmatched(store: Store, ranking_id: int, model_id: int, *, limit: int) -> list[Row]:
    """Return current revisions that have a vector but were not matched by this ranking, oldest first.

    Withdrawn papers are left out: they are no evidence.
    """
    return store.rows(
        "SELECT r.revision_id, r.arxiv_id, r.title, r.abstract, r.text_hash FROM papers p"
        " JOIN revisions r USING (revision_id)"
        " JOIN vectors v ON v.text_hash = r.text_hash AND v.model_id = ?"
        " LEFT JOIN matched_revisions d ON d.revision_id = r.revision_id AND d.ranking_id = ?"
        " WHERE d.revision_id IS NULL AND NOT p.withdrawn ORDER BY r.revision_id LIMIT ?",
        (model_id, ranking_id, limit),
    )


def count_unmatched(store: Store, ranking_id: int, model_id: int) -> int:
    """Return how many revisions `list_unmatched` would give without a limit."""
    return int(
        store.value(
            "SELECT count(*) FROM papers p JOIN revisions r USING (revision_id)"
            " JOIN vectors v ON v.text_hash = r.text_hash AND v.model_id = ?"
            " LEFT JOIN matched_revisions d ON d.revision_id = r.revision_id AND d.ranking_id = ?"
            " WHERE d.revision_id IS NULL AND NOT p.withdrawn",
            (model_id, ranking_id),
        )
    )


def save_matches(
    store: Store,
    ranking_id: int,
    revision_ids: Sequence[int],
    matches: Sequence[Match],
    *,
    run_id: int,
    now: str,
) -> int:
    """Keep the matches of these revisions, queue them, and return how many candidates are new.

    Runs inside a transaction: a revision counts as matched exactly when its matches are there.
    """
    queued = sum(_save_match(store, ranking_id, match, run_id, now) for match in matches)
    store.connection.executemany(
        "INSERT INTO matched_revisions (revision_id, ranking_id, run_id) VALUES (?, ?, ?) ON CONFLICT (revision_id)"
        " DO UPDATE SET ranking_id = excluded.ranking_id, run_id = excluded.run_id",
        [(revision_id, ranking_id, run_id) for revision_id in revision_ids],
    )
    return queued


def _save_match(store: Store, ranking_id: int, match: Match, run_id: int, now: str) -> bool:
    key = (match.revision_id, match.phenomenon, ranking_id)
    match_id = store.value(
        "SELECT match_id FROM matches WHERE (revision_id, phenomenon_code, ranking_id) = (?, ?, ?)", key
    )
    if match_id is None:
        values = {
            "revision_id": match.revision_id,
            "phenomenon_code": match.phenomenon,
            "ranking_id": ranking_id,
            "score": match.score,
            "sentence_start": match.sentence.start if match.sentence else None,
            "sentence_end": match.sentence.end if match.sentence else None,
        }
        match_id = store.insert("matches", values)
    return add_candidate(store, match.arxiv_id, match.phenomenon, now=now, match_id=match_id, run_id=run_id)
