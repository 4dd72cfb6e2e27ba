"""Opens the database: pragmas, migrations behind a backup, transactions, the night's lock, check, backup, restore."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from filelock import FileLock, Timeout

from db.errors import BusyError, StoreError
from db.library import Database, Migrations
from db.migrations import migrations, step_names
from db.times import Clock, now_utc

APPLICATION_ID = 0x424D5031  # "BMP1", so that no other program's database is taken for ours
BUSY_TIMEOUT_SECONDS = 30.0
LOCK_PATIENCE_SECONDS = 0.5  # for who only looks at the lock
BUSY_LOOK_SECONDS = 0.5  # SQLite waits in C, where no signal is seen
CACHE_KIB = 32_768  # SQLite's own 2 MB make every insert into a large index a read
WAL_SAFE_SINCE = (3, 51, 3)  # older SQLite can corrupt a WAL file that two connections write: sqlite.org/wal.html

Row = dict[str, Any]
Parameters = dict[str, Any] | Sequence[Any]


class Store:
    """An open database. Bound to the thread that opened it; every thread opens its own.

    Attributes:
        wait_seconds: how long a transaction waits for another program.
        while_waiting: called now and then while it waits; what it raises ends the wait.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection
        self.wait_seconds = BUSY_TIMEOUT_SECONDS
        self.while_waiting: Callable[[], None] = lambda: None
        self.database = Database(connection, recursive_triggers=False, execute_plugins=False)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside is committed together, or not at all.

        BEGIN IMMEDIATE takes the write lock at once, so that what was read inside cannot be outdated at the write.

        Raises:
            StoreError: the database is locked for too long, or the disk is full, sick or not to be written.
        """
        try:
            with self._transaction():
                yield
        except sqlite3.OperationalError as error:
            raise store_error(self.path, error) from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._execute_patiently("BEGIN IMMEDIATE")
        try:
            yield
            self._execute_patiently("COMMIT")  # one that finds readers may be tried again
        except BaseException:
            if self.connection.in_transaction:  # SQLite itself rolls back on a full disk
                self.connection.execute("ROLLBACK")
            raise

    def _execute_patiently(self, statement: str) -> None:
        """Execute a statement that may have to wait for another program."""
        began = time.monotonic()
        self._set_busy_timeout(BUSY_LOOK_SECONDS)
        try:
            while True:
                try:
                    self.connection.execute(statement)
                    return
                except sqlite3.OperationalError as error:
                    busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY  # the rest tells of what kind
                    if not busy or time.monotonic() - began >= self.wait_seconds:
                        raise
                self.while_waiting()
        finally:
            self._set_busy_timeout(BUSY_TIMEOUT_SECONDS)

    def _set_busy_timeout(self, seconds: float) -> None:
        self.connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Return the rows of a query."""
        return list(self.database.query(sql, parameters))

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """Return the first row of a query, or None."""
        return next(iter(self.rows(sql, parameters)), None)

    def value(self, sql: str, parameters: Parameters = ()) -> Any:
        """Return the first column of a query's first row, or None."""
        found = self.connection.execute(sql, parameters).fetchone()
        return None if found is None else found[0]

    def insert(self, table: str, values: Row) -> int:
        """Insert one row and return its rowid."""
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        return self.connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", values).lastrowid or 0

    def close(self) -> None:
        """Close the connection; what was not committed is gone."""
        self.connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_store(path: Path, *, create: bool = False, clock: Clock = now_utc, schema: Migrations = migrations) -> Store:
    """Open the database at `path`, bringing its schema up to date behind a dated backup.

    Args:
        create: make the file and its folder if they are absent.
        schema: the steps that make up the schema.

    Raises:
        StoreError: there is none, it is not ours, it is newer than this program, damaged, or not writable.
    """
    try:
        if not create and not path.exists():
            raise StoreError(f"there is no database at {path}", "make one with `bmp init`, or name another with --db")
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
        store = Store(path, _connect(path))
    except (sqlite3.Error, OSError) as error:
        raise store_error(path, error) from error
    try:
        _refuse_foreign(store, schema)
        _set_journal(store.connection)  # only now: the mode is written into the file
        _migrate(store, clock, schema)
    except sqlite3.Error as error:
        store.close()
        raise store_error(path, error) from error
    except BaseException:
        store.close()
        raise
    return store


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _set_journal(connection: sqlite3.Connection) -> None:
    wanted = journal_mode(sqlite3.sqlite_version_info)
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != wanted:
        connection.execute(f"PRAGMA journal_mode = {wanted}").fetchone()


