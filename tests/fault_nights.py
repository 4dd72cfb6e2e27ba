"""The table of faults through the real command line: a night with the fault, then one of the next day without it."""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bmp import Bmp, Result
from loopback import faults
from loopback.faults import Fault
from loopback.papers import MadePaper, make_papers
from loopback.server import ArxivServer
from loopback.wire import LogEntry

DELAY_SECONDS = 0.02
EXIT_CODES = {"complete": 0, "quiet": 0, "partial": 3, "failed": 1}
CATEGORIES = frozenset({"cs.LG", "cs.CL", "cs.AI", "stat.ML"})
PAPERS, PAGE_SIZE = 24, 8
TOO_BIG = 65 * 2**20

PLACES = FIRST, ONCE, ON = ("from the first page on", "once, on page 2", "from page 2 on")


@dataclass(frozen=True, slots=True)
class OffClock:
    """The server's clock is off all night."""

    by: timedelta


@dataclass(frozen=True, slots=True)
class Cell:
    """A fault, where it is played, how the night may end, and how many days ago the papers changed."""

    fault: Fault | OffClock
    where: str
    states: frozenset[str]
    days_ago: int = 0

    def __str__(self) -> str:
        return f"{self.name}, {self.where}"

    @property
    def hides(self) -> bool:
        """Tell whether the answers look whole though papers are missing: then a night may be complete without them."""
        return isinstance(self.fault, OffClock | faults.StaleNoRecords | faults.MovedBetweenPages)

    @property
    def name(self) -> str:
        """The fault in words."""
        if isinstance(self.fault, OffClock):
            return f"clock off by {self.fault.by.days:+d} days"
        old = f", {self.days_ago} days ago" if self.days_ago else ""
        return f"{self.fault!r}{old}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a cell: the night itself, its requests, and what was missing after it and after the next night."""

    night: Result
    next_night: Result
    log: tuple[LogEntry, ...]
    max_concurrent: int
    missing: frozenset[str]
    lost: frozenset[str]

    @property
    def state(self) -> str:
        """The night's state."""
        return str(self.night.json["status"])


# (fault, the night's states from the first page on, once on page 2, from page 2 on); None where nothing new is learnt
_TABLE: list[tuple[Fault, str | None, str | None, str | None]] = [
    (faults.Unavailable(), "failed", "complete", "partial"),
    (faults.Unavailable(1), None, "complete", None),
    (faults.Unavailable(86_400), "failed", "partial", None),
    (faults.TooMany(), None, "complete", None),
    (faults.TooMany(86_400), "failed", None, None),
    (faults.Forbidden(), "failed", "partial", "partial"),
    (faults.ServerError(404), None, "partial", None),
    (faults.Redirect(), "failed", None, None),
    (faults.Reset(), None, "complete", "partial"),
    (faults.Hang(30), None, "complete", None),
    (faults.Drip(500), None, "complete", None),
    (faults.HtmlPage(), "failed", None, None),
    (faults.PlainText(), None, "complete", None),
    (faults.EmptyBody(), None, "complete", None),
    (faults.WrongRoot(), None, "complete", None),
    (faults.Truncated(), None, "complete", "partial"),
    (faults.EntityBomb(), None, "complete", None),
    (faults.ExternalEntity(), None, "complete", None),
    (faults.IllegalControlCharacter(), None, "complete", None),
    (faults.Oversized(TOO_BIG), None, "complete", None),
    (faults.DecompressionBomb(TOO_BIG), None, "complete", None),
    (faults.MalformedRecord("missing_title"), "partial|complete", "partial|complete", None),
    (faults.MalformedRecord("bad_date"), None, "partial|complete", None),
    (faults.MalformedRecord("no_id"), None, "partial|complete", None),
    (faults.RepeatedToken(), "partial", "partial", None),
    (faults.BadToken(), "partial", "complete", None),
    (faults.EndlessTokens(), "partial", "complete|partial", None),
    (faults.WrongClock("missing"), "failed", None, None),
    (faults.WrongClock("unreadable"), None, "complete", None),
    (faults.WrongClock("past"), "failed", "complete|partial", None),
    (faults.WrongClock("future"), "complete|partial|failed", "complete|partial", None),
    # What these hide, a cross-check may find.
    (faults.StaleNoRecords(), "quiet|partial|complete", "complete|partial", None),
    (faults.MovedBetweenPages(1), "complete|partial", "complete|partial", None),
    (faults.MovedBetweenPages(3), "complete|partial", None, None),
]

