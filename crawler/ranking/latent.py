"""What words mean beside others: the papers at hand, in words, along the main directions of their vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from crawler.ranking.corpus import Corpus, Encoded
from crawler.ranking.dense import unit
from crawler.ranking.features import Matrix, Terms, Weights
from crawler.threads import one_thread

DIRECTIONS = 200
PAPERS_EACH = 10  # papers at hand for one direction, and papers that must have a term

Places = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Viewed(Encoded):
    """Papers in all views: also as unit vectors of their words, shape (n, k), and as their places at hand, shape (n,).

    `places` is `NOT_AT_HAND` (of `corpus`) for a paper that the ranker did not see while it was made.
    """

    latent: npt.NDArray[np.floating[Any]]
    places: Places

    def take(self, rows: Sequence[int] | Places) -> Viewed:
        """Return some of the papers, by their places."""
        words = (self.looked_for[rows], self.learned[rows])
        return Viewed(self.vectors[rows], *words, self.latent[rows], self.places[rows])

    def latent_cosines(self, directions: Weights) -> Weights:
        """Return the products with directions of the words, shape (k, m): shape (n, m)."""
        products: Weights = self.latent.astype(np.float64, copy=False) @ directions
        return products


class Latent:
    """A few directions in the space of the words, those that tell the vectors of the papers at hand apart best.

    Latent semantic analysis (Deerwester and others 1990), but the directions are not those of a decomposition of the
    words: they begin with the main ones of the vectors, and one step of subspace iteration takes them to the words
    (Halko, Martinsson and Tropp 2011, whose start is random). So they cost little, and nothing in them is random.

    Attributes:
        papers: the papers at hand in all views.
        mean: the mean of their latent vectors, shape (k,).
    """

    def __init__(self, corpus: Corpus) -> None:
        words, count = corpus.papers.learned, len(corpus.papers.vectors)
        having = np.bincount(words.indices, minlength=words.shape[1])
        self._columns = np.flatnonzero((having >= PAPERS_EACH) & corpus.vocabulary.learnable)
        width = min(DIRECTIONS, corpus.papers.vectors.shape[1], count // PAPERS_EACH, len(self._columns))
        kept = _pick(words, self._columns)
        with one_thread():  # the order of the directions would hang on it
            self._basis = _find_basis(kept, (corpus.papers.vectors - corpus.mean).astype(np.float32), width)
        self._idf = corpus.vocabulary.idf
        papers = self.view(corpus.papers, np.arange(count))
        self.papers = replace(papers, latent=papers.latent.astype(np.float64))
        self.mean: Weights = self.papers.latent.mean(axis=0, dtype=np.float64) if count else np.zeros(width)

    def view(self, papers: Encoded, places: Places) -> Viewed:
        """Return papers in all views."""
        latent = _pick(papers.learned, self._columns) @ self._basis
        latent /= np.maximum(np.linalg.norm(latent, axis=1, keepdims=True), np.float32(1e-9))
        return Viewed(papers.vectors, papers.looked_for, papers.learned, latent, places)

    def direction(self, words: Terms) -> Weights:
        """Return the direction of a claim's words, shape (k,), which hold idf twice, as those of a prior."""
        _, columns, said = np.intersect1d(self._columns, words.places, assume_unique=True, return_indices=True)
        weights = words.weights[said] / self._idf[words.places[said]]
        return unit(weights @ self._basis[columns].astype(np.float64))


def _pick(words: Matrix, columns: Places) -> Matrix:
    return words[:, columns].astype(np.float32)


def _find_basis(words: Matrix, centred: npt.NDArray[np.float32], width: int) -> npt.NDArray[np.float32]:
    """Return orthonormal directions of the words, shape (terms, width)."""
    if not width:
        return np.zeros((words.shape[1], 0), dtype=np.float32)
    main = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :width]
    lengths = np.sqrt(np.maximum(words.multiply(words).sum(axis=1), 1e-9)).A.ravel()
    alike = (sparse.diags(1 / lengths).astype(np.float32) @ words).tocsr()
    turned = alike.T.tocsr()
    papers = _orthonormal(centred @ main)
    papers = _orthonormal(alike @ _orthonormal(turned @ papers))
    return _orthonormal(turned @ papers)


def _orthonormal(columns: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return orthonormal columns that span the same, by the matrix of their products (several times faster than QR)."""
    values, vectors = np.linalg.eigh(columns.T.astype(np.float64) @ columns)
    kept = values > 1e-9 * max(float(values.max(initial=0.0)), 1e-30)
    basis: npt.NDArray[np.float32] = columns @ (vectors[:, kept] / np.sqrt(values[kept])).astype(np.float32)
    return basis
