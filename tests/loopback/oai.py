"""OAI-PMH as arXiv has answered it since the rewrite of March 2025 (https://github.com/arXiv/oaipmh).

What a harvester should know, and can see here:
- every error of the protocol is HTTP 200 with an `<error>`; `noRecordsMatch` is the ordinary "nothing new";
- a list is sorted by the second of modification, then by id; within a page the days, then the ids count;
- a resumption token is no handle on a list but a fresh query: all that the server remembers stands in it. It is an
  OFFSET (`skip`) into the list that begins on the last day shown. Whatever leaves that day between two pages moves
  the rest up, and as many records are passed over in silence;
- a list of one page has no token; the last of several has an empty one; there is no cursor and no size of the list.

Only arXivRaw is disseminated here, though all four of arXiv's formats are listed and ListIdentifiers takes each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import parse_qs, quote, unquote, urlencode
from xml.sax.saxutils import escape

from loopback import taxonomy
from loopback.papers import MadePaper
from loopback.records import FORMATS, ID_PREFIX, render_document, render_header, render_record, zulu

EARLIEST = date(2005, 9, 16)
_IDENTIFIER = re.compile(rf"{ID_PREFIX}(\d{{4}}\.\d{{4,5}}|[a-z-]+(\.[A-Z]{{2}})?/\d{{7}})(v\d+)?")
_LIST_ARGUMENTS = {"verb", "metadataPrefix", "from", "until", "set"}
_MEANINGS = {
    "badArgument": "An argument is missing, repeated, unknown or not in the right form.",
    "badResumptionToken": "This resumptionToken is not valid or no longer so.",
    "badVerb": "There is no such verb, none at all, or more than one.",
    "cannotDisseminateFormat": "The metadataPrefix is not one in which this is to be had.",
    "idDoesNotExist": "There is no record of this identifier here.",
    "noRecordsMatch": "Nothing fits from, until, set and metadataPrefix together.",
}


@dataclass(frozen=True, slots=True)
class Repository:
    """What a request is answered from: the papers by id, the server's clock and address, the sizes of its pages."""

    papers: Mapping[str, MadePaper]
    now: datetime
    base_url: str
    page_size: int = 2500
    identifiers_page_size: int = 20_000


class OaiError(Exception):
    """An error of the protocol; `attributes` are those of the request that it repeats."""

    def __init__(self, code: str, reason: str, attributes: Mapping[str, str] | None = None) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
        self.attributes = dict(attributes or {})


@dataclass(frozen=True, slots=True)
class _Listing:
    """A list request once its arguments are read; `query` is what request element and token repeat."""

    first: datetime
    last: datetime
    wanted_set: str | None
    skip: int
    resumed: bool
    query: dict[str, str] = field(default_factory=dict)


def respond(pairs: Sequence[tuple[str, str]], repository: Repository) -> str:
    """Return the document that answers these arguments, in the order and number in which they came."""
    try:
        arguments = _read_once(pairs)
        verb = _VERBS.get(arguments.get("verb", ""))
        if verb is None:
            raise OaiError("badVerb", "verb not known")
        return verb(arguments, repository)
    except OaiError as error:
        return render_error(error, repository)


def render_error(error: OaiError, repository: Repository) -> str:
    """Return an error as the whole document that arXiv sends, with HTTP 200."""
    text = f"{_MEANINGS[error.code]} Reason: {error.reason}"
    return _document(error.attributes, f"    <error code='{error.code}'>{escape(text)}</error>", repository)


def encode_token(query: Mapping[str, str], skip: int) -> str:
    """Return a query and an offset as a resumption token: a query string, percent-encoded as a whole."""
    kept = {name: value for name, value in query.items() if name != "resumptionToken"}
    return quote(urlencode({**kept, "skip": skip}))


def decode_token(token: str) -> tuple[dict[str, str], int]:
    """Return the query and the offset of a token.

    Raises:
        OaiError: badResumptionToken.
    """
    query = {name: values[0] for name, values in parse_qs(unquote(token)).items()}
    skip = query.pop("skip", "")
    if not skip.isdigit():
        raise OaiError("badResumptionToken", "token without an offset")
    return query, int(skip)


