"""How often scores were right in this database: a curve from scores to the share that was accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

SLOPE_SPREAD = 0.5  # standard deviation of the prior of the slope, about 1
SHIFT_SPREAD = 2.0  # the same of the shift in log-odds, about 0
LEAST_SLOPE = 0.05  # so that a higher score never means less
FEWEST_DECISIONS = 25  # with a score, before the curve is used
_EDGE = 1e-6  # what scores are rounded to

Shares = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Recalibration:
    """The share that is accepted of what scores s: its log-odds are slope * logit(s) + shift."""

    slope: float = 1.0
    shift: float = 0.0

    def expected(self, scores: npt.ArrayLike) -> Shares:
        """Return the share that is expected to be accepted of each score, of any shape."""
        shares: Shares = 1 / (1 + np.exp(-(self.slope * _log_odds(scores) + self.shift)))
        return shares

    def score_for(self, share: float) -> float:
        """Return the score whose expected share this is."""
        return float(1 / (1 + np.exp(-(float(_log_odds(share)) - self.shift) / self.slope)))


def recalibrate(scores: Sequence[float], accepted: Sequence[bool]) -> Recalibration:
    """Fit the curve to what was decided; with fewer than `FEWEST_DECISIONS` scores are taken at their word.

    Platt's (1999) curve on the log-odds, by maximum a posteriori with Gaussian priors about the identity, so that few
    decisions move it little. Which candidates were decided may hang on their score, but not otherwise on what they are.

    Args:
        scores: as they stood before each decision, shape (n,).
        accepted: what was decided, shape (n,).
    """
    if len(scores) < FEWEST_DECISIONS:
        return Recalibration()
    odds, labels = _log_odds(scores), np.asarray(accepted, dtype=np.float64)

    def loss(point: Shares) -> tuple[float, Shares]:
        logits = point[0] * odds + point[1]
        errors = 1 / (1 + np.exp(-logits)) - labels
        off, shift = (point[0] - 1) / SLOPE_SPREAD**2, point[1] / SHIFT_SPREAD**2
        value = (np.logaddexp(0, logits) - labels * logits).sum()
        value += ((point[0] - 1) * off + point[1] * shift) / 2
        return float(value), np.array([errors @ odds + off, errors.sum() + shift])

    bounds = [(LEAST_SLOPE, None), (None, None)]
    slope, shift = minimize(loss, [1.0, 0.0], jac=True, method="L-BFGS-B", bounds=bounds).x
    return Recalibration(float(slope), float(shift))


def _log_odds(scores: npt.ArrayLike) -> Shares:
    clipped = np.clip(np.asarray(scores, dtype=np.float64), _EDGE, 1 - _EDGE)
    odds: Shares = np.log(clipped) - np.log1p(-clipped)
    return odds
