"""Words as numbers: how often each term stands in a paper, as the two sparse matrices that the ranker works with."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from crawler.ranking.background import Lexicon
from crawler.ranking.claims import Document
from crawler.ranking.words import join_pairs, split_words

TITLE_COUNT = 2  # a word of the title counts as often in the text
TITLE_SHARE = 0.5  # what the paper's title counts on its own, beside the whole text
TITLE_PADDING = 2  # words added to a title's length, so that very short titles do not win by brevity
FEWEST_PAPERS = 3  # that have a term which the lexicon does not know

Matrix: TypeAlias = Any  # a sparse matrix of SciPy, which has no types
Weights = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Counted:
    """The terms of one paper (words and pairs of neighbours), with logarithmic counts, and the lengths in words."""

    terms: dict[str, float]
    title_terms: frozenset[str]
    text_words: int
    title_words: int


def count_terms(document: Document) -> Counted:
    """Count a paper's terms."""
    title, abstract = split_words(document.title), split_words(document.abstract)
    in_title, counts = join_pairs(title), Counter(join_pairs(abstract))
    for term in in_title:
        counts[term] += TITLE_COUNT
    terms = {term: 1 + math.log(count) for term, count in counts.items()}
    return Counted(terms, frozenset(in_title), len(title) + len(abstract), len(title))


class Vocabulary:
    """The terms that count: those of the lexicon, those that some papers of the corpus have, and those of the claims.

    Attributes:
        idf: the terms' inverse document frequencies, shape (terms,).
        share: the share of background papers that have each term, shape (terms,).
        learnable: which terms a head may weigh: those of claims alone are left out, so that claims do not touch each
            other's scores.
    """

    def __init__(self, lexicon: Lexicon, papers: Sequence[Counted], claim_terms: Iterable[str]) -> None:
        found = Counter(term for paper in papers for term in paper.terms)
        learnable = {term for term, count in found.items() if count >= FEWEST_PAPERS or term in lexicon.frequencies}
        terms = sorted(learnable.union(claim_terms))
        self._columns = {term: column for column, term in enumerate(terms)}
        self.idf: Weights = np.array([lexicon.weight(term) for term in terms])
        self.share: Weights = np.array([lexicon.share(term) for term in terms])
        self.learnable = np.array([term in learnable for term in terms], dtype=bool)

    def __len__(self) -> int:
        return len(self._columns)

    def weigh(self, shares: dict[str, float]) -> Weights:
        """Return a vector of terms, shape (terms,), from their shares in a claim; terms that are not known are lost."""
        weights = np.zeros(len(self))
        for term, share in shares.items():
            if (column := self._columns.get(term)) is not None:
                weights[column] = share
        return weights

    def encode(self, papers: Sequence[Counted]) -> tuple[Matrix, Matrix]:
        """Return two matrices, shape (papers, terms).

        The first has logarithmic counts by the root of the length, the title counted once more (what a claim's words
        are looked for in); the second TF-IDF with rows of length one over the learnable terms (what a head learns on).
        """
        rows, columns, counts, titled = [], [], [], []
        for row, paper in enumerate(papers):
            for term, count in paper.terms.items():
                if (column := self._columns.get(term)) is not None:
                    rows.append(row)
                    columns.append(column)
                    counts.append(count)
                    titled.append(term in paper.title_terms)
        index = (np.array(rows, dtype=np.int32), np.array(columns, dtype=np.int32))
        values, in_title = np.array(counts, dtype=np.float64), np.array(titled, dtype=np.float64)
        by_text = 1 / np.sqrt([max(paper.text_words, 1) for paper in papers])
        by_title = TITLE_SHARE / np.sqrt([paper.title_words + TITLE_PADDING for paper in papers])
        shape = (len(papers), len(self))
        looked_for = values * by_text[index[0]] + in_title * by_title[index[0]]
        learned = values * (self.idf * self.learnable)[index[1]]
        lengths = np.sqrt(np.bincount(index[0], weights=learned**2, minlength=len(papers)))
        learned = learned / np.maximum(lengths, 1e-9)[index[0]]
        return _matrix(looked_for, index, shape), _matrix(learned, index, shape)


def _matrix(values: Weights, index: tuple[npt.NDArray[np.int32], ...], shape: tuple[int, int]) -> Matrix:
    matrix = sparse.csr_matrix((values, index), shape=shape)
    matrix.sort_indices()  # one order of summation, whatever the order of the terms in a paper
    return matrix
