"""What a revision changed, word by word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

MOST_PAIRS = 1_000_000  # of equal words; honest texts of 20 kB have a tenth, what has more is no text to compare
MOST_BRIDGED = 5  # words


class Op(StrEnum):
    """What became of a piece of text."""

    SAME = "same"
    REMOVED = "removed"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some words in a row that share a fate, one blank between two words."""

    op: Op
    text: str


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Words that give way to others, and the words behind them that both texts have."""

    removed: tuple[str, ...]
    added: tuple[str, ...]
    kept: tuple[str, ...]


def word_difference(old: str, new: str) -> tuple[Piece, ...]:
    """Return the pieces that lead from the old text to the new one, removed words before those that replace them.

    The kept and removed pieces, joined by blanks, are the old text's words; the kept and added ones the new text's.
    White space does not count, no piece is empty, and no two neighbours have the same op.
    """
    return tuple(
        Piece(op, " ".join(words))
        for stretch in _bridge(_compare(old.split(), new.split()))
        for op, words in ((Op.REMOVED, stretch.removed), (Op.ADDED, stretch.added), (Op.SAME, stretch.kept))
        if words
    )


def mark(op: Op, text: str) -> str:
    """Return the words with wdiff's signs about them: `[-removed-]`, `{+added+}`."""
    return {Op.SAME: "{}", Op.REMOVED: "[-{}-]", Op.ADDED: "{{+{}+}}"}[op].format(text)


def shorten(pieces: Sequence[Piece], *, words: int) -> tuple[Piece, ...]:
    """Return the changes with so many kept words about each; nothing where nothing changed."""
    if all(piece.op is Op.SAME for piece in pieces):
        return ()
    last = len(pieces) - 1
    return tuple(
        piece
        if piece.op is not Op.SAME
        else Piece(Op.SAME, _elide(piece.text.split(), 0 if at == 0 else words, 0 if at == last else words))
        for at, piece in enumerate(pieces)
    )


def _elide(kept: Sequence[str], first: int, last: int) -> str:
    if len(kept) <= first + last:
        return " ".join(kept)
    return " ".join([*kept[:first], "…", *kept[len(kept) - last :]])


def _compare(old: Sequence[str], new: Sequence[str]) -> Iterator[_Stretch]:
    """Yield the stretches in order; the texts' common head is the first one, if they have any."""
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    yield _Stretch((), (), tuple(old[:head]))
    before, after = old[head : len(old) - tail], new[head : len(new) - tail]
    i = j = 0
    for block in _blocks(before, after):
        kept = tuple(before[block[0] : block[0] + block[2]])
        yield _Stretch(tuple(before[i : block[0]]), tuple(after[j : block[1]]), kept)
        i, j = block[0] + block[2], block[1] + block[2]
    yield _Stretch((), (), tuple(old[len(old) - tail :]))


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many words both begin with."""
    pairs = zip(one, other, strict=False)
    return next((count for count, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _blocks(old: Sequence[str], new: Sequence[str]) -> Sequence[tuple[int, int, int]]:
    """Return where equal words stand: place in the old, place in the new, how many; the last is empty, at both ends."""
    counted = Counter(new)
    if sum(counted[word] for word in old) > MOST_PAIRS:
        return [(len(old), len(new), 0)]
    return SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()


def _bridge(stretches: Iterator[_Stretch]) -> Iterator[_Stretch]:
    """Join stretches, so that no change is cut up by words that happen to stand in both texts.

    As in diff-match-patch's semantic clean-up: kept words are told as changed where they are no longer than the change
    before them, nor than the one behind (https://neil.fraser.name/writing/diff/).
    """
    held = next(stretches)
    for stretch in stretches:
        if not (stretch.removed or stretch.added):
            held = _Stretch(held.removed, held.added, held.kept + stretch.kept)
        elif not held.kept or _is_confetti(held, stretch):
            removed = (*held.removed, *held.kept, *stretch.removed)
            added = (*held.added, *held.kept, *stretch.added)
            held = _Stretch(removed, added, stretch.kept)
        else:
            yield held
            held = stretch
    yield held


def _is_confetti(held: _Stretch, behind: _Stretch) -> bool:
    return len(held.kept) <= MOST_BRIDGED and _length(held.kept) <= min(_size(held), _size(behind))


def _size(change: _Stretch) -> int:
    return max(_length(change.removed), _length(change.added))


def _length(words: Sequence[str]) -> int:
    return sum(map(len, words))
