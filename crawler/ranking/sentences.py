"""The sentence that says so: which sentence of an abstract bears most on a claim, by words, vectors and its verb."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from crawler.ranking.claims import Claim
from crawler.ranking.dense import claim_direction
from crawler.ranking.splitting import split_sentences
from crawler.ranking.words import split_terms
from db.records import Sentence

__all__ = [
    "best_sentence",
    "best_sentences",
    "is_long_enough",
    "share_words",
    "split_sentences",
    "tells_own_work",
    "tells_result",
    "weigh_claim",
]

Vectors = npt.NDArray[np.float32]
Encode = Callable[[Sequence[str]], Vectors]

MINIMUM_WORDS = 4  # a heading is shorter
RESULT = 0.3  # what a sentence gains that tells a result, beside two cosines; measured in docs/ranking.md
OWN = 0.2  # what it gains that speaks of the paper's own work, not of what is known
_WORD = re.compile(r"[^\W\d_]+")
_TELLS = re.compile(
    r"\b(?:find|found|shows?|observe|demonstrate|reveals?|prove|discover|confirm|results?|findings?)\b", re.IGNORECASE
)
_OWN = re.compile(r"\b(?:we|our|this (?:paper|work|study))\b", re.IGNORECASE)


def best_sentence(abstract: str, claim: Claim, claim_vectors: Vectors, encode: Encode) -> Sentence | None:
    """Return the sentence of an abstract that bears most on a claim; None where there is no sentence to show.

    Args:
        abstract: the abstract; the span that is returned counts in it.
        claim: what it may be evidence for.
        claim_vectors: the unit vectors of the claim's texts, shape (texts, d).
        encode: turns texts into unit vectors, shape (texts, d).
    """
    return best_sentences([(abstract, claim, claim_vectors)], encode)[0]


def best_sentences(candidates: Sequence[tuple[str, Claim, Vectors]], encode: Encode) -> list[Sentence | None]:
    """Return the best sentence of each candidate, as `best_sentence` does; every sentence is encoded once."""
    split = {abstract: _split_candidates(abstract) for abstract, _, _ in candidates}
    texts = list(dict.fromkeys(sentence.text for sentences in split.values() for sentence in sentences))
    rows = dict(zip(texts, encode(texts), strict=True)) if texts else {}
    return [_choose(split[abstract], rows, claim, vectors) for abstract, claim, vectors in candidates]


def _split_candidates(abstract: str) -> list[Sentence]:
    return [one for one in split_sentences(abstract) if is_long_enough(one)]


def is_long_enough(sentence: Sentence) -> bool:
    """Tell whether a sentence can be shown: a heading cannot."""
    return len(_WORD.findall(sentence.text)) >= MINIMUM_WORDS


def _choose(
    sentences: Sequence[Sentence], rows: dict[str, npt.NDArray[np.float32]], claim: Claim, vectors: Vectors
) -> Sentence | None:
    direction = claim_direction(vectors)
    weights = weigh_claim(claim)
    scored = [
        (float(rows[one.text].astype(np.float64) @ direction) + _score_text(one.text, weights), -one.start, one)
        for one in sentences
    ]
    return max(scored, key=lambda entry: entry[:2])[2] if scored else None


def _score_text(text: str, weights: dict[str, float]) -> float:
    return share_words(text, weights) + RESULT * tells_result(text) + OWN * tells_own_work(text)


def tells_result(text: str) -> bool:
    """Tell whether a sentence says that something was found, shown or observed."""
    return bool(_TELLS.search(text))


def tells_own_work(text: str) -> bool:
    """Tell whether a sentence speaks of what the authors do or find."""
    return bool(_OWN.search(text))


def weigh_claim(claim: Claim) -> dict[str, float]:
    """Return the claim's terms, weighted by how many of its texts say them, at length one."""
    weights: dict[str, float] = {}
    for text in dict.fromkeys((claim.title, claim.statement, *claim.keywords)):
        for term in set(split_terms(text)):
            weights[term] = weights.get(term, 0.0) + 1
    length = math.sqrt(sum(weight**2 for weight in weights.values())) or 1.0
    return {term: weight / length for term, weight in weights.items()}


def share_words(text: str, weights: dict[str, float]) -> float:
    """Return the cosine of a sentence's terms with the claim's, 0 to 1."""
    terms = set(split_terms(text))
    return sum(weights.get(term, 0.0) for term in sorted(terms)) / math.sqrt(len(terms)) if terms else 0.0
