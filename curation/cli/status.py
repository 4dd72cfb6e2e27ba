"""`bmp status`: how things stand, what arXiv brings next, and whether a night without papers is a sign of a fault."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from curation.cli.context import AppContext, json_option, pass_app, write_json

if TYPE_CHECKING:
    from db.store import Row, Store

OVERDUE_AFTER = timedelta(hours=36)  # a night was missed, and half a day was not enough to make up for it


@click.command()
@click.option(
    "--check", is_flag=True, help="Exit with 1 if a good night is overdue, or the last one failed or was killed."
)
@json_option
@pass_app
@click.pass_context
def status(ctx: click.Context, app: AppContext, check: bool, as_json: bool) -> None:
    """Tell how things stand: what is stored, what waits, how the last night ended, what the next one can expect."""
    facts = gather_status(app)
    if as_json:
        write_json(facts)
    else:
        for name, value in _lines(app, facts).items():
            click.echo(f"{name:12}{value}")
    ctx.exit(1 if check and needs_attention(facts) else 0)


def gather_status(app: AppContext) -> dict[str, Any]:
    """Return the published form of `bmp status`."""
    from crawler.slots import GOOD_ENDS, list_full_nights
    from db.records import RunStatus
    from db.runs import find_last_run, list_runs, was_stopped

    with app.open_store() as store:
        last = find_last_run(store)
        nights = list_full_nights(list_runs(store, kind="nightly"), app.clock(), app.settings.categories)
        last_good = next((night for night in nights if night["status"] in GOOD_ENDS), None)
        judged = next((night for night in nights if not was_stopped(night["error"])), None)
        return {
            **_gather_stored(app, store),
            "last_run": last,
            "failed_run": judged["run_id"] if judged and judged["status"] == RunStatus.FAILED else None,
            "last_run_killed": last is not None and _was_killed(store, last),
            **_gather_next_night(app, last_good),
            "last_run_zero": _judge_zero(app, store, last) if last else None,
            **_gather_ages(app.clock(), last, last_good),
            "database_bytes": app.settings.db.stat().st_size,
            "model": app.settings.model,
        }


def _was_killed(store: Store, last: Row) -> bool:
    """Tell whether a night that has not ended is at work no more; where the lock cannot be looked at, it may be."""
    from db.errors import StoreError
    from db.records import RunStatus
    from db.runs import find_run
    from db.store import is_night_running

    try:
        if last["status"] != RunStatus.RUNNING or is_night_running(store.path):
            return False
    except StoreError:
        return False
    return bool(find_run(store, last["run_id"])["status"] == RunStatus.RUNNING)  # it may have ended just now


def needs_attention(facts: dict[str, Any]) -> bool:
    """Tell whether a person should look: no good night for too long, or the last one failed, stopped by nobody."""
    return bool(facts["overdue"] or facts["last_run_killed"] or facts["failed_run"])


def _gather_stored(app: AppContext, store: Store) -> dict[str, int]:
    """Count what is stored, what is known to be missing, and what waits for a decision."""
    from db.missing import count_missing

    counted = {(row["phenomenon"], row["status"]): row["count"] for row in app.review(store).counts()}
    waiting = sum(count for (_, state), count in counted.items() if state in ("pending", "reopened"))
    return {
        "papers": store.value("SELECT count(*) FROM papers"),
        "revisions": store.value("SELECT count(*) FROM revisions"),
        "phenomena": store.value("SELECT count(*) FROM phenomena WHERE NOT retired"),
        "missing": count_missing(store, now=app.clock()),
        "pending": waiting,
        "decided": sum(counted.values()) - waiting,
    }


def _gather_next_night(app: AppContext, last_good: Row | None) -> dict[str, Any]:
    """Say when the next night runs and what it can expect to find since the last good one."""
    from crawler.announcements import expect, next_announcement, next_metadata
    from crawler.slots import next_slot
    from db.times import from_text, to_text

    now, holidays = app.clock(), app.settings.holidays()
    next_run = next_slot(now, app.settings.nightly_at)
    first_look = next_run - timedelta(days=app.settings.first_night_days)
    expected = expect(from_text(last_good["started_at"]) if last_good else first_look, next_run, holidays)
    return {
        "next_run": to_text(next_run),
        "expects": {
            "next_announcement_at": to_text(next_announcement(now, holidays).at),
            "next_metadata_at": to_text(next_metadata(now, holidays).metadata_at),
            "next_run_announcements": len(expected.announcements),
            "zero_is_normal": expected.zero_is_normal,
            "why": expected.why,
        },
    }


def _judge_zero(app: AppContext, store: Store, last: Row) -> dict[str, Any] | None:
    """Say whether it was normal that a quiet night found nothing; None for any other night."""
    from crawler.zero import judge_zero
    from db.records import RunStatus

    if last["status"] != RunStatus.QUIET:
        return None
    days = app.settings.first_night_days
    expected = judge_zero(store, last, holidays=app.settings.holidays(), first_night_days=days)
    return {
        "zero_is_normal": expected.zero_is_normal,
        "announcements": len(expected.announcements),
        "why": expected.why,
    }


def _gather_ages(now: datetime, last: Row | None, last_good: Row | None) -> dict[str, Any]:
    """Say how long ago the nights were, and whether a good one is overdue."""
    from db.times import from_text

    good_at = last_good["started_at"] if last_good else None
    ages: dict[str, Any] = {
        "last_good_at": good_at,
        "overdue": good_at is None or now - from_text(good_at) > OVERDUE_AFTER,
    }
    if last:
        ages["hours_since_last_run"] = round((now - from_text(last["started_at"])).total_seconds() / 3600, 1)
    return ages


def _lines(app: AppContext, facts: dict[str, Any]) -> dict[str, Any]:
    """Return the lines for a person, by their names."""
    expects = facts["expects"]
    lines = {
        "papers": f"{facts['papers']} ({facts['revisions']} revisions)",
        "phenomena": facts["phenomena"],
        "queue": f"{facts['pending']} waiting, {facts['decided']} decided",
        "missing": f"{facts['missing']} announced papers have not arrived" if facts["missing"] else None,
        "last night": _last_night(facts["last_run"]),
        "last zero": facts["last_run_zero"]["why"] if facts["last_run_zero"] else None,
        "last note": facts["last_run"]["note"] if facts["last_run"] else None,
        "next night": f"{facts['next_run']}, where `bmp schedule` or a timer runs",
        "expected": f"{_counted(expects['next_run_announcements'])} by the next night: {expects['why']}",
        "arXiv": f"announces next at {expects['next_announcement_at']}; metadata about {expects['next_metadata_at']}",
        "database": f"{app.settings.db} ({facts['database_bytes'] / 1e6:.1f} MB)",
        "model": facts["model"],
        "attention": _failure(facts),
        "warning": _overdue(facts["last_good_at"]) if facts["overdue"] else None,
    }
    return {name: value for name, value in lines.items() if value is not None}


def _last_night(last: Row | None) -> str:
    if last is None:
        return "none yet: bmp nightly"
    if last["status"] == "running":
        return f"{last['started_at']}, not ended"
    error = f"; {last['error']}" if last["error"] else ""
    return (
        f"{last['started_at']} {last['status']}: {last['new']} new, {last['changed']} changed,"
        f" {last['queued']} queued{error}"
    )


def _failure(facts: dict[str, Any]) -> str | None:
    if facts["last_run_killed"]:
        return "the last night was killed before its end; the next one makes up for it"
    if facts["failed_run"] is None:
        return None
    if facts["last_run"]["run_id"] == facts["failed_run"]:
        failed = f"the last night failed: {facts['last_run']['error'] or 'no word why'}"
    else:
        failed = "the last night of all categories that ran to its end failed"
    return f"{failed}; bmp runs show {facts['failed_run']}"


def _counted(announcements: int) -> str:
    return f"{announcements or 'no'} announcement{'' if announcements == 1 else 's'}"


def _overdue(last_good_at: str | None) -> str:
    if last_good_at is None:
        return "no night has come to a good end yet: bmp nightly"
    return f"no night has come to a good end since {last_good_at}: bmp runs list"
