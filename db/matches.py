"""Matches: the scores that led to the queue, each under the ranking that made it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from heapq import nsmallest

from db.candidates import add_candidate
from db.decisions import BASE_VERSION
from db.records import ModelIdentity, Reasons, Sentence
from db.store import Row, Store

_CHUNK = 2_000  # matches read at once


@dataclass(frozen=True, slots=True)
class Match:
    """A revision's score against one phenomenon, its sentence that bears on the claim, and what raised the score."""

    revision_id: int
    phenomenon: str
    score: float
    sentence: Sentence | None
    reasons: Reasons | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """From which score a match passes: as set, or what a wanted precision came to.

    Attributes:
        precision: the share of what passes that is to be right, where one is wanted.
        decided: the decisions that tell how often scores were right, when it was worked out.
    """

    threshold: float
    precision: float | None = None
    decided: int = 0


@dataclass(frozen=True, slots=True)
class Way:
    """How papers are ranked: by which ranker, with which model's vectors, against which catalogue.

    `ranker_version` names what the ranker had learned, after a plus sign, where the database came back to a way that
    it had left: scores of now are not to be filed under those of then.
    """

    ranker_version: str
    model_id: int
    catalogue_version: str

    @property
    def base_version(self) -> str:
        """Return the ranker's own version."""
        return self.ranker_version.partition("+")[0]

    def forget_learned(self) -> Way:
        """Return the way with the ranker's own version."""
        return replace(self, ranker_version=self.base_version)


@dataclass(frozen=True, slots=True)
class Ranking:
    """A way of ranking with a cut, as it is kept."""

    ranking_id: int
    way: Way
    cut: Cut


def find_cut(store: Store, way: Way, precision: float) -> Cut | None:
    """Return the newest cut for a wanted precision under this way of ranking, or None if there is none."""
    row = store.row(
        f"SELECT threshold, precision, decided FROM rankings WHERE {BASE_VERSION.format('ranker_version')} = ?"
        " AND (model_id, catalogue_version, precision) = (?, ?, ?) ORDER BY decided DESC, ranking_id DESC LIMIT 1",
        (way.base_version, way.model_id, way.catalogue_version, precision),
    )
    return None if row is None else Cut(**row)


_NEWEST_MATCHED = "SELECT ranking_id FROM matched_revisions ORDER BY run_id DESC, ranking_id DESC LIMIT 1"


def find_newest_ranking(store: Store) -> Ranking | None:
    """Return how the newest run matched that matched anything, or None where nothing was matched."""
    row = store.row(f"SELECT g.* FROM ({_NEWEST_MATCHED}) JOIN rankings g USING (ranking_id)")
    if row is None:
        return None
    way = Way(row["ranker_version"], row["model_id"], row["catalogue_version"])
    return Ranking(row["ranking_id"], way, Cut(row["threshold"], row["precision"], row["decided"]))


def settle_way(store: Store, way: Way, threshold: float, name_learned: Callable[[], str]) -> Way:
    """Return under which version of the ranker matches from this threshold on are to be filed.

    That is the newest run's where it ranked in this way, whatever its ranker had learned when it began; else the own
    version, but once it was used before, with what is learned by now.

    Args:
        way: with the ranker's own version.
        name_learned: names what the ranker has learned, where that is needed.
    """
    newest = find_newest_ranking(store)
    if newest and newest.cut.threshold == threshold and newest.way.forget_learned() == way:
        return newest.way
    if _find_ranking(store, way, threshold) is None:
        return way
    return replace(way, ranker_version=f"{way.ranker_version}+{name_learned()}")


def save_ranking(store: Store, way: Way, cut: Cut) -> int:
    """Return the id of this way of ranking with this cut, making it on first sight. Runs inside a transaction."""
    known = _find_ranking(store, way, cut.threshold)
    if known is None:
        return store.insert("rankings", {**asdict(way), **asdict(cut)})
    store.connection.execute(
        "UPDATE rankings SET precision = ?, decided = ? WHERE ranking_id = ?", (cut.precision, cut.decided, known)
    )
    return known


def _find_ranking(store: Store, way: Way, threshold: float) -> int | None:
    found = store.value(
        "SELECT ranking_id FROM rankings WHERE (ranker_version, model_id, catalogue_version, threshold) = (?, ?, ?, ?)",
        (way.ranker_version, way.model_id, way.catalogue_version, threshold),
    )
    return None if found is None else int(found)


def find_newest_match_run(store: Store) -> int:
    """Return the newest run that matched anything and has ended, 0 where none has."""
    return int(store.value("SELECT coalesce(max(run_id), 0) FROM runs WHERE matched > 0 AND finished_at IS NOT NULL"))


def find_matching_model(store: Store) -> ModelIdentity | None:
    """Return the model of the newest run that matched anything, or None."""
    row = store.row(
        f"SELECT m.name, m.revision, m.prompt, m.max_length, m.dimensions FROM ({_NEWEST_MATCHED})"
        " JOIN rankings USING (ranking_id) JOIN models m USING (model_id)"
    )
    return None if row is None else ModelIdentity(**row)


# In the order of the revisions, as what was matched lies; only of what was not matched a vector is looked for.
_UNMATCHED = """
    FROM papers p INDEXED BY papers_by_revision CROSS JOIN revisions r ON r.revision_id = p.revision_id
    WHERE NOT p.withdrawn AND NOT EXISTS (
        SELECT 1 FROM matched_revisions d WHERE d.revision_id = p.revision_id AND d.ranking_id = :ranking_id)
        AND EXISTS (SELECT 1 FROM vectors v WHERE v.text_hash = r.text_hash AND v.model_id = :model_id)
"""


