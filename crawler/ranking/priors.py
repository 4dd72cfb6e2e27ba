"""What a claim's own text says of a paper, made fuller by the papers that fit it best: the ranking of day zero."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crawler.ranking.claims import Claim
from crawler.ranking.corpus import Corpus
from crawler.ranking.dense import claim_direction
from crawler.ranking.features import Matrix, Terms, Vocabulary, Weights
from crawler.ranking.latent import Latent, Places, Viewed
from crawler.ranking.words import split_terms

Rows = Places
Table = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]

DENSE_UNIT = 0.1  # a cosine so far above the field's mean counts one: about its spread over background papers
LEXICAL_UNIT = 0.05  # the spread of the words' evidence over background papers
LATENT_UNIT = 0.09  # the cosine of latent words that counts one where what feeds back has full trust
STATEMENT_SHARE = 0.45  # a word of the statement, beside one of the title or of a keyword
TYPICAL_WORDS = 130  # words of a background paper, stop words left out
TYPICAL_COUNT = 1.35  # mean of 1 + log(count) over the background papers that have a term
FED = 50  # papers without a decision that may feed back
TEMPERATURE = 1.5  # evidence that makes such a paper count e times as much
FEED_VOTES = 5.0  # accepted papers that weigh as much as all of them together
FEED_TERMS = 1_000  # terms that are taken from what feeds back
FEED_TRUST = 6.0  # papers that fit, expected among those that feed back, for half of the trust in them
LIKELY = 9.5  # the evidence from the text alone that is right every second time
PLAIN = (1.84, 6.16, 1.0, 0.0)  # slope and midpoint of the logit, weights of words and latent words: the text alone
FULL = (0.63, 15.3, 1.3, 1.0)  # the same with full trust in what feeds back


@dataclass(frozen=True, slots=True)
class Scale:
    """How the evidence of the views adds up, and how it becomes log-odds: one number each, or one for each claim."""

    slope: Weights
    midpoint: Weights
    words: Weights
    latent: Weights

    @classmethod
    def of(cls, trust: npt.ArrayLike) -> Scale:
        """Return the scale for so much trust in what feeds back, 0 to 1: a number, or one for each claim."""
        share = np.asarray(trust, dtype=np.float64)
        return cls(*(plain + share * (full - plain) for plain, full in zip(PLAIN, FULL, strict=True)))

    def join(self, dense: Weights, lexical: Weights, latent: Weights) -> Weights:
        """Return the evidence from what each view has beyond the field, in units of its spread over papers of it."""
        by_words = self.words * np.sqrt(np.maximum(lexical, 0) / LEXICAL_UNIT)
        joint: Weights = dense / DENSE_UNIT + by_words + self.latent * latent / LATENT_UNIT
        return joint


@dataclass(frozen=True, slots=True)
class Prior:
    """A claim as a direction, shape (d,), as weights of terms, and as a direction of latent words, shape (k,).

    Attributes:
        offset: what the mean paper of the field has in vectors.
        floor: what common words alone would give a paper.
        latent_offset: what the mean paper at hand has in latent words.
        trust: the trust in what feeds back, 0 to 1.
        fed: the places of the papers that feed back, in order.
        alone: the evidence of these papers, each without its own share in the feedback.
    """

    direction: Weights
    words: Terms
    latent: Weights
    offset: float
    floor: float
    latent_offset: float
    trust: float
    fed: Rows
    alone: Weights


class Priors:
    """The priors of m claims side by side: what they say of papers is three products of matrices."""

    def __init__(self, priors: Sequence[Prior], terms: int) -> None:
        """Take the priors, at least one; `terms` are those of the vocabulary."""
        self._directions = np.stack([prior.direction for prior in priors], axis=1)
        self._words = Terms.stack([prior.words for prior in priors], terms)
        self._latent = np.stack([prior.latent for prior in priors], axis=1)
        self._offsets = np.array([(prior.offset, prior.floor, prior.latent_offset) for prior in priors]).T
        self._trust = np.array([prior.trust for prior in priors])
        self._scale = Scale.of(self._trust)
        fed = np.concatenate([prior.fed for prior in priors])
        by_place = np.argsort(fed, kind="stable")
        self._fed = fed[by_place]
        self._fed_claims = np.repeat(np.arange(len(priors)), [len(prior.fed) for prior in priors])[by_place]
        self._alone = np.concatenate([prior.alone for prior in priors])[by_place]

    def evidence(self, papers: Viewed) -> Weights:
        """Return the evidence, shape (papers, m), in units of its spread over papers of the field."""
        offset, floor, latent_offset = self._offsets
        lexical = (papers.looked_for @ self._words).toarray() - floor
        dense, latent = papers.cosines(self._directions) - offset, np.zeros(1)
        if self._trust.any():
            latent = papers.latent_cosines(self._latent) - latent_offset
        joint = self._scale.join(dense, lexical, latent)
        first, end = (np.searchsorted(self._fed, papers.places, side) for side in ("left", "right"))
        rows = np.repeat(np.arange(len(first)), end - first)
        among = np.arange(len(rows)) - np.repeat(np.cumsum(end - first) - end, end - first)
        joint[rows, self._fed_claims[among]] = self._alone[among]
        return joint

    def logit(self, papers: Viewed) -> Weights:
        """Return the log-odds that papers are evidence, shape (papers, m), before calibration."""
        return self._scale.slope * (self.evidence(papers) - self._scale.midpoint)


def claim_shares(claim: Claim) -> dict[str, float]:
    """Return how much each term of a claim counts."""
    shares: dict[str, float] = {}
    fields = [(claim.title, 1.0), (claim.statement, STATEMENT_SHARE), *((word, 1.0) for word in claim.keywords)]
    for text, share in fields:
        for term in split_terms(text):
            shares[term] = shares.get(term, 0.0) + share
    return shares


def text_prior(claim: Claim, vectors: Vectors, corpus: Corpus, latent: Latent) -> Prior:
    """Return what the claim's text alone says; `vectors` are those of its texts, shape (texts, d)."""
    shares, none = corpus.vocabulary.weigh(claim_shares(claim)), np.zeros(0)
    idf = corpus.vocabulary.idf[shares.places]
    words = Terms(shares.places, _unit_words(shares.weights * idf**2, idf))
    direction, by_latent = claim_direction(vectors), latent.direction(words)
    floor = float(_floor(words.weights, corpus.vocabulary, words.places))
    offsets = (float(corpus.centre @ direction), floor, float(latent.mean @ by_latent))
    return Prior(direction, words, by_latent, *offsets, 0.0, none.astype(np.intp), none)


