"""A queue to try the screen on: the bundled sample, matched by hand, so that every run gives the same one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crawler.sources.oai_parse import parse_list
from curation.catalogue import load_catalogue
from curation.review import Decision, Review
from db.matches import Cut, Match, Way, queue_matches, save_matches, save_ranking
from db.papers import save_papers
from db.records import CatalogueChange, ChangeKind, ModelIdentity, Paper, Phenomenon, Sentence, Stance, Verdict
from db.runs import start_run
from db.store import Store
from db.times import to_text
from db.upkeep import save_phenomena
from db.vectors import save_model

SAMPLE = Path(__file__).parents[2] / "crawler" / "data" / "sample"
NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Hit:
    """A match made by hand: which paper, for which claim, how sure, and how its evidence sentence begins."""

    arxiv_id: str
    phenomenon: str
    score: float
    opening: str | None


HITS = (
    Hit("0001.00007", "H1.2", 0.97, "For a fixed compute budget"),
    Hit("0001.00025", "H1.1", 0.95, "Test loss falls as a power law"),
    Hit("0001.00038", "H2.1", 0.94, "The best trade-off between"),
    Hit("0001.00057", "W2.1", 0.92, "On image, audio and tabular"),
    Hit("0001.00031", "W1.4", 0.91, "When exact match is replaced"),
    Hit("0001.00018", "W2.2", 0.88, "Small transformers reach perfect"),
    Hit("0001.00006", "H1.3", 0.86, "Loss goes on falling far"),
    Hit("0001.00001", "H1.2", 0.83, "We find that this ratio"),
    Hit("0001.00016", "W2.2", 0.74, "In no run with standard"),
    Hit("0001.00003", "H1.1", 0.66, "In a series of 58 runs"),
    Hit("0001.00044", "W1.4", 0.58, None),
    Hit("0001.00009", "W1.4", 0.31, None),
)


def fill_with_sample(store: Store) -> None:
    """Put the sample's papers and the hand-made matches into an empty database."""
    fill(store, sample_papers(), load_catalogue(), HITS)


def fill(store: Store, papers: Sequence[Paper], catalogue: Sequence[Phenomenon], hits: Sequence[Hit]) -> None:
    """Put papers, catalogue and hits into an empty database."""
    now = to_text(NOW)
    with store.transaction():
        save_phenomena(store, catalogue, CatalogueChange(ChangeKind.LOAD, "bmp", now))
        run_id = start_run(
            store, kind="nightly", source="oai", categories=("cs.LG",), started_at=now, program_version="0"
        )
        save_papers(store, [replace(paper, withdrawn=False) for paper in papers], run_id=run_id, now=now)
        model_id = save_model(store, ModelIdentity("all-MiniLM-L6-v2", "1", "", 256, 384))
        ranking_id = save_ranking(store, Way("1", model_id, "catalogue"), Cut(0.3))
        revisions = {row["arxiv_id"]: row for row in store.rows("SELECT * FROM revisions ORDER BY revision_id")}
        matches = [
            Match(
                revisions[hit.arxiv_id]["revision_id"],
                hit.phenomenon,
                hit.score,
                _sentence(revisions[hit.arxiv_id]["abstract"], hit.opening),
            )
            for hit in hits
        ]
        save_matches(store, ranking_id, [match.revision_id for match in matches], matches, run_id=run_id)
        queue_matches(store, ranking_id, run_id=run_id, now=now)
        save_papers(store, papers, run_id=run_id, now=now)  # a withdrawn paper was queued before its withdrawal


def sample_papers() -> list[Paper]:
    """Return the papers of the bundled sample."""
    pages = [parse_list(path.read_bytes()) for path in sorted(SAMPLE.glob("*.xml"))]
    return [paper for page in pages for paper in page.papers]


def review_of(store: Store, reviewer: str = "ada") -> Review:
    """Return the queue in the hands of a reviewer at the sample's hour."""
    return Review(store, reviewer=reviewer, clock=lambda: NOW)


def decide_earlier(store: Store) -> None:
    """Give the best candidate a history: another reviewer decided on it and took that back."""
    other = review_of(store, "grace")
    best = other.waiting()[0]["id"]
    note = "three estimators agree; check the resampled intervals"
    other.decide(best, Decision(Verdict.ACCEPT, stance=Stance.SUPPORTS, note=note))
    other.undo(best)


def decide_apart(store: Store) -> None:
    """Let two reviewers accept and contradict each other, neither seeing what the other did."""
    rows = [row for row in review_of(store).waiting() if row["phenomenon"] == "W1.4"]
    for name, stances in (
        ("grace", (Stance.SUPPORTS, Stance.QUALIFIES)),
        ("ben", (Stance.CONTRADICTS, Stance.QUALIFIES)),
    ):
        moment = NOW + timedelta(minutes=len(name))  # of one second the order would be anybody's guess
        blind = Review(store, reviewer=name, clock=lambda moment=moment: moment, blind=True)
        for row, stance in zip(rows[1:], stances, strict=True):
            blind.decide(row["id"], Decision(Verdict.ACCEPT, stance))


def _sentence(abstract: str, opening: str | None) -> Sentence | None:
    if opening is None:
        return None
    start = abstract.index(opening)
    end = abstract.find(". ", start) + 1 or len(abstract)
    return Sentence(abstract[start:end], start, end)
