"""What goes out and what comes back: papers to screen, the labels on them, and a note to know a record again by."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from db.records import Stance, Verdict
from db.text import clean_line, clean_paragraphs, parse_arxiv_id
from db.times import from_text, to_text

Choice = TypeVar("Choice", bound=StrEnum)
Fields = dict[str, str]

_SENT = re.compile(r"BMP: (?=\{)")
_MARKS = re.compile(r"rayyan|asreview|[|<]", re.IGNORECASE)


class Fault(Exception):
    """What is wrong with a record."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What was known of a candidate when it went out; `verdict` and what follows are the decision in force, if any.

    `reopened_at` is when it was re-opened, if it waited for that.
    """

    phenomenon: str
    arxiv_id: str
    reopened_at: str | None = None
    verdict: Verdict | None = None
    stance: Stance | None = None
    reviewer: str | None = None
    decided_at: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """A paper on its way out."""

    sent: Sent
    title: str
    abstract: str
    authors: tuple[str, ...]
    published: str
    doi: str
    url: str
    journal: str
    keywords: tuple[str, ...]

    @property
    def key(self) -> str:
        """Return the paper's id as no program takes it for a number: 2001.08360 would come back as 2001.0836."""
        return f"arXiv:{self.sent.arxiv_id}"


@dataclass(frozen=True, slots=True)
class Label:
    """What a reviewer said of a record; None where the file does not tell by whom, how, why or when."""

    verdict: Verdict
    reviewer: str | None = None
    stance: Stance | None = None
    note: str | None = None
    decided_at: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A record of a file: where it stands, the paper it names, what it was when it went out, and its labels."""

    place: str
    title: str
    arxiv_id: str | None
    sent: Sent | None
    labels: tuple[Label, ...]


def render_sent(sent: Sent) -> str:
    """Return the note that a record carries: JSON, with nothing in it that a screening program would take for its own.

    ASReview takes a note that has `ASReview_relevant` anywhere in it for a label.
    """
    told = {
        "phenomenon": sent.phenomenon,
        "arxiv_id": sent.arxiv_id,
        "reopened_at": sent.reopened_at,
        "decision": sent.verdict,
        "stance": sent.stance,
        "reviewer": sent.reviewer,
        "decided_at": sent.decided_at,
        "note": sent.note,
    }
    text = json.dumps({name: value for name, value in told.items() if value}, ensure_ascii=False)
    return "BMP: " + _MARKS.sub(lambda found: f"\\u{ord(found[0][0]):04x}{found[0][1:]}", text)


def take_sent(notes: str) -> tuple[Sent | None, str]:
    """Return what `render_sent` wrote into the notes, or None, and the notes without it.

    Raises:
        Fault: it was changed since.
    """
    found = _SENT.search(notes)
    if found is None:
        return None, notes
    try:
        told, end = json.JSONDecoder().raw_decode(notes, found.end())
        sent = _parse_sent(told)
    except (ValueError, RecursionError):
        raise Fault("its note 'BMP: {…}' was changed and cannot be read") from None
    return sent, notes[: found.start()] + notes[end:]


def _parse_sent(told: dict[str, Any]) -> Sent:
    if not all(isinstance(value, str) for value in told.values()):
        raise ValueError
    arxiv_id = parse_arxiv_id(told.get("arxiv_id", ""))
    verdict, stance = told.get("decision"), told.get("stance")
    if arxiv_id is None or verdict == Verdict.SNOOZE:
        raise ValueError
    return Sent(
        clean_line(told.get("phenomenon", "")),
        arxiv_id,
        _moment(told.get("reopened_at")),
        Verdict(verdict) if verdict else None,
        Stance(stance) if stance else None,
        clean_line(told.get("reviewer", ""))[:100] or None,
        _moment(told.get("decided_at")),
        clean_paragraphs(told.get("note", "")) or None,
    )


def _moment(text: str | None) -> str | None:
    return to_text(from_text(text)) if text else None


def find_stance(words: list[str]) -> Stance | None:
    """Return the stance that labels or keywords name; of several, the last one."""
    named = [word.strip().lower() for word in words]
    return next((Stance(word) for word in reversed(named) if word in list(Stance)), None)
