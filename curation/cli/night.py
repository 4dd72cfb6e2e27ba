"""Commands that bring papers in: nightly, backfill, fetch, schedule."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from curation.cli.context import DATE, AppContext, json_option, pass_app, say, write_json
from db.errors import BusyError, UsageError
from db.text import require_arxiv_id

if TYPE_CHECKING:
    from crawler.control import Stop
    from crawler.nightly import Night
    from crawler.sources.http import PoliteClient
    from db.store import Store

category_option = click.option(
    "--category", "categories", multiple=True, metavar="C", help="Keep papers of this category; may be repeated."
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

    wanted = categories or app.settings.categories
    with stopping_on_signals() as stop, polite_client(app.settings, stop) as client, app.open_store() as store:
        night = _night(app, store, source, stop, client, wanted, since=since)
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
            say("Stopped waiting; nothing was done here.")
            return 130
    if as_json:
        write_json(outcome.run)
    return exit_code(outcome)


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
@json_option
@pass_app
@click.pass_context
def backfill(
    ctx: click.Context, app: AppContext, file: Path, categories: tuple[str, ...], since: date | None, as_json: bool
) -> None:
    """Read FILE, the public arXiv metadata snapshot (JSON lines, plain or .gz), and treat it like a night.

    It can be interrupted at any time and goes on where it stopped.
    """
    from crawler.sources.snapshot import SnapshotSource
    from curation.cli.wiring import exit_code, make_night, run_locked, stopping_on_signals, tell_outcome

    wanted = categories or app.settings.categories
    source = SnapshotSource(file, wanted, since=since)
    with stopping_on_signals() as stop, app.open_store() as store:
        outcome = run_locked(app, make_night(app, store, source, stop, kind="backfill", categories=wanted, since=since))
    if as_json:
        write_json(outcome.run)
    tell_outcome(outcome.run)
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
    if as_json:
        write_json(outcome.run)
    tell_outcome(outcome.run)
    ctx.exit(exit_code(outcome))


def missing_references(store: Store) -> list[str]:
    """Return the catalogue's references that are not stored, in its order."""
    from db.papers import find_known_ids
    from db.phenomena import list_phenomena

    ids = list(dict.fromkeys(id_ for phenomenon in list_phenomena(store) for id_ in phenomenon.references))
    known = find_known_ids(store, ids)
    return [arxiv_id for arxiv_id in ids if arxiv_id not in known]


@click.command()
@click.option("--at", metavar="HH:MM", help="The time of day in UTC; 06:30 unless the settings say otherwise.")
@pass_app
def schedule(app: AppContext, at: str | None) -> None:
    """Stay alive and run a night every day; after a time of being down the missed night runs at once.

    SIGTERM and Ctrl-C end it cleanly: a night at work stops at its next safe place and goes on the next time.
    """
    from crawler.control import Stop
    from crawler.schedule import run_schedule
    from crawler.slots import next_slot
    from db.settings import load_settings

    if at is not None:
        at = load_settings({**app.environment, "BMP_NIGHTLY_AT": at}, db=app.db_option).nightly_at
    at = at or app.settings.nightly_at
    app.open_store().close()  # a database that cannot be opened is told now, not at night
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    stop = Stop()
    say(f"Nights run at {at} UTC; the next slot is {next_slot(app.clock(), at):%Y-%m-%d %H:%M} UTC. Ctrl-C ends this.")
    run_schedule(
        at=at,
        clock=app.clock,
        list_nights=lambda: _list_nights(app),
        run_night=lambda: _scheduled_night(app, stop),
        stop=stop,
    )
    say("Ended.")


def _list_nights(app: AppContext) -> list[dict[str, object]]:
    from db.runs import list_runs

    with app.open_store() as store:
        return [run for run in list_runs(store, limit=20) if run["kind"] == "nightly"]


def _scheduled_night(app: AppContext, stop: Stop) -> None:
    """Run a night in the scheduler's thread, where no signal arrives; whatever fails is told and in the ledger."""
    from curation.cli.telling import run_and_tell
    from curation.cli.wiring import polite_client

    wanted = app.settings.categories
    with polite_client(app.settings, stop) as client, app.open_store() as store:
        try:
            run_and_tell(app, _night(app, store, "oai", stop, client, wanted))
        except BusyError as error:
            say(error.message)
