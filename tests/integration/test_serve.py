"""`bmp review --serve` as a process: a real server, a real connection, and what is in the database afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from bmp import Bmp
from tui.sample_queue import fill_with_sample

from curation.serve.child import DRIVER_VARIABLE, review_words
from db.store import open_store

TITLE = "Tokens per Parameter, Again"
PATIENCE_SECONDS = 40  # of a busy machine
HOSTILE = "a b;touch made-a $(touch made-b) `touch made-c` & '\"\\ |x"


@dataclass
class Served:
    """A server that runs, and what it says."""

    process: subprocess.Popen[str]
    greeting: str
    log: Path

    @property
    def url(self) -> str:
        """Return the address that was told, without the token."""
        told = re.search(r"http://\S+:(\d+)/", self.greeting)
        assert told, self.greeting
        return f"http://127.0.0.1:{told[1]}"

    def visitors(self) -> list[int]:
        """Return the processes of the visitors."""
        return children_of(self.process.pid)


@contextmanager
def serving(db: Path, *words: str, **environment: str) -> Iterator[Served]:
    """Run a server on a free port, and end it."""
    log = db.parent / "said.txt"
    with log.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "curation", "--db", str(db), "review", "--serve", "--port", "0", *words],
            env={**os.environ, "BMP_REVIEWER": "ada", **environment},
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            start_new_session=True,
        )
    try:
        wait_until(lambda: "Ctrl-C ends this" in log.read_text(encoding="utf-8") or process.poll() is not None)
        yield Served(process, log.read_text(encoding="utf-8"), log)
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_SECONDS)


def children_of(pid: int) -> list[int]:
    """Return the processes that a process started and that are alive."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return [int(row[0]) for row in rows if int(row[1]) == pid and not row[2].startswith("Z")]


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that ended and waits to be buried does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


def wait_until(true: Callable[[], object]) -> None:
    """Wait for something to become true, or fail."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def decisions(db: Path) -> list[tuple[Any, ...]]:
    """Read what was decided, over a connection of its own."""
    with sqlite3.connect(f"{db.as_uri()}?mode=ro", uri=True) as connection:
        rows = connection.execute(
            "SELECT arxiv_id, kind, reviewer FROM decisions JOIN candidates USING (candidate_id) ORDER BY decision_id"
        ).fetchall()
    connection.close()
    return rows


class Visitor:
    """What a browser does with a connection."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self.websocket = websocket
        self.messages: list[Any] = []
        self.output = ""

    async def see(self, words: str) -> None:
        """Read until the words were shown, with whatever steers the terminal left out."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while words not in self.output:
                message = await self.websocket.receive()
                if message.type is aiohttp.WSMsgType.BINARY:
                    shown = re.sub(r"\x1b\[[0-9;?]*\$?[a-zA-Z]", " ", message.data.decode())
                    self.output = " ".join(f"{self.output} {shown}".split())
                else:
                    assert message.type is aiohttp.WSMsgType.TEXT, message
                    self.messages.append(json.loads(message.data))
                    self.output += f" {message.data}"

    async def press(self, key: str) -> None:
        """Press a key."""
        self.output = ""
        await self.websocket.send_json(["stdin", key])


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """A database with the sample's queue, under a name that a shell would read as commands."""
    path = tmp_path / f"{HOSTILE}.db"
    with open_store(path, create=True) as store:
        fill_with_sample(store)
    return path


def visit(session: aiohttp.ClientSession, served: Served) -> Any:
    """Connect as the page does."""
    return session.ws_connect(f"{served.url}/ws?width=120&height=40", origin=served.url)


