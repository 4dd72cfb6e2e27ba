"""What the audit is drawn from, and with which chance."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import LOADED, NOW
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from crawler.audit import PAPERS_PER_AUDIT, draw_chances, gather_for_audit, share_out, split_strata
from db.audits import count_waiting, forget_other_pools, list_pool
from db.matches import Cut, Way, save_ranking
from db.papers import save_papers
from db.records import Aspect, ModelIdentity, Phenomenon, Stratum
from db.runs import start_run
from db.store import Store, open_store
from db.times import to_text
from db.upkeep import save_phenomena
from db.vectors import save_model

CODES = ("H1.1", "H1.2", "W1.1")
PAPERS = 60


def test_each_papers_best_pair_stands_near_and_all_others_stand_in_the_rest() -> None:
    scores = np.array([[0.1, 0.7, 0.2], [0.9, 0.3, 0.5], [0.9, 0.95, 0.9], [0.4, 0.4, 0.1]])
    strata = split_strata(scores, scores < 0.85)
    assert np.argwhere(strata[Stratum.NEAR]).tolist() == [[0, 1], [1, 2], [3, 0]]  # of equals the first
    assert np.argwhere(strata[Stratum.REST]).tolist() == [[0, 0], [0, 2], [1, 1], [3, 1], [3, 2]]


@given(arrays.arrays(np.float64, st.tuples(st.integers(0, 9), st.integers(1, 5)), elements=st.floats(0, 1)))
def test_every_pair_below_the_cut_stands_in_one_stratum(scores: np.ndarray) -> None:
    strata = split_strata(scores, scores < 0.5)
    together = strata[Stratum.NEAR].astype(int) + strata[Stratum.REST]
    assert (together == (scores < 0.5)).all()
    assert (strata[Stratum.NEAR].sum(axis=1) == (scores < 0.5).any(axis=1)).all()


def test_a_chance_hangs_on_the_draw_and_the_pair_alone() -> None:
    whole = draw_chances(7, ["2611.00001", "2611.00002", "hep-th/9901001"], CODES)
    assert (draw_chances(7, ["hep-th/9901001"], CODES[1:]) == whole[2, 1:]).all()
    assert not (draw_chances(8, ["2611.00001"], CODES) == whole[0]).any()
    assert whole.dtype == np.int64 and (whole >= 0).all()  # as SQLite holds it
    assert len(set(whole.ravel().tolist())) == whole.size


def test_every_pair_is_drawn_equally_often() -> None:
    papers, draws, size = [f"2611.{i:05d}" for i in range(12)], 3_000, 4
    drawn = Counter(
        int(pair) for draw in range(draws) for pair in np.argsort(draw_chances(draw, papers, CODES).ravel())[:size]
    )
    expected = draws * size / 36
    chi_square = sum((drawn[pair] - expected) ** 2 / expected for pair in range(36))
    assert chi_square < 62.0  # of 35 degrees of freedom; it is exceeded by chance one time in three hundred


@pytest.mark.parametrize(
    ("papers", "size", "draw", "near", "rest"),
    [
        (1000, 2, 1, 1, 1),
        (1000, 4, 2, 2, 2),
        (1000, 3, 1, 2, 1),
        (1000, 3, 2, 1, 2),
        (1000, 1, 1, 1, 0),
        (1000, 1, 2, 0, 1),
        (PAPERS_PER_AUDIT - 1, 2, 1, 0, 0),
        (PAPERS_PER_AUDIT, 2, 1, 1, 0),
        (3 * PAPERS_PER_AUDIT, 8, 2, 1, 2),
        (1000, 0, 1, 0, 0),
    ],
)
def test_half_comes_from_each_stratum_and_little_from_a_small_night(
    papers: int, size: int, draw: int, near: int, rest: int
) -> None:
    assert share_out(papers, size, draw) == {Stratum.NEAR: near, Stratum.REST: rest}


# The pool


def _fill(store: Store) -> int:
    """Put papers and claims into a database and return the id of a ranking."""
    from sample_digest import make_paper

    with store.transaction():
        save_phenomena(store, [Phenomenon(code, Aspect.HOW, "Made", code, f"{code} holds.") for code in CODES], LOADED)
        run_id = start_run(
            store, kind="nightly", source="oai", categories=(), started_at=to_text(NOW), program_version="0"
        )
        save_papers(store, [make_paper(i, f"Paper {i}") for i in range(PAPERS)], run_id=run_id, now=to_text(NOW))
        model_id = save_model(store, ModelIdentity("fake", "1", "", 256, 8))
        return save_ranking(store, Way("1", model_id, "catalogue"), Cut(0.85))


def _gather(store: Store, ranking_id: int, portion: int, *, size: int = 5, matched_before: bool = False) -> None:
    rows = store.rows("SELECT revision_id, arxiv_id FROM revisions ORDER BY revision_id")
    scores = np.round(np.random.default_rng(1).random((PAPERS, len(CODES))), 6)
    for start in range(0, PAPERS, portion):
        part = [{**row, "matched_before": matched_before} for row in rows[start : start + portion]]
        with store.transaction():
            gather_for_audit(store, ranking_id, part, CODES, scores[start : start + portion], threshold=0.85, size=size)


def _pool(store: Store) -> list[tuple[str, int, str]]:
    return [
        (stratum.value, row["revision_id"], row["phenomenon"])
        for stratum in Stratum
        for row in list_pool(store, stratum, limit=100)
    ]


def test_what_waits_is_the_same_in_whatever_portions_it_was_seen(tmp_path: Path) -> None:
    pools = []
    for portion in (1, 7, PAPERS):
        with open_store(tmp_path / f"{portion}.db", create=True, clock=lambda: NOW) as store:
            _gather(store, _fill(store), portion)
            pools.append((_pool(store), count_waiting(store)))
    assert pools[0] == pools[1] == pools[2]
    assert len(pools[0][0]) == 10  # five of each stratum, however many were seen
    scores = np.round(np.random.default_rng(1).random((PAPERS, len(CODES))), 6)
    below = int((scores < 0.85).sum())
    papers = int((scores < 0.85).any(axis=1).sum())
    assert pools[0][1] == {Stratum.NEAR: papers, Stratum.REST: below - papers}


def test_what_was_matched_before_is_not_drawn_from(store: Store) -> None:
    _gather(store, _fill(store), PAPERS, matched_before=True)
    assert count_waiting(store) == {Stratum.NEAR: 0, Stratum.REST: 0}


def test_what_is_a_candidate_already_is_not_drawn_from(store: Store) -> None:
    ranking_id = _fill(store)
    store.connection.execute(
        "INSERT INTO candidates (arxiv_id, phenomenon_code, queued_at) SELECT arxiv_id, 'H1.2', '' FROM papers"
    )
    _gather(store, ranking_id, PAPERS, size=200)
    assert {code for _, _, code in _pool(store)} == {"H1.1", "W1.1"}


def test_a_size_of_nothing_gathers_nothing(store: Store) -> None:
    _gather(store, _fill(store), PAPERS, size=0)
    assert (_pool(store), store.value("SELECT count(*) FROM audit_frames")) == ([], 0)


def test_what_another_ranking_or_another_size_gathered_is_forgotten(store: Store) -> None:
    ranking_id = _fill(store)
    _gather(store, ranking_id, PAPERS)
    before = _pool(store)
    forget_other_pools(store, ranking_id, 5)
    assert _pool(store) == before
    forget_other_pools(store, ranking_id, 6)
    assert (_pool(store), count_waiting(store)) == ([], {Stratum.NEAR: 0, Stratum.REST: 0})
