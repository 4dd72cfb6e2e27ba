"""arXiv by OAI-PMH 2.0, the interface meant for keeping a copy up to date.

Protocol: https://www.openarchives.org/OAI/openarchivesprotocol.html; arXiv's side of it:
https://info.arxiv.org/help/oa/index.html. Records are asked for as `arXivRaw`, which has every version's date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Protocol, TypeVar

from crawler.sources.oai_parse import OaiPage, parse_list
from crawler.sources.source import Page
from db.errors import SourceError, UsageError
from db.text import clean_line
from db.times import Clock

OVERLAP = timedelta(days=3)  # the server pages by offset: what moved while a list was read comes again
MAX_PAGES = 5_000  # arXiv's whole list has about 1,200 pages
MAX_RESTARTS = 3

Answer = TypeVar("Answer")


class Getter(Protocol):
    """What the source needs of an HTTP client."""

    def get(self, url: str, params: Mapping[str, str], parse: Callable[[bytes], Answer]) -> Answer:
        """Fetch and parse one answer."""


class OaiSource:
    """Harvests group sets such as `cs` by the day that records last changed; the category filter comes later."""

    name = "oai"

    def __init__(self, client: Getter, url: str, sets: Sequence[str], *, clock: Clock, first_night_days: int) -> None:
        self._client = client
        self._url = url
        self._sets = sets
        self._clock = clock
        self._first_night = timedelta(days=first_night_days)

    def parts(self) -> Sequence[str]:
        """Return the sets."""
        return self._sets

    def start(self, cursor: str | None, since: date | None) -> str:
        """Return the first day to ask for."""
        if since is not None:
            return since.isoformat()
        if cursor is not None:
            return (date.fromisoformat(cursor) - OVERLAP).isoformat()
        return (self._clock().date() - self._first_night).isoformat()

    def pages(self, part: str, start: str) -> Iterator[Page]:
        """Yield a set's pages from the day `start` on, beginning anew where a resumption token is refused.

        Raises:
            SourceError: the endpoint fails for good, or its list makes no sense.
        """
        reading = _Reading(start)
        for _ in range(MAX_RESTARTS + 1):
            try:
                yield from self._read_list(part, reading)
                return
            except TokenRefused:
                reading.restart()
            except AskedForTheFuture:
                continue
        raise SourceError(f"the endpoint refused {MAX_RESTARTS + 1} lists of set {part}")

    def _read_list(self, part: str, reading: _Reading) -> Iterator[Page]:
        params = {"verb": "ListRecords", "metadataPrefix": "arXivRaw", "set": part, "from": reading.resume_from}
        tokens: set[str] = set()
        for _ in range(MAX_PAGES):
            answer = self._client.get(self._url, params, parse_list)
            if not tokens and answer.response_day.isoformat() < reading.resume_from:
                reading.resume_from = (answer.response_day - self._first_night).isoformat()
                reading.asked_again = True
                raise AskedForTheFuture
            if answer.error == "noRecordsMatch" and reading.asked_again and not tokens:
                raise SourceError(
                    f"the endpoint has nothing in set {part}, but its clock stands at {answer.response_day}",
                    "compare this machine's clock; the next run asks again",
                )
            if answer.error == "badResumptionToken" and tokens:
                raise TokenRefused
            if answer.error and answer.error != "noRecordsMatch":
                raise SourceError(f"the endpoint refused the request: {answer.error} {answer.error_text}".strip())
            yield reading.take(answer, today=self._clock().date())
            if not answer.token:
                return
            if answer.token in tokens or reading.stands_still:
                raise SourceError(
                    f"the list of set {part} runs in a circle", "the next run asks again from the same day"
                )
            tokens.add(answer.token)
            params = {"verb": "ListRecords", "resumptionToken": answer.token}
        raise SourceError(f"the list of set {part} does not end after {MAX_PAGES} pages")


class TokenRefused(Exception):
    """The server does not know a resumption token it gave."""


class AskedForTheFuture(Exception):
    """The day asked from has not come at the server: one of the two clocks is off, and an empty list says nothing."""


class _Reading:
    """How far one set's list has been read, and up to which day nothing is missing.

    The list is sorted by datestamp (arXiv's code: ORDER BY modtime, paper_id), so a page vouches for every day before
    its last datestamp. Where a page is out of order, nothing is vouched for until the list has ended. A record that
    could not be read holds the cursor back to its own day.
    """

    def __init__(self, start: str) -> None:
        self.resume_from = start
        self.stands_still = False
        self.asked_again = False
        self._received = 0
        self._seen: set[str] = set()
        self._last_day = start
        self._in_order = True
        self._gap: str | None = None
        self._server_day: str | None = None

    def restart(self) -> None:
        """Begin the list anew at the last day that is vouched for; what was seen of that day comes again."""
        self._seen.clear()
        if self._in_order:
            self.resume_from = self._vouched(self._last_day)

    def take(self, answer: OaiPage, *, today: date) -> Page:
        """Return the answer as a page of the source, with the cursor it allows."""
        identifiers = {paper.arxiv_id for paper in answer.papers} | answer.other_identifiers
        self.stands_still = bool(answer.token) and identifiers <= self._seen
        self._seen |= identifiers
        self._received += answer.received
        self._server_day = self._server_day or self._present(answer.response_day, today).isoformat()
        for day in answer.days:
            self._in_order = self._in_order and day >= self._last_day
            self._last_day = max(self._last_day, day)
        for record in answer.malformed:
            day = record.datestamp.isoformat() if record.datestamp else self._first_day(answer)
            self._gap = min(self._gap or day, day)
        cursor = None
        if not answer.token:
            cursor = self._vouched(self._server_day)
        elif self._in_order:
            cursor = self._vouched(min(self._last_day, self._server_day))
        promised = answer.list_size if answer.list_size is not None else (None if answer.token else self._received)
        return Page(answer.papers, answer.malformed, answer.received, cursor, promised)

    def _present(self, response_day: date, today: date) -> date:
        """Return the earlier of the two clocks' days; ours is off if it stands before the day that was asked from."""
        return response_day if today.isoformat() < self.resume_from else min(response_day, today)

    def _first_day(self, answer: OaiPage) -> str:
        return min(answer.days, default=self.resume_from)

    def _vouched(self, day: str) -> str:
        return day if self._gap is None else min(day, self._gap)


_PHYSICS_ARCHIVES = frozenset(
    [
        "astro-ph",
        "cond-mat",
        "gr-qc",
        "hep-ex",
        "hep-lat",
        "hep-ph",
        "hep-th",
        "math-ph",
        "nlin",
        "nucl-ex",
        "nucl-th",
        "physics",
        "quant-ph",
    ]
)
_OTHER_GROUPS = frozenset(["cs", "econ", "eess", "math", "q-bio", "q-fin", "stat"])


def group_sets(categories: Sequence[str]) -> list[str]:
    """Return the group sets that hold the categories, sorted: `cs.LG` and `stat.ML` give `cs` and `stat`.

    Raises:
        UsageError: a category is of no archive that arXiv has.
    """
    return sorted({_group(category) for category in categories})


def _group(category: str) -> str:
    archive = category.partition(".")[0]
    if archive in _PHYSICS_ARCHIVES:
        return "physics"
    if archive in _OTHER_GROUPS:
        return archive
    raise UsageError(
        f"'{clean_line(category)[:40]}' is not an arXiv category", "see https://arxiv.org/category_taxonomy"
    )
