"""The database file: strictness, upgrades, refusals, backups."""

from __future__ import annotations

import sqlite3
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from conftest import NOW

from db.errors import BusyError, StoreError
from db.migrations import step_names
from db.store import (
    BUSY_TIMEOUT_SECONDS,
    Store,
    backup,
    backup_path,
    check,
    journal_mode,
    night_lock,
    open_store,
    restore,
)


def test_every_table_is_strict(store: Store) -> None:
    tables = store.rows("SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'")
    loose = {row["name"] for row in tables if not row["strict"]}
    assert loose == {"sqlite_schema", "sqlite_sequence", "_sqlite_migrations"}  # SQLite's own, and the library's


def test_the_connection_is_durable_and_keeps_foreign_keys(store: Store) -> None:
    assert store.value("PRAGMA foreign_keys") == 1
    assert store.value("PRAGMA synchronous") == 2
    assert store.value("PRAGMA journal_mode") == journal_mode(sqlite3.sqlite_version_info)


def test_write_ahead_logging_needs_an_sqlite_without_the_reset_bug() -> None:
    assert journal_mode((3, 51, 2)) == journal_mode((3, 40, 1)) == "delete"
    assert journal_mode((3, 51, 3)) == journal_mode((3, 53, 0)) == "wal"


def test_a_transaction_is_all_or_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError), store.transaction():
        store.insert("models", {"name": "a", "revision": "1", "prompt": "", "max_length": 1, "dimensions": 1})
        raise RuntimeError
    assert store.value("SELECT count(*) FROM models") == 0


def test_a_second_writer_waits_for_the_first(store: Store) -> None:
    assert BUSY_TIMEOUT_SECONDS >= 5
    done = threading.Event()

    def write() -> None:
        with open_store(store.path) as other, other.transaction():
            done.set()

    with store.transaction():
        thread = threading.Thread(target=write)
        thread.start()
        assert not done.wait(0.3)
    thread.join(10)
    assert done.is_set()


@pytest.mark.parametrize(
    "make_newer",
    [
        "PRAGMA user_version = 999",
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('bmprinciples', 'm9999_later', '')",
    ],
)
def test_a_newer_database_is_refused_and_left_as_it_is(store: Store, make_newer: str) -> None:
    store.connection.execute(make_newer)
    store.close()
    before = store.path.read_bytes()
    with pytest.raises(StoreError, match="newer version"):
        open_store(store.path)
    assert store.path.read_bytes() == before


def test_what_is_no_database_of_ours_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    text, other = tmp_path / "text.db", tmp_path / "other.db"
    text.write_text("not a database at all, but long enough to be looked at" * 40, encoding="utf-8")
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE mine (x)")
    connection.commit()
    connection.close()
    for path in (text, other):
        before = path.read_bytes()
        with pytest.raises(StoreError):
            open_store(path, create=True)
        assert path.read_bytes() == before


def test_an_upgrade_keeps_a_dated_backup_of_the_state_before(store: Store) -> None:
    # A database that has not seen the first step, but holds something of ours.
    store.connection.execute("DELETE FROM _sqlite_migrations")
    store.connection.execute("PRAGMA user_version = 0")
    for row in store.rows("SELECT type, name FROM sqlite_master WHERE name NOT LIKE '%sqlite%' AND type = 'table'"):
        store.connection.execute("PRAGMA foreign_keys = OFF")
        store.connection.execute(f"DROP TABLE {row['name']}")
    store.connection.execute("CREATE TABLE older (x INTEGER) STRICT")
    store.close()
    with open_store(store.path, clock=lambda: NOW) as upgraded:
        assert upgraded.value("PRAGMA user_version") == len(step_names())
    (kept,) = (store.path.parent / "backups").glob("*.db")
    assert kept.name == f"test-2026-11-24T063000Z-before-{step_names()[0]}.db"
    connection = sqlite3.connect(kept)
    assert connection.execute("SELECT count(*) FROM older").fetchone() == (0,)
    connection.close()


def test_backup_and_restore_are_a_round_trip_that_keeps_the_present(store: Store, tmp_path: Path) -> None:
    row = {"name": "a", "revision": "1", "prompt": "", "max_length": 1, "dimensions": 1}
    store.insert("models", row)
    saved = tmp_path / "saved.db"
    backup(store, saved)
    store.insert("models", {**row, "revision": "2"})
    kept = restore(store.path, saved, clock=lambda: NOW)
    assert store.value("SELECT count(*) FROM models") == 1
    assert check(store) == []
    assert kept is not None
    with open_store(kept) as before:
        assert before.value("SELECT count(*) FROM models") == 2


def test_a_damaged_backup_is_refused_and_nothing_is_touched(store: Store, tmp_path: Path) -> None:
    saved = tmp_path / "saved.db"
    backup(store, saved)
    content = bytearray(saved.read_bytes())
    content[4096 : 4096 * 6] = b"\xff" * (4096 * 5)
    saved.write_bytes(content)
    before = store.path.read_bytes()
    with pytest.raises(StoreError):
        restore(store.path, saved)
    assert store.path.read_bytes() == before


def test_a_damaged_database_is_kept_as_bytes_when_a_backup_takes_its_place(store: Store, tmp_path: Path) -> None:
    saved = tmp_path / "saved.db"
    backup(store, saved)
    store.close()
    store.path.write_bytes(b"rubbish")
    kept = restore(store.path, saved, clock=lambda: NOW)
    assert kept is not None
    assert kept.read_bytes() == b"rubbish"
    with open_store(store.path) as restored:
        assert check(restored) == []


def test_a_backup_never_takes_the_place_of_a_file(store: Store, tmp_path: Path) -> None:
    (tmp_path / "there.db").write_bytes(b"mine")
    with pytest.raises(StoreError, match="there already"):
        backup(store, tmp_path / "there.db")
    first = backup_path(store.path, lambda: NOW)
    backup(store, first)
    assert backup_path(store.path, lambda: NOW) != first
    assert backup_path(store.path, lambda: NOW + timedelta(hours=1)).name > first.name


def test_two_nights_never_hold_the_lock_at_once(store: Store) -> None:
    with night_lock(store.path), pytest.raises(BusyError), night_lock(store.path):
        pass
    with night_lock(store.path):
        pass
    with night_lock(store.path), pytest.raises(BusyError):
        restore(store.path, _saved(store))


def _saved(store: Store) -> Path:
    target = store.path.with_name("saved.db")
    backup(store, target)
    return target


def test_a_foreign_key_that_points_nowhere_is_a_fault(store: Store) -> None:
    store.connection.execute("PRAGMA foreign_keys = OFF")
    store.connection.execute("INSERT INTO cursors VALUES ('oai', 'cs', '2026-11-24', 99)")
    (fault,) = check(store)
    assert "cursors" in fault
