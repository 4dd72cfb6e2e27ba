"""What has gone wrong at arXiv, or could: each fault is a value that answers one request in its own way.

A fault is handed to `ArxivServer.play`. It sees the call, may ask for the answer that would have been right, and
returns what is sent. Faults that spoil a good answer leave one alone that has not what they spoil.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal, Protocol
from urllib.parse import urlencode

from loopback.answer import Answer
from loopback.api import render_error as render_api_error
from loopback.editing import ENTRY, TITLE, edit, pad, refer, set_token, squeeze
from loopback.oai import OaiError, Repository, decode_token, encode_token, render_error
from loopback.papers import MadePaper
from loopback.records import ID_PREFIX

_LISTED = re.compile(rf"<identifier>{ID_PREFIX}([^<]+)</identifier><datestamp>([^<]+)</datestamp>")
_RESPONSE_DATE = re.compile(r"<responseDate>[^<]*</responseDate>")


@dataclass(frozen=True, slots=True)
class Call:
    """One request as a fault sees it: `papers` is the server's own database, `respond` answers any query string."""

    number: int
    path: str
    query: str
    arguments: dict[str, str]
    papers: dict[str, MadePaper]
    repository: Repository
    respond: Callable[[str], Answer]

    @property
    def asks_for_list(self) -> bool:
        """Tell whether this is a request of OAI-PMH for records or headers, and no other."""
        return self.arguments.get("verb") in ("ListRecords", "ListIdentifiers")

    def good(self) -> Answer:
        """Return the answer that would have been right."""
        return self.respond(self.query)


class Fault(Protocol):
    """Anything that answers a call."""

    def answer(self, call: Call) -> Answer:
        """Return what is sent in place of the right answer."""


# Refusals


@dataclass(frozen=True, slots=True)
class Unavailable:
    """503; `retry_after` is in seconds, or a date to be written as HTTP writes dates, or any text as it is."""

    retry_after: int | datetime | str | None = None

    def answer(self, call: Call) -> Answer:
        """Refuse with 503."""
        return Answer(503, "text/html", b"<html><body>Busy.</body></html>", _retry_after(self.retry_after))


@dataclass(frozen=True, slots=True)
class TooMany:
    """429, "Rate exceeded."; `retry_after` as in Unavailable."""

    retry_after: int | datetime | str | None = None

    def answer(self, call: Call) -> Answer:
        """Refuse with 429."""
        return Answer(429, "text/plain", b"Rate exceeded.", _retry_after(self.retry_after))


@dataclass(frozen=True, slots=True)
class Forbidden:
    """403: at arXiv the last word, and further requests count as an attack."""

    def answer(self, call: Call) -> Answer:
        """Refuse with 403."""
        return Answer(403, "text/html", b"<html><body>Access denied.</body></html>")


@dataclass(frozen=True, slots=True)
class ServerError:
    """500, or another status that a sick server gives."""

    status: int = 500

    def answer(self, call: Call) -> Answer:
        """Fail with the status."""
        return Answer(self.status, "text/html", b"<html><body>Something broke.</body></html>")


@dataclass(frozen=True, slots=True)
class Redirect:
    """The data have moved: by default to an address of the same server where nothing is."""

    location: str | None = None
    status: int = 301

    def answer(self, call: Call) -> Answer:
        """Point to the other address."""
        location = self.location or f"{call.repository.base_url}-moved"
        return Answer(self.status, "text/html", b"<html><body>Moved.</body></html>", (("Location", location),))


