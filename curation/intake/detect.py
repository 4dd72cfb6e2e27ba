"""Which format a list is in, and its papers."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import PurePath

from curation.intake.files import decode
from curation.intake.records import Reading
from curation.intake.zotero_sqlite import MAGIC
from db.errors import UsageError

_HEAD_BYTES = 65_536
_ENDINGS = {"bib": "bibtex", "biblatex": "bibtex", "ris": "ris", "rdf": "zotero", "sqlite": "zotero", "json": "zotero",
            "csv": "zotero", "md": "markdown", "markdown": "markdown"}  # fmt: skip
# What tells a format; of several, the one that stands first in a file.
_SIGNS = {
    "zotero": re.compile(r"<rdf:RDF\b|\A\s*[\[{]\s*[{\"\]]|\A\"?Key\"?,\"?Item Type\"?", re.IGNORECASE),
    "ris": re.compile(r"^TY  - ?\w", re.MULTILINE),
    "bibtex": re.compile(r"^[ \t]*@[ \t]*[a-z]+[ \t]*[{(]", re.MULTILINE | re.IGNORECASE),
    "markdown": re.compile(r"\]\(\s*<?https?://", re.IGNORECASE),
}


class Format(StrEnum):
    """The formats of lists."""

    IDS = "ids"
    BIBTEX = "bibtex"
    RIS = "ris"
    ZOTERO = "zotero"
    MARKDOWN = "markdown"


NAMES = {
    Format.IDS: "list of ids", Format.BIBTEX: "BibTeX", Format.RIS: "RIS", Format.ZOTERO: "Zotero",
    Format.MARKDOWN: "Markdown",
}  # fmt: skip


def detect_format(content: bytes, name: str) -> Format:
    """Return the format of a file: by what it begins with where that is sure, else by its name, else by its text."""
    if content.startswith(MAGIC):
        return Format.ZOTERO
    if ending := _ENDINGS.get(PurePath(name).suffix[1:].lower()):
        return Format(ending)
    head = content[:_HEAD_BYTES].decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "replace")
    head = head.removeprefix("\ufeff").replace("\r\n", "\n")
    found = {format_: sign.start() for format_, one in _SIGNS.items() if (sign := one.search(head))}
    return Format(min(found, key=lambda format_: found[format_])) if found else Format.IDS


def parse_list(content: bytes, name: str, format_: Format) -> Reading:
    """Return the papers of a list.

    Raises:
        UsageError: it is not in this format, or holds no entry.
    """
    reading = _parse(content, name, format_)
    if not reading.entries and not reading.faults:
        raise UsageError(f"{name} holds no paper, read as {NAMES[format_]}", "name its format with --format")
    return reading


def _parse(content: bytes, name: str, format_: Format) -> Reading:
    """Read a list; each format's library is loaded only where it is used."""
    if format_ is Format.ZOTERO:
        from curation.intake.zotero import parse_zotero

        return parse_zotero(content, name)
    text = decode(content, name)
    if format_ is Format.BIBTEX:
        from curation.intake.bibtex import parse_bibtex

        return parse_bibtex(text, name)
    if format_ is Format.RIS:
        from curation.intake.ris import parse_ris

        return parse_ris(text, name)
    if format_ is Format.MARKDOWN:
        from curation.intake.markdown import parse_markdown

        return parse_markdown(text, name)
    from curation.intake.ids import parse_ids

    return parse_ids(text)
