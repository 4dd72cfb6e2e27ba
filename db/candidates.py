"""The queue: which pairs of paper and phenomenon wait for a person, and how each stands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date

from db.decisions import SEEN_DECISION, STATUS
from db.records import Status
from db.store import Row, Store

WAITING = (Status.REOPENED, Status.PENDING)

# The sentence that the decision in force rests on, where it is one of the paper's present text.
_MARKED = "CASE WHEN d.kind <> 'reopen' AND d.revision_id = p.revision_id THEN d.sentence END"

_CANDIDATES = f"""
    SELECT c.candidate_id AS id, c.arxiv_id, r.revision_id, r.version, r.title, c.phenomenon_code AS phenomenon,
        h.title AS phenomenon_title, h.retired, round(coalesce(s.score, m.score), 6) AS score,
        coalesce({_MARKED}, substr(mr.abstract, m.sentence_start + 1, m.sentence_end - m.sentence_start)) AS sentence,
        {STATUS} AS status, d.decision_id, d.stance, p.published_at, p.withdrawn, d.note, d.until, d.reviewer,
        d.decided_at, c.queued_at, c.run_id, a.candidate_id IS NOT NULL AS audit,
        round(coalesce(a.place, s.score, m.score), 6) AS place
    FROM candidates c
    JOIN papers p ON p.arxiv_id = c.arxiv_id
    JOIN revisions r ON r.revision_id = p.revision_id
    JOIN phenomena h ON h.code = c.phenomenon_code
    LEFT JOIN matches m ON m.match_id = c.match_id
    LEFT JOIN revisions mr ON mr.revision_id = m.revision_id
    LEFT JOIN audits a ON a.candidate_id = c.candidate_id AND a.match_id = c.match_id
    LEFT JOIN standing_scores s ON s.candidate_id = c.candidate_id AND s.match_id = c.match_id
    LEFT JOIN decisions d ON d.decision_id = {SEEN_DECISION}
"""

# Re-opened candidates come first: something that was published has changed.
_BEST_FIRST = "status = 'reopened' DESC, score DESC, id"
# The same, but what was drawn for the audit, which scored low, stands somewhere among the others.
_MIXED = "status = 'reopened' DESC, place DESC, id"

_UNDECIDED = """NOT EXISTS (SELECT 1 FROM decisions x WHERE x.candidate_id = c.candidate_id)
    AND NOT EXISTS (SELECT 1 FROM phenomena x WHERE x.code = c.phenomenon_code AND x.retired)"""

# Among these are the first `:limit` of all that wait, in either order: the best of those without a decision, found from
# the highest score downwards; every one that was decided and may wait again; and every audit.
_FIRST_PAGE = f"""
    SELECT * FROM (
        SELECT c.candidate_id FROM matches m INDEXED BY matches_by_score CROSS JOIN candidates c USING (match_id)
        WHERE {_UNDECIDED} AND NOT EXISTS (
            SELECT 1 FROM standing_scores x WHERE (x.candidate_id, x.match_id) = (c.candidate_id, c.match_id))
        ORDER BY m.score DESC, c.candidate_id LIMIT :limit)
    UNION ALL SELECT * FROM (
        SELECT c.candidate_id FROM standing_scores s INDEXED BY standing_by_score
        CROSS JOIN candidates c ON (c.candidate_id, c.match_id) = (s.candidate_id, s.match_id)
        WHERE {_UNDECIDED} ORDER BY s.score DESC, c.candidate_id LIMIT :limit)
    UNION ALL SELECT * FROM (
        SELECT c.candidate_id FROM candidates c WHERE c.match_id IS NULL AND {_UNDECIDED} ORDER BY 1 LIMIT :limit)
    UNION ALL SELECT candidate_id FROM decisions INDEXED BY decisions_that_may_bring_back
        WHERE kind IN ('undo', 'snooze', 'reopen')
    UNION ALL SELECT candidate_id FROM audits
