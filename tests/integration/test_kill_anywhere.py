"""A night may be killed anywhere and its disk may fail anywhere: the next night makes up for it, and nothing is lost.

All writes of a night are tried with BMP_CRASH_ALL=1, a sample that is spread evenly over them without it.
"""

from __future__ import annotations

import os
import random
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from crash import World, crash_world
from crash_process import CALLS, KILLED, PATIENCE_SECONDS, PAUSE, PAUSED, Ended, Running, Strace, strace_works

from db.errors import StoreError

pytestmark = pytest.mark.slow

ALL = os.environ.get("BMP_CRASH_ALL") == "1"
SAMPLE_OF_KILLS = 25
SAMPLE_OF_ERRORS = 12
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
    points = spread([(call, i) for call, count in calls.items() for i in range(1, count + 1)], SAMPLE_OF_KILLS)
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
