"""arXiv by OAI-PMH 2.0, the interface meant for keeping a copy up to date.

Protocol: https://www.openarchives.org/OAI/openarchivesprotocol.html; arXiv's side of it:
https://info.arxiv.org/help/oa/index.html. Records are asked for as `arXivRaw`, which has every version's date.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Protocol, TypeVar

from crawler.sources.oai_parse import OaiPage, parse_list
from crawler.sources.source import Page
from crawler.sources.taxonomy import find_group
from db.errors import SourceError, UsageError
from db.records import Malformed, Paper
from db.text import clean_line
from db.times import Clock

OVERLAP = timedelta(days=3)  # the server pages by offset: what moved while a list was read comes again
CLOCKS_MAY_DIFFER = timedelta(days=1)  # an answer out of a cache is some hours old, and midnight may lie between
MAX_PAGES = 5_000  # arXiv's whole list has about 1,200 pages
MAX_RESTARTS = 3
SIZES_MAY_DIFFER = 0.1  # the protocol allows completeListSize to be an estimate
PAGES_REMEMBERED = 8  # a list that leads back into one of these runs in a circle

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

    def start(self, cursor: str | None, since: date | None, first_asked: date | None = None) -> str:
        """Return the first day to ask for."""
        if since is not None:
            return since.isoformat()
        if cursor is not None:
            return (date.fromisoformat(cursor) - OVERLAP).isoformat()
        today = self._clock().date()
        return (min(first_asked or today, today) - self._first_night).isoformat()

    def asked(self, part: str, start: str) -> str:
        """Return the request in words."""
        return f"records of set {part} from {start}"

    def pages(self, part: str, start: str) -> Iterator[Page]:
        """Yield a set's pages from the day `start` on, beginning anew where a resumption token is refused.

        Raises:
            SourceError: the endpoint fails for good, or its list makes no sense.
        """
        reading = _Reading(start)
        for _ in range(MAX_RESTARTS + 1):
            try:
                yield from self._read_list(part, reading)
                self._check_clocks(part, reading)
                reading.check_size(part)
                return
            except TokenRefused:
                reading.restart()
            except AskedForTheFuture:
                continue
        raise SourceError(f"the endpoint refused {MAX_RESTARTS + 1} lists of set {part}")

    def _check_clocks(self, part: str, reading: _Reading) -> None:
        """Refuse to call a list whole that was made days ago by our clock: it says nothing of the days since."""
        today = self._clock().date()
        if reading.answered_on is not None and today - reading.answered_on > CLOCKS_MAY_DIFFER:
            raise SourceError(
                f"the list of set {part} is of {reading.answered_on} by the endpoint's clock, and this machine's stands"
                f" at {today}: what came since is not in it",
                "compare the clocks; the next run asks again",
            )

    def _read_list(self, part: str, reading: _Reading) -> Iterator[Page]:
        params = {"verb": "ListRecords", "metadataPrefix": "arXivRaw", "set": part, "from": reading.resume_from}
        first = True
        for answer in follow_tokens(self._client, self._url, params, parse_list):
            if first and answer.response_day.isoformat() < reading.resume_from:
                reading.resume_from = (answer.response_day - self._first_night).isoformat()
                reading.asked_again = True
                raise AskedForTheFuture
            if answer.error == "noRecordsMatch" and reading.asked_again and first:
                raise SourceError(
                    f"the endpoint has nothing in set {part}, but its clock stands at {answer.response_day}",
                    "compare this machine's clock; the next run asks again",
                )
            yield reading.take(answer, today=self._clock().date())
            if reading.stands_still:
                raise running_in_circles(part)
            first = False


class ListAnswer(Protocol):
    """What any answer to a list request has."""

    @property
    def token(self) -> str | None:
        """Return what the next page is asked for with, None where the list ends."""

    @property
    def error(self) -> str | None:
        """Return the protocol's error code, None if there is none."""

    @property
    def error_text(self) -> str:
        """Return the error in the server's words."""


OneAnswer = TypeVar("OneAnswer", bound=ListAnswer)


def follow_tokens(
    client: Getter,
    url: str,
    params: Mapping[str, str],
    parse: Callable[[bytes], OneAnswer],
    *,
    max_pages: int = MAX_PAGES,
) -> Iterator[OneAnswer]:
    """Yield a list's answers, one after the other; one that says `noRecordsMatch` is an answer like others.

    Raises:
        TokenRefused: the server does not know a token that it gave.
        SourceError: the endpoint fails for good, refuses the request, or its list does not end.
    """
    asked, tokens = dict(params), set[str]()
    for _ in range(max_pages):
        answer = client.get(url, asked, parse)
        if answer.error == "badResumptionToken" and tokens:
            raise TokenRefused(f"the endpoint refused its own resumption token: {answer.error_text}")
        if answer.error and answer.error != "noRecordsMatch":
            raise SourceError(f"the endpoint refused the request: {answer.error} {answer.error_text}".strip())
        yield answer
        if not answer.token:
            return
        if answer.token in tokens:
            raise running_in_circles(params.get("set", ""))
        tokens.add(answer.token)
        asked = {"verb": params["verb"], "resumptionToken": answer.token}
    raise SourceError(f"the list of set {params.get('set', '')} does not end after {max_pages} pages")


