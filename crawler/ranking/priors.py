"""What a claim's own text says of a paper, made fuller by the papers that fit it best: the ranking of day zero."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crawler.ranking.claims import Claim
from crawler.ranking.corpus import Corpus, Encoded
from crawler.ranking.dense import claim_direction, unit
from crawler.ranking.features import Vocabulary, Weights
from crawler.ranking.words import split_terms

Rows = npt.NDArray[np.intp]
Vectors = npt.NDArray[np.float32]

DENSE_UNIT = 0.1  # a cosine so far above the field's mean counts one: about its spread over background papers
LEXICAL_UNIT = 0.05  # the spread of the words' evidence over background papers
STATEMENT_SHARE = 0.5  # a word of the statement, beside one of the title or of a keyword
TYPICAL_WORDS = 130  # words of a background paper, stop words left out
TYPICAL_COUNT = 1.35  # mean of 1 + log(count) over the background papers that have a term
FED = 50  # papers without a decision that may feed back
TEMPERATURE = 1.5  # evidence that makes such a paper count e times as much
FEED_VOTES = 5.0  # accepted papers that weigh as much as all of them together
FEED_TERMS = 1_000  # terms that are taken from what feeds back
FEED_TRUST = 10.0  # papers that fit, expected among those that feed back, for half of the trust in them
LIKELY = 7.5  # the evidence from the text alone that is right every second time
PLAIN = (1.17, 6.16, 1.0)  # slope and midpoint of the logit, and weight of the words, of a claim's text alone
FULL = (0.8, 9.75, 1.3)  # the same with full trust in what feeds back


@dataclass(frozen=True, slots=True)
class Prior:
    """A claim as a direction, shape (d,), and as weights of terms, shape (terms,), with the scale of its logit.

    Attributes:
        offset: what the mean paper of the field has in vectors.
        floor: what common words alone would give a paper.
    """

    direction: npt.NDArray[np.float64]
    words: Weights
    offset: float
    floor: float
    slope: float
    midpoint: float
    word_weight: float

    def evidence(self, papers: Encoded) -> npt.NDArray[np.float64]:
        """Return the evidence, shape (papers,), in units of its spread over papers of the field."""
        dense = papers.cosines(self.direction) - self.offset
        lexical = np.maximum(papers.looked_for @ self.words - self.floor, 0)
        joint: npt.NDArray[np.float64] = dense / DENSE_UNIT + self.word_weight * np.sqrt(lexical / LEXICAL_UNIT)
        return joint

    def logit(self, papers: Encoded) -> npt.NDArray[np.float64]:
        """Return the log-odds that a paper is evidence, shape (papers,), before calibration."""
        return self.slope * (self.evidence(papers) - self.midpoint)


def claim_shares(claim: Claim) -> dict[str, float]:
    """Return how much each term of a claim counts."""
    shares: dict[str, float] = {}
    fields = [(claim.title, 1.0), (claim.statement, STATEMENT_SHARE), *((word, 1.0) for word in claim.keywords)]
    for text, share in fields:
        for term in split_terms(text):
            shares[term] = shares.get(term, 0.0) + share
    return shares


def text_prior(claim: Claim, vectors: Vectors, vocabulary: Vocabulary, centre: npt.NDArray[np.float64]) -> Prior:
    """Return what the claim's text alone says; `vectors` are those of its texts, shape (texts, d)."""
    words = _unit_words(vocabulary.weigh(claim_shares(claim)) * vocabulary.idf**2, vocabulary)
    return _prior(claim_direction(vectors), words, vocabulary, centre, trust=0.0)


def fed_prior(text: Prior, corpus: Corpus, accepted: Rows, rejected: Rows) -> Prior:
    """Return the claim after one round of feedback from the papers that fit its text best, and from accepted ones.

    Pseudo-relevance feedback (Rocchio 1971; Lavrenko and Croft 2001 for weights by fit): papers without a decision
    count by their evidence and, all together, as `FEED_VOTES` accepted ones. Where few of them are likely to fit, as in
    a small database, little is taken from them.
    """
    first = text.evidence(corpus.papers)
    first[np.concatenate([accepted, rejected])] = -np.inf
    best = np.argsort(-first, kind="stable")[:FED]
    best = best[np.isfinite(first[best])]
    votes = np.exp((first[best] - first[best].max(initial=-np.inf)) / TEMPERATURE)
    votes *= FEED_VOTES / max(votes.sum(), 1e-9)
    rows = np.concatenate([best, accepted])
    votes = np.concatenate([votes, np.ones(len(accepted))])
    if not len(rows):
        return text
    votes /= votes.sum()
    expected = len(accepted) + float((1 / (1 + np.exp(LIKELY - first[best]))).sum())
    trust = expected / (expected + FEED_TRUST)
    direction = unit(text.direction + trust * unit(votes @ corpus.papers.vectors[rows] - corpus.mean))
    words = _unit_words(text.words + trust * _fed_words(corpus, rows, votes), corpus.vocabulary)
    return _prior(direction, words, corpus.vocabulary, corpus.centre, trust=trust)


def _fed_words(corpus: Corpus, rows: Rows, votes: Weights) -> Weights:
    """Return the terms that the papers have beyond the corpus, the best `FEED_TERMS`, at length one."""
    vocabulary = corpus.vocabulary
    beyond = np.maximum(corpus.papers.looked_for[rows].T @ votes - corpus.mean_terms, 0) * vocabulary.idf**2
    if len(beyond) > FEED_TERMS:
        beyond = np.where(beyond >= np.partition(beyond, -FEED_TERMS)[-FEED_TERMS], beyond, 0)
    return _unit_words(beyond, vocabulary)


def _prior(
    direction: npt.NDArray[np.float64],
    words: Weights,
    vocabulary: Vocabulary,
    centre: npt.NDArray[np.float64],
    *,
    trust: float,
) -> Prior:
    slope, midpoint, word_weight = (plain + trust * (full - plain) for plain, full in zip(PLAIN, FULL, strict=True))
    floor = TYPICAL_COUNT / math.sqrt(TYPICAL_WORDS) * float(vocabulary.share @ words)
    return Prior(direction, words, float(centre @ direction), floor, slope, midpoint, word_weight)


def _unit_words(weights: Weights, vocabulary: Vocabulary) -> Weights:
    """Scale weights, which hold idf on the claim's and on the paper's side, so that the claim's side has length one."""
    length = float(np.linalg.norm(weights / vocabulary.idf)) if len(weights) else 0.0
    return weights / length if length else weights
