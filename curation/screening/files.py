"""CSV and RIS as text: records out, and records in with the place where each stands."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from curation.decisions_file import guard_field
from curation.ris import parse_records, render_records
from curation.screening.records import Fault, Fields, Item
from db.errors import UsageError

NOTHING_DONE = "nothing was imported"


def render_csv(columns: Sequence[str], rows: Sequence[Fields]) -> str:
    """Return records as CSV (RFC 4180), safe to open in a spreadsheet."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([guard_field(row.get(name, "")) for name in columns] for row in rows)
    return out.getvalue()


def render_ris(items: Sequence[tuple[Item, list[str]]]) -> str:
    """Return papers, each with its notes, as RIS."""
    return render_records([_ris_record(item, notes) for item, notes in items])


def _ris_record(item: Item, notes: list[str]) -> dict[str, Any]:
    return {
        "type_of_reference": "JOUR",
        "id": item.key,
        "title": item.title,
        "authors": list(item.authors),
        "year": item.published[:4],
        "date": item.published.replace("-", "/"),
        "journal_name": item.journal,
        "abstract": item.abstract,
        "doi": item.doi,
        "urls": [item.url],
        "keywords": list(item.keywords),
        "notes": notes,
    }


def read_csv(content: str, name: str, needed: Sequence[str]) -> Iterator[tuple[str, Fields]]:
    """Yield the records of a CSV file, each with its place; column names are in small letters.

    Args:
        needed: columns of which there must be one.

    Raises:
        UsageError: the file is not CSV, names the line; or it lacks a column.
    """
    lines = csv.reader(io.StringIO(content.removeprefix("\ufeff"), newline=""), strict=True)
    header: list[str] | None = None
    try:
        for row in lines:
            if header is None:
                header = [column.strip().lower() for column in row]
                _require_column(header, needed, name)
            elif row:
                if len(row) != len(header):
                    raise Fault(f"it has {len(row)} fields, the header has {len(header)}")
                yield f"line {lines.line_num}", dict(zip(header, row, strict=True))
    except (csv.Error, Fault) as fault:
        raise UsageError(f"{name}, line {lines.line_num}: {fault}", NOTHING_DONE) from None
    if header is None:
        _require_column([], needed, name)


def _require_column(header: Sequence[str], needed: Sequence[str], name: str) -> None:
    if not set(needed) & set(header):
        raise UsageError(f"{name} lacks the column {needed[0]}", "is it another program's file?")


def read_ris(content: str, name: str) -> Iterator[tuple[str, Fields]]:
    """Yield the records of a RIS file, each with its place; what a record has several of stands in lines.

    Raises:
        UsageError: a record has no end, or there is none at all; names the line.
    """
    content = content.removeprefix("\ufeff")
    starts = _find_starts(content, name)
    if not starts:
        raise UsageError(f"{name} holds no record of RIS", "each begins with a line 'TY  - JOUR' and ends with 'ER  -'")
    records = parse_records(content)
    if len(records) != len(starts):
        raise UsageError(f"{name} is not read as {len(starts)} records of RIS, but as {len(records)}", NOTHING_DONE)
    for start, record in zip(starts, records, strict=True):
        yield f"line {start}", {key: _join(key, value) for key, value in record.items()}


def _find_starts(content: str, name: str) -> list[int]:
    """Return the lines at which records begin; a record that has no end would be left out, and nothing said."""
    starts: list[int] = []
    is_open = False
    for number, line in enumerate(content.split("\n"), 1):
        if line.startswith("TY  -"):
            if is_open:
                raise UsageError(f"{name}, line {starts[-1]}: this record has no end (ER)", NOTHING_DONE)
            starts.append(number)
            is_open = True
        elif line.startswith("ER  -"):
            is_open = False
    if is_open:
        raise UsageError(f"{name}, line {starts[-1]}: this record has no end (ER)", NOTHING_DONE)
    return starts


def _join(key: str, value: Any) -> str:
    if isinstance(value, list):
        return (";" if key == "keywords" else "\n").join(value)
    return str(value)
