"""arXiv's query API through the `arxiv` package, for ad-hoc queries and for look-ups by id.

The package takes an empty, foreign or truncated answer for "no results", waits without limit, ignores Retry-After and
drops incomplete entries. So it is handed a session of ours in place of its own: every answer comes through the polite
client and is checked before the package sees it, and an entry that cannot be read is kept for a look. API: https://info.arxiv.org/help/api/user-manual.html
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import arxiv
from lxml import etree

from crawler.sources.oai import Getter
from crawler.sources.source import Page
from crawler.sources.tex import decode_accents
from crawler.sources.withdrawal import says_withdrawn
from crawler.sources.xml import parse_strictly
from db.errors import AnswerError, RefusedError, RejectedError, RestingError, SourceError
from db.records import Malformed, Paper
from db.text import clean_line, parse_arxiv_id
from db.times import Clock

_VERSION = re.compile(r"(?<=[0-9])v([1-9][0-9]{0,3})$")
ATOM = "{http://www.w3.org/2005/Atom}"
OPENSEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"

PAGE_SIZE = 1_000  # the manual asks to refine queries that return more
MOST_RESULTS = 10_000  # the API fails beyond
IDS_PER_REQUEST = 100
VAIN_REQUESTS = 4  # so many failures and no answer: the API is sick
FAILED_REQUESTS = 24  # so many failures beside answers
_NO_PAPER = "http://arxiv.org/abs/0000.00000"
_LONG_AGO = "1970-01-01T00:00:00Z"
_COUNT = re.compile(r"[0-9]{1,9}")
OVERLAP = timedelta(days=30)  # papers held in moderation appear late, under their old date


@dataclass(frozen=True, slots=True)
class _CheckedAnswer:
    """What the package needs of an answer."""

    content: bytes
    status_code: int = 200


class _CheckedSession:
    """Stands in for the package's session: fetches politely, and passes on only answers that hold."""

    def __init__(self, client: Getter) -> None:
        self._client = client
        self.total = 0
        self.malformed: list[Malformed] = []

    def get(self, url: str, headers: dict[str, str]) -> _CheckedAnswer:
        parts = urlsplit(url)
        params = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        start = int(params["start"])
        endpoint = parts._replace(query="").geturl()
        feed, malformed = self._client.get(endpoint, params, lambda body: self._check(body, start))
        self.malformed += malformed
        return _CheckedAnswer(etree.tostring(feed))

    def _check(self, body: bytes, start: int) -> tuple[etree._Element, list[Malformed]]:
        """Return a feed whose every entry can be read, and the entries that could not."""
        feed, malformed = _parse_feed(body), list[Malformed]()
        self.total = _total(feed)
        entries = feed.findall(f"{ATOM}entry")
        for entry in entries:
            try:
                _check_entry(entry)
            except AnswerError as error:
                identifier = clean_line(entry.findtext(f"{ATOM}id") or "") or None
                malformed.append(Malformed(identifier, None, error.message, etree.tostring(entry, with_tail=False)))
                _stand_in(entry)
        if not entries and start < self.total:
            raise AnswerError(f"the page from {start} on is empty, though there are {self.total} results")
        return feed, malformed


def _parse_feed(body: bytes) -> etree._Element:
    feed = parse_strictly(body)
    if feed.tag != f"{ATOM}feed":
        raise AnswerError("the answer is not an Atom feed")
    return feed


def _total(feed: etree._Element) -> int:
    text = (feed.findtext(f"{OPENSEARCH}totalResults") or "").strip()
    if not _COUNT.fullmatch(text):
        raise AnswerError("the answer does not tell how many results there are")
    return int(text)


def _check_entry(entry: etree._Element) -> None:
    identifier = (entry.findtext(f"{ATOM}id") or "").strip()
    if "/api/errors" in identifier:
        raise RejectedError(f"arXiv refuses the query: {clean_line(entry.findtext(f'{ATOM}summary') or '')[:160]}")
    for name in ("id", "title", "published", "updated"):  # some old papers have no summary
        if not (entry.findtext(f"{ATOM}{name}") or "").strip():
            raise AnswerError(f"the entry has no {name}")
    if parse_arxiv_id(identifier) is None:
        raise AnswerError("the entry has no valid arXiv id")
    for name in ("published", "updated"):
        _check_moment((entry.findtext(f"{ATOM}{name}") or "").strip())


def _check_moment(text: str) -> None:
    try:
        datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise AnswerError(f"the entry has '{clean_line(text)[:40]}' for a date") from None


