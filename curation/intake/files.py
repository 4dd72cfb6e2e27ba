"""The file that a list comes in: read up to a limit, and its bytes as text."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import BinaryIO

from curation.intake.zotero_sqlite import MAGIC
from db.errors import UsageError

MOST_BYTES = 64 * 2**20  # of a list in text
MOST_DATABASE_BYTES = 2**30
STDIN = "-"


def read_list(file: Path, stdin: BinaryIO) -> bytes:
    """Return the bytes of a file, or of what comes on stdin where it is `-`.

    Raises:
        UsageError: it cannot be read, or is larger than any list.
    """
    if str(file) == STDIN:
        return _read_limited(stdin, "what comes on stdin")
    try:
        with file.open("rb") as opened:
            return _read_limited(opened, str(file))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UsageError(f"cannot read {file}: {reason}", "name a file, or - for stdin") from error


def _read_limited(opened: BinaryIO, name: str) -> bytes:
    content = opened.read(len(MAGIC))
    most = MOST_DATABASE_BYTES if content.startswith(MAGIC) else MOST_BYTES
    content += opened.read(most - len(content) + 1)
    if len(content) > most:
        raise UsageError(f"{name} is larger than {most // 2**20} MiB", "take the list apart")
    return content


def decode(content: bytes, name: str) -> str:
    """Return a file's bytes as text with plain line ends: UTF-8, or UTF-16 that says so itself.

    Raises:
        UsageError: they are neither; names the line.
    """
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{name}, line {line}: this is not text in UTF-8", "save it as UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
