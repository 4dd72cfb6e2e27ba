"""Writes an export of many files: a folder that takes the place of the one before at once, whole and on disk.

A reader sees the old folder or the new one, and so does whoever comes after a kill. The folder has a list of what was
written, `MARKER`, so that nothing of anybody else's is ever replaced.
"""

from __future__ import annotations

import ctypes
import errno
import glob
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from db.errors import ExportError
from db.store import sync_folder

MARKER = ".bmp-site"
_DROPPINGS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})  # what desktops leave wherever they look
_EXCHANGE = 2  # RENAME_EXCHANGE of Linux and RENAME_SWAP of macOS
_PART = ".bmp-part"
_HERE = -100  # AT_FDCWD
_CANNOT = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})


def exchange(one: Path, other: Path) -> bool:
    """Let two folders change places in one step; tell whether this system can."""
    names = os.fsencode(one), os.fsencode(other)
    with suppress(AttributeError, OSError, TypeError):  # there is no such function, or no such library
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            failed = library.renamex_np(*names, _EXCHANGE)
        else:
            failed = library.renameat2(_HERE, names[0], _HERE, names[1], _EXCHANGE)
        if not failed:
            return True
        if ctypes.get_errno() not in _CANNOT:
            raise ExportError(f"cannot write {other}: {os.strerror(ctypes.get_errno())}")
    return False


def write_folder(target: Path, files: Mapping[str, bytes], exchange: Callable[[Path, Path], bool] = exchange) -> None:
    """Write files, by their paths within it, as a folder in the place of the one that an earlier call wrote.

    Args:
        exchange: lets two folders change places in one step, and tells whether this system can.

    Raises:
        ExportError: the place is not ours to write, or it cannot be written.
    """
    require_folder(target)
    place = _resolve(target)
    try:
        with _part_beside(place) as part:
            _fill(part, files)
            require_folder(target)  # it may be another one since
            _put(part, place, exchange)
    except OSError as error:
        raise ExportError(f"cannot write {target}: {error.strerror or error}") from error


def require_folder(target: Path) -> None:
    """Refuse a place where no folder can be written, or where one stands that is not ours alone.

    Raises:
        ExportError: it is a link or a file, its parent is missing, or it has what an export did not write.
    """
    if target.is_symlink():
        raise ExportError(f"{target} is a link", "name the folder itself")
    if target.exists() and not target.is_dir():
        raise ExportError(f"{target} is not a folder", "name a folder, a new one or one that this command wrote")
    if not _resolve(target).parent.is_dir():
        raise ExportError(f"there is no folder {target.parent}", "make it first, or name another place")
    foreign = next(_list_foreign(target), None) if target.is_dir() else None
    if foreign is not None:
        raise ExportError(
            f"{target} holds {foreign}, which this command did not write", "name a new folder, or move that out of it"
        )


def _resolve(target: Path) -> Path:
    return target.parent.resolve() / target.name if target.name not in ("", "..") else target.resolve()


def _list_foreign(folder: Path) -> Iterator[str]:
    """Yield what stands in a folder and not in the list that it was written with; all of it where there is no list."""
    try:
        known = set((folder / MARKER).read_text(encoding="utf-8").splitlines()) | {MARKER}
    except (OSError, UnicodeDecodeError):
        known = set()
    known |= {str(parent) for path in known for parent in PurePosixPath(path).parents}
    for place, folders, names in os.walk(folder):
        for name in sorted((*folders, *names)):
            path = Path(place, name)
            told = path.relative_to(folder).as_posix()
            if (told not in known or path.is_symlink()) and name not in _DROPPINGS:
                yield told


@contextmanager
def _part_beside(place: Path) -> Iterator[Path]:
    """Give a new folder beside the place; what is there in the end is removed, and what a kill left before."""
    _remove_leftovers(place)
    unlocked = place.with_name(f".{place.name}.{secrets.token_hex(8)}.bmp-new")
    part = unlocked.with_suffix(_PART)
    unlocked.mkdir()
    try:
        with _lock(unlocked):
            unlocked.rename(part)  # from here on it looks like a leftover to others, and is locked
            yield part
    finally:
        for leftover in (unlocked, part, _old_beside(part)):
            shutil.rmtree(leftover, ignore_errors=True)


def _remove_leftovers(place: Path) -> None:
    """Remove what a killed export left: a lock ends with its process, so that what is locked is being written."""
    if sys.platform == "win32":  # it has no locks for folders
        return
    for leftover in place.parent.glob(f".{glob.escape(place.name)}.*{_PART}*"):
        with suppress(OSError), _lock(leftover):
            shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Hold a folder's lock; raises an OSError where somebody else holds it."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _fill(part: Path, files: Mapping[str, bytes]) -> None:
    listed = "".join(f"{path}\n" for path in sorted(files))
    folders = {part}
    for path, data in {MARKER: listed.encode("utf-8"), **files}.items():
        target = part / path
        target.parent.mkdir(parents=True, exist_ok=True)
        folders.add(target.parent)
        with target.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    for folder in folders:
        sync_folder(folder)


def _put(part: Path, place: Path, exchange: Callable[[Path, Path], bool]) -> None:
    """Let the new folder take the place of the old one; the old one is where the new one was, or beside it."""
    if place.is_dir():  # who may read and write it is for its owner to say
        part.chmod(place.stat().st_mode & 0o7777)
    if not place.exists():
        part.rename(place)
    elif not exchange(part, place):
        old = _old_beside(part)
        place.rename(old)
        try:
            part.rename(place)
        except OSError:
            old.rename(place)
            raise
    sync_folder(place.parent)


def _old_beside(part: Path) -> Path:
    return part.with_name(f"{part.name}-old")
