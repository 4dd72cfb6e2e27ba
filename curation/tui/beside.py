"""Work beside the screen: what waits is ranked anew in a thread of its own, while the next paper is read."""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from db.errors import BmpError

Rerank = Callable[[str], Mapping[int, float]]  # scores what waits for a code anew, by candidate
OpenRerank = Callable[[], AbstractContextManager[Rerank]]  # with a database of its own


class Beside:
    """A thread that ranks what waits for a phenomenon, each time one of its papers was decided.

    Args:
        open_rerank: called in the thread; what it gives is used there only.
        tell: called in the thread with new scores.
        complain: called in the thread with what went wrong.
    """

    def __init__(
        self, open_rerank: OpenRerank, tell: Callable[[Mapping[int, float]], None], complain: Callable[[str], None]
    ) -> None:
        self._open_rerank = open_rerank
        self._tell = tell
        self._complain = complain
        self._asked: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="rerank", daemon=True)
        self._leaving = threading.Event()

    def start(self) -> None:
        """Begin to read what ranking needs."""
        self._thread.start()

    def ask(self, code: str) -> None:
        """Ask for a new ranking of what waits for this phenomenon."""
        self._asked.put(code)

    def stop(self, patience_seconds: float = 2.0) -> None:
        """Let the thread end; what it has not done is left to the next night."""
        self._leaving.set()
        self._asked.put(None)
        if self._thread.is_alive():
            self._thread.join(patience_seconds)

    def _run(self) -> None:
        with self._complaining(), self._open_rerank() as rerank:
            while not self._leaving.is_set():
                for code in self._next_codes():
                    with self._complaining():  # the next decision asks again
                        if not self._leaving.is_set():
                            self._tell_if_there(rerank(code))

    @contextmanager
    def _complaining(self) -> Iterator[None]:
        """Tell the reviewer what went wrong, whatever it is: the review goes on."""
        try:
            yield
        except Exception as error:
            if not self._leaving.is_set():
                told = error if isinstance(error, (BmpError, sqlite3.Error)) else f"{type(error).__name__}: {error}"
                self._complain(f"the order of the queue stays as it is: {told}")

    def _next_codes(self) -> dict[str, None]:
        """Wait for a question, and return all that were asked until now, each once."""
        codes = dict.fromkeys([self._asked.get()])
        while not self._asked.empty():
            codes[self._asked.get()] = None
        return {code: None for code in codes if code is not None}

    def _tell_if_there(self, scores: Mapping[int, float]) -> None:
        if scores and not self._leaving.is_set():
            self._tell(scores)
