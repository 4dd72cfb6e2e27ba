"""The ranker: joins a claim's text, what fits it best, and the decisions made so far into one calibrated score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from crawler.ranking.background import Background
from crawler.ranking.claims import Claim, Document, document_text
from crawler.ranking.corpus import NOT_AT_HAND, Corpus, Encoded, Words, count_words
from crawler.ranking.features import Counted
from crawler.ranking.heads import Head, Heads, learn_head
from crawler.ranking.latent import Latent, Viewed
from crawler.ranking.priors import Prior, Priors, Rows, Vectors, claim_shares, fed_prior, text_prior
from crawler.ranking.reasons import Neighbours, explain
from crawler.threads import one_thread
from db.records import Reasons

__all__ = [
    "DEFAULT_THRESHOLD",
    "Claim",
    "Decided",
    "Document",
    "Ranker",
    "Seen",
    "document_text",
    "to_chances",
    "to_scores",
]

FEED_TRUST = 4.0  # accepted papers for half of the trust in feedback with decisions, beside the ranking of day zero
HEAD_TRUST = 8.0  # the same for the trust in the head
REJECTED_SHARE = 0.25  # what a rejection counts there while fewer were accepted, and how many count so
REJECTED_MOST = 12
CALIBRATION = (0.556, -1.306)  # slope and intercept of Platt's curve, fitted on labelled papers (docs/ranking.md)
DEFAULT_THRESHOLD: float = 0.95
DECIMALS = 6
LOGIT_DECIMALS = 9
CLAIMS_AT_ONCE = 64  # whose texts are read at once: each has one number for every paper at hand
PAPERS_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Seen:
    """The papers that are at hand while a ranker is made: n of them, with unit vectors, shape (n, d).

    `published` are days of publication, as text; `arxiv_ids` are told as reasons, and may be left out.
    """

    documents: Sequence[Words]
    vectors: Vectors
    published: Sequence[str]
    arxiv_ids: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Decided:
    """The papers that were accepted and rejected for a claim, as places in `Seen`.

    `aside` are papers that are not to be learned from: they wait for a decision, or are held out.
    """

    accepted: Sequence[int] = ()
    rejected: Sequence[int] = ()
    aside: Sequence[int] = ()

    def as_rows(self) -> tuple[Rows, Rows]:
        """Return the places of both kinds as arrays."""
        return np.array(self.accepted, dtype=np.intp), np.array(self.rejected, dtype=np.intp)


@dataclass(frozen=True, slots=True)
class _Text:
    """A claim's text alone, and the ranking of day zero."""

    prior: Prior
    day_zero: Prior


@dataclass(frozen=True, slots=True)
class _Model:
    """What is known of one claim: `first` from its text, the rest from decisions, each with the trust in it, 0 to 1."""

    first: Prior
    learned: Prior | None = None
    head: Head | None = None
    feed_trust: float = 0.0
    head_trust: float = 0.0


class _Models:
    """What is known of m claims, side by side."""

    def __init__(self, models: Sequence[_Model], terms: int) -> None:
        """Take the models, at least one; `terms` are those of the vocabulary."""
        self._first = Priors([model.first for model in models], terms)
        learned = [(place, model) for place, model in enumerate(models) if model.learned and model.head]
        self._taught = [place for place, _ in learned]
        if learned:
            self._learned = Priors([model.learned for _, model in learned if model.learned], terms)
            self._heads = Heads([model.head for _, model in learned if model.head], terms)
            self._trusts = np.array([(model.feed_trust, model.head_trust) for _, model in learned]).T

    def logit(self, papers: Viewed) -> npt.NDArray[np.float64]:
        """Return the log-odds of papers, shape (papers, m), before calibration."""
        logits = self._first.logit(papers)
        if self._taught:
            first, (feed_trust, head_trust) = logits[:, self._taught], self._trusts
            fed, learned = self._learned.logit(papers) - first, self._heads.logit(papers)
            logits[:, self._taught] = first + feed_trust * fed + head_trust * learned
        return logits


def _trust(decided: float, half: float) -> float:
    return decided / (decided + half)


