"""What every source has in common: it is read part by part, page by page, and says how far it was read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from db.records import Malformed, Paper
from db.store import Store


@dataclass(frozen=True, slots=True)
class Page:
    """What one answer brought.

    Attributes:
        received: how many records the answer held, usable or not.
        cursor: how far the part has been read without a gap once this page is kept, as text that sorts in reading
            order; None leaves the cursor. A record of `malformed` that has a datestamp is a gap of that day.
        promised: how many records the source has said the part holds, once it has said so.
        doubtful: the list came to its end, but not as it should: what it holds is to be checked against other lists.
        read: how many bytes of a file were read by then, and how many it has, where that tells how far it is.
        keep_too: keeps what came with the papers, after them, in their transaction; called with the store and the run.
    """

    papers: tuple[Paper, ...]
    malformed: tuple[Malformed, ...] = ()
    received: int = 0
    cursor: str | None = None
    promised: int | None = None
    doubtful: bool = False
    read: tuple[int, int] | None = None
    keep_too: Callable[[Store, int], None] | None = None


class Source(Protocol):
    """A place that papers come from."""

    @property
    def name(self) -> str:
        """Return the name that the ledger and the cursors keep it under."""

    def parts(self) -> Sequence[str]:
        """Return the parts that are read one after the other, each with a cursor of its own."""

    def start(self, cursor: str | None, since: date | None, first_asked: date | None = None) -> str:
        """Return where reading begins: at `since` if given, else at the cursor, less the source's overlap.

        Args:
            first_asked: the day on which a night first asked, maybe in vain: without a cursor that night counts.
        """

    def asked(self, part: str, start: str) -> str:
        """Return in words what is asked for, as the ledger keeps it."""

    def pages(self, part: str, start: str) -> Iterator[Page]:
        """Yield the part's pages from `start` on.

        Raises:
            SourceError: the source fails for good; what was yielded before stands.
        """
