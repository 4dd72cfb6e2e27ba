"""A night may be killed anywhere and its disk may fail anywhere: the next night makes up for it, and nothing is lost.

All writes of a night are tried with BMP_CRASH_ALL=1; without it the end of each transaction, and a sample of the rest
that is spread evenly.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from crash import World, crash_world
from crash_process import KILLED, PATIENCE_SECONDS, PAUSE, PAUSED, Ended, Running, Strace, strace_works

from db.store import journal_mode

pytestmark = pytest.mark.slow

ALL = os.environ.get("BMP_CRASH_ALL") == "1"
SAMPLE_OF_KILLS = 12
SAMPLE_OF_ERRORS = 8
RANDOM_KILLS = 15
SEED = 20261125


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Give a database with decisions, and the news that wait for its next night."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setenv("XDG_DATA_HOME", str(home))
        patch.setenv("XDG_CONFIG_HOME", str(home))
        with crash_world(tmp_path_factory.mktemp("world")) as made:
            yield made


@pytest.fixture(scope="module")
def calls(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Give how often an undisturbed night makes each call that changes the database's files, or skip."""
    folder = tmp_path_factory.mktemp("counted")
    if not strace_works(folder):
        pytest.skip("strace is not here or may not trace")
    counting = Strace(world.copy(folder / "db"), folder / "log")
    assert world.trace(counting).code == 0
    return counting.count_calls()


def spread(points: list[tuple[str, int]], sample: int) -> list[tuple[str, int]]:
    """Return so many of the points, evenly spread, the first and the last included; or all of them."""
    if ALL or len(points) <= sample:
        return points
    return [points[round(i * (len(points) - 1) / (sample - 1))] for i in range(sample)]


def test_the_night_that_is_disturbed_here_does_all_that_a_night_can_do(world: World) -> None:
    assert [row[4] for row in world.expected["missing papers"]] == ["fetched"] * 3
    assert [row[2] for row in world.expected["decisions"]].count("reopen") == 2
    assert len(world.decisions) == 7
    assert {row[0] for row in world.expected["cursors"]} == {"oai", "identifiers"}
    assert all(world.expected.values())


