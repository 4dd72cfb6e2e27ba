"""The app as a user runs it, a process in a real terminal: killed, hung up on, and in two windows at once."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tui.sample_queue import fill_with_sample
from tui.terminal import Terminal

from db.store import check, open_store

pytestmark = pytest.mark.slow

FIRST, SECOND = "compute budget", "power law"
Start = Callable[..., Terminal]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with the sample's twelve candidates."""
    path = tmp_path / "bmp.db"
    with open_store(path, create=True) as store:
        fill_with_sample(store)
    return path


@pytest.fixture
def start(database: Path) -> Iterator[Start]:
    """Give what starts the app in a terminal, as ada unless told otherwise."""
    begun: list[Terminal] = []

    def run(*, reviewer: str = "ada", **options: Any) -> Terminal:
        environment = {**os.environ, "BMP_REVIEWER": reviewer}
        terminal = Terminal(database, environment=environment, **options)
        begun.append(terminal)
        terminal.wait_for(lambda text: re.search(r" 1 of \d+ 0 decided", text) is not None)
        return terminal

    yield run
    for terminal in begun:
        terminal.close()


def decisions(path: Path) -> list[tuple[Any, ...]]:
    """Read what is on disk, by SQLite alone."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(
            "SELECT candidate_id, kind, stance, reviewer FROM decisions ORDER BY decision_id"
        ).fetchall()


def best_first(path: Path) -> list[int]:
    """Return the candidates' ids, best first."""
    with closing(sqlite3.connect(path)) as connection:
        sql = "SELECT candidate_id FROM candidates JOIN matches USING (match_id) ORDER BY score DESC"
        return [row[0] for row in connection.execute(sql)]


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (160, 48), (40, 12)])
def test_a_session_from_the_first_key_to_the_last(start: Start, database: Path, columns: int, rows: int) -> None:
    terminal = start(columns=columns, rows=rows)
    first, second = best_first(database)[:2]
    terminal.send("c")
    terminal.wait_for("1 decided")
    assert decisions(database) == [(first, "accept", "contradicts", "ada")]
    terminal.send("r")
    terminal.wait_for("2 decided")
    terminal.send("u")
    terminal.wait_for("1 decided")
    assert decisions(database)[1:] == [(second, "reject", None, "ada"), (second, "undo", None, "ada")]
    terminal.send("q")
    assert terminal.wait_for_end() == 0
    assert b"\x1b[?1049l" in terminal.output and terminal.output.rstrip().endswith(b"1 decisions made.")
    assert terminal.output.rindex(b"\x1b[?25h") > terminal.output.rindex(b"\x1b[?25l")  # the cursor is there again


def test_whatever_the_screen_says_is_decided_survives_a_kill(start: Start, database: Path) -> None:
    """Keys come faster than they can be answered; the process is killed at another moment each time."""
    before: list[tuple[Any, ...]] = []
    for pause in (0.0, 0.02, 0.05, 0.1, 0.2):
        terminal = start()
        terminal.send("s")
        terminal.wait_for("1 decided")
        terminal.send("r")
        until = time.monotonic() + pause
        while time.monotonic() < until:
            terminal.read()
        terminal.kill()
        told = re.search(r"(\d+) decided", terminal.text)
        assert told is not None and int(told[1]) >= 1
        log = decisions(database)
        assert log[: len(before)] == before, "what was decided before is there, unchanged"
        assert len(log) - len(before) >= int(told[1])
        before = log
    with open_store(database) as store:
        assert check(store) == []


def test_a_lost_connection_ends_the_program_and_loses_nothing(start: Start, database: Path) -> None:
    terminal = start()
    terminal.send("sr")
    terminal.wait_for("2 decided")
    terminal.hang_up()
    until = time.monotonic() + 20
    while terminal.process.isalive() and time.monotonic() < until:
        time.sleep(0.05)
    assert not terminal.process.isalive()
    assert [one[1] for one in decisions(database)] == ["accept", "reject"]


def test_two_windows_decide_over_nothing_that_they_have_not_seen(start: Start, database: Path) -> None:
    first, second = best_first(database)[:2]
    ada, ben = start(), start(reviewer="ben")
    ada.send("s")
    ada.wait_for("1 decided")
    ben.send("r")
    ben.wait_for("changed meanwhile")
    assert decisions(database) == [(first, "accept", "supports", "ada")]
    ben.send("R")
    ben.wait_for("of 11")
    ben.send("r")
    ben.wait_for("1 decided")
    assert decisions(database)[1:] == [(second, "reject", None, "ben")]


def test_hostile_texts_reach_the_terminal_as_text(database: Path, start: Start) -> None:
    """No title, abstract or comment sends the terminal a sequence of its own."""
    payload = "\x1b]52;c;ZXZpbA==\x07\x1b]0;owned\x07\x1b[2J\x9b31m\x1bP+q\x1b\\[@click=app.quit]x[/]"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE revisions SET title = ? || title, abstract = ? || abstract", (payload, payload))
        connection.execute("UPDATE papers SET authors = ?, comments = ?", ('["' + "evil" + '"]', payload))
    terminal = start(columns=160, rows=48)
    for _ in range(12):
        terminal.send("j")
        terminal.read(0.05)
    terminal.send("q")
    assert terminal.wait_for_end() == 0
    for forbidden in (b"\x1b]52", b"\x1b]0;", b"\x9b31m", b"\x1bP+q", b"ZXZpbA==\x07"):
        assert forbidden not in terminal.output
    assert b"owned" in terminal.output
