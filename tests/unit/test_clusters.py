"""Clusters: planted groups come back, noise and what is alone do not, and nothing hangs on chance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from crawler.clusters import find_clusters

WIDTH = 48
Vectors = npt.NDArray[np.float32]


def unit(vectors: npt.NDArray[np.float64]) -> Vectors:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def make_noise(count: int, seed: int = 0) -> Vectors:
    return unit(np.random.default_rng(seed).normal(size=(count, WIDTH)))


def make_group(count: int, seed: int, spread: float = 0.6) -> Vectors:
    """Make vectors around one direction; with the default spread two of them have a cosine of about 0.74."""
    chance = np.random.default_rng(seed)
    centre = unit(chance.normal(size=(1, WIDTH)))
    return unit(centre + spread / np.sqrt(WIDTH) * chance.normal(size=(count, WIDTH)))


def test_planted_groups_come_back_and_noise_is_in_none() -> None:
    vectors = np.concatenate([make_group(12, 1), make_noise(200), make_group(30, 2), make_group(6, 3)])
    found = sorted(find_clusters(vectors))
    assert found == [list(range(12)), list(range(212, 242)), list(range(242, 248))]


def test_noise_alone_makes_no_group() -> None:
    assert find_clusters(make_noise(300)) == []


def test_a_group_that_is_too_small_is_none() -> None:
    vectors = np.concatenate([make_group(4, 1), make_noise(50)])
    assert find_clusters(vectors) == []
    assert find_clusters(vectors, fewest=4) == [[0, 1, 2, 3]]


def test_two_sides_of_a_theme_are_one_group_where_they_are_like_each_other() -> None:
    theme = make_noise(1, 5)
    sides = [unit(theme + 0.5 * make_noise(1, seed)) for seed in (6, 7)]
    vectors = np.concatenate([unit(side + 0.6 * make_noise(10, seed)) for seed, side in enumerate(sides)])
    assert len(find_clusters(vectors, likeness=0.2)) == 1
    assert len(find_clusters(vectors, likeness=0.65)) == 2
    assert len(find_clusters(vectors, likeness=0.2, most=19)) == 2


def test_nothing_and_next_to_nothing_make_no_group() -> None:
    for count in range(5):
        assert find_clusters(make_group(count, 1), fewest=5) == []
    assert find_clusters(np.zeros((0, WIDTH), dtype=np.float32)) == []


def test_the_same_text_many_times_is_one_group() -> None:
    vectors = np.repeat(make_noise(1), 7, axis=0)
    assert find_clusters(np.concatenate([vectors, make_noise(40, 3)])) == [list(range(7))]


@given(st.permutations(range(30)))
def test_groups_hang_on_no_order(order: list[int]) -> None:
    vectors = np.concatenate([make_group(8, 1), make_group(9, 2), make_noise(13)])
    found = {frozenset(order[place] for place in group) for group in find_clusters(vectors[order])}
    assert found == {frozenset(group) for group in find_clusters(vectors)}


@given(st.integers(0, 10_000), st.integers(2, 8), st.floats(0.1, 0.9))
def test_groups_are_disjoint_within_their_sizes_and_tight(seed: int, fewest: int, likeness: float) -> None:
    vectors = np.concatenate([make_group(7, seed, 1.2), make_group(9, seed + 1, 0.8), make_noise(20, seed)])
    groups = find_clusters(vectors, fewest=fewest, most=10, likeness=likeness)
    members = [one for group in groups for one in group]
    assert len(members) == len(set(members))
    for group in groups:
        assert fewest <= len(group) <= 10
        cosines = vectors[group].astype(np.float64) @ vectors[group].astype(np.float64).T
        assert cosines[np.triu_indices(len(group), 1)].mean() > likeness - 1e-4
