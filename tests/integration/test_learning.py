"""The ranker made from a database: what it takes from the papers and decisions there, and what leaves it alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from conftest import LOADED
from fakes import HashEmbedder

from crawler import learning
from crawler.control import Stop, no_progress
from crawler.embed import embed_missing
from crawler.learning import make_learner
from crawler.rank import rank_papers
from crawler.ranking.ranker import Claim, Document, document_text
from curation.review import Decision, Review
from db.candidates import add_candidate
from db.papers import save_papers
from db.records import Aspect, Paper, Phenomenon, Stance, Verdict
from db.runs import start_run
from db.store import Store, open_store
from db.upkeep import save_phenomena

NOW = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)
GROKKING = Phenomenon("W2.2", Aspect.WHAT, "g", "Grokking", "Networks generalise long after they memorise.")
RIVERS = Phenomenon("W9.9", Aspect.WHAT, "g", "Rivers", "Rivers meander.")
WORDS = "protein graph robot speech image video market climate poem tensor query index river delta".split()


def make_paper(number: int) -> Paper:
    """Make a paper; every fifth one has words in common that no claim says."""
    chance = random.Random(number)
    words = chance.sample(WORDS, 6) + (["circuit", "fourier", "slingshot"] if number % 5 == 0 else [])
    day = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=number)
    return Paper(
        f"2611.{number:05d}", 1, " ".join(words[:2]), " ".join(words) + ".", ("Ada",), ("cs.LG",), day, day, day.date()
    )


PAPERS = [make_paper(number) for number in range(1, 121)]


def fill(store: Store, papers: Sequence[Paper]) -> HashEmbedder:
    """Store papers with their vectors, and the catalogue."""
    embedder = HashEmbedder()
    with store.transaction():
        save_phenomena(store, [GROKKING, RIVERS], LOADED)
        run_id = start_run(
            store, kind="backfill", source="snapshot", categories=[], started_at="x", program_version="0"
        )
        save_papers(store, papers, run_id=run_id, now="x")
    embed_missing(store, embedder, run_id=run_id, stop=Stop(), progress=no_progress)
    return embedder


def decide(store: Store, accepted: Sequence[Paper], rejected: Sequence[Paper], phenomenon: str = "W2.2") -> None:
    review = Review(store, reviewer="ada", clock=lambda: NOW)
    for paper in accepted:
        review.decide_paper(paper.arxiv_id, phenomenon, Decision(Verdict.ACCEPT, Stance.SUPPORTS))
    for paper in rejected:
        review.decide_paper(paper.arxiv_id, phenomenon, Decision(Verdict.REJECT))


def scores(store: Store, embedder: HashEmbedder, **options: bool) -> dict[str, float]:
    ranker = make_learner(store, embedder, [Claim.of(GROKKING)], **options).ranker
    documents = [Document(paper.title, paper.abstract) for paper in PAPERS]
    vectors = embedder.encode([document_text(one.title, one.abstract) for one in documents])
    found = ranker.evidence(documents, vectors)[:, 0]
    return {paper.arxiv_id: float(score) for paper, score in zip(PAPERS, found, strict=True)}


LIKE_ACCEPTED = [paper for paper in PAPERS if "slingshot" in paper.abstract]
UNLIKE = [paper for paper in PAPERS if "slingshot" not in paper.abstract]


def mean(found: dict[str, float], papers: Sequence[Paper]) -> float:
    return float(np.mean([found[paper.arxiv_id] for paper in papers]))


def test_decisions_raise_what_is_like_the_accepted_papers(store: Store) -> None:
    embedder = fill(store, PAPERS)
    before = scores(store, embedder)
    decide(store, LIKE_ACCEPTED[:12], UNLIKE[:20])
    after = scores(store, embedder)
    gain = mean(after, LIKE_ACCEPTED[12:]) - mean(before, LIKE_ACCEPTED[12:])
    assert gain > mean(after, UNLIKE[20:]) - mean(before, UNLIKE[20:]) + 0.5
    assert scores(store, embedder, use_decisions=False) == before


def test_other_claims_decisions_change_nothing_and_an_undo_takes_all_back(store: Store) -> None:
    embedder = fill(store, PAPERS)
    before = scores(store, embedder)
    decide(store, LIKE_ACCEPTED[:5], UNLIKE[:5], phenomenon="W9.9")
    assert scores(store, embedder) == before
    decide(store, LIKE_ACCEPTED[:1], [])
    assert scores(store, embedder) != before
    Review(store, reviewer="ada", clock=lambda: NOW).undo()
    assert scores(store, embedder) == before


def test_the_order_in_which_papers_came_changes_nothing(tmp_path: Path) -> None:
    found = []
    for name, papers in (("one", PAPERS), ("other", PAPERS[::-1])):
        with open_store(tmp_path / f"{name}.db", create=True, clock=lambda: NOW) as store:
            embedder = fill(store, papers)
            decide(store, LIKE_ACCEPTED[:3], UNLIKE[:4])
            found.append(scores(store, embedder))
    assert found[0] == found[1]


def test_withdrawn_papers_are_not_at_hand(store: Store) -> None:
    embedder = fill(store, PAPERS)
    before = make_learner(store, embedder, [Claim.of(GROKKING)]).ranker.fit
    withdrawn = replace(PAPERS[0], withdrawn=True, datestamp=date(2026, 11, 24))
    with store.transaction():
        save_papers(store, [withdrawn], run_id=1, now="x")
    assert make_learner(store, embedder, [Claim.of(GROKKING)]).ranker.fit != before


def test_the_newest_papers_are_at_hand_and_the_decided_ones_whatever_their_age(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "AT_HAND", 30)
    embedder = fill(store, PAPERS)
    few = make_learner(store, embedder, [Claim.of(GROKKING)]).ranker.fit
    decide(store, LIKE_ACCEPTED[:2], [])  # the oldest ones
    told = scores(store, embedder)
    assert make_learner(store, embedder, [Claim.of(GROKKING)]).ranker.fit != few
    assert mean(told, LIKE_ACCEPTED[2:]) > mean(told, UNLIKE)


def test_no_more_papers_are_at_hand_than_memory_holds_and_what_was_decided_comes_before_what_waits(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "AT_HAND", 3)
    embedder = fill(store, PAPERS)
    waiting, decided = UNLIKE[:5], LIKE_ACCEPTED[:2]
    decide(store, decided, [])
    with store.transaction():
        for paper in waiting:
            add_candidate(store, paper.arxiv_id, GROKKING.code, run_id=1, now="x")
    at_hand = make_learner(store, embedder, [Claim.of(GROKKING)]).places.keys()
    of_candidates = {paper.arxiv_id for paper in (*decided, waiting[-1])}
    assert at_hand == of_candidates | {paper.arxiv_id for paper in PAPERS[-3:]}


def test_what_was_decided_last_is_at_hand_and_not_what_was_decided_often(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "AT_HAND", 1)
    embedder = fill(store, PAPERS)
    often, last = LIKE_ACCEPTED[:2]
    for _ in range(3):
        decide(store, [], [often])
        decide(store, [often], [])
    Review(store, reviewer="ada", clock=lambda: NOW + timedelta(days=1)).decide_paper(
        last.arxiv_id, GROKKING.code, Decision(Verdict.ACCEPT, Stance.SUPPORTS)
    )
    assert make_learner(store, embedder, [Claim.of(GROKKING)]).places.keys() == {last.arxiv_id, PAPERS[-1].arxiv_id}


def test_an_empty_database_ranks_nothing(store: Store) -> None:
    with store.transaction():
        save_phenomena(store, [GROKKING], LOADED)
    ranking = rank_papers(store, HashEmbedder(), Claim.of(GROKKING))
    assert (ranking.papers, ranking.without_vector) == ([], 0)
