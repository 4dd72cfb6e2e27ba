"""Entries of the catalogue in the user's editor: checked when it closes, and never lost."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import click

from curation.catalogue import parse_catalogue
from curation.cli.context import AppContext, say
from db.errors import BmpError, CatalogueError, UsageError
from db.records import Phenomenon

Taken = TypeVar("Taken")
Take = Callable[[list[Phenomenon]], Taken]


def edit_for(app: AppContext, text: str, name: str, take: Take[Taken]) -> Taken | None:
    """Let the user edit entries, and keep what cannot be taken in the folder `edits` beside the database.

    Raises:
        UsageError: there is no editor and no terminal.
        BmpError: what was saved cannot be taken.
    """
    if not sys.stdin.isatty() and not (app.environment.get("VISUAL") or app.environment.get("EDITOR")):
        raise UsageError("there is no terminal to edit in", "give the fields as options or a file, or set EDITOR")
    return edit_entries(text, name, keep_in=app.settings.db.parent / "edits", now=app.clock(), take=take)


def edit_entries(text: str, name: str, *, keep_in: Path, now: datetime, take: Take[Taken]) -> Taken | None:
    """Open entries in $VISUAL or $EDITOR and return what `take` makes of them, or None if nothing was changed.

    What does not hold or cannot be taken can be edited again; if it is not, it is kept in a file, and the error says
    where.

    Args:
        text: a catalogue's text to begin with.
        name: what messages and the kept file call it.
        keep_in: the folder for what cannot be taken.
        take: does with the entries what they were written for, or raises a BmpError.

    Raises:
        BmpError: what was saved cannot be taken.
    """
    edited = click.edit(text, extension=".toml", require_save=False)
    while edited is not None and _is_changed(edited, text):
        try:
            return take(parse_catalogue(edited, f"the edited {name}"))
        except BmpError as error:
            if sys.stdin.isatty():
                say(f"{error.message}; {error.hint}" if error.hint else error.message)
                if click.confirm("Edit it again?", default=True, err=True):
                    edited = click.edit(edited, extension=".toml", require_save=False)
                    continue
            raise _keep(edited, name, keep_in, now, error) from None
    return None


def _is_changed(edited: str, text: str) -> bool:
    return bool(edited.strip()) and edited.rstrip() != text.rstrip()


def _keep(edited: str, name: str, folder: Path, now: datetime, error: BmpError) -> BmpError:
    """Write what was edited into a file and return the error that names it."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{name}-{now:%Y-%m-%dT%H%M%SZ}.toml"
    place.write_text(edited, encoding="utf-8")
    return type(error)(error.message, f"what you wrote is kept in {place}")


def require_one(entries: list[Phenomenon]) -> Phenomenon:
    """Return the only entry that was written.

    Raises:
        CatalogueError: there is another number of them.
    """
    if len(entries) != 1:
        raise CatalogueError(f"one entry was asked for, not {len(entries)}", "write one [[phenomenon]] table")
    return entries[0]
