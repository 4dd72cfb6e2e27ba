"""The public metadata snapshot of arXiv: JSON lines, one paper a line, plain or gzip.

Form: https://www.kaggle.com/datasets/Cornell-University/arxiv (CC0). A line is read with a check of its categories
first, because most lines of the whole file are of other fields.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from datetime import date
from io import BufferedIOBase
from itertools import islice
from pathlib import Path
from typing import Any

from crawler.sources.oai_parse import parse_version_date, parse_version_number, split_authors
from crawler.sources.source import Page
from crawler.sources.tex import decode_accents
from crawler.sources.withdrawal import says_withdrawn
from db.errors import AnswerError, SourceError, UsageError
from db.records import Malformed, Paper
from db.text import clean_line, parse_arxiv_id

LINES_PER_PAGE = 2_000
LONGEST_LINE_BYTES = 4 * 1024 * 1024


class SnapshotSource:
    """Reads a snapshot from where it was left: the cursor is the number of lines kept, for this very file."""

    def __init__(self, path: Path, categories: Sequence[str], *, since: date | None = None) -> None:
        if not path.is_file():
            raise UsageError(f"there is no file {path}", "name the snapshot: JSON lines, plain or .gz")
        self._path = path
        self._categories = frozenset(categories)
        self._since = since

    @property
    def name(self) -> str:
        """Return `snapshot`."""
        return "snapshot"

    def parts(self) -> Sequence[str]:
        """Return the one part: the file as it is now, and what is taken of it."""
        facts = self._path.stat()
        taken = " ".join(sorted(self._categories)) + (f" since {self._since}" if self._since else "")
        return [f"{self._path.resolve()} {facts.st_size} {facts.st_mtime_ns} {taken}"]

    def start(self, cursor: str | None, since: date | None, first_asked: date | None = None) -> str:
        """Return the number of lines that were kept before."""
        return cursor or "0"

    def asked(self, part: str, start: str) -> str:
        """Return in words what is read."""
        return f"{self._path.name} from line {int(start) + 1}"

    def pages(self, part: str, start: str) -> Iterator[Page]:
        """Yield pages of `LINES_PER_PAGE` lines; `received` counts the lines in the categories.

        Raises:
            SourceError: the file is cut off or damaged; what was yielded before stands.
        """
        number, received = int(start), 0
        with _open(self._path) as file:
            try:
                lines = islice(_lines(file), number, None)
                while batch := list(islice(lines, LINES_PER_PAGE)):
                    number += len(batch)
                    page = self._page(batch, number)
                    received += page.received
                    yield page
            except (EOFError, OSError, zlib.error) as error:
                raise SourceError(
                    f"{self._path.name} is damaged after line {number}: {error}", "fetch it again"
                ) from error
        yield Page((), cursor="0", promised=received)  # the whole was read: the next time begins anew

    def _page(self, lines: Sequence[bytes], number: int) -> Page:
        papers: list[Paper] = []
        malformed: list[Malformed] = []
        for line in lines:
            try:
                paper = self._paper(line)
            except AnswerError as error:
                malformed.append(Malformed(None, None, error.message, line))
                continue
            if paper is not None:
                papers.append(paper)
        return Page(tuple(papers), tuple(malformed), len(papers) + len(malformed), cursor=f"{number:012d}")

    def _paper(self, line: bytes) -> Paper | None:
        if not line.strip():
            return None
        record = _parse_line(line)
        if self._categories and self._categories.isdisjoint(_text(record, "categories").split()):
            return None
        paper = parse_snapshot_record(record)
        too_old = self._since is not None and paper.datestamp is not None and paper.datestamp < self._since
        return None if too_old else paper


def _open(path: Path) -> BufferedIOBase:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else path.open("rb")


def _lines(file: BufferedIOBase) -> Iterator[bytes]:
    while line := file.readline(LONGEST_LINE_BYTES):
        yield line


def _parse_line(line: bytes) -> dict[str, Any]:
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
    arxiv_id = parse_arxiv_id(_text(record, "id"))
    if arxiv_id is None:
        raise AnswerError("the line has no valid arXiv id")
    title, abstract = decode_accents(clean_line(_text(record, "title"))), _text(record, "abstract")
    if not title:
        raise AnswerError("the line has no title")
    versions = record.get("versions")
    if not isinstance(versions, list) or not versions:
        raise AnswerError("the line has no versions")
    dates = [parse_version_date(_text(version, "created")) for version in versions]
    comments = clean_line(_text(record, "comments")) or None
    abstract = decode_accents(clean_line(abstract))
    return Paper(
        arxiv_id=arxiv_id,
        version=parse_version_number(_text(versions[-1], "version")),
        title=title,
        abstract=abstract,
        authors=_authors(record),
        categories=tuple(clean_line(_text(record, "categories")).split()),
        published_at=dates[0],
        updated_at=dates[-1],
        datestamp=_datestamp(record),
        comments=comments,
        journal_ref=clean_line(_text(record, "journal-ref")) or None,
        doi=clean_line(_text(record, "doi")) or None,
        license=clean_line(_text(record, "license")) or None,
        withdrawn=says_withdrawn(comments, abstract),
    )


def _text(record: Any, name: str) -> str:
    """Return a field as text: the snapshot writes null for what is not known."""
    value = record.get(name) if isinstance(record, dict) else None
    if value is not None and not isinstance(value, str):
        raise AnswerError(f"'{name}' is not text")
    return value or ""


def _authors(record: dict[str, Any]) -> tuple[str, ...]:
    parsed = record.get("authors_parsed")
    if not isinstance(parsed, list) or not parsed:
        return split_authors(_text(record, "authors"))
    if not all(isinstance(name, list) for name in parsed):
        raise AnswerError("'authors_parsed' is not a list of names")
    names = [" ".join(str(part) for part in (*name[1:2], *name[:1], *name[2:3]) if part) for name in parsed]
    return tuple(clean_line(decode_accents(name)) for name in names)


def _datestamp(record: dict[str, Any]) -> date | None:
    text = _text(record, "update_date")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise AnswerError(f"'{clean_line(text)[:40]}' is not a date") from None