def fed_prior(text: Prior, corpus: Corpus, latent: Latent, evidence: Weights, accepted: Rows, rejected: Rows) -> Prior:
    """Return the claim after one round of feedback from the papers that fit its text best, and from accepted ones.

    Pseudo-relevance feedback (Rocchio 1971; Lavrenko and Croft 2001 for weights by fit): papers without a decision
    count by their evidence and, all together, as `FEED_VOTES` accepted ones. Where few of them are likely to fit, as in
    a small database, little is taken from them. A paper that feeds back is judged by the others: its own share would
    raise it above papers that are as near.

    Args:
        evidence: what the text alone gives the papers at hand, shape (n,).
    """
    first = evidence.copy()
    first[np.concatenate([accepted, rejected])] = -np.inf
    best, fits = _best(first)
    if not len(accepted):
        _, fits = _best(evidence)  # rejections alone leave the scale as it is
    votes = np.exp((first[best] - first[best].max(initial=-np.inf)) / TEMPERATURE)
    votes *= FEED_VOTES / max(votes.sum(), 1e-9)
    rows = np.concatenate([best, accepted])
    if not len(rows):
        return text
    votes = np.concatenate([votes, np.ones(len(accepted))])
    order = np.argsort(rows)
    expected = len(accepted) + float((1 / (1 + np.exp(LIKELY - fits))).sum())
    return _feed(text, corpus, latent, rows[order], votes[order] / votes.sum(), expected / (expected + FEED_TRUST))


def _best(evidence: Weights) -> tuple[Rows, Weights]:
    """Return the papers that fit best, those with none left out, and their evidence."""
    least = np.partition(evidence, -FED)[-FED] if len(evidence) > FED else -np.inf
    among = np.flatnonzero(evidence >= least)
    best = among[np.argsort(-evidence[among], kind="stable")[:FED]]
    best = best[np.isfinite(evidence[best])]
    return best, evidence[best]


