"""The cascade: old papers that cannot reach the queue are passed over, and nothing that would be queued is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from conftest import LOADED, NOW
from made_themes import GROKKING, OTHERS, SCALING, WordEmbedder, make_paper

from crawler import learning, nightly, sift
from crawler.control import Stop, no_progress
from crawler.nightly import Outcome
from crawler.sources.snapshot import SnapshotSource
from db.records import Paper
from db.sifting import find_horizon
from db.store import Row, Store, open_store
from db.upkeep import save_phenomena
from db.vectors import Vectors

THRESHOLD, AT_HAND = 0.2, 40
ABOUT = ["grokking", "generalise", "memorise", "networks", "late", "grokking", "memorise"]


class CountingEmbedder(WordEmbedder):
    """Counts the texts, and may stop at one."""

    def __init__(self, stop_at: int = 10**9, stop: Stop | None = None) -> None:
        self.texts = 0
        self._stop_at, self._stop = stop_at, stop

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.texts += len(texts)
        if self._stop and self.texts >= self._stop_at:
            self._stop.request()
        return super().encode(texts)


@pytest.fixture(autouse=True)
def few_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (learning, sift):
        monkeypatch.setattr(module, "AT_HAND", AT_HAND)
    monkeypatch.setattr(sift, "SIFTED_AT_ONCE", 25)
    monkeypatch.setattr(sift, "CHUNK", 10)


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """Give a file of 200 papers, 12 of them on grokking, of which the three newest are among the newest of all."""
    numbers = [5, 6, 7, *range(60, 195, 15)]
    papers = [make_paper(number, ABOUT if number in numbers else OTHERS) for number in range(200)]
    path = tmp_path / "papers.jsonl"
    path.write_text("".join(json.dumps(_as_line(paper)) + "\n" for paper in papers), encoding="utf-8")
    return path


def _as_line(paper: Paper) -> dict[str, object]:
    created = paper.published_at.strftime("%a, %d %b %Y %H:%M:%S GMT")
    return {
        "id": paper.arxiv_id,
        "title": paper.title,
        "abstract": paper.abstract,
        "authors": "Ada",
        "categories": "cs.LG",
        "update_date": paper.updated_at.date().isoformat(),
        "versions": [{"version": f"v{paper.version}", "created": created}],
    }


@pytest.fixture
def make_store(tmp_path: Path) -> Iterator[Callable[[str], Store]]:
    opened: list[Store] = []

    def make(name: str) -> Store:
        store = open_store(tmp_path / f"{name}.db", create=True, clock=lambda: NOW)
        opened.append(store)
        with store.transaction():
            save_phenomena(store, [GROKKING], LOADED)
        return store

    yield make
    for store in opened:
        store.close()


def run(
    store: Store, path: Path, embedder: CountingEmbedder, cascade: bool | None, stop: Stop | None = None
) -> Outcome:
    return nightly.run_night(
        nightly.Night(
            store=store,
            kind="backfill",
            source=SnapshotSource(path, ()),
            make_embedder=lambda _: embedder,
            categories=(),
            threshold=THRESHOLD,
            program_version="0",
            clock=lambda: NOW,
            stop=stop or Stop(),
            progress=no_progress,
            cascade=cascade,
        )
    )


def queue(store: Store) -> list[Row]:
    return store.rows(
        "SELECT c.arxiv_id, c.phenomenon_code, m.score FROM candidates c JOIN matches m USING (match_id) ORDER BY 1, 2"
    )


def embedded(store: Store) -> int:
    return int(store.value("SELECT count(*) FROM vectors v JOIN revisions r USING (text_hash)"))


def test_the_same_is_queued_as_without_it_and_little_is_embedded(
    make_store: Callable[[str], Store], snapshot: Path
) -> None:
    whole, sifted = make_store("whole"), make_store("sifted")
    run(whole, snapshot, CountingEmbedder(), None)
    outcome = run(sifted, snapshot, CountingEmbedder(), True)
    assert queue(sifted) == queue(whole)
    assert len({row["arxiv_id"] for row in queue(whole)}) > 9  # old ones are among them
    assert embedded(whole) == 200
    assert AT_HAND < embedded(sifted) < 150
    assert outcome.run["status"] == "complete"
    assert outcome.run["embedded"] == embedded(sifted)
    assert f"{200 - embedded(sifted)} older papers cannot reach the queue" in outcome.run["note"]


def test_what_was_passed_over_stays_so_until_the_catalogue_changes(
    make_store: Callable[[str], Store], snapshot: Path
) -> None:
    store = make_store("db")
    run(store, snapshot, CountingEmbedder(), True)
    before = embedded(store)
    quiet = CountingEmbedder()
    run(store, snapshot, quiet, None)
    assert quiet.texts == 0
    with store.transaction():
        save_phenomena(store, [SCALING], LOADED)
    changed = CountingEmbedder()
    run(store, snapshot, changed, None)
    assert before <= embedded(store) < 200
    assert find_horizon(store) == 200


def test_a_sift_that_was_stopped_goes_on_where_it_was(make_store: Callable[[str], Store], snapshot: Path) -> None:
    whole, stopped = make_store("whole"), make_store("stopped")
    run(whole, snapshot, CountingEmbedder(), True)
    for limit in (20, 60, 62):
        stop = Stop()
        assert run(stopped, snapshot, CountingEmbedder(limit - embedded(stopped), stop), True, stop).interrupted
    last = CountingEmbedder()
    run(stopped, snapshot, last, None)
    assert queue(stopped) == queue(whole)
    assert embedded(stopped) == embedded(whole)
    assert last.texts < embedded(whole)


def test_it_can_be_taken_back(make_store: Callable[[str], Store], snapshot: Path) -> None:
    store = make_store("db")
    run(store, snapshot, CountingEmbedder(), True)
    run(store, snapshot, CountingEmbedder(), False)
    assert embedded(store) == 200
    assert find_horizon(store) == 0


def test_papers_that_come_later_are_all_embedded(make_store: Callable[[str], Store], snapshot: Path) -> None:
    store = make_store("db")
    lines = snapshot.read_text(encoding="utf-8").splitlines(keepends=True)
    snapshot.write_text("".join(lines[:180]), encoding="utf-8")
    run(store, snapshot, CountingEmbedder(), True)
    before = embedded(store)
    snapshot.write_text("".join(lines), encoding="utf-8")
    run(store, snapshot, CountingEmbedder(), None)
    assert embedded(store) == before + 20
    assert find_horizon(store) == 180
