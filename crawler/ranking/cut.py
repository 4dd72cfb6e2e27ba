"""The queue's cut: from which score on a match is queued, if a share of what is queued is to be right."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crawler.ranking.recalibration import Recalibration

LEAST_OF_GOAL = 0.5  # a pair that is less than so much as likely as the goal never passes, whatever stands above it
PAPERS_A_PASS = 1_000  # one pair for so many papers passes in any case, else nothing is decided that could tell more
ROUNDING = 1e-9


def cut_for_precision(scores: npt.ArrayLike, precision: float, curve: Recalibration, papers: int) -> float:
    """Return the lowest score c such that pairs that score c or more are right as often as `precision` on average.

    The expected precision of a set of pairs is the mean of their probabilities, which are the scores seen through the
    curve. All that is as likely as the goal may pass. Where that is almost nothing, the best few pass nevertheless.

    Args:
        scores: of pairs of the field, of any shape.
        precision: above 0, below 1.
        curve: how often scores are right.
        papers: how many papers the pairs are of.
    """
    ordered = -np.sort(-np.asarray(scores, dtype=np.float64), axis=None)
    likely = curve.expected(ordered)
    means = np.cumsum(likely) / np.arange(1, len(ordered) + 1)
    ends = np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)]  # equal scores pass together
    passing = (means >= precision - ROUNDING) & (likely >= LEAST_OF_GOAL * precision) & ends
    lowest = ordered[np.flatnonzero(passing)[-1:]].tolist()
    in_any_case = ordered[papers // PAPERS_A_PASS - 1 : papers // PAPERS_A_PASS].tolist()
    return float(min([curve.score_for(precision), *lowest, *in_any_case]))
