"""Writes an export: to stdout, to a file with what describes it beside it, or as a folder of pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO

from curation.export.atom_feed import render_atom
from curation.export.beside import Beside
from curation.export.bibtex_text import render_bibtex
from curation.export.changelog_text import render_changelog_json, render_changelog_markdown
from curation.export.csv_package import describe_csv
from curation.export.csv_text import render_csv
from curation.export.datasette_metadata import describe_sqlite
from curation.export.files import refuse_own_files, require_own_description, write_files
from curation.export.json_text import render_json
from curation.export.knowledge import Knowledge, load_knowledge, reading_at_once
from curation.export.markdown_text import render_markdown
from curation.export.ris_text import render_ris
from curation.export.sqlite_file import render_sqlite
from curation.moves import OPEN_END, Moves, find_moves
from db.errors import ExportError, UsageError
from db.phenomena import find_phenomenon
from db.store import Store

EXPORTERS: Mapping[str, Callable[[Knowledge], str | bytes]] = {
    "markdown": render_markdown,
    "json": render_json,
    "csv": render_csv,
    "bibtex": render_bibtex,
    "ris": render_ris,
    "atom": render_atom,
    "sqlite": render_sqlite,
}

# What describes an export to other programs, and lies beside it.
DESCRIBERS: Mapping[str, Callable[[Knowledge, Path, bytes], Beside]] = {
    "csv": describe_csv,
    "sqlite": describe_sqlite,
}

CHANGELOGS: Mapping[str, Callable[[Moves], str]] = {
    "markdown": render_changelog_markdown,
    "json": render_changelog_json,
}

SITE = "site"
# The other exports that a site holds, by the endings of their names.
_DOWNLOADS = {"markdown": "md", "json": "json", "csv": "csv", "bibtex": "bib", "ris": "ris", "sqlite": "db"}


def write_export(
    store: Store, format: str, target: Path | None, stdout: BinaryIO, *, code: str | None = None, url: str | None = None
) -> tuple[Path, ...]:
    """Write the curated database in one of the formats of `EXPORTERS`, in UTF-8; return the files written.

    Args:
        target: the file to write or replace; None or `-` for stdout.
        code: of atom, the phenomenon whose feed it is; None for the feed of all.
        url: of atom, where the feed will be found.

    Raises:
        UsageError: there is no such format or phenomenon, or a database file was asked for on stdout.
        ExportError: a file cannot be written, is the database itself, or would take the place of another's.
    """
    if format not in EXPORTERS:
        raise UsageError(f"there is no export format '{format[:40]}'", f"one of {', '.join(EXPORTERS)}")
    if format == "sqlite" and _is_stdout(target):
        raise UsageError("a database file does not go to stdout", "name a file with -o")
    if target is not None and not _is_stdout(target):
        refuse_own_files(store, target)
    if code is not None:
        find_phenomenon(store, code, retired=True)
    render = partial(render_atom, code=code, url=url) if format == "atom" else EXPORTERS[format]
    knowledge = load_knowledge(store)
    data = _encode(render(knowledge))
    if target is None or _is_stdout(target):
        stdout.write(data)
        stdout.flush()
        return ()
    written = {target: data}
    if format in DESCRIBERS:
        beside = DESCRIBERS[format](knowledge, target, data)
        refuse_own_files(store, beside.path)
        require_own_description(beside.path, target)
        written[beside.path] = beside.data
    write_files(written)
    return tuple(written)


def write_changelog(
    store: Store, format: str, target: Path | None, stdout: BinaryIO, *, since: date, until: date | None
) -> tuple[Path, ...]:
    """Write what moved from one day to another, in one of the formats of `CHANGELOGS`; return the files written.

    Args:
        target: as for `write_export`.
        since: the first day of the span.
        until: its last day; None for all that came after.

    Raises:
        UsageError: there is no such changelog, or the span ends before it begins.
        ExportError: as for `write_export`.
    """
    if format not in CHANGELOGS:
        raise UsageError(f"{format} has no span", f"--since goes with {' or '.join(CHANGELOGS)}")
    if until is not None and until < since:
        raise UsageError(f"the span ends on {until}, before it begins", "name the earlier day with --since")
    end = OPEN_END if until is None or until == date.max else (until + timedelta(days=1)).isoformat()
    with reading_at_once(store):
        moves = find_moves(store, since=since.isoformat(), until=end)
    data = _encode(CHANGELOGS[format](moves))
    if target is None or _is_stdout(target):
        stdout.write(data)
        stdout.flush()
        return ()
    refuse_own_files(store, target)
    write_files({target: data})
    return (target,)


def write_site(
    store: Store, target: Path | None, progress: Callable[[int, int], None] | None = None
) -> tuple[Path, ...]:
    """Write the site as a folder, with the other exports in it; return the folder.

    Args:
        target: a new folder, or one that an earlier call wrote and that is replaced.
        progress: is told how many pages are made, and of how many.

    Raises:
        UsageError: no folder is named.
        ExportError: the folder is not ours to write, holds the database, or cannot be written.
    """
    from curation.export.folder import require_folder, write_folder
    from curation.export.site.render import render_site

    if target is None or _is_stdout(target):
        raise UsageError("a site does not go to stdout", "name a folder with -o")
    refuse_own_files(store, target)
    if store.path.resolve().is_relative_to(target.resolve()):
        raise ExportError(f"{target} holds the database itself", "name another folder with -o")
    require_folder(target)
    knowledge = load_knowledge(store)
    write_folder(target, render_site(knowledge, _make_downloads(knowledge), progress))
    return (target,)


def _make_downloads(knowledge: Knowledge) -> dict[str, bytes]:
    """Return the other exports, what describes them, and the feeds, by the names that the site's pages link."""
    found: dict[str, bytes] = {}
    for name, ending in _DOWNLOADS.items():
        path = Path(f"catalogue.{ending}")
        found[path.name] = _encode(EXPORTERS[name](knowledge))
        if name in DESCRIBERS:
            beside = DESCRIBERS[name](knowledge, path, found[path.name])
            found[beside.path.name] = beside.data
    found["feed.atom"] = _encode(render_atom(knowledge))
    for one in (*(entry.phenomenon for entry in knowledge.entries), *knowledge.retired):
        found[f"feeds/{one.code}.atom"] = _encode(render_atom(knowledge, one.code))
    return found


def _is_stdout(target: Path | None) -> bool:
    return target is None or str(target) == "-"


def _encode(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode("utf-8")