def _feed(text: Prior, corpus: Corpus, latent: Latent, rows: Rows, votes: Weights, trust: float) -> Prior:
    """Return the claim fed by these papers; in every array row 0 is the claim, row i what paper i of them is judged by.

    Args:
        rows: the papers' places, in order.
        votes: their shares in the feedback, which sum to one.
    """
    vocabulary, papers, scale = corpus.vocabulary, latent.papers, Scale.of(trust)
    vectors, by_latent = papers.vectors[rows].astype(np.float64), papers.latent[rows].astype(np.float64)
    directions = _unit_rows(text.direction + trust * _unit_rows(_means(vectors, votes, corpus.mean)))
    latents = _unit_rows(text.latent + trust * _unit_rows(_means(by_latent, votes, latent.mean)))
    terms, some, weights = _fed_words(text.words, corpus, papers.looked_for[rows], votes, trust)
    floors = _floor(weights, vocabulary, terms)
    alone = scale.join(
        (vectors * directions[1:]).sum(axis=1) - directions[1:] @ corpus.centre,
        (some * weights[1:]).sum(axis=1) - floors[1:],
        (by_latent * latents[1:]).sum(axis=1) - latents[1:] @ latent.mean,
    )
    offsets = (float(corpus.centre @ directions[0]), float(floors[0]), float(latent.mean @ latents[0]))
    return Prior(directions[0], Terms(terms, weights[0]), latents[0], *offsets, trust, rows, alone)


def _means(papers: Table, votes: Weights, usual: Weights) -> Table:
    """Return what papers, shape (n, d), have beyond the usual: all by their votes, then all but each; (n + 1, d)."""
    mean, share = votes @ papers, 1 - votes[:, None]
    others = np.where(share > 1e-9, (mean - votes[:, None] * papers) / np.maximum(share, 1e-9), usual)
    return np.concatenate([mean[None], others]) - usual


def _fed_words(words: Terms, corpus: Corpus, papers: Matrix, votes: Weights, trust: float) -> tuple[Rows, Table, Table]:
    """Return the terms that a claim has when it is fed, shape (t,), what the papers have of them, and their weights.

    The terms are its own and the `FEED_TERMS` that the papers have most of beyond the corpus. What the papers have has
    shape (n, t), the weights (n + 1, t).
    """
    places, columns = np.unique(papers.indices, return_inverse=True)
    rows = np.repeat(np.arange(len(votes)), np.diff(papers.indptr))
    held = np.bincount(columns, weights=papers.data * votes[rows], minlength=len(places))
    beyond = np.maximum(held - corpus.mean_terms[places], 0) * corpus.vocabulary.idf[places] ** 2
    some = beyond[beyond > 0]
    least = np.partition(some, -FEED_TERMS)[-FEED_TERMS] if len(some) > FEED_TERMS else 0.0
    fed = places[beyond >= max(least, 1e-12)]
    terms = np.union1d(fed, words.places)
    kept = np.isin(places, terms, assume_unique=True)[columns]
    counts = np.zeros((len(votes), len(terms)))
    counts[rows[kept], np.searchsorted(terms, places)[columns[kept]]] = papers.data[kept]
    idf = corpus.vocabulary.idf[terms]
    more = np.maximum(_means(counts, votes, corpus.mean_terms[terms]), 0) * idf**2
    more[:, ~np.isin(terms, fed, assume_unique=True)] = 0
    own = np.zeros(len(terms))
    own[np.searchsorted(terms, words.places)] = words.weights
    return terms, counts, _unit_words(own + trust * _unit_words(more, idf), idf)


def _floor(words: Table, vocabulary: Vocabulary, terms: Rows) -> Weights:
    """Return what common words alone give a typical paper of the field."""
    floor: Weights = TYPICAL_COUNT / math.sqrt(TYPICAL_WORDS) * (words @ vocabulary.share[terms])
    return floor


def _unit_rows(rows: Table) -> Table:
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)


def _unit_words(weights: Table, idf: Weights) -> Table:
    """Scale weights, which hold idf on the claim's and on the paper's side, so that the claim's side has length one."""
    lengths = np.linalg.norm(weights / idf, axis=-1, keepdims=True)
    return weights / np.where(lengths > 0, lengths, 1)
