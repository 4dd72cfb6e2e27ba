"""Proposes entries for the catalogue: papers of the field that fit no entry, clustered, named and ordered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from crawler.clusters import find_clusters
from crawler.control import Progress, no_progress
from crawler.embed import Embedder
from crawler.growth import Calendar
from crawler.labels import find_labels
from crawler.learning import Learner, load_documents, make_learner
from crawler.ranking.background import Background, Lexicon
from crawler.ranking.dense import claim_direction, unit
from crawler.ranking.ranker import Claim, Document, to_chances, to_scores
from db.papers import iterate_current, list_texts
from db.phenomena import list_phenomena
from db.proposals import Figures, Member, Proposal, list_refused, list_taken
from db.store import Store
from db.vectors import Vectors, load_vectors

CHUNK = 2_000
NEAR_SHARE = 0.25  # of the stored papers, those nearest to the catalogue's field
NEAR_LEAST = 500  # papers that are looked at however few are stored
NEAR_MOST = 5_000  # clustering takes 100 MB for these
SOFTNESS = 2.0  # log-odds that make an entry count e times as much in what a paper has of the field
WORDS_SHARE = 0.5  # what the cosine of the words counts in likeness, beside that of the vectors
LIKENESS_WEIGHT = 10.0  # what orders proposals: log-odds for a mean cosine of 1
FIT_WEIGHT = 0.3
FITS = 0.8  # the chance of being an entry's evidence from which a paper is taken for that, in what follows
MOSTLY = 0.5  # the share of a cluster's papers that may be taken for one entry's
SIZE_WEIGHT = 0.5
GROWTH_WEIGHT = 0.1
MOST_GROWTH = 10.0  # times the growth of all papers; beyond it nothing is added
DECIMALS = 6

Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]


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


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The entries in vectors: their codes, and unit directions less the field's mean, shape (entries, d)."""

    codes: Sequence[str]
    directions: Numbers


@dataclass(frozen=True, slots=True)
class Near:
    """Papers of the field that fit no entry, by id: n of them.

    Attributes:
        days: when they were first published.
        documents: their texts.
        vectors: unit vectors less the field's mean, at length one, shape (n, d).
        views: what they are compared by, vectors and words, at length one, shape (n, d + k).
        logits: the log-odds that they are evidence, shape (n, entries).
    """

    arxiv_ids: Sequence[str]
    days: Sequence[str]
    documents: Sequence[Document]
    vectors: Vectors
    views: Vectors
    logits: npt.NDArray[np.float32]


def measure_nearness(logits: Numbers) -> Numbers:
    """Return how much papers have of the catalogue's field, shape (papers,), from log-odds, shape (papers, entries).

    It is a soft mean over the entries, in which those count most that the paper is nearest to: a paper on a phenomenon
    that the catalogue lacks fits no entry but is, in words and vectors, a little like several.
    """
    top = logits.max(axis=1, keepdims=True)
    mean: Numbers = top[:, 0] + SOFTNESS * np.log(np.exp((logits - top) / SOFTNESS).mean(axis=1))
    return mean


def choose_near(nearness: Numbers, fits: npt.NDArray[np.bool_]) -> Places:
    """Return the places of papers that fit no entry and are nearest to the field, in rising order."""
    most = min(NEAR_MOST, max(NEAR_LEAST, round(NEAR_SHARE * len(nearness))))
    unfit = np.flatnonzero(~fits)
    order = np.argsort(-np.round(nearness[unfit], DECIMALS), kind="stable")
    return np.sort(unfit[order[:most]])


def centre(vectors: npt.NDArray[np.floating[Any]], mean: Numbers) -> Vectors:
    """Return vectors less the field's mean, at length one, shape (n, d)."""
    moved = vectors.astype(np.float64) - mean
    unit_vectors: Vectors = (moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9)).astype(np.float32)
    return unit_vectors


def join_views(vectors: Vectors, words: Numbers) -> Vectors:
    """Return what papers are compared by, shape (n, d + k): their centred vectors, and words less their mean."""
    by_words = centre(words, words.mean(axis=0)) if words.shape[1] else words.astype(np.float32)
    return centre(np.concatenate([vectors, np.sqrt(WORDS_SHARE) * by_words], axis=1), np.zeros(1))


