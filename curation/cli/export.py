"""`bmp export`: the curated database for others."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import click

from curation.cli.context import DATE, AppContext, pass_app, say
from curation.cli.progress import ProgressDisplay
from db.errors import UsageError

FORMATS = ("markdown", "json", "csv", "bibtex", "sqlite", "site")


@click.command()
@click.argument("format_name", metavar="FORMAT", type=click.Choice(FORMATS))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, allow_dash=True), help="Write here instead of to stdout."
)
@click.option("--since", type=DATE, help="Write only what moved from this day on (markdown or json).")
@click.option("--until", type=DATE, help="With --since: the last day that counts.")
@pass_app
def export(app: AppContext, format_name: str, output: Path | None, since: date | None, until: date | None) -> None:
    """Write the curated database as FORMAT: markdown, json, csv, bibtex, sqlite (which needs -o), or site.

    A site is a folder of pages, named with -o, with the other formats in it. The same database gives the same bytes.
    With --since it is the changelog: what was added, re-opened, withdrawn, promoted, or is otherwise than before.
    """
    from curation.export.write import SITE, write_changelog, write_export, write_site

    if until is not None and since is None:
        raise UsageError("--until wants a day to begin with", "name it with --since")
    target = None if output is None or str(output) == "-" else output
    with app.open_store() as store:
        if since is not None:
            write_changelog(store, format_name, target, sys.stdout.buffer, since=since, until=until)
        elif format_name == SITE:
            with ProgressDisplay(sys.stderr) as display:
                write_site(store, target, lambda done, total: display("pages", done, total))
        else:
            write_export(store, format_name, target, sys.stdout.buffer)
    if target is not None:
        say(f"Wrote {target}.")
