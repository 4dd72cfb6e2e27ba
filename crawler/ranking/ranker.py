"""The ranker: joins a claim's text, what fits it best, and the decisions made so far into one calibrated score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from crawler.ranking.background import Background
from crawler.ranking.claims import Claim, Document, document_text
from crawler.ranking.corpus import Corpus, Encoded
from crawler.ranking.heads import Head, learn_head
from crawler.ranking.priors import Prior, Rows, Vectors, claim_shares, fed_prior, text_prior

__all__ = ["DEFAULT_THRESHOLD", "Claim", "Decided", "Document", "Ranker", "Seen", "document_text"]

TRUST = 4.0  # accepted papers for half of the trust in what was learned, beside the ranking of day zero
CALIBRATION = (0.855, -1.339)  # slope and intercept of Platt's curve, fitted on labelled papers (docs/ranking.md)
DEFAULT_THRESHOLD: float = 0.95
DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Seen:
    """The papers that are at hand while a ranker is made: n of them, with unit vectors, shape (n, d).

    `published` are days of publication, as text.
    """

    documents: Sequence[Document]
    vectors: Vectors
    published: Sequence[str]


@dataclass(frozen=True, slots=True)
class Decided:
    """The papers that were accepted and rejected for a claim, as places in `Seen`."""

    accepted: Sequence[int] = ()
    rejected: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class _Model:
    """What is known of one claim; `trust` is the share of what was learned."""

    day_zero: Prior
    learned: Prior | None = None
    head: Head | None = None
    trust: float = field(default=0.0)

    def logit(self, papers: Encoded) -> npt.NDArray[np.float64]:
        first = self.day_zero.logit(papers)
        if self.learned is None or self.head is None:
            return first
        return first + self.trust * (self.learned.logit(papers) + self.head.logit(papers) - first)


class Ranker:
    """Scores revisions against claims.

    A score is a function of paper, claim, model and version, of the papers at hand and of the claim's own decisions;
    other claims and whatever else is scored change nothing.
    """

    version = "learned-1"

    def __init__(
        self,
        claims: Sequence[Claim],
        claim_vectors: Sequence[Vectors],
        background: Background,
        seen: Seen | None = None,
        decided: Sequence[Decided] = (),
        *,
        fit: str = "",
    ) -> None:
        """Take the claims, for each the unit vectors of its texts, shape (texts, d), and what was decided on it.

        Args:
            fit: names the papers and decisions at hand, for the record.

        Raises:
            ValueError: the vectors are not one row for each text of each claim.
        """
        for claim, vectors in zip(claims, claim_vectors, strict=True):
            if len(vectors) != len(claim.texts()):
                raise ValueError(f"{claim.code} has {len(claim.texts())} texts but {len(vectors)} vectors")
        self.claims, self.claim_vectors, self.fit = claims, claim_vectors, fit
        width = claim_vectors[0].shape[1] if claim_vectors else 0
        seen = seen or Seen((), np.zeros((0, width), dtype=np.float32), ())
        terms = {term for claim in claims for term in claim_shares(claim)}
        self._corpus = Corpus(seen.documents, seen.vectors, seen.published, background, terms)
        self._models = [
            self._make_model(claim, vectors, one)
            for claim, vectors, one in zip(claims, claim_vectors, decided or [Decided()] * len(claims), strict=True)
        ]

    def _make_model(self, claim: Claim, vectors: Vectors, decided: Decided) -> _Model:
        corpus, none = self._corpus, np.zeros(0, dtype=np.intp)
        text = text_prior(claim, vectors, corpus.vocabulary, corpus.centre)
        day_zero = fed_prior(text, corpus, none, none)
        accepted, rejected = (np.array(rows, dtype=np.intp) for rows in (decided.accepted, decided.rejected))
        if not len(accepted):
            return _Model(day_zero)
        learned = fed_prior(text, corpus, accepted, rejected)
        unread = self._list_unread(np.concatenate([accepted, rejected]))
        head = learn_head(corpus, learned.logit(corpus.papers), accepted, rejected, unread)
        return _Model(day_zero, learned, head, len(accepted) / (len(accepted) + TRUST))

    def _list_unread(self, decided: Rows) -> Rows:
        """Return the papers without a decision that were out when the newest decided one was."""
        published = self._corpus.published
        older = np.flatnonzero(published <= max(published[decided].tolist()))
        return np.setdiff1d(older, decided)

    def evidence(self, documents: Sequence[Document], vectors: Vectors) -> npt.NDArray[np.float64]:
        """Return the log-odds that each document is evidence, shape (documents, claims), not rounded; see `score`."""
        if len(documents) != len(vectors):
            raise ValueError(f"{len(documents)} documents but {len(vectors)} vectors")
        papers = self._corpus.encode(documents, vectors)
        slope, intercept = CALIBRATION
        columns = [slope * model.logit(papers) + intercept for model in self._models]
        return np.stack(columns, axis=1) if columns else np.zeros((len(documents), 0))

    def score(self, documents: Sequence[Document], vectors: Vectors) -> npt.NDArray[np.float64]:
        """Return probabilities, shape (documents, claims), of documents with their unit vectors, shape (n, d).

        Raises:
            ValueError: there is not one vector for each document.
        """
        logits = self.evidence(documents, vectors)
        scores: npt.NDArray[np.float64] = np.round(1 / (1 + np.exp(-np.clip(logits, -500, 500))), DECIMALS)
        return scores
