"""The public metadata snapshot of arXiv: JSON lines, one paper a line, plain or gzip.

Form: https://www.kaggle.com/datasets/Cornell-University/arxiv (CC0). A line's bytes are looked through for its
categories before it is parsed, because most lines of the whole file are of other fields.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path

from crawler.sources.snapshot_lines import CategoryTest, LineReader
from crawler.sources.snapshot_parse import parse_line, parse_snapshot_record, read_text
from crawler.sources.source import Page
from db.errors import AnswerError, SourceError, UsageError
from db.records import Malformed, Paper

LINES_PER_PAGE = 2_000

_CURSOR = "byte {:015d}"


class SnapshotParser:
    """Turns lines into papers of the wanted categories; it holds plain values only, so that it can be sent away."""

    def __init__(self, categories: Sequence[str], since: date | None = None) -> None:
        """Take the wanted categories, none for all, and the day before which a record is too old."""
        self.categories = frozenset(categories)
        self.since = since
        self._test = CategoryTest(self.categories)

    def select(self, lines: Iterable[bytes]) -> list[bytes]:
        """Return the lines that have to be parsed."""
        may_hold = self._test.may_hold
        return [line for line in lines if may_hold(line)]

    def parse(self, lines: Iterable[bytes]) -> tuple[list[Paper], list[Malformed]]:
        """Return the wanted papers of the lines, and the lines that could not be read.

        A broken line counts where it names a wanted category or does not even look like a JSON object.
        """
        papers: list[Paper] = []
        malformed: list[Malformed] = []
        for line in self.select(lines):
            try:
                paper = self._parse(line)
            except AnswerError as error:
                malformed.append(Malformed(None, None, error.message, line))
                continue
            if paper is not None:
                papers.append(paper)
        return papers, malformed

    def _parse(self, line: bytes) -> Paper | None:
        if not line.strip():
            return None
        record = parse_line(line)
        if self.categories and self.categories.isdisjoint(read_text(record, "categories").split()):
            return None
        paper = parse_snapshot_record(record)
        too_old = self.since is not None and paper.datestamp is not None and paper.datestamp < self.since
        return None if too_old else paper


class SnapshotSource:
    """Reads a snapshot from where it was left: the cursor is the place in this very file's text."""

    def __init__(self, path: Path, categories: Sequence[str], *, since: date | None = None) -> None:
        if not path.is_file():
            raise UsageError(f"there is no file {path}", "name the snapshot: JSON lines, plain or .gz")
        self._path = path
        self._parser = SnapshotParser(categories, since)

    @property
    def name(self) -> str:
        """Return `snapshot`."""
        return "snapshot"

    def parts(self) -> Sequence[str]:
        """Return the one part: the file as it is now, and what is taken of it."""
        facts = self._path.stat()
        since = f" since {self._parser.since}" if self._parser.since else ""
        taken = " ".join(sorted(self._parser.categories)) + since
        return [f"{self._path.resolve()} {facts.st_size} {facts.st_mtime_ns} {taken}"]

    def start(self, cursor: str | None, since: date | None, first_asked: date | None = None) -> str:
        """Return the place that was reached before."""
        return cursor or "0"

    def asked(self, part: str, start: str) -> str:
        """Return in words what is read."""
        return f"{self._path.name} from byte {cursor_offset(start)}"

    def pages(self, part: str, start: str) -> Iterator[Page]:
        """Yield pages of `LINES_PER_PAGE` lines; `received` counts the lines in the categories.

        Raises:
            SourceError: the file is cut off or damaged; what was yielded before stands.
        """
        received, facts = 0, self.parts()
        with LineReader(self._path) as reader:
            try:
                for _ in reader.skip_to(cursor_offset(start)):
                    yield Page((), read=reader.share)
                while lines := reader.read_lines(LINES_PER_PAGE):
                    papers, malformed = self._parser.parse(lines)
                    count = len(papers) + len(malformed)
                    received += count
                    yield Page(
                        tuple(papers), tuple(malformed), count, cursor=make_cursor(reader.offset), read=reader.share
                    )
            except (EOFError, OSError, zlib.error) as error:
                raise damaged(self._path, reader.offset, error) from error
            self.require_same(facts)
            # The whole was read: the next time begins anew.
            yield Page((), cursor="0", promised=received, read=reader.share)

    def require_same(self, facts: Sequence[str]) -> None:
        """Refuse to take a file for whole that is another one by now.

        Args:
            facts: its `parts` when reading began.

        Raises:
            SourceError: it changed while it was read.
        """
        if facts != self.parts():
            raise SourceError(f"{self._path.name} changed while it was read", "run it again when it is whole")


def make_cursor(offset: int) -> str:
    """Return the cursor of a place in a snapshot's text."""
    return _CURSOR.format(offset)


def cursor_offset(cursor: str) -> int:
    """Return the place that a cursor tells; one that counts lines tells none, and reading begins anew."""
    word, _, digits = cursor.partition(" ")
    return int(digits) if word == "byte" else 0


def damaged(path: Path, offset: int, error: Exception) -> SourceError:
    """Return what is told of a file that cannot be read beyond a place in its text."""
    return SourceError(f"{path.name} is damaged after byte {offset} of its text: {error}", "fetch it again")
