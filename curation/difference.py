"""What a revision changed, word by word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from itertools import groupby

SHORT_BRIDGE_WORDS = 2  # so few kept words between two changes are told as changed: the eye reads phrases
MOST_COMPARISONS = 1_000_000  # beyond so many pairs of words, sentences are compared before words


class Op(StrEnum):
    """What became of a piece of text."""

    SAME = "same"
    REMOVED = "removed"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some words in a row that share a fate; one blank stands between the words, and between two pieces."""

    op: Op
    text: str


Words = Sequence[str]


def word_difference(old: str, new: str) -> tuple[Piece, ...]:
    """Return the pieces that lead from the old text to the new one, removed words before those that replace them.

    The kept and removed pieces, joined by blanks, are the old text's words, the kept and added ones the new text's;
    white space does not count. Two neighbours never share a fate.
    """
    before, after = old.split(), new.split()
    kept = _join_changes(list(_match(before, after)))
    return tuple(_merge(_pieces(before, after, kept)))
