"""The door to textual-serve: a server on a socket of ours, behind the guard, with a process for each visitor."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import secrets
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout, suppress
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager
from textual_serve.server import Server, to_int

from curation.serve.child import DRIVER_VARIABLE, SERVED_DRIVER
from curation.serve.guard import LOOPBACK_NAMES, Guard, add_headers
from db.errors import BmpError, UsageError

PAGE = Path(__file__).parent / "page"
MOST_VISITORS = 20  # each is a process
GRACE_SECONDS = 5.0
CLOSE_SECONDS = 2.0  # that a browser has to take its leave
SECRET_VARIABLE = "BMP_SERVE_TOKEN"

log = logging.getLogger("bmp.serve")


def serve_review(
    words: Sequence[str], *, host: str, port: int, token: str, public_url: str | None, say: Callable[[str], None]
) -> None:
    """Serve until SIGINT or SIGTERM, then end the visitors' processes.

    Args:
        words: what to start for a visitor.
        port: 0 takes any that is free.
        token: what a visitor must know; if empty, one is made where others than this machine's users can get here.
        public_url: where a proxy shows the server to the world.
        say: takes the address to open.

    Raises:
        UsageError: the host cannot be listened on.
        BmpError: the port cannot be had.
    """
    with _listen(host, port) as listener:
        address, port = listener.getsockname()[:2]
        ip = ipaddress.ip_address(address.partition("%")[0])
        made = "" if token or (ip.is_loopback and public_url is None) else secrets.token_urlsafe(32)
        guard = Guard(
            _hosts(host, ip, public_url),
            token or made or None,
            cookie=f"bmp_token_{port}",
            public_url=_origin(public_url) if public_url else None,
        )
        shown = socket.gethostname() if ip.is_unspecified else host
        base = public_url.rstrip("/") if public_url else f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"
        for line in _greeting(base, token=token, made=made):
            say(line)
        server = ReviewServer(words, guard)
        with redirect_stdout(sys.stderr):  # where the library passes on what a visitor's process said
            web.run_app(server.make_app(), sock=listener, access_log=None, print=None, shutdown_timeout=CLOSE_SECONDS)


def _listen(host: str, port: int) -> socket.socket:
    if not host:  # which would mean all addresses
        raise UsageError("the host has no name", "name one of this machine's addresses with --host")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family)
    except (socket.gaierror, UnicodeError):
        raise UsageError(f"there is no host '{host}'", "name one of this machine's addresses with --host") from None
    except OSError as error:
        raise BmpError(
            f"cannot listen on port {port} of {host}: {os.strerror(error.errno) if error.errno else error}",
            "choose others with --host and --port",
        ) from None


def _hosts(
    host: str, ip: ipaddress.IPv4Address | ipaddress.IPv6Address, public_url: str | None
) -> frozenset[str] | None:
    """Return the names that the server may be called by; on all addresses at once they cannot be known."""
    if ip.is_unspecified:
        return None
    public = {urlsplit(public_url).hostname or ""} if public_url else set()
    return frozenset({host.lower(), str(ip)} | public | (LOOPBACK_NAMES if ip.is_loopback else set()))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _greeting(base: str, *, token: str, made: str) -> list[str]:
    ending = "Ctrl-C ends this."
    if made:
        return [f"Open {base}/?token={made}", f"Whoever has this address can decide as you. {ending}"]
    if token:
        return [f"Open {base}/?token=... with your serve_token in place of the dots. {ending}"]
    return [f"Open {base}/", f"Every user of this machine can open it and decide as you. {ending}"]


class VisitorReview(AppService):
    """The process of one visitor. It is started without a shell, and ends with the connection or before.

    Args:
        grace_seconds: how long it may take to end by itself.
    """

    def __init__(
        self,
        words: Sequence[str],
        websocket: web.WebSocketResponse,
        downloads: DownloadManager,
        *,
        grace_seconds: float,
    ) -> None:
        super().__init__(
            "bmp review",
            write_bytes=websocket.send_bytes,
            write_str=websocket.send_str,
            close=self._close,
            download_manager=downloads,
        )
        self._words = words
        self._websocket = websocket
        self._grace_seconds = grace_seconds
        self._ending: asyncio.Task[None] | None = None

    async def _close(self) -> None:
        await self._websocket.close()

    def _build_environment(self, width: int = 80, height: int = 24) -> dict[str, str]:
        environment = super()._build_environment(width, height) | {DRIVER_VARIABLE: SERVED_DRIVER}
        environment.pop(SECRET_VARIABLE, None)
        return environment

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        self._process = process = await asyncio.create_subprocess_exec(
            *self._words,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=self._build_environment(width, height),
            start_new_session=True,  # Ctrl-C is for the server, which ends it properly
        )
        self._stdin = process.stdin
        return process

    async def run(self) -> None:
        """Pass on what the process writes until it has ended, then close the connection."""
        try:
            await super().run()
        finally:
            assert self._process is not None
            await self._process.wait()
            await self._close()

    async def set_terminal_size(self, width: int, height: int) -> None:
        """Tell the process the size of the visitor's screen, in cells."""
        await super().set_terminal_size(_cells(width), _cells(height))

    async def stop(self) -> None:
        """Let the process end; after a while make it. Whoever asks waits for the end, and does not break it off."""
        if self._task is not None:
            self._ending = self._ending or asyncio.create_task(self._end(self._task))
            await asyncio.shield(self._ending)

    async def _end(self, task: asyncio.Task[None]) -> None:
        assert self._process is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(self._grace_seconds):
                await self.send_meta({"type": "quit"})
                await asyncio.wait({task})
        if self._process.returncode is None:
            self._process.kill()
        await task


