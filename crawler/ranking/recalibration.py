"""How often scores were right in this database: what their log-odds are to be shifted by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

from crawler.ranking.ranker import DECIMALS, to_chances

FIRST_SHIFT = -3.1  # what labels of a real night ask for where scores are high (tests/bench/night.py)
SHIFT_SPREAD = 2.0  # standard deviation of the shift about that before anything is decided
FEWEST_DECISIONS = 25  # with a score, before they tell
_FARTHEST = 50.0  # shift that is looked for at most
_EDGE = 10.0**-DECIMALS

Shares = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Recalibration:
    """The share that is accepted of what scores s: its log-odds are logit(s) + shift."""

    shift: float = FIRST_SHIFT

    def expected(self, scores: npt.ArrayLike) -> Shares:
        """Return the share that is expected to be accepted of each score, of any shape."""
        return to_chances(_log_odds(scores) + self.shift)

    def score_for(self, share: float) -> float:
        """Return the score whose expected share this is."""
        return float(to_chances(_log_odds(share) - self.shift))


def recalibrate(scores: Sequence[float], accepted: Sequence[bool]) -> Recalibration:
    """Fit the shift to what was decided; with fewer than `FEWEST_DECISIONS` it is that of a night that was labelled.

    By maximum a posteriori with a Gaussian prior about that, so that few decisions move it little. The slope stays as
    it is: what is decided has high scores, most of it, and over so narrow a range a slope cannot be told. Which
    candidates were decided may hang on their score, but not otherwise on what they are.

    Args:
        scores: as they stood before each decision, shape (n,).
        accepted: what was decided, shape (n,).
    """
    if len(scores) < FEWEST_DECISIONS:
        return Recalibration()
    odds, right = _log_odds(scores), sum(accepted)

    def slope(shift: float) -> float:  # of the log-posterior, which is concave
        return float(to_chances(odds + shift).sum()) - right + (shift - FIRST_SHIFT) / SHIFT_SPREAD**2

    return Recalibration(float(brentq(slope, -_FARTHEST, _FARTHEST)))


def _log_odds(scores: npt.ArrayLike) -> Shares:
    clipped = np.clip(np.asarray(scores, dtype=np.float64), _EDGE, 1 - _EDGE)
    odds: Shares = np.log(clipped) - np.log1p(-clipped)
    return odds