class Ranker:
    """Scores revisions against claims.

    A score is a function of paper, claim, model and version, of the papers at hand and of the claim's own decisions;
    other claims and whatever else is scored change nothing.
    """

    version = "learned-3"

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
        self._latent = Latent(self._corpus)
        self._decided = list(decided) or [Decided()] * len(claims)
        self._texts: dict[int, _Text] = {}
        self._evidence: dict[int, npt.NDArray[np.float64]] = {}  # of the text alone, for the papers at hand
        self._models: dict[int, _Model] = {}
        self._alone: dict[int, _Models] = {}  # one claim each, as explaining asks for them
        self._all: _Models | None = None
        self._seen, self._near = seen, dict[int, Neighbours | None]()
        self._most_added: float | None = None

    def learn(self, place: int, decided: Decided) -> None:
        """Learn one claim from these decisions instead of those that it was learned from.

        Args:
            place: the claim's place in `claims`.
        """
        if decided != self._decided[place]:
            self._decided[place] = decided
            self._models.pop(place, None)
            self._alone.pop(place, None)
            self._near.pop(place, None)
            self._most_added = self._all = None

    def _model(self, place: int) -> _Model:
        """Return what is known of a claim; it is worked out when it is first asked for."""
        if place not in self._models:
            self._models[place] = self._make_model(place, self._decided[place])
        return self._models[place]

    def read_texts(self) -> None:
        """Find what the texts of all claims say at once: one by one, as they are asked for, takes far longer."""
        with one_thread():
            self._read_texts([place for place in range(len(self.claims)) if place not in self._texts])

    def _read_texts(self, places: Sequence[int]) -> None:
        """Find what the texts of claims say, which no decision changes."""
        corpus, latent, none = self._corpus, self._latent, np.zeros(0, dtype=np.intp)
        for start in range(0, len(places), CLAIMS_AT_ONCE):
            some = places[start : start + CLAIMS_AT_ONCE]
            texts = [text_prior(self.claims[place], self.claim_vectors[place], corpus, latent) for place in some]
            evidence = Priors(texts, len(corpus.vocabulary)).evidence(latent.papers).T.copy()
            for place, text, found in zip(some, texts, evidence, strict=True):
                self._texts[place] = _Text(text, fed_prior(text, corpus, latent, found, none, none))
                if self._decided[place].accepted or self._decided[place].rejected:
                    self._evidence[place] = found.copy()

    def _evidence_of(self, place: int) -> npt.NDArray[np.float64]:
        """Return what a claim's text alone gives the papers at hand, shape (n,)."""
        if place not in self._evidence:
            text = Priors([self._texts[place].prior], len(self._corpus.vocabulary))
            self._evidence[place] = text.evidence(self._latent.papers)[:, 0]
        return self._evidence[place]

    def _make_model(self, place: int, decided: Decided) -> _Model:
        if place not in self._texts:
            self._read_texts([place])
        text, corpus, latent = self._texts[place], self._corpus, self._latent
        accepted, rejected = decided.as_rows()
        first = text.day_zero
        if not len(accepted) and not len(rejected):
            return _Model(first)
        evidence = self._evidence_of(place)
        if np.isin(rejected, first.fed).any():  # what was rejected feeds back no more
            first = fed_prior(text.prior, corpus, latent, evidence, np.zeros(0, dtype=np.intp), rejected)
        learned = fed_prior(text.prior, corpus, latent, evidence, accepted, rejected) if len(accepted) else first
        unread = self._list_unread(np.concatenate([accepted, rejected]), decided.aside)
        head = learn_head(corpus, latent, learned, accepted, rejected, unread)
        trust = max(len(accepted), REJECTED_SHARE * min(len(rejected), REJECTED_MOST))
        return _Model(first, learned, head, _trust(len(accepted), FEED_TRUST), _trust(trust, HEAD_TRUST))

    def _list_unread(self, decided: Rows, aside: Sequence[int]) -> Rows:
        """Return the papers without a decision that were out when the newest decided one was, less those set aside."""
        published = self._corpus.published
        older = np.flatnonzero(published <= max(published[decided].tolist()))
        return np.setdiff1d(older, np.concatenate([decided, np.array(aside, dtype=np.intp)]))

    def evidence(self, documents: Sequence[Words], vectors: Vectors) -> npt.NDArray[np.float64]:
        """Return the log-odds that each document is evidence, shape (documents, claims), which `score` rounds."""
        if len(documents) != len(vectors):
            raise ValueError(f"{len(documents)} documents but {len(vectors)} vectors")
        return self._logits(self._view(count_words(documents), vectors))

    def score(self, documents: Sequence[Words], vectors: Vectors) -> npt.NDArray[np.float64]:
        """Return probabilities, shape (documents, claims), of documents with their unit vectors, shape (n, d).

        Raises:
            ValueError: there is not one vector for each document.
        """
        return to_scores(self.evidence(documents, vectors))

    def score_seen(self, place: int, rows: Sequence[int]) -> npt.NDArray[np.float64]:
        """Return the probabilities, shape (rows,), of papers at hand for one claim.

        Args:
            place: the claim's place in `claims`.
            rows: the papers' places in `Seen`.
        """
        with one_thread():
            return to_scores(self._logit(place, self._latent.papers.take(rows)))

    def reach(self, documents: Sequence[Words]) -> npt.NDArray[np.float64]:
        """Return the log-odds that documents can have at most, shape (documents, claims), told by their words alone.

        Each counts as if its vector added as much as the vector of any paper at hand adds for any claim; where no paper
        is at hand, that has no limit. So papers that cannot pass a threshold need not be embedded (docs/scaling.md).
        """
        counted = count_words(documents)
        nothing = np.zeros((len(counted), self._corpus.papers.vectors.shape[1]), dtype=np.float32)
        papers = self._corpus.encode(counted, nothing)
        if self._most_added is None:
            self._most_added = self._find_most_added()
        return self._logits(self._latent.view(papers, np.full(len(counted), NOT_AT_HAND))) + self._most_added

    def _find_most_added(self) -> float:
        """Return the most that the vector of a paper at hand adds to its log-odds for any claim."""
        count = len(self._latent.papers.places)
        if not count or not self.claims:
            return np.inf
        whole = replace(self._latent.papers, places=np.full(count, NOT_AT_HAND))
        words = replace(whole, vectors=np.zeros_like(whole.vectors))
        blocks = [np.arange(start, min(start + PAPERS_AT_ONCE, count)) for start in range(0, count, PAPERS_AT_ONCE)]
        added = [self._logits(whole.take(rows)) - self._logits(words.take(rows)) for rows in blocks]
        return float(max(block.max() for block in added))

    def _logits(self, papers: Viewed) -> npt.NDArray[np.float64]:
        """Return the log-odds of papers, shape (papers, claims)."""
        if not self.claims:
            return np.zeros((len(papers.places), 0))
        with one_thread():  # so many threads, so many ways to round
            if self._all is None:
                self.read_texts()
                models = [self._model(place) for place in range(len(self.claims))]
                self._all = _Models(models, len(self._corpus.vocabulary))
            return _calibrate(self._all.logit(papers))

    def _logit(self, place: int, papers: Viewed) -> npt.NDArray[np.float64]:
        """Return the log-odds of papers for one claim, shape (papers,)."""
        if place not in self._alone:
            self._alone[place] = _Models([self._model(place)], len(self._corpus.vocabulary))
        return _calibrate(self._alone[place].logit(papers)[:, 0])

    def view_words(self, documents: Sequence[Words], vectors: Vectors) -> npt.NDArray[np.float64]:
        """Return the words of documents with these unit vectors as unit vectors themselves, shape (n, k).

        They are what the words stand beside in papers at hand; where these are few, k is small, and may be 0.
        """
        return self._view(count_words(documents), vectors).latent.astype(np.float64)

    def explain(
        self, documents: Sequence[Document], arxiv_ids: Sequence[str], vectors: Vectors, claims: Sequence[int]
    ) -> list[Reasons]:
        """Return for each document, with its arXiv id and unit vector, why its score for a claim is so high.

        It depends on what `score` depends on, and on nothing else that is explained.

        Args:
            claims: for each document the place of the claim.
        """
        if not len(documents):
            return []
        papers = self._corpus.encode(count_words(documents), vectors)
        rows = [
            Encoded(papers.vectors[row : row + 1], papers.looked_for[row], papers.learned[row])
            for row in range(len(documents))
        ]
        return [
            explain(document, arxiv_id, paper, self._corpus, partial(self._logit_apart, claim), self._near_of(claim))
            for document, arxiv_id, paper, claim in zip(documents, arxiv_ids, rows, claims, strict=True)
        ]

    def _logit_apart(self, place: int, papers: Encoded) -> npt.NDArray[np.float64]:
        """Return the log-odds of papers as if none were at hand: their own share in what feeds back is in it."""
        return self._logit(place, self._latent.view(papers, np.full(len(papers.vectors), NOT_AT_HAND)))

    def _view(self, counted: Sequence[Counted], vectors: Vectors) -> Viewed:
        """Return papers in all views, widened once for all claims."""
        papers = self._latent.view(self._corpus.encode(counted, vectors), self._corpus.find_places(counted))
        return replace(papers, vectors=papers.vectors.astype(np.float64), latent=papers.latent.astype(np.float64))

    def _near_of(self, place: int) -> Neighbours | None:
        """Return what tells which accepted papers of a claim are near; None where nothing was accepted."""
        if place not in self._near:
            seen, decided = self._seen, self._decided[place]
            known = bool(seen.arxiv_ids) and bool(decided.accepted)
            self._near[place] = Neighbours(self._corpus, seen.arxiv_ids, *decided.as_rows()) if known else None
        return self._near[place]


def _calibrate(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return log-odds as they were on labelled papers, without the digits that hang on what else was summed beside."""
    slope, intercept = CALIBRATION
    return np.round(slope * logits + intercept, LOGIT_DECIMALS)


def to_scores(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return log-odds as probabilities, rounded to what is kept."""
    return np.round(to_chances(logits), DECIMALS)


def to_chances(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return log-odds as probabilities."""
    chances: npt.NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(logits, -500, 500)))
    return chances
