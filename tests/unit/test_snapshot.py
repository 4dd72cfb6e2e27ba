"""The snapshot: what is passed over unparsed would be left out anyway, and reading goes on from any cursor."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.sources import snapshot
from crawler.sources.snapshot import SnapshotParser, SnapshotSource
from db.errors import SourceError

WANTED = ("cs.LG", "stat.ML")


def make_line(number: int, categories: str) -> bytes:
    """Return one line of a snapshot."""
    record = {
        "id": f"2601.{number:05d}",
        "title": f"On grokking, part {number}",
        "abstract": "  It comes\nlate.",
        "authors": "Ada Lovelace",
        "categories": categories,
        "versions": [{"version": "v1", "created": "Mon, 5 Jan 2026 10:00:00 GMT"}],
    }
    return json.dumps(record).encode() + b"\n"


LINES = [make_line(number, ("cs.LG", "math.CO", "hep-th stat.ML", "cs.CV")[number % 4]) for number in range(40)]


class _ParsesAll:
    def may_hold(self, line: bytes) -> bool:
        """Pass nothing over."""
        return True


@given(
    st.lists(st.sampled_from(["cs.LG", "stat.ML", "math.CO", "cs.LG2", "cs"]), max_size=3),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]),
    st.booleans(),
    st.sampled_from(["\n", "\r\n", "", " \n"]),
)
def test_what_is_passed_over_would_have_been_left_out(
    categories: list[str], encoding: str, escaped: bool, end: str
) -> None:
    text = make_line(7, " ".join(categories)).decode().strip()
    if escaped:
        text = text.replace("cs.", "\\u0063s.").replace("stat", "st\\u0061t")
    line = (text + end).encode(encoding)
    careful, plain = SnapshotParser(WANTED), SnapshotParser(WANTED)
    plain._test = _ParsesAll()  # type: ignore[assignment]
    assert careful.parse([line]) == plain.parse([line])


@pytest.mark.parametrize(
    ("line", "counted"),
    [
        (b'{"categories": "cs.LG", "title": \n', True),
        (b'{"categories": "math.CO", "title": \n', True),
        (b"what is this\n", True),
        (b'{"categories": "cs.LG" "title": 1}\n', True),
        (b'{"categories": "math.CO" "title": 1}\n', False),
        (b"\n", False),
    ],
)
def test_a_broken_line_counts_unless_it_looks_like_one_of_another_field(line: bytes, counted: bool) -> None:
    _, malformed = SnapshotParser(WANTED).parse([line])
    assert bool(malformed) == counted


@pytest.fixture(params=["plain", "packed"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a snapshot that is read in pages of six lines."""
    monkeypatch.setattr(snapshot, "LINES_PER_PAGE", 6)
    text = b"".join(LINES)
    made = tmp_path / "snapshot"
    made.write_bytes(gzip.compress(text) if request.param == "packed" else text)
    return made


def test_reading_from_any_cursor_brings_what_is_left(path: Path) -> None:
    source = SnapshotSource(path, WANTED)
    pages = [page for page in source.pages("", "0") if page.cursor]
    ids = [[paper.arxiv_id for paper in page.papers] for page in pages]
    assert sum(map(len, ids)) == 20
    cursors = [page.cursor or "" for page in pages[:-1]]
    assert cursors == sorted(cursors)
    for place, cursor in enumerate(cursors):
        later = [page for page in source.pages("", cursor) if page.cursor]
        assert [[paper.arxiv_id for paper in page.papers] for page in later] == ids[place + 1 :]


def test_how_far_it_is_grows_up_to_the_size_of_the_file(path: Path) -> None:
    shares = [page.read for page in SnapshotSource(path, WANTED).pages("", "0")]
    told = [share[0] for share in shares if share]
    assert told == sorted(told)
    assert shares[-1] == (path.stat().st_size, path.stat().st_size)


def test_a_file_that_changes_while_it_is_read_is_not_taken_for_whole(path: Path) -> None:
    source = SnapshotSource(path, WANTED)
    pages = source.pages(source.parts()[0], "0")
    next(pages)
    os.utime(path, (1, 1))
    with pytest.raises(SourceError, match="changed while it was read"):
        list(pages)


def test_a_file_that_is_cut_off_is_told(tmp_path: Path) -> None:
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(b"".join(LINES))[:-20])
    with pytest.raises(SourceError, match="damaged after byte"):
        list(SnapshotSource(cut, WANTED).pages("", "0"))