"""


def list_candidates(
    store: Store,
    *,
    today: date,
    phenomenon: str | None = None,
    statuses: Sequence[Status] = WAITING,
    limit: int | None = None,
    mixed: bool = False,
    mine: str | None = None,
) -> list[Row]:
    """Return candidates, best first; re-opened ones before all others.

    `score` is the standing score where there is one, else that of the match. `audit` tells what was drawn at random;
    `place` is the score that orders a mixed list.

    Args:
        today: the day that snoozed candidates are judged by.
        phenomenon: only those of this code.
        statuses: only those that stand so; the waiting ones by default.
        mixed: let what was drawn for the audit stand among the others.
        mine: judge how they stand by this reviewer's decisions alone.
    """
    order, which = _MIXED if mixed else _BEST_FIRST, ""
    if phenomenon is not None:
        which = " AND c.phenomenon_code = :phenomenon"
    elif limit is not None and mine is None and set(statuses) <= set(WAITING):
        which = f" AND c.candidate_id IN ({_FIRST_PAGE})"
    rows = store.rows(
        f"SELECT * FROM ({_CANDIDATES} WHERE NOT h.retired{which})"
        f" WHERE status IN (SELECT value FROM json_each(:statuses)) ORDER BY {order} LIMIT :limit",
        {
            "today": today.isoformat(),
            "statuses": json.dumps([status.value for status in statuses]),
            "phenomenon": phenomenon,
            "limit": -1 if limit is None else limit,
            "mine": mine,
        },
    )
    return [_finish(row) for row in rows]


def find_candidate(store: Store, candidate_id: int, *, today: date, mine: str | None = None) -> Row | None:
    """Return one candidate with its abstract, authors, categories, claim, the sentence's span and `because`; or None.

    `text_hash` is the hash of the text that was matched (`db.text.text_hash` of its title and abstract). The span
    counts in `abstract`; it is None where the paper's text is another one by now, and the sentence an older text's.
    `on_present_text` tells whether the decision in force was made on the paper as it is.
    `because` is what was known when the match was made: `words` and `nearest`, empty where nothing was kept.
    """
    row = store.row(
        "SELECT q.*, r.abstract, p.authors, p.categories, p.comments, p.journal_ref, p.doi, h.statement AS claim,"
        " CASE WHEN m.revision_id = p.revision_id THEN m.sentence_start END AS sentence_start,"
        " CASE WHEN m.revision_id = p.revision_id THEN m.sentence_end END AS sentence_end,"
        " round(m.score, 6) AS matched_score, g.ranker_version, s.ranker_version AS standing_version,"
        " mr.text_hash, w.terms, w.nearest,"
        " coalesce(dr.text_hash = r.text_hash AND dd.paper_withdrawn = p.withdrawn, 0) AS on_present_text FROM"
        f" ({_CANDIDATES} WHERE c.candidate_id = :id) q JOIN candidates c ON c.candidate_id = q.id"
        " JOIN papers p ON p.arxiv_id = q.arxiv_id JOIN revisions r ON r.revision_id = p.revision_id"
        " JOIN phenomena h ON h.code = q.phenomenon LEFT JOIN matches m ON m.match_id = c.match_id"
        " LEFT JOIN rankings g ON g.ranking_id = m.ranking_id LEFT JOIN revisions mr ON mr.revision_id = m.revision_id"
        " LEFT JOIN match_reasons w ON w.match_id = m.match_id"
        " LEFT JOIN decisions dd ON dd.decision_id = q.decision_id"
        " LEFT JOIN revisions dr ON dr.revision_id = dd.revision_id"
        " LEFT JOIN standing_scores s ON s.candidate_id = c.candidate_id AND s.match_id = c.match_id",
        {"id": candidate_id, "today": today.isoformat(), "mine": mine},
    )
    if row is None:
        return None
    row["authors"] = json.loads(row["authors"])
    row["categories"] = row["categories"].split()
    row["because"] = {
        "words": json.loads(row.pop("terms") or "[]"),
        "nearest": _name_papers(store, json.loads(row.pop("nearest") or "[]")),
    }
    if (
        row["sentence"]
        and (start := row["abstract"].find(row["sentence"])) >= 0
        and (
            row["sentence_start"] is None
            or row["abstract"][row["sentence_start"] : row["sentence_end"]] != row["sentence"]
        )
    ):
        row["sentence_start"], row["sentence_end"] = start, start + len(row["sentence"])
    row = _finish(row)
    del row["audit"], row["place"]  # whoever decides is not to know
    return row


def list_others(store: Store, candidate_id: int, *, today: date, mine: str | None = None) -> list[Row]:
    """Return the same paper's other candidates, best first: `id`, `phenomenon`, `phenomenon_title`, `score`, `status`,
    `stance`.
    """
    return store.rows(
        "SELECT id, phenomenon, phenomenon_title, score, status, stance"
        f" FROM ({_CANDIDATES} WHERE c.arxiv_id = (SELECT arxiv_id FROM candidates WHERE candidate_id = :id)"
        f" AND c.candidate_id <> :id AND NOT h.retired) ORDER BY {_BEST_FIRST}",
        {"id": candidate_id, "today": today.isoformat(), "mine": mine},
    )


def _name_papers(store: Store, nearest: Sequence[Row]) -> list[Row]:
    """Return accepted papers that stood near with their titles as they are now."""
    title = "SELECT title FROM papers p JOIN revisions USING (revision_id) WHERE p.arxiv_id = ?"
    return [
        {"arxiv_id": one["arxiv_id"], "title": store.value(title, (one["arxiv_id"],)), "cosine": one["cosine"]}
        for one in nearest
    ]


def _finish(row: Row) -> Row:
    row["audit"] = bool(row["audit"])
    row["published"] = row.pop("published_at")[:10]
    row["withdrawn"] = bool(row["withdrawn"])
    row["retired"] = bool(row["retired"])
    row["url"] = f"https://arxiv.org/abs/{row['arxiv_id']}v{row['version']}"
    return row


def find_candidate_id(store: Store, arxiv_id: str, phenomenon: str) -> int | None:
    """Return the id of the candidate for this paper and phenomenon, or None."""
    found = store.value(
        "SELECT candidate_id FROM candidates WHERE (arxiv_id, phenomenon_code) = (?, ?)", (arxiv_id, phenomenon)
    )
    return None if found is None else int(found)


def add_candidate(
    store: Store,
    arxiv_id: str,
    phenomenon: str,
    *,
    now: str,
    match_id: int | None = None,
    run_id: int | None = None,
) -> bool:
    """Queue a pair, or give the queued pair its newer match; tell whether it is new. Runs inside a transaction."""
    known = find_candidate_id(store, arxiv_id, phenomenon)
    if known is None:
        store.insert(
            "candidates",
            {
                "arxiv_id": arxiv_id,
                "phenomenon_code": phenomenon,
                "match_id": match_id,
                "run_id": run_id,
                "queued_at": now,
            },
        )
        return True
    if match_id is not None:
        store.connection.execute("UPDATE candidates SET match_id = ? WHERE candidate_id = ?", (match_id, known))
    return False


def require_candidate(store: Store, arxiv_id: str, phenomenon: str, *, now: str) -> int:
    """Return the id of the candidate for this pair, queued now if it was not. Runs inside a transaction."""
    add_candidate(store, arxiv_id, phenomenon, now=now)
    candidate_id = find_candidate_id(store, arxiv_id, phenomenon)
    assert candidate_id is not None  # it was just added
    return candidate_id


def drop_candidate(store: Store, arxiv_id: str, phenomenon: str) -> None:
    """Take a pair out of the queue that was brought in by hand and never decided. Runs inside a transaction."""
    store.connection.execute(
        "DELETE FROM candidates WHERE (arxiv_id, phenomenon_code) = (?, ?) AND match_id IS NULL AND run_id IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM decisions d WHERE d.candidate_id = candidates.candidate_id)",
        (arxiv_id, phenomenon),
    )


def find_newest_queued(store: Store) -> int:
    """Return the newest candidate that has a match, 0 where there is none."""
    query = "SELECT candidate_id FROM candidates WHERE match_id IS NOT NULL ORDER BY candidate_id DESC LIMIT 1"
    return int(store.value(query) or 0)


def count_queued_on(store: Store, now: str) -> int:
    """Return how many candidates runs have queued on the day of a moment, audits left out."""
    return int(
        store.value(
            "SELECT count(*) FROM candidates WHERE run_id IS NOT NULL AND queued_at >= :day AND queued_at < :day || '~'"
            " AND candidate_id NOT IN (SELECT candidate_id FROM audits)",
            {"day": now[:10]},
        )
    )


# What nobody decided on is pending: so only what somebody did is looked at, and the rest is counted in an index.
_COUNTED = f"""
    WITH judged AS (
        SELECT c.phenomenon_code AS phenomenon, {STATUS} AS status
        FROM (SELECT DISTINCT candidate_id FROM decisions) CROSS JOIN candidates c USING (candidate_id)
        LEFT JOIN decisions d ON d.decision_id = {SEEN_DECISION}
    ), counted (phenomenon, status, count) AS (
        SELECT phenomenon, status, count(*) FROM judged GROUP BY phenomenon, status
        UNION ALL SELECT phenomenon_code, 'pending', count(*) FROM candidates GROUP BY phenomenon_code
        UNION ALL SELECT phenomenon, 'pending', -count(*) FROM judged GROUP BY phenomenon
    )
    SELECT phenomenon, status, sum(count) AS count FROM counted JOIN phenomena ON code = phenomenon
    WHERE NOT retired GROUP BY phenomenon, status HAVING sum(count) > 0 ORDER BY position, code, status
"""


def count_by_status(store: Store, *, today: date, mine: str | None = None) -> list[Row]:
    """Return rows of `phenomenon`, `status`, `count`, in the catalogue's order."""
    return store.rows(_COUNTED, {"today": today.isoformat(), "mine": mine})


def list_newly_queued(store: Store, *, since: str, until: str, today: date) -> list[Row]:
    """Return candidates that were queued by runs that ended in a span and that nobody has decided yet, best first.

    It goes by the end of the run, not by `queued_at`: what a run queues is seen only when it commits.

    Args:
        since: the first moment of the span, as text.
        until: the first moment after it.
    """
    rows = store.rows(
        f"SELECT * FROM ({_CANDIDATES} WHERE NOT h.retired) WHERE run_id IN (SELECT run_id FROM runs"
        " WHERE finished_at >= :since AND finished_at < :until) AND status = 'pending' AND decided_at IS NULL"
        f" ORDER BY {_BEST_FIRST}",
        {"since": since, "until": until, "today": today.isoformat(), "mine": None},
    )
    return [_finish(row) for row in rows]
