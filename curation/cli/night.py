"""Commands that bring papers in: nightly, backfill, fetch, schedule."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from curation.cli.context import DATE, TIME_OF_DAY, AppContext, json_option, pass_app, say, write_json
from db.errors import BmpError, BusyError, UsageError
from db.text import clean_line, require_arxiv_id

if TYPE_CHECKING:
    from crawler.control import Stop
    from crawler.nightly import Night
    from crawler.sources.http import PoliteClient
    from db.store import Row, Store

category_option = click.option(
    "--category",
    "categories",
    multiple=True,
    metavar="C",
    callback=lambda _ctx, _param, named: tuple(sorted(set(named))),
    help="Keep papers of this category; may be repeated.",
)


@click.command()
@click.option("--source", type=click.Choice(["oai", "api"]), default="oai", show_default=True, help="Where to ask.")
@click.option(
    "--since", type=DATE, help="Ask from this day on (2026-11-24) instead of from where the last night ended."
)
@category_option
@click.option("--wait", is_flag=True, help="Wait while another run is at work, instead of leaving it to that one.")
@json_option
@pass_app
@click.pass_context
def nightly(
    ctx: click.Context,
    app: AppContext,
    source: str,
    since: date | None,
    categories: tuple[str, ...],
    wait: bool,
    as_json: bool,
) -> None:
    """Harvest, embed, match and queue the new papers.

    Exit code 0: all arrived, or there was nothing new, or another run is at work; 3: a part is missing and is asked for
    again next time; 1: nothing usable came; 130: interrupted.
    """
    ctx.exit(run_nightly(app, source, since, categories, wait=wait, as_json=as_json))


def run_nightly(
    app: AppContext, source: str, since: date | None, categories: tuple[str, ...], *, wait: bool, as_json: bool
) -> int:
    """Run one night, tell of it, and return the exit code."""
    from crawler.control import StopRequested
    from curation.cli.telling import run_and_tell
    from curation.cli.wiring import exit_code, polite_client, stopping_on_signals
    from db.runs import find_last_run

    if since is not None and since > app.clock().astimezone(UTC).date():
        raise UsageError(f"{since} has not begun yet (UTC)", "name an earlier day")
    wanted = categories or app.settings.categories
    with stopping_on_signals() as stop, polite_client(app.settings, stop) as client, app.open_store() as store:
        night = _night(app, store, source, stop, client, wanted, since=since)
        _warn_of_sample(store)
        if not app.settings.contact:
            say("Tip: set BMP_CONTACT to an e-mail address, so that arXiv can reach you before it blocks you.")
        try:
            outcome = run_and_tell(app, night, wait=wait)
        except BusyError as error:
            say(f"{error.message}; nothing was done here.")
            if as_json:
                write_json(find_last_run(store, kind=None))
            return 0
        except StopRequested:
            say("Stopped; what was kept stays, and the next run goes on from there.")
            return 130
    if as_json:
        write_json(outcome.run)
    return exit_code(outcome)


def _warn_of_sample(store: Store) -> None:
    from db.runs import find_last_run

    if find_last_run(store, kind="demo") is not None:
        say(
            f"Warning: {store.path} holds the demo's made-up papers, and they stay among the real ones;"
            " name another database with BMP_DB or bmp --db."
        )


def _night(
    app: AppContext,
    store: Store,
    source: str,
    stop: Stop,
    client: PoliteClient,
    categories: Sequence[str],
    since: date | None = None,
) -> Night:
    """Return a night with all that it works with."""
    from curation.cli.wiring import make_night, make_reconciliation, nightly_source

    place = nightly_source(app, source, client, categories)
    return make_night(
        app,
        store,
        place,
        stop,
        kind="nightly",
        categories=categories,
        since=since,
        reconciliation=make_reconciliation(app, place, client, categories),
    )


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@category_option
@click.option("--since", type=DATE, help="Leave out papers whose record last changed before this day.")
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Embed in this process, or by the workers of a Ray cluster (extra `ray`).",
)
@click.option(
    "--cascade/--no-cascade",
    default=None,
    help="Of older papers embed only those that can reach the queue; --no-cascade makes up for it.",
)
@click.option("--address", metavar="HOST:PORT", help="Of a Ray cluster that runs; without it one is started here.")
@click.option(
    "--workers", type=click.IntRange(1), metavar="N", help="How many Ray workers embed; one for each core by default."
)
@json_option
@pass_app
@click.pass_context
def backfill(
    ctx: click.Context,
    app: AppContext,
    file: Path,
    categories: tuple[str, ...],
    since: date | None,
    engine: str,
    cascade: bool | None,
    address: str | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Read FILE, the public arXiv metadata snapshot (JSON lines, plain or .gz), and treat it like a night.

    It can be interrupted at any time and goes on where it stopped.
    """
    from crawler.sources.snapshot import SnapshotSource
    from curation.cli.wiring import (
        exit_code,
        make_cluster_night,
        make_night,
        run_locked,
        stopping_on_signals,
        tell_outcome,
    )
    from db.phenomena import list_phenomena

    if engine != "ray" and (address or workers):
        raise UsageError("--address and --workers are of --engine ray", "add --engine ray")
    if engine == "ray" and cascade:
        raise UsageError("a cluster embeds all papers", "leave out --cascade or --engine ray")
    wanted = categories or app.settings.categories
    source = SnapshotSource(file, wanted, since=since)
    with stopping_on_signals() as stop, app.open_store() as store:
        if cascade and not list_phenomena(store):
            raise UsageError("the catalogue is empty: nothing can be queued", "add an entry, or leave out --cascade")
        night = make_night(app, store, source, stop, kind="backfill", categories=wanted, since=since, cascade=cascade)
        if engine == "ray":
            night = make_cluster_night(app, night, file, address=address, workers=workers)
        outcome = run_locked(app, night)
        tell_outcome(store, outcome.run)
    if as_json:
        write_json(outcome.run)
    ctx.exit(exit_code(outcome))


