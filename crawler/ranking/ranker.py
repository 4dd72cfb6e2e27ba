"""The ranker: joins the evidence in words and in vectors into one score that means the same for every claim."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from crawler.ranking.background import Background
from crawler.ranking.claims import Claim, Document, document_text
from crawler.ranking.dense import DenseEvidence
from crawler.ranking.lexical import LexicalEvidence

__all__ = ["DEFAULT_THRESHOLD", "Claim", "Document", "Ranker", "document_text"]

DENSE_UNIT = 0.1  # a cosine so far above the field's mean counts one: about its spread over background papers
LEXICAL_UNIT = 0.05  # the spread of the words' evidence over background papers
SLOPE, MIDPOINT = 1.0, 7.5  # of the logistic curve, fitted on labelled papers (docs/ranking.md)
DEFAULT_THRESHOLD: float = 0.85
DECIMALS = 6


class Ranker:
    """Scores revisions against claims from nothing but the claims' texts.

    A score is a pure function of paper, claim, model and version: whatever else is scored, it stays the same.
    """

    version = "day-zero-1"

    def __init__(
        self, claims: Sequence[Claim], claim_vectors: Sequence[npt.NDArray[np.float32]], background: Background
    ) -> None:
        """Take the claims, and for each the unit vectors of its texts, shape (texts, d).

        Raises:
            ValueError: the vectors are not one row for each text of each claim.
        """
        for claim, vectors in zip(claims, claim_vectors, strict=True):
            if len(vectors) != len(claim.texts()):
                raise ValueError(f"{claim.code} has {len(claim.texts())} texts but {len(vectors)} vectors")
        self._lexical = LexicalEvidence(claims, background.lexicon)
        self._dense = DenseEvidence(claim_vectors, background.centre)

    def evidence(self, documents: Sequence[Document], vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return the joint evidence, shape (documents, claims), in units of its background's spread; see `score`."""
        if len(documents) != len(vectors):
            raise ValueError(f"{len(documents)} documents but {len(vectors)} vectors")
        dense = self._dense.score(vectors) / DENSE_UNIT
        lexical = np.sqrt(self._lexical.score(documents) / LEXICAL_UNIT)
        joint: npt.NDArray[np.float64] = dense + lexical
        return joint

    def score(self, documents: Sequence[Document], vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return scores from 0 to 1, shape (documents, claims), of documents with their unit vectors, shape (n, d).

        Raises:
            ValueError: there is not one vector for each document.
        """
        logits = SLOPE * (self.evidence(documents, vectors) - MIDPOINT)
        scores: npt.NDArray[np.float64] = np.round(1 / (1 + np.exp(-logits)), DECIMALS)
        return scores