def list_unmatched(store: Store, ranking_id: int, model_id: int, *, after: int, limit: int) -> list[Row]:
    """Return current revisions that have a vector but were not matched by this ranking, oldest first.

    Withdrawn papers are left out: they are no evidence. `matched_before` tells that another ranking matched it.

    Args:
        after: only revisions beyond this id, so that a long list is read once and not from its start each time.
    """
    return store.rows(
        "SELECT r.revision_id, r.arxiv_id, r.title, r.abstract, r.text_hash,"
        " EXISTS (SELECT 1 FROM matched_revisions o WHERE o.revision_id = r.revision_id) AS matched_before"
        f" {_UNMATCHED} AND p.revision_id > :after ORDER BY p.revision_id LIMIT :limit",
        {"model_id": model_id, "ranking_id": ranking_id, "after": after, "limit": limit},
    )


def count_unmatched(store: Store, ranking_id: int, model_id: int) -> int:
    """Return how many revisions `list_unmatched` would give without a limit."""
    return int(store.value(f"SELECT count(*) {_UNMATCHED}", {"model_id": model_id, "ranking_id": ranking_id}))


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


# A match that is some candidate's is that of its own paper and phenomenon: so that is seen before either is looked up.
_UNQUEUED = """
    SELECT m.match_id, p.arxiv_id, p.revision_id, m.phenomenon_code AS phenomenon,
        c.candidate_id IS NULL AS is_new, m.score
    FROM matches m INDEXED BY matches_of_ranking CROSS JOIN papers p ON p.revision_id = m.revision_id
    LEFT JOIN candidates c ON c.arxiv_id = p.arxiv_id AND c.phenomenon_code = m.phenomenon_code
    JOIN phenomena h ON h.code = m.phenomenon_code AND NOT h.retired
    WHERE m.ranking_id = :ranking_id AND NOT EXISTS (SELECT 1 FROM candidates q WHERE q.match_id = m.match_id)
        AND NOT p.withdrawn
"""


def list_backlog(store: Store, ranking_id: int, *, limit: int) -> list[Row]:
    """Return what passed under a ranking and waits for a budget, the best first.

    The rows have `match_id`, `arxiv_id`, `revision_id`, `phenomenon`, `score`.
    """
    return store.rows(
        f"{_UNQUEUED} AND c.candidate_id IS NULL ORDER BY m.score DESC, m.match_id LIMIT :limit",
        {"ranking_id": ranking_id, "limit": limit},
    )


def count_backlog(store: Store, ranking_id: int) -> int:
    """Return how many matches passed under a ranking and wait for a budget."""
    return int(
        store.value(f"SELECT count(*) FROM ({_UNQUEUED} AND c.candidate_id IS NULL)", {"ranking_id": ranking_id})
    )


def _iterate_unqueued(store: Store, ranking_id: int) -> Iterator[Row]:
    """Yield the matches of a ranking that are not their candidate's, by id; what is queued meanwhile is no matter.

    The rows are those of `list_backlog`; `is_new` tells of no candidate yet.
    """
    last = 0
    while rows := store.rows(
        f"{_UNQUEUED} AND m.match_id > :last ORDER BY m.match_id LIMIT :limit",
        {"ranking_id": ranking_id, "last": last, "limit": _CHUNK},
    ):
        yield from rows
        last = rows[-1]["match_id"]


def queue_matches(
    store: Store,
    ranking_id: int,
    *,
    run_id: int,
    now: str,
    budget: int | None = None,
    scores: Mapping[int, float] | None = None,
    threshold: float = 0.0,
) -> tuple[int, int]:
    """Queue what this ranking found and what does not wait yet; return how many candidates are new, and how many left.

    Runs inside one transaction, so that a reader sees the queue of before the night or of after it. What is left to
    queue is derived from the matches: a night that was killed before is made up for by the next one. Matches are read
    in portions, so that a backfill's need no memory.

    Args:
        budget: at most so many are new, the best first.
        scores: what matches score by now, by match; for others that of the match counts.
        threshold: what scores less by now is not queued, but waits: a later decision may raise it again.
    """
    waiting = _Waiting(store, ranking_id, scores or {}, threshold)
    best = None if budget is None else waiting.find_best(budget)
    added = passed = 0
    for row in _iterate_unqueued(store, ranking_id):
        if row["is_new"]:
            if not waiting.passes(row):
                continue
            passed += 1
            if best is not None and row["match_id"] not in best:
                continue
        added += add_candidate(
            store, row["arxiv_id"], row["phenomenon"], match_id=row["match_id"], run_id=run_id, now=now
        )
    return added, 0 if best is None else passed - len(best)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """What waits to be queued under a ranking, by the scores of now."""

    store: Store
    ranking_id: int
    scores: Mapping[int, float]
    threshold: float

    def _score(self, row: Row) -> float:
        return self.scores.get(row["match_id"], row["score"])

    def passes(self, row: Row) -> bool:
        return self._score(row) >= self.threshold

    def find_best(self, budget: int) -> set[int]:
        """Return the matches of the best so many that have no candidate yet."""
        rows = _iterate_unqueued(self.store, self.ranking_id)
        keys = ((-self._score(row), row["match_id"]) for row in rows if row["is_new"] and self.passes(row))
        return {match_id for _, match_id in nsmallest(budget, keys)}
