"""ASReview's columns and notes, as version 3.0 reads and writes them (its modules data.base, data.ris, webapp)."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

from curation.screening.records import Fault, Fields, Item, Label, Sent, find_stance, render_sent
from db.records import Stance, Verdict
from db.text import clean_line, clean_paragraphs
from db.times import to_text

COLUMNS = (
    "arxiv_id", "title", "abstract", "authors", "year", "date", "doi", "url", "journal", "keywords", "notes",
    "included",
)  # fmt: skip
# The columns that ASReview takes for the label; its own comes first.
LABEL_COLUMNS = (
    "asreview_label", "included", "label", "final_included", "label_included", "included_label", "included_final",
    "included_flag", "include",
)  # fmt: skip
_LABELS = {
    "1": Verdict.ACCEPT, "1.0": Verdict.ACCEPT, "yes": Verdict.ACCEPT, "y": Verdict.ACCEPT,
    "0": Verdict.REJECT, "0.0": Verdict.REJECT, "no": Verdict.REJECT, "n": Verdict.REJECT,
    "": None, "-1": None, "-1.0": None,
}  # fmt: skip
_INCLUDED = {Verdict.ACCEPT: "1", Verdict.REJECT: "0"}  # it has no maybe
_RIS_NOTES = {"1": "ASReview_relevant", "0": "ASReview_irrelevant", "": "ASReview_not_seen"}
_RIS_LABELS = {note: label for label, note in _RIS_NOTES.items()}
_RIS_COLUMN = re.compile(r"(asreview_\w+): (.*)", re.ASCII)
_TAG = re.compile(r"asreview_tag_.*_([a-z]+)")


def csv_fields(item: Item) -> Fields:
    """Return a paper by ASReview's columns; others are kept by it and come back."""
    return {
        "arxiv_id": item.key,
        "title": item.title,
        "abstract": item.abstract,
        "authors": ";".join(item.authors),
        "year": item.published[:4],
        "date": item.published,
        "doi": item.doi,
        "url": item.url,
        "journal": item.journal,
        "keywords": ";".join(item.keywords),
        "notes": render_sent(item.sent),
        "included": _included(item),
    }


def ris_notes(item: Item) -> list[str]:
    """Return the notes of a paper in RIS: the label as ASReview writes it, and what to know the record again by."""
    return [_RIS_NOTES[_included(item)], render_sent(item.sent)]


def _included(item: Item) -> str:
    return _INCLUDED.get(item.sent.verdict, "") if item.sent.verdict else ""


def spread_ris_notes(fields: Fields) -> Fields:
    """Return a record of RIS with the columns that ASReview writes as notes."""
    found = {"asreview_label": ""}
    for line in fields.get("notes", "").splitlines():
        note = line.strip().removeprefix("<p>").removesuffix("</p>")  # Zotero puts these around notes
        if note in _RIS_LABELS:
            found["asreview_label"] = _RIS_LABELS[note]
        elif column := _RIS_COLUMN.fullmatch(note):
            found[column[1]] = _read_json(column[2])
    return fields | found


def _read_json(text: str) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return "" if value is None else str(value)


def read_labels(fields: Fields, notes: str, sent: Sent | None) -> tuple[Label, ...]:
    """Return the label of a record, if it has one.

    A label that ASReview says nobody of its own gave and that is as it went out is still that of whoever decided
    then. Else it is that of ASReview's user, or of whoever imports.

    Args:
        notes: the record's notes without what this program wrote.

    Raises:
        Fault: the label is not one of ASReview's.
    """
    column = next(name for name in LABEL_COLUMNS if name in fields)
    text = fields[column].strip().lower()
    if text not in _LABELS:
        raise Fault(f"{column} is '{clean_line(text)[:20]}', not 1, 0 or nothing")
    verdict = _LABELS[text]
    if verdict is None:
        return ()
    user = clean_line(fields.get("asreview_user_name", ""))[:100] or None
    named = _named_stance(fields) if verdict is Verdict.ACCEPT else None
    if sent is not None and sent.verdict is verdict and user in (None, sent.reviewer):
        return (Label(verdict, sent.reviewer, named or sent.stance, sent.note, sent.decided_at),)
    note = clean_paragraphs(fields.get("asreview_note", "")) or None
    return (Label(verdict, user, named, note, _moment(fields.get("asreview_time", ""))),)


def _named_stance(fields: Fields) -> Stance | None:
    """Return the stance that a checked tag or a keyword names; the tag counts first."""
    tags = [found[1] for name, value in fields.items() if value in ("1", "1.0") and (found := _TAG.fullmatch(name))]
    return find_stance([*fields.get("keywords", "").split(";"), *tags])


def _moment(text: str) -> str | None:
    """Return ASReview's time (UTC, as `2026-11-24 06:30:00`) as the record keeps times, or None for any other text."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return to_text(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
