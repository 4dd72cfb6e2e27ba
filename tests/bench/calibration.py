"""How often scores are right: what the benchmarks of the score share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crawler.ranking.ranker import to_chances

EDGES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.85, 0.95, 1.0 + 1e-9)
NORMAL_95 = 1.959964  # of the normal distribution, two-sided
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bin:
    """The pairs of one range of scores: how many, the share that is relevant, and the mean score."""

    low: float
    high: float
    pairs: int
    share: float
    mean: float


def bin_scores(scores: Numbers, relevant: Numbers) -> list[Bin]:
    """Return the ranges of scores that have pairs, from below."""
    numbers, bins = np.searchsorted(EDGES, scores, side="right"), []
    for number in range(1, len(EDGES)):
        some = numbers == number
        if some.any():
            share, mean = float(relevant[some].mean()), float(scores[some].mean())
            bins.append(Bin(EDGES[number - 1], EDGES[number], int(some.sum()), share, mean))
    return bins


def calibration_error(bins: list[Bin]) -> float:
    """Return the expected calibration error of the pairs of these bins."""
    return sum(one.pairs * abs(one.share - one.mean) for one in bins) / sum(one.pairs for one in bins)


def wilson(share: float, count: float) -> tuple[float, float]:
    """Return the 95% interval of a share of so many (Wilson 1927, Probable inference)."""
    spread = NORMAL_95**2 / count
    middle = (share + spread / 2) / (1 + spread)
    half = NORMAL_95 * np.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def fit_curve(
    logits: Numbers, relevant: Numbers, weights: Numbers | None = None, *, slope: bool = True
) -> tuple[float, float]:
    """Return slope and intercept of the logistic curve (Platt 1999) of the greatest likelihood, by Newton's steps.

    Args:
        weights: how many pairs each stands for; 1 by default.
        slope: fit the slope too, which is 1 otherwise.
    """
    columns = np.stack([np.ones_like(logits), logits][: 2 if slope else 1], axis=1)
    fixed = np.zeros_like(logits) if slope else logits
    weights = np.ones_like(logits) if weights is None else weights
    weights = weights / weights.sum()
    values = np.zeros(columns.shape[1])
    for _ in range(100):
        chances = to_chances(fixed + columns @ values)
        gradient = columns.T @ (weights * (relevant - chances))
        curvature = columns.T @ (columns * (weights * chances * (1 - chances))[:, None])
        step = np.linalg.solve(curvature + 1e-9 * np.eye(len(values)), gradient)
        values = values + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10:
            break
    return (float(values[1]) if slope else 1.0), float(values[0])
