"""Decisions as a CSV file: out for a spreadsheet, in from one, all or nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import TypeVar

from db.candidates import require_candidate
from db.decisions import SEEN_DECISION, append_verdict
from db.errors import DecisionError, UsageError
from db.papers import find_known_ids, list_records
from db.phenomena import find_catalogue_version, list_all_phenomena
from db.records import Stance, Verdict
from db.store import Store
from db.text import clean_line, clean_paragraphs, find_words, parse_arxiv_id
from db.times import Clock, to_text

COLUMNS = ("phenomenon", "arxiv_id", "decision", "stance", "note", "reviewer", "decided_at", "until", "sentence")
_REQUIRED = ("phenomenon", "arxiv_id", "decision")
Choice = TypeVar("Choice", bound=StrEnum)

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class _Line:
    """One decision of a file, checked."""

    phenomenon: str
    arxiv_id: str
    verdict: Verdict
    stance: Stance | None
    note: str | None
    reviewer: str
    decided_at: str
    until: date | None
    sentence: str | None


def render_decisions(store: Store, *, mine: str | None = None) -> str:
    """Return the decisions in force as CSV (RFC 4180), oldest first; safe to open in a spreadsheet.

    Args:
        mine: only what this reviewer decided.
    """
    rows = store.rows(
        "SELECT c.phenomenon_code AS phenomenon, c.arxiv_id, d.kind AS decision, d.stance, d.note, d.reviewer,"
        f" d.decided_at, d.until, d.sentence FROM candidates c JOIN decisions d ON d.decision_id = {SEEN_DECISION}"
        " WHERE d.kind <> 'reopen' ORDER BY d.decided_at, c.arxiv_id, c.phenomenon_code",
        {"mine": mine},
    )
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([guard_field(row[name] or "") for name in COLUMNS])
    return out.getvalue()


def guard_field(text: str) -> str:
    """Keep a spreadsheet from taking text for a formula (CWE-1236)."""
    return f"'{text}" if text.startswith((*_FORMULA_STARTS, "'")) else text


def _unguard(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith((*_FORMULA_STARTS, "'")) else text


def import_decisions(store: Store, content: str, *, name: str, reviewer: str, clock: Clock) -> tuple[int, int]:
    """Append the decisions of a CSV file; return how many were added, and how many were there already.

    A paper that was never queued may be decided, but it must be stored. Reviewer and time may be left out: then they
    are the importing reviewer and now.

    Args:
        name: what messages call the file.

    Raises:
        UsageError: a line does not hold; names it. Nothing is imported then.
        DecisionError: a paper is not stored; names the line. Nothing is imported then.
    """
    lines = _parse(store, content, name, reviewer, to_text(clock()))
    added = 0
    with store.transaction():
        catalogue = find_catalogue_version(store)
        for line in lines:
            added += _append(store, line, catalogue)
    return added, len(lines) - added


def _parse(store: Store, content: str, name: str, reviewer: str, now: str) -> list[_Line]:
    reader = csv.DictReader(io.StringIO(content.removeprefix("\ufeff"), newline=""), strict=True)
    header = _read_header(reader, name)
    if missing := [column for column in _REQUIRED if column not in header]:
        raise UsageError(f"{name} lacks the column {missing[0]}", f"the columns are {','.join(COLUMNS)}")
    codes = {one.code for one in list_all_phenomena(store)}
    lines: list[tuple[int, _Line]] = []
    try:
        for row in reader:
            lines.append((reader.line_num, _parse_row(row, codes, reviewer, now)))
    except (csv.Error, _Fault) as fault:
        raise UsageError(f"{name}, line {reader.line_num}: {fault}", "nothing was imported") from None
    _refuse_unknown_papers(store, lines, name)
    return [line for _, line in lines]


def _read_header(reader: csv.DictReader[str], name: str) -> list[str]:
    try:
        return list(reader.fieldnames or [])
    except csv.Error as error:
        raise UsageError(f"{name}, line 1: {error}", "nothing was imported") from None


class _Fault(Exception):
    """What is wrong with a line."""


def _parse_row(row: dict[str, str | None], codes: set[str], reviewer: str, now: str) -> _Line:
    if None in row or None in row.values():
        raise _Fault("it has not as many fields as the header")
    fields = {column: _unguard((row.get(column) or "").strip()) for column in COLUMNS}
    if fields["phenomenon"] not in codes:
        raise _Fault(f"there is no phenomenon '{clean_line(fields['phenomenon'])[:40]}'")
    arxiv_id = parse_arxiv_id(fields["arxiv_id"])
    if arxiv_id is None:
        raise _Fault(f"'{clean_line(fields['arxiv_id'])[:40]}' is not an arXiv id")
    verdict = _choose(Verdict, fields["decision"], "decision")
    stance = _choose(Stance, fields["stance"] or "supports", "stance") if verdict is Verdict.ACCEPT else None
    if verdict is Verdict.SNOOZE and not fields["until"]:
        raise _Fault("snooze needs a date in the column until")
    return _Line(
        fields["phenomenon"],
        arxiv_id,
        verdict,
        stance,
        clean_paragraphs(fields["note"]) or None,
        clean_line(fields["reviewer"])[:100] or reviewer,
        _moment(fields["decided_at"]) or now,
        _day(fields["until"]) if verdict is Verdict.SNOOZE else None,
        fields["sentence"] or None,
    )


def _choose(kind: type[Choice], text: str, column: str) -> Choice:
    try:
        return kind(text.lower())
    except ValueError:
        raise _Fault(f"{column} is '{clean_line(text)[:20]}', not one of {', '.join(kind)}") from None


def _moment(text: str) -> str | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _Fault(f"'{clean_line(text)[:40]}' is not a time such as 2026-11-24T06:30:00Z") from None
    if moment.tzinfo is None:
        raise _Fault(f"'{clean_line(text)[:40]}' has no time zone; add a Z for UTC")
    try:
        return to_text(moment)
    except OverflowError:
        raise _Fault(f"'{clean_line(text)[:40]}' is out of the calendar") from None


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _Fault(f"'{clean_line(text)[:40]}' is not a date such as 2026-12-31") from None


def _refuse_unknown_papers(store: Store, lines: Sequence[tuple[int, _Line]], name: str) -> None:
    known = find_known_ids(store, {line.arxiv_id for _, line in lines})
    unknown = [(number, line.arxiv_id) for number, line in lines if line.arxiv_id not in known]
    if unknown:
        ids = " ".join(dict.fromkeys(arxiv_id for _, arxiv_id in unknown[:20]))
        raise DecisionError(
            f"{name}, line {unknown[0][0]}: paper {unknown[0][1]} is not in the database ({len(unknown)} such lines)",
            f"nothing was imported; bring them in with `bmp fetch {ids}`",
        )


def _append(store: Store, line: _Line, catalogue: str) -> bool:
    """Append one decision unless the very same one is there; tell whether it was appended."""
    candidate_id = require_candidate(store, line.arxiv_id, line.phenomenon, now=line.decided_at)
    key = (candidate_id, line.verdict.value, line.stance, line.reviewer, line.decided_at)
    if store.value(
        "SELECT 1 FROM decisions WHERE candidate_id = ? AND kind = ? AND stance IS ? AND reviewer = ?"
        " AND decided_at = ?",
        key,
    ):
        return False
    append_verdict(
        store,
        candidate_id,
        line.verdict,
        reviewer=line.reviewer,
        now=line.decided_at,
        stance=line.stance,
        note=line.note,
        until=line.until,
        sentence=_find_sentence(store, line),
        mine=line.reviewer,  # who wrote it elsewhere did not see what is here
        elsewhere=True,
        catalogue=catalogue,
    )
    return True


def _find_sentence(store: Store, line: _Line) -> str | None:
    """Return the part of the present abstract that reads as the line's sentence; None where it is of another text."""
    if not line.sentence:
        return None
    return find_words(list_records(store, [line.arxiv_id])[line.arxiv_id]["abstract"], line.sentence)