def _stand_in(entry: etree._Element) -> None:
    """Put an entry that the package can read, and that is known for none, in the place of one that cannot be read.

    The package turns pages by the number of entries that it has read.
    """
    entry[:] = []
    for name, text in (("id", _NO_PAPER), ("title", "-"), ("published", _LONG_AGO), ("updated", _LONG_AGO)):
        etree.SubElement(entry, f"{ATOM}{name}").text = text


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found: the papers, the entries that could not be read, and how many results the API tells of."""

    papers: list[Paper]
    malformed: list[Malformed]
    total: int

    @property
    def received(self) -> int:
        """Return how many results came, readable or not."""
        return len(self.papers) + len(self.malformed)


class QueryApi:
    """Asks the query API, and does not believe a result that does not add up."""

    def __init__(self, client: Getter, url: str) -> None:
        self._session = _CheckedSession(client)
        self._package = arxiv.Client(page_size=PAGE_SIZE, delay_seconds=0, num_retries=0)
        self._package.query_url_format = url + "?{}"
        self._package._session = self._session  # the package has no other way in

    def fetch(self, search: arxiv.Search) -> Found:
        """Return what a search finds.

        Raises:
            SourceError: the API fails, or there are more results than it can give.
        """
        self._session.total, self._session.malformed = 0, []
        self._package.page_size = min(PAGE_SIZE, search.max_results or len(search.id_list) or PAGE_SIZE)
        papers: dict[str, Paper] = {}
        try:
            for result in self._package.results(search):
                if self._session.total > MOST_RESULTS and search.max_results is None:
                    raise SourceError(
                        f"the query has {self._session.total} results, more than the API gives", "narrow it"
                    )
                if result.entry_id != _NO_PAPER:
                    paper = _paper(result)
                    papers[paper.arxiv_id] = paper
        except arxiv.ArxivError as error:
            raise SourceError(f"the query API failed: {clean_line(str(error))[:160]}") from error
        return Found(list(papers.values()), self._session.malformed, self._session.total)


def _paper(result: Any) -> Paper:
    arxiv_id = parse_arxiv_id(result.entry_id)
    if arxiv_id is None:
        raise SourceError(f"'{clean_line(result.entry_id)[:60]}' is not an arXiv id")
    version = _VERSION.search(result.entry_id)
    abstract = decode_accents(clean_line(result.summary))
    comments = clean_line(result.comment or "") or None
    return Paper(
        arxiv_id=arxiv_id,
        version=int(version[1]) if version else 1,
        title=decode_accents(clean_line(result.title)),
        abstract=abstract,
        authors=tuple(decode_accents(clean_line(author.name)) for author in result.authors),
        categories=tuple(clean_line(category) for category in result.categories),
        published_at=result.published,
        updated_at=result.updated,
        comments=comments,
        journal_ref=clean_line(result.journal_ref or "") or None,
        doi=clean_line(result.doi or "") or None,
        withdrawn=says_withdrawn(comments, abstract),
    )


class ApiDaysSource:
    """The newest papers by day of submission: the second way in, for when OAI-PMH is down.

    It sees neither changes nor withdrawals of older papers, and papers held for longer than the overlap are missed:
    the API has no better filter than the date of the first version.
    """

    name = "api"

    def __init__(self, api: QueryApi, categories: Sequence[str], *, clock: Clock, first_night_days: int) -> None:
        self._api = api
        self._categories = categories
        self._clock = clock
        self._first_night = timedelta(days=first_night_days)

    def parts(self) -> Sequence[str]:
        """Return the one part."""
        return ["submitted"]

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
        return f"papers of {' '.join(self._categories)} submitted from {start}"

    def pages(self, part: str, start: str) -> Iterator[Page]:
        """Yield one page a day.

        Raises:
            SourceError: a day did not arrive whole, or the API says that there was nothing on any day, or the first
                day has not come by our clock.
        """
        promised = 0
        day, today = date.fromisoformat(start), self._clock().astimezone(UTC).date()
        if day > today:
            raise SourceError(f"by this machine's clock {day} has not come", "set the clock right, or ask from earlier")
        while day <= today:
            found = self._api.fetch(self._search(day))
            promised += found.total
            last = day == today
            if last and not promised and (today - date.fromisoformat(start)).days >= 7:
                raise SourceError(
                    "the query API says that nothing was submitted for a week", "it is not to be believed"
                )
            whole = found.received == found.total
            yield Page(
                tuple(found.papers),
                tuple(found.malformed),
                received=found.received,
                cursor=day.isoformat() if whole and found.total else None,  # an empty day may be a lie of the API
                promised=promised if last else None,
            )
            if not whole:
                raise SourceError(f"the query API promised {found.total} papers of {day} and gave {found.received}")
            day += timedelta(days=1)

    def _search(self, day: date) -> arxiv.Search:
        categories = " OR ".join(f"cat:{category}" for category in self._categories)
        # To the next midnight: 2359 would pass over the last minute; a paper that comes twice is kept once.
        window = f"submittedDate:[{day:%Y%m%d}0000 TO {day + timedelta(days=1):%Y%m%d}0000]"
        return arxiv.Search(
            query=f"({categories}) AND {window}", max_results=None, sort_by=arxiv.SortCriterion.SubmittedDate
        )


class IdsSource:
    """Papers by id: the catalogue's references, or what a person asks for."""

    name = "api"

    def __init__(
        self,
        api: QueryApi,
        arxiv_ids: Sequence[str],
        *,
        patience: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Ask for these papers; `patience` limits the time that one request may lose."""
        self._api = api
        self._arxiv_ids = list(dict.fromkeys(arxiv_ids))
        self._patience = patience

    def parts(self) -> Sequence[str]:
        """Return the one part."""
        return ["ids"]

    def start(self, cursor: str | None, since: date | None, first_asked: date | None = None) -> str:
        """Return the beginning: ids have no order to go on from."""
        return ""

    def asked(self, part: str, start: str) -> str:
        """Return the request in words."""
        return f"{len(self._arxiv_ids)} papers by id"

    def pages(self, part: str, start: str) -> Iterator[Page]:
        """Yield the papers in batches; one that fails is asked for in halves, so that one id cannot hold up others.

        Raises:
            SourceError: some papers did not come; names them and says why.
        """
        waiting = deque(
            self._arxiv_ids[first : first + IDS_PER_REQUEST]
            for first in range(0, len(self._arxiv_ids), IDS_PER_REQUEST)
        )
        unknown, unread, answers = set(self._arxiv_ids), dict[str, str](), 0
        failures: list[SourceError] = []
        while waiting:
            batch = waiting.popleft()
            try:
                with self._patience():
                    found = self._api.fetch(arxiv.Search(id_list=batch, max_results=None))
            except (RefusedError, RestingError):
                raise
            except SourceError as error:
                failures.append(error)
                answers += isinstance(error, RejectedError)
                if len(failures) == (FAILED_REQUESTS if answers else VAIN_REQUESTS):
                    raise
                waiting.extend(_halves(batch))
                if len(batch) == 1:
                    unread[batch[0]] = error.message
                continue
            answers += 1
            unknown -= {paper.arxiv_id for paper in found.papers}
            unread |= {parse_arxiv_id(one.identifier or "") or "an entry": one.reason for one in found.malformed}
            yield Page(
                tuple(found.papers), tuple(found.malformed), received=found.received, promised=len(self._arxiv_ids)
            )
        if len(failures) == 1 and len(self._arxiv_ids) == 1:
            raise failures[0]
        self._tell_what_is_left(unknown - set(unread), unread)

    def _tell_what_is_left(self, unknown: set[str], unread: dict[str, str]) -> None:
        left = [f"arXiv does not know {', '.join(sorted(unknown)[:10])}"] if unknown else []
        left += [f"{arxiv_id}: {reason}" for arxiv_id, reason in sorted(unread.items())[:10]]
        if left:
            raise SourceError("; ".join(left), "check the ids" if unknown else None)


def _halves(batch: list[str]) -> list[list[str]]:
    """Return the two halves of a batch, none of a single id."""
    middle = len(batch) // 2
    return [batch[:middle], batch[middle:]] if middle else []


class SearchSource:
    """The newest papers that answer an ad-hoc query in the API's own language."""

    name = "api"

    def __init__(self, api: QueryApi, query: str, limit: int) -> None:
        self._api = api
        self._query = query
        self._limit = limit

    def parts(self) -> Sequence[str]:
        """Return the one part."""
        return ["query"]

    def start(self, cursor: str | None, since: date | None, first_asked: date | None = None) -> str:
        """Return the beginning."""
        return ""

    def asked(self, part: str, start: str) -> str:
        """Return the request in words."""
        return f"the newest {self._limit} of {clean_line(self._query)[:200]}"

    def pages(self, part: str, start: str) -> Iterator[Page]:
        """Yield what the query gives, as one page."""
        search = arxiv.Search(query=self._query, max_results=self._limit, sort_by=arxiv.SortCriterion.SubmittedDate)
        found = self._api.fetch(search)
        promised = min(found.total, self._limit)
        yield Page(tuple(found.papers), tuple(found.malformed), received=found.received, promised=promised)
        if found.received < promised:
            raise SourceError(f"the query API promised {promised} papers and gave {found.received}")
