"""How long work is watched and stopped: a stop that is looked at between steps, and reports of progress."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar


class StopRequested(Exception):
    """The user or the system asked to stop; what was committed stays, the rest is done by the next run."""


_LOOK_SECONDS = 0.05


class Stop:
    """A request to stop, made from a signal handler or another thread, and met at the next safe place.

    It is a plain flag: a lock, such as an event has, could be held by the very thread that the handler interrupts.
    """

    def __init__(self) -> None:
        self._requested = False
        self._may_break = False

    def request(self) -> None:
        """Ask the work to stop at its next safe place."""
        self._requested = True

    @property
    def is_requested(self) -> bool:
        """Tell whether a stop was asked for."""
        return self._requested

    def on_signal(self, signal_number: int, frame: object) -> None:
        """Serve as a signal handler: ask to stop, and break off a wait on the network at once.

        Raises:
            StopRequested: inside `breakable`.
            KeyboardInterrupt: at the second request, from whoever will not wait.
        """
        if self._requested:
            raise KeyboardInterrupt
        self.request()
        if self._may_break:
            raise StopRequested

    @contextmanager
    def breakable(self) -> Iterator[None]:
        """Mark a stretch that a signal may break off anywhere, for it changes nothing.

        Raises:
            StopRequested: a stop was asked for, before or inside.
        """
        self.check()
        self._may_break = True
        try:
            yield
        finally:
            self._may_break = False

    def check(self) -> None:
        """Raise StopRequested if a stop was asked for."""
        if self._requested:
            raise StopRequested

    def sleep(self, seconds: float) -> None:
        """Wait, but not beyond a request to stop, which raises StopRequested."""
        until = time.monotonic() + seconds
        while not self._requested and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_SECONDS))
        self.check()


Result = TypeVar("Result")


def run_within(seconds: float, work: Callable[[], Result]) -> Result:
    """Run work that may hang in a thread of its own, and return what it returns.

    Raises:
        TimeoutError: it is not done after so many seconds; its thread is left to itself.
    """
    done: list[Result] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:  # raised in the caller's thread
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not done:
        raise TimeoutError(f"it was not done after {seconds:.0f} s")
    return done[0]


class Progress(Protocol):
    """Told how far a stage has come; `total` is None while nobody knows. The stage `read` counts bytes of a file."""

    def __call__(self, stage: str, done: int, total: int | None) -> None: ...


def no_progress(stage: str, done: int, total: int | None) -> None:
    """Report to nobody."""
