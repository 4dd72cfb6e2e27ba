"""The papers that a ranker looks at while it is made: what the words and vectors of the field at hand are like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from crawler.ranking.background import Background
from crawler.ranking.claims import Document
from crawler.ranking.features import Counted, Matrix, Vocabulary, Weights, count_terms

Vectors = npt.NDArray[np.float32]
Words: TypeAlias = Document | Counted  # a paper's words, or what was counted of them before
NOT_AT_HAND = -1
BLOCK = 8_192  # rows that are widened to float64 at once


@dataclass(frozen=True, slots=True)
class Encoded:
    """Papers as unit vectors, shape (n, d), and as the two matrices of `Vocabulary.encode`."""

    vectors: npt.NDArray[np.floating[Any]]
    looked_for: Matrix
    learned: Matrix

    def cosines(self, directions: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the products with directions, shape (d, m), summed in float64: shape (n, m)."""
        products = np.empty((len(self.vectors), directions.shape[1]))
        for start in range(0, len(self.vectors), BLOCK):
            rows = self.vectors[start : start + BLOCK].astype(np.float64, copy=False)
            np.matmul(rows, directions, out=products[start : start + BLOCK])
        return products


class Corpus:
    """Papers of the field, in an order of their own, with their means.

    Attributes:
        papers: the papers, encoded.
        published: their days of publication, as text, shape (n,).
        mean: the mean of their vectors, shape (d,).
        centre: the mean vector of the field, shape (d,): the shipped one, or that of these papers.
        mean_terms: the mean of their terms, shape (terms,).
    """

    def __init__(
        self,
        documents: Sequence[Words],
        vectors: Vectors,
        published: Sequence[str],
        background: Background,
        claim_terms: Iterable[str],
    ) -> None:
        counted = count_words(documents)
        self.vocabulary = Vocabulary(background.lexicon, counted, claim_terms)
        # They are multiplied again and again: widening them each time would cost more than the products.
        self.papers = Encoded(vectors.astype(np.float64), *self.vocabulary.encode(counted))
        self._places = {paper.fingerprint(): place for place, paper in enumerate(counted)}
        self.published = np.array(published, dtype=np.str_)
        self.mean: npt.NDArray[np.float64] = (
            vectors.mean(axis=0, dtype=np.float64) if len(vectors) else np.zeros(vectors.shape[1])
        )
        self.centre = background.centre if background.centre is not None else np.zeros(vectors.shape[1])
        self.mean_terms: Weights = (
            np.asarray(self.papers.looked_for.mean(axis=0)).ravel()
            if len(documents)
            else np.zeros(len(self.vocabulary))
        )

    def encode(self, counted: Sequence[Counted], vectors: Vectors) -> Encoded:
        """Return other papers in the same terms."""
        return Encoded(vectors, *self.vocabulary.encode(counted))

    def find_places(self, counted: Sequence[Counted]) -> npt.NDArray[np.intp]:
        """Return the place of each paper among those of the corpus, `NOT_AT_HAND` for others, shape (n,)."""
        return np.array([self._places.get(paper.fingerprint(), NOT_AT_HAND) for paper in counted], dtype=np.intp)


def space_evenly(rows: npt.NDArray[np.intp], most: int) -> npt.NDArray[np.intp]:
    """Return so many of the rows at most, evenly spaced in their order."""
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.intp)]


def count_words(papers: Sequence[Words]) -> list[Counted]:
    """Return what is counted of papers; what was counted before stays as it is."""
    return [count_terms(paper) if isinstance(paper, Document) else paper for paper in papers]
