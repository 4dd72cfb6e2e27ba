"""What a night asks the model for: each text once, and on a night without anything new nothing, not even to load."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from conftest import LOADED
from fakes import HashEmbedder

from crawler.control import Stop, no_progress
from crawler.embed import embed_missing
from crawler.match import match_missing
from crawler.ranking.ranker import Claim
from db.papers import save_papers
from db.records import Aspect, Paper, Phenomenon
from db.runs import find_run, start_run
from db.store import Row, Store
from db.upkeep import save_phenomena

NOW = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)
GROKKING = Phenomenon("W2.2", Aspect.WHAT, "g", "Grokking", "Networks generalise long after they memorise.")
RIVERS = Phenomenon("W9.9", Aspect.WHAT, "g", "Rivers", "Rivers meander.", ("river", "delta"))
NOTHING_PASSES = 2.0  # what passes has its sentences encoded


@dataclass
class WatchedEmbedder(HashEmbedder):
    """Counts how often it was to be loaded."""

    loaded: int = 0

    def prepare(self, expected: int = 0) -> None:
        """Count."""
        self.loaded += 1


def make_papers(first: int, count: int) -> list[Paper]:
    return [
        Paper(f"2611.{number:05d}", 1, f"Title {number}", f"Abstract {number}.", ("Ada",), ("cs.LG",), NOW, NOW)
        for number in range(first, first + count)
    ]


def run(store: Store, embedder: HashEmbedder, phenomena: list[Phenomenon], papers: list[Paper]) -> Row:
    """Store what is new, embed and match; return the ledger's row."""
    with store.transaction():
        save_phenomena(store, phenomena, LOADED)
        run_id = start_run(store, kind="nightly", source="oai", categories=[], started_at="x", program_version="0")
        save_papers(store, papers, run_id=run_id, now="x")
    work = {"run_id": run_id, "stop": Stop(), "progress": no_progress}
    embed_missing(store, embedder, **work)  # type: ignore[arg-type]  # the values are what the names say
    match_missing(store, embedder, threshold=NOTHING_PASSES, now="x", **work)  # type: ignore[arg-type]  # as above
    return find_run(store, run_id)


def test_a_second_run_with_nothing_new_neither_loads_the_model_nor_encodes_nor_matches(store: Store) -> None:
    papers = make_papers(1, 12)
    run(store, WatchedEmbedder(), [GROKKING, RIVERS], papers)
    again = WatchedEmbedder()
    row = run(store, again, [GROKKING, RIVERS], papers)
    assert (again.calls, again.loaded, row["embedded"], row["matched"]) == (0, 0, 0, 0)


def test_new_papers_are_encoded_and_matched_and_no_others(store: Store) -> None:
    run(store, HashEmbedder(), [GROKKING], make_papers(1, 12))
    again = WatchedEmbedder()
    row = run(store, again, [GROKKING], make_papers(10, 5))
    assert again.texts and sorted(again.texts) == [f"Title {number}. Abstract {number}." for number in (13, 14)]
    assert (again.loaded, row["embedded"], row["matched"]) == (1, 2, 2)


def test_a_new_phenomenon_encodes_its_own_texts_in_one_call_and_matches_all_papers_again(store: Store) -> None:
    run(store, HashEmbedder(), [GROKKING], make_papers(1, 12))
    again = HashEmbedder()
    row = run(store, again, [GROKKING, RIVERS], [])
    assert again.calls == 1
    assert sorted(again.texts) == sorted(Claim.of(RIVERS).texts())
    assert (row["embedded"], row["matched"]) == (0, 12)


def test_a_withdrawn_paper_that_is_embedded_is_not_asked_for_again(store: Store) -> None:
    papers = make_papers(1, 3)
    withdrawn = Paper("2611.00009", 1, "Gone", "Gone.", ("Ada",), ("cs.LG",), NOW, NOW, withdrawn=True)
    first = run(store, HashEmbedder(), [GROKKING], [*papers, withdrawn])
    assert (first["embedded"], first["matched"]) == (4, 3)
    again = HashEmbedder()
    assert run(store, again, [GROKKING], [])["matched"] == again.calls == 0


def test_another_model_embeds_and_matches_everything_anew(store: Store) -> None:
    run(store, HashEmbedder(), [GROKKING], make_papers(1, 12))
    other = HashEmbedder()
    other.identity = type(other.identity)("fake/other", "1", "", 256, 8)
    row = run(store, other, [GROKKING], [])
    assert (row["embedded"], row["matched"]) == (12, 12)
