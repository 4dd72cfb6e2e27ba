"""Progress of long work on stderr: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TextIO

SECONDS_BETWEEN_LINES = 15.0


class ProgressDisplay:
    """Shows one stage after the other; called with the stage, how much is done, and the total if it is known."""

    def __init__(self, stream: TextIO, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._monotonic = monotonic
        self._on_terminal = stream.isatty()
        self._bar: Any = None
        self._stage: str | None = None
        self._said_at = monotonic()

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        if self._on_terminal:
            self._draw(stage, done, total)
        else:
            self._write(stage, done, total)

    def __enter__(self) -> ProgressDisplay:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def _draw(self, stage: str, done: int, total: int | None) -> None:
        from tqdm import tqdm

        if stage != self._stage:
            if self._bar is not None:
                self._bar.close()
            unit = " records" if stage == "harvest" else " papers"
            self._bar = tqdm(total=total, desc=f"{stage:8}", unit=unit, file=self._stream, dynamic_ncols=True)
            self._stage = stage
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def _write(self, stage: str, done: int, total: int | None) -> None:
        now = self._monotonic()
        ended = total is not None and done >= total
        if stage == self._stage and not ended and now - self._said_at < SECONDS_BETWEEN_LINES:
            return
        self._stage, self._said_at = stage, now
        self._stream.write(f"{stage}: {done}{f' of {total}' if total is not None else ''}\n")
        self._stream.flush()
