"""`bmp runs`: what the nights did."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from curation.cli.context import (
    LIMIT,
    ROW_ID,
    AppContext,
    json_option,
    parse_row_id,
    pass_app,
    show_controls,
    write_json,
    write_table,
)

if TYPE_CHECKING:
    from db.store import Store


@click.group()
def runs() -> None:
    """What the nights did: list, show."""


@runs.command("list")
@click.option("--limit", type=LIMIT, default=20, show_default=True)
@json_option
@pass_app
def list_command(app: AppContext, limit: int, as_json: bool) -> None:
    """List runs, newest first."""
    from db.runs import list_runs

    with app.open_store() as store:
        rows = list_runs(store, limit=limit)
    for row in rows:
        row["id"] = row["run_id"]
    if as_json:
        write_json(rows)
        return
    headers = ("run", "started", "kind", "source", "status", "received", "new", "changed", "queued", "seconds", "error")
    write_table([_line(row) for row in rows], headers, wide=len(headers) - 1)


def _line(row: dict[str, Any]) -> tuple[Any, ...]:
    return (
        row["run_id"], row["started_at"], row["kind"], row["source"], row["status"], row["received"],
        row["new"], row["changed"], row["queued"], f"{row['seconds']['total']:.1f}", row["error"],
    )  # fmt: skip


@runs.command()
@click.argument("run_id", type=ROW_ID)
@click.option("--raw", metavar="WHICH", help="Write the bytes of a record that could not be read, by its id, or of the"
              " last answer that a part could not use, by source and part: oai/cs. On a terminal control characters"
              " are shown as escapes.")  # fmt: skip
@json_option
@pass_app
def show(app: AppContext, run_id: int, raw: str | None, as_json: bool) -> None:
    """Show all that is known of one run."""
    from db.runs import find_run

    with app.open_store() as store:
        run = find_run(store, run_id)
        if raw is not None:
            kept = _find_kept(store, run_id, raw)
            click.echo(show_controls(kept) if sys.stdout.isatty() else kept, nl=False)
            return
    if as_json:
        write_json(run)
    else:
        _write_run(run)


def _find_kept(store: Store, run_id: int, which: str) -> bytes:
    from db.runs import find_bad_answer, find_raw_record

    if which.isdecimal():
        return find_raw_record(store, run_id, parse_row_id(which))
    return find_bad_answer(store, run_id, which)


def _write_run(run: dict[str, Any]) -> None:
    tables = {name: run.pop(name) for name in ("parts", "missing_papers", "malformed_records")}
    for name, value in run.items():
        if name == "seconds":
            value = ", ".join(f"{stage} {seconds}" for stage, seconds in value.items())
        elif name == "categories":
            value = " ".join(value)
        click.echo(f"{name:17}{'' if value is None else value}")
    for name, rows in tables.items():
        if rows:
            click.echo(f"\n{name.replace('_', ' ')}")
            write_table([_cells(name, row) for row in rows], _COLUMNS[name], wide=len(_COLUMNS[name]) - 1)


_COLUMNS = {
    "parts": ("source", "part", "asked", "promised", "received", "new", "changed", "missing", "cursor", "error"),
    "missing_papers": ("paper", "version", "told by", "tries", "settled as", "settled at"),
    "malformed_records": ("id", "source", "part", "identifier", "bytes", "reason"),
}


def _cells(table: str, row: dict[str, Any]) -> tuple[Any, ...]:
    if table == "parts":
        moved = row["cursor_after"] if row["cursor_before"] == row["cursor_after"] else "{} > {}".format(
            row["cursor_before"] or "none", row["cursor_after"])  # fmt: skip
        names = ("source", "part", "asked", "promised", "received", "new", "changed", "missing")
        return (*(row[name] for name in names), moved, row["error"])
    if table == "missing_papers":
        return tuple(row.values())
    return tuple(row[name] for name in ("id", "source", "part", "identifier", "size_bytes", "reason"))
