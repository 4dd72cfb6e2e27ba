"""One line of arXiv's metadata snapshot as a paper."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from crawler.sources.oai_parse import parse_version_date, parse_version_number, split_authors
from crawler.sources.tex import decode_accents
from crawler.sources.withdrawal import says_withdrawn
from db.errors import AnswerError
from db.records import Paper
from db.text import clean_line, parse_arxiv_id


def parse_line(line: bytes) -> dict[str, Any]:
    """Read one line as a JSON object.

    Raises:
        AnswerError: it is none.
    """
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise AnswerError("the line is not JSON") from None
    if not isinstance(record, dict):
        raise AnswerError("the line is not a JSON object")
    return record


def parse_snapshot_record(record: dict[str, Any]) -> Paper:
    """Read one object of the snapshot.

    Raises:
        AnswerError: something is missing or does not hold; says what.
    """
    arxiv_id = parse_arxiv_id(read_text(record, "id"))
    if arxiv_id is None:
        raise AnswerError("the line has no valid arXiv id")
    title, abstract = decode_accents(clean_line(read_text(record, "title"))), read_text(record, "abstract")
    if not title:
        raise AnswerError("the line has no title")
    versions = record.get("versions")
    if not isinstance(versions, list) or not versions:
        raise AnswerError("the line has no versions")
    dates = [parse_version_date(read_text(version, "created")) for version in versions]
    comments = clean_line(read_text(record, "comments")) or None
    abstract = decode_accents(clean_line(abstract))
    return Paper(
        arxiv_id=arxiv_id,
        version=parse_version_number(read_text(versions[-1], "version")),
        title=title,
        abstract=abstract,
        authors=_authors(record),
        categories=tuple(clean_line(read_text(record, "categories")).split()),
        published_at=dates[0],
        updated_at=dates[-1],
        datestamp=_datestamp(record),
        comments=comments,
        journal_ref=clean_line(read_text(record, "journal-ref")) or None,
        doi=clean_line(read_text(record, "doi")) or None,
        license=clean_line(read_text(record, "license")) or None,
        withdrawn=says_withdrawn(comments, abstract),
    )


def read_text(record: Any, name: str) -> str:
    """Return a field as text: the snapshot writes null for what is not known.

    Raises:
        AnswerError: it is something else than text.
    """
    value = record.get(name) if isinstance(record, dict) else None
    if value is not None and not isinstance(value, str):
        raise AnswerError(f"'{name}' is not text")
    return value or ""


def _authors(record: dict[str, Any]) -> tuple[str, ...]:
    parsed = record.get("authors_parsed")
    if not isinstance(parsed, list) or not parsed:
        return split_authors(read_text(record, "authors"))
    if not all(isinstance(name, list) for name in parsed):
        raise AnswerError("'authors_parsed' is not a list of names")
    names = [" ".join(str(part) for part in (*name[1:2], *name[:1], *name[2:3]) if part) for name in parsed]
    return tuple(clean_line(decode_accents(name)) for name in names)


def _datestamp(record: dict[str, Any]) -> date | None:
    text = read_text(record, "update_date")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise AnswerError(f"'{clean_line(text)[:40]}' is not a date") from None
