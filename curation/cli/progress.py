"""Progress of long work on stderr: a bar on a terminal, plain lines in a log; both say how much time is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TextIO

SECONDS_BETWEEN_LINES = 15.0


@dataclass(frozen=True, slots=True)
class _Beginning:
    """Of a stage: when it was first told of, and how much was done by then."""

    stage: str
    at: float
    done: int


class ProgressDisplay:
    """Shows one stage after the other; called with the stage, how much is done, and the total if it is known."""

    def __init__(self, stream: TextIO, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._monotonic = monotonic
        self._on_terminal = stream.isatty()
        self._bar: Any = None
        self._beginning: _Beginning | None = None
        self._said_at = monotonic()

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        now = self._monotonic()
        began = self._beginning is None or self._beginning.stage != stage
        if began:
            self._beginning = _Beginning(stage, now, done)
        if self._on_terminal:
            self._draw(stage, done, total, began=began)
        elif began or (total is not None and done >= total) or now - self._said_at >= SECONDS_BETWEEN_LINES:
            self._said_at = now
            self._write(stage, done, total, now)

    def __enter__(self) -> ProgressDisplay:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def _draw(self, stage: str, done: int, total: int | None, *, began: bool) -> None:
        from tqdm import tqdm

        if began:
            if self._bar is not None:
                self._bar.close()
            # What an earlier run had read of a file says nothing about the pace.
            unit, initial = ("B", done) if stage == "read" else (" papers", 0)
            self._bar = tqdm(
                total=total,
                initial=initial,
                desc=f"{stage:8}",
                unit=" records" if stage == "harvest" else unit,
                unit_scale=stage == "read",
                file=self._stream,
                dynamic_ncols=True,
            )
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def _write(self, stage: str, done: int, total: int | None, now: float) -> None:
        show = _show_bytes if stage == "read" else str
        of_total = "" if total is None else f" of {show(total)}"
        self._stream.write(f"{stage}: {show(done)}{of_total}{self._time_left(done, total, now)}\n")
        self._stream.flush()

    def _time_left(self, done: int, total: int | None, now: float) -> str:
        """Say how long the rest takes at the pace since the stage began, where that can be told."""
        begun = self._beginning
        if begun is None or total is None or not begun.done < done < total or now <= begun.at:
            return ""
        return f", about {show_duration((total - done) * (now - begun.at) / (done - begun.done))} left"


def _show_bytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


def show_duration(seconds: float) -> str:
    """Return a time in the two units that matter: `40 s`, `12 min`, `3 h 5 min`, `2 d 4 h`."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"
