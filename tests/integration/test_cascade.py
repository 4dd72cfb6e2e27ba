"""The cascade: old papers that cannot reach the queue are passed over, and nothing that would be queued is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from bmp import Bmp
from conftest import LOADED, NOW
from made_themes import GROKKING, OTHERS, SCALING, WordEmbedder, make_paper

from crawler import learning, nightly, sift
from crawler.control import Stop, no_progress
from crawler.nightly import Outcome
from crawler.sources import snapshot as source_of_lines
from crawler.sources.snapshot import SnapshotSource
from crawler.sources.source import Page
from db.candidates import add_candidate
from db.papers import save_papers
from db.records import Paper
from db.runs import start_run
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
    few_papers_at_hand(monkeypatch)


def few_papers_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
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
    store: Store,
    path: Path,
    embedder: CountingEmbedder,
    cascade: bool | None,
    stop: Stop | None = None,
    kind: str = "backfill",
) -> Outcome:
    return nightly.run_night(
        nightly.Night(
            store=store,
            kind=kind,
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


def passed_over(store: Store) -> list[str]:
    rows = store.rows(
        "SELECT p.arxiv_id FROM papers p JOIN revisions r USING (revision_id) LEFT JOIN vectors v USING (text_hash)"
        " WHERE v.text_hash IS NULL AND NOT p.withdrawn ORDER BY 1"
    )
    return [row["arxiv_id"] for row in rows]


def write_line_of(arxiv_id: str, snapshot: Path) -> Path:
    """Write a snapshot of one paper beside the other."""
    path = snapshot.with_name("asked.jsonl")
    lines = snapshot.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text(next(line for line in lines if arxiv_id in line), encoding="utf-8")
    return path


def test_a_paper_that_a_person_asks_for_is_embedded_and_no_other(
    make_store: Callable[[str], Store], snapshot: Path
) -> None:
    store = make_store("db")
    run(store, snapshot, CountingEmbedder(), True)
    before = passed_over(store)
    asked = write_line_of(before[0], snapshot)
    run(store, asked, CountingEmbedder(), None)
    assert passed_over(store) == before  # a file names nobody's papers
    outcome = run(store, asked, CountingEmbedder(), None, kind="fetch")
    assert passed_over(store) == before[1:]
    assert (outcome.run["new"], outcome.run["embedded"], outcome.run["matched"]) == (0, 1, 1)


def stop_when_a_page_comes(monkeypatch: pytest.MonkeyPatch, stop: Stop) -> None:
    read = SnapshotSource.pages

    def pages(source: SnapshotSource, part: str, start: str) -> Iterator[Page]:
        for page in read(source, part, start):
            if page.papers:
                stop.request()
            yield page

    monkeypatch.setattr(SnapshotSource, "pages", pages)


def test_a_fetch_that_is_stopped_is_made_up_for_by_the_next_night(
    make_store: Callable[[str], Store], snapshot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store("db")
    run(store, snapshot, CountingEmbedder(), True)
    before = passed_over(store)
    asked = write_line_of(before[0], snapshot)
    stop_when_a_page_comes(monkeypatch, stop := Stop())
    assert run(store, asked, CountingEmbedder(), None, stop, kind="fetch").interrupted
    assert passed_over(store) == before
    monkeypatch.undo()
    few_papers_at_hand(monkeypatch)
    run(store, snapshot, CountingEmbedder(), None)
    assert passed_over(store) == before[1:]


def test_a_cascade_that_is_stopped_while_it_reads_is_one_still(
    make_store: Callable[[str], Store], snapshot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_of_lines, "LINES_PER_PAGE", 150)
    store = make_store("db")
    stop_when_a_page_comes(monkeypatch, stop := Stop())
    assert run(store, snapshot, CountingEmbedder(), True, stop).interrupted
    assert store.value("SELECT count(*) FROM papers") == 150
    snapshot.write_text("", encoding="utf-8")
    run(store, snapshot, CountingEmbedder(), None)
    assert find_horizon(store) == 150
    assert len(passed_over(store)) > 30


def test_a_candidate_is_never_passed_over(make_store: Callable[[str], Store], snapshot: Path) -> None:
    whole, store = make_store("whole"), make_store("db")
    run(whole, snapshot, CountingEmbedder(), True)
    hopeless = passed_over(whole)[0]
    with store.transaction():
        run_id = start_run(store, kind="backfill", source="s", categories=[], started_at="x", program_version="0")
        paper = next(
            make_paper(number, OTHERS) for number in range(200) if make_paper(number, OTHERS).arxiv_id == hopeless
        )
        save_papers(store, [paper], run_id=run_id, now="x")
        add_candidate(store, hopeless, GROKKING.code, run_id=run_id, now="x")
    run(store, snapshot, CountingEmbedder(), True)
    assert hopeless not in passed_over(store)
    assert len(passed_over(store)) > 50


def test_a_paper_that_is_withdrawn_no_more_is_embedded_if_it_can_reach_the_queue(
    make_store: Callable[[str], Store], snapshot: Path
) -> None:
    whole, store = make_store("whole"), make_store("db")
    run(whole, snapshot, CountingEmbedder(), True)
    far_back = max(row["arxiv_id"] for row in queue(whole))  # the oldest has the highest number
    back = make_paper(int(far_back.partition(".")[2]), ABOUT)
    gone = replace(back, withdrawn=True)
    with store.transaction():
        run_id = start_run(store, kind="backfill", source="s", categories=[], started_at="x", program_version="0")
        save_papers(store, [gone], run_id=run_id, now="x")
    lines = snapshot.read_text(encoding="utf-8").splitlines(keepends=True)
    snapshot.write_text("".join(line for line in lines if far_back not in line), encoding="utf-8")
    run(store, snapshot, CountingEmbedder(), True)
    assert far_back not in {row["arxiv_id"] for row in queue(store)}
    with store.transaction():
        back = replace(back, datestamp=back.datestamp + timedelta(days=9), tells_type=True)
        save_papers(store, [back], run_id=run_id, now="x")
    run(store, snapshot, CountingEmbedder(), None)
    assert far_back in {row["arxiv_id"] for row in queue(store)}


def test_a_cascade_for_an_empty_catalogue_is_refused(bmp: Bmp, tmp_path: Path, snapshot: Path) -> None:
    database = tmp_path / "none.db"
    bmp("--db", database, "init")
    with open_store(database) as store, store.transaction():
        store.connection.execute("UPDATE phenomena SET retired = 1")
    refused = bmp("--db", database, "backfill", snapshot, "--cascade")
    assert refused.code == 2
    assert "the catalogue is empty" in refused.err
    with open_store(database) as store:
        assert store.value("SELECT count(*) FROM runs") == 0
