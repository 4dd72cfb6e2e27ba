"""Mail servers on loopback: a real one that keeps what it takes, and one that plays a bad part word by word."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

HOST = "127.0.0.1"


@dataclass
class Post:
    """What a real server took, and whom it refuses."""

    refuses: frozenset[str] = frozenset()
    refuses_data: bool = False
    taken: list[tuple[str, list[str], EmailMessage]] = field(default_factory=list)
    port: int = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        """Refuse or take a recipient."""
        if address in self.refuses:
            return "550 5.1.1 no such box"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Take a message."""
        if self.refuses_data:
            return "554 5.7.1 this looks like spam"
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.taken.append((envelope.mail_from, envelope.rcpt_tos, message))
        return "250 OK"

    def check_login(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        """Let ada in with her password, and nobody else."""
        assert isinstance(data, LoginPassword)
        right = (data.login, data.password) == (b"ada", b"s3cret word")
        return AuthResult(success=right, handled=False)


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server((HOST, 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def post_office(post: Post, **options: Any) -> Iterator[Post]:
    """Run a real SMTP server; options go to aiosmtpd."""
    post.port = free_port()
    controller = Controller(post, hostname=HOST, port=post.port, **options)
    controller.start()
    try:
        yield post
    finally:
        controller.stop()


@contextmanager
def bad_office(answers: Sequence[str | None]) -> Iterator[int]:
    """Run a server for one connection and give its port: it says a line, reads one, says the next, and hangs up.

    Args:
        answers: what it says; None keeps silent from there on until the other side has gone.
    """
    with socket.create_server((HOST, 0)) as server:
        thread = threading.Thread(target=_play, args=(server, answers))
        thread.start()
        try:
            yield int(server.getsockname()[1])
        finally:
            with contextlib.suppress(OSError):  # where nobody called, it still waits
                socket.create_connection(server.getsockname(), timeout=1).close()
            thread.join()


def _play(server: socket.socket, answers: Sequence[str | None]) -> None:
    connection, _ = server.accept()
    with connection, connection.makefile("rb") as reader, contextlib.suppress(OSError):
        in_data = False
        for answer in answers:
            if answer is None:
                reader.read()
                return
            connection.sendall(answer.encode() + b"\r\n")
            in_data = answer.startswith("354")
            line = reader.readline()
            while in_data and line not in (b".\r\n", b""):
                line = reader.readline()


@contextmanager
def slow_office() -> Iterator[int]:
    """Give the port of a server whose greeting goes on for ever, a letter at a time."""
    done = threading.Event()

    def greet(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            caller, _ = server.accept()
            with caller:
                while not done.wait(0.1):
                    caller.sendall(b"2")

    with socket.create_server((HOST, 0)) as server:
        thread = threading.Thread(target=greet, args=(server,), daemon=True)
        thread.start()
        try:
            yield int(server.getsockname()[1])
        finally:
            done.set()
            thread.join(5)
