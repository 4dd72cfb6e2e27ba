"""What decisions add to a claim's text: one logistic regression on words and vectors, with the text as its offset."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from crawler.ranking.corpus import Corpus, Encoded, space_evenly
from crawler.ranking.features import Matrix, Terms, Weights
from crawler.ranking.latent import Latent
from crawler.ranking.priors import Prior, Priors, Rows
from crawler.threads import one_thread

RIDGE_DENSE = 0.3
RIDGE_WORDS = 0.1
UNREAD = 800  # older papers without a decision that count as weak negatives
UNREAD_WEIGHT = 0.3
RIDGE_BIAS = 0.3  # of the intercept where nothing was accepted
SEEN_IN = 2  # papers to learn from that must have a term
ITERATIONS = 60


@dataclass(frozen=True, slots=True)
class Head:
    """Weights of vectors, shape (d,), and of terms, learned from decisions; `offset` is the mean's."""

    dense: npt.NDArray[np.float64]
    words: Terms
    offset: float


class Heads:
    """The heads of m claims side by side."""

    def __init__(self, heads: Sequence[Head], terms: int) -> None:
        """Take the heads, at least one; `terms` are those of the vocabulary."""
        self._dense = np.stack([head.dense for head in heads], axis=1)
        self._words = Terms.stack([head.words for head in heads], terms)
        self._offsets = np.array([head.offset for head in heads])

    def logit(self, papers: Encoded) -> npt.NDArray[np.float64]:
        """Return what they add to the priors' log-odds, shape (papers, m)."""
        by_words: npt.NDArray[np.float64] = (papers.learned @ self._words).toarray()
        by_words += papers.cosines(self._dense) - self._offsets
        return by_words


def learn_head(corpus: Corpus, latent: Latent, prior: Prior, accepted: Rows, rejected: Rows, unread: Rows) -> Head:
    """Fit what the prior does not explain of these decisions.

    Logistic regression with L2 penalties of their own for words and vectors. Papers that nobody decided on count as
    weak negatives (Elkan and Noto 2008 on learning from positive and unlabelled examples). The intercept is dropped: it
    tells how decisions were sampled, not how often papers are evidence.

    Args:
        prior: what its log-odds are taken from, the offset.
        unread: papers without a decision, of which evenly spaced ones are taken.
    """
    unread = space_evenly(unread, UNREAD)
    rows = np.concatenate([accepted, rejected, unread])
    labels = np.concatenate([np.ones(len(accepted)), np.zeros(len(rows) - len(accepted))])
    weights = np.concatenate([np.ones(len(accepted) + len(rejected)), np.full(len(unread), UNREAD_WEIGHT)])
    papers = latent.papers.take(rows)
    terms = papers.learned
    seen = np.flatnonzero(np.bincount(terms.indices, minlength=terms.shape[1]) >= SEEN_IN)
    spread = math.sqrt(max(1 - float(corpus.mean @ corpus.mean), 1e-9))  # root mean square distance from the mean
    dense_unit, word_unit = spread * math.sqrt(RIDGE_DENSE), math.sqrt(RIDGE_WORDS)
    dense = (papers.vectors - corpus.mean) / dense_unit
    offset = Priors([prior], terms.shape[1]).logit(papers)[:, 0]
    by_words, by_dense = _fit_logistic(csr_matrix(terms[:, seen] / word_unit), dense, labels, weights, offset)
    direction = by_dense / dense_unit
    return Head(direction, Terms(seen, by_words / word_unit), float(corpus.mean @ direction))


def _fit_logistic(
    words: Matrix, dense: npt.NDArray[np.float64], labels: Weights, weights: Weights, offset: Weights
) -> tuple[Weights, Weights]:
    """Minimise the weighted log-loss of offset + words w + dense v + b, plus half of |w|^2 + |v|^2; return w and v."""
    terms, dimensions = words.shape[1], dense.shape[1]
    transposed = words.T.tocsr()

    # Where nothing was accepted a free intercept would explain every rejection, and the weights would learn nothing.
    bias_ridge = 1e-3 if labels.any() else RIDGE_BIAS

    def loss(point: Weights) -> tuple[float, Weights]:
        by_words, by_dense, bias = point[:terms], point[terms : terms + dimensions], point[-1]
        logits = offset + words @ by_words + dense @ by_dense + bias
        errors = weights * (1 / (1 + np.exp(-np.clip(logits, -500, 500))) - labels)
        value = (weights * (np.logaddexp(0, logits) - labels * logits)).sum()
        value += 0.5 * (by_words @ by_words + by_dense @ by_dense) + bias_ridge / 2 * bias**2
        slopes = (transposed @ errors + by_words, dense.T @ errors + by_dense, [errors.sum() + bias_ridge * bias])
        return float(value), np.concatenate(slopes)

    options = {"maxiter": ITERATIONS, "ftol": 1e-6}
    with one_thread():  # its many small steps are slower by far where threads wait for each other
        found = minimize(loss, np.zeros(terms + dimensions + 1), jac=True, method="L-BFGS-B", options=options).x
    return found[:terms], found[terms : terms + dimensions]
