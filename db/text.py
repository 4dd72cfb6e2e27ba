"""Cleans what comes from outside: nothing that could move a cursor, hide a word or break a line is kept."""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Iterator

from db.errors import UsageError

_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_WHITE = re.compile(r"\s+")
_UNPRINTABLE = re.compile(r"[^ -~]")  # and what is not ASCII
_NEW_STYLE_ID = re.compile(r"(?P<id>\d{2}(?:0[1-9]|1[0-2])\.\d{4,5})(?:v[1-9]\d*)?", re.ASCII)
_OLD_STYLE_ID = re.compile(r"(?P<archive>[a-z]+(?:-[a-z]+)*)(?:\.[A-Z]{2})?/(?P<number>\d{7})(?:v[1-9]\d*)?", re.ASCII)
_ID_PREFIX = re.compile(
    r"^(?:https?://(?:www\.|export\.)?arxiv\.org/(?:abs|pdf|html)/|oai:arXiv\.org:|arXiv:)", re.IGNORECASE
)
# https://info.arxiv.org/help/doi.html: an arXiv DOI is 10.48550/arXiv. and the id without its version. Beside arXiv's
# own pages those that show its papers under the same id: ar5iv, alphaXiv, Hugging Face.
_ID_IN_TEXT = re.compile(
    r"(?:(?:arxiv|ar5iv|alphaxiv)\.org/(?:abs|pdf|html|format|e-print|ps|src|overview)/(?:arxiv:)?"
    r"|(?:huggingface\.co|hf\.co)/papers/|10\.48550/arxiv\.|arxiv:\s{0,3})"
    r"([a-z-]+(?:\.[a-z]{2})?/\d{7}|\d{4}\.\d{4,5})(?!\d)",
    re.ASCII | re.IGNORECASE,
)


def show_score(score: float, decimals: int = 2) -> str:
    """Return a score, cut and not rounded: 0.997 is no certainty."""
    unit = 10**decimals
    return f"{math.floor(score * unit + 1e-9) / unit:.{decimals}f}"


def clean_line(text: str) -> str:
    """Return the text as one line: no control, format, bidi or surrogate characters, white space folded to blanks."""
    if not (text.isascii() and text.isprintable()):
        text = _UNPRINTABLE.sub(lambda found: _keep(found.group()), text)
    return _WHITE.sub(" ", text).strip()


def _keep(character: str) -> str:
    if unicodedata.category(character) not in _UNSAFE_CATEGORIES:
        return character
    return " " if character.isspace() else ""


def clean_paragraphs(text: str) -> str:
    """Like `clean_line`, but keeps line ends: for notes that people write."""
    return "\n".join(clean_line(line) for line in text.splitlines()).strip()


def text_hash(title: str, abstract: str) -> str:
    """Return the hash that a revision's text is known by."""
    return hash_text(f"{title}\n{abstract}")


def hash_text(text: str) -> str:
    """Return the SHA-256 of the text's UTF-8 bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def parse_arxiv_id(text: str) -> str | None:
    """Return the arXiv id in `text` without its version, or None.

    Takes ids of both styles, with or without version, also as an abs, pdf or html address, an OAI identifier or behind
    `arXiv:`. The subject class of old ids is dropped: `math.CA/0611800v2` is `math/0611800`
    (https://info.arxiv.org/help/arxiv_identifier_for_services.html).
    """
    bare = _ID_PREFIX.sub("", text.strip()).removesuffix(".pdf")
    if new := _NEW_STYLE_ID.fullmatch(bare):
        return new["id"]
    if old := _OLD_STYLE_ID.fullmatch(bare):
        return f"{old['archive']}/{old['number']}"
    return None


def find_arxiv_id(text: str) -> str | None:
    """Return the first arXiv id that stands in `text` as an address, a DOI of arXiv's, or behind `arXiv:`; or None."""
    return next(_iterate_ids(text), None)


def find_arxiv_ids(text: str) -> list[str]:
    """Like `find_arxiv_id`, but return all of them, each once, in their order."""
    return list(dict.fromkeys(_iterate_ids(text)))


def _iterate_ids(text: str) -> Iterator[str]:
    for found in _ID_IN_TEXT.finditer(text):
        if arxiv_id := parse_arxiv_id(found[1]) or parse_arxiv_id(found[1].lower()):
            yield arxiv_id


def require_arxiv_id(text: str) -> str:
    """Like `parse_arxiv_id`.

    Raises:
        UsageError: the text is not an arXiv id.
    """
    arxiv_id = parse_arxiv_id(text)
    if arxiv_id is None:
        raise UsageError(f"'{clean_line(text)[:60]}' is not an arXiv id", "write it as 2001.08361 or hep-th/9901001")
    return arxiv_id


def find_words(text: str, words: str) -> str | None:
    """Return the first part of a text that has these words one after the other, whatever white space parts them."""
    wanted = words.split()
    found = re.search(r"\s+".join(map(re.escape, wanted)), text) if wanted else None
    return found.group() if found else None