@click.command()
@click.argument("arxiv_ids", nargs=-1, metavar="[ID]...")
@click.option("--query", metavar="Q", help="A query in arXiv's own language, such as 'ti:grokking AND cat:cs.LG'.")
@click.option(
    "--limit", type=click.IntRange(1, 2000), default=100, show_default=True, help="How many of the query's papers."
)
@click.option("--references", is_flag=True, help="The papers that the catalogue refers to and that are not stored yet.")
@json_option
@pass_app
@click.pass_context
def fetch(
    ctx: click.Context,
    app: AppContext,
    arxiv_ids: tuple[str, ...],
    query: str | None,
    limit: int,
    references: bool,
    as_json: bool,
) -> None:
    """Bring in single papers by ID, a query's newest papers, or the catalogue's references, whatever their category."""
    from crawler.sources.query import IdsSource, SearchSource
    from curation.cli.wiring import (
        exit_code,
        make_night,
        polite_client,
        query_api,
        run_locked,
        stopping_on_signals,
        tell_outcome,
    )

    if (bool(arxiv_ids), query is not None, references).count(True) != 1:
        raise UsageError("say what to fetch", "ids, or --query, or --references, and only one of the three")
    if query is not None and not clean_line(query):
        raise UsageError("the query is empty", "write it in arXiv's language, such as 'ti:grokking AND cat:cs.LG'")
    ids = [require_arxiv_id(text) for text in arxiv_ids]
    with stopping_on_signals() as stop, polite_client(app.settings, stop) as client, app.open_store() as store:
        if references:
            ids = missing_references(store)
            if not ids:
                say("All papers that the catalogue refers to are stored.")
                return
        api = query_api(app, client)
        source = SearchSource(api, query, limit) if query is not None else IdsSource(api, ids)
        outcome = run_locked(app, make_night(app, store, source, stop, kind="fetch", categories=()))
        tell_outcome(store, outcome.run)
    if as_json:
        write_json(outcome.run)
    ctx.exit(exit_code(outcome))


