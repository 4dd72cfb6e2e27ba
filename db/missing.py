"""Papers that are known to exist and are not stored: what told of them, and how it ended.

A row is never deleted. It is settled once the paper was fetched by its id, arrived in a later harvest, or turned out to
be of no wanted category; until then it is asked for, every night at first and every `LATER_EVERY` after `NIGHTLY_FOR`.
A look-up may be answered from an index that lags behind what told of the paper. Where a version was told, the answer
shows that; where only a day was told, the paper is looked up again the next night before it counts as fetched.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from db.records import Malformed, Paper
from db.runs import fingerprint
from db.store import Row, Store
from db.text import parse_arxiv_id, text_hash
from db.times import from_text, to_text

NIGHTLY_FOR = timedelta(days=30)
NIGHTLY_TRIES = 30  # at least, so that a time without nights does not count
LATER_EVERY = timedelta(days=7)
LAG = timedelta(hours=20)  # between two look-ups that are to confirm each other: from one night to the next
SEEN_FOR = timedelta(days=3)  # how long one look-up may wait for the other before the paper counts as missing again
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
    return [_told_by(arxiv_id, record) for arxiv_id, record in named if arxiv_id is not None]


def _told_by(arxiv_id: str, record: Malformed) -> Told:
    day = record.datestamp.isoformat() if record.datestamp else None
    return Told(arxiv_id, record.version, day, fingerprint(record))


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
        _raise_told(store, one)
        store.connection.execute(
            "INSERT INTO missing_papers (arxiv_id, version, datestamp, fingerprint, told_by, run_id, found_at)"
            " VALUES (:arxiv_id, :version, :datestamp, :fingerprint, :told_by, :run_id, :now)"
            " ON CONFLICT (arxiv_id) DO UPDATE SET version = excluded.version, datestamp = excluded.datestamp,"
            " fingerprint = excluded.fingerprint, told_by = excluded.told_by, run_id = excluded.run_id,"
            " found_at = excluded.found_at, tries = 0, tried_at = NULL, seen_at = NULL, settled_as = NULL,"
            " settled_at = NULL, settled_run_id = NULL"
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


def _raise_told(store: Store, told: Told) -> None:
    """Take what is told for what is waited for, where it is newer than what was told before."""
    store.connection.execute(
        "UPDATE missing_papers SET seen_at = NULL,"
        " version = max(coalesce(version, :version), coalesce(:version, version)),"
        " datestamp = max(coalesce(datestamp, :datestamp), coalesce(:datestamp, datestamp))"
        " WHERE arxiv_id = :arxiv_id AND settled_at IS NULL"
        " AND (coalesce(:version > coalesce(version, 0), 0) OR coalesce(:datestamp > coalesce(datestamp, ''), 0))",
        {"arxiv_id": told.arxiv_id, "version": told.version, "datestamp": told.datestamp},
    )


def settle_missing(
    store: Store, papers: Sequence[Paper], kept: Collection[str], *, looked_up: bool, run_id: int, now: str
) -> None:
    """Settle what these papers, just received, bring of what was missing. Runs inside the transaction that keeps them.

    Args:
        kept: the ids of those that are stored now; the others are of no wanted category.
        looked_up: they were asked for by their ids; else they arrived in a harvest.
    """
    by_id = {paper.arxiv_id: paper for paper in papers}
    for row in _list_waiting(store, by_id):
        paper = by_id[row["arxiv_id"]]
        wanted = paper.arxiv_id in kept
        if not wanted and not _is_for_this_run(store, row, run_id):
            continue
        if _is_older(paper, row) or (looked_up and not wanted and not _was_seen_before(row, now)):
            if paper.datestamp is None and not _is_behind(paper, row):
                _mark_seen(store, paper.arxiv_id, now)
            continue
        store.connection.execute(
            "UPDATE missing_papers SET settled_as = ?, settled_at = ?, settled_run_id = ? WHERE arxiv_id = ?",
            (("fetched" if looked_up else "arrived") if wanted else "not wanted", now, run_id, paper.arxiv_id),
        )


def _is_for_this_run(store: Store, told: Row, run_id: int) -> bool:
    """Tell whether a run keeps papers of every category that the run kept which told of this one."""
    kept = store.value("SELECT categories FROM runs WHERE run_id = ?", (run_id,)).split()
    return not kept or set(told["categories"].split()) <= set(kept)


def _was_seen_before(told: Row, now: str) -> bool:
    """Tell whether an earlier look-up, long enough ago for an index to be brought up to date, brought the paper."""
    return told["seen_at"] is not None and from_text(now) - from_text(told["seen_at"]) >= LAG


def _mark_seen(store: Store, arxiv_id: str, now: str) -> None:
    store.connection.execute(
        "UPDATE missing_papers SET seen_at = coalesce(seen_at, ?) WHERE arxiv_id = ?", (now, arxiv_id)
    )


def date_as_told(store: Store, papers: Sequence[Paper], *, now: str) -> list[Paper]:
    """Give papers that were looked up, and have no datestamp, the day that they were missed under, where it is sure.

    It is so once an earlier look-up brought the paper, too, and where the answer shows what is new by itself: the
    version that was told, a withdrawal, or a text that was never seen under the stored version.
    """
    told = {row["arxiv_id"]: row for row in _list_waiting(store, [paper.arxiv_id for paper in papers])}
    return [
        replace(paper, datestamp=date.fromisoformat(row["datestamp"]))
        if (row := told.get(paper.arxiv_id)) and row["datestamp"] and _is_sure(store, paper, row, now)
        else paper
        for paper in papers
    ]


def _is_sure(store: Store, paper: Paper, told: Row, now: str) -> bool:
    if _was_seen_before(told, now):
        return True
    known = store.row(
        "SELECT r.version, p.withdrawn FROM papers p JOIN revisions r USING (revision_id) WHERE p.arxiv_id = ?",
        (paper.arxiv_id,),
    )
    stored_version = known["version"] if known else 0
    if told["version"] is not None and stored_version < told["version"] <= paper.version:
        return True
    if known and paper.withdrawn and not known["withdrawn"] and paper.version >= stored_version:
        return True
    texts = store.rows(
        "SELECT text_hash FROM revisions WHERE (arxiv_id, version) = (?, ?)", (paper.arxiv_id, paper.version)
    )
    return bool(texts) and text_hash(paper.title, paper.abstract) not in {row["text_hash"] for row in texts}


def _list_waiting(store: Store, arxiv_ids: Iterable[str]) -> list[Row]:
    return store.rows(
        "SELECT m.arxiv_id, m.version, m.datestamp, m.seen_at, runs.categories FROM missing_papers m"
        " JOIN runs USING (run_id) WHERE settled_at IS NULL AND arxiv_id IN (SELECT value FROM json_each(?))"
        " ORDER BY arxiv_id",
        (json.dumps(list(arxiv_ids)),),
    )


def _is_behind(paper: Paper, told: Row) -> bool:
    """Tell whether the paper's version is older than the one that was told."""
    return told["version"] is not None and paper.version < int(told["version"])


