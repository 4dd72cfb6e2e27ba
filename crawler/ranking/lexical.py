"""Evidence in words: how much of what a claim says stands in a paper, counted by single words and pairs of words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from crawler.ranking.background import Lexicon
from crawler.ranking.claims import Claim, Document
from crawler.ranking.words import split_terms, split_words

TITLE_SHARE = 0.5  # what the paper's title counts on its own, beside the whole text
TITLE_COUNT = 2  # a word of the title counts as often in the text
TITLE_PADDING = 2  # words added to a title's length, so that very short titles do not win by brevity
STATEMENT_SHARE = 0.5  # a word of the statement, beside one of the title or of a keyword
TYPICAL_WORDS = 130  # words of a background paper, stop words left out
TYPICAL_COUNT = 1.35  # mean of 1 + log(count) over the background papers that have a term
BLOCK = 1_000  # documents that are counted at once


class LexicalEvidence:
    """Weighs the words of papers by a set of claims: TF-IDF with logarithmic counts, by the root of the length."""

    def __init__(self, claims: Sequence[Claim], lexicon: Lexicon) -> None:
        weights = [_claim_weights(claim, lexicon) for claim in claims]
        terms = sorted({term for one in weights for term in one})
        self._columns = {term: column for column, term in enumerate(terms)}
        self._words = frozenset(word for term in terms for word in term.split())
        self._weights = np.zeros((len(terms), len(claims)))
        for index, one in enumerate(weights):
            for term, weight in one.items():
                self._weights[self._columns[term], index] = weight
        shares = np.array([lexicon.share(term) for term in terms])
        self._floor = TYPICAL_COUNT / math.sqrt(TYPICAL_WORDS) * (shares @ self._weights)

    def score(self, documents: Sequence[Document]) -> npt.NDArray[np.float64]:
        """Return the evidence, shape (documents, claims): 0 or more, above what common words alone would give."""
        blocks = [self._score(documents[start : start + BLOCK]) for start in range(0, len(documents), BLOCK)]
        return np.concatenate(blocks) if blocks else np.zeros((0, self._weights.shape[1]))

    def _score(self, documents: Sequence[Document]) -> npt.NDArray[np.float64]:
        bodies = np.zeros((len(documents), len(self._columns)))
        titles = np.zeros_like(bodies)
        for row, document in enumerate(documents):
            title, abstract = split_words(document.title), split_words(document.abstract)
            in_title, in_abstract = self._count(title), self._count(abstract)
            body_scale = 1 / math.sqrt(max(len(title) + len(abstract), 1))
            title_scale = TITLE_SHARE / math.sqrt(len(title) + TITLE_PADDING)
            for column in in_title | in_abstract:
                count = in_abstract[column] + TITLE_COUNT * in_title[column]
                bodies[row, column] = (1 + math.log(count)) * body_scale
            titles[row, list(in_title)] = title_scale
        evidence: npt.NDArray[np.float64] = np.maximum((bodies + titles) @ self._weights - self._floor, 0)
        return evidence

    def _count(self, words: Sequence[str]) -> Counter[int]:
        """Count the claims' terms in a text, by column."""
        counts: Counter[int] = Counter()
        before = ""
        for word in words:
            if word in self._words:
                for term in (word, f"{before} {word}") if before else (word,):
                    column = self._columns.get(term)
                    if column is not None:
                        counts[column] += 1
                before = word
            else:
                before = ""
        return counts


def _claim_weights(claim: Claim, lexicon: Lexicon) -> dict[str, float]:
    """Return the terms of a claim with their weights: idf on both sides, the claim's side of length one."""
    fields = [(claim.title, 1.0), (claim.statement, STATEMENT_SHARE), *((word, 1.0) for word in claim.keywords)]
    shares: dict[str, float] = {}
    for text, share in fields:
        for term in split_terms(text):
            shares[term] = shares.get(term, 0.0) + share
    length = math.sqrt(sum((share * lexicon.weight(term)) ** 2 for term, share in shares.items())) or 1.0
    return {term: share * lexicon.weight(term) ** 2 / length for term, share in shares.items()}