CELLS = [
    *(
        Cell(fault, where, frozenset(states.split("|")))
        for fault, *row in _TABLE
        for where, states in zip(PLACES, row, strict=True)
        if states is not None
    ),
    Cell(faults.MovedBetweenPages(3), FIRST, frozenset({"complete", "partial"}), days_ago=5),
    Cell(OffClock(timedelta(days=-3)), FIRST, frozenset({"failed"})),
    Cell(OffClock(timedelta(days=2)), FIRST, frozenset({"complete", "partial"})),
]


def play(cell: Cell, bmp: Bmp, model: Path) -> Outcome:
    """Play a cell on the database that `BMP_DB` names, which is not there yet; sets `BMP_` variables of its own.

    A model that knows nothing finds all papers alike, so none is queued.
    """
    today = datetime.now(UTC).date()
    papers = make_papers(PAPERS, day=today - timedelta(days=cell.days_ago + 1), days=2)
    bmp("init")
    with ArxivServer(papers, page_size=PAGE_SIZE, today=today) as server:
        os.environ.update(_environment(cell, server, model))
        _plan(cell, server)
        night = bmp("nightly", "--json")
        missing, log = _wanted(server) - _stored(), tuple(server.log)
        server.heal()
        server.today += timedelta(days=1)
        server.put(*make_papers(4, day=server.today, categories=("cs.LG", "stat.ML")))
        next_night = bmp("nightly", "--json")
        return Outcome(night, next_night, log, server.max_concurrent, missing, _wanted(server) - _stored())


def find_hurry(log: tuple[LogEntry, ...]) -> list[tuple[LogEntry, LogEntry]]:
    """Return the requests that came too soon after the one before.

    Of a request whose client left, only the beginning is known to the server in time.
    """
    return [
        (one, other)
        for one, other in itertools.pairwise(log)
        if other.began_at - (one.began_at if one.hung_up or one.ended_at is None else one.ended_at) < DELAY_SECONDS
    ]


def render_table(rows: Iterator[tuple[Cell, Outcome]]) -> Iterator[str]:
    """Yield the lines of the table in Markdown."""
    yield "| fault | where | state | exit code | requests | papers lost |"
    yield "|---|---|---|--:|--:|--:|"
    for cell, outcome in rows:
        told = (cell.name, cell.where, outcome.state, outcome.night.code, len(outcome.log), len(outcome.lost))
        yield f"| {' | '.join(map(str, told))} |"


def _environment(cell: Cell, server: ArxivServer, model: Path) -> dict[str, str]:
    return {
        "BMP_ARXIV_OAI_URL": server.oai_url,
        "BMP_ARXIV_API_URL": server.api_url,
        "BMP_ARXIV_RSS_URL": server.rss_url,
        "BMP_ARXIV_DELAY_SECONDS": str(DELAY_SECONDS),
        "BMP_ARXIV_MAX_WAIT_SECONDS": str(_max_wait_seconds(cell)),
        "BMP_ARXIV_READ_TIMEOUT_SECONDS": "1",
        "BMP_CONTACT": "tests@example.org",
        "BMP_MODEL": str(model),
        "BMP_QUEUE_THRESHOLD": "1",
    }


def _max_wait_seconds(cell: Cell) -> float:
    """Return a patience that is soon spent on what stays, and outlasts what passes even on a busy machine."""
    if cell.where != ONCE:
        return 2
    return 4 if isinstance(cell.fault, faults.Drip) else 20


def _plan(cell: Cell, server: ArxivServer) -> None:
    """Plan the fault for lists of records: whatever else a night asks for is answered well."""
    if isinstance(cell.fault, OffClock):
        server.clock_offset = cell.fault.by
        return
    page = 1 if cell.where == FIRST else 2

    def is_list(path: str, query: str) -> bool:
        return path == "/oai" and "verb=ListRecords" in query

    def is_due(number: int, path: str, query: str) -> bool:
        return is_list(path, query) and sum(is_list(entry.path, entry.query) for entry in server.log[:number]) >= page

    server.play(cell.fault, on=is_due, times=1 if cell.where == ONCE else None)


def _wanted(server: ArxivServer) -> frozenset[str]:
    return frozenset(paper.arxiv_id for paper in server.papers.values() if _is_wanted(paper))


def _is_wanted(paper: MadePaper) -> bool:
    return not CATEGORIES.isdisjoint(paper.categories)


def _stored() -> frozenset[str]:
    with closing(sqlite3.connect(os.environ["BMP_DB"])) as connection:
        return frozenset(row[0] for row in connection.execute("SELECT arxiv_id FROM papers"))
