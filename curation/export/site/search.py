"""The search's index: a script that assigns one constant, so that it is read from a file as well as from a server."""

from __future__ import annotations

import json

from curation.evidence import Evidence
from curation.export.knowledge import Knowledge
from curation.export.site.addresses import page_of, place_of


def render_index(knowledge: Knowledge) -> str:
    """Return the index: of each phenomenon code, title, claim, keywords, maturity and page; of each paper id, title,
    authors, page with place, and how it bears on what. Papers are the newest first.

    It is ASCII without `<`, so that no text in it ends the script, a line or the page.
    """
    document = {
        "phenomena": [
            [one.code, one.title, one.statement, " ".join(one.keywords), one.maturity.value, page_of(one.code)]
            for one in (entry.phenomenon for entry in knowledge.entries)
        ],
        "papers": _papers(knowledge),
    }
    text = json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return f"globalThis.BMP_INDEX={text.replace('<', chr(92) + 'u003c')};\n"


def _papers(knowledge: Knowledge) -> list[list[str]]:
    found: dict[str, list[Evidence]] = {}
    for entry in knowledge.entries:
        for piece in (*entry.evidence, *entry.under_review):
            found.setdefault(piece.arxiv_id, []).append(piece)
    ordered = sorted(found.values(), key=lambda pieces: (pieces[0].published, pieces[0].arxiv_id), reverse=True)
    return [_paper(pieces) for pieces in ordered]


def _paper(pieces: list[Evidence]) -> list[str]:
    newest = max(pieces, key=lambda piece: piece.version)
    place = f"{page_of(pieces[0].phenomenon)}#{place_of(newest.arxiv_id)}"
    bearing = ", ".join(f"{piece.stance.value} {piece.phenomenon}" for piece in pieces)
    return [newest.arxiv_id, newest.title, ", ".join(newest.authors), place, f"{bearing} · {newest.published[:4]}"]
