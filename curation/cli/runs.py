"""`bmp runs` and `bmp status`: what the nights did, and how things stand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from curation.cli.context import AppContext, json_option, pass_app, write_json, write_table


@click.group()
def runs() -> None:
    """What the nights did: list, show."""


@runs.command("list")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
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
@click.argument("run_id", type=int)
@json_option
@pass_app
def show(app: AppContext, run_id: int, as_json: bool) -> None:
    """Show all that is known of one run."""
    from db.runs import find_run

    with app.open_store() as store:
        run = find_run(store, run_id)
    if as_json:
        write_json(run)
        return
    for name, value in run.items():
        if name == "malformed_records":
            value = "; ".join(f"{one['identifier'] or '?'}: {one['reason']}" for one in value)
        elif name == "seconds":
            value = ", ".join(f"{stage} {seconds}" for stage, seconds in value.items())
        elif name == "categories":
            value = " ".join(value)
        click.echo(f"{name:17}{'' if value is None else value}")


@click.command()
@json_option
@pass_app
def status(app: AppContext, as_json: bool) -> None:
    """Tell how things stand: what is stored, what waits, how the last night ended, when the next one runs."""
    facts = gather_status(app)
    if as_json:
        write_json(facts)
        return
    last = facts["last_run"]
    lines = {
        "papers": f"{facts['papers']} ({facts['revisions']} revisions)",
        "phenomena": facts["phenomena"],
        "queue": f"{facts['pending']} waiting, {facts['decided']} decided",
        "last night": f"{last['started_at']} {last['status']}: {last['new']} new, {last['changed']} changed,"
        f" {last['queued']} queued" + (f"; {last['error']}" if last["error"] else "")
        if last
        else "none yet: bmp nightly",
        "next night": f"{facts['next_run']}, where `bmp schedule` or a timer runs",
        "database": f"{app.settings.db} ({facts['database_bytes'] / 1e6:.1f} MB)",
        "model": facts["model"],
    }
    for name, value in lines.items():
        click.echo(f"{name:12}{value}")


def gather_status(app: AppContext) -> dict[str, Any]:
    """Return the published form of `bmp status`."""
    from db.runs import find_last_run
    from db.times import from_text, to_text

    hours, minutes = (int(part) for part in app.settings.nightly_at.split(":"))
    now = app.clock()
    slot = now.replace(hour=hours, minute=minutes, second=0, microsecond=0)
    with app.open_store() as store:
        last = find_last_run(store)
        counted = {(row["phenomenon"], row["status"]): row["count"] for row in app.review(store).counts()}
        facts = {
            "papers": store.value("SELECT count(*) FROM papers"),
            "revisions": store.value("SELECT count(*) FROM revisions"),
            "phenomena": store.value("SELECT count(*) FROM phenomena"),
            "pending": sum(count for (_, state), count in counted.items() if state in ("pending", "reopened")),
            "decided": sum(count for (_, state), count in counted.items() if state not in ("pending", "reopened")),
            "last_run": last,
            "next_run": to_text(slot if slot > now else slot + timedelta(days=1)),
            "database_bytes": app.settings.db.stat().st_size,
            "model": app.settings.model,
        }
    if last:
        facts["hours_since_last_run"] = round((now - from_text(last["started_at"])).total_seconds() / 3600, 1)
    return facts