# The wire


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset in the middle of the body."""

    def answer(self, call: Call) -> Answer:
        """Send the first half of the good answer, then reset."""
        good = call.good()
        return replace(good, reset_after=len(good.body) // 2)


@dataclass(frozen=True, slots=True)
class Hang:
    """Nothing comes for so many seconds; then the good answer, if anybody still waits."""

    seconds: float

    def answer(self, call: Call) -> Answer:
        """Delay the good answer."""
        return replace(call.good(), delay_seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class Drip:
    """The good answer, so slowly that no single read ever times out."""

    bytes_per_second: float

    def answer(self, call: Call) -> Answer:
        """Slow the good answer down."""
        return replace(call.good(), bytes_per_second=self.bytes_per_second)


@dataclass(frozen=True, slots=True)
class Oversized:
    """A well-formed answer that goes on for at least so many bytes of blanks, streamed, without a length."""

    size_bytes: int

    def answer(self, call: Call) -> Answer:
        """Stream blanks into the good answer, before the end tag of its root."""
        good = call.good()
        return replace(good, body=b"", chunks=lambda: pad(good.body, self.size_bytes))


@dataclass(frozen=True, slots=True)
class DecompressionBomb:
    """A small body in gzip that grows to at least so many bytes: a thousand times what crosses the wire."""

    size_bytes: int

    def answer(self, call: Call) -> Answer:
        """Squeeze the good answer with blanks before the end tag of its root."""
        good = call.good()
        headers = (*good.headers, ("Content-Encoding", "gzip"))
        return replace(good, body=squeeze(pad(good.body, self.size_bytes)), headers=headers)


# Other things than an answer, with HTTP 200


@dataclass(frozen=True, slots=True)
class HtmlPage:
    """A web page in place of the data."""

    status: int = 200

    def answer(self, call: Call) -> Answer:
        """Send a page of HTML."""
        page = b"<!DOCTYPE html>\n<html><head><title>Hold on</title></head><body><p>Maintenance<br></body></html>"
        return Answer(self.status, "text/html; charset=utf-8", page)


@dataclass(frozen=True, slots=True)
class PlainText:
    """A line of text in place of the data."""

    text: str = "Rate exceeded."
    status: int = 200

    def answer(self, call: Call) -> Answer:
        """Send the text."""
        return Answer(self.status, "text/plain", self.text.encode())


@dataclass(frozen=True, slots=True)
class EmptyBody:
    """200, the right type, and no byte of body."""

    def answer(self, call: Call) -> Answer:
        """Send the good answer without its body."""
        return replace(call.good(), body=b"")


@dataclass(frozen=True, slots=True)
class WrongRoot:
    """XML in good form that is another document."""

    def answer(self, call: Call) -> Answer:
        """Send a document with a foreign root."""
        body = b'<?xml version="1.0"?>\n<status><title>All systems operational</title></status>'
        return replace(call.good(), status=200, body=body)


# Spoilt XML


@dataclass(frozen=True, slots=True)
class Truncated:
    """The XML stops in its middle, though HTTP says that all has come."""

    fraction: float = 0.5

    def answer(self, call: Call) -> Answer:
        """Send the first part of the good answer as if it were the whole."""
        good = call.good()
        return replace(good, body=good.body[: int(len(good.body) * self.fraction)])


@dataclass(frozen=True, slots=True)
class EntityBomb:
    """Entities within entities: `levels` of ten each, so 10**levels words when a parser expands them."""

    levels: int = 9

    def answer(self, call: Call) -> Answer:
        """Put the last entity into the first title of the good answer."""
        steps = [f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, self.levels + 1)]
        return refer(call.good(), ['<!ENTITY e0 "ha">', *steps], f"&e{self.levels};")


@dataclass(frozen=True, slots=True)
class ExternalEntity:
    """An entity whose text is a file of the reader's machine, or anything else with an address."""

    url: str = "file:///etc/hostname"

    def answer(self, call: Call) -> Answer:
        """Put the entity into the first title of the good answer."""
        return refer(call.good(), [f'<!ENTITY outside SYSTEM "{self.url}">'], "&outside;")


@dataclass(frozen=True, slots=True)
class IllegalControlCharacter:
    """A raw control character, which XML 1.0 forbids, in the first title."""

    character: str = "\x1b"

    def answer(self, call: Call) -> Answer:
        """Put the character into the good answer."""
        return edit(call.good(), lambda text: TITLE.sub(self.character, text, count=1))


@dataclass(frozen=True, slots=True)
class MalformedRecord:
    """One record, header, entry or item of a good page is broken, in well-formed XML; `index` counts from 0.

    A header alone has no title that could be missing.
    """

    kind: Literal["missing_title", "bad_date", "no_id"] = "missing_title"
    index: int = 0

    def answer(self, call: Call) -> Answer:
        """Break the record in the good answer."""
        return edit(call.good(), self._break_one)

    def _break_one(self, text: str) -> str:
        entries = list(ENTRY.finditer(text))
        if self.index >= len(entries):
            return text
        found = entries[self.index]
        return text[: found.start()] + self._break(found[0]) + text[found.end() :]

    def _break(self, entry: str) -> str:
        if self.kind == "missing_title":
            return re.sub(r"<title>.*?</title>\s*", "", entry, flags=re.DOTALL)
        if self.kind == "bad_date":
            # A header that is no part of a record has but its datestamp.
            tags = "datestamp" if entry.startswith("<header") else "date|published|pubDate"
            return re.sub(rf"<({tags})>.*?</\1>", r"<\1>the day before yesterday</\1>", entry)
        if entry.startswith("<item"):
            return re.sub(r"<(guid|link)\b.*?</\1>\s*|(?<=<description>)arXiv:\S+ ", "", entry)
        return re.sub(r"<(id|identifier)>.*?</\1>\s*", "", entry)


@dataclass(frozen=True, slots=True)
class RefusedId:
    """A request for papers by id is refused as a whole where it names this one; any other is answered well."""

    arxiv_id: str

    def answer(self, call: Call) -> Answer:
        """Answer with the feed that holds nothing but an error."""
        good = call.good()
        if self.arxiv_id not in call.arguments.get("id_list", ""):
            return good
        said = render_api_error(f"incorrect id format for {self.arxiv_id}", call.repository.now)
        return replace(good, body=said.encode())


