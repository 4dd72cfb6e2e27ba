"""Learning beside the review: what waits is scored anew by the decisions made since, and the queue re-ordered.

A match keeps the score that it was queued with; what is found here is a standing score beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from crawler.control import Stop
from crawler.embed import StoredVectors
from crawler.learning import Learner, find_decided, load_documents, make_learner, name_fit, name_papers
from crawler.ranking.ranker import Claim, Decided, Ranker
from db.candidates import find_newest_queued
from db.decisions import list_verdicts
from db.matches import find_matching_model, find_newest_match_run, list_backlog
from db.papers import list_texts
from db.phenomena import find_catalogue_version, list_phenomena
from db.records import ModelIdentity
from db.standing import Standing, list_unsettled, save_standing
from db.store import Row, Store
from db.text import hash_text
from db.vectors import keep_model, load_vectors

FOLDS = 5
LEAST_RESCORED = 1_000  # matches of a backlog that are scored anew, the best ones, or ten times those to be queued

State: TypeAlias = tuple[int, int, str]


class QueueRanker:
    """Scores what waits for one phenomenon at a time.

    What is slow, reading the papers at hand, is done once, and again when a night has matched or the catalogue changed.
    """

    def __init__(self, store: Store, learner: Learner) -> None:
        """Take a ranker of the catalogue's claims, and the database that it was made from."""
        self._store = store
        self._take(learner, _find_state(store))

    def _take(self, learner: Learner, state: State) -> None:
        self._learner = learner
        self._claims = {claim.code: place for place, claim in enumerate(learner.ranker.claims)}
        self._made_from = state

    @classmethod
    def make(cls, store: Store) -> QueueRanker | None:
        """Make the ranker from what is stored, without a model; None where no night has matched anything yet.

        A phenomenon that came into the catalogue after the last night is left out.
        """
        identity = find_matching_model(store)
        return None if identity is None else cls(store, _make_from_stored(store, identity))

    @property
    def codes(self) -> list[str]:
        """Return the codes of the phenomena that can be ranked for."""
        return list(self._claims)

    def read_claims(self) -> None:
        """Read all claims at once: worth it for who scores for most of them."""
        self._learner.ranker.read_texts()

    def rerank(self, code: str) -> dict[int, float]:
        """Learn from all decisions on a phenomenon, score what waits for it, keep the scores, and return the new ones.

        They go by candidate; those that stay the same are not among them. A paper that is not at hand, or whose text
        is another one than was matched, is left as it was, and so is all that waits for a phenomenon that cannot be
        ranked for.
        """
        self._renew()
        return self._rerank(code)

    def rerank_all(self, between: Callable[[], None] = lambda: None) -> dict[str, dict[int, float]]:
        """Do so for every phenomenon, and return the new scores by code.

        Args:
            between: called before each one; may raise, and then what was scored stays.
        """
        self._renew()
        self.read_claims()
        found = {}
        for code in self.codes:
            between()
            found[code] = self._rerank(code)
        return found

    def _renew(self) -> None:
        """Make the ranker anew if what it was made from has changed."""
        state = _find_state(self._store)  # before the papers are read: what comes meanwhile is seen next time
        if self._made_from != state and (identity := find_matching_model(self._store)) is not None:
            self._take(_make_from_stored(self._store, identity), state)

    def _rerank(self, code: str) -> dict[int, float]:
        if code not in self._claims:
            return {}
        verdicts = list_verdicts(self._store, [code])
        place, learner = self._claims[code], self._learner
        (decided,) = find_decided(verdicts, [code], learner.places)
        learner.ranker.learn(place, decided)
        rows = list_unsettled(self._store, code)
        waiting = [row for row in rows if learner.texts.get(row["arxiv_id"]) == row["text_hash"]]
        if not waiting:
            return {}
        version = name_standing(learner.papers, learner.ranker.claims[place], verdicts)
        found = learner.ranker.score_seen(place, [learner.places[row["arxiv_id"]] for row in waiting]).tolist()
        scored = list(zip(waiting, found, strict=True))
        with self._store.transaction():
            save_standing(
                self._store,
                (Standing(row["candidate_id"], row["match_id"], score, version) for row, score in scored),
            )
        return {row["candidate_id"]: score for row, score in scored if score != row["score"]}

    def score_held_out(self, code: str) -> dict[str, float]:
        """Return the score of every decided paper at hand for a phenomenon, by arXiv id, as if it waited still.

        Cross-validation (Stone 1974): the papers are dealt out to `FOLDS` folds, accepted and rejected ones apart, and
        each fold is scored by a ranker that learned from the others, and for which the fold's papers are no negatives.
        """
        place, places = self._claims[code], self._learner.places
        names = {place: arxiv_id for arxiv_id, place in places.items()}
        (decided,) = find_decided(list_verdicts(self._store, [code]), [code], places)
        ranker, scores = self._learner.ranker, dict[str, float]()
        for fold in range(FOLDS):
            held_out = [*decided.accepted[fold::FOLDS], *decided.rejected[fold::FOLDS]]
            if held_out:
                ranker.learn(
                    place,
                    Decided(
                        _others(decided.accepted, fold),
                        _others(decided.rejected, fold),
                        [*decided.aside, *held_out],
                    ),
                )
                found = ranker.score_seen(place, held_out).tolist()
                scores |= {names[row]: score for row, score in zip(held_out, found, strict=True)}
        ranker.learn(place, decided)
        return scores


