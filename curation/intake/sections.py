"""Part of a list: what stands under one heading, or in one collection."""

from __future__ import annotations

from dataclasses import replace

from curation.intake.records import Reading
from db.errors import UsageError
from db.text import clean_line

_NAMED = 8


def take_section(reading: Reading, section: str, name: str) -> Reading:
    """Return the entries under the headings, or in the collections, that read so; with what stands below them.

    Where none reads so, those that have it within count. Capitals and white space do not matter.

    Raises:
        UsageError: there is none, or the file has neither headings nor collections.
    """
    wanted = _fold(section)
    there = {title for entry in reading.entries for title in entry.sections}
    chosen = {title for title in there if _fold(title) == wanted} or {
        title for title in there if wanted in _fold(title)
    }
    if not wanted or not chosen:
        raise UsageError(f"{name} has no paper under '{clean_line(section)[:60]}'", _tell_sections(reading))
    return replace(reading, entries=tuple(entry for entry in reading.entries if chosen & set(entry.sections)))


def _fold(text: str) -> str:
    return clean_line(text).casefold()


def _tell_sections(reading: Reading) -> str:
    there = list(dict.fromkeys(title for entry in reading.entries for title in entry.sections))
    if not there:
        return "it has neither headings nor collections"
    more = f" and {len(there) - _NAMED} more" if len(there) > _NAMED else ""
    return f"there are {', '.join(title[:40] for title in there[:_NAMED])}{more}"
