"""Ranks all stored papers for claims: a phenomenon's, or any claim in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from crawler.control import Progress, no_progress
from crawler.embed import Embedder
from crawler.learning import make_learner
from crawler.ranking.ranker import Claim, to_chances, to_scores
from db.papers import iterate_current
from db.store import Store
from db.vectors import load_vectors

CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class RankedPaper:
    """A stored paper and its score, which orders it before it is rounded.

    Attributes:
        score: a probability, rounded as everywhere.
        exact: the same, from log-odds of nine decimals.
    """

    arxiv_id: str
    version: int
    title: str
    withdrawn: bool
    score: float
    exact: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """A ranking, best first; papers without a vector could not be ranked."""

    papers: list[RankedPaper]
    ranker_version: str
    without_vector: int


def rank_papers(
    store: Store,
    embedder: Embedder,
    claim: Claim,
    *,
    since: date | None = None,
    limit: int | None = None,
    progress: Progress = no_progress,
) -> Ranking:
    """Rank the stored papers for a claim; equal scores go by id.

    Args:
        since: only papers first published on this day or later.
        limit: the best so many.

    Raises:
        EmbeddingError: the claim cannot be embedded.
    """
    (ranking,) = rank_claims(store, embedder, [claim], since=since, progress=progress)
    return replace(ranking, papers=ranking.papers if limit is None else ranking.papers[:limit])


def rank_claims(
    store: Store,
    embedder: Embedder,
    claims: Sequence[Claim],
    *,
    since: date | None = None,
    use_decisions: bool = True,
    progress: Progress = no_progress,
) -> Iterator[Ranking]:
    """Yield the ranking of all stored papers for each claim; the papers are read and judged once.

    Args:
        since: only papers first published on this day or later.
        use_decisions: learn from what was decided for the phenomena whose codes the claims bear.

    Raises:
        EmbeddingError: a claim cannot be embedded.
    """
    learner = make_learner(store, embedder, claims, use_decisions=use_decisions, progress=progress)
    ranker = learner.ranker
    papers: list[tuple[str, int, str, bool]] = []
    evidence = [np.empty((0, len(claims)))]
    without_vector = 0
    for rows in iterate_current(store, since=since, chunk=CHUNK):
        known = load_vectors(store, learner.model_id, [row["text_hash"] for row in rows])
        usable = [row for row in rows if row["text_hash"] in known]
        without_vector += len(rows) - len(usable)
        if not usable:
            continue
        evidence.append(
            ranker.evidence(learner.words_of(usable), np.stack([known[row["text_hash"]] for row in usable]))
        )
        papers += [(row["arxiv_id"], row["version"], row["title"], bool(row["withdrawn"])) for row in usable]
        progress("rank", len(papers), None)
    logits = np.concatenate(evidence)
    for claim, (scores, exact) in enumerate(zip(to_scores(logits).T, to_chances(logits).T, strict=True)):
        order = sorted(range(len(papers)), key=lambda row: (-logits[row, claim], papers[row][0]))
        ranked = [RankedPaper(*papers[row], float(scores[row]), float(exact[row])) for row in order]
        yield Ranking(ranked, ranker.version, without_vector)
