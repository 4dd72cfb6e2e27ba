"""Learning beside the review: what waits is scored anew by the decisions made since, and the queue re-ordered.

A match keeps the score that it was queued with; what is found here is a standing score beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

from crawler.control import Stop
from crawler.embed import StoredVectors
from crawler.learning import Learner, find_decided, make_learner, name_fit
from crawler.ranking.ranker import Claim, Decided, Ranker
from db.decisions import list_verdicts
from db.matches import find_matching_model
from db.phenomena import list_phenomena
from db.standing import Standing, list_unsettled, save_standing
from db.store import Store
from db.text import hash_text
from db.vectors import load_vectors, save_model

FOLDS = 5


class QueueRanker:
    """Scores what waits for one phenomenon at a time. What is slow, reading the papers at hand, is done once."""

    def __init__(self, store: Store, learner: Learner) -> None:
        """Take a ranker of the catalogue's claims, and the database that it was made from."""
        self._store = store
        self._learner = learner
        self._claims = {claim.code: place for place, claim in enumerate(learner.ranker.claims)}

    @classmethod
    def make(cls, store: Store) -> QueueRanker | None:
        """Make the ranker from what is stored, without a model; None where no night has matched anything yet.

        A phenomenon that came into the catalogue after the last night is left out.
        """
        identity = find_matching_model(store)
        if identity is None:
            return None
        embedder = StoredVectors(identity)
        with store.transaction():
            model_id = save_model(store, identity)
        claims = [Claim.of(phenomenon) for phenomenon in list_phenomena(store)]
        hashes = {claim.code: [hash_text(text) for text in claim.texts()] for claim in claims}
        known = load_vectors(store, model_id, [one for some in hashes.values() for one in some])
        usable = [claim for claim in claims if all(one in known for one in hashes[claim.code])]
        return cls(store, make_learner(store, embedder, usable))

    @property
    def codes(self) -> list[str]:
        """Return the codes of the phenomena that can be ranked for."""
        return list(self._claims)

    def rerank(self, code: str) -> dict[int, float]:
        """Learn from all decisions on a phenomenon, score what waits for it, keep the scores, and return them.

        The scores go by candidate. A paper that was not at hand when this ranker was made is left as it was, and so
        is all that waits for a phenomenon that cannot be ranked for.
        """
        if code not in self._claims:
            return {}
        verdicts = list_verdicts(self._store, [code])
        ranker, places = self._learner.ranker, self._learner.places
        (decided,) = find_decided(verdicts, [code], places)
        ranker.learn(self._claims[code], decided)
        waiting = [row for row in list_unsettled(self._store, code) if row["arxiv_id"] in places]
        if not waiting:
            return {}
        version = f"{Ranker.version}+{name_fit(self._learner.papers, verdicts)}"
        found = ranker.score_seen(self._claims[code], [places[row["arxiv_id"]] for row in waiting]).tolist()
        with self._store.transaction():
            save_standing(
                self._store,
                (
                    Standing(row["candidate_id"], row["match_id"], score, version)
                    for row, score in zip(waiting, found, strict=True)
                ),
            )
        return {row["candidate_id"]: score for row, score in zip(waiting, found, strict=True)}

    def score_held_out(self, code: str) -> dict[str, float]:
        """Return the score of every decided paper at hand for a phenomenon, by arXiv id, as if it waited still.

        Cross-validation (Stone 1974): the papers are dealt out to `FOLDS` folds, accepted and rejected ones apart, and
        each fold is scored by a ranker that learned from the others.
        """
        place, places = self._claims[code], self._learner.places
        names = {place: arxiv_id for arxiv_id, place in places.items()}
        (decided,) = find_decided(list_verdicts(self._store, [code]), [code], places)
        ranker, scores = self._learner.ranker, dict[str, float]()
        for fold in range(FOLDS):
            held_out = [*decided.accepted[fold::FOLDS], *decided.rejected[fold::FOLDS]]
            if held_out:
                ranker.learn(place, Decided(_others(decided.accepted, fold), _others(decided.rejected, fold)))
                found = ranker.score_seen(place, held_out).tolist()
                scores |= {names[row]: score for row, score in zip(held_out, found, strict=True)}
        ranker.learn(place, decided)
        return scores


def _others(rows: Sequence[int], fold: int) -> list[int]:
    return [row for number, row in enumerate(rows) if number % FOLDS != fold]


def rerank_all(store: Store, learner: Learner, stop: Stop) -> None:
    """Score all that waits with a ranker that has just been made.

    Raises:
        StopRequested: between two phenomena; what was scored stays.
    """
    ranker = QueueRanker(store, learner)
    for code in ranker.codes:
        stop.check()
        ranker.rerank(code)
