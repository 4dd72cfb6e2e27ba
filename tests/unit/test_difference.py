"""A word-level difference loses no word of either text, reads as phrases, and is there at once."""

from __future__ import annotations

import random
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.difference import Op, Piece, mark, shorten, word_difference

texts = st.lists(st.sampled_from("a b c the loss falls, \u03b1  \n".split(" ")), max_size=30).map(" ".join) | st.text()


def told(old: str, new: str) -> str:
    return " ".join(mark(piece.op, piece.text) for piece in word_difference(old, new))


def side(pieces: tuple[Piece, ...], without: Op) -> list[str]:
    return " ".join(piece.text for piece in pieces if piece.op is not without).split(" ") if pieces else []


@given(texts, texts)
def test_both_texts_come_back_word_by_word(old: str, new: str) -> None:
    pieces = word_difference(old, new)
    assert [word for word in side(pieces, Op.ADDED) if word] == old.split()
    assert [word for word in side(pieces, Op.REMOVED) if word] == new.split()


@given(texts, texts)
def test_no_piece_is_empty_and_neighbours_differ(old: str, new: str) -> None:
    pieces = word_difference(old, new)
    assert all(piece.text.split() for piece in pieces)
    assert all(one.op is not other.op for one, other in pairwise(pieces))
    assert all((one.op, other.op) != (Op.ADDED, Op.REMOVED) for one, other in pairwise(pieces))


@given(texts)
def test_equal_texts_are_one_kept_piece(text: str) -> None:
    kept = (Piece(Op.SAME, " ".join(text.split())),) if text.split() else ()
    assert word_difference(text, f" {text}\n") == kept


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        ("The loss falls.", "The loss rises.", "The loss [-falls.-] {+rises.+}"),
        ("We study loss.", "Here we study loss.", "[-We-] {+Here we+} study loss."),
        ("Old", "", "[-Old-]"),
        ("", "New text", "{+New text+}"),
        ("one two", "three four", "[-one two-] {+three four+}"),
        ("It holds for all models we tried.", "It holds for models we tried.", "It holds for [-all-] models we tried."),
        (
            "Models of every size show the effect in the limit of large data.",
            "Transformers of moderate size lose the effect in the limit of large data.",
            "[-Models of every size show-] {+Transformers of moderate size lose+} the effect in the limit of"
            " large data.",
        ),
    ],
)
def test_a_difference_reads_as_phrases(old: str, new: str, difference: str) -> None:
    assert told(old, new) == difference


def test_a_text_written_anew_is_not_cut_up_by_the_words_that_every_text_has() -> None:
    old = "We show that the loss of a network falls with the size of the data, as a power law in a wide range."
    new = "Here the reader finds a theory of grokking, in which the delay of generalisation is a phase transition."
    assert len(word_difference(old, new)) <= 4


def test_long_stretches_that_were_kept_are_shortened_towards_the_changes() -> None:
    kept = " ".join(map(str, range(20)))
    pieces = word_difference(f"{kept} old {kept} old {kept}", f"{kept} new {kept} new {kept}")
    assert [piece.text for piece in shorten(pieces, words=2)] == [
        *("… 18 19", "old", "new", "0 1 … 18 19", "old", "new", "0 1 …"),
    ]
    assert shorten(word_difference(kept, kept), words=2) == ()
    assert shorten(word_difference("a b c d old", "a b c d new"), words=4) == word_difference(
        "a b c d old", "a b c d new"
    )


@pytest.mark.parametrize("letters", [1, 2, 20, 4000])
def test_long_texts_take_no_seconds(letters: int) -> None:
    chance = random.Random(letters)
    words = [str(chance.randrange(letters)) for _ in range(10_000 if letters < 100 else 4_000)]
    other = [str(chance.randrange(letters)) if chance.random() < 0.1 else word for word in words]
    began = time.perf_counter()
    pieces = word_difference(" ".join(words), " ".join(other))
    assert time.perf_counter() - began < 5
    assert side(pieces, Op.REMOVED) == other