def missing_references(store: Store) -> list[str]:
    """Return the catalogue's references that are not stored, in its order."""
    from db.papers import find_known_ids
    from db.phenomena import list_phenomena

    ids = list(dict.fromkeys(id_ for phenomenon in list_phenomena(store) for id_ in phenomenon.references))
    known = find_known_ids(store, ids)
    return [arxiv_id for arxiv_id in ids if arxiv_id not in known]


@click.command()
@click.option(
    "--at", type=TIME_OF_DAY, metavar="HH:MM", help="The time of day in UTC; 06:30 unless the settings say otherwise."
)
@pass_app
def schedule(app: AppContext, at: str | None) -> None:
    """Stay alive and run a night every day; after a time of being down the missed night runs at once.

    SIGTERM and Ctrl-C end it cleanly: a night at work stops at its next safe place and goes on the next time.
    """
    from crawler.control import Stop
    from crawler.schedule import run_schedule
    from crawler.slots import next_slot
    from crawler.sources.oai import group_sets

    at = at or app.settings.nightly_at
    group_sets(app.settings.categories)  # a category that arXiv has not is told now, not at night
    with app.open_store() as store:  # a database that cannot be opened is told now, not at night
        _warn_of_sample(store)
        due = describe_due(_list_nights(app, store), app.clock(), at)
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    stop = Stop()
    say(
        f"Nights run at {at} UTC; the next slot is {next_slot(app.clock(), at):%Y-%m-%d %H:%M} UTC."
        f" {due} Ctrl-C ends this."
    )
    run_schedule(
        at=at,
        clock=app.clock,
        list_nights=lambda: _read_nights(app),
        run_night=lambda: _scheduled_night(app, stop),
        stop=stop,
    )
    say("Ended.")


def describe_due(nights: list[Row], now: datetime, at: str) -> str:
    """Say whether a night starts at once and, if none does, which night is the reason.

    Args:
        nights: ledger rows of nights, newest first.
    """
    from crawler.schedule import is_due
    from crawler.slots import GOOD_ENDS, latest_slot
    from db.times import from_text

    if is_due(nights, now, at):
        return "A night starts now."
    tries = [night for night in nights if latest_slot(now, at) <= from_text(night["started_at"]) <= now]
    good = next((night for night in tries if night["status"] in GOOD_ENDS), None)
    reason = good or next((night for night in tries if night["refused"]), tries[0])
    moment = f"{from_text(reason['started_at']):%Y-%m-%d %H:%M} UTC"
    if good:
        return f"None starts now: the last good night was at {moment}."
    if reason["refused"]:
        return f"None starts now: arXiv refused the night of {moment}."
    return f"None starts now: the last try was at {moment} ({reason['status']}), and the next one comes later."


def _read_nights(app: AppContext) -> list[Row]:
    with app.open_store() as store:
        return _list_nights(app, store)


def _list_nights(app: AppContext, store: Store) -> list[Row]:
    from crawler.slots import list_full_nights
    from db.runs import list_runs

    return list_full_nights(list_runs(store, kind="nightly"), app.clock(), app.settings.categories)


def _scheduled_night(app: AppContext, stop: Stop) -> None:
    """Run a night in the scheduler's thread, where no signal arrives; whatever fails is told and in the ledger."""
    from crawler.control import StopRequested
    from curation.cli.telling import run_and_tell
    from curation.cli.wiring import polite_client

    wanted = app.settings.categories
    with polite_client(app.settings, stop) as client, app.open_store() as store:
        try:
            run_and_tell(app, _night(app, store, "oai", stop, client, wanted))
        except StopRequested:
            say("Stopped before the night began.")
        except BmpError as error:
            say(f"No night: {error}")
