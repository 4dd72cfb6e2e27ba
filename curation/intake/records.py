"""What a list says of a paper, whatever its format, and what a file came to when it was read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from curation.intake.html import render_plain
from curation.screening.records import find_stance
from db.records import Stance
from db.text import clean_line, clean_paragraphs, find_arxiv_id, parse_arxiv_id

LONGEST_TITLE = 300  # characters
LONGEST_NOTE = 500
_LONGEST_RAW = 20_000
# crossref.org/blog/dois-and-matching-regular-expressions
# What Zotero writes for a note beside an arXiv paper; it says nothing that the id does not.
_ID_ALONE = re.compile(
    r"(?:arxiv (?:preprint|e-prints?),? )?(?:arxiv:\s*|(?:https?://)?(?:www\.)?arxiv\.org/(?:abs|pdf)/)\S+"
    r"(?:\s+\[[^\]]*\])?(?:\s+version:? ?\d+)?\.?",
    re.IGNORECASE,
)
_DOI = re.compile(r"10\.\d{4,9}/[^\s\"<>{}]+")


@dataclass(frozen=True, slots=True)
class Listed:
    """A paper of a list.

    Attributes:
        place: where it stands: a line, or the program's own name for the entry.
        arxiv_id: without version; None where the list does not tell it.
        doi: in small letters, without address.
        key: what the list calls the entry by, if anything.
        note: what the list says of it, cleaned and cut.
        stance: what a keyword or tag says, if one does.
        sections: the headings or collections that it stands under, the outermost first.
    """

    place: str
    arxiv_id: str | None
    title: str
    doi: str | None = None
    key: str | None = None
    note: str | None = None
    stance: Stance | None = None
    sections: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return what to call it before a person."""
        return self.title or self.key or self.doi or self.place


@dataclass(frozen=True, slots=True)
class Reading:
    """The papers of a file in its order, and what could not be read, each with its place."""

    entries: tuple[Listed, ...]
    faults: tuple[str, ...] = ()


def make_listed(
    place: str,
    *,
    title: str,
    bare: Sequence[str] = (),
    telling: Sequence[str] = (),
    prose: Sequence[str] = (),
    doi: str = "",
    key: str = "",
    notes: Iterable[str] = (),
    labels: Sequence[str] = (),
    sections: Sequence[str] = (),
) -> Listed:
    """Return an entry from the fields of a program's record.

    Args:
        bare: texts that are an arXiv id and nothing else, if they are any.
        telling: texts in which an id may stand as an address, as a DOI or behind `arXiv:`; the surest first.
        prose: texts that may be an id alone; one among words is another paper's, which this one speaks of.
        notes: what a person wrote, with or without HTML.
        labels: keywords or tags, one of which may be a stance.
    """
    return Listed(
        clean_line(place),
        _find_id((*bare, *_take_lone(prose)), (*bare, doi, *telling)),
        clean_line(title[:_LONGEST_RAW])[:LONGEST_TITLE],
        find_doi(doi) or next(filter(None, map(find_doi, telling)), None),
        clean_line(key)[:LONGEST_TITLE] or None,
        join_notes(notes),
        find_stance(list(labels)),
        tuple(filter(None, (clean_line(section)[:LONGEST_TITLE] for section in sections))),
    )


def _take_lone(prose: Iterable[str]) -> list[str]:
    """Return the ids that stand alone in a line of a text."""
    lines = (line for text in prose for line in render_plain(text[:_LONGEST_RAW]).splitlines())
    return [found for line in lines if _ID_ALONE.fullmatch(line.strip()) and (found := find_arxiv_id(line))]


def _find_id(bare: Sequence[str], telling: Sequence[str]) -> str | None:
    found = (parse_arxiv_id(text) for text in bare)
    return next(filter(None, found), None) or next(filter(None, map(find_arxiv_id, telling)), None)


def find_doi(text: str) -> str | None:
    """Return the first DOI in a text, in small letters, as they do not tell capitals apart; or None."""
    found = _DOI.search(text)
    return found[0].rstrip(".,;:)]'").lower() if found else None


def join_notes(notes: Iterable[str]) -> str | None:
    """Return what a list says of a paper as plain text, cut; None where it says nothing."""
    plain = (clean_paragraphs(render_plain(note[:_LONGEST_RAW])) for note in notes)
    lines = "\n".join(plain).split("\n")
    text = "\n".join(line for line in lines if line and not _ID_ALONE.fullmatch(line))
    return (text if len(text) <= LONGEST_NOTE else text[: LONGEST_NOTE - 1].rstrip() + "…") or None