def test_after_sigkill_at_a_write_the_next_night_makes_up_for_all(
    world: World, calls: dict[str, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # One call ends a transaction: to be killed at each of these is to be killed between any two states of the record.
    last = "unlink" if journal_mode(sqlite3.sqlite_version_info) == "delete" else "fdatasync"
    ends = [(last, i) for i in range(1, calls.get(last, 0) + 1)]
    others = [(call, i) for call, count in calls.items() if call != last for i in range(1, count + 1)]
    points = [*ends, *spread(others, SAMPLE_OF_KILLS)]
    assert ends, "what ends a transaction here?"
    survived, broken = [], []
    for call, number in points:
        killing = Strace(world.copy(tmp_path / f"{call}-{number}"), tmp_path / "log", (_kill(call, number),))
        if world.trace(killing).code != KILLED:
            survived.append((call, number))
        broken += [f"{call} {number}: {fault}" for fault in world.make_up(killing.path)]
        shutil.rmtree(killing.path.parent)
    with capsys.disabled():
        print(f"\nA night: {calls}. Killed at {len(points) - len(survived)} of them, broken: {len(broken)}.")
    assert broken == []
    assert survived == []


def _kill(call: str, number: int) -> str:
    return f"{call}:signal=SIGKILL:when={number}"


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [("pwrite64", "ENOSPC", "disk is full"), ("fdatasync", "EIO", "disk I/O error")],
    ids=["no space for a write", "a sync that fails"],
)
def test_a_night_whose_disk_fails_says_so_in_one_line_and_the_next_night_makes_up_for_all(
    world: World,
    calls: dict[str, int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    call: str,
    error: str,
    said: str,
) -> None:
    if call not in calls:
        pytest.skip(f"SQLite does not call {call} here")
    points = spread([(call, number) for number in range(1, calls[call] + 1)], SAMPLE_OF_ERRORS)
    broken = []
    for _, number in points:
        fault = f"{call}:error={error}:when={number}"
        failing = Strace(world.copy(tmp_path / str(number)), tmp_path / "log", (fault,))
        ended = world.trace(failing)
        faults = [*judge_told(ended, failing.path, said), *world.make_up(failing.path)]
        broken += [f"{fault}: {one}" for one in faults]
        shutil.rmtree(failing.path.parent)
    with capsys.disabled():
        print(f"\n{error} at {len(points)} of {calls[call]} calls of {call}, broken: {len(broken)}.")
    assert broken == []


def judge_told(ended: Ended, path: Path, *said: str) -> list[str]:
    """Return what is wrong with how a command told that it failed: one line with file and cause, and the exit code."""
    lines = [line for line in ended.err.splitlines() if line.startswith("Error: ")]
    faults = [f"the exit code is {ended.code}"] if ended.code not in (1, 3) else []
    faults += [f"{len(lines)} lines tell of it: {ended.err}"] if len(lines) != 1 or "Traceback" in ended.err else []
    told = "".join(lines)
    return faults + [f"'{word}' is not in: {told}" for word in (str(path), *said) if word not in told]


# Without strace


def start_night(world: World, path: Path, on_request: Callable[[int, Running], None], **environment: str) -> Running:
    """Start a night; `on_request` is called with the number of each of its requests, from 1 on, before the answer."""
    before, started = len(world.server.log), threading.Event()

    def tell(number: int, _: object) -> None:
        assert started.wait(PATIENCE_SECONDS)
        on_request(number - before, running)

    world.server.on_request = tell
    running = world.start(path, **environment)
    started.set()
    return running


def requests_of_a_night(world: World, path: Path) -> list[str]:
    """Return what an undisturbed night asks for."""
    before = len(world.server.log)
    assert world.start(path).wait().code == 0
    return [f"{entry.path} {entry.query}" for entry in world.server.log[before:]]


@pytest.fixture
def undisturbed(world: World) -> Iterator[World]:
    """Give the world, and take away afterwards what a test let the server do."""
    yield world
    world.server.on_request = None


def test_after_sigkill_at_a_request_the_next_night_makes_up_for_all(undisturbed: World, tmp_path: Path) -> None:
    asked = requests_of_a_night(undisturbed, undisturbed.copy(tmp_path / "counted"))
    kinds = ["set=cs&", "resumptionToken", "set=stat&", "/rss/", "verb=ListIdentifiers", "/api/"]
    first = {kind: next(i for i, one in enumerate(asked, 1) if kind in one) for kind in kinds}
    for number in range(1, len(asked) + 1) if ALL else sorted(first.values()):

        def kill(count: int, running: Running, number: int = number) -> None:
            if count == number:
                running.kill()

        path = undisturbed.copy(tmp_path / str(number))
        assert start_night(undisturbed, path, kill).wait().code == KILLED
        undisturbed.server.on_request = None
        assert undisturbed.make_up(path) == [], asked[number - 1]


@pytest.mark.parametrize("stage", ["harvest:", "embed:", "match:"])
def test_after_sigkill_at_the_end_of_a_stage_the_next_night_makes_up_for_all(
    world: World, tmp_path: Path, stage: str
) -> None:
    path = world.copy(tmp_path / "db")
    running = world.start(path)
    running.await_word(stage)
    running.kill()
    running.wait()
    assert world.make_up(path) == []


@pytest.mark.parametrize(
    ("call", "before"), [(1, "harvest:"), (2, "harvest:"), (3, "learn:")], ids=["comparing", "embedding", "matching"]
)
def test_after_sigkill_while_the_model_works_the_next_night_makes_up_for_all(
    world: World, tmp_path: Path, call: int, before: str
) -> None:
    path = world.copy(tmp_path / "db")
    running = world.start(path, **{PAUSE: str(call)})
    running.await_word(PAUSED)
    running.kill()
    ended = running.wait()
    assert ended.code == KILLED
    assert ended.err.splitlines()[-2].startswith(before)
    assert world.make_up(path) == []


def test_after_sigkill_at_any_moment_the_next_night_makes_up_for_all(undisturbed: World, tmp_path: Path) -> None:
    seconds = _measure(undisturbed, undisturbed.copy(tmp_path / "measured"))
    chance, killed = random.Random(SEED), 0
    for i in range(RANDOM_KILLS):
        path, began = undisturbed.copy(tmp_path / str(i)), threading.Event()
        running = start_night(undisturbed, path, lambda *_, began=began: began.set())
        assert began.wait(PATIENCE_SECONDS)
        time.sleep(seconds * (i + chance.random()) / RANDOM_KILLS)
        running.kill()
        killed += running.wait().code == KILLED
        undisturbed.server.on_request = None
        assert undisturbed.make_up(path) == [], f"kill {i}"
    assert killed >= RANDOM_KILLS // 3


def _measure(world: World, path: Path) -> float:
    """Return how long a night takes from its first request on, in seconds."""
    began: list[float] = []
    start_night(world, path, lambda *_: began.append(time.monotonic())).wait()
    world.server.on_request = None
    return time.monotonic() - began[0]


def test_killed_again_and_again_the_night_ends_in_the_same_state(undisturbed: World, tmp_path: Path) -> None:
    path = undisturbed.copy(tmp_path / "db")
    for number in (2, 3, 5, 7, 9):  # each is reached, though later nights have less to ask for

        def kill(count: int, running: Running, number: int = number) -> None:
            if count == number:
                running.kill()

        assert start_night(undisturbed, path, kill).wait().code == KILLED
    undisturbed.server.on_request = None
    assert undisturbed.make_up(path) == []
