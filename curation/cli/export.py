"""`bmp export`: the curated database for others."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import click

from curation.cli.context import DATE, AppContext, pass_app, say
from curation.cli.progress import ProgressDisplay
from db.errors import UsageError
from db.text import clean_line

FORMATS = ("markdown", "json", "csv", "bibtex", "ris", "atom", "sqlite", "site")


@click.command()
@click.argument("format_name", metavar="FORMAT", type=click.Choice(FORMATS))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, allow_dash=True), help="Write here instead of to stdout."
)
@click.option("--since", type=DATE, help="Write only what moved from this day on (markdown or json).")
@click.option("--until", type=DATE, help="With --since: the last day that counts.")
@click.option("--phenomenon", metavar="CODE", help="Of atom: the feed of this entry alone.")
@click.option("--url", metavar="URL", help="Of atom: where the feed will be found.")
@click.option("--schema", is_flag=True, help="Of json: print the JSON Schema of the export instead.")
@pass_app
def export(
    app: AppContext,
    format_name: str,
    output: Path | None,
    since: date | None,
    until: date | None,
    phenomenon: str | None,
    url: str | None,
    schema: bool,
) -> None:
    """Write the curated database as FORMAT: markdown, json, csv, bibtex, ris, atom, sqlite (which needs -o), or site.

    A site is a folder of pages, named with -o, with the other formats in it. The same database gives the same bytes.
    Beside a CSV file lies its datapackage.json, beside NAME.db the NAME.metadata.json for Datasette. With --since it is
    the changelog: what was added, re-opened, withdrawn, promoted, or is otherwise than before.
    """
    _refuse_strange_options(format_name, output, phenomenon, url, schema)
    if schema:
        from curation.export.json_text import read_schema

        click.echo(read_schema(), nl=False)
        return
    from curation.export.write import SITE, write_changelog, write_export, write_site

    if until is not None and since is None:
        raise UsageError("--until wants a day to begin with", "name it with --since")
    target = None if output is None or str(output) == "-" else output
    with app.open_store() as store:
        if since is not None:
            written = write_changelog(store, format_name, target, sys.stdout.buffer, since=since, until=until)
        elif format_name == SITE:
            with ProgressDisplay(sys.stderr) as display:
                written = write_site(store, target, lambda done, total: display("pages", done, total))
        else:
            written = write_export(store, format_name, target, sys.stdout.buffer, code=phenomenon, url=url)
    for path in written:
        say(f"Wrote {path}.")


def _refuse_strange_options(
    format_name: str, output: Path | None, phenomenon: str | None, url: str | None, schema: bool
) -> None:
    if (phenomenon or url) and format_name != "atom":
        raise UsageError(f"--phenomenon and --url are of atom, not of {format_name}", "leave them out")
    if url and not _is_address(url):
        raise UsageError(
            f"'{clean_line(url)[:60]}' is no address of a feed", "write it as https://example.org/feed.xml"
        )
    if schema and format_name != "json":
        raise UsageError(f"--schema is of json, not of {format_name}", "`bmp export json --schema` prints it")
    if schema and output is not None:
        raise UsageError("--schema goes to stdout", "leave -o out, and send it to a file with >")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and clean_line(url) == url and " " not in url
