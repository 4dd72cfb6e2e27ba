"""On a full disk and on a read-only one each command says so in one line, changes nothing, and loses nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bmp import Result
from crash import NIGHT, THRESHOLD, WANTED, World, crash_world
from crash_process import Ended
from fakes import HashEmbedder, oai_source, run_night
from final_state import read

from db.store import open_store
from db.vectors import list_models

pytestmark = pytest.mark.slow

PAGE_BYTES = 4096
DISK_BYTES = 8 * 2**20


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Give a database with decisions, and the news that wait for its next night."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setenv("XDG_DATA_HOME", str(home))
        patch.setenv("XDG_CONFIG_HOME", str(home))
        with crash_world(tmp_path_factory.mktemp("world")) as made:
            yield made


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Give a small disk of its own, or skip where none can be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    if not mount("-t", "tmpfs", "-o", f"size={DISK_BYTES}", "bmp-test", place):
        pytest.skip("no disk can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def mount(*words: object) -> bool:
    try:
        return subprocess.run(["mount", *map(str, words)], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def fill(disk: Path, *, left_bytes: int) -> Path:
    """Fill a disk but for so many bytes, and return the file that fills it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(PAGE_BYTES))
        except OSError:
            file.truncate(file.tell() // PAGE_BYTES * PAGE_BYTES - left_bytes)
    return filler


def dump(path: Path) -> list[list[tuple[object, ...]]]:
    """Return all that stands in a database."""
    tables = read(path, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return [read(path, f"SELECT * FROM {name}") for (name,) in tables]


def assert_one_line(result: Result | Ended, path: Path, *said: str) -> None:
    """Check that a command failed in one line that names the file and the cause."""
    lines = [line for line in result.err.splitlines() if line.startswith("Error: ")]
    assert "Traceback" not in result.err
    assert len(lines) == 1, result.err
    for word in (str(path), *said):
        assert word in lines[0], lines[0]


def first_candidate(world: World, path: Path) -> int:
    return int(world.bmp(path, "queue", "list", "--json").json[0]["id"])


class TestFullDisk:
    """No space is left."""

    @pytest.mark.parametrize("left_kilobytes", [0, 16, 64])
    def test_a_night_says_so_and_the_next_one_makes_up_for_all(
        self, world: World, disk: Path, left_kilobytes: int
    ) -> None:
        path = world.copy(disk / "data")
        filler = fill(disk, left_bytes=left_kilobytes * 1024)
        result = world.bmp(path, *NIGHT)
        assert result.code in (1, 3)
        assert_one_line(result, path, "disk is full")
        filler.unlink()
        assert world.make_up(path) == []

    def test_a_decision_is_refused_and_changes_nothing(self, world: World, disk: Path) -> None:
        path = world.copy(disk / "data")
        candidate, before = first_candidate(world, path), dump(path)
        filler = fill(disk, left_bytes=0)
        result = world.bmp(path, "queue", "decide", candidate, "reject")
        assert (result.code, result.out) == (1, "")
        assert_one_line(result, path, "disk is full")
        assert dump(path) == before
        filler.unlink()
        assert world.bmp(path, "queue", "decide", candidate, "reject").code == 0

    @pytest.mark.parametrize("left_kilobytes", [0, 64])
    def test_a_backup_leaves_no_part_of_itself(self, world: World, disk: Path, left_kilobytes: int) -> None:
        path = world.copy(disk / "data")
        before = dump(path)
        fill(disk, left_bytes=left_kilobytes * 1024)
        result = world.bmp(path, "db", "backup")
        assert (result.code, result.out) == (1, "")
        assert_one_line(result, path.parent / "backups", "full")
        assert [file for file in disk.rglob("*") if "backups" in file.parts and file.is_file()] == []
        assert dump(path) == before

    def test_a_backup_to_another_disk_leaves_no_part_of_itself(self, world: World, disk: Path, tmp_path: Path) -> None:
        path = world.copy(tmp_path / "data")
        filler = fill(disk, left_bytes=64 * 1024)
        result = world.bmp(path, "db", "backup", disk / "saved.db")
        assert result.code == 1
        assert_one_line(result, disk / "saved.db", "full")
        assert list(disk.iterdir()) == [filler]

    def test_without_a_disk_of_its_own_a_database_that_may_not_grow_does_the_same(
        self, world: World, tmp_path: Path
    ) -> None:
        for pages in (1, 2, 4):
            path = world.copy(tmp_path / str(pages))
            with open_store(path) as store:
                most = store.value("PRAGMA page_count") + pages
                store.connection.execute(f"PRAGMA max_page_count = {most}").fetchone()
                run = run_night(
                    store,
                    oai_source(world.server.oai_url, clock=lambda: datetime.now(UTC)),
                    embedder=HashEmbedder(identity=list_models(store)[0]),
                    clock=lambda: datetime.now(UTC),
                    categories=WANTED,
                    threshold=THRESHOLD,
                ).run
            assert run["status"] in ("partial", "failed")
            assert run["error"].startswith(f"{path}: database or disk is full")
            assert world.make_up(path) == []


class TestReadOnlyDisk:
    """Nothing can be written, not even by root."""

    @pytest.fixture
    def database(self, world: World, disk: Path) -> Path:
        path = world.copy(disk / "data")
        if not mount("-o", "remount,ro", disk):
            pytest.skip("no disk can be made read-only here")
        return path

    @pytest.mark.parametrize(
        "words", [("nightly",), ("queue", "decide", "1", "reject"), ("init",), ("db", "backup")], ids=" ".join
    )
    def test_what_writes_says_so_and_ends_with_1(self, world: World, database: Path, words: tuple[str, ...]) -> None:
        before = dump(database)
        result = world.bmp(database, *words)
        assert (result.code, result.out) == (1, "")
        assert_one_line(result, database.parent, "ead")
        assert "db check" not in result.err
        assert dump(database) == before

    @pytest.mark.parametrize(
        "words",
        [("queue", "list", "--json"), ("status", "--json"), ("export", "json"), ("db", "check"), ("runs", "list")],
        ids=" ".join,
    )
    def test_what_reads_works(self, world: World, database: Path, words: tuple[str, ...]) -> None:
        result = world.bmp(database, *words)
        assert result.code == 0, result.err
        assert result.out
