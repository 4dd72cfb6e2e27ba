"""The audit's draw: a small random sample of what a night scored and did not queue, mixed into the review unmarked.

What a review throws away unseen can only be known by looking at some of it: the share of relevant ones in a random
sample of it, its elusion, tells what is missed (Grossman and Cormack 2013, Federal Courts Law Review 7:1). Two strata
are drawn from, half of the sample from each, for a sample of all pairs would find hardly one that anybody could
mistake for evidence: each paper's best pair among those that were not queued, and all other such pairs.

Every pair has a random number of its own, a hash of the draw, the paper and the phenomenon; of each stratum the pairs
with the smallest numbers are drawn. That is a simple random sample without replacement (Fan, Muller and Rezucha 1962,
JASA 57:387), whatever the order and the portions in which pairs are seen, and needs no more memory than the sample.
A pair's probability is the sample's size over the stratum's. What was gathered waits in the database, so that a night
that was killed and its successor draw what one night would have drawn.

A revision is drawn from when it is scored for the first time only: else the night after a change of the catalogue,
which scores all stored papers again, would outweigh all other nights together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from crawler.embed import Embedder
from crawler.learning import Learner, explain_pairs, load_documents
from crawler.ranking.hashing import hash_to_64_bits, mix
from db.audits import (
    Audit,
    PoolPair,
    add_to_pool,
    count_waiting,
    find_candidate_pairs,
    list_pool,
    next_draw,
)
from db.matches import Match
from db.records import Stratum
from db.store import Row, Store

PAPERS_PER_AUDIT = 50  # fewer new papers leave the draw to a later night, so that audits stay few in the queue

Mask = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float64]


def gather_for_audit(
    store: Store,
    ranking_id: int,
    rows: Sequence[Row],
    codes: Sequence[str],
    scores: Scores,
    *,
    threshold: float,
    size: int,
) -> None:
    """Let what was scored for the first time and not queued wait for the draw. Runs inside a transaction.

    Args:
        rows: the revisions, as `list_unmatched` gives them.
        scores: theirs, shape (rows, codes).
        size: how many are drawn at most.
    """
    if not size:
        return
    ids = [row["arxiv_id"] for row in rows]
    known = find_candidate_pairs(store, ids)
    queued = np.array([[(arxiv_id, code) in known for code in codes] for arxiv_id in ids])
    new = np.array([[not row["matched_before"]] for row in rows])
    chances = draw_chances(next_draw(store), ids, codes)
    for stratum, mask in split_strata(scores, new & ~queued & (scores < threshold)).items():
        members = np.argwhere(mask)
        first = members[np.argsort(chances[mask], kind="stable")[:size]]
        pairs = [
            PoolPair(rows[row]["revision_id"], codes[claim], float(scores[row, claim]), int(chances[row, claim]))
            for row, claim in first
        ]
        counts = Counter(codes[claim] for claim in members[:, 1])
        add_to_pool(store, ranking_id, stratum, counts, pairs, size=size)


def split_strata(scores: Scores, members: Mask) -> dict[Stratum, Mask]:
    """Return which members stand in which stratum: each paper's best one, the first of equals, and all others."""
    near = np.zeros_like(members)
    papers = np.flatnonzero(members.any(axis=1))
    near[papers, np.where(members, scores, -np.inf)[papers].argmax(axis=1)] = True
    return {Stratum.NEAR: near, Stratum.REST: members & ~near}


def draw_chances(draw: int, arxiv_ids: Sequence[str], codes: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return a number from 0 to 2^63 - 1 for each pair, shape (papers, codes), which only draw and pair determine.

    The hashes of paper and phenomenon are added, and their sum is mixed.
    """
    papers = np.array([hash_to_64_bits(f"{draw} paper {arxiv_id}") for arxiv_id in arxiv_ids], dtype=np.uint64)
    claims = np.array([hash_to_64_bits(f"{draw} phenomenon {code}") for code in codes], dtype=np.uint64)
    sums = papers[:, None] + claims[None, :]  # unsigned numbers wrap around
    chances: npt.NDArray[np.int64] = (mix(sums) >> np.uint64(1)).astype(np.int64)
    return chances


def share_out(papers: int, size: int, draw: int) -> dict[Stratum, int]:
    """Return how many are drawn from each stratum; the odd one comes from one and the other in turn.

    Args:
        papers: how many wait for the draw.
        size: how many are drawn at most.
    """
    size = min(size, papers // PAPERS_PER_AUDIT)
    near = (size + draw % 2) // 2
    return {Stratum.NEAR: near, Stratum.REST: size - near}


def draw_audits(
    store: Store, embedder: Embedder, make: Callable[[], Learner], *, size: int, model_id: int
) -> list[Audit] | None:
    """Return what is drawn of all that waits, with sentences and reasons; None while too few papers wait for a draw.

    What became a candidate meanwhile, or is no current revision any more, is left out after the draw, which leaves
    the probabilities of the others as they are.

    Args:
        make: makes the night's ranker, where it is not made yet.
        size: how many are drawn at most.
    """
    waiting = count_waiting(store)
    shares = share_out(waiting[Stratum.NEAR], size, next_draw(store))
    if not any(shares.values()):
        return None
    drawn = [
        (stratum, min(1.0, share / waiting[stratum]), row)
        for stratum, share in shares.items()
        for row in list_pool(store, stratum, limit=share)
        if row["usable"]
    ]
    if not drawn:
        return []
    rows = [row for *_, row in drawn]
    ranker = make().ranker
    places = {claim.code: place for place, claim in enumerate(ranker.claims)}
    pairs = [(number, places[row["phenomenon"]]) for number, row in enumerate(rows)]
    found = explain_pairs(embedder, ranker, rows, *load_documents(store, rows, model_id), pairs)
    return [
        Audit(Match(row["revision_id"], row["phenomenon"], row["score"], *one), stratum, probability, row["chance"])
        for (stratum, probability, row), one in zip(drawn, found, strict=True)
    ]
