"""A whole world in one process, for machines that try sequences: arXiv without sockets, a clock, a mortal database."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from fakes import CATEGORIES, FakeTime, HashEmbedder, oai_source, reconciliation, run_night
from loopback.server import ArxivServer
from loopback.wire import LogEntry

from crawler.control import no_progress
from crawler.sources.http import Pace, PoliteClient
from curation.review import Review
from db.phenomena import save_phenomena
from db.records import Aspect, Phenomenon
from db.store import Row, Store, check, open_store

FIRST_DAY = date(2026, 3, 2)
PHENOMENA = (
    Phenomenon("H1.1", Aspect.HOW, "Scaling", "Loss falls", "Loss falls as a power law in compute."),
    Phenomenon("W2.1", Aspect.WHAT, "Generalization", "Grokking", "Accuracy rises long after the training loss fell."),
)


class Killed(BaseException):
    """The process is gone: nothing after this is done."""


class MortalConnection(sqlite3.Connection):
    """A connection whose process dies before its `statements_left`-th statement; None lives for ever."""

    statements_left: int | None = None

    def execute(self, *words: Any) -> sqlite3.Cursor:
        """Run a statement, or die."""
        self._age()
        return super().execute(*words)

    def executemany(self, *words: Any) -> sqlite3.Cursor:
        """Run a statement many times, or die."""
        self._age()
        return super().executemany(*words)

    def _age(self) -> None:
        if self.statements_left is not None:
            if self.statements_left <= 0:
                raise Killed
            self.statements_left -= 1


class World:
    """arXiv, a database, a clock that stands at half past six of the server's day, and a reviewer."""

    def __init__(self, server: ArxivServer, path: Path) -> None:
        self.server = server
        self.path = path
        open_store(path, create=True).close()
        self.open()
        with self.store.transaction():
            save_phenomena(self.store, PHENOMENA)

    def open(self) -> None:
        """Open the database as a new process does."""
        connection = sqlite3.connect(self.path, isolation_level=None, factory=MortalConnection)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = OFF")  # nothing here pulls the plug
        self.connection = connection
        self.store = Store(self.path, connection)
        self.review = Review(self.store, reviewer="ada", clock=self.clock)

    def close(self) -> None:
        """End the process: what was not committed is gone."""
        self.connection.statements_left = None
        self.store.close()

    def clock(self) -> datetime:
        """Return half past six of the server's day."""
        return datetime(self.server.today.year, self.server.today.month, self.server.today.day, 6, 30, tzinfo=UTC)

    def night(self, *, stop_after: int | None = None) -> Row:
        """Run a night, and return its ledger row.

        Args:
            stop_after: ask to stop at this report of progress, counted from 1.
        """
        stop = FakeTime()
        client = PoliteClient(
            Pace(0, 20, 2),
            user_agent="tests",
            stop=stop,
            transport=httpx.MockTransport(self._answer),
            monotonic=stop.monotonic,
            wall_clock=self.clock,
        )
        outcome = run_night(
            self.store,
            oai_source(self.server.oai_url, client=client, clock=self.clock, first_night=3650),
            embedder=HashEmbedder(),
            stop=stop,
            clock=self.clock,
            threshold=0.0,
            reconciliation=reconciliation(self.server, client=client, clock=self.clock),
            progress=no_progress if stop_after is None else _stopping(stop, stop_after),
        )
        client.close()
        return outcome.run

    def _answer(self, request: httpx.Request) -> httpx.Response:
        query = request.url.query.decode()
        entry = LogEntry(len(self.server.log) + 1, 0.0, request.url.path, query, "tests")
        self.server.log.append(entry)
        answer = self.server.answer(entry)
        headers = {"Content-Type": answer.content_type, **dict(answer.headers)}
        return httpx.Response(answer.status, content=answer.body, headers=headers)

    def papers(self) -> dict[str, tuple[int, str, str, bool]]:
        """Return each stored paper's version, title, abstract, and whether it is withdrawn."""
        rows = self.store.rows(
            "SELECT p.arxiv_id, r.version, r.title, r.abstract, p.withdrawn FROM papers p JOIN revisions r"
            " USING (revision_id)"
        )
        return {r["arxiv_id"]: (r["version"], r["title"], r["abstract"], bool(r["withdrawn"])) for r in rows}

    def queue(self) -> set[tuple[str, str, float]]:
        """Return paper, phenomenon and score of what is queued for current revisions of papers that stand."""
        rows = self.store.rows(
            "SELECT c.arxiv_id, c.phenomenon_code, round(m.score, 6) AS score FROM candidates c"
            " JOIN matches m USING (match_id) JOIN papers p USING (arxiv_id)"
            " WHERE m.revision_id = p.revision_id AND NOT p.withdrawn"
        )
        return {(row["arxiv_id"], row["phenomenon_code"], row["score"]) for row in rows}

    def decisions(self) -> list[Row]:
        """Return the whole log, oldest first."""
        return self.store.rows("SELECT * FROM decisions ORDER BY decision_id")

    def faults(self) -> list[str]:
        """Return what SQLite finds wrong with the file."""
        return check(self.store)

    def wanted(self, *, before: date | None = None) -> set[str]:
        """Return the ids of the papers that a night is to have, of datestamps before a day if one is given."""
        return {
            key
            for key, paper in self.server.papers.items()
            if not set(CATEGORIES).isdisjoint(paper.categories) and (before is None or paper.datestamp < before)
        }


def _stopping(stop: FakeTime, after: int) -> Callable[[str, int, int | None], None]:
    reports = iter(range(1, 1_000_000))

    def progress(stage: str, done: int, total: int | None) -> None:
        if next(reports) == after:
            stop.request()

    return progress


def fresh_world(server: ArxivServer) -> World:
    """Return a world of the same arXiv whose database saw nothing yet."""
    return World(server, Path(tempfile.mkdtemp()) / "fresh.db")


def days_later(server: ArxivServer, days: int) -> None:
    """Let days pass."""
    server.today += timedelta(days=days)
