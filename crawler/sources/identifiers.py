"""ListIdentifiers as a cross-check: which records of a category changed since a day, and when, without their text.

An answer holds up to 20,000 headers, so that a week takes one request. Such lists are paged by offset as well, but
rarely have a second page; the passes overlap as the nights do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from crawler.sources.crosscheck import ToldPage
from crawler.sources.oai import OVERLAP, Getter, RecentPages, follow_tokens, running_in_circles
from crawler.sources.oai_parse import OAI, OaiAnswer, open_answer, read_datestamp, read_token
from db.errors import AnswerError
from db.missing import Told
from db.text import parse_arxiv_id
from db.times import Clock

MAX_PAGES = 200  # of up to 20,000 headers each: more than arXiv has papers


class IdentifierList:
    """The identifiers of one category's set."""

    name = "identifiers"

    def __init__(self, client: Getter, url: str, part: str, *, clock: Clock, every_days: int) -> None:
        self._client = client
        self._url = url
        self.part = part
        self._clock = clock
        self._every = timedelta(days=every_days)

    def is_due(self, cursor: str | None, *, paged: bool, today: date) -> bool:
        """Tell whether the last pass is long ago, or the harvest came in several pages, between which records move."""
        return paged or (cursor is not None and today - date.fromisoformat(cursor) >= self._every)

    def start(self, cursor: str | None, harvested_from: str | None) -> str:
        """Return the day of the last pass less the overlap, or the first day of the harvest if that is earlier.

        Args:
            cursor: the day of the last pass; before the first one, the day from which papers were first asked for.
        """
        days = [] if cursor is None else [(date.fromisoformat(cursor) - OVERLAP).isoformat()]
        days += [] if harvested_from is None else [harvested_from]
        return min(days, default=self._clock().date().isoformat())

    def asked(self, start: str) -> str:
        """Return the request in words."""
        return f"identifiers of set {self.part} from {start}"

    def pages(self, start: str) -> Iterator[ToldPage]:
        """Yield the list's pages, the last one with the cursor.

        Raises:
            SourceError: the list cannot be had whole.
        """
        params = {"verb": "ListIdentifiers", "metadataPrefix": "arXivRaw", "set": self.part, "from": start}
        day: date | None = None
        seen = RecentPages()
        for answer in follow_tokens(self._client, self._url, params, parse_identifiers, max_pages=MAX_PAGES):
            # Both clocks: a list vouches for no day that has not come by either of them.
            day = day or min(answer.response_day, self._clock().date())
            told = tuple(_no_later(one, day.isoformat()) for one in answer.told)
            yield ToldPage(told, answer.malformed, None if answer.token else day.isoformat())
            if seen.are_repeated_by(frozenset(told)) and answer.token:
                raise running_in_circles(self.part)


def _no_later(told: Told, day: str) -> Told:
    return replace(told, datestamp=min(told.datestamp, day)) if told.datestamp else told


@dataclass(frozen=True, slots=True)
class IdentifiersPage(OaiAnswer):
    """One ListIdentifiers answer."""

    told: tuple[Told, ...] = ()
    malformed: int = 0


def parse_identifiers(body: bytes) -> IdentifiersPage:
    """Read a ListIdentifiers answer; deleted records are left out.

    Raises:
        AnswerError: the body is no well-formed OAI-PMH answer to such a request.
    """
    root, answer = open_answer(body)
    if answer.error:
        return IdentifiersPage(answer.response_day, answer.error, answer.error_text)
    headers = root.find(f"{OAI}ListIdentifiers")
    if headers is None:
        raise AnswerError("the answer is OAI-PMH, but has neither a list of identifiers nor an error")
    told, malformed = [], 0
    for header in headers.findall(f"{OAI}header"):
        arxiv_id = parse_arxiv_id(header.findtext(f"{OAI}identifier") or "")
        if arxiv_id is None:
            malformed += 1
        elif header.get("status") != "deleted":
            datestamp = read_datestamp(header)
            told.append(Told(arxiv_id, datestamp=datestamp.isoformat() if datestamp else None))
    return IdentifiersPage(answer.response_day, token=read_token(headers), told=tuple(told), malformed=malformed)
