"""The query API as arXiv has answered it since November 2025 (https://github.com/arXiv/arxiv-search).

What a caller should know, and can see here:
- an unknown id leaves no trace; a malformed one spoils the whole request (HTTP 400);
- an error is an Atom feed with one entry titled "Error": by its form a paper like any other;
- `submittedDate` is the date of the first version, and `lastUpdatedDate` in a query means `submittedDate` too, so
  that no query finds the papers which were revised in a span of time;
- a page that would end beyond the 10,000th result is HTTP 500.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from xml.sax.saxutils import escape, quoteattr

from loopback.papers import MadePaper, MadeVersion

MOST_RESULTS = 10_000
_IDENTIFIER = re.compile(r"(\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v(\d+))?")
_TOKEN = re.compile(r'\s*(\(|\)|[a-zA-Z]+:\[[^\]]*\]|[a-zA-Z]+:"[^"]*"|"[^"]*"|[^\s()]+)')
_RANGE = re.compile(r"\[(\d{8}|\d{12}|\d{14}) TO (\d{8}|\d{12}|\d{14})\]")
_OPERATORS = ("AND", "OR", "ANDNOT")

Shown = tuple[MadePaper, MadeVersion]
Test = Callable[[MadePaper], bool]


class ApiError(Exception):
    """A request that the API refuses, with the status and the sentence of its "Error" entry."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class _Query:
    """The arguments of a request, read and checked."""

    search_query: str
    ids: tuple[str, ...]
    start: int
    size: int
    sort_by: str
    descending: bool


def respond(arguments: Mapping[str, str], papers: Sequence[MadePaper], now: datetime) -> tuple[int, str]:
    """Return the status and the Atom feed for these arguments."""
    try:
        query = _read_query(arguments)
        found = _sort(_find(query, [paper for paper in papers if not paper.deleted]), query)
    except ApiError as error:
        return error.status, render_error(error.sentence, now)
    return 200, _render_feed(query, found, now)


def render_error(sentence: str, now: datetime) -> str:
    """Return the feed by which the API says that something is wrong."""
    link = f"https://arxiv.org/api/errors#{sentence.replace(' ', '_')}"
    entry = f"""  <entry>
    <id>{escape(link)}</id>
    <title>Error</title>
    <updated>{_zulu(now)}</updated>
    <link href={quoteattr(link)} rel="alternate" type="text/html"/>
    <summary>{escape(sentence)}</summary>
    <author>
      <name>arXiv api core</name>
    </author>
  </entry>
"""
    head = f"  <id>https://arxiv.org/</id>\n  <title>arXiv Search Results</title>\n  <updated>{_zulu(now)}</updated>\n"
    return _wrap(head, size=1, total=1, start=0, entries=entry)


# Arguments


def _read_query(arguments: Mapping[str, str]) -> _Query:
    ids = tuple(part for part in arguments.get("id_list", "").split(",") if part)
    for part in ids:
        if not _IDENTIFIER.fullmatch(part):
            raise ApiError(400, f"incorrect id format for {part}")
    search_query = arguments.get("search_query", "")
    if not ids and not search_query:
        raise ApiError(400, "Either a search_query or id_list must be specified")
    size = _read_number(arguments, "max_results", 10)
    start = _read_number(arguments, "start", 0)
    sort_by = _read_choice(arguments, "sortBy", ("relevance", "lastUpdatedDate", "submittedDate"))
    descending = _read_choice(arguments, "sortOrder", ("descending", "ascending")) == "descending"
    if size == 0 or start // size + 1 > MOST_RESULTS // size:
        raise ApiError(500, "The server encountered an internal error")
    return _Query(search_query, ids, start, size, sort_by, descending)


def _read_number(arguments: Mapping[str, str], name: str, default: int) -> int:
    try:
        number = int(arguments.get(name, default))
    except ValueError as error:
        raise ApiError(400, f"{name} must be an integer") from error
    if number < 0:
        raise ApiError(400, f"{name} must be non-negative")
    return number