class ReviewServer(Server):
    """Serves the page and the connections of the visitors."""

    def __init__(
        self,
        words: Sequence[str],
        guard: Guard,
        *,
        most_visitors: int = MOST_VISITORS,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        super().__init__("bmp review", title="bmp review", templates_path=PAGE)
        self._words = words
        self._guard = guard
        self._most_visitors = most_visitors
        self._grace_seconds = grace_seconds
        self._visitors: set[VisitorReview] = set()

    async def make_app(self) -> web.Application:
        """Make the library's application, and put the guard before it."""
        app = await self._make_app()
        app.middlewares.append(self._guard.check)
        app.on_response_prepare.append(add_headers)
        app.router.add_static("/page", PAGE)
        return app

    async def on_startup(self, app: web.Application) -> None:
        """Say nothing: it was said before."""

    async def on_shutdown(self, app: web.Application) -> None:
        """End all visitors' processes."""
        await asyncio.gather(*(visitor.stop() for visitor in list(self._visitors)))

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Run a review for a visitor as long as the connection holds."""
        if len(self._visitors) >= self._most_visitors:
            raise web.HTTPServiceUnavailable(text=f"There are {self._most_visitors} visitors already.\n")
        websocket = web.WebSocketResponse(heartbeat=15, timeout=CLOSE_SECONDS)
        visitor = VisitorReview(self._words, websocket, self.download_manager, grace_seconds=self._grace_seconds)
        self._visitors.add(visitor)
        try:
            await websocket.prepare(request)
            width, height = request.query.get("width", ""), request.query.get("height", "")
            await visitor.start(_cells(to_int(width, 80)), _cells(to_int(height, 24)))
            await self._process_messages(websocket, visitor)
        except (AssertionError, AttributeError, LookupError, TypeError, ValueError):
            log.warning("a visitor sent what is no message of the page; the connection was closed")
        finally:
            await asyncio.shield(self._see_off(visitor))  # also if the handler is broken off
            await websocket.close()
        return websocket

    async def _see_off(self, visitor: VisitorReview) -> None:
        await visitor.stop()
        self._visitors.discard(visitor)


def _cells(number: int) -> int:
    """Keep a size that a visitor tells within what a screen can have."""
    return min(max(number, 1), 1000)