def _find_state(store: Store) -> State:
    """Return what a ranker is made anew for: the newest night, the newest match that was queued, the catalogue."""
    return find_newest_match_run(store), find_newest_queued(store), find_catalogue_version(store)


def _others(rows: Sequence[int], fold: int) -> list[int]:
    return [row for number, row in enumerate(rows) if number % FOLDS != fold]


def _make_from_stored(store: Store, identity: ModelIdentity) -> Learner:
    """Make a learner of the phenomena whose texts the model has embedded."""
    claims = [Claim.of(phenomenon) for phenomenon in list_phenomena(store)]
    hashes = {claim.code: [hash_text(text) for text in claim.texts()] for claim in claims}
    known = load_vectors(store, keep_model(store, identity), [one for some in hashes.values() for one in some])
    usable = [claim for claim in claims if all(one in known for one in hashes[claim.code])]
    return make_learner(store, StoredVectors(identity), usable)


def name_standing(papers: str, claim: Claim, verdicts: Sequence[Row]) -> str:
    """Return the version of a phenomenon's standing scores: the ranker, and a name of all that they rest on."""
    return f"{Ranker.version}+{name_fit(papers, [claim], verdicts)}"


def is_outdated(store: Store, identity: ModelIdentity, claims: Sequence[Claim]) -> bool:
    """Tell whether something waits whose standing score rests on other decisions, papers or claims than now.

    What was never scored after its match counts, if anything was decided for its phenomenon. A paper that is not at
    hand does not count: `rerank` leaves it as it is.
    """
    by_code = {claim.code: claim for claim in claims}
    waiting = [row for row in list_unsettled(store) if row["phenomenon"] in by_code]
    verdicts: dict[str, list[Row]] = {row["phenomenon"]: [] for row in waiting}
    if not verdicts:
        return False
    for row in list_verdicts(store, list(verdicts)):
        verdicts[row["phenomenon"]].append(row)
    papers, at_hand = name_papers(store, identity)
    versions = {code: name_standing(papers, by_code[code], rows) for code, rows in verdicts.items()}
    decided = {code for code, rows in verdicts.items() if any(row["kind"] != "open" for row in rows)}
    return any(
        row["standing_version"] != versions[row["phenomenon"]]
        for row in waiting
        if row["text_hash"] in at_hand and (row["standing_version"] or row["phenomenon"] in decided)
    )


def score_backlog(store: Store, learner: Learner, ranking_id: int, budget: int) -> dict[int, float]:
    """Return what matches that passed but wait for a budget score by now, by match: the best ones of those that wait.

    Args:
        budget: how many are to be queued.
    """
    places = {claim.code: place for place, claim in enumerate(learner.ranker.claims)}
    backlog = list_backlog(store, ranking_id, limit=max(LEAST_RESCORED, 10 * budget))
    rows = [row for row in backlog if row["phenomenon"] in places]
    papers = list_texts(store, [row["revision_id"] for row in rows])
    if not papers:
        return {}
    _, vectors = load_documents(store, papers, learner.model_id)
    found = learner.ranker.score(learner.words_of(papers), vectors)
    by_revision = {row["revision_id"]: scores for row, scores in zip(papers, found, strict=True)}
    return {row["match_id"]: float(by_revision[row["revision_id"]][places[row["phenomenon"]]]) for row in rows}


def rerank_all(store: Store, learner: Learner, stop: Stop) -> None:
    """Score all that waits with a ranker that has just been made.

    Raises:
        StopRequested: between two phenomena; what was scored stays.
    """
    QueueRanker(store, learner).rerank_all(stop.check)
