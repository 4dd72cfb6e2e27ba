"""Themes: papers of the field that fit no entry, clustered, named and ordered; nothing is read or written here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from crawler.clusters import find_clusters
from crawler.growth import Calendar
from crawler.labels import find_labels
from crawler.ranking.background import Lexicon
from crawler.ranking.dense import claim_direction, unit
from crawler.ranking.ranker import Document, to_chances
from db.proposals import Figures, Member, Proposal
from db.vectors import Vectors

NEAR_SHARE = 0.25  # of the stored papers, those nearest to the catalogue's field
NEAR_LEAST = 500  # papers that are looked at however few are stored
NEAR_MOST = 5_000  # clustering takes 300 MB for these
SOFTNESS = 2.0  # log-odds that make an entry count e times as much in what a paper has of the field
WORDS_SHARE = 0.5  # what the cosine of the words counts in likeness, beside that of the vectors
FITS = 0.8  # the chance of being an entry's evidence from which a paper is taken for that, in a cluster
MOSTLY = 0.5  # the share of a cluster's papers that may be taken for one entry's
FIT_WEIGHT = 0.3  # what orders proposals, see `_score`
LIKENESS_WEIGHT = 10.0
SIZE_WEIGHT = 0.5
GROWTH_WEIGHT = 0.1
MOST_GROWTH = 10.0  # times the growth of all papers; beyond it nothing is added
DECIMALS = 6

Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]


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
