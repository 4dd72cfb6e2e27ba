"""Matching: every revision with a vector is scored against the whole catalogue, and what passes is queued."""

from __future__ import annotations

from functools import cache, partial

import numpy as np

from crawler.audit import draw_audits, gather_for_audit
from crawler.control import Progress, Stop
from crawler.cutting import find_or_make_cut
from crawler.embed import Embedder, StoppableEmbedder
from crawler.learning import explain_pairs, load_documents, make_learner
from crawler.ranking.ranker import Claim, Ranker
from crawler.rerank import is_outdated, rerank_all, score_backlog
from db.audits import forget_other_pools, queue_audits
from db.candidates import count_queued_on
from db.matches import (
    Cut,
    Match,
    Way,
    count_backlog,
    count_unmatched,
    list_unmatched,
    queue_matches,
    save_matches,
    save_ranking,
    settle_way,
)
from db.phenomena import catalogue_version, list_phenomena
from db.runs import add_to_run, set_run
from db.store import Store
from db.vectors import keep_model

CHUNK = 500  # revisions between two commits


def match_missing(
    store: Store,
    embedder: Embedder,
    *,
    run_id: int,
    threshold: float,
    precision: float | None = None,
    budget: int | None = None,
    now: str,
    stop: Stop,
    progress: Progress,
    audit_size: int = 0,
) -> int:
    """Match every current revision that this ranking has not matched, queue what passes, and return how many wait.

    What waits passed, but is more than the budget: it is queued by a later run, the best first.

    Args:
        threshold: the score from which a match passes.
        precision: the share of what passes that is to be right, in place of the threshold (`crawler.cutting`).
        budget: how many candidates are new at most on one day, UTC, whatever runs bring them.
        now: the moment of the run, as text.
        audit_size: how many of the others are queued beside it at most, drawn at random.

    Raises:
        StopRequested: within some texts; the chunks that were matched stay, and are queued by the next run.
    """
    embedder = StoppableEmbedder(embedder, stop)
    phenomena = list_phenomena(store)
    if not phenomena:
        return 0
    claims = [Claim.of(phenomenon) for phenomenon in phenomena]
    model_id = keep_model(store, embedder.identity)
    with store.transaction():
        set_run(store, run_id, ranker_version=Ranker.version)
    make = cache(partial(make_learner, store, embedder, claims, progress=progress))
    way = Way(Ranker.version, model_id, catalogue_version(phenomena))
    cut = Cut(threshold) if precision is None else find_or_make_cut(store, way, precision, make)
    threshold = cut.threshold
    way = settle_way(store, way, threshold, lambda: make().ranker.fit)
    with store.transaction():
        ranking_id = save_ranking(store, way, cut)
    if audit_size:
        forget_other_pools(store, ranking_id, audit_size)
    if budget is not None:
        budget = max(0, budget - count_queued_on(store, now))
    total, done, last = count_unmatched(store, ranking_id, model_id), 0, 0
    needed = total or is_outdated(store, embedder.identity, claims) or (budget and count_backlog(store, ranking_id))
    learner = make() if needed else None
    if total and learner:
        with store.transaction():
            set_run(store, run_id, ranker_version=f"{Ranker.version}+{learner.ranker.fit}")
    while learner and (rows := list_unmatched(store, ranking_id, model_id, after=last, limit=CHUNK)):
        stop.check()
        documents, vectors = load_documents(store, rows, model_id)
        scores = learner.ranker.score(learner.words_of(rows), vectors)
        pairs = [(int(row), int(claim)) for row, claim in zip(*np.nonzero(scores >= threshold), strict=True)]
        found = explain_pairs(embedder, learner.ranker, rows, documents, vectors, pairs)
        matches = [
            Match(rows[row]["revision_id"], claims[claim].code, float(scores[row, claim]), *one)
            for (row, claim), one in zip(pairs, found, strict=True)
        ]
        with store.transaction():
            gather_for_audit(
                store, ranking_id, rows, [one.code for one in claims], scores, threshold=threshold, size=audit_size
            )
            save_matches(store, ranking_id, [row["revision_id"] for row in rows], matches, run_id=run_id)
            add_to_run(store, run_id, matched=len(rows))
        done, last = done + len(rows), rows[-1]["revision_id"]
        progress("match", done, total)
    audits = None
    if audit_size:
        audits = draw_audits(store, embedder, make, size=audit_size, model_id=model_id)
    fresh = score_backlog(store, learner, ranking_id, budget) if learner and budget else {}
    with store.transaction():
        queued, left = queue_matches(
            store, ranking_id, run_id=run_id, now=now, budget=budget, scores=fresh, threshold=threshold
        )
        if audits is not None:
            queued += queue_audits(store, ranking_id, audits, run_id=run_id, now=now)
        add_to_run(store, run_id, queued=queued)
    if learner:
        rerank_all(store, learner, stop)
    return left
