"""What every cross-check has in common: an interface that tells which papers there are, without bringing them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from db.missing import Told


@dataclass(frozen=True, slots=True)
class ToldPage:
    """What one answer told.

    Attributes:
        told: the papers that there are.
        malformed: how many entries could not be read.
        cursor: the day up to which all is told once this page is, with the last page of those that have a cursor.
    """

    told: tuple[Told, ...]
    malformed: int = 0
    cursor: str | None = None


class CrossCheck(Protocol):
    """One list of papers, read after the harvest."""

    @property
    def name(self) -> str:
        """Return the name that the ledger and the cursors keep it under: `rss` or `identifiers`."""

    @property
    def part(self) -> str:
        """Return which list it is: a category or a set."""

    def is_due(self, cursor: str | None, *, paged: bool, today: date) -> bool:
        """Tell whether the list is to be read in this run.

        Args:
            cursor: the day up to which it was read before.
            paged: records may have moved between two pages of this run's harvest.
        """

    def start(self, cursor: str | None, harvested_from: str | None) -> str:
        """Return the day to begin at, of what was read before and of what this run harvested."""

    def asked(self, start: str) -> str:
        """Return in words what is asked for, as the ledger keeps it."""

    def pages(self, start: str) -> Iterator[ToldPage]:
        """Yield what there is.

        Raises:
            SourceError: the list cannot be had whole.
        """
