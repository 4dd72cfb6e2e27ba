"""A week in a small database, for tests of what people are told of it: nights, candidates, decisions, a withdrawal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from curation.review import Decision, Review
from db.matches import Cut, Match, Way, queue_matches, save_matches, save_ranking
from db.papers import save_papers
from db.records import (
    Aspect,
    CatalogueChange,
    ChangeKind,
    Malformed,
    ModelIdentity,
    Paper,
    Phenomenon,
    Sentence,
    Stance,
    Verdict,
)
from db.runs import save_malformed, set_run, start_run
from db.store import Store
from db.times import to_text
from db.upkeep import save_phenomena
from db.vectors import save_model

NOW = datetime(2026, 11, 24, 6, 31, 7, tzinfo=UTC)
NIGHTS = [NOW.replace(minute=30, second=0) - timedelta(days=days) for days in (2, 1, 0)]
PHENOMENA = (
    Phenomenon("H1.2", Aspect.HOW, "Scaling", "Compute-optimal training", "For a fixed budget there is one best size."),
    Phenomenon("W2.2", Aspect.WHAT, "Dynamics", "Grokking", "Generalisation comes long after memorisation."),
)
TITLES = (
    "Training compute-optimal models of every size that fits a budget, and what becomes of the laws beyond it",
    "Grokking without weight decay",
    "Über das plötzliche Verstehen: 大規模言語モデルのスケーリング則と突然の汎化について、その原因と結果を考える",
    "A note on the phases of learning",
)


def make_paper(number: int, title: str) -> Paper:
    """Return a paper of the cs.LG category."""
    moment = NIGHTS[0] - timedelta(days=1)
    return Paper(
        arxiv_id=f"2611.{number:05d}",
        version=1,
        title=title,
        abstract=f"We look again. Evidence for {title} is found.",
        authors=("Ada Byron",),
        categories=("cs.LG",),
        published_at=moment,
        updated_at=moment,
        datestamp=date(2026, 11, 21),
    )


def review_at(store: Store, reviewer: str, moment: datetime) -> Review:
    """Return the queue in the hands of a reviewer at a moment."""
    return Review(store, reviewer=reviewer, clock=lambda: moment)


def run_a_night(
    store: Store,
    began: datetime,
    papers: Sequence[Paper] = (),
    *,
    phenomena: Sequence[str] = ("W2.2", "H1.2"),
    status: str = "complete",
    error: str | None = None,
    unreadable: Sequence[Malformed] = (),
) -> int:
    """Write a night into the ledger, with its papers matched and queued; it takes a minute."""
    with store.transaction():
        now = to_text(began)
        run_id = start_run(
            store, kind="nightly", source="oai", categories=["cs.LG"], started_at=now, program_version="0"
        )
        saved = save_papers(store, papers, run_id=run_id, now=now)
        save_malformed(store, run_id, "oai", "cs", unreadable)
        queued = _match(store, run_id, papers, phenomena, now)
        ended = to_text(began + timedelta(minutes=1))
        counted = {"new": saved.new, "changed": saved.changed, "withdrawn": saved.withdrawn, "queued": queued}
        received = len(papers) + len(unreadable)
        set_run(store, run_id, status=status, finished_at=ended, error=error, received=received, **counted)
    return run_id


def _match(store: Store, run_id: int, papers: Sequence[Paper], phenomena: Sequence[str], now: str) -> int:
    model_id = save_model(store, ModelIdentity("fake", "1", "", 256, 8))
    ranking_id = save_ranking(store, Way("1", model_id, "catalogue"), Cut(0.3))
    queued = 0
    for number, paper in enumerate(papers):
        revision = store.value("SELECT revision_id FROM papers WHERE arxiv_id = ?", (paper.arxiv_id,))
        start = paper.abstract.find("Evidence")
        sentence = Sentence(paper.abstract[start:], start, len(paper.abstract)) if start >= 0 else None
        code = phenomena[number % len(phenomena)]
        save_matches(
            store, ranking_id, [revision], [Match(revision, code, 0.9 - number / 100, sentence)], run_id=run_id
        )
        queued += queue_matches(store, ranking_id, run_id=run_id, now=now)[0]
    return queued


def tell_story(store: Store, titles: Sequence[str] = TITLES) -> None:
    """Fill an empty database with three nights, the second of them partial, and what two people decided between."""
    with store.transaction():
        save_phenomena(store, PHENOMENA, CatalogueChange(ChangeKind.LOAD, "bmp", to_text(NIGHTS[0])))
    papers = [make_paper(number, title) for number, title in enumerate(titles, 1)]
    run_a_night(store, NIGHTS[0], papers)
    _decide(store, NIGHTS[0] + timedelta(hours=3))
    unreadable = [Malformed("oai:arXiv.org:2611.09999", None, "it has no title", b"<record/>")]
    error = "oaipmh.arxiv.org: answered 503; gave up after 9 tries (the next run goes on from here)"
    run_a_night(store, NIGHTS[1], [make_paper(9, titles[0])], status="partial", error=error, unreadable=unreadable)
    gone = replace(papers[1], version=2, withdrawn=True, datestamp=date(2026, 11, 24))
    run_a_night(store, NIGHTS[2], [gone], phenomena=("W2.2",))


def _decide(store: Store, moment: datetime) -> None:
    ada, grace = review_at(store, "ada", moment), review_at(store, "grace", moment + timedelta(minutes=5))
    second = ada.waiting(phenomenon="H1.2")[0]["id"]
    ada.decide(second, Decision(Verdict.ACCEPT, Stance.SUPPORTS, "a clear case"))
    third = ada.waiting(phenomenon="W2.2")[-1]["id"]
    grace.decide(third, Decision(Verdict.REJECT))
    grace.undo(third)
    grace.decide(third, Decision(Verdict.SNOOZE, until=date(2026, 12, 24)))
