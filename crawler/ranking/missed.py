"""How much is missed: the share of what is relevant among what was not queued, from a random sample of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Sampled:
    """What is known of one stratum.

    Attributes:
        size: how many pairs the sample was drawn from, over all draws.
        probabilities: with which each decided pair was drawn, shape (decided,).
        relevant: whether each was found relevant, shape (decided,).
    """

    size: int
    probabilities: npt.ArrayLike
    relevant: npt.ArrayLike


@dataclass(frozen=True, slots=True)
class MissRate:
    """An estimate of the share of relevant pairs, and what it is at most, with the confidence that was asked for.

    `rate` is None where a stratum has pairs of which none was decided.
    """

    rate: float | None
    upper: float


def estimate_miss_rate(strata: Sequence[Sampled], *, confidence: float = CONFIDENCE) -> MissRate | None:
    """Return the share of relevant pairs in all strata together, or None if nothing was drawn from any.

    A pair counts with the inverse of its probability (Horvitz and Thompson 1952, JASA 47:663), over the sum of these
    weights in its stratum: once all that was drawn is decided, that sum is the stratum's size and the estimate is
    theirs, without bias; until then it takes the decided ones for a sample of the drawn, which fits, for nobody sees
    which candidates are audits. Strata are joined by their sizes.

    The bound is one-sided: each stratum's own (`upper_bound`) at such a confidence that all hold together with at
    least the wanted one (Bonferroni), joined by the sizes.
    """
    known = [stratum for stratum in strata if stratum.size > 0]
    total = sum(stratum.size for stratum in known)
    if not total:
        return None
    each = 1 - (1 - confidence) / len(known)
    shares, weights = [stratum.size / total for stratum in known], [_weights(stratum) for stratum in known]
    upper = sum(
        share * upper_bound(weight, stratum.relevant, confidence=each)
        for share, weight, stratum in zip(shares, weights, known, strict=True)
    )
    if not all(weight.size for weight in weights):
        return MissRate(None, min(1.0, upper))
    rates = [_rate(weight, stratum.relevant) for weight, stratum in zip(weights, known, strict=True)]
    return MissRate(sum(share * rate for share, rate in zip(shares, rates, strict=True)), min(1.0, upper))


def upper_bound(weights: npt.ArrayLike, relevant: npt.ArrayLike, *, confidence: float = CONFIDENCE) -> float:
    """Return what the share of relevant ones is at most, from a sample; 1 where nothing was sampled.

    With equal weights it is the exact bound of Clopper and Pearson (1934, Biometrika 26:404), a quantile of the beta
    distribution. With unequal ones, as nights of different sizes give, the sample counts as Kish's effective size,
    (sum w)^2 / sum w^2, with the weighted share (Korn and Graubard 1998, Survey Methodology 24:193).

    Args:
        weights: how many pairs each sampled one stands for, shape (n,).
        relevant: whether each is relevant, shape (n,).
    """
    from scipy.special import betaincinv  # what scipy.stats.beta.ppf calls; the whole of scipy.stats loads long

    weight = np.asarray(weights, dtype=np.float64)
    if not weight.size:
        return 1.0
    effective = float(weight.sum() ** 2 / (weight**2).sum())
    found = _rate(weight, relevant) * effective
    misses = effective - found
    return 1.0 if misses < 1e-9 else float(betaincinv(found + 1, misses, confidence))


def _weights(stratum: Sampled) -> npt.NDArray[np.float64]:
    weights: npt.NDArray[np.float64] = 1 / np.asarray(stratum.probabilities, dtype=np.float64)
    return weights


def _rate(weights: npt.NDArray[np.float64], relevant: npt.ArrayLike) -> float:
    return float((weights * np.asarray(relevant, dtype=np.bool_)).sum() / weights.sum())
