"""RIS: one record for each paper that is evidence for anything, for reference managers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from curation.evidence import Evidence
from curation.export.knowledge import Knowledge
from curation.export.papers import find_doi, group_papers
from curation.ris import render_records

# RIS has no type for preprints. Zotero's translator reads GEN, and what it does not know, as an article in a journal; a
# report has fields for the institution (PB), the number (SN) and the kind (M3).
_TYPE = "RPRT"
_PARTICLES = frozenset(
    "af al bin da dal de del della den der di do dos du el la le ten ter van vom von zu zum zur".split()
)
_SUFFIXES = frozenset({"jr", "jr.", "sr", "sr.", "ii", "iii", "iv"})


def render_ris(knowledge: Knowledge) -> str:
    """Return the papers that are evidence as RIS, oldest first; abstracts are not published.

    A paper is told by the newest of its revisions that was decided on; each note (N1) says what it is evidence for,
    the keywords (KW) are the codes and stances. Every value is one line, so that none can begin a tag of its own.
    """
    titles = {entry.phenomenon.code: entry.phenomenon.title for entry in knowledge.entries}
    records = [_record(pieces, titles) for pieces in group_papers(knowledge)]
    return render_records(records) if records else ""


def _record(pieces: Sequence[Evidence], titles: dict[str, str]) -> dict[str, Any]:
    newest = pieces[-1]
    is_arxiv = newest.url is not None
    fields = {
        "type_of_reference": _TYPE,
        "id": newest.arxiv_id,
        "title": newest.title,
        "authors": [invert_name(author) for author in newest.authors],
        "year": newest.published[:4],
        "date": newest.published.replace("-", "/"),
        "publisher": "arXiv" if is_arxiv else None,
        "type_of_work": "Preprint",
        "accession_number": newest.arxiv_id,
        "issn": f"arXiv:{newest.arxiv_id}" if is_arxiv else None,  # SN, of a report its number
        "doi": find_doi(newest.doi),
        "urls": [newest.url] if newest.url else [],
        "keywords": _keywords(pieces),
        "notes": [_note(piece, titles[piece.phenomenon]) for piece in pieces],
    }
    return {name: value for name, value in fields.items() if value}


def _keywords(pieces: Sequence[Evidence]) -> list[str]:
    """Return the codes, then the stances, each once; and whether the paper was withdrawn."""
    withdrawn = ["withdrawn"] if pieces[-1].withdrawn else []
    return [*dict.fromkeys(chain((one.phenomenon for one in pieces), (one.stance.value for one in pieces))), *withdrawn]


def _note(piece: Evidence, title: str) -> str:
    decided = f"decided on v{piece.version} by {piece.reviewer} on {piece.decided_at[:10]}"
    sentence = f': "{piece.sentence}"' if piece.sentence else ""
    return f"Evidence for {piece.phenomenon} {title} ({piece.stance.value}), {decided}{sentence}"


def invert_name(name: str) -> str:
    """Return a name as `Last, First`: `Laurens van der Maaten` is `van der Maaten, Laurens`.

    A name with a comma, or of one word, is left as it is.
    """
    words = name.split()
    suffix = [words.pop()] if len(words) > 2 and words[-1].lower() in _SUFFIXES else []
    if "," in name or len(words) < 2:
        return name
    start = len(words) - 1
    while start > 1 and words[start - 1] in _PARTICLES:
        start -= 1
    return ", ".join([" ".join(words[start:]), " ".join(words[:start]), *suffix])
