"""Ranks all stored papers for one claim: a phenomenon's, or any claim in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from crawler.embed import Embedder
from crawler.match import encode_claims
from crawler.ranking.background import Background
from crawler.ranking.ranker import Claim, Document, Ranker
from db.papers import iterate_current
from db.store import Store
from db.vectors import load_vectors, save_model

CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class RankedPaper:
    """A stored paper and its score."""

    arxiv_id: str
    version: int
    title: str
    score: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """A ranking, best first; papers without a vector could not be ranked."""

    papers: list[RankedPaper]
    ranker_version: str
    without_vector: int


def rank_papers(
    store: Store, embedder: Embedder, claim: Claim, *, since: date | None = None, limit: int | None = None
) -> Ranking:
    """Rank the stored papers for a claim; equal scores go by id.

    Args:
        since: only papers first published on this day or later.
        limit: the best so many.

    Raises:
        EmbeddingError: the claim cannot be embedded.
    """
    (vectors,) = encode_claims(store, embedder, [claim])
    ranker = Ranker([claim], [vectors], Background.load(embedder.identity))
    with store.transaction():
        model_id = save_model(store, embedder.identity)
    ranked: list[RankedPaper] = []
    without_vector = 0
    for rows in iterate_current(store, since=since, chunk=CHUNK):
        known = load_vectors(store, model_id, [row["text_hash"] for row in rows])
        usable = [row for row in rows if row["text_hash"] in known]
        without_vector += len(rows) - len(usable)
        if not usable:
            continue
        documents = [Document(row["title"], row["abstract"]) for row in usable]
        scores = ranker.score(documents, np.stack([known[row["text_hash"]] for row in usable]))[:, 0]
        ranked += [
            RankedPaper(row["arxiv_id"], row["version"], row["title"], float(score))
            for row, score in zip(usable, scores, strict=True)
        ]
    ranked.sort(key=lambda paper: (-paper.score, paper.arxiv_id))
    return Ranking(ranked if limit is None else ranked[:limit], ranker.version, without_vector)
