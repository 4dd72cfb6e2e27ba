"""A stand-in of arXiv on loopback: OAI-PMH at /oai, the query API at /api/query, RSS at /rss, and faults on demand."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

from loopback import api, oai, rss
from loopback.answer import Answer
from loopback.faults import Call, Fault
from loopback.papers import MadePaper
from loopback.wire import PIECE_SECONDS, HttpServer, LogEntry, has_hung_up

RESPONSE_TIME = clock_time(3, 30, tzinfo=UTC)
When = int | Callable[[int, str, str], bool]


@dataclass(slots=True)
class _Planned:
    """A fault in waiting; `times` is how often it is still to be played, None for ever."""

    fault: Fault
    on: When
    times: int | None

    def fits(self, entry: LogEntry) -> bool:
        if self.times == 0:
            return False
        if isinstance(self.on, int):
            return entry.number >= self.on
        return self.on(entry.number, entry.path, entry.query)


class ArxivServer:
    """arXiv on a port of this machine, as a context manager.

    `papers` is the database, by id; a test changes it between requests, or in `on_request`, which is called before
    each answer with the number of the request. The server's clock stands at 03:30 UTC of `today`, plus
    `clock_offset`. The feeds have what was announced `today`, and nothing on the days of `holidays`; `rss_day` holds
    them back at an earlier day, though they say that they were built just now. `log` has every request in the order of
    arrival, `max_concurrent` the highest number in flight.
    What goes wrong inside the server is raised when the context ends.
    """

    def __init__(
        self,
        papers: Iterable[MadePaper] | Mapping[str, MadePaper] = (),
        *,
        page_size: int = 2500,
        identifiers_page_size: int = 20_000,
        today: date = date(2026, 11, 24),
        clock_offset: timedelta = timedelta(0),
        on_request: Callable[[int, ArxivServer], None] | None = None,
        oai_content_type: str = "text/xml",
    ) -> None:
        listed = papers.values() if isinstance(papers, Mapping) else papers
        self.papers: dict[str, MadePaper] = {paper.arxiv_id: paper for paper in listed}
        self.page_size = page_size
        self.identifiers_page_size = identifiers_page_size
        self.today = today
        self.clock_offset = clock_offset
        self.holidays: set[date] = set()
        self.rss_day: date | None = None
        self.on_request = on_request
        self.oai_content_type = oai_content_type
        self.log: list[LogEntry] = []
        self.max_concurrent = 0
        self.failures: list[BaseException] = []
        self.stopping = threading.Event()
        self._planned: list[_Planned] = []
        self._in_flight: dict[int, socket.socket] = {}
        self._lock = threading.RLock()
        self._http = HttpServer(self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(PIECE_SECONDS,), daemon=True)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self.oai_url = f"{self.url}/oai"
        self.api_url = f"{self.url}/api/query"
        self.rss_url = f"{self.url}/rss"

    @property
    def now(self) -> datetime:
        """The server's clock."""
        return datetime.combine(self.today, RESPONSE_TIME) + self.clock_offset

    def put(self, *papers: MadePaper) -> None:
        """Add papers to the database, or replace them."""
        with self._lock:
            self.papers.update((paper.arxiv_id, paper) for paper in papers)

    def play(self, fault: Fault, *, on: When = 1, times: int | None = 1) -> None:
        """Plan a fault.

        `on` is the number of the first request to meet it, counted from 1 over the life of the server, or a function
        of number, path and raw query string. It is played `times` times, None for ever; of several that fit a
        request the one that was planned first is played.
        """
        with self._lock:
            self._planned.append(_Planned(fault, on, times))

    def heal(self) -> None:
        """Forget every fault that is planned, and set the clock right."""
        with self._lock:
            self._planned.clear()
            self.clock_offset = timedelta(0)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._http.stop()
        self._thread.join()
        if self.failures and error is None:
            raise self.failures[0]

    def begin(self, path: str, query: str, user_agent: str, connection: socket.socket) -> LogEntry:
        """Note that a request has come; one whose client has hung up is no longer in flight."""
        with self._lock:
            for number in [number for number, other in self._in_flight.items() if has_hung_up(other)]:
                del self._in_flight[number]
            entry = LogEntry(len(self.log) + 1, time.monotonic(), path, query, user_agent)
            self.log.append(entry)
            self._in_flight[entry.number] = connection
            self.max_concurrent = max(self.max_concurrent, len(self._in_flight))
            return entry

    def end(self, entry: LogEntry) -> None:
        """Note that an answer is about to be complete."""
        with self._lock:
            self._in_flight.pop(entry.number, None)
            entry.ended_at = entry.ended_at or time.monotonic()

    def answer(self, entry: LogEntry) -> Answer:
        """Return what this request gets: the fault that is planned for it, or the right answer."""
        if self.on_request is not None:
            self.on_request(entry.number, self)
        with self._lock:
            fault = self._next_fault(entry)
            call = self._call(entry)
            return call.good() if fault is None else fault.answer(call)

    def _next_fault(self, entry: LogEntry) -> Fault | None:
        planned = next((planned for planned in self._planned if planned.fits(entry)), None)
        if planned is None:
            return None
        if planned.times is not None:
            planned.times -= 1
        return planned.fault

    def _call(self, entry: LogEntry) -> Call:
        sizes = (self.page_size, self.identifiers_page_size)
        repository = oai.Repository(self.papers, self.now, self.oai_url, *sizes)
        arguments = dict(parse_qsl(entry.query, keep_blank_values=True))

        def respond(query: str) -> Answer:
            return self._respond(entry.path, query, repository)

        return Call(entry.number, entry.path, entry.query, arguments, self.papers, repository, respond)

    def _respond(self, path: str, query: str, repository: oai.Repository) -> Answer:
        pairs = parse_qsl(query, keep_blank_values=True)
        if path == urlsplit(self.oai_url).path:
            return Answer(200, self.oai_content_type, oai.respond(pairs, repository).encode())
        if path == urlsplit(self.api_url).path:
            status, feed = api.respond(dict(pairs), list(self.papers.values()), self.now)
            return Answer(status, "application/atom+xml; charset=utf-8", feed.encode())
        if path.startswith(urlsplit(self.rss_url).path + "/"):
            newsroom = rss.Newsroom(self.papers.values(), self.rss_day or self.today, self.now, self.holidays)
            return rss.respond(unquote(path.rpartition("/")[2]), newsroom)
        return Answer(404, "text/html", b"<html><body>Not found.</body></html>")
