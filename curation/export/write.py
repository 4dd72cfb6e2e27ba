"""Writes an export: to stdout, or to a file that appears only once it is whole and on disk."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import BinaryIO

from curation.export.bibtex_text import render_bibtex
from curation.export.changelog_text import render_changelog_json, render_changelog_markdown
from curation.export.csv_text import render_csv
from curation.export.json_text import render_json
from curation.export.knowledge import Knowledge, load_knowledge, reading_at_once
from curation.export.markdown_text import render_markdown
from curation.export.sqlite_file import render_sqlite
from curation.moves import OPEN_END, Moves, find_moves
from db.errors import ExportError, UsageError
from db.store import Store

EXPORTERS: Mapping[str, Callable[[Knowledge], str | bytes]] = {
    "markdown": render_markdown,
    "json": render_json,
    "csv": render_csv,
    "bibtex": render_bibtex,
    "sqlite": render_sqlite,
}

CHANGELOGS: Mapping[str, Callable[[Moves], str]] = {
    "markdown": render_changelog_markdown,
    "json": render_changelog_json,
}


def write_changelog(
    store: Store, format: str, target: Path | None, stdout: BinaryIO, *, since: date, until: date | None
) -> None:
    """Write what moved from one day to another, in one of the formats of `CHANGELOGS`, in UTF-8.

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
    end = OPEN_END if until is None else (until + timedelta(days=1)).isoformat()
    with reading_at_once(store):
        moves = find_moves(store, since=since.isoformat(), until=end)
    _write(store, CHANGELOGS[format](moves).encode("utf-8"), target, stdout)


SITE = "site"
_DOWNLOADS = {"markdown": "md", "json": "json", "csv": "csv", "bibtex": "bib", "ris": "ris", "sqlite": "db"}


def write_site(store: Store, target: Path | None, progress: Callable[[int, int], None] | None = None) -> None:
    """Write the site as a folder, with the other exports in it.

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


def _make_downloads(knowledge: Knowledge) -> dict[str, bytes]:
    """Return the other exports, by the names that the site's pages link."""
    made = {f"catalogue.{ending}": EXPORTERS[name] for name, ending in _DOWNLOADS.items() if name in EXPORTERS}
    return {path: _encode(render(knowledge)) for path, render in made.items()}


def write_export(store: Store, format: str, target: Path | None, stdout: BinaryIO) -> None:
    """Write the curated database in one of the formats of `EXPORTERS`, in UTF-8.

    Args:
        target: the file to write or replace; None or `-` for stdout.

    Raises:
        UsageError: there is no such format, or a database file was asked for on stdout.
        ExportError: the file cannot be written, or is the database itself.
    """
    if format not in EXPORTERS:
        raise UsageError(f"there is no export format '{format[:40]}'", f"one of {', '.join(EXPORTERS)}")
    if format == "sqlite" and _is_stdout(target):
        raise UsageError("a database file does not go to stdout", "name a file with -o")
    _write(store, _encode(EXPORTERS[format](load_knowledge(store))), target, stdout)


def _is_stdout(target: Path | None) -> bool:
    return target is None or str(target) == "-"


def _write(store: Store, data: bytes, target: Path | None, stdout: BinaryIO) -> None:
    if target is None or _is_stdout(target):
        stdout.write(data)
        stdout.flush()
        return
    refuse_own_files(store, target)
    write_file(target, data)


def _encode(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode("utf-8")


def refuse_own_files(store: Store, target: Path) -> None:
    """Refuse to put a file in the place of the record, or of what SQLite and the night keep beside it.

    Raises:
        ExportError: the target is one of these.
    """
    record = store.path.resolve()
    own = {record, *(record.with_name(record.name + suffix) for suffix in ("-wal", "-shm", "-journal", ".lock"))}
    if target.resolve() in own or (target.exists() and record.exists() and target.samefile(record)):
        raise ExportError(f"{target} belongs to the database itself", "name another file with -o")


def write_file(target: Path, data: bytes) -> None:
    """Write a file by way of another one beside it, so that a reader sees the old content or the new, never a part.

    A link is replaced, never written through.

    Raises:
        ExportError: the target is a folder or a device, its folder is missing, or it cannot be written.
    """
    require_place(target)
    part = target.with_name(f".bmp-{secrets.token_hex(8)}.part")
    try:
        _write_synced(part, data)
        part.replace(target)
    except OSError as error:
        raise ExportError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def require_place(target: Path) -> None:
    """Refuse a place where no file can be written.

    Raises:
        ExportError: it is a folder or a device, or its folder is missing.
    """
    if target.is_dir():
        raise ExportError(f"{target} is a folder", "name a file in it")
    if target.exists() and not target.is_file():
        raise ExportError(f"{target} is not a file", "name a file, or leave the name out to write to stdout")
    if not target.parent.is_dir():
        raise ExportError(f"there is no folder {target.parent}", "make it first, or name another file")


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
