"""`bmp demo`: the whole path on the bundled sample."""

from __future__ import annotations

import shlex
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from curation.cli.context import AppContext, json_option, pass_app, say, write_json
from db.errors import UsageError

if TYPE_CHECKING:
    from crawler.nightly import Outcome


@click.command()
@json_option
@pass_app
@click.pass_context
def demo(ctx: click.Context, app: AppContext, as_json: bool) -> None:
    """Run the whole path on the bundled sample: a made day of papers, read as a real night is, without network.

    Uses a database of its own: that of --db or BMP_DB if it holds no real papers, else `demo.db` beside the usual one.
    """
    from crawler.sources.sample import SAMPLE_DAY
    from curation.cli.wiring import exit_code

    place = demo_path(app)
    app.settings = replace(app.settings, db=place)
    say(f"The sample is a made day ({SAMPLE_DAY}): none of its papers is real. Database: {place}")
    outcome, papers, waiting = _run(app, place)
    run = outcome.run
    if as_json:
        write_json({**run, "db": str(place), "papers": papers, "pending": waiting})
    if run["error"]:
        say(f"Error: {run['error']}")
    else:
        _tell(place, papers, waiting, run["seconds"]["total"], run["model"])
    ctx.exit(exit_code(outcome))


def demo_path(app: AppContext) -> Path:
    """Return the demo's database: never one that holds real papers.

    Raises:
        UsageError: a database was named that does.
    """
    named = app.db_option is not None or bool(app.environment.get("BMP_DB"))
    place = app.settings.db if named else app.settings.db.with_name("demo.db")
    if place.exists():
        from db.store import open_store

        with open_store(place, clock=app.clock) as store:
            if store.value("SELECT count(*) FROM runs WHERE kind <> 'demo'"):
                raise UsageError(
                    f"{place} holds real papers", "name another database for the demo: bmp --db demo.db demo"
                )
    return place


def _run(app: AppContext, place: Path) -> tuple[Outcome, int, int]:
    """Run the sample's night and return its outcome, the papers stored, and the candidates that wait."""
    from crawler.sources.http import Pace, PoliteClient, user_agent
    from crawler.sources.oai import OaiSource, group_sets
    from crawler.sources.sample import SAMPLE_CLOCK, SAMPLE_DAY, SAMPLE_URL, sample_transport
    from curation.catalogue import load_catalogue
    from curation.cli.context import program_version
    from curation.cli.wiring import make_night, run_locked, stopping_on_signals
    from db.upkeep import load_phenomena

    wanted = app.settings.categories
    pace = Pace(delay_seconds=0, max_wait_seconds=0, read_timeout_seconds=10)
    with stopping_on_signals() as stop, app.open_store(create=True) as store:
        with store.transaction():
            load_phenomena(store, load_catalogue(), app.loading())
        client = PoliteClient(
            pace, user_agent=user_agent(program_version(), ""), stop=stop, transport=sample_transport()
        )
        source = OaiSource(client, SAMPLE_URL, group_sets(wanted), clock=lambda: SAMPLE_CLOCK, first_night_days=1)
        outcome = run_locked(
            app, make_night(app, store, source, stop, kind="demo", categories=wanted, since=SAMPLE_DAY)
        )
        papers = store.value("SELECT count(*) FROM papers")
        return outcome, papers, len(app.review(store).waiting())


def _tell(place: Path, papers: int, waiting: int, seconds: float, model: str | None) -> None:
    program = "bmp" if shutil.which("bmp") else sys.argv[0]
    words = f"{program} --db {shlex.quote(str(place))}"
    say(
        f"\n{papers} papers, {waiting} candidates waiting; {seconds:.1f} s with {model}.\n"
        f"\n  open the queue     {words} review"
        f"\n  list it            {words} queue list"
        f"\n  look at the night  {words} runs show 1"
    )
