"""Entries of the catalogue in the user's editor: checked when it closes, and never lost."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import click

from curation.catalogue import parse_catalogue
from curation.cli.context import AppContext, say
from db.errors import CatalogueError
from db.records import Phenomenon

Check = Callable[[list[Phenomenon]], None]


def edit_for(app: AppContext, text: str, name: str, check: Check) -> list[Phenomenon] | None:
    """Let the user edit entries, and keep what does not hold in the folder `edits` beside the database.

    Raises:
        CatalogueError: what was saved does not hold.
    """
    return edit_entries(text, name, keep_in=app.settings.db.parent / "edits", now=app.clock(), check=check)


def edit_entries(text: str, name: str, *, keep_in: Path, now: datetime, check: Check) -> list[Phenomenon] | None:
    """Open entries in $VISUAL or $EDITOR and return them as they are saved, or None if nothing was changed.

    What does not hold can be edited again; if it is not, it is kept in a file, and the error says where.

    Args:
        text: a catalogue's text to begin with.
        name: what messages and the kept file call it.
        keep_in: the folder for what does not hold.
        check: refuses entries that cannot be taken, by raising.

    Raises:
        CatalogueError: what was saved does not hold.
    """
    edited = click.edit(text, extension=".toml", require_save=False)
    while edited is not None and _is_changed(edited, text):
        try:
            entries = parse_catalogue(edited, f"the edited {name}")
            check(entries)
            return entries
        except CatalogueError as error:
            if sys.stdin.isatty():
                say(f"{error.message}; {error.hint}")
                if click.confirm("Edit it again?", default=True, err=True):
                    edited = click.edit(edited, extension=".toml", require_save=False)
                    continue
            raise _keep(edited, name, keep_in, now, error) from None
    return None


def _is_changed(edited: str, text: str) -> bool:
    return bool(edited.strip()) and edited.rstrip() != text.rstrip()


def _keep(edited: str, name: str, folder: Path, now: datetime, error: CatalogueError) -> CatalogueError:
    """Write what was edited into a file and return the error that names it."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{name}-{now:%Y-%m-%dT%H%M%SZ}.toml"
    place.write_text(edited, encoding="utf-8")
    return CatalogueError(error.message, f"what you wrote is kept in {place}")
