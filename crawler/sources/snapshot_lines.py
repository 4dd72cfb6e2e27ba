"""The lines of a snapshot, plain or gzip, from any place of its text on, and which of them are worth parsing."""

from __future__ import annotations

import gzip
import re
from collections.abc import Collection, Iterator
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import IO, cast

LONGEST_LINE_BYTES = 4 * 1024 * 1024
SKIP_BYTES = 64 * 1024 * 1024  # unpacked at once on the way to where reading begins

_GZIP = b"\x1f\x8b"
_ESCAPED_ASCII = re.compile(rb"\\u00[2-7]")
_ENDS = (b"}\n", b"}", b"}\r\n")


class LineReader:
    """An open snapshot. `offset` is the place in its text where the next line is read: its bytes, unpacked.

    Reading raises EOFError, OSError or zlib.error where the file is cut off or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.offset = 0
        self._size_bytes = path.stat().st_size
        self._raw = path.open("rb")
        self._packed = self._raw.read(len(_GZIP)) == _GZIP
        self._raw.seek(0)
        # A BufferedReader's lines are found in C, those of a GzipFile are not.
        self._file: IO[bytes] = (
            BufferedReader(cast("IO[bytes]", gzip.GzipFile(fileobj=self._raw)), 1024 * 1024)  # type: ignore[type-var]
            if self._packed
            else self._raw
        )

    def __enter__(self) -> LineReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._raw.close()

    @property
    def is_packed(self) -> bool:
        """Tell whether the file is gzip."""
        return self._packed

    @property
    def share(self) -> tuple[int, int]:
        """Return how many bytes of the file were read, packed ones where it is packed, and how many it has."""
        return self._raw.tell(), self._size_bytes

    def skip_to(self, offset: int) -> Iterator[None]:
        """Go on to a place in the text, step by step: a packed file must be unpacked up to there."""
        if not self._packed:
            self._raw.seek(offset)
            self.offset = offset
            yield
        while self.offset < offset and (piece := self._file.read(min(SKIP_BYTES, offset - self.offset))):
            self.offset += len(piece)
            yield

    def read_line(self) -> bytes:
        """Return the next line or, of one beyond `LONGEST_LINE_BYTES`, the next piece; nothing at the end."""
        line = self._file.readline(LONGEST_LINE_BYTES)
        self.offset += len(line)
        return line

    def read_lines(self, limit: int) -> list[bytes]:
        """Return the next lines, none at the end; one beyond `LONGEST_LINE_BYTES` comes in pieces."""
        lines = list(islice(iter(lambda: self._file.readline(LONGEST_LINE_BYTES), b""), limit))
        self.offset += sum(map(len, lines))
        return lines


_CATEGORIES = re.compile(rb'"categories"\s*:\s*"')


class CategoryTest:
    """Tells from a line's bytes whether it has to be parsed, for parsing costs many times as much.

    What is passed over is written as a JSON object and names none of the categories: parsed, it would be left out, too,
    unless it is broken inside.
    """

    def __init__(self, categories: Collection[str]) -> None:
        """Take the wanted categories; none lets every line be parsed."""
        self._names = [name.encode() for name in sorted(categories)]

    def may_hold(self, line: bytes) -> bool:
        """Tell whether a line may be of a wanted category, or does not look like a JSON object."""
        for name in self._names:
            if name in line:
                return True
        if not self._names or not line.startswith(b"{") or not line.endswith(_ENDS):
            return True
        if _CATEGORIES.search(line) is None:
            return True
        # A name can be spelled with escapes, and in an encoding of two or four bytes a character.
        return b"\0" in line or (b"\\u00" in line and _ESCAPED_ASCII.search(line) is not None)
