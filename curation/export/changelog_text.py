"""The changelog of knowledge: what moved between two days, to read and for other programs."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

from curation.evidence import Evidence
from curation.export.markup import escape_markdown
from curation.moves import OPEN_END, Move, MoveKind, Moves

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
            lines += [f"## {heading} ({len(found)})", "", *(line for move in found for line in render_move(move)), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _tell_span(moves: Moves) -> str:
    last = _last_day(moves)
    return f"since {moves.since[:10]}" if last is None else f"from {moves.since[:10]} to {last}"


def _last_day(moves: Moves) -> str | None:
    """Return the last day of the span, or None where it has no end."""
    if moves.until >= OPEN_END:
        return None
    return (date.fromisoformat(moves.until[:10]) - timedelta(days=1)).isoformat()


def render_move(move: Move) -> list[str]:
    """Return a move as an item of a list in Markdown."""
    entry = f"{escape_markdown(move.phenomenon)} {escape_markdown(move.title)}"
    told = _tell_paper(move.evidence, move) if move.evidence else _tell_entry(move)
    lines = [f"- **{entry}**: {told} ({move.at[:10]}, {escape_markdown(move.by)})"]
    if move.evidence and move.evidence.sentence and move.kind in (MoveKind.ADDED, MoveKind.CHANGED):
        lines += ["", f"  > {escape_markdown(move.evidence.sentence)}", ""]
    if move.note:
        lines.append(f"  {escape_markdown(move.note)}")
    return lines


def _tell_paper(piece: Evidence, move: Move) -> str:
    title = escape_markdown(piece.title)
    linked = f"[{title}]({piece.url})" if piece.url else title
    if move.before and move.after:
        return f"{linked}, {move.before} before, {move.after} now"
    return f"{linked} {piece.stance.value} it"


def _tell_entry(move: Move) -> str:
    before, after = escape_markdown(move.before or ""), escape_markdown(move.after or "")
    if move.kind in (MoveKind.PROMOTED, MoveKind.DEMOTED):
        return f"from {before} to {after}"
    if move.kind is MoveKind.RETIRED:
        return f"{after} took its place"
    return f"was \u201c{before}\u201d, is \u201c{after}\u201d" if before else after


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


def tell_move(move: Move) -> dict[str, Any]:
    """Return a move as plain values; the paper's are None where the entry itself moved."""
    piece = move.evidence
    return {
        "kind": move.kind.value,
        "phenomenon": move.phenomenon,
        "phenomenon_title": move.title,
        "at": move.at,
        "by": move.by,
        "arxiv_id": piece.arxiv_id if piece else None,
        "version": piece.version if piece else None,
        "title": piece.title if piece else None,
        "url": piece.url if piece else None,
        "stance": piece.stance.value if piece else None,
        "sentence": piece.sentence if piece else None,
        "before": move.before,
        "after": move.after,
        "note": move.note,
    }
