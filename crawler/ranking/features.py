"""Words as numbers: how often each term stands in a paper, as the two sparse matrices that the ranker works with.

A term is a word or a pair of neighbouring words, and is known by a 64-bit hash, so that what was counted of a paper is
a small array that can be kept (`Counted.to_bytes`) and thousands of papers become a matrix without a look at a string.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from crawler.ranking.background import FLOOR, Lexicon
from crawler.ranking.claims import Document
from crawler.ranking.hashing import Hashes, hash_to_64_bits, mix
from crawler.ranking.words import split_words

COUNTING = 1  # raise it with every change of what is counted: kept counts are made anew then

TITLE_COUNT = 2  # a word of the title counts as often in the text
TITLE_SHARE = 1.0  # what the paper's title counts on its own, beside the whole text
TITLE_PADDING = 2  # words added to a title's length, so that very short titles do not win by brevity
FEWEST_PAPERS = 3  # that have a term which the lexicon does not know

Matrix: TypeAlias = Any  # a sparse matrix of SciPy, which has no types
Weights = npt.NDArray[np.float64]

_LENGTHS = struct.Struct("<III")
_PAIR = np.uint64(0x9E3779B97F4A7C15)  # sets the first word of a pair apart from the second


@dataclass(frozen=True, slots=True)
class Terms:
    """Weights of a few terms: their places in a vocabulary, rising, shape (t,), and the weights, shape (t,)."""

    places: npt.NDArray[np.intp]
    weights: Weights

    @staticmethod
    def stack(columns: Sequence[Terms], terms: int) -> Matrix:
        """Return the weights of several claims as the columns of one sparse matrix, shape (terms, columns)."""
        ends = np.cumsum([0, *(len(column.places) for column in columns)])
        weights = np.concatenate([np.zeros(0), *(column.weights for column in columns)])
        places = np.concatenate([np.zeros(0, dtype=np.intp), *(column.places for column in columns)])
        return sparse.csc_matrix((weights, places, ends), shape=(terms, len(columns))).tocsr()


@dataclass(frozen=True, slots=True)
class Counted:
    """The terms of one paper.

    Attributes:
        terms: their hashes, rising, shape (n,).
        counts: how often each stands in the abstract, and `TITLE_COUNT` times in the title, at most 255, shape (n,).
        titled: which of them stand in the title, shape (n,).
        text_words: words of title and abstract.
        title_words: words of the title.
    """

    terms: Hashes
    counts: npt.NDArray[np.uint8]
    titled: npt.NDArray[np.bool_]
    text_words: int
    title_words: int

    def to_bytes(self) -> bytes:
        """Return all of it as bytes, little-endian: three lengths, then the arrays."""
        lengths = _LENGTHS.pack(len(self.terms), self.text_words, self.title_words)
        return lengths + self.terms.astype("<u8").tobytes() + self.counts.tobytes() + self.titled.tobytes()

    def fingerprint(self) -> bytes:
        """Return a hash of all of it."""
        return hashlib.blake2b(self.to_bytes(), digest_size=16).digest()

    @classmethod
    def from_bytes(cls, content: bytes) -> Counted:
        """Read what `to_bytes` wrote."""
        terms, text_words, title_words = _LENGTHS.unpack_from(content)
        start = _LENGTHS.size + 8 * terms
        return cls(
            np.frombuffer(content, dtype="<u8", count=terms, offset=_LENGTHS.size),
            np.frombuffer(content, dtype=np.uint8, count=terms, offset=start),
            np.frombuffer(content, dtype=np.bool_, count=terms, offset=start + terms),
            text_words,
            title_words,
        )


def count_terms(document: Document) -> Counted:
    """Count a paper's terms."""
    title, abstract = split_words(document.title), split_words(document.abstract)
    in_title, in_abstract = _hash_words(title), _hash_words(abstract)
    found = np.sort(np.concatenate([in_abstract, np.repeat(in_title, TITLE_COUNT)]))
    starts = np.flatnonzero(np.concatenate([[True], found[1:] != found[:-1]])) if len(found) else np.zeros(0, np.intp)
    terms, counts = found[starts], np.diff(starts, append=len(found))
    titled = np.zeros(len(terms), dtype=np.bool_)
    titled[np.searchsorted(terms, in_title)] = True
    return Counted(terms, np.minimum(counts, 255).astype(np.uint8), titled, len(title) + len(abstract), len(title))


def _hash_words(words: Sequence[str]) -> Hashes:
    """Return the hashes of words, then of their pairs of neighbours."""
    single = np.array([_hash_word(word) for word in words], dtype=np.uint64)
    return np.concatenate([single, mix(single[:-1] * _PAIR + single[1:])])


