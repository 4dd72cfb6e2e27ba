"""How a good answer is spoilt: changes to the text of OAI-PMH, Atom and RSS, and to the bytes that are sent."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from loopback.answer import Answer

TITLE = re.compile(r"(?<=<title>)(?=[^<])")
ENTRY = re.compile(
    r"<record>.*?</record>|<header(?: [^>]*)?>.*?</header>|<entry>.*?</entry>|<item>.*?</item>", re.DOTALL
)
_TOKEN = re.compile(r"<resumptionToken[^>]*?(/>|>.*?</resumptionToken>)")
_ROOT = re.compile(r"<([A-Za-z][^\s/>]*)")
_BLANKS = b" " * 65_535 + b"\n"
_GZIP = 16 + zlib.MAX_WBITS


def pad(body: bytes, size_bytes: int) -> Iterator[bytes]:
    """Yield a document with so many bytes of blanks before the end tag of its root."""
    head, tag, root = body.rpartition(b"</")
    yield head
    for done in range(0, size_bytes, len(_BLANKS)):
        yield _BLANKS[: size_bytes - done]
    yield tag + root


def squeeze(pieces: Iterator[bytes]) -> bytes:
    """Return the pieces as one gzip member."""
    squeezer = zlib.compressobj(wbits=_GZIP)
    return b"".join([*map(squeezer.compress, pieces), squeezer.flush()])


def edit(good: Answer, change: Callable[[str], str]) -> Answer:
    """Return the answer with its text changed."""
    return replace(good, body=change(good.body.decode()).encode())


def refer(good: Answer, entities: list[str], reference: str) -> Answer:
    """Declare entities in a DTD, and put a reference to one into the first title, or else before the root's end."""

    def change(text: str) -> str:
        found = _ROOT.search(text)
        if found is None:
            return text
        root = found[1]
        head, begin, rest = text.partition(f"<{root}")
        titled, count = TITLE.subn(reference, rest, count=1)
        rest = titled if count else rest.replace(f"</{root}>", f"{reference}</{root}>")
        return f"{head}<!DOCTYPE {root} [\n{chr(10).join(entities)}\n]>\n{begin}{rest}"

    return edit(good, change)


def set_token(good: Answer, token: str, *, size: int | None = None) -> Answer:
    """Give a list of OAI-PMH this token, in place of its own or at its end; other answers have no token."""
    told = "" if size is None else f' completeListSize="{size}"'
    element = f"<resumptionToken{told}>{token}</resumptionToken>"

    def change(text: str) -> str:
        changed, count = _TOKEN.subn(element, text)
        return changed if count else re.sub(r"(?=</List(Records|Identifiers)>)", element, text)

    return edit(good, change)
