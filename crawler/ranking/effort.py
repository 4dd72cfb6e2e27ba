"""How much is left: how deep a ranked list must be screened to find a share of what is relevant in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_ROUNDING = 1e-9  # of a share that is a sum of many weights


@dataclass(frozen=True, slots=True)
class Effort:
    """What it takes to find the share `recall` of the relevant: screen all that scores `score` or more.

    `screened` is how many that are, by weight, and `share` their part of all.
    """

    recall: float
    score: float
    screened: float
    share: float


def effort_table(
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    recalls: Sequence[float] = (0.90, 0.95, 0.99),
) -> list[Effort]:
    """Return, for each recall, how far down a list must be screened, best first, to reach it.

    It is the depth for recall, read off the labelled papers: the least number from the top whose relevant ones weigh
    the wanted share of all relevant ones. With 1 - `share` as what need not be read, work saved over sampling at
    recall r is r - `share` (Cohen et al. 2006, JAMIA 13:206). Papers of one score are screened together, for nothing
    orders them. Weights are inverse probabilities of having been labelled (Horvitz and Thompson 1952, JASA 47:663):
    1 for a paper that was screened for its score, many for one that stands for what was not screened.

    Args:
        scores: of papers that the scores were not fitted on (out of fold), shape (n,).
        labels: whether each is relevant, shape (n,).
        weights: how many papers each stands for, shape (n,); 1 by default.
        recalls: shares above 0, up to 1.

    Raises:
        ValueError: nothing is relevant, the shapes differ, or a score, weight or recall is out of range.
    """
    order, relevant, weight = _check(scores, labels, weights, recalls)
    by_score = np.argsort(-order, kind="stable")
    order, relevant, weight = order[by_score], relevant[by_score], weight[by_score]
    ends = np.flatnonzero(np.append(order[1:] != order[:-1], True))  # the last of each score
    screened = np.cumsum(weight)[ends]
    found = np.cumsum(weight * relevant)[ends]
    table = []
    for recall in recalls:
        at = int(np.argmax(found >= (recall - _ROUNDING) * found[-1]))
        table.append(Effort(recall, float(order[ends[at]]), float(screened[at]), float(screened[at] / screened[-1])))
    return table


def _check(
    scores: npt.ArrayLike, labels: npt.ArrayLike, weights: npt.ArrayLike | None, recalls: Sequence[float]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    order, relevant = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.bool_)
    weight = np.ones_like(order) if weights is None else np.asarray(weights, dtype=np.float64)
    if order.ndim != 1 or not order.shape == relevant.shape == weight.shape:
        raise ValueError(f"shapes differ: {order.shape} scores, {relevant.shape} labels, {weight.shape} weights")
    if not (np.isfinite(order).all() and np.isfinite(weight).all() and (weight > 0).all()):
        raise ValueError("scores must be finite, and weights above 0 too")
    if not all(0 < recall <= 1 for recall in recalls):
        raise ValueError(f"a recall is above 0 and at most 1, not {recalls}")
    if not relevant.any():
        raise ValueError("nothing is relevant, so that no share of it can be found")
    return order, relevant, weight
