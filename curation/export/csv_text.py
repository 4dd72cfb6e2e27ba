"""CSV: one row for each piece of evidence, for spreadsheets."""

from __future__ import annotations

import csv
import io

from curation.evidence import Evidence
from curation.export.knowledge import Entry, Knowledge

COLUMNS = (
    "phenomenon", "aspect", "group", "phenomenon_title", "arxiv_id", "version", "title", "authors", "published",
    "url", "stance", "sentence", "note", "reviewer", "decided_at", "score", "ranker_version", "withdrawn",
)  # fmt: skip

# Spreadsheets take a field that begins so for a formula, some of them the full-width forms too (CWE-1236).
_FORMULA_STARTS = tuple("=+-@\t\r\n\0＝＋－＠")  # noqa: RUF001


def render_csv(knowledge: Knowledge) -> str:
    """Return the evidence as CSV by RFC 4180: a header, CR LF at line ends, fields quoted where they must be.

    A text that a spreadsheet would take for a formula gets a `'` in front; JSON is the format that keeps it as it is.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for entry in knowledge.entries:
        writer.writerows(_fields(entry, piece) for piece in entry.evidence)
    return out.getvalue()


def guard_formula(text: str) -> str:
    """Return the text with a `'` in front if a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _fields(entry: Entry, piece: Evidence) -> list[str]:
    texts = (
        entry.phenomenon.code, entry.phenomenon.aspect.value, entry.phenomenon.group, entry.phenomenon.title,
        piece.arxiv_id, str(piece.version), piece.title, "; ".join(piece.authors), piece.published,
        piece.url, piece.stance.value, piece.sentence, piece.note, piece.reviewer, piece.decided_at,
    )  # fmt: skip
    return [
        *(guard_formula(text or "") for text in texts),
        _number(piece.score),
        guard_formula(piece.ranker_version or ""),
        "true" if piece.withdrawn else "false",
    ]


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)
