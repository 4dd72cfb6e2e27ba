"""The papers that are evidence for anything, each once, as formats for citing tell them."""

from __future__ import annotations

import re
from itertools import groupby

from curation.evidence import Evidence
from curation.export.knowledge import Knowledge

_DOI = re.compile(r"10\.\d{4,9}/[-._;()/:A-Za-z0-9]+")  # crossref.org/blog/dois-and-matching-regular-expressions


def group_papers(knowledge: Knowledge) -> list[list[Evidence]]:
    """Return the evidence by paper, oldest paper first; of each paper by revision, then in the catalogue's order."""

    def paper(piece: Evidence) -> tuple[str, str]:
        return piece.published, piece.arxiv_id

    groups = groupby(sorted(knowledge.evidence, key=paper), paper)
    return [sorted(pieces, key=lambda piece: piece.version) for _, pieces in groups]


def find_doi(doi: str | None) -> str | None:
    """Return a DOI if it is one."""
    return doi if doi and _DOI.fullmatch(doi) else None
