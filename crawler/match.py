"""Matching: every revision with a vector is scored against the whole catalogue, and what passes is queued."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crawler.control import Progress, Stop
from crawler.embed import Embedder, StoppableEmbedder
from crawler.learning import make_ranker
from crawler.ranking.ranker import Claim, Document, Ranker
from crawler.ranking.sentences import best_sentences
from db.matches import Match, count_unmatched, list_unmatched, queue_matches, save_matches, save_ranking
from db.phenomena import catalogue_version, list_phenomena
from db.runs import add_to_run, set_run
from db.store import Row, Store
from db.vectors import load_vectors, save_model

CHUNK = 500  # revisions between two commits


def match_missing(
    store: Store, embedder: Embedder, *, run_id: int, threshold: float, now: str, stop: Stop, progress: Progress
) -> None:
    """Match every current revision that this ranking has not matched, then queue what scores `threshold` or more.

    Raises:
        StopRequested: within some texts; the chunks that were matched stay, and are queued by the next run.
    """
    embedder = StoppableEmbedder(embedder, stop)
    phenomena = list_phenomena(store)
    if not phenomena:
        return
    claims = [Claim.of(phenomenon) for phenomenon in phenomena]
    with store.transaction():
        model_id = save_model(store, embedder.identity)
        ranking_id = save_ranking(store, Ranker.version, model_id, catalogue_version(phenomena), threshold)
        set_run(store, run_id, ranker_version=Ranker.version)
    total, done, last = count_unmatched(store, ranking_id, model_id), 0, 0
    if total:
        ranker = make_ranker(store, embedder, claims)
        with store.transaction():
            set_run(store, run_id, ranker_version=f"{Ranker.version}+{ranker.fit}")
    while rows := list_unmatched(store, ranking_id, model_id, after=last, limit=CHUNK):
        stop.check()
        matches = _match(store, embedder, rows, model_id, ranker, threshold)
        with store.transaction():
            save_matches(store, ranking_id, [row["revision_id"] for row in rows], matches, run_id=run_id)
            add_to_run(store, run_id, matched=len(rows))
        done, last = done + len(rows), rows[-1]["revision_id"]
        progress("match", done, total)
    with store.transaction():
        add_to_run(store, run_id, queued=queue_matches(store, ranking_id, run_id=run_id, now=now))


def _match(
    store: Store,
    embedder: Embedder,
    rows: Sequence[Row],
    model_id: int,
    ranker: Ranker,
    threshold: float,
) -> list[Match]:
    documents = [Document(row["title"], row["abstract"]) for row in rows]
    by_hash = load_vectors(store, model_id, [row["text_hash"] for row in rows])
    scores = ranker.score(documents, np.stack([by_hash[row["text_hash"]] for row in rows]))
    pairs = [(int(row), int(claim)) for row, claim in zip(*np.nonzero(scores >= threshold), strict=True)]
    sentences = best_sentences(
        [(documents[row].abstract, ranker.claims[claim], ranker.claim_vectors[claim]) for row, claim in pairs],
        embedder.encode,
    )
    return [
        Match(
            revision_id=rows[row]["revision_id"],
            phenomenon=ranker.claims[claim].code,
            score=float(scores[row, claim]),
            sentence=sentence,
        )
        for (row, claim), sentence in zip(pairs, sentences, strict=True)
    ]
