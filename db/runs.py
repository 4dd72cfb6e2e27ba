"""The ledger: one row a run and one a part of it, what was done and how it ended; and how far each source was read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from db.errors import UsageError
from db.records import Malformed, RunStatus
from db.store import Row, Store

KEPT_BYTES = 64_000  # of a record or an answer that could not be read: enough for a look
KILLED = "the process ended before the run did"
_STAGES = ("harvest", "reconcile", "embed", "match")
STOPPED = "stopped before the end"  # the beginning of the error of a run that was asked to stop and had no other


def start_run(
    store: Store,
    *,
    kind: str,
    source: str,
    categories: Sequence[str],
    started_at: str,
    program_version: str,
) -> int:
    """Open a ledger row and return its id. Runs inside a transaction.

    Rows that a killed process left open are closed, as partial if papers came: the caller holds the night's lock.
    """
    store.connection.execute(
        "UPDATE runs SET finished_at = ?, error = ?,"
        " status = CASE WHEN received - malformed + fetched > 0 THEN 'partial' ELSE 'failed' END"
        " WHERE status = 'running'",
        (started_at, KILLED),
    )
    return store.insert(
        "runs",
        {
            "kind": kind,
            "status": RunStatus.RUNNING.value,
            "source": source,
            "categories": " ".join(categories),
            "started_at": started_at,
            "program_version": program_version,
        },
    )


def list_untold_killed(store: Store) -> list[int]:
    """Return the nights that were killed, were closed by a later run, and of which nobody was told yet."""
    rows = store.rows(
        "SELECT run_id FROM runs WHERE kind = 'nightly' AND error = ? AND told_at IS NULL ORDER BY run_id", (KILLED,)
    )
    return [row["run_id"] for row in rows]


def add_to_run(store: Store, run_id: int, **amounts: float) -> None:
    """Add amounts to the run's counters. Runs inside a transaction."""
    _add(store, "runs", amounts, {"run_id": run_id})


def set_run(store: Store, run_id: int, **values: str | int | float | None) -> None:
    """Set columns of the run. Runs inside a transaction."""
    _set(store, "runs", values, {"run_id": run_id})


def start_part(store: Store, run_id: int, source: str, part: str, *, asked: str, cursor: str | None) -> None:
    """Open the row of a part: what is asked for, and how far it was read before. Runs inside a transaction."""
    values = {"run_id": run_id, "source": source, "part": part, "asked": asked}
    store.insert("run_parts", {**values, "cursor_before": cursor, "cursor_after": cursor})


def add_to_part(store: Store, run_id: int, source: str, part: str, **amounts: float) -> None:
    """Add amounts to a part's counters. Runs inside a transaction."""
    _add(store, "run_parts", amounts, {"run_id": run_id, "source": source, "part": part})


def set_part(store: Store, run_id: int, source: str, part: str, **values: str | int | float | bytes | None) -> None:
    """Set columns of a part; of a bad answer only the beginning is kept. Runs inside a transaction."""
    if isinstance(answer := values.get("bad_answer"), bytes):
        values["bad_answer"] = answer[:KEPT_BYTES]
    _set(store, "run_parts", values, {"run_id": run_id, "source": source, "part": part})


def _add(store: Store, table: str, amounts: dict[str, float], key: Row) -> None:
    assignments = ", ".join(f"{name} = {name} + :{name}" for name in amounts)
    _update(store, table, assignments, amounts, key)


def _set(store: Store, table: str, values: Row, key: Row) -> None:
    assignments = ", ".join(f"{name} = :{name}" for name in values)
    _update(store, table, assignments, values, key)


def _update(store: Store, table: str, assignments: str, values: Row, key: Row) -> None:
    where = " AND ".join(f"{name} = :{name}" for name in key)
    store.connection.execute(f"UPDATE {table} SET {assignments} WHERE {where}", {**values, **key})


