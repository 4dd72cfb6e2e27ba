"""Why an accepted paper is open again, and what differs from the revision that was accepted."""

from __future__ import annotations

from typing import Any

from curation.difference import Op, Piece, word_difference
from db.decisions import find_reopening
from db.store import Row, Store

PARTS = ("title", "abstract")


def find_difference(store: Store, candidate_id: int, *, mine: str | None = None) -> dict[str, Any] | None:
    """Return what changed since the acceptance that a re-opened candidate rests on, or None if it is not re-opened.

    It has `reason`, `from_version`, `to_version`, `withdrawn` (as the paper stands now), and for `title` and
    `abstract` each a list of pieces: `op` (`same`, `removed`, `added`) and `text`.
    """
    found = find_reopening(store, candidate_id, mine=mine)
    if found is None:
        return None
    return {
        "reason": found["reason"],
        "from_version": found["old_version"],
        "to_version": found["new_version"],
        "withdrawn": bool(found["withdrawn"]),
        **{part: _as_rows(word_difference(found[f"old_{part}"], found[f"new_{part}"])) for part in PARTS},
    }


def _as_rows(pieces: tuple[Piece, ...]) -> list[Row]:
    return [{"op": piece.op.value, "text": piece.text} for piece in pieces]


def changed_parts(difference: Row) -> dict[str, tuple[Piece, ...]]:
    """Return the pieces of title and abstract, each only where a word of it changed."""
    parts = {part: tuple(Piece(Op(piece["op"]), piece["text"]) for piece in difference[part]) for part in PARTS}
    return {part: pieces for part, pieces in parts.items() if any(piece.op is not Op.SAME for piece in pieces)}


def say_difference(row: Row) -> str:
    """Say in a sentence or two what a re-opened candidate's difference comes to; arXiv's comment is quoted as it is."""
    difference, comments = row["difference"], row["comments"]
    old, new = f"v{difference['from_version']}", f"v{difference['to_version']}"
    told = f"arXiv's comment: {comments}" if comments else "arXiv has no comment on it."
    if changed_parts(difference):
        changed = (
            f"{old}, which was accepted, and {new} differ." if old != new else f"{old} changed since it was accepted."
        )
        return f"{new} is WITHDRAWN. {changed} {told}" if difference["withdrawn"] else changed
    same = f"Title and abstract are still those of {old}, which was accepted."
    return f"{new} is WITHDRAWN. {same} {told}" if difference["withdrawn"] else f"{same} {new} is not withdrawn."
