"""Why a score is as high as it is: the words that raised it, and the accepted papers that stand near."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from crawler.ranking.claims import Document
from crawler.ranking.corpus import Corpus, Encoded, Vectors, space_evenly
from crawler.ranking.features import Matrix
from crawler.ranking.priors import Rows
from crawler.ranking.words import split_terms, split_words
from db.records import Neighbour, RaisingWord, Reasons

WORDS = 6  # that are told
PAIRS_AMONG = 20  # a pair of words takes its words in if it is one of so many terms that raise the score most
FEWEST_SHARE = 0.01
NEIGHBOURS = 3
CHANCE = 0.99  # an accepted paper is near if it is nearer than this share of the papers that nobody decided on
COMPARED = 2_000  # such papers at most, evenly spaced
LONGEST_SHOWN = 60  # characters of a pair of words as it stands in a text
DECIMALS = 3

Logit = Callable[[Encoded], npt.NDArray[np.float64]]

_CHUNK = re.compile(r"\S+")
_PIECE = re.compile(r"[^-/\u2010-\u2014]+")
_APART = re.compile(r"[.;:!?,]\s|[()\[\]]|--|[\u2012-\u2015]")  # words with such between them are no pair to a reader
_EDGES = ".,;:!?()[]\"'*`\u2018\u2019\u201c\u201d"


def find_raising_words(document: Document, paper: Encoded, corpus: Corpus, logit: Logit) -> tuple[RaisingWord, ...]:
    """Return the words and pairs of words that raise a paper's score most, the strongest first.

    What a word adds is what the log-odds lose when it is taken away. A pair takes its words in: "scaling law" is told,
    and neither "scaling" nor "law". A share is a part of what all words add that raise the score.

    Args:
        paper: the document, encoded: one row.
        logit: the log-odds of papers, shape (papers,).
    """
    found = {*split_terms(document.title), *split_terms(document.abstract)}
    columns = {term: corpus.vocabulary.column(term) for term in found}
    terms = sorted(term for term, column in columns.items() if column is not None)
    without = _without_each(paper, np.array([columns[term] for term in terms], dtype=np.int64))
    logits = logit(without)
    added = {term: float(logits[0] - lost) for term, lost in zip(terms, logits[1:], strict=True) if lost < logits[0]}
    total = sum(added.values())
    shown = {term: text for term in added if (text := show_term(term, document))}
    joined = _join_pairs({term: value for term, value in added.items() if term in shown or " " not in term})
    shares = {term: round(value / total, DECIMALS) for term, value in joined.items()}
    best = sorted((term for term in shares if shares[term] >= FEWEST_SHARE), key=lambda term: (-shares[term], term))
    return tuple(RaisingWord(shown.get(term, term[:LONGEST_SHOWN]), shares[term]) for term in best[:WORDS])


def _without_each(paper: Encoded, columns: npt.NDArray[np.int64]) -> Encoded:
    """Return the paper as it is, then once without each of the terms, shape (1 + columns, terms)."""
    taken = np.concatenate([[-1], columns])
    vectors = np.repeat(paper.vectors, len(taken), axis=0)
    return Encoded(vectors, _take_each(paper.looked_for, taken), _take_each(paper.learned, taken))


def _take_each(row: Matrix, taken: npt.NDArray[np.int64]) -> Matrix:
    data = np.where(row.indices[None, :] == taken[:, None], 0.0, row.data[None, :])
    ends = np.arange(len(taken) + 1) * len(row.indices)
    return csr_matrix((data.ravel(), np.tile(row.indices, len(taken)), ends), shape=(len(taken), row.shape[1]))


def _join_pairs(added: dict[str, float]) -> dict[str, float]:
    """Give the strongest pairs what their words add, each word once, and drop those words."""
    strongest = sorted(added, key=lambda term: (-added[term], term))[:PAIRS_AMONG]
    joined, taken = dict(added), set[str]()
    for pair in (term for term in strongest if " " in term):
        for word in set(pair.split()) - taken:
            joined[pair] += joined.pop(word, 0.0)
        taken.update(pair.split())
    return joined


def show_term(term: str, document: Document) -> str | None:
    """Return a term as it first stands in the abstract, or in the title; None where it stands in neither as one."""
    words = term.split()
    for text in (document.abstract, document.title):
        tokens = _list_tokens(text)
        if len(words) == 1:
            spans = [(start, end) for word, start, end in tokens if word == term]
        else:
            spans = [(one[1], two[2]) for one, two in pairwise(tokens) if [one[0], two[0]] == words]
        for start, end in spans:
            if end - start <= LONGEST_SHOWN and not _APART.search(text[start:end]):
                return text[start:end]
    return None


@lru_cache(maxsize=16)  # each term of a paper asks for the words of the same two texts
def _list_tokens(text: str) -> list[tuple[str, int, int]]:
    """Return each word that counts, folded, with its span in the text."""
    found = []
    for chunk in _CHUNK.finditer(text):
        whole = split_words(chunk.group())
        pieces = [chunk] if len(whole) == 1 else [*_PIECE.finditer(text, *chunk.span())]
        for piece in pieces:
            bare = piece.group().strip(_EDGES)
            start = piece.start() + piece.group().index(bare)
            if len(words := split_words(bare)) == 1:
                found.append((words[0], start, start + len(bare)))
    return found


class Neighbours:
    """The accepted papers of one claim, and the papers that chance is judged by."""

    def __init__(self, corpus: Corpus, arxiv_ids: Sequence[str], accepted: Rows, rejected: Rows) -> None:
        """Take all papers of the corpus, their arXiv ids, and the places of those that were decided on."""
        self._vectors, self._ids, self._accepted = corpus.papers.vectors, arxiv_ids, accepted
        unread = np.setdiff1d(np.arange(len(self._vectors)), np.concatenate([accepted, rejected]))
        self._unread = space_evenly(unread, COMPARED)

    def find(self, arxiv_id: str, vector: Vectors) -> tuple[Neighbour, ...]:
        """Return the accepted papers nearest to a paper, by cosine, that are nearer than chance; at most three.

        Chance is the cosine that one in a hundred of the papers reaches that nobody decided on. The paper itself is
        neither. Without such papers nothing is told.

        Args:
            vector: the paper's unit vector, shape (d,).
        """
        accepted, unread = (
            np.array([row for row in rows if self._ids[row] != arxiv_id], dtype=np.intp)
            for rows in (self._accepted, self._unread)
        )
        if not len(accepted) or not len(unread):
            return ()
        chance = float(np.quantile(self._cosines(unread, vector), CHANCE))
        cosines = self._cosines(accepted, vector)
        best = np.lexsort((accepted, -cosines))[:NEIGHBOURS]
        return tuple(
            Neighbour(self._ids[accepted[place]], round(float(cosines[place]), DECIMALS))
            for place in best
            if cosines[place] > chance
        )

    def _cosines(self, rows: Rows, vector: Vectors) -> npt.NDArray[np.float64]:
        products: npt.NDArray[np.float64] = self._vectors[rows].astype(np.float64, copy=False) @ vector.astype(
            np.float64
        )
        return products


def explain(
    document: Document, arxiv_id: str, paper: Encoded, corpus: Corpus, logit: Logit, near: Neighbours | None
) -> Reasons:
    """Return why a paper's score is as high as it is; `paper` is the document, encoded: one row."""
    words = find_raising_words(document, paper, corpus, logit)
    return Reasons(words, near.find(arxiv_id, paper.vectors[0]) if near else ())