@lru_cache(maxsize=1 << 16)
def _hash_word(word: str) -> int:
    return hash_to_64_bits(word)


def hash_terms(terms: Iterable[str]) -> Hashes:
    """Return the hashes of terms, as `split_terms` gives them, in their order."""
    words = [term.split(" ") for term in terms]
    first, last = (np.array([_hash_word(term[place]) for term in words], dtype=np.uint64) for place in (0, -1))
    return np.where([len(term) > 1 for term in words], mix(first * _PAIR + last), last)


class Vocabulary:
    """The terms that count: those of the lexicon, those that some papers of the corpus have, and those of the claims.

    Attributes:
        idf: the terms' inverse document frequencies, shape (terms,).
        share: the share of background papers that have each term, shape (terms,).
        learnable: which terms a head may weigh: those of claims alone are left out, so that claims do not touch each
            other's scores.
    """

    def __init__(self, lexicon: Lexicon, papers: Sequence[Counted], claim_terms: Iterable[str]) -> None:
        known = hash_terms(lexicon.frequencies)
        order = np.argsort(known)
        known, frequencies = known[order], np.array(list(lexicon.frequencies.values()), dtype=np.float64)[order]
        found, counts = np.unique(_join([paper.terms for paper in papers]), return_counts=True)
        learnable = found[(counts >= FEWEST_PAPERS) | np.isin(found, known, assume_unique=True)]
        self._terms = np.union1d(learnable, hash_terms(claim_terms))
        places, is_known = _find(known, self._terms)
        stands_in = np.zeros(len(self._terms))
        stands_in[is_known] = frequencies[places[is_known]]
        self.idf: Weights = lexicon.weigh(stands_in)
        self.share: Weights = np.where(is_known, stands_in, FLOOR / 2) / max(lexicon.documents, FLOOR)
        self.learnable = np.isin(self._terms, learnable, assume_unique=True)

    def __len__(self) -> int:
        return len(self._terms)

    def column(self, term: str) -> int | None:
        """Return the place of a term, as `split_terms` gives it, or None if it does not count."""
        columns, known = _find(self._terms, hash_terms([term]))
        return int(columns[0]) if known[0] else None

    def weigh(self, shares: dict[str, float]) -> Terms:
        """Return a claim's terms with their shares; terms that are not known are lost."""
        columns, known = _find(self._terms, hash_terms(shares))
        columns, weights = columns[known], np.array(list(shares.values()), dtype=np.float64)[known]
        order = np.argsort(columns)
        return Terms(columns[order], weights[order])

    def encode(self, papers: Sequence[Counted]) -> tuple[Matrix, Matrix]:
        """Return two matrices, shape (papers, terms).

        The first has logarithmic counts by the root of the length, the title counted once more (what a claim's words
        are looked for in); the second TF-IDF with rows of length one over the learnable terms (what a head learns on).
        """
        columns, known = _find(self._terms, _join([paper.terms for paper in papers]))
        rows = np.repeat(np.arange(len(papers)), [len(paper.terms) for paper in papers])[known]
        columns = columns[known]
        values = 1 + np.log(_join([paper.counts for paper in papers], np.uint8)[known].astype(np.float64))
        titled = _join([paper.titled for paper in papers], np.bool_)[known]
        by_text = 1 / np.sqrt([max(paper.text_words, 1) for paper in papers])
        by_title = TITLE_SHARE / np.sqrt([paper.title_words + TITLE_PADDING for paper in papers])
        starts = np.searchsorted(rows, np.arange(len(papers) + 1))
        looked_for = values * by_text[rows] + titled * by_title[rows]
        learned = values * (self.idf * self.learnable)[columns]
        lengths = np.sqrt(np.bincount(rows, weights=learned**2, minlength=len(papers)))
        learned = learned / np.maximum(lengths, 1e-9)[rows]
        shape = (len(papers), len(self))
        # A paper's terms rise, and so do their columns: one order of summation for all.
        return tuple(sparse.csr_matrix((data, columns, starts), shape=shape) for data in (looked_for, learned))


def _join(arrays: Sequence[npt.NDArray[Any]], kind: npt.DTypeLike = np.uint64) -> npt.NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.zeros(0, dtype=kind)


def _find(sorted_terms: Hashes, terms: Hashes) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Return the place of each term among the sorted ones, and whether it stands there at all."""
    if not len(sorted_terms):
        return np.zeros(len(terms), dtype=np.intp), np.zeros(len(terms), dtype=np.bool_)
    places = np.minimum(np.searchsorted(sorted_terms, terms), len(sorted_terms) - 1)
    return places, sorted_terms[places] == terms
