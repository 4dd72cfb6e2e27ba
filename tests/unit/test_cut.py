"""The cut that a wanted precision comes to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.ranking.cut import cut_for_precision


def test_the_cut_by_hand() -> None:
    assert cut_for_precision([0.9, 0.7, 0.5, 0.1], 0.7) == 0.5
    assert cut_for_precision([0.9, 0.7, 0.5, 0.1], 0.8) == 0.7
    assert cut_for_precision([0.2, 0.1], 0.8) == 0.8  # nothing tells more
    assert cut_for_precision([[0.9], [0.85]], 0.8) == 0.8


@given(st.lists(st.integers(0, 1000), min_size=1), st.floats(0.01, 0.99))
def test_what_reaches_the_cut_is_right_as_often_as_was_wanted(thousandths: list[int], precision: float) -> None:
    scores = np.array(thousandths) / 1000
    cut = cut_for_precision(scores, precision)
    passing = scores[scores >= cut]
    assert cut <= precision
    assert not len(passing) or passing.mean() >= precision - 1e-12
    lower = scores[scores < cut]
    if len(lower) and len(passing):
        next_lower = scores[scores >= lower.max()]
        assert next_lower.mean() < precision + 1e-12 or lower.max() >= precision


def test_scores_of_no_pairs_tell_nothing() -> None:
    assert cut_for_precision([], 0.8) == pytest.approx(0.8)
