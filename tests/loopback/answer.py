"""What goes over the wire, and how: the one type that the rooms of the stand-in share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer with the manner of its delivery.

    `chunks`, where given, takes the place of `body` and is sent without a length. `delay_seconds` pass before the
    first byte; `bytes_per_second` slows the body down; after `reset_after` bytes of body the connection is reset.
    """

    status: int
    content_type: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    chunks: Callable[[], Iterator[bytes]] | None = None
    delay_seconds: float = 0.0
    bytes_per_second: float | None = None
    reset_after: int | None = None
