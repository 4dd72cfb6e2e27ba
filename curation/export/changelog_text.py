"""The changelog of knowledge: what moved between two days, to read and for other programs."""

from __future__ import annotations

import json
from datetime import date, timedelta

from curation.export.json_text import tell_move
from curation.export.markdown_moves import render_move
from curation.moves import OPEN_END, MoveKind, Moves

FORMAT_VERSION = 1
_HEADINGS = {
    MoveKind.PROMOTED: "Promoted",
    MoveKind.DEMOTED: "Demoted",
    MoveKind.WITHDRAWN: "Withdrawn, and to be decided anew",
    MoveKind.REOPENED: "Re-opened by a new revision",
    MoveKind.ADDED: "Added",
    MoveKind.CHANGED: "Decided anew",
    MoveKind.REMOVED: "Removed",
    MoveKind.NEW: "New entries",
    MoveKind.REWORDED: "Reworded entries",
    MoveKind.RETIRED: "Retired entries",
}


def render_changelog_markdown(moves: Moves) -> str:
    """Return what moved as Markdown, by kind; text from outside is escaped, links go to arXiv only."""
    lines = [f"# What moved {_tell_span(moves)}", ""]
    if moves.loaded:
        lines += [f"{moves.loaded} entries came with the program's catalogue.", ""]
    if not moves.moves:
        lines += ["Nothing moved.", ""]
    for kind, heading in _HEADINGS.items():
        if found := moves.of(kind):
            lines += [f"## {heading} ({len(found)})", "", *(line for move in found for line in render_move(move))]
    return "\n".join(lines).rstrip("\n") + "\n"


def _tell_span(moves: Moves) -> str:
    last = _last_day(moves)
    return f"since {moves.since[:10]}" if last is None else f"from {moves.since[:10]} to {last}"


def _last_day(moves: Moves) -> str | None:
    """Return the last day of the span, or None where it has no end."""
    if moves.until >= OPEN_END:
        return None
    return (date.fromisoformat(moves.until[:10]) - timedelta(days=1)).isoformat()


def render_changelog_json(moves: Moves) -> str:
    """Return what moved as JSON, by kind and time."""
    document = {
        "format": "bmprinciples-changes",
        "format_version": FORMAT_VERSION,
        "since": moves.since[:10],
        "until": _last_day(moves),
        "loaded": moves.loaded,
        "counts": {kind.value: len(moves.of(kind)) for kind in MoveKind},
        "moves": [tell_move(move) for move in moves.moves],
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