def save_malformed(store: Store, run_id: int, source: str, part: str, records: Sequence[Malformed]) -> None:
    """Keep records that could not be read, for a look. Runs inside a transaction."""
    store.connection.executemany(
        "INSERT INTO malformed_records (run_id, source, part, identifier, reason, raw, size_bytes, fingerprint)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                run_id,
                source,
                part,
                record.identifier,
                record.reason,
                record.raw[:KEPT_BYTES],
                len(record.raw),
                fingerprint(record),
            )
            for record in records
        ],
    )


def fingerprint(record: Malformed) -> str:
    """Return what a record that could not be read is known by when it comes again: the SHA-256 of its bytes."""
    return hashlib.sha256(record.raw).hexdigest()


def find_run(store: Store, run_id: int) -> Row:
    """Return one run in its published form, with its parts, the papers it missed, and what it could not read.

    Raises:
        UsageError: there is none of that id.
    """
    row = store.row("SELECT * FROM runs WHERE run_id = ?", (run_id,))
    if row is None:
        raise UsageError(f"there is no run {run_id}", "`bmp runs list` shows the ids")
    parts = store.rows(
        "SELECT source, part, asked, promised, received, new, changed, withdrawn, malformed, missing, pages,"
        " round(seconds, 3) AS seconds, cursor_before, cursor_after, error, bad_answer IS NOT NULL AS bad_answer"
        " FROM run_parts WHERE run_id = ? ORDER BY rowid",
        (run_id,),
    )
    for part in parts:
        part["bad_answer"] = bool(part["bad_answer"])
    return {
        **_published(row),
        "parts": parts,
        "missing_papers": store.rows(
            "SELECT arxiv_id, version, told_by, tries, settled_as, settled_at FROM missing_papers"
            " WHERE run_id = ? ORDER BY arxiv_id",
            (run_id,),
        ),
        "malformed_records": store.rows(
            "SELECT malformed_id AS id, source, part, identifier, reason, size_bytes FROM malformed_records"
            " WHERE run_id = ? ORDER BY malformed_id",
            (run_id,),
        ),
    }


def find_raw_record(store: Store, run_id: int, malformed_id: int) -> bytes:
    """Return the bytes that were kept of a record that a run could not read.

    Raises:
        UsageError: the run has no such record.
    """
    raw = store.value("SELECT raw FROM malformed_records WHERE (run_id, malformed_id) = (?, ?)", (run_id, malformed_id))
    if raw is None:
        raise UsageError(f"run {run_id} has no record {malformed_id}", f"`bmp runs show {run_id}` lists them")
    return bytes(raw)


def find_bad_answer(store: Store, run_id: int, part: str) -> bytes:
    """Return the beginning of the last answer that a part of a run could not use.

    Args:
        part: source and part as `oai/cs`.

    Raises:
        UsageError: the run has no such part, or the part no such answer.
    """
    source, _, name = part.partition("/")
    raw = store.value(
        "SELECT bad_answer FROM run_parts WHERE (run_id, source, part) = (?, ?, ?)", (run_id, source, name)
    )
    if raw is None:
        raise UsageError(f"run {run_id} kept no answer of '{part[:60]}'", f"`bmp runs show {run_id}` lists the parts")
    return bytes(raw)


def list_runs(store: Store, *, kind: str | None = None, limit: int | None = None) -> list[Row]:
    """Return runs of a kind (None: of any) in their published form, newest first."""
    rows = store.rows(
        "SELECT * FROM runs WHERE :kind IS NULL OR kind = :kind ORDER BY run_id DESC LIMIT :limit",
        {"kind": kind, "limit": -1 if limit is None else limit},
    )
    return [_published(row) for row in rows]


def find_last_run(store: Store, *, kind: str | None = "nightly") -> Row | None:
    """Return the newest run of a kind (None: of any), or None."""
    row = store.row(
        "SELECT * FROM runs WHERE :kind IS NULL OR kind = :kind ORDER BY run_id DESC LIMIT 1", {"kind": kind}
    )
    return None if row is None else _published(row)


def was_stopped(error: str | None) -> bool:
    """Tell by a run's error whether the run was stopped by a person or the system, and nothing went wrong before."""
    return error is not None and error.startswith(STOPPED)