def centre_claims(codes: Sequence[str], claim_vectors: Sequence[Vectors], mean: Numbers) -> Catalogue:
    """Return the entries' directions in the same space."""
    rows = [unit(claim_direction(vectors) - mean) for vectors in claim_vectors]
    return Catalogue(codes, np.stack(rows))


def make_proposals(near: Near, catalogue: Catalogue, lexicon: Lexicon, calendar: Calendar) -> list[Proposal]:
    """Return clusters of these papers as proposals, best first.

    A cluster is proposed if its papers are nearer to each other than they are to any entry, and if most of them are not
    likely (`FITS`) to be one entry's evidence. What orders proposals is told at `_score`. The same papers give the same
    proposals, if they are given by id.
    """
    groups = [np.array(group, dtype=np.intp) for group in find_clusters(near.views)]
    found = [
        _propose(near, group, catalogue, lexicon, calendar) for group in groups if _is_apart(near, group, catalogue)
    ]
    return sorted(found, key=lambda one: (-one.figures.score, one.members[0].arxiv_id))


def _is_apart(near: Near, group: Places, catalogue: Catalogue) -> bool:
    """Tell whether papers are no entry's: most fit none well, and they are nearer to each other than to the nearest."""
    if ((to_chances(near.logits[group].astype(np.float64)) >= FITS).mean(axis=0) > MOSTLY).any():
        return False
    vectors = near.vectors[group].astype(np.float64)
    return _mean_cosine(vectors) > float((vectors @ catalogue.directions.T).max(axis=1).mean())


def _propose(near: Near, group: Places, catalogue: Catalogue, lexicon: Lexicon, calendar: Calendar) -> Proposal:
    views = near.views[group].astype(np.float64)
    closeness = np.round(views @ unit(views.sum(axis=0)), DECIMALS)
    to_entries = catalogue.directions @ unit(near.vectors[group].sum(axis=0, dtype=np.float64))
    nearest = int(to_entries.argmax())
    order = np.lexsort((group, -closeness))
    growth = calendar.tell([near.days[place] for place in group])
    figures = Figures(
        score=_score(near, group, _mean_cosine(views), growth.relative),
        tightness=float(closeness.mean()),
        nearest=catalogue.codes[nearest],
        similarity=round(float(to_entries[nearest]), DECIMALS),
    )
    members = tuple(Member(near.arxiv_ids[group[place]], float(closeness[place])) for place in order)
    labels = find_labels([near.documents[group[place]] for place in order], lexicon)
    return Proposal(labels, members, growth, figures)


def _mean_cosine(vectors: Numbers) -> float:
    """Return the mean cosine of two different vectors of length one."""
    count, whole = len(vectors), vectors.sum(axis=0)
    return (float(whole @ whole) - count) / (count * (count - 1))


def _score(near: Near, group: Places, likeness: float, growth: float) -> float:
    """Return what orders proposals, in log-odds.

    It is the mean fit over all entries (of the field) less a share of the best fit (and no entry's), the papers'
    likeness, their number, and a little for growing faster than all papers. The weights were chosen on some of the
    entries of the shipped catalogue (tests/bench/proposals.py).
    """
    logits = near.logits[group].astype(np.float64)
    of_field = float(logits.mean()) - FIT_WEIGHT * float(logits.max(axis=1).mean())
    grown = float(np.log(np.clip(growth, 1 / MOST_GROWTH, MOST_GROWTH)))
    size = float(np.log(len(group)))
    return round(of_field + LIKENESS_WEIGHT * likeness + SIZE_WEIGHT * size + GROWTH_WEIGHT * grown, DECIMALS)


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
        evidence.append(logits.astype(np.float32))
        scores = to_scores(logits)
        for place, row in enumerate(usable):
            scores[place, refused.get(row["arxiv_id"], [])] = 0
            fits.append(row["arxiv_id"] in taken or bool((scores[place] >= threshold).any()))
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
