"""The miss rate and its bound: by hand, against SciPy's exact test, and by simulated audits."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from crawler.audit import draw_chances, split_strata
from crawler.ranking.missed import MissRate, Sampled, estimate_miss_rate, upper_bound
from db.records import Stratum

TRIALS = 1_000

Population = npt.NDArray[np.bool_]
Night = tuple[npt.NDArray[np.float64], Population]


def test_no_miss_among_59_bounds_the_rate_at_5_percent() -> None:
    # The rule of auditors: 0.95^59 is just below 0.05.
    assert upper_bound(np.ones(59), np.zeros(59)) == pytest.approx(1 - 0.05 ** (1 / 59))
    assert upper_bound(np.ones(59), np.zeros(59)) < 0.05 < upper_bound(np.ones(58), np.zeros(58))


@pytest.mark.parametrize(("found", "n"), [(0, 1), (1, 1), (1, 20), (7, 30), (30, 30)])
@pytest.mark.parametrize("weight", [1.0, 431.5])
def test_with_equal_weights_the_bound_is_that_of_clopper_and_pearson(found: int, n: int, weight: float) -> None:
    from scipy.stats import binomtest

    exact = binomtest(found, n, alternative="less").proportion_ci(0.95, method="exact").high
    assert upper_bound(np.full(n, weight), np.arange(n) < found) == pytest.approx(exact)


def test_unequal_weights_count_as_fewer_samples() -> None:
    # (1 + 1 + 1 + 3)^2 / (1 + 1 + 1 + 9) = 3: as if three had been sampled.
    assert upper_bound([1, 1, 1, 3], [0, 0, 0, 0]) == pytest.approx(1 - 0.05 ** (1 / 3))


def test_nothing_sampled_bounds_nothing() -> None:
    assert upper_bound([], []) == 1


def test_the_estimate_weighs_each_pair_with_what_it_stands_for() -> None:
    near = Sampled(100, [0.1, 0.1, 0.05, 0.05], [True, False, True, False])  # 10 + 20 of 60
    rest = Sampled(900, [0.01, 0.01], [False, True])  # 100 of 200
    estimate = estimate_miss_rate([near, rest])
    assert estimate is not None
    assert estimate.rate == pytest.approx(0.1 * 30 / 60 + 0.9 * 0.5)
    bounds = [
        upper_bound([10, 10, 20, 20], [1, 0, 1, 0], confidence=0.975),
        upper_bound([1, 1], [0, 1], confidence=0.975),
    ]
    assert estimate.upper == pytest.approx(0.1 * bounds[0] + 0.9 * bounds[1])


def test_one_stratum_alone_takes_the_whole_confidence() -> None:
    estimate = estimate_miss_rate([Sampled(1000, [0.01] * 10, [False] * 10), Sampled(0, [], [])])
    assert estimate is not None
    assert estimate.rate == 0
    assert estimate.upper == pytest.approx(1 - 0.05**0.1)


def test_a_stratum_without_decisions_leaves_the_rate_open_and_the_bound_wide() -> None:
    estimate = estimate_miss_rate([Sampled(100, [0.1] * 50, [False] * 50), Sampled(900, [], [])])
    assert estimate is not None
    assert estimate.rate is None
    assert 0.9 < estimate.upper < 0.91


def test_without_a_draw_there_is_no_estimate() -> None:
    assert estimate_miss_rate([Sampled(0, [], []), Sampled(0, [], [])]) is None


# Simulated audits: nights of papers and claims, some pairs relevant, drawn as a night draws.


def simulate(trial: int, nights: Sequence[Night], near: int, rest: int, decided: float = 1.0) -> MissRate:
    """Return what an audit says of nights, each given by scores and the relevant pairs."""
    found: dict[Stratum, tuple[list[float], list[bool]]] = {stratum: ([], []) for stratum in Stratum}
    sizes = dict.fromkeys(Stratum, 0)
    chance = np.random.default_rng(trial)
    for night, (scores, relevant) in enumerate(nights):
        chances = draw_chances(trial * 100 + night, [f"2611.{i:05d}" for i in range(len(scores))], _codes(scores))
        strata = split_strata(scores, scores < 0.85)
        for stratum, n in ((Stratum.NEAR, near), (Stratum.REST, rest)):
            mask = strata[stratum]
            drawn = np.argsort(chances[mask])[:n]
            drawn = drawn[chance.random(len(drawn)) < decided]
            sizes[stratum] += int(mask.sum())
            found[stratum][0].extend([min(1.0, n / max(1, mask.sum()))] * len(drawn))
            found[stratum][1].extend(relevant[mask][drawn])
    estimate = estimate_miss_rate([Sampled(sizes[stratum], *found[stratum]) for stratum in Stratum])
    assert estimate is not None
    return estimate


def _codes(scores: npt.NDArray[np.float64]) -> list[str]:
    return [f"H1.{i}" for i in range(scores.shape[1])]


def make_night(seed: int, papers: int, rate: float | None = None, *, claims: int = 6) -> Night:
    """Return scores, and which pairs are relevant: each by `rate`, or the likelier the higher it scores."""
    chance = np.random.default_rng(seed)
    scores = chance.beta(0.3, 3, size=(papers, claims))
    return scores, chance.random(scores.shape) < (scores * 0.5 if rate is None else rate)


def truth_of(nights: Sequence[Night]) -> float:
    """Return the share of relevant pairs among those below the cut."""
    missed = sum(int(relevant[scores < 0.85].sum()) for scores, relevant in nights)
    return missed / sum(int((scores < 0.85).sum()) for scores, _ in nights)


NIGHTS = [make_night(seed, papers) for seed, papers in enumerate((40, 90, 60, 150))]


def test_the_estimate_is_right_on_average() -> None:
    rates = np.array([simulate(trial, NIGHTS, 4, 5).rate for trial in range(TRIALS)], dtype=np.float64)
    error = rates.std(ddof=1) / math.sqrt(TRIALS)
    assert abs(rates.mean() - truth_of(NIGHTS)) < 3 * error
    assert error < 0.05 * truth_of(NIGHTS)  # else the test could not tell


def test_counting_every_pair_alike_would_be_wrong() -> None:
    """What the weights are for: the pairs near the cut are drawn far more often than the others."""
    scores, relevant = NIGHTS[0]
    near = split_strata(scores, scores < 0.85)[Stratum.NEAR]
    assert relevant[near].mean() > 1.5 * truth_of(NIGHTS[:1])


@pytest.mark.parametrize(
    ("claims", "sizes"),
    [(1, (400,)), (1, (100, 100, 100, 2000)), (6, (120, 40, 300, 80))],
    ids=["one stratum", "one stratum and a night like twenty", "two strata"],
)
@pytest.mark.parametrize("rate", [0.02, 0.5])
def test_the_bound_holds_at_least_as_often_as_it_says(rate: float, claims: int, sizes: tuple[int, ...]) -> None:
    nights = [make_night(50 + i, papers, rate, claims=claims) for i, papers in enumerate(sizes)]
    truth = truth_of(nights)
    bounds = [simulate(trial, nights, 8, 8).upper for trial in range(TRIALS)]
    assert np.mean(np.array(bounds) >= truth) >= 0.95
    assert np.median(bounds) < truth + 0.45  # it says something


def test_the_bound_holds_while_some_are_undecided_and_where_relevance_follows_the_score() -> None:
    truth = truth_of(NIGHTS)
    covered = [simulate(trial, NIGHTS, 6, 6, decided=0.6).upper >= truth for trial in range(TRIALS)]
    assert np.mean(covered) >= 0.95
