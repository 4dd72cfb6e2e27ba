"""`bmp export`: the curated database for others."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from curation.cli.context import AppContext, pass_app, say
from curation.cli.progress import ProgressDisplay

FORMATS = ("markdown", "json", "csv", "bibtex", "sqlite", "site")


@click.command()
@click.argument("format_name", metavar="FORMAT", type=click.Choice(FORMATS))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, allow_dash=True), help="Write here instead of to stdout."
)
@pass_app
def export(app: AppContext, format_name: str, output: Path | None) -> None:
    """Write the curated database as FORMAT: markdown, json, csv, bibtex, sqlite (which needs -o), or site.

    A site is a folder of pages, named with -o, with the other formats in it. The same database gives the same bytes.
    """
    from curation.export.write import SITE, write_export, write_site

    target = None if output is None or str(output) == "-" else output
    with app.open_store() as store:
        if format_name == SITE:
            with ProgressDisplay(sys.stderr) as display:
                write_site(store, target, lambda done, total: display("pages", done, total))
        else:
            write_export(store, format_name, target, sys.stdout.buffer)
    if target is not None:
        say(f"Wrote {target}.")
