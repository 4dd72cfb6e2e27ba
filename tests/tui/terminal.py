"""A real terminal for the app: it runs as a process of its own, and its output draws a screen."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pexpect
import pyte

PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.002


class Terminal:
    """`bmp review` in a pseudo-terminal.

    Args:
        path: the database.
        columns: the width in characters.
        rows: the height in lines.
        words: more words of the command line.
        environment: the variables of the process.
    """

    def __init__(
        self,
        path: Path,
        *,
        columns: int = 80,
        rows: int = 24,
        words: tuple[str, ...] = (),
        environment: dict[str, str],
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.output = b""
        self.process = pexpect.spawn(
            sys.executable,
            ["-m", "curation", "--db", str(path), "review", *words],
            dimensions=(rows, columns),
            env={"TERM": "xterm-256color", "COLORTERM": "truecolor", **environment},
            echo=False,
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # also where the tests run under nohup
        )
        self.process.delaybeforesend = None

    @property
    def text(self) -> str:
        """Return what is on the screen, with the line ends and frames folded to blanks."""
        return " ".join("\n".join(self.screen.display).replace("│", " ").replace("▌", " ").split())

    def send(self, keys: str) -> None:
        """Press keys."""
        self.process.send(keys)

    def read(self, seconds: float = LOOK_SECONDS) -> bool:
        """Draw what has come within this time; tell whether the program still runs."""
        try:
            part = self.process.read_nonblocking(65536, timeout=seconds)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.output += part
        self._stream.feed(part)
        return True

    def wait_for(self, wanted: str | Callable[[str], bool]) -> float:
        """Draw until the screen has a text; return the seconds that it took.

        Raises:
            AssertionError: it does not come.
        """
        holds = (lambda text: wanted in text) if isinstance(wanted, str) else wanted
        began = time.perf_counter()
        while not holds(self.text):
            alive = self.read()
            assert alive or holds(self.text), f"the program ended with: {self.text}"
            assert time.perf_counter() - began < PATIENCE_SECONDS, f"{wanted} did not come: {self.text}"
        return time.perf_counter() - began

    def wait_for_end(self) -> int | None:
        """Draw until the program ends; return its exit code, None if a signal ended it."""
        began = time.perf_counter()
        while self.read(0.1):
            assert time.perf_counter() - began < PATIENCE_SECONDS, f"it did not end: {self.text}"
        self.process.wait()
        return self.process.exitstatus

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send the program a signal and wait for its end."""
        self.process.kill(number)
        self.wait_for_end()

    def hang_up(self) -> None:
        """Lose the connection: the terminal goes away under the program."""
        with suppress(pexpect.ExceptionPexpect):  # it has a moment to end, and may take longer
            self.process.close(force=False)

    def close(self) -> None:
        """End the program if it runs still."""
        self.process.close(force=True)
