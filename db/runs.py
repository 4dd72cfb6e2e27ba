"""The ledger: one row a run, what it did and how it ended; and the cursors that say how far a source was read."""

from __future__ import annotations

import json
from collections.abc import Sequence

from db.errors import UsageError
from db.records import Malformed, RunStatus
from db.store import Row, Store

MALFORMED_KEPT_BYTES = 64_000


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

    Rows that a killed process left open are closed as failed: the caller holds the night's lock.
    """
    store.connection.execute(
        "UPDATE runs SET status = 'failed', finished_at = ?, error = 'the process ended before the run did'"
        " WHERE status = 'running'",
        (started_at,),
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


def add_to_run(store: Store, run_id: int, **amounts: float) -> None:
    """Add amounts to the run's counters. Runs inside a transaction."""
    assignments = ", ".join(f"{name} = {name} + :{name}" for name in amounts)
    store.connection.execute(f"UPDATE runs SET {assignments} WHERE run_id = :run_id", {**amounts, "run_id": run_id})


def set_run(store: Store, run_id: int, **values: str | int | float | None) -> None:
    """Set columns of the run. Runs inside a transaction."""
    assignments = ", ".join(f"{name} = :{name}" for name in values)
    store.connection.execute(f"UPDATE runs SET {assignments} WHERE run_id = :run_id", {**values, "run_id": run_id})


def save_malformed(store: Store, run_id: int, records: Sequence[Malformed]) -> None:
    """Keep records that could not be read, for a look. Runs inside a transaction."""
    store.connection.executemany(
        "INSERT INTO malformed_records (run_id, identifier, reason, raw) VALUES (?, ?, ?, ?)",
        [(run_id, record.identifier, record.reason, record.raw[:MALFORMED_KEPT_BYTES]) for record in records],
    )


def find_run(store: Store, run_id: int) -> Row:
    """Return one run in its published form.

    Raises:
        UsageError: there is none of that id.
    """
    row = store.row("SELECT * FROM runs WHERE run_id = ?", (run_id,))
    if row is None:
        raise UsageError(f"there is no run {run_id}", "`bmp runs list` shows the ids")
    malformed = store.rows(
        "SELECT identifier, reason FROM malformed_records WHERE run_id = ? ORDER BY malformed_id", (run_id,)
    )
    return {**_published(row), "malformed_records": malformed}


def list_runs(store: Store, *, limit: int | None = None) -> list[Row]:
    """Return runs in their published form, newest first."""
    rows = store.rows("SELECT * FROM runs ORDER BY run_id DESC LIMIT ?", (-1 if limit is None else limit,))
    return [_published(row) for row in rows]


def find_last_run(store: Store, *, kind: str = "nightly", statuses: Sequence[RunStatus] = ()) -> Row | None:
    """Return the newest run of a kind, in one of the given states if any are given; or None."""
    row = store.row(
        "SELECT * FROM runs WHERE kind = ? AND (? = '[]' OR status IN (SELECT value FROM json_each(?)))"
        " ORDER BY run_id DESC LIMIT 1",
        (kind, wanted := json.dumps([status.value for status in statuses]), wanted),
    )
    return None if row is None else _published(row)


def _published(row: Row) -> Row:
    stages = {stage: round(row.pop(f"{stage}_seconds"), 3) for stage in ("harvest", "embed", "match")}
    row["seconds"] = {**stages, "total": round(sum(stages.values()), 3)}
    row["categories"] = row["categories"].split()
    return row


def find_cursor(store: Store, source: str, part: str) -> str | None:
    """Return how far a source's part was read, or None if it never was."""
    found = store.value("SELECT position FROM cursors WHERE (source, part) = (?, ?)", (source, part))
    return None if found is None else str(found)


def save_cursor(store: Store, source: str, part: str, position: str, run_id: int) -> None:
    """Say how far a source's part was read. Runs inside the transaction that keeps what was read."""
    store.connection.execute(
        "INSERT INTO cursors (source, part, position, run_id) VALUES (?, ?, ?, ?) ON CONFLICT (source, part)"
        " DO UPDATE SET position = excluded.position, run_id = excluded.run_id",
        (source, part, position, run_id),
    )
