"""Papers that are known to exist and are not stored: what told of them, and how it ended.

A row is never deleted. It is settled once the paper was fetched by its id, arrived in a later harvest, or turned out to
be of no wanted category; until then every night tries again, for `TRIED_FOR_DAYS` and `TRIES` times at least.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from db.records import Malformed, Paper
from db.runs import fingerprint
from db.store import Row, Store
from db.text import parse_arxiv_id
from db.times import to_text

TRIED_FOR_DAYS = 30
TRIES = 30  # so that a time without nights is no reason to give up
HELD_FOR = timedelta(days=7)  # how long a record that cannot be read holds its source's cursor back


@dataclass(frozen=True, slots=True)
class Told:
    """A paper that a source says there is.

    Attributes:
        version: the newest one there is, or None where that is not told.
        datestamp: the day its record last changed, as text, or None where that is not told.
        fingerprint: of the record that could not be read, where that is how it was told.
    """

    arxiv_id: str
    version: int | None = None
    datestamp: str | None = None
    fingerprint: str | None = None


def told_by_malformed(records: Iterable[Malformed]) -> list[Told]:
    """Return the papers whose records could not be read, as far as these say whose they are."""
    named = [(parse_arxiv_id(record.identifier or ""), record) for record in records]
    return [Told(arxiv_id, fingerprint=fingerprint(record)) for arxiv_id, record in named if arxiv_id is not None]


def find_not_stored(store: Store, told: Sequence[Told]) -> list[Told]:
    """Return those of the told papers that are not stored, or only in an older version or an older record."""
    return [one for one in told if not _is_stored(store, one)]


def _is_stored(store: Store, told: Told) -> bool:
    known = store.row(
        "SELECT r.version, p.datestamp FROM papers p JOIN revisions r USING (revision_id) WHERE p.arxiv_id = ?",
        (told.arxiv_id,),
    )
    if known is None or told.fingerprint is not None:
        return False
    if told.version is not None and known["version"] < told.version:
        return False
    return told.datestamp is None or (known["datestamp"] is not None and known["datestamp"] >= told.datestamp)


def save_missing(store: Store, told: Iterable[Told], told_by: str, *, run_id: int, now: str) -> None:
    """Keep that these papers are missing; what is missing already stays so from its first day on.

    Runs inside a transaction.
    """
    for one in told:
        store.connection.execute(
            "INSERT INTO missing_papers (arxiv_id, version, datestamp, fingerprint, told_by, run_id, found_at)"
            " VALUES (:arxiv_id, :version, :datestamp, :fingerprint, :told_by, :run_id, :now)"
            " ON CONFLICT (arxiv_id) DO UPDATE SET version = excluded.version, datestamp = excluded.datestamp,"
            " fingerprint = excluded.fingerprint, told_by = excluded.told_by, run_id = excluded.run_id,"
            " found_at = excluded.found_at, tries = 0, settled_as = NULL, settled_at = NULL, settled_run_id = NULL"
            " WHERE settled_at IS NOT NULL",
            {
                "arxiv_id": one.arxiv_id,
                "version": one.version,
                "datestamp": one.datestamp,
                "fingerprint": one.fingerprint,
                "told_by": told_by,
                "run_id": run_id,
                "now": now,
            },
        )


def settle_missing(
    store: Store, papers: Sequence[Paper], kept: Collection[str], *, how: str, run_id: int, now: str
) -> None:
    """Settle what these papers, just received, bring of what was missing. Runs inside the transaction that keeps them.

    Args:
        kept: the ids of those that are stored now; the others are of no wanted category.
        how: `fetched` or `arrived`.
    """
    by_id = {paper.arxiv_id: paper for paper in papers}
    for row in _list_waiting(store, by_id):
        paper = by_id[row["arxiv_id"]]
        if _is_older(paper, row):
            continue
        wanted = paper.arxiv_id in kept
        store.connection.execute(
            "UPDATE missing_papers SET settled_as = ?, settled_at = ?, settled_run_id = ? WHERE arxiv_id = ?",
            (how if wanted else "not wanted", now, run_id, paper.arxiv_id),
        )


def date_as_told(store: Store, papers: Sequence[Paper]) -> list[Paper]:
    """Give papers that were looked up, which have no datestamp, the one that they were missed under.

    A look-up shows the record as it is now, hence at least as it was told; undated, it could not tell a changed text
    from an old one, and the next pass would miss it again.
    """
    told = {row["arxiv_id"]: row["datestamp"] for row in _list_waiting(store, [paper.arxiv_id for paper in papers])}
    return [
        replace(paper, datestamp=date.fromisoformat(day)) if (day := told.get(paper.arxiv_id)) else paper
        for paper in papers
    ]


def _list_waiting(store: Store, arxiv_ids: Iterable[str]) -> list[Row]:
    return store.rows(
        "SELECT arxiv_id, version, datestamp FROM missing_papers WHERE settled_at IS NULL"
        " AND arxiv_id IN (SELECT value FROM json_each(?)) ORDER BY arxiv_id",
        (json.dumps(list(arxiv_ids)),),
    )


def _is_older(paper: Paper, told: Row) -> bool:
    if told["version"] is not None and paper.version < told["version"]:
        return True
    dated = paper.datestamp is not None and told["datestamp"] is not None
    return dated and str(paper.datestamp) < told["datestamp"]


def count_try(store: Store, arxiv_ids: Iterable[str]) -> None:
    """Count one more look-up of these papers. Runs inside a transaction."""
    store.connection.executemany(
        "UPDATE missing_papers SET tries = tries + 1 WHERE arxiv_id = ? AND settled_at IS NULL",
        [(arxiv_id,) for arxiv_id in arxiv_ids],
    )


def list_missing(store: Store, *, now: datetime) -> list[str]:
    """Return the ids of papers that are still missing and still looked for, sorted."""
    rows = store.rows(
        "SELECT arxiv_id FROM missing_papers WHERE settled_at IS NULL AND (found_at > ? OR tries < ?)"
        " ORDER BY arxiv_id",
        (to_text(now - timedelta(days=TRIED_FOR_DAYS)), TRIES),
    )
    return [row["arxiv_id"] for row in rows]


def count_missing(store: Store) -> int:
    """Return how many papers are known to be missing, those included that are no longer looked for."""
    return int(store.value("SELECT count(*) FROM missing_papers WHERE settled_at IS NULL"))


def is_let_go(store: Store, record: Malformed, *, now: datetime) -> bool:
    """Tell whether a record that cannot be read need hold nothing back any more.

    So it is once its paper was fetched by its id, or after the same bytes have come for longer than `HELD_FOR`: a
    record that is broken for good would otherwise keep its source's cursor where it stands for ever.
    """
    mark = fingerprint(record)
    return bool(
        store.value(
            "SELECT EXISTS (SELECT 1 FROM missing_papers WHERE fingerprint = :mark AND settled_at IS NOT NULL)"
            " OR EXISTS (SELECT 1 FROM malformed_records m JOIN runs USING (run_id)"
            " WHERE m.fingerprint = :mark AND runs.started_at < :long_ago)",
            {"mark": mark, "long_ago": to_text(now - HELD_FOR)},
        )
    )
