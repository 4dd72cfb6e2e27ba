"""Reads OAI-PMH answers strictly: what is not exactly such an answer is none, and a record in doubt is malformed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime

from lxml import etree

from crawler.sources.tex import decode_accents
from crawler.sources.withdrawal import says_withdrawn
from crawler.sources.xml import parse_strictly
from db.errors import AnswerError
from db.records import Malformed, Paper
from db.text import clean_line, parse_arxiv_id

OAI = "{http://www.openarchives.org/OAI/2.0/}"
RAW = "{http://arxiv.org/OAI/arXivRaw/}"

_COUNT = re.compile(r"[0-9]{1,9}")
_VERSION = re.compile(r"v?([1-9][0-9]{0,3})")


@dataclass(frozen=True, slots=True)
class OaiAnswer:
    """What every answer to a list request has.

    Attributes:
        error: the protocol's error code, such as `noRecordsMatch`; None if there is none.
        token: what the next page is asked for with; None where the list ends.
    """

    response_day: date
    error: str | None = None
    error_text: str = ""
    token: str | None = None


@dataclass(frozen=True, slots=True)
class OaiPage(OaiAnswer):
    """One ListRecords answer.

    Attributes:
        papers: the usable records.
        malformed: the records that could not be read.
        other_identifiers: ids of records without a usable paper (deleted, malformed).
        days: the datestamps in the list's order, as text.
        received: how many records the answer holds.
        list_size: the list's full length, where the server tells it (arXiv does not).
    """

    papers: tuple[Paper, ...] = ()
    malformed: tuple[Malformed, ...] = ()
    other_identifiers: frozenset[str] = frozenset()
    days: tuple[str, ...] = ()
    received: int = 0
    list_size: int | None = None


def parse_list(body: bytes) -> OaiPage:
    """Read a ListRecords answer.

    Raises:
        AnswerError: the body is no well-formed OAI-PMH answer to such a request.
    """
    root, answer = open_answer(body)
    if answer.error:
        return OaiPage(answer.response_day, answer.error, answer.error_text)
    record_list = root.find(f"{OAI}ListRecords")
    if record_list is None:
        raise AnswerError("the answer is OAI-PMH, but has neither a list of records nor an error")
    return _read_list(record_list, answer.response_day)


def open_answer(body: bytes) -> tuple[etree._Element, OaiAnswer]:
    """Return an answer's root with its date and, where it has one, its error.

    Raises:
        AnswerError: the body is no well-formed OAI-PMH answer.
    """
    root = parse_strictly(body)
    if root.tag != f"{OAI}OAI-PMH":
        raise AnswerError(f"the answer is not OAI-PMH but <{clean_line(etree.QName(root).localname)[:40]}>")
    response_day = _response_day(root)
    error = root.find(f"{OAI}error")
    if error is None:
        return root, OaiAnswer(response_day)
    return root, OaiAnswer(response_day, error.get("code", "unknown"), clean_line(error.text or "")[:200])


def _response_day(root: etree._Element) -> date:
    text = (root.findtext(f"{OAI}responseDate") or "").strip()
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise AnswerError("the answer does not tell its date") from None


def _read_list(record_list: etree._Element, response_day: date) -> OaiPage:
    papers: list[Paper] = []
    malformed: list[Malformed] = []
    others: set[str] = set()
    days: list[str] = []
    records = record_list.findall(f"{OAI}record")
    for record in records:
        identifier = clean_line(record.findtext(f"{OAI}header/{OAI}identifier") or "")
        header = record.find(f"{OAI}header")
        datestamp = read_datestamp(header)
        if datestamp:
            days.append(datestamp.isoformat())
        try:
            paper = None if _is_deleted(header) else parse_record(record)
        except AnswerError as error:
            raw, version = etree.tostring(record), _newest_version(record)
            malformed.append(Malformed(identifier or None, datestamp, error.message, raw, version))
            paper = None
        if paper:
            papers.append(paper)
        else:
            others.add(identifier)
    return OaiPage(
        response_day,
        token=read_token(record_list),
        papers=tuple(papers),
        malformed=tuple(malformed),
        other_identifiers=frozenset(others),
        days=tuple(days),
        received=len(records),
        list_size=_list_size(record_list),
    )


def read_token(listed: etree._Element) -> str | None:
    """Return the resumption token of a list, None where it ends."""
    return (listed.findtext(f"{OAI}resumptionToken") or "").strip() or None


def _list_size(record_list: etree._Element) -> int | None:
    token = record_list.find(f"{OAI}resumptionToken")
    size = token.get("completeListSize", "") if token is not None else ""
    return int(size) if _COUNT.fullmatch(size) else None


def _is_deleted(header: etree._Element | None) -> bool:
    return header is not None and header.get("status") == "deleted"


def read_datestamp(header: etree._Element | None) -> date | None:
    """Return the day of a header, None where it has none that can be read."""
    text = (header.findtext(f"{OAI}datestamp") or "").strip() if header is not None else ""
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def parse_record(record: etree._Element) -> Paper:
    """Read one arXivRaw record.

    Raises:
        AnswerError: something is missing or does not hold; says what.
    """
    raw = record.find(f"{OAI}metadata/{RAW}arXivRaw")
    if raw is None:
        raise AnswerError("the record has no arXivRaw metadata")
    datestamp = read_datestamp(record.find(f"{OAI}header"))
    if datestamp is None:
        raise AnswerError("the record has no valid datestamp")
    arxiv_id = parse_arxiv_id(raw.findtext(f"{RAW}id") or "")
    if arxiv_id is None:
        raise AnswerError("the record has no valid arXiv id")
    versions = [_version(element) for element in raw.findall(f"{RAW}version")]
    if not versions:
        raise AnswerError("the record has no version")
    newest = max(versions, key=lambda version: version.number)
    comments = _optional(raw, "comments")
    abstract = _optional(raw, "abstract") or ""  # some old records have none
    return Paper(
        arxiv_id=arxiv_id,
        version=newest.number,
        title=decode_accents(_required(raw, "title")),
        abstract=decode_accents(abstract),
        authors=split_authors(_required(raw, "authors")),
        categories=tuple(_required(raw, "categories").split()),
        published_at=min(versions, key=lambda version: version.number).submitted_at,
        updated_at=newest.submitted_at,
        datestamp=datestamp,
        comments=comments,
        journal_ref=_optional(raw, "journal-ref"),
        doi=_optional(raw, "doi"),
        license=_optional(raw, "license"),
        withdrawn=newest.source_type == "I" or says_withdrawn(comments, abstract),
        tells_type=True,
    )


def _newest_version(record: etree._Element) -> int | None:
    """Return the newest version of a record that cannot be read whole, None where its versions are not sure either."""
    texts = [element.get("version", "") for element in record.iter(f"{RAW}version")]
    found = [_VERSION.fullmatch(text) for text in texts]
    return max((int(one[1]) for one in found if one), default=None) if all(found) else None


@dataclass(frozen=True, slots=True)
class _Version:
    number: int
    submitted_at: datetime
    source_type: str


def _version(element: etree._Element) -> _Version:
    return _Version(
        parse_version_number(element.get("version", "")),
        parse_version_date(element.findtext(f"{RAW}date") or ""),
        (element.findtext(f"{RAW}source_type") or "").strip(),
    )


def parse_version_number(text: str) -> int:
    """Read a version such as `v2`.

    Raises:
        AnswerError: it is none, or beyond v9999.
    """
    found = _VERSION.fullmatch(text)
    if found is None:
        raise AnswerError("a version has no number")
    return int(found[1])


def parse_version_date(text: str) -> datetime:
    """Read an RFC 822 date such as `Mon, 22 Oct 2018 22:41:50 GMT`, as a moment in UTC.

    Raises:
        AnswerError: it is none.
    """
    try:
        moment = parsedate_to_datetime(text.strip())
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise AnswerError(f"'{clean_line(text)[:40]}' is not a date") from None
    raise AnswerError(f"'{clean_line(text)[:40]}' has no time zone")


def _required(raw: etree._Element, name: str) -> str:
    text = clean_line(raw.findtext(f"{RAW}{name}") or "")
    if not text:
        raise AnswerError(f"the record has no {name}")
    return text


def _optional(raw: etree._Element, name: str) -> str | None:
    return clean_line(raw.findtext(f"{RAW}{name}") or "") or None


_AFFILIATION = re.compile(r"\s*\((?:[^()]|\([^()]*\))*\)")
_BETWEEN_AUTHORS = re.compile(r"\s*,(?!\s*(?:Jr|Sr|II|III|IV)\b)\s*(?:and\s+)?|\s+and\s+")


def split_authors(text: str) -> tuple[str, ...]:
    """Split arXiv's one string of authors into names, without affiliations in brackets, accents in Unicode."""
    names = _BETWEEN_AUTHORS.split(_AFFILIATION.sub("", decode_accents(text)))
    return tuple(name for name in (clean_line(name.replace("{", "").replace("}", "")) for name in names) if name)
