"""Which sentence of an abstract is shown, and the labels that the choice was measured on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from crawler.ranking.claims import Claim
from crawler.ranking.sentences import best_sentence, tells_result
from curation.catalogue import load_catalogue

CLAIM = Claim("W2.2", "Grokking", "Test accuracy rises long after training accuracy.")
LABELS = Path(__file__).parents[1] / "bench" / "sentences.tsv"


def same_vector(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Leave the choice to the words: every text has one vector."""
    return np.tile(np.array([[1.0, 0.0]], dtype=np.float32), (len(texts), 1))


def choose(abstract: str) -> str | None:
    found = best_sentence(abstract, CLAIM, same_vector(CLAIM.texts()), same_vector)
    assert found is None or abstract[found.start : found.end] == found.text
    return found.text if found else None


def test_of_sentences_with_the_same_words_the_one_that_tells_a_result_is_shown() -> None:
    assert choose("We study how grokking begins. We find that grokking begins.") == "We find that grokking begins."


def test_a_result_of_something_else_does_not_win_over_the_claims_own_words() -> None:
    own = "Test accuracy rises long after training accuracy."
    assert choose(f"{own} The results about rivers and poems were sent to the market.") == own


def test_of_equals_the_first_is_shown_and_a_heading_never() -> None:
    assert choose("Rivers flow to seas. Poems rhyme with songs.") == "Rivers flow to seas."
    assert choose("Main results. Grokking!") is None
    assert choose("") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("We FIND it.", True),
        ("Our results say so.", True),
        ("Figure 2 shows it.", True),
        ("We propose a foundation.", False),
        ("A profound showcase.", False),
    ],
)
def test_a_result_is_told_by_whole_words(text: str, told: bool) -> None:
    assert tells_result(text) is told


def test_the_labels_name_phenomena_of_the_catalogue_and_hold_no_text() -> None:
    lines = [line.split("\t") for line in LABELS.read_text(encoding="utf-8").splitlines()[1:]]
    codes = {one.code for one in load_catalogue()}
    assert len(lines) == len({tuple(line[:2]) for line in lines}) > 100
    for code, arxiv_id, digest, numbers in lines:
        assert code in codes
        assert re.fullmatch(r"\d{4}\.\d{5}", arxiv_id) and re.fullmatch(r"[0-9a-f]{12}", digest)
        assert re.fullmatch(r"(\d+(,\d+)*)?", numbers)
