"""The queue's cut: from which score on a match is queued, if a share of what is queued is to be right."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crawler.ranking.recalibration import Recalibration

FEWEST_PAPERS = 1_000  # that tell how the scores of the field lie
ROUNDING = 1e-9
LEAST_OF_GOAL = 0.5  # a pair that is less than so much as likely as the goal never passes, whatever stands above it


def cut_for_precision(scores: npt.ArrayLike, precision: float, curve: Recalibration) -> float:
    """Return the lowest score c such that pairs that score c or more are right as often as `precision` on average.

    The expected precision of a set of pairs is the mean of their probabilities, which are the scores seen through the
    curve. All that is as likely as the goal may pass; where nothing tells more, that is the cut.

    Args:
        scores: of pairs of the field, of any shape.
        precision: above 0, below 1.
        curve: how often scores are right.
    """
    alone = curve.score_for(precision)
    ordered = -np.sort(-np.asarray(scores, dtype=np.float64), axis=None)
    likely = curve.expected(ordered)
    means = np.cumsum(likely) / np.arange(1, len(ordered) + 1)
    ends = np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)]  # equal scores pass together
    passing = np.flatnonzero((means >= precision - ROUNDING) & (likely >= LEAST_OF_GOAL * precision) & ends)
    return min(alone, float(ordered[passing[-1]])) if len(passing) else alone
