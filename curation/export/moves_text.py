"""Tells a move in a few words, as plain text: each format escapes it in its own way."""

from __future__ import annotations

from curation.moves import Move, MoveKind

_PHRASES = {
    MoveKind.PROMOTED: "promoted from {before} to {after}",
    MoveKind.DEMOTED: "demoted from {before} to {after}",
    MoveKind.WITHDRAWN: "a paper was withdrawn by its authors",
    MoveKind.REOPENED: "a paper is under review again",
    MoveKind.ADDED: "new evidence ({stance})",
    MoveKind.CHANGED: "decided anew, from {before} to {after}",
    MoveKind.REMOVED: "no evidence any more",
    MoveKind.NEW: "new entry",
    MoveKind.REWORDED: "reworded",
    MoveKind.RETIRED: "retired; {after} took its place",
}


def name_move(move: Move) -> str:
    """Return what moved, without the entry and the paper that it is about."""
    stance = move.evidence.stance.value if move.evidence else ""
    return _PHRASES[move.kind].format(before=move.before, after=move.after or "nothing", stance=stance)


def list_details(move: Move) -> list[tuple[str, str]]:
    """Return what else there is to say, each with a word for what it is: the sentence, the claim before and after,
    the note.
    """
    details = []
    if move.evidence is not None and move.evidence.sentence:
        details.append(("Sentence", move.evidence.sentence))
    if move.kind is MoveKind.REWORDED and move.before:
        details.append(("Before", move.before))
    if move.kind in (MoveKind.REWORDED, MoveKind.NEW) and move.after:
        details.append(("Claim", move.after))
    if move.note:
        details.append(("Note", move.note))
    return details
