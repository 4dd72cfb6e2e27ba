"""Writes an export: to stdout, or to files that appear only once they are whole and on disk."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO

from curation.export.atom_feed import render_atom
from curation.export.beside import SIGN, Beside
from curation.export.bibtex_text import render_bibtex
from curation.export.csv_package import describe_csv
from curation.export.csv_text import render_csv
from curation.export.datasette_metadata import describe_sqlite
from curation.export.json_text import render_json
from curation.export.knowledge import Knowledge, load_knowledge
from curation.export.markdown_text import render_markdown
from curation.export.ris_text import render_ris
from curation.export.sqlite_file import render_sqlite
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
    to_stdout = target is None or str(target) == "-"
    if to_stdout and format == "sqlite":
        raise UsageError("a database file does not go to stdout", "name a file with -o")
    if target is not None and not to_stdout:
        refuse_own_files(store, target)
    if code is not None:
        find_phenomenon(store, code, retired=True)
    render = partial(render_atom, code=code, url=url) if format == "atom" else EXPORTERS[format]
    knowledge = load_knowledge(store)
    content = render(knowledge)
    data = content if isinstance(content, bytes) else content.encode("utf-8")
    if target is None or to_stdout:
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


def refuse_own_files(store: Store, target: Path) -> None:
    """Refuse to put a file in the place of the record, or of what SQLite and the night keep beside it.

    Raises:
        ExportError: the target is one of these.
    """
    record = store.path.resolve()
    own = {record, *(record.with_name(record.name + suffix) for suffix in ("-wal", "-shm", "-journal", ".lock"))}
    if target.resolve() in own or (target.exists() and record.exists() and target.samefile(record)):
        raise ExportError(f"{target} belongs to the database itself", "name another file with -o")


def require_own_description(path: Path, target: Path) -> None:
    """Refuse to put a description in the place of a file that is none of ours, or of what it describes.

    Raises:
        ExportError: it is.
    """
    if path == target:
        raise ExportError(f"{path.name} is the name of the description beside the export", "name another file with -o")
    if not path.exists() and not path.is_symlink():
        return
    try:
        found = json.loads(path.read_bytes()) if path.is_file() else None
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("generator") != SIGN:
        raise ExportError(f"{path} is there and not of this program, so nothing was written", "name another folder")


def write_file(target: Path, data: bytes) -> None:
    """Write one file as `write_files` does."""
    write_files({target: data})


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Write files by way of others beside them, so that a reader sees the old content or the new, never a part.

    None takes its place before all are on disk. A link is replaced, never written through.

    Raises:
        ExportError: a target is a folder or a device, its folder is missing, or it cannot be written.
    """
    for target in contents:
        require_place(target)
    parts = {target: target.with_name(f".bmp-{secrets.token_hex(8)}.part") for target in contents}
    try:
        for target, part in parts.items():
            _write_synced(part, contents[target])
        for target, part in parts.items():
            part.replace(target)
    except OSError as error:
        raise ExportError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        for part in parts.values():
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