class RecentPages:
    """What the last pages of a list held."""

    def __init__(self) -> None:
        self._pages: deque[frozenset[object]] = deque(maxlen=PAGES_REMEMBERED)

    def clear(self) -> None:
        """Forget them all."""
        self._pages.clear()

    def are_repeated_by(self, page: frozenset[Any]) -> bool:
        """Tell whether a page holds nothing that they did not, and remember it."""
        repeated = page <= frozenset().union(*self._pages)
        self._pages.append(page)
        return repeated


def running_in_circles(part: str) -> SourceError:
    """Return the error of a list that leads back into itself."""
    return SourceError(f"the list of set {part} runs in a circle", "the next run asks again from the same day")


class TokenRefused(SourceError):
    """The server does not know a resumption token it gave."""


class AskedForTheFuture(Exception):
    """The day asked from has not come at the server: one of the two clocks is off, and an empty list says nothing."""


class _Reading:
    """How far one set's list has been read, and up to which day nothing is missing.

    The list is sorted by datestamp (arXiv's code: ORDER BY modtime, paper_id), so a page vouches for every day before
    its last datestamp. Where a page is out of order, nothing is vouched for until the list has ended.
    """

    def __init__(self, start: str) -> None:
        self.resume_from = start
        self.stands_still = False
        self.asked_again = False
        self.answered_on: date | None = None
        self._begins = start
        self._received = 0
        self._promised: int | None = None
        self._seen_pages = 0
        self._seen = RecentPages()
        self._last_day = start
        self._in_order = True
        self._server_day: str | None = None

    def restart(self) -> None:
        """Begin the list anew at the last day that is vouched for; what was seen of that day comes again."""
        self._seen.clear()
        self._received, self._promised, self._seen_pages = 0, None, 0
        if self._in_order:
            self.resume_from = self._last_day

    def take(self, answer: OaiPage, *, today: date) -> Page:
        """Return the answer as a page of the source, with the cursor it allows."""
        identifiers = frozenset(paper.arxiv_id for paper in answer.papers) | answer.other_identifiers
        self.stands_still = self._seen.are_repeated_by(identifiers) and bool(answer.token)
        self.answered_on = self.answered_on or answer.response_day
        self._received += answer.received
        self._server_day = self._server_day or self._present(answer.response_day, today).isoformat()
        page_first_day = min(answer.days, default=self.resume_from)
        for day in answer.days:
            # A day that has not come says nothing of the days before it.
            self._in_order = self._in_order and self._last_day <= day <= self._server_day
            self._last_day = max(self._last_day, day)
        if answer.list_size is not None:
            self._promised = answer.list_size
        cursor = None
        cut_off = bool(self._seen_pages) and answer.error is not None
        if not answer.token:
            cursor = self._begin_anew() if self._came_short() else self._server_day
            cursor = min(cursor, self._last_day) if cut_off else cursor
        elif self._in_order:
            cursor = min(self._last_day, self._server_day)
        open_end = bool(answer.token) or cut_off
        promised = self._promised if self._promised is not None else (None if open_end else self._received)
        self._seen_pages += 1
        malformed = tuple(_dated(record, page_first_day) for record in answer.malformed)
        papers = tuple(_no_later(paper, self._server_day) for paper in answer.papers)
        return Page(papers, malformed, answer.received, cursor, promised, doubtful=cut_off or self._is_short())

    def check_size(self, part: str) -> None:
        """Refuse to call a list whole that ended before it had as many records as the server said.

        Raises:
            SourceError: it did.
        """
        if self._came_short():
            raise SourceError(
                f"the list of set {part} ended after {self._received} of {self._promised} records",
                "the next run asks again from the same day",
            )

    def _came_short(self) -> bool:
        return self._promised is not None and self._received < self._promised * (1 - SIZES_MAY_DIFFER)

    def _is_short(self) -> bool:
        return self._promised is not None and self._received < self._promised

    def _begin_anew(self) -> str:
        """Return the cursor with which the next run asks from the same day as this one."""
        return (date.fromisoformat(self._begins) + OVERLAP).isoformat()

    def _present(self, response_day: date, today: date) -> date:
        """Return the earlier of the two clocks' days; ours is off if it stands before the day that was asked from."""
        return response_day if today.isoformat() < self.resume_from else min(response_day, today)


def _no_later(paper: Paper, day: str) -> Paper:
    """Give a paper that is dated after the present day that day: it would hide every later change."""
    if paper.datestamp is None or paper.datestamp.isoformat() <= day:
        return paper
    return replace(paper, datestamp=date.fromisoformat(day))


def _dated(record: Malformed, first_day: str) -> Malformed:
    """Give a record without a readable day the first one that it can be of."""
    return record if record.datestamp else replace(record, datestamp=date.fromisoformat(first_day))


def group_sets(categories: Sequence[str]) -> list[str]:
    """Return the group sets that hold the categories, sorted: `cs.LG` and `stat.ML` give `cs` and `stat`.

    Raises:
        UsageError: arXiv has no such category.
    """
    return sorted({_group(category) for category in categories})


def _group(category: str) -> str:
    group = find_group(category)
    if group is None:
        raise UsageError(
            f"'{clean_line(category)[:40]}' is not an arXiv category", "see https://arxiv.org/category_taxonomy"
        )
    return group


def category_set(category: str) -> str:
    """Return the set of one category: `cs:cs:LG` for `cs.LG`, `physics:hep-th` for `hep-th`.

    Raises:
        UsageError: arXiv has no such category.
    """
    return f"{_group(category)}:{category.replace('.', ':')}"
