"""The queue's cut: from which score on a match is queued, if a share of what is queued is to be right."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FEWEST_PAPERS = 1_000  # that tell how the scores of the field lie


def cut_for_precision(scores: npt.ArrayLike, precision: float) -> float:
    """Return the lowest score c such that pairs that score c or more are right as often as `precision` on average.

    A score is a probability, so that the expected precision of a set of pairs is the mean of their scores. Since all of
    `precision` or more may pass, c is never above it.

    Args:
        scores: of pairs of the field, of any shape.
        precision: above 0, below 1.
    """
    ordered = -np.sort(-np.asarray(scores, dtype=np.float64), axis=None)
    means = np.cumsum(ordered) / np.arange(1, len(ordered) + 1)
    ends = np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)]  # equal scores pass together
    passing = np.flatnonzero((means >= precision) & ends)  # a running mean of falling numbers falls
    return min(precision, float(ordered[passing[-1]])) if len(passing) else precision