def _read_once(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    arguments = dict(pairs)
    if len(arguments) != len(pairs):
        raise OaiError("badArgument", "repeated argument")
    return arguments


# The verbs


def _identify(arguments: dict[str, str], repository: Repository) -> str:
    _insist(arguments, {"verb"})
    inside = f"""    <Identify>
        <repositoryName>arXiv</repositoryName>
        <baseURL>{escape(repository.base_url)}</baseURL>
        <protocolVersion>2.0</protocolVersion>
        <adminEmail>help@arxiv.org</adminEmail>
        <earliestDatestamp>{EARLIEST}</earliestDatestamp>
        <deletedRecord>persistent</deletedRecord>
        <granularity>YYYY-MM-DD</granularity>
    </Identify>"""
    return _document(arguments, inside, repository)


def _list_metadata_formats(arguments: dict[str, str], repository: Repository) -> str:
    _insist(arguments, {"verb"}, {"verb", "identifier"})
    if "identifier" in arguments:
        _read_identifier(arguments["identifier"])
    formats = "".join(
        f"        <metadataFormat><metadataPrefix>{prefix}</metadataPrefix><schema>{schema}</schema>"
        f"<metadataNamespace>{namespace}</metadataNamespace></metadataFormat>\n"
        for prefix, (schema, namespace) in FORMATS.items()
    )
    inside = f"    <ListMetadataFormats>\n{formats}    </ListMetadataFormats>"
    return _document(arguments, inside, repository)


def _list_sets(arguments: dict[str, str], repository: Repository) -> str:
    _insist(arguments, {"verb"})
    sets = "".join(
        f"        <set><setSpec>{spec}</setSpec><setName>{spec.rpartition(':')[2]}</setName></set>\n"
        for spec in taxonomy.list_sets()
    )
    return _document(arguments, f"    <ListSets>\n{sets}    </ListSets>", repository)


def _get_record(arguments: dict[str, str], repository: Repository) -> str:
    _insist(arguments, {"verb", "identifier", "metadataPrefix"})
    arxiv_id = _read_identifier(arguments["identifier"])
    query = {"verb": "GetRecord", "identifier": arguments["identifier"]}
    _insist_on_raw(arguments["metadataPrefix"], query)
    paper = repository.papers.get(arxiv_id)
    if paper is None:
        raise OaiError("idDoesNotExist", "no such paper", arguments)
    inside = f"    <GetRecord>\n{render_record(paper)}    </GetRecord>"
    return _document({**query, "metadataPrefix": "arXivRaw"}, inside, repository)


def _list_records(arguments: dict[str, str], repository: Repository) -> str:
    listing = _read_listing(arguments, repository)
    return _render_list(listing, repository, repository.page_size, render_record)


def _list_identifiers(arguments: dict[str, str], repository: Repository) -> str:
    listing = _read_listing(arguments, repository)
    return _render_list(listing, repository, repository.identifiers_page_size, render_header)


_VERBS: dict[str, Callable[[dict[str, str], Repository], str]] = {
    "Identify": _identify,
    "ListMetadataFormats": _list_metadata_formats,
    "ListSets": _list_sets,
    "GetRecord": _get_record,
    "ListRecords": _list_records,
    "ListIdentifiers": _list_identifiers,
}


# Arguments


def _insist(arguments: dict[str, str], *allowed: set[str]) -> None:
    if set(arguments) not in allowed:
        raise OaiError("badArgument", f"arguments for this verb: {', '.join(sorted(allowed[-1]))}")


def _insist_on_raw(prefix: str, query: Mapping[str, str]) -> None:
    if prefix != "arXivRaw":
        raise OaiError("cannotDisseminateFormat", f"format {prefix} not known", query)


def _read_identifier(identifier: str) -> str:
    match = _IDENTIFIER.fullmatch(identifier)
    if match is None:
        raise OaiError("idDoesNotExist", "not an identifier of arXiv")
    return match[1]


def _read_listing(arguments: dict[str, str], repository: Repository) -> _Listing:
    asked, skip = _open_token(arguments) if "resumptionToken" in arguments else (arguments, 0)
    if "metadataPrefix" not in asked or set(asked) - _LIST_ARGUMENTS:
        raise OaiError("badArgument", f"metadataPrefix is needed; allowed are {', '.join(sorted(_LIST_ARGUMENTS))}")
    told: dict[str, str] = {name: arguments[name] for name in ("verb", "resumptionToken") if name in arguments}
    if arguments["verb"] == "ListRecords" or asked["metadataPrefix"] not in FORMATS:
        _insist_on_raw(asked["metadataPrefix"], told)
    query = {**told, **{name: asked[name] for name in ("metadataPrefix", "from", "until", "set") if asked.get(name)}}
    first, last = _read_dates(query, repository.now)
    wanted = query.get("set")
    if wanted is not None and wanted not in taxonomy.list_sets():
        raise OaiError("badArgument", "no such set")
    return _Listing(first, last, wanted, skip, "resumptionToken" in arguments, query)


def _open_token(arguments: dict[str, str]) -> tuple[dict[str, str], int]:
    _insist(arguments, {"verb", "resumptionToken"})
    asked, skip = decode_token(arguments["resumptionToken"])
    if asked.get("verb") != arguments["verb"]:
        raise OaiError("badResumptionToken", "token of another verb", arguments)
    return asked, skip


def _read_dates(query: Mapping[str, str], now: datetime) -> tuple[datetime, datetime]:
    first = _read_day(query["from"]) if "from" in query else EARLIEST
    last = _read_day(query["until"]) if "until" in query else now.date()
    start = datetime.combine(first, time(), UTC)
    end = datetime.combine(last, time(23, 59, 59), UTC)
    if start > end:
        raise OaiError("badArgument", "until before from")
    if first < EARLIEST:
        raise OaiError("badArgument", f"from before {EARLIEST}")
    # The last second of `until` counts, so that tomorrow is too late at any hour of today but the last second.
    if end > now + timedelta(days=1):
        raise OaiError("badArgument", "until in the future")
    return start, end


def _read_day(text: str) -> date:
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError as error:
        raise OaiError("badArgument", "days are written YYYY-MM-DD") from error


# Lists


def _render_list(listing: _Listing, repository: Repository, limit: int, render: Callable[[MadePaper], str]) -> str:
    found = _select(listing, repository)[listing.skip : listing.skip + limit + 1]
    if not found:
        raise OaiError("noRecordsMatch", "nothing to list", listing.query)
    shown = sorted(found[:limit], key=lambda paper: (paper.datestamp, paper.arxiv_id))
    token = "        <resumptionToken/>\n" if listing.resumed else ""
    query = listing.query
    if len(found) > limit:
        query, skip = _resume(listing, shown, found[-1])
        expires = datetime.combine(repository.now.date() + timedelta(days=1), time(), UTC)
        token = f"        <resumptionToken expirationDate='{zulu(expires)}'>{encode_token(query, skip)}"
        token += "</resumptionToken>\n"
    verb = listing.query["verb"]
    inside = f"    <{verb}>\n{''.join(map(render, shown))}{token}    </{verb}>"
    return _document(query, inside, repository)


def _select(listing: _Listing, repository: Repository) -> list[MadePaper]:
    inside = [
        paper
        for paper in repository.papers.values()
        if listing.first <= paper.modified_at <= listing.last
        and (listing.wanted_set is None or taxonomy.is_member(paper.categories, listing.wanted_set))
    ]
    return sorted(inside, key=lambda paper: (paper.modified_at, paper.arxiv_id))


def _resume(listing: _Listing, shown: list[MadePaper], following: MadePaper) -> tuple[dict[str, str], int]:
    """Return the query that goes on with `following`, and how many records it is to pass over.

    A page within one day goes on in the same list. One that ends on a later day than it began goes on in the list that
    begins on that later day; arXiv then shows that day as `from` in the request element as well.
    """
    day = following.datestamp
    if shown[0].datestamp == day:
        return listing.query, listing.skip + len(shown)
    return {**listing.query, "from": day.isoformat()}, sum(paper.datestamp == day for paper in shown)


def _document(attributes: Mapping[str, str], inside: str, repository: Repository) -> str:
    return render_document(attributes, inside, now=repository.now, base_url=repository.base_url)