def _is_older(paper: Paper, told: Row) -> bool:
    """Tell whether the paper is, or may be, older than what was told of it."""
    undated = paper.datestamp is None or str(paper.datestamp) < (told["datestamp"] or "")
    return _is_behind(paper, told) or (told["datestamp"] is not None and undated)


def count_try(store: Store, arxiv_ids: Iterable[str], *, now: str) -> None:
    """Count one more look-up of these papers. Runs inside a transaction."""
    store.connection.executemany(
        "UPDATE missing_papers SET tries = tries + 1, tried_at = ? WHERE arxiv_id = ? AND settled_at IS NULL",
        [(now, arxiv_id) for arxiv_id in arxiv_ids],
    )


@dataclass(frozen=True, slots=True)
class Missing:
    """Papers that are still missing, each list sorted.

    Attributes:
        not_come: announced lately; no look-up has brought them, or not the other one that is to confirm it.
        long_gone: announced long ago, and asked for in vain ever since.
        due: the ids to be asked for now, those included that came and are looked up again to be sure.
    """

    not_come: list[str]
    long_gone: list[str]
    due: list[str]


def list_missing(store: Store, *, now: datetime, run_id: int) -> Missing:
    """Return what is still missing, of what was told to runs that kept no other categories than this one."""
    rows = store.rows(
        "SELECT m.arxiv_id, runs.categories, seen_at > :lately AS seen,"
        " found_at <= :month_ago AND tries >= :tries AS long_gone, coalesce(tried_at, '') <= :week_ago AS rested"
        " FROM missing_papers m JOIN runs USING (run_id) WHERE settled_at IS NULL ORDER BY arxiv_id",
        {
            "lately": to_text(now - SEEN_FOR),
            "month_ago": to_text(now - NIGHTLY_FOR),
            "tries": NIGHTLY_TRIES,
            "week_ago": to_text(now - LATER_EVERY),
        },
    )
    rows = [row for row in rows if _is_for_this_run(store, row, run_id)]
    not_come = [row["arxiv_id"] for row in rows if not row["seen"] and not row["long_gone"]]
    long_gone = [row["arxiv_id"] for row in rows if not row["seen"] and row["long_gone"]]
    due = [row["arxiv_id"] for row in rows if row["rested"] or not row["long_gone"]]
    return Missing(not_come, long_gone, due)


def count_missing(store: Store, *, now: datetime) -> int:
    """Return how many papers are known to be missing; those that came and are looked up again to be sure are not."""
    return int(
        store.value(
            "SELECT count(*) FROM missing_papers WHERE settled_at IS NULL AND coalesce(seen_at, '') <= ?",
            (to_text(now - SEEN_FOR),),
        )
    )


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