def journal_mode(sqlite_version: tuple[int, ...]) -> str:
    """Return `wal` where SQLite is free of the WAL-reset bug, `delete` (a rollback journal) elsewhere."""
    return "wal" if sqlite_version >= WAL_SAFE_SINCE else "delete"


def _refuse_foreign(store: Store, schema: Migrations = migrations) -> None:
    """Refuse another program's database, and one that a newer version of this program wrote."""
    tables = store.value("SELECT count(*) FROM sqlite_master")
    application_id = store.value("PRAGMA application_id")
    if tables and application_id != APPLICATION_ID:
        raise StoreError(f"{store.path} is not a BMPrinciples database", "name another file with --db")
    known = set(step_names(schema))
    applied = {step.name for step in schema.applied(store.database)}
    if applied - known or store.value("PRAGMA user_version") > len(known):
        raise StoreError(
            f"{store.path} was written by a newer version of bmp than this one",
            "upgrade bmp, or restore an older backup with `bmp db restore`; the file was left as it is",
        )


def _migrate(store: Store, clock: Clock, schema: Migrations) -> None:
    pending = schema.pending(store.database)
    if not pending:
        return
    if store.value("SELECT count(*) FROM sqlite_master"):
        backup(store, backup_path(store.path, clock, reason=f"before-{pending[0].name}"))
    with store.transaction():
        schema.apply(store.database)
        store.connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        store.connection.execute(f"PRAGMA user_version = {len(step_names(schema))}")


def store_error(path: Path, error: Exception) -> StoreError:
    """Say in one line what an error of SQLite or of the file system means for the user."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)  # the path is said already
    hints = {
        "locked": "another program holds the database; try again when it is done",
        "read-only": "the file or its folder cannot be written; mend its permissions or name another with --db",
        "readonly": "the file or its folder cannot be written; mend its permissions or name another with --db",
        "unable to open": "the file or its folder cannot be opened; mend its permissions or name another with --db",
        "permission denied": "mend the permissions of the file and its folder, or name another with --db",
        "disk is full": "free some space, nothing that was committed is lost",
        "disk i/o": "the disk failed or is full; run `bmp db check` when it is well again",
        "malformed": "the file is damaged; restore a backup with `bmp db restore`",
        "not a database": "name another file with --db, or restore a backup with `bmp db restore`",
    }
    hint = next((hint for word, hint in hints.items() if word in reason.lower()), "run `bmp db check`")
    return StoreError(f"{path}: {reason}", hint)


@contextmanager
def night_lock(path: Path, pause: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock that keeps two nights on one database apart; the system frees it if the process dies.

    Args:
        pause: called between two looks while another process holds the lock; None gives up at once.

    Raises:
        BusyError: another process holds it.
    """
    lock = FileLock(_lock_path(path), timeout=LOCK_PATIENCE_SECONDS)
    while not _acquire(lock, path):
        if pause is None:
            raise BusyError(f"another run is at work on {path}", "wait for it to end; `bmp runs list` shows it")
        pause()
    try:
        yield
    finally:
        lock.release()


def is_night_running(path: Path) -> bool:
    """Tell whether some process holds the night's lock; looking takes it for a moment, which `night_lock` waits out."""
    lock = FileLock(_lock_path(path), timeout=0)
    if not _acquire(lock, path):
        return True
    lock.release()
    return False


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _acquire(lock: FileLock, path: Path) -> bool:
    try:
        lock.acquire()
    except Timeout:
        return False
    except OSError as error:
        raise store_error(path, error) from error
    return True


def check(store: Store) -> list[str]:
    """Return what is wrong with the file, one line each; nothing if it is sound."""
    faults: list[str] = []
    try:
        for row in store.connection.execute("PRAGMA integrity_check"):
            faults += [] if row[0] == "ok" else str(row[0]).splitlines()
        for row in store.connection.execute("PRAGMA foreign_key_check"):
            faults.append(f"row {row[1]} of {row[0]} points to a row of {row[2]} that is not there")
    except sqlite3.OperationalError:  # locked, or a sick disk: that says nothing about the file
        raise
    except sqlite3.DatabaseError as error:  # too damaged to be looked through
        faults.append(str(error))
    return faults


def backup_path(path: Path, clock: Clock, *, reason: str = "by-hand") -> Path:
    """Return the dated place of a new backup, in the folder `backups` beside the database."""
    stamp = clock().strftime("%Y-%m-%dT%H%M%SZ")
    folder = path.parent / "backups"
    candidate = folder / f"{path.stem}-{stamp}-{reason}.db"
    number = 2
    while candidate.exists():
        candidate = folder / f"{path.stem}-{stamp}-{reason}-{number}.db"
        number += 1
    return candidate


