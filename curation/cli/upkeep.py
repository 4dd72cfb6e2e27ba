"""`bmp phenomena merge|split`: entries that give way to others, with their evidence."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from curation.cli.context import AppContext, json_option, name_some, note_option, pass_app, say, write_json
from curation.cli.editing import edit_for
from db.errors import UsageError
from db.records import Phenomenon
from db.text import clean_line, require_arxiv_id

if TYPE_CHECKING:
    from curation.cli.editing import Take
    from curation.upkeep import Moved
    from db.store import Store

_dry_run_option = click.option("--dry-run", is_flag=True, help="Only say what would come of it.")


@click.command()
@click.argument("code")
@click.argument("into")
@click.option("--queue", is_flag=True, help="Accept nothing there: all of it waits to be decided anew.")
@note_option
@_dry_run_option
@json_option
@pass_app
def merge(app: AppContext, code: str, into: str, queue: bool, note: str | None, dry_run: bool, as_json: bool) -> None:
    """Retire the entry CODE in favour of INTO, and carry its evidence along.

    Each accepted paper is accepted there by a decision of yours, on the same revision, stance and sentence; what was
    decided there already stays. What waited for CODE waits for INTO. Saying it again carries what was decided since.
    """
    if app.settings.blind and not queue:
        raise UsageError("carrying evidence shows what others decided, and the review is blind", "say --queue with it")
    with app.open_store() as store:
        moved = app.upkeep(store, dry_run=dry_run).merge(code, into, note=note, queue=queue)
    _tell_moved(code, [moved], dry_run, as_json)


@click.command()
@click.argument("code")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option("--give", "given", multiple=True, metavar="ID=CODE", help="This paper goes there; may be repeated.")
@click.option("--rest", metavar="CODE", help="All other evidence goes there.")
@note_option
@_dry_run_option
@json_option
@pass_app
def split(
    app: AppContext,
    code: str,
    file: Path | None,
    given: tuple[str, ...],
    rest: str | None,
    note: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Retire the entry CODE in favour of the new entries of the TOML FILE, or of those written in $EDITOR.

    Evidence goes where `--give` and `--rest` say, by decisions of yours as for `merge`; what they do not name, and what
    waited for CODE, waits for all of the new entries.
    """
    from curation.catalogue import load_catalogue

    chosen = dict(_parse_given(one) for one in given)
    if app.settings.blind and (chosen or rest):
        raise UsageError("carrying evidence shows what others decided, and the review is blind", "let all of it wait")
    with app.open_store() as store:

        def take(parts: list[Phenomenon]) -> list[Moved]:
            return app.upkeep(store, dry_run=dry_run).split(code, parts, given=chosen, rest=rest, note=note)

        moved = take(load_catalogue(file)) if file else _edit_parts(app, store, code, take)
    _tell_moved(code, moved, dry_run, as_json)


def _parse_given(text: str) -> tuple[str, str]:
    arxiv_id, sign, code = text.partition("=")
    if not sign:
        raise UsageError(f"'{clean_line(text)[:40]}' does not say where the paper goes", "write --give 2001.08361=H1.9")
    return require_arxiv_id(arxiv_id), code.strip()


def _edit_parts(app: AppContext, store: Store, code: str, take: Take[list[Moved]]) -> list[Moved]:
    """Take the new entries as written in the editor, which begins with the old one twice; none if it was split."""
    from curation.catalogue import render_catalogue
    from db.phenomena import find_phenomenon

    entry = find_phenomenon(store, code, retired=True)
    if entry.retired:
        return take([])
    twice = f"# Give both entries new codes, for {code} is never used again.\n" + render_catalogue([entry]) * 2
    moved = edit_for(app, twice, code, take)
    if moved is None:
        raise UsageError("nothing was written, so nothing was split", "name a file, or write the new entries")
    return moved


def _tell_moved(code: str, moved: list[Moved], dry_run: bool, as_json: bool) -> None:
    if as_json:
        write_json({"code": code, "dry_run": dry_run, "moved": [asdict(one) for one in moved]})
    for one in moved:
        told = f"{one.accepted} accepted there, {one.known} were already, {one.queued} wait there now"
        say(f"{code} -> {one.phenomenon}: {told}.")
        if one.differing:
            say(f"  Decided otherwise for {one.phenomenon}, and left so: {name_some(one.differing)}.")
    if dry_run:
        say("Nothing was written.")
