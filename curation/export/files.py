"""Files that appear only once they are whole and on disk, and never in the place of what is not theirs."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from curation.export.beside import SIGN
from db.errors import ExportError
from db.store import Store


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
            if target.is_file():  # who may read it is for its owner to say
                part.chmod(target.stat().st_mode & 0o777)
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