def backup(store: Store, target: Path) -> None:
    """Write a checked copy of the database; the final name appears only once the copy is whole and on disk.

    Raises:
        StoreError: the target exists, cannot be written, or the copy is not sound.
    """
    if target.exists():
        raise StoreError(f"{target} is there already", "name another file")
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        _copy_checked(store.connection, part)
        part.replace(target)
        sync_folder(target.parent)
    except (sqlite3.Error, OSError) as error:
        with suppress(OSError):  # a folder that cannot be written holds no part either
            part.unlink(missing_ok=True)
        raise store_error(target, error) from error


def _copy_checked(source: sqlite3.Connection, part: Path) -> None:
    copy = sqlite3.connect(part)
    try:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = delete").fetchone()  # a copy is one file, readable from where none is made
        faults = [row[0] for row in copy.execute("PRAGMA quick_check") if row[0] != "ok"]
    finally:
        copy.close()
    if faults:
        raise sqlite3.DatabaseError(f"the copy is malformed: {faults[0]}")
    with part.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Put on disk which files a folder holds, where the system can."""
    if os.name != "posix":  # Windows cannot open a folder to sync it
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def restore(path: Path, source: Path, *, clock: Clock = now_utc) -> Path | None:
    """Put a backup in the database's place; return where the state before it was kept (None if there was none).

    The backup is checked before anything is touched, and the old state is itself backed up first.

    Raises:
        StoreError: the backup is missing, damaged, not ours or newer than this program.
        BusyError: a night is running on the database.
    """
    if not source.is_file():
        raise StoreError(f"there is no backup at {source}", "`bmp db backup` makes one; see the folder `backups`")
    if path.exists() and source.samefile(path):
        raise StoreError(f"{source} is the database itself", "name a backup of it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with night_lock(path), _open_read_only(source) as saved:
            _refuse_unsound(saved)
            kept = _keep_present(path, clock)
            _overwrite(path, saved)
    except (sqlite3.Error, OSError) as error:
        raise store_error(path, error) from error
    return kept


def _refuse_unsound(saved: Store) -> None:
    try:
        if not saved.value("SELECT count(*) FROM sqlite_master"):
            raise StoreError(f"{saved.path} is empty", "take another backup")
        _refuse_foreign(saved)
    except sqlite3.Error as error:
        raise store_error(saved.path, error) from error
    if faults := check(saved):
        raise StoreError(f"{saved.path} is damaged: {faults[0]}", "take another backup")


def _open_read_only(path: Path) -> Store:
    try:
        return Store(path, sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None))
    except sqlite3.Error as error:
        raise store_error(path, error) from error


@contextmanager
def open_copy(path: Path, *, clock: Clock = now_utc) -> Iterator[Store]:
    """Give a database as it stands at this moment, brought up to date in a copy: the file itself is left as it is.

    Raises:
        StoreError: it is missing, damaged, not ours or newer than this program.
    """
    if not path.is_file():
        raise StoreError(f"there is no database at {path}", "name another file")
    with TemporaryDirectory(prefix="bmp-") as folder:
        copy = Path(folder) / "copy.db"
        try:
            with _open_read_only(path) as saved:
                _refuse_unsound(saved)
                _copy_checked(saved.connection, copy)
        except sqlite3.Error as error:
            raise store_error(path, error) from error
        with open_store(copy, clock=clock) as store:
            yield store


def _keep_present(path: Path, clock: Clock) -> Path | None:
    """Keep the present state whatever shape it is in: as a database if it is sound, else as bytes."""
    if not path.exists():
        return None
    kept = backup_path(path, clock, reason="before-restore")
    try:
        present = Store(path, _connect(path))  # to be written, so that what a killed process left open is rolled back
    except sqlite3.OperationalError:  # held by another program, or not to be written: that is no damage
        raise
    except sqlite3.DatabaseError:
        _keep_bytes(path, kept)
        return kept
    try:
        damaged = bool(check(present))
        if not damaged:
            backup(present, kept)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        damaged = True
    finally:
        present.close()
    if damaged:
        _keep_bytes(path, kept)
    return kept


def _keep_bytes(path: Path, kept: Path) -> None:
    """Move a damaged database away as it is, with the journal that may still mend it."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    for suffix in ("-journal", "-wal", ""):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).replace(kept.with_name(kept.name + suffix))


def _overwrite(path: Path, saved: Store) -> None:
    """Copy page by page inside one transaction of the target, so that open readers see the old state or the new."""
    target = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS)
    try:
        saved.connection.backup(target)
    finally:
        target.close()