def _read_choice(arguments: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = arguments.get(name, choices[0])
    if value not in choices:
        raise ApiError(400, f"{name} must be in: {', '.join(choices)}")
    return value


# Finding


def _find(query: _Query, papers: Sequence[MadePaper]) -> list[Shown]:
    fits = _Parser(query.search_query).parse() if query.search_query else lambda _: True
    if not query.ids:
        return [(paper, paper.newest) for paper in papers if fits(paper)]
    by_id = {paper.arxiv_id: paper for paper in papers if fits(paper)}
    return [shown for part in dict.fromkeys(query.ids) for shown in _look_up(part, by_id)]


def _look_up(identifier: str, by_id: Mapping[str, MadePaper]) -> list[Shown]:
    match = _IDENTIFIER.fullmatch(identifier)
    paper = by_id.get(match[1]) if match else None
    if match is None or paper is None:
        return []
    wanted = int(match[2]) if match[2] else paper.newest.number
    return [(paper, version) for version in paper.versions if version.number == wanted]


def _sort(found: list[Shown], query: _Query) -> list[Shown]:
    if query.sort_by == "submittedDate":
        found.sort(key=lambda shown: shown[0].versions[0].submitted, reverse=query.descending)
    if query.sort_by == "lastUpdatedDate":
        found.sort(key=lambda shown: shown[0].newest.submitted, reverse=query.descending)
    return found


class _Parser:
    """A search query as a test for papers: left to right, without precedence; where no operator stands it is OR."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text.strip())
        self._at = 0

    def parse(self) -> Test:
        """Return the test for the whole text."""
        fits = self._phrase()
        if self._at < len(self._tokens):
            raise ApiError(400, "Cannot parse query: parenthesis does not open")
        return fits

    def _phrase(self) -> Test:
        fits = self._factor()
        while self._peek() not in (None, ")"):
            operator = self._take() if self._peek() in _OPERATORS else "OR"
            fits = _combine(operator, fits, self._factor())
        return fits

    def _factor(self) -> Test:
        token = self._take()
        if token == "(":
            inside = self._phrase()
            if self._peek() != ")":
                raise ApiError(400, "Cannot parse query: parenthesis does not close")
            self._take()
            return inside
        if token == ")" or token in _OPERATORS:
            raise ApiError(400, f"Cannot parse fragment: {token}")
        return _read_term(token)

    def _peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self) -> str:
        token = self._peek()
        if token is None:
            raise ApiError(400, "Cannot parse query: it ends too early")
        self._at += 1
        return token


def _combine(operator: str, left: Test, right: Test) -> Test:
    if operator == "AND":
        return lambda paper: left(paper) and right(paper)
    if operator == "ANDNOT":
        return lambda paper: left(paper) and not right(paper)
    return lambda paper: left(paper) or right(paper)


_TEXTS: dict[str, Callable[[MadePaper], str]] = {
    "ti": lambda paper: paper.title,
    "abs": lambda paper: paper.abstract,
    "au": lambda paper: " ".join(paper.authors),
    "co": lambda paper: paper.comments or "",
    "jr": lambda paper: paper.journal_ref or "",
    "all": lambda paper: " ".join([paper.title, paper.abstract, *paper.authors, paper.comments or ""]),
}


def _read_term(token: str) -> Test:
    name, colon, value = token.partition(":")
    name, value = (name, value.strip('"')) if colon else ("all", name.strip('"'))
    if name == "cat":
        return lambda paper: any(fnmatchcase(category, value) for category in paper.categories)
    if name == "id":
        return lambda paper: paper.arxiv_id == value
    if name in ("submittedDate", "lastUpdatedDate"):
        return _read_range(value)
    if name not in _TEXTS:
        raise ApiError(400, f"Invalid field: {name}")
    words = re.compile(rf"(?<!\w){re.escape(value.replace('_', ' '))}(?!\w)", re.IGNORECASE)
    return lambda paper: words.search(_TEXTS[name](paper)) is not None


def _read_range(value: str) -> Test:
    match = _RANGE.fullmatch(value)
    if match is None:
        raise ApiError(400, f"Invalid date range: {value}")
    first, last = (_read_moment(text) for text in match.groups())
    return lambda paper: first <= paper.versions[0].submitted <= last


def _read_moment(digits: str) -> datetime:
    try:
        return datetime.strptime(digits.ljust(14, "0"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise ApiError(400, f"Invalid date: {digits}") from error


# The feed


def _render_feed(query: _Query, found: list[Shown], now: datetime) -> str:
    told = [f"search_query={query.search_query}", f"id_list={','.join(query.ids)}"]
    line = "&".join([*told, f"start={query.start}", f"max_results={query.size}"])
    link = f"https://arxiv.org/api/query?{line}"
    name = base64.b64encode(hashlib.sha1(line.encode(), usedforsecurity=False).digest()).decode()[:-1]
    head = f"""  <id>https://arxiv.org/api/{name}</id>
  <title>{escape(f"arXiv Query: {line}")}</title>
  <updated>{_zulu(now)}</updated>
  <link href={quoteattr(link)} type="application/atom+xml"/>
"""
    page = found[query.start : query.start + query.size]
    return _wrap(head, size=query.size, total=len(found), start=query.start, entries="".join(map(_render_entry, page)))


def _wrap(head: str, *, size: int, total: int, start: int, entries: str) -> str:
    spaces = (
        'xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" '
        'xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom"'
    )
    return f"""<?xml version='1.0' encoding='UTF-8'?>
<feed {spaces}>
{head}  <opensearch:itemsPerPage>{size}</opensearch:itemsPerPage>
  <opensearch:totalResults>{total}</opensearch:totalResults>
  <opensearch:startIndex>{start}</opensearch:startIndex>
{entries}</feed>
"""


def _render_entry(shown: Shown) -> str:
    paper, version = shown
    name = escape(f"{paper.arxiv_id}v{version.number}")
    scheme = "http://arxiv.org/schemas/atom"
    lines = [
        f"<id>http://arxiv.org/abs/{name}</id>",
        f"<title>{escape(paper.title)}</title>",
        f"<updated>{_zulu(version.submitted)}</updated>",
        f'<link href="https://arxiv.org/abs/{name}" rel="alternate" type="text/html"/>',
        f'<link href="https://arxiv.org/pdf/{name}" rel="related" type="application/pdf" title="pdf"/>',
        f"<summary>{escape(paper.abstract)}</summary>",
        *(f'<category term="{escape(category)}" scheme="{scheme}"/>' for category in paper.categories),
        f"<published>{_zulu(paper.versions[0].submitted)}</published>",
        *([f"<arxiv:comment>{escape(paper.comments)}</arxiv:comment>"] if paper.comments else []),
        f'<arxiv:primary_category term="{escape(paper.categories[0])}"/>',
        *([f"<arxiv:journal_ref>{escape(paper.journal_ref)}</arxiv:journal_ref>"] if paper.journal_ref else []),
        *(f"<author>\n      <name>{escape(author)}</name>\n    </author>" for author in paper.authors),
        *(_render_doi(paper.doi) if paper.doi else []),
    ]
    return "".join(["  <entry>\n", *(f"    {line}\n" for line in lines), "  </entry>\n"])


def _render_doi(doi: str) -> list[str]:
    link = quoteattr(f"https://doi.org/{doi}")
    return [f"<arxiv:doi>{escape(doi)}</arxiv:doi>", f'<link rel="related" href={link} title="doi"/>']


def _zulu(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
