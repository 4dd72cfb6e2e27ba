"""Proposes entries for the catalogue: what is stored is looked through for papers of the field that fit no entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from crawler.control import Progress, no_progress
from crawler.embed import Embedder
from crawler.growth import Calendar
from crawler.learning import Learner, load_documents, make_learner
from crawler.ranking.background import Background
from crawler.ranking.ranker import Claim, to_scores
from crawler.themes import (
    Near,
    Numbers,
    Places,
    centre,
    centre_claims,
    choose_near,
    join_views,
    make_proposals,
    measure_nearness,
)
from db.papers import iterate_current, list_texts
from db.phenomena import list_phenomena
from db.proposals import Proposal, list_refused, list_taken
from db.store import Store
from db.vectors import load_vectors

CHUNK = 2_000
REFUSED = -10.0  # log-odds of a pair that was rejected


@dataclass(frozen=True, slots=True)
class Found:
    """What was proposed, best first, of how many papers.

    Attributes:
        papers: those that were looked at.
        unfit: those of them that fit no entry.
        near: those of these that are of the field, which were clustered.
        without_vector: those that could not be looked at.
    """

    proposals: list[Proposal]
    papers: int
    unfit: int
    near: int
    without_vector: int


def propose_entries(
    store: Store,
    embedder: Embedder,
    *,
    threshold: float,
    since: date | None = None,
    progress: Progress = no_progress,
) -> Found:
    """Propose entries from the stored papers; the same database gives the same proposals.

    Left out are papers that are evidence of an entry or wait to be, that score the threshold or more for one, and that
    were withdrawn. A rejected pair counts as one that does not fit.

    Args:
        threshold: the score from which a paper fits an entry.
        since: only papers first published on this day or later.

    Raises:
        EmbeddingError: a claim cannot be embedded.
    """
    claims = [Claim.of(phenomenon) for phenomenon in list_phenomena(store)]
    if not claims:
        return Found([], 0, 0, 0, 0)
    learner = make_learner(store, embedder, claims, progress=progress)
    looked = _look(store, learner, threshold, since, progress)
    places = choose_near(looked.nearness, looked.fits)
    proposals: list[Proposal] = []
    if len(places):
        background = Background.load(embedder.identity)
        mean = background.centre if background.centre is not None else looked.mean
        progress("cluster", 0, len(places))
        near = _load_near(store, learner, looked, places, mean)
        catalogue = centre_claims([claim.code for claim in claims], learner.ranker.claim_vectors, mean)
        proposals = make_proposals(near, catalogue, background.lexicon, Calendar([row.day for row in looked.rows]))
        progress("cluster", len(places), len(places))
    return Found(proposals, len(looked.rows), int((~looked.fits).sum()), len(places), looked.without_vector)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A paper that was looked at."""

    arxiv_id: str
    revision_id: int
    day: str


@dataclass(frozen=True, slots=True)
class _Looked:
    """All papers that were looked at, by id: n of them, with the mean of their vectors, shape (d,).

    Attributes:
        nearness: how much of the field they have, as `measure_nearness` tells, shape (n,).
        logits: their log-odds for each entry, shape (n, entries).
        fits: which are evidence, wait to be, or score so high for an entry that they should, shape (n,).
    """

    rows: Sequence[_Seen]
    nearness: Numbers
    logits: npt.NDArray[np.float32]
    fits: npt.NDArray[np.bool_]
    mean: Numbers
    without_vector: int


def _look(store: Store, learner: Learner, threshold: float, since: date | None, progress: Progress) -> _Looked:
    """Score all stored papers, so many at a time, and keep of each what choosing needs."""
    taken, refused = list_taken(store), _find_refused(store, learner)
    rows, fits = list[_Seen](), list[bool]()
    nearness, evidence = [np.zeros(0)], [np.zeros((0, len(learner.ranker.claims)), dtype=np.float32)]
    total, without_vector = np.zeros(learner.ranker.claim_vectors[0].shape[1]), 0
    for chunk in iterate_current(store, since=since, chunk=CHUNK):
        known = load_vectors(store, learner.model_id, [row["text_hash"] for row in chunk])
        usable = [row for row in chunk if row["text_hash"] in known and not row["withdrawn"]]
        without_vector += sum(row["text_hash"] not in known for row in chunk)
        if not usable:
            continue
        vectors = np.stack([known[row["text_hash"]] for row in usable])
        logits = learner.ranker.evidence(learner.words_of(usable), vectors)
        nearness.append(measure_nearness(logits))
        for place, row in enumerate(usable):
            logits[place, refused.get(row["arxiv_id"], [])] = REFUSED
        evidence.append(logits.astype(np.float32))
        best = to_scores(logits.max(axis=1))
        fits += [
            score >= threshold or row["arxiv_id"] in taken for score, row in zip(best.tolist(), usable, strict=True)
        ]
        total += vectors.sum(axis=0, dtype=np.float64)
        rows += [_Seen(row["arxiv_id"], row["revision_id"], row["published_at"][:10]) for row in usable]
        progress("look", len(rows), None)
    passing, mean = np.array(fits, dtype=np.bool_), total / max(len(rows), 1)
    return _Looked(rows, np.concatenate(nearness), np.concatenate(evidence), passing, mean, without_vector)


def _find_refused(store: Store, learner: Learner) -> dict[str, list[int]]:
    """Return by paper the places of the entries that it was rejected for."""
    places = {claim.code: place for place, claim in enumerate(learner.ranker.claims)}
    refused: dict[str, list[int]] = {}
    for arxiv_id, code in list_refused(store):
        refused.setdefault(arxiv_id, []).append(places[code])
    return refused


def _load_near(store: Store, learner: Learner, looked: _Looked, places: Places, mean: Numbers) -> Near:
    rows = [looked.rows[place] for place in places]
    texts = {row["revision_id"]: row for row in list_texts(store, [row.revision_id for row in rows])}
    documents, vectors = load_documents(store, [texts[row.revision_id] for row in rows], learner.model_id)
    centred = centre(vectors, mean)
    return Near(
        [row.arxiv_id for row in rows],
        [row.day for row in rows],
        documents,
        centred,
        join_views(centred, learner.ranker.view_words(documents, vectors)),
        looked.logits[places],
    )