def find_first_day(store: Store) -> str | None:
    """Return the day of the first nightly run, as text, or None if there was none."""
    first = store.value("SELECT min(started_at) FROM runs WHERE kind = 'nightly'")
    return None if first is None else str(first)[:10]


def find_first_since(store: Store) -> str | None:
    """Return the earliest day that a nightly run asked from, as text, or None if none did."""
    first = store.value("SELECT min(since) FROM runs WHERE kind = 'nightly'")
    return None if first is None else str(first)


def find_last_whole_day(store: Store, source: str, part: str, *, now: str, run_id: int) -> str | None:
    """Return the day, not after `now`, on which a night last read a part without an error, or None if none did.

    Args:
        run_id: the run at work, whose parts count though it has not ended; those of a killed one do not.
    """
    last = store.value(
        "SELECT max(started_at) FROM run_parts JOIN runs USING (run_id)"
        " WHERE kind = 'nightly' AND (run_parts.source, part) = (?, ?) AND run_parts.error IS NULL"
        " AND started_at <= ? AND (run_id = ? OR runs.status <> 'running' AND coalesce(runs.error, '') <> ?)",
        (source, part, now, run_id, KILLED),
    )
    return None if last is None else str(last)[:10]


def find_first_asked(store: Store, source: str, part: str, *, scope: str = "") -> str | None:
    """Return the day on which a night (of the categories in `scope`, if any) first asked for a part, or None."""
    first = store.value(
        "SELECT min(started_at) FROM run_parts JOIN runs USING (run_id)"
        " WHERE kind = 'nightly' AND (run_parts.source, part) = (:source, :part) AND :scope IN ('', runs.categories)",
        {"source": source, "part": part, "scope": scope},
    )
    return None if first is None else str(first)[:10]


def _published(row: Row) -> Row:
    """Return a row in the order of its telling, the last words last."""
    last = {name: row.pop(name) for name in ("program_version", "model", "model_revision", "ranker_version")}
    last |= {name: row.pop(name) for name in ("error", "note")}
    row.pop("told_at")
    stages = {stage: round(row.pop(f"{stage}_seconds"), 3) for stage in _STAGES}
    row["seconds"] = {**stages, "total": round(sum(stages.values()), 3)}
    row["categories"] = row["categories"].split()
    row["refused"] = bool(row["refused"])
    return {**row, **last}


def find_cursor(store: Store, source: str, part: str, *, scope: str = "") -> str | None:
    """Return how far a source's part was read, or None if it never was.

    Args:
        scope: the categories, where only the papers of these were kept.
    """
    name = f"{part} {scope}".strip()
    found = store.value("SELECT position FROM cursors WHERE (source, part) = (?, ?)", (source, name))
    return None if found is None else str(found)


def save_cursor(store: Store, source: str, part: str, position: str, run_id: int, *, scope: str = "") -> None:
    """Say how far a source's part was read, `scope` as in `find_cursor`. Runs inside the transaction that keeps it."""
    store.connection.execute(
        "INSERT INTO cursors (source, part, position, run_id) VALUES (?, ?, ?, ?) ON CONFLICT (source, part)"
        " DO UPDATE SET position = excluded.position, run_id = excluded.run_id",
        (source, f"{part} {scope}".strip(), position, run_id),
    )
    set_part(store, run_id, source, part, cursor_after=position)


def list_ended_runs(store: Store, *, since: str, until: str) -> list[Row]:
    """Return the runs that ended in a span, in their published form, oldest first.

    Args:
        since: the first moment of the span, as text.
        until: the first moment after it.
    """
    rows = store.rows(
        "SELECT * FROM runs WHERE finished_at >= ? AND finished_at < ? ORDER BY finished_at, run_id", (since, until)
    )
    return [_published(row) for row in rows]


def list_unreadable(store: Store, *, since: str, until: str) -> list[Row]:
    """Return the records that runs of a span (as in `list_ended_runs`) could not read, oldest first."""
    return store.rows(
        "SELECT m.malformed_id AS id, m.run_id, m.identifier, m.reason FROM malformed_records m"
        " JOIN runs USING (run_id) WHERE finished_at >= ? AND finished_at < ? ORDER BY m.malformed_id",
        (since, until),
    )
