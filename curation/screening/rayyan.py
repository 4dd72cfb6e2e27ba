"""Rayyan's columns and notes, as its exports have them: what reviewers said stands in the notes of a record.

`RAYYAN-INCLUSION: {"Ada"=>"Included", "Bo"=>"Maybe"} | RAYYAN-LABELS: a,b | RAYYAN-EXCLUSION-REASONS: c |
USER-NOTES: {"Ada"=>["d"]}`. The columns are those of https://github.com/rayyansys/rayyan-formats-plugins.
"""

from __future__ import annotations

import json
import re

from curation.screening.records import Fault, Fields, Item, Label, Sent, find_stance, render_sent
from db.records import Stance, Verdict
from db.text import clean_line, clean_paragraphs

COLUMNS = (
    "key", "title", "year", "month", "day", "journal", "issn", "volume", "issue", "pages", "authors", "url", "language",
    "publisher", "location", "abstract", "notes", "doi", "keywords",
)  # fmt: skip
_VERDICTS = {"included": Verdict.ACCEPT, "excluded": Verdict.REJECT, "maybe": Verdict.MAYBE}
_WORDS = {verdict: word.capitalize() for word, verdict in _VERDICTS.items()}

_TEXT = r'"(?:[^"\\]|\\.)*"'
_NEXT = r"(?:\s*,)?\s*"
_TEXTS = rf"\[\s*(?:{_TEXT}{_NEXT})*\]"
_PARTS = re.compile(
    rf"RAYYAN-INCLUSION:\s*(?:\{{\s*(?P<inclusion>(?:{_TEXT}\s*=>\s*{_TEXT}{_NEXT})*)\}}|(?P<broken>.{{0,20}}))"
    rf"|USER-NOTES:\s*(?:\{{\s*(?P<user_notes>(?:{_TEXT}\s*=>\s*{_TEXTS}{_NEXT})*)\}}|(?P<loose>[^|\n]*))"
    r"|RAYYAN-LABELS:(?P<labels>[^|\n]*)|RAYYAN-EXCLUSION-REASONS:(?P<reasons>[^|\n]*)"
)
_SAID = re.compile(rf"(?P<name>{_TEXT})\s*=>\s*(?P<word>{_TEXT})")
_NOTED = re.compile(rf"(?P<name>{_TEXT})\s*=>\s*(?P<notes>{_TEXTS})")


def csv_fields(item: Item) -> Fields:
    """Return a paper by Rayyan's columns."""
    year, month, day = item.published.split("-")
    return {
        "key": item.key,
        "title": item.title,
        "year": year,
        "month": month,
        "day": day,
        "journal": item.journal,
        "authors": " and ".join(item.authors),
        "url": item.url,
        "abstract": item.abstract,
        "notes": " | ".join(ris_notes(item)),
        "doi": item.doi,
        "keywords": ";".join(item.keywords),
    }


def ris_notes(item: Item) -> list[str]:
    """Return the notes of a paper: the label as Rayyan writes it, and what to know the record again by."""
    sent = item.sent
    notes = []
    if sent.verdict is not None:
        notes.append(f'RAYYAN-INCLUSION: {{{_quote(sent.reviewer or "")}=>"{_WORDS[sent.verdict]}"}}')
    if sent.stance is not None:
        notes.append(f"RAYYAN-LABELS: {sent.stance}")
    return [*notes, render_sent(sent)]


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def read_labels(fields: Fields, notes: str, sent: Sent | None) -> tuple[Label, ...]:
    """Return the labels of a record, one for each reviewer who gave one.

    Args:
        notes: the record's notes without what this program wrote.

    Raises:
        Fault: the notes are not as Rayyan writes them.
    """
    said: dict[str, Verdict] = {}
    noted: dict[str, list[str]] = {}
    labels: list[str] = fields.get("keywords", "").split(";")
    reasons: list[str] = []
    loose: list[str] = []  # notes that do not tell whose they are
    for part in _PARTS.finditer(notes):
        if part["broken"] is not None:
            raise Fault(f'RAYYAN-INCLUSION is \'{clean_line(part["broken"])}\', not {{"reviewer"=>"Included"}}')
        said |= {_name(one["name"]): _verdict(one["word"]) for one in _SAID.finditer(part["inclusion"] or "")}
        for one in _NOTED.finditer(part["user_notes"] or ""):
            noted.setdefault(_name(one["name"]), []).extend(map(_unquote, re.findall(_TEXT, one["notes"])))
        labels += (part["labels"] or "").split(",")
        reasons += [reason.strip() for reason in (part["reasons"] or "").split(",") if reason.strip()]
        loose += [part["loose"]] if part["loose"] else []
    stance = find_stance(labels)
    return tuple(
        _label(name, verdict, sent, stance, [*_why(verdict, reasons), *noted.get(name, []), *loose])
        for name, verdict in said.items()
    )


def _label(name: str, verdict: Verdict, sent: Sent | None, stance: Stance | None, notes: list[str]) -> Label:
    """Return a label: as it went out, if this reviewer and verdict did."""
    stance = stance if verdict is Verdict.ACCEPT else None
    if sent is not None and (sent.reviewer, sent.verdict) == (name, verdict):
        return Label(verdict, name, stance or sent.stance, sent.note, sent.decided_at)
    return Label(verdict, name or None, stance, clean_paragraphs("\n".join(notes)) or None)


def _why(verdict: Verdict, reasons: list[str]) -> list[str]:
    return ["; ".join(reasons)] if verdict is Verdict.REJECT and reasons else []


def _name(quoted: str) -> str:
    return clean_line(_unquote(quoted))[:100]


def _unquote(quoted: str) -> str:
    try:
        return str(json.loads(quoted, strict=False))
    except ValueError:  # an escape that JSON does not know
        return quoted[1:-1]


def _verdict(quoted: str) -> Verdict:
    word = _unquote(quoted)
    verdict = _VERDICTS.get(word.strip().lower())
    if verdict is None:
        raise Fault(f"RAYYAN-INCLUSION says '{clean_line(word)[:20]}', not Included, Excluded or Maybe")
    return verdict