@dataclass(frozen=True, slots=True)
class RecordOfTheFuture:
    """The last record of the page bears a datestamp that has not come."""

    day: date = date(2099, 12, 31)

    def answer(self, call: Call) -> Answer:
        """Date the last record of the good answer ahead."""

        def change(text: str) -> str:
            head, tag, rest = text.rpartition("<datestamp>")
            return f"{head}{tag}{self.day}{rest[rest.index('<') :]}" if tag else text

        return edit(call.good(), change)


@dataclass(frozen=True, slots=True)
class WrongClock:
    """All is well with the answer but its responseDate."""

    kind: Literal["missing", "unreadable", "past", "future"] = "missing"

    def answer(self, call: Call) -> Answer:
        """Spoil the responseDate of the good answer; feeds have none."""
        told = {"missing": "", "unreadable": "today", "past": "1970-01-01T00:00:00Z", "future": "2099-12-31T00:00:00Z"}
        element = f"<responseDate>{told[self.kind]}</responseDate>" if told[self.kind] else ""
        return edit(call.good(), lambda text: _RESPONSE_DATE.sub(element, text, count=1))


# Lists that do not lead on


@dataclass(frozen=True, slots=True)
class RepeatedToken:
    """The answer's token is the one that it was asked with: who trusts it goes in a circle."""

    def answer(self, call: Call) -> Answer:
        """Hand back the token of the request; a first page hands out one that leads to itself."""
        token = call.arguments.get("resumptionToken") or encode_token(call.arguments, 0)
        return set_token(call.good(), token)


@dataclass(frozen=True, slots=True)
class BadToken:
    """The token is refused, though the server gave it; a request without a token is answered well."""

    def answer(self, call: Call) -> Answer:
        """Answer badResumptionToken."""
        if "resumptionToken" not in call.arguments:
            return call.good()
        return _say(call, OaiError("badResumptionToken", "expired", call.arguments), call.repository.now)


@dataclass(frozen=True, slots=True)
class EndlessTokens:
    """Every page is the first one again, with a token never seen before; to be played for ever."""

    def answer(self, call: Call) -> Answer:
        """Send the first page with the next token; what is no list is answered well."""
        if not call.asks_for_list:
            return call.good()
        asked, skip = call.arguments, 0
        if "resumptionToken" in call.arguments:
            asked, skip = decode_token(call.arguments["resumptionToken"])
        first = {"verb": asked["verb"], "resumptionToken": encode_token(asked, 0)}
        return set_token(call.respond(urlencode(first)), encode_token(asked, skip + 1))


@dataclass(frozen=True, slots=True)
class EndsEarly:
    """The list ends with this page, though more was promised; the protocol's completeListSize tells how much."""

    size: int

    def answer(self, call: Call) -> Answer:
        """End the list, and tell its size."""
        return set_token(call.good(), "", size=self.size) if call.asks_for_list else call.good()


@dataclass(frozen=True, slots=True)
class MovedBetweenPages:
    """After this page is made, `count` records of its last day are modified once more.

    They go to the end of the list, what follows moves up, and the next page passes over as many records. Nothing is
    passed over where the page ends together with its day, because arXiv begins the next one at offset 0. The list
    ends well all the same: played on every page with a `count` of several, most of a list may be lost in silence, and
    what was last modified before a harvester's overlap does not come again.
    """

    count: int = 1

    def answer(self, call: Call) -> Answer:
        """Send the good answer and touch the records."""
        good = call.good()
        listed = _LISTED.findall(good.body.decode())
        of_last_day = [arxiv_id for arxiv_id, day in listed if day == listed[-1][1]]
        for arxiv_id in of_last_day[: self.count]:
            call.papers[arxiv_id] = call.papers[arxiv_id].touched(call.repository.now)
        return good


@dataclass(frozen=True, slots=True)
class StaleNoRecords:
    """A "nothing new" out of a cache: made before today's announcement, and its responseDate says so."""

    age: timedelta = timedelta(hours=3)

    def answer(self, call: Call) -> Answer:
        """Answer noRecordsMatch, dated back; what is no list is answered well."""
        if not call.asks_for_list:
            return call.good()
        return _say(call, OaiError("noRecordsMatch", "nothing to list", call.arguments), call.repository.now - self.age)


def _retry_after(value: int | datetime | str | None) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    text = value.strftime("%a, %d %b %Y %H:%M:%S GMT") if isinstance(value, datetime) else str(value)
    return (("Retry-After", text),)


def _say(call: Call, error: OaiError, now: datetime) -> Answer:
    text = render_error(error, replace(call.repository, now=now))
    return replace(call.good(), status=200, body=text.encode())
