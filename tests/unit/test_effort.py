"""The effort table, by numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.ranking.effort import Effort, effort_table

SCORES = [0.5, 0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2, 0.1, 0.05]
LABELS = [True, True, False, True, False, False, True, False, False, False]


def test_it_says_how_deep_the_wanted_share_of_the_relevant_lies() -> None:
    # Best first: relevant at places 1, 3, 5 and 8 of 10.
    half, most, all_ = effort_table(SCORES, LABELS, recalls=(0.5, 0.75, 1.0))
    assert half == Effort(recall=0.5, score=0.7, screened=3.0, share=0.3)
    assert most == Effort(recall=0.75, score=0.5, screened=5.0, share=0.5)
    assert all_ == Effort(recall=1.0, score=0.3, screened=7.0, share=0.7)


def test_a_share_that_no_number_of_papers_meets_exactly_is_met_from_above() -> None:
    (effort,) = effort_table(SCORES, LABELS, recalls=(0.76,))
    assert effort.screened == 7


def test_a_paper_that_stands_for_many_counts_as_many() -> None:
    # Relevant weigh 1 + 1 + 8 = 10; without the last of them the share found is 0.2.
    table = effort_table([0.9, 0.8, 0.7, 0.2, 0.1], [1, 0, 1, 1, 0], [1, 1, 1, 8, 20], recalls=(0.2, 0.9))
    assert table == [Effort(0.2, 0.7, 3.0, 3 / 31), Effort(0.9, 0.2, 11.0, 11 / 31)]


def test_papers_of_one_score_are_screened_together_whatever_their_order() -> None:
    for labels in ([1, 0, 0, 0], [0, 0, 1, 0]):
        (effort,) = effort_table([0.8, 0.8, 0.8, 0.1], labels, recalls=(0.5,))
        assert effort.screened == 3


def test_ninety_ninety_five_and_ninety_nine_percent_are_told_by_default() -> None:
    scores = np.linspace(1, 0, 200)
    labels = np.arange(200) < 100
    assert [(effort.recall, effort.screened) for effort in effort_table(scores, labels)] == [
        (0.90, 90),
        (0.95, 95),
        (0.99, 99),
    ]


@pytest.mark.parametrize(
    ("scores", "labels", "weights", "recalls"),
    [
        ([0.5], [False], None, (0.9,)),
        ([], [], None, (0.9,)),
        ([0.5, 0.4], [True], None, (0.9,)),
        ([0.5], [True], [0.0], (0.9,)),
        ([0.5], [True], [1.0, 1.0], (0.9,)),
        ([np.nan], [True], None, (0.9,)),
        ([0.5], [True], None, (0.0,)),
        ([0.5], [True], None, (1.1,)),
    ],
    ids=["none relevant", "nothing", "labels", "weight", "weights", "score", "no recall", "recall"],
)
def test_what_makes_no_sense_is_refused(
    scores: list[float], labels: list[bool], weights: list[float] | None, recalls: tuple[float, ...]
) -> None:
    with pytest.raises(ValueError):
        effort_table(scores, labels, weights, recalls)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(1, 9)), min_size=1, max_size=30))
def test_the_depth_is_the_least_that_reaches_the_recall(papers: list[tuple[int, bool, int]]) -> None:
    scores, labels, weights = (list(column) for column in zip(*papers, strict=True))
    if not any(labels):
        return
    wanted = sum(weight for _, label, weight in papers if label)
    for effort in effort_table(scores, labels, weights, recalls=(0.3, 0.95, 1.0)):
        found = {
            cut: sum(weight for score, label, weight in papers if label and score >= cut) / wanted for cut in scores
        }
        deepest = max(cut for cut in scores if found[cut] >= effort.recall - 1e-9)
        assert effort.score == deepest
        assert effort.screened == sum(weight for score, _, weight in papers if score >= deepest)


def test_a_paper_that_was_repeated_is_one_with_a_weight() -> None:
    repeated = effort_table([0.9, 0.5, 0.5, 0.5, 0.1], [1, 0, 0, 0, 1])
    assert repeated == effort_table([0.9, 0.5, 0.1], [1, 0, 1], [1, 3, 1])
