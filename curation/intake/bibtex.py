"""BibTeX and BibLaTeX, as arXiv, DBLP, Google Scholar, Zotero, JabRef and this program's own export write it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bibtexparser.exceptions import ParserStateException, ParsingException
from bibtexparser.library import Library
from bibtexparser.middlewares import RemoveEnclosingMiddleware, ResolveStringReferencesMiddleware
from bibtexparser.model import Block, DuplicateBlockKeyBlock, DuplicateFieldKeyBlock, Entry, ParsingFailedBlock
from bibtexparser.splitter import Splitter
from pylatexenc.latex2text import LatexNodes2Text

from curation.intake.records import Listed, Reading, make_listed
from db.errors import UsageError
from db.text import clean_line

# Where an id may stand, the surest first.
_TELLING = (
    "eprint", "url", "howpublished", "journal", "journaltitle", "number", "booktitle", "publisher", "school",
    "institution", "series", "ee", "link", "pdf", "file", "extra",
)  # fmt: skip
_BARE = ("arxivid", "arxiv", "eprint")
_NOTES = ("note", "annote", "annotation", "addendum")
_LONGEST_TEX = 2000  # characters; a title or a note of more is not read as TeX


def parse_bibtex(text: str, name: str) -> Reading:
    """Return the papers of a BibTeX file; an entry that cannot be read is told of, and costs no other.

    Raises:
        UsageError: the file holds no entry at all.
    """
    try:
        with _silence():
            library = Splitter(text).split()
            entries = _resolve(library)
    except (ParsingException, ParserStateException) as error:
        raise UsageError(f"{name} is not read as BibTeX: {clean_line(str(error))[:160]}") from None
    faults = [_tell_fault(block) for block in library.blocks if type(block) is ParsingFailedBlock]
    if not entries and not faults:
        raise UsageError(f"{name} holds no entry of BibTeX", "each begins with a line such as '@misc{key,'")
    return Reading(tuple(entries), tuple(faults))


def _resolve(library: Library) -> list[Listed]:
    """Return the entries with `@string` put in and without what encloses values.

    Entries that have a key or a field twice are taken too: papers are known by their ids.
    """
    keys: list[str] = []
    whole = Library([*library.strings])
    for block in library.blocks:
        entry = _entry_of(block)
        if entry is not None:
            keys.append(str(entry.key).strip())
            entry.key = str(len(keys))  # a library holds each key once
            whole.add(entry)
    for middleware in (ResolveStringReferencesMiddleware(), RemoveEnclosingMiddleware()):
        whole = middleware.transform(whole)
    return [_read_entry(entry, key) for entry, key in zip(whole.entries, keys, strict=True)]


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the library from telling on stderr what is told as faults."""
    logger, handler = logging.getLogger("bibtexparser"), logging.NullHandler()
    before = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = before
        logger.removeHandler(handler)


def _entry_of(block: Block) -> Entry | None:
    """Return the entry of a block, also of one that has a key or a field twice: papers are known by their ids."""
    if isinstance(block, (DuplicateBlockKeyBlock, DuplicateFieldKeyBlock)):
        within = block.ignore_error_block
        return _entry_of(within) if within is not None else None
    return block if isinstance(block, Entry) else None


def _tell_fault(block: Block) -> str:
    first = clean_line((block.raw or "").split("\n")[0])[:60]
    return f"line {(block.start_line or 0) + 1}: '{first}' is an entry that does not end as it should"


def _read_entry(entry: Entry, key: str) -> Listed:
    fields: dict[str, str] = {}
    for field in entry.fields:
        fields.setdefault(field.key.lower(), str(field.value))
    return make_listed(
        f"entry {key}" if key else f"line {(entry.start_line or 0) + 1}",
        title=parse_tex(fields.get("title", "")),
        bare=_bare_ids(fields),
        telling=[fields[name] for name in _TELLING if name in fields],
        prose=[fields[name] for name in _NOTES if name in fields],
        doi=fields.get("doi", ""),
        key=key,
        notes=[parse_tex(fields[name]) for name in _NOTES if name in fields],
        labels=re.split(r"[,;]", fields.get("keywords", "") or fields.get("keyword", "")),
    )


def _bare_ids(fields: Mapping[str, str]) -> list[str]:
    """Return what may be a bare id: `eprint`, of old ids with the archive beside it; the volume of a CoRR article."""
    names: tuple[str, ...] = _BARE
    prefix = (fields.get("archiveprefix") or fields.get("eprinttype") or "arxiv").lower()
    if prefix != "arxiv":
        names = tuple(name for name in _BARE if name != "eprint")
    found = [fields[name].strip("{} ") for name in names if name in fields]
    archive = (fields.get("primaryclass") or fields.get("eprintclass") or "").partition(".")[0]
    if "eprint" in names and archive and "eprint" in fields:
        found.append(f"{archive}/{found[-1]}")
    return [*found, fields.get("volume", "").strip().removeprefix("abs/")]


def parse_tex(text: str) -> str:
    """Return the text of a field as it prints; as it was typed, where it is not read as TeX."""
    if not re.search(r"[\\{}~$]", text) or len(text) > _LONGEST_TEX:
        return text
    try:
        printed = LatexNodes2Text(math_mode="verbatim").latex_to_text(text, tolerant_parsing=True)
    except Exception:  # it may raise anything on what is no TeX
        return text
    return str(printed)
