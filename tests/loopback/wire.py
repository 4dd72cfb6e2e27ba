"""The wire of the stand-in: HTTP/1.1, a thread for each connection, and the ways in which an answer fails to come."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import urlsplit

from loopback.answer import Answer

PIECE_SECONDS = 0.02
_RESET = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class LogEntry:
    """One request: its number from 1 on, when it began and ended (seconds, monotonic), what it asked, what it got.

    `ended_at` is set before the client can have read the last byte; it and `status` are None while they are open.
    `hung_up` tells that the client left before the last byte; then `ended_at` is when that was noticed.
    """

    number: int
    began_at: float
    path: str
    query: str
    user_agent: str
    ended_at: float | None = None
    status: int | None = None
    hung_up: bool = False


class Desk(Protocol):
    """Who says what is answered, and keeps the books: `stopping` ends every wait, `failures` are not the client's."""

    stopping: threading.Event
    failures: list[BaseException]

    def begin(self, path: str, query: str, user_agent: str, connection: socket.socket) -> LogEntry:
        """Note that a request has come."""

    def answer(self, entry: LogEntry) -> Answer:
        """Return what it gets."""

    def end(self, entry: LogEntry) -> None:
        """Note that its answer is about to be complete, or never will be."""


def has_hung_up(connection: socket.socket) -> bool:
    """Tell whether the other side has closed a connection, without waiting and without reading from it."""
    try:
        readable, _, _ = select.select([connection], [], [], 0)
        return bool(readable) and connection.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):
        return True


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class HttpServer(ThreadingHTTPServer):
    """The threads and connections of the stand-in, all of which end when it does."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, desk: Desk) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.desk = desk
        self._open: dict[socket.socket, threading.Thread] = {}

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        self._open[request] = threading.current_thread()
        if self.desk.stopping.is_set():
            _cut(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            del self._open[request]

    def shutdown_request(self, request: Any) -> None:
        # A shutdown would say goodbye in good order first, and the client would never see the reset.
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_RESET)) == _RESET:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections break, that is what they are here for; anything else is an error of the stand-in."""

    def stop(self) -> None:
        """End the loop, cut every connection, and wait for its thread."""
        self.shutdown()
        for connection, thread in list(self._open.items()):
            _cut(connection)
            thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One connection, kept alive from request to request as arXiv's are."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: HttpServer
    connection: socket.socket

    def do_GET(self) -> None:
        self._serve(urlsplit(self.path).query)

    def do_POST(self) -> None:
        """OAI-PMH allows its arguments as a form."""
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the log is a list."""

    def _serve(self, query: str) -> None:
        desk = self.server.desk
        path = urlsplit(self.path).path
        entry = desk.begin(path, query, self.headers.get("User-Agent", ""), self.connection)
        try:
            self._send(desk.answer(entry), entry)
        except OSError:
            entry.hung_up = True
            self.close_connection = True
        except Exception as error:
            desk.failures.append(error)
            self.close_connection = True
        finally:
            desk.end(entry)

    def _send(self, answer: Answer, entry: LogEntry) -> None:
        if not self._wait(answer.delay_seconds):
            entry.hung_up = True
            self.close_connection = True
            return
        entry.status = answer.status
        self._send_head(answer)
        if answer.reset_after is not None:
            self._reset(answer.body[: answer.reset_after])
            return
        last = b""
        for piece in self._pieces(answer):
            self.wfile.write(last + piece[:-1])
            last = piece[-1:]
        # The last byte waits until the books are right: a client that has read it all may ask for them at once.
        self.server.desk.end(entry)
        self.wfile.write(last)

    def _send_head(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.chunks is None:
            self.send_header("Content-Length", str(len(answer.body)))
        else:
            self.send_header("Connection", "close")
        self.end_headers()

    def _pieces(self, answer: Answer) -> Iterator[bytes]:
        if answer.chunks is not None:
            yield from answer.chunks()
        elif answer.bytes_per_second is None:
            yield answer.body
        else:
            yield from self._drip(answer.body, answer.bytes_per_second)

    def _drip(self, body: bytes, bytes_per_second: float) -> Iterator[bytes]:
        size = max(1, int(bytes_per_second * PIECE_SECONDS))
        for start in range(0, len(body), size):
            if not self._wait(size / bytes_per_second):
                raise BrokenPipeError("nobody waits for the rest")
            yield body[start : start + size]

    def _wait(self, seconds: float) -> bool:
        """Wait, and tell whether there is still somebody to answer."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.server.desk.stopping.wait(min(left, PIECE_SECONDS)) or has_hung_up(self.connection):
                return False
        return True

    def _reset(self, body: bytes) -> None:
        self.wfile.write(body)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close_connection = True
