"""Matches: the scores that led to the queue, each under the ranking that made it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from db.candidates import add_candidate
from db.records import ModelIdentity, Reasons, Sentence
from db.store import Row, Store


@dataclass(frozen=True, slots=True)
class Match:
    """A revision's score against one phenomenon, its sentence that bears on the claim, and what raised the score."""

    revision_id: int
    phenomenon: str
    score: float
    sentence: Sentence | None
    reasons: Reasons | None = None


def find_threshold(
    store: Store, ranker_version: str, model_id: int, catalogue_version: str, precision: float
) -> float | None:
    """Return the threshold that a wanted precision came to under this way of ranking, or None if it never was asked."""
    found = store.value(
        "SELECT threshold FROM rankings WHERE (ranker_version, model_id, catalogue_version, precision) = (?, ?, ?, ?)"
        " ORDER BY ranking_id DESC LIMIT 1",
        (ranker_version, model_id, catalogue_version, precision),
    )
    return None if found is None else float(found)


def save_ranking(
    store: Store,
    ranker_version: str,
    model_id: int,
    catalogue_version: str,
    threshold: float,
    precision: float | None = None,
) -> int:
    """Return the id of this way of ranking, making it on first sight. Runs inside a transaction.

    Args:
        precision: what the threshold was worked out for, if it was.
    """
    values = {
        "ranker_version": ranker_version,
        "model_id": model_id,
        "catalogue_version": catalogue_version,
        "threshold": threshold,
        "precision": precision,
    }
    known = store.value(
        "SELECT ranking_id FROM rankings WHERE (ranker_version, model_id, catalogue_version, threshold) ="
        " (:ranker_version, :model_id, :catalogue_version, :threshold)",
        values,
    )
    if known is None:
        return store.insert("rankings", values)
    if precision is not None:
        store.connection.execute("UPDATE rankings SET precision = ? WHERE ranking_id = ?", (precision, known))
    return int(known)


def find_matching_model(store: Store) -> ModelIdentity | None:
    """Return the model of the newest run that matched anything, or None."""
    row = store.row(
        "SELECT m.name, m.revision, m.prompt, m.max_length, m.dimensions FROM matched_revisions d"
        " JOIN rankings g USING (ranking_id) JOIN models m USING (model_id) ORDER BY d.run_id DESC, g.ranking_id DESC"
        " LIMIT 1"
    )
    return None if row is None else ModelIdentity(**row)


def list_unmatched(store: Store, ranking_id: int, model_id: int, *, after: int, limit: int) -> list[Row]:
    """Return current revisions that have a vector but were not matched by this ranking, oldest first.

    Withdrawn papers are left out: they are no evidence. `matched_before` tells that another ranking matched it.

    Args:
        after: only revisions beyond this id, so that a long list is read once and not from its start each time.
    """
    return store.rows(
        "SELECT r.revision_id, r.arxiv_id, r.title, r.abstract, r.text_hash,"
        " EXISTS (SELECT 1 FROM matched_revisions o WHERE o.revision_id = r.revision_id) AS matched_before"
        " FROM revisions r"
        " CROSS JOIN papers p ON p.arxiv_id = r.arxiv_id AND p.revision_id = r.revision_id"
        " JOIN vectors v ON v.text_hash = r.text_hash AND v.model_id = ?"
        " LEFT JOIN matched_revisions d ON d.revision_id = r.revision_id AND d.ranking_id = ?"
        " WHERE d.revision_id IS NULL AND NOT p.withdrawn AND r.revision_id > ? ORDER BY r.revision_id LIMIT ?",
        (model_id, ranking_id, after, limit),
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
    store: Store, ranking_id: int, revision_ids: Sequence[int], matches: Sequence[Match], *, run_id: int
) -> None:
    """Keep the matches of these revisions. Runs inside a transaction.

    A revision counts as matched exactly when its matches are there.
    """
    for match in matches:
        save_match(store, ranking_id, match)
    store.connection.executemany(
        "INSERT INTO matched_revisions (revision_id, ranking_id, run_id) VALUES (?, ?, ?) ON CONFLICT (revision_id)"
        " DO UPDATE SET ranking_id = excluded.ranking_id, run_id = excluded.run_id",
        [(revision_id, ranking_id, run_id) for revision_id in revision_ids],
    )


def save_match(store: Store, ranking_id: int, match: Match) -> None:
    """Keep one match and its reasons, if it is not kept already. Runs inside a transaction."""
    added = store.connection.execute(
        "INSERT INTO matches (revision_id, phenomenon_code, ranking_id, score, sentence_start, sentence_end)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            match.revision_id,
            match.phenomenon,
            ranking_id,
            match.score,
            match.sentence.start if match.sentence else None,
            match.sentence.end if match.sentence else None,
        ),
    )
    if added.rowcount == 1 and match.reasons is not None:
        _save_reasons(store, added.lastrowid, match.reasons)


def _save_reasons(store: Store, match_id: int | None, reasons: Reasons) -> None:
    """Keep what raised a match's score, with the hash of the text that it and the sentence's span are of."""
    store.connection.execute(
        "INSERT INTO match_reasons (match_id, text_hash, terms, nearest)"
        " SELECT match_id, text_hash, :terms, :nearest FROM matches JOIN revisions USING (revision_id)"
        " WHERE match_id = :match_id",
        {
            "match_id": match_id,
            "terms": json.dumps([asdict(word) for word in reasons.words], ensure_ascii=False),
            "nearest": json.dumps([asdict(paper) for paper in reasons.nearest]),
        },
    )


def queue_matches(
    store: Store, ranking_id: int, *, run_id: int, now: str, budget: int | None = None
) -> tuple[int, int]:
    """Queue what this ranking found and what does not wait yet; return how many candidates are new, and how many left.

    Runs inside one transaction, so that a reader sees the queue of before the night or of after it. What is left to
    queue is derived from the matches: a night that was killed before is made up for by the next one.

    Args:
        budget: at most so many are new, the best first.
    """
    found = store.rows(
        "SELECT m.match_id, p.arxiv_id, m.phenomenon_code AS phenomenon, c.candidate_id IS NULL AS is_new"
        " FROM matches m JOIN papers p ON p.revision_id = m.revision_id LEFT JOIN candidates c"
        " ON c.arxiv_id = p.arxiv_id AND c.phenomenon_code = m.phenomenon_code"
        " WHERE m.ranking_id = ? AND NOT p.withdrawn AND c.match_id IS NOT m.match_id"
        " ORDER BY m.score DESC, m.match_id",
        (ranking_id,),
    )
    new = [row for row in found if row.pop("is_new")]
    left = [] if budget is None else new[budget:]
    later = {row["match_id"] for row in left}
    chosen = sorted((row for row in found if row["match_id"] not in later), key=lambda row: int(row["match_id"]))
    return sum(add_candidate(store, **row, run_id=run_id, now=now) for row in chosen), len(left)