@pytest.mark.slow
async def test_a_visitor_decides_in_the_browser(db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(db) as served:
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{served.url}/") as page:
                assert page.headers["X-Frame-Options"] == "DENY"
                assert "://" not in await page.text(), "the page names another server"
            async with visit(session, served) as websocket:
                visitor = Visitor(websocket)
                await visitor.see(TITLE)
                await visitor.press("r")
                await visitor.see("1 decided")
                assert decisions(db) == [("0001.00007", "reject", "ada")]
                await visitor.press("o")
                await visitor.see("opened https://arxiv.org/abs/0001.00025v1")
                assert visitor.messages == [
                    ["open_url", {"url": "https://arxiv.org/abs/0001.00025v1", "new_tab": True}]
                ]
                await visitor.press("q")
                async with asyncio.timeout(PATIENCE_SECONDS):
                    while not websocket.closed:
                        await websocket.receive()
        wait_until(lambda: not served.visitors())
        wait_until(lambda: "1 decisions made." in served.log.read_text(encoding="utf-8"))
    assert {path.name for path in tmp_path.iterdir()} == {db.name, "said.txt"}, "a shell read the path"


@pytest.mark.slow
async def test_a_connection_that_breaks_ends_the_process_and_loses_no_decision(db: Path) -> None:
    with serving(db, "--phenomenon", "H1.2") as served:
        async with aiohttp.ClientSession() as session:
            other = Visitor(await visit(session, served))
            visitor = Visitor(await visit(session, served))
            await visitor.see(TITLE)
            await other.see(TITLE)
            assert len(served.visitors()) == 2
            await visitor.press("s")
            await visitor.see("1 decided")
            visitor.websocket._response.connection.transport.abort()  # type: ignore[union-attr]
            await asyncio.to_thread(wait_until, lambda: len(served.visitors()) == 1)
            assert decisions(db) == [("0001.00007", "accept", "ada")]
            await other.press("R")
            await other.see("read anew")
            await other.press("r")
            await other.see("1 decided")
            assert decisions(db)[1:] == [("0001.00001", "reject", "ada")]


@pytest.mark.slow
async def test_ctrl_c_ends_the_server_and_its_visitors(db: Path) -> None:
    with serving(db) as served:
        async with aiohttp.ClientSession() as session:
            visitor = Visitor(await visit(session, served))
            await visitor.see(TITLE)
            pids = served.visitors()
            assert len(pids) == 1
            served.process.send_signal(signal.SIGINT)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not visitor.websocket.closed:
                    await visitor.websocket.receive()
            assert await asyncio.to_thread(served.process.wait, PATIENCE_SECONDS) == 0
        assert not any(map(is_alive, pids))
        said = served.log.read_text(encoding="utf-8")
        assert said.endswith("Ended.\n") and "Traceback" not in said


@pytest.mark.slow
async def test_when_the_server_is_killed_its_visitors_end_by_themselves(db: Path) -> None:
    with serving(db) as served:
        async with aiohttp.ClientSession() as session:
            await Visitor(await visit(session, served)).see(TITLE)
            pids = served.visitors()
            assert len(pids) == 1
            served.process.kill()
            await asyncio.to_thread(wait_until, lambda: not any(map(is_alive, pids)))


@pytest.mark.slow
async def test_what_is_no_message_closes_the_connection_and_nothing_else(db: Path) -> None:
    with serving(db) as served:
        async with aiohttp.ClientSession() as session:
            for junk in ("{", "{}", "[]", '["resize", {"width": "x", "height": null}]', '["stdin", 1]'):
                async with visit(session, served) as websocket:
                    await websocket.send_str(junk)
                    async with asyncio.timeout(PATIENCE_SECONDS):
                        while not websocket.closed:
                            await websocket.receive()
            async with session.get(f"{served.url}/") as page:
                assert page.status == 200
        wait_until(lambda: not served.visitors())
        assert "Traceback" not in served.log.read_text(encoding="utf-8")


@pytest.mark.slow
async def test_on_another_address_the_token_that_was_made_is_asked_for(db: Path) -> None:
    with serving(db, "--host", "0.0.0.0") as served:
        told = re.search(r"\?token=([A-Za-z0-9_-]{43})$", served.greeting, re.MULTILINE)
        assert told
        jar = aiohttp.CookieJar(unsafe=True)  # keeps cookies of numeric addresses too
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            async with session.get(f"{served.url}/") as page:
                assert page.status == 403
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await visit(session, served)
            async with session.get(f"{served.url}/?token={told[1]}") as page:
                assert (page.status, str(page.url)) == (200, f"{served.url}/")
            await Visitor(await visit(session, served)).see(TITLE)
        assert served.log.read_text(encoding="utf-8").count(told[1]) == 1


@pytest.mark.slow
async def test_a_token_of_the_settings_is_asked_for_on_loopback_too_and_told_nowhere(db: Path) -> None:
    token = "0123456789-of-the-settings"
    with serving(db, BMP_SERVE_TOKEN=token) as served:
        async with aiohttp.ClientSession() as session, session.get(f"{served.url}/") as page:
            assert page.status == 403
        listed = subprocess.run(
            ["ps", "-ww", "-o", "args=", "-p", str(served.process.pid)], capture_output=True, text=True
        )
        assert "--serve" in listed.stdout and token not in listed.stdout
        assert token not in served.log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--port", "8001"), 2, "add --serve"),
        (("--serve", "--host", "no such host.invalid"), 2, "there is no host"),
        (("--serve", "--host", ""), 2, "no name"),
        (("--serve", "--public-url", "bmp.example"), 2, "write it as https://"),
        (("--serve", "--public-url", "https://bmp.example:x"), 2, "write it as https://"),
        (("--serve", "--phenomenon", "X9"), 2, "X9"),
        (("--serve", "--port", "70000"), 2, "--port"),
    ],
)
def test_what_cannot_be_served_is_told(bmp: Bmp, words: tuple[str, ...], code: int, said: str) -> None:
    bmp("init")
    told = bmp("review", *words)
    assert told.code == code and said in told.err and "Traceback" not in told.err


def test_a_port_that_is_taken_is_told_in_one_line(bmp: Bmp) -> None:
    bmp("init")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        told = bmp("review", "--serve", "--port", taken.getsockname()[1])
    assert told.code == 1
    assert told.err.count("\n") == 1 and "Address already in use" in told.err and "--port" in told.err


def test_a_missing_database_is_told_before_anybody_visits(bmp: Bmp) -> None:
    told = bmp("review", "--serve", "--port", "0")
    assert told.code == 1 and told.err.count("\n") == 1


@pytest.mark.parametrize("driver", ["", "textual.drivers.web_driver:WebDriver", "x"])
def test_without_a_terminal_no_other_driver_is_taken(bmp: Bmp, monkeypatch: pytest.MonkeyPatch, driver: str) -> None:
    bmp("init")
    monkeypatch.setenv(DRIVER_VARIABLE, driver)
    told = bmp("review")
    assert told.code == 2 and "needs a terminal" in told.err


def test_a_token_that_could_be_guessed_is_refused_and_none_is_shown(bmp: Bmp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMP_SERVE_TOKEN", "short-secret")
    told = bmp("config", "show")
    assert told.code == 2 and "serve_token" in told.err and "short-secret" not in told.err + told.out
    monkeypatch.setenv("BMP_SERVE_TOKEN", "long-enough-to-be-a-secret")
    shown = bmp("config", "show", "--json")
    assert shown.json["serve_token"]["value"] == "***"


def test_the_process_of_a_visitor_gets_the_same_database_wherever_it_starts() -> None:
    words = review_words(Path("--help"), "--help")
    assert words[0] == sys.executable
    assert words[-4:] == ["--db", str(Path.cwd() / "--help"), "review", "--phenomenon=--help"]
