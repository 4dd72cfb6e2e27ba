"""Themes: what is near the field and fits no entry is clustered; what is an entry's own is left out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from crawler.growth import Calendar
from crawler.ranking.background import Lexicon
from crawler.ranking.claims import Document
from crawler.themes import (
    NEAR_LEAST,
    NEAR_SHARE,
    Catalogue,
    Near,
    centre,
    choose_near,
    make_proposals,
    measure_nearness,
)

WIDTH = 32
DAY = "2026-11-24"
LOGITS = st.lists(st.lists(st.floats(-30, 30), min_size=3, max_size=3), min_size=1, max_size=20)


def make_near(sizes: list[int], noise: int, logits: npt.NDArray[np.float32] | None = None) -> Near:
    """Make groups of vectors, each around a direction of its own, and noise; entries fit nothing if not said."""
    chance = np.random.default_rng(5)
    middles = np.eye(WIDTH)[: len(sizes)]
    rows = [middle + 0.08 * chance.normal(size=(size, WIDTH)) for middle, size in zip(middles, sizes, strict=True)] + [
        chance.normal(size=(noise, WIDTH))
    ]
    vectors = centre(np.concatenate(rows), np.zeros(WIDTH))
    count = len(vectors)
    fits_none = np.full((count, 2), -5.0, dtype=np.float32)
    return Near(
        [f"2601.{number:05d}" for number in range(count)],
        [DAY] * count,
        [Document(f"paper {number}", "soup") for number in range(count)],
        vectors,
        vectors,
        fits_none if logits is None else logits,
    )


def propose(near: Near) -> list[frozenset[str]]:
    directions = np.eye(WIDTH)[-2:]
    found = make_proposals(near, Catalogue(("H1.1", "W2.2"), directions), Lexicon(1000, {}), Calendar([DAY]))
    assert [one.figures.score for one in found] == sorted((one.figures.score for one in found), reverse=True)
    return [one.papers for one in found]


def ids(start: int, end: int) -> frozenset[str]:
    return frozenset(f"2601.{number:05d}" for number in range(start, end))


def test_groups_are_proposed_the_larger_of_two_alike_first_and_noise_is_not() -> None:
    assert propose(make_near([8, 30], noise=60)) == [ids(8, 38), ids(0, 8)]


def test_a_group_most_of_which_is_likely_one_entrys_is_left_out() -> None:
    logits = np.full((38, 2), -5.0, dtype=np.float32)
    logits[:5, 0] = 3
    assert propose(make_near([8, 30], 0, logits)) == [ids(8, 38)]
    logits[:5, 0] = [3, 3, 3, -5, -5]
    assert set(propose(make_near([8, 30], 0, logits))) == {ids(0, 8), ids(8, 38)}


def test_a_group_that_is_nearer_to_an_entry_than_to_itself_is_left_out() -> None:
    near = make_near([8], noise=0)
    entry = Catalogue(("H1.1",), np.eye(WIDTH)[:1])
    assert make_proposals(near, entry, Lexicon(1000, {}), Calendar([DAY])) == []


@given(LOGITS)
def test_nearness_lies_between_the_mean_and_the_best(rows: list[list[float]]) -> None:
    logits = np.array(rows)
    nearness = measure_nearness(logits)
    assert (nearness <= logits.max(axis=1) + 1e-9).all()
    assert (nearness >= logits.mean(axis=1) - 1e-9).all()


@given(st.integers(0, 3_000), st.integers(0, 1_000))
def test_what_fits_is_never_chosen_and_the_nearest_of_the_others_are(count: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    nearness, fits = chance.normal(size=count), chance.random(count) < 0.3
    chosen = choose_near(nearness, fits)
    assert not fits[chosen].any()
    assert (np.diff(chosen) > 0).all()
    assert len(chosen) == min((~fits).sum(), max(NEAR_LEAST, round(NEAR_SHARE * count)))
    left = np.setdiff1d(np.flatnonzero(~fits), chosen)
    if len(left) and len(chosen):
        assert nearness[left].max() <= nearness[chosen].min() + 1e-6
