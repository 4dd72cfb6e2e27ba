"""The cut that a wanted precision comes to, and how often scores were right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.ranking.cut import LEAST_OF_GOAL, PAPERS_A_PASS, cut_for_precision
from crawler.ranking.recalibration import FEWEST_DECISIONS, Recalibration, recalibrate

AT_THEIR_WORD = Recalibration(0.0)


def test_the_cut_by_hand() -> None:
    assert cut_for_precision([0.9, 0.7, 0.5, 0.1], 0.7, AT_THEIR_WORD, 1) == 0.5
    assert cut_for_precision([0.9, 0.7, 0.5, 0.1], 0.8, AT_THEIR_WORD, 1) == 0.7
    assert cut_for_precision([0.2, 0.1], 0.8, AT_THEIR_WORD, 1) == pytest.approx(0.8)  # nothing tells more
    assert cut_for_precision([[0.9], [0.85]], 0.8, AT_THEIR_WORD, 1) == pytest.approx(0.8)
    assert cut_for_precision([0.99] * 50 + [0.1], 0.8, AT_THEIR_WORD, 1) == pytest.approx(0.8)  # 0.1 is below the floor


@given(
    st.lists(st.integers(0, 1000), min_size=1),
    st.floats(0.01, 0.99),
    st.builds(Recalibration, st.floats(-5.0, 5.0)),
)
def test_what_reaches_the_cut_is_right_as_often_as_was_wanted(
    thousandths: list[int], precision: float, curve: Recalibration
) -> None:
    scores = np.array(thousandths) / 1000
    cut = cut_for_precision(scores, precision, curve, 1)
    passing = curve.expected(scores[scores >= cut])
    assert cut <= curve.score_for(precision)
    assert not len(passing) or passing.mean() >= precision - 1e-9
    assert not len(passing) or passing.min() >= LEAST_OF_GOAL * precision - 1e-9
    lower = scores[scores < cut]
    if len(lower) and len(passing):
        next_lower = curve.expected(scores[scores >= lower.max()])
        assert next_lower.mean() < precision + 1e-9 or next_lower.min() < LEAST_OF_GOAL * precision + 1e-9


def test_scores_of_no_pairs_tell_nothing() -> None:
    assert cut_for_precision([], 0.8, AT_THEIR_WORD, 1) == pytest.approx(0.8)


def test_scores_that_are_too_high_are_seen_through() -> None:
    """Half of what scores 0.97 is accepted: to have 0.8, the cut goes above it."""
    curve = recalibrate([0.97] * 60, [number % 2 == 0 for number in range(60)])
    assert curve.expected([0.97])[0] == pytest.approx(0.5, abs=0.05)
    assert curve.expected([0.6])[0] < 0.1
    assert 0.97 < cut_for_precision([0.97] * 10, 0.8, curve, 1) < 0.9999


def test_scores_that_were_right_are_taken_at_their_word() -> None:
    rng = np.random.default_rng(1)
    scores = rng.uniform(size=4_000)
    curve = recalibrate(scores.tolist(), (rng.uniform(size=4_000) < scores).tolist())
    assert curve.expected([0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.04)


def test_few_decisions_tell_nothing() -> None:
    few = FEWEST_DECISIONS - 1
    assert recalibrate([0.9] * few, [False] * few) == Recalibration()


@pytest.mark.parametrize("decided", [25, 50, 100, 1_000])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5])
def test_the_queue_never_dries_up_for_want_of_a_precision(decided: int, share: float) -> None:
    """What is decided scored high, all of it, and little was right: the best still pass, and go on to tell."""
    scores = np.linspace(0.95, 0.9995, decided)
    curve = recalibrate(scores.tolist(), [number % 10 < 10 * share for number in range(decided)])
    field = np.concatenate([np.linspace(0, 0.9, 99_000), np.linspace(0.9, 0.9995, 1_000)])
    cut = cut_for_precision(field, 0.8, curve, 20_000)
    assert (field >= cut).sum() >= 20_000 // PAPERS_A_PASS
    if share == 0.5:
        assert cut < 0.9995


@given(st.floats(0.01, 0.99), st.floats(-5.0, 5.0))
def test_a_score_and_its_share_belong_together(share: float, shift: float) -> None:
    curve = Recalibration(shift)
    score = curve.score_for(share)
    if 1e-6 < score < 1 - 1e-6:
        assert curve.expected([score])[0] == pytest.approx(share, abs=1e-6)
