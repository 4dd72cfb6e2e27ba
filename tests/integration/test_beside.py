"""What goes on beside a night: another night, a review, readers; and how a night is stopped."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from bmp import Bmp
from conftest import LOADED, NOW
from fakes import oai_source, run_night
from loopback import faults
from loopback.papers import make_papers
from loopback.server import ArxivServer

from crawler.match import CHUNK
from curation.review import Decision, Review
from db.candidates import list_candidates
from db.records import Aspect, Phenomenon, Stance, Verdict
from db.runs import was_stopped
from db.store import Store, night_lock, open_store
from db.upkeep import save_phenomena

TODAY = date(2026, 11, 24)
CLAIM = Phenomenon("H1.1", Aspect.HOW, "Scaling", "Loss falls", "Loss falls as a power law in compute.")


@pytest.fixture
def server() -> Iterator[ArxivServer]:
    today = datetime.now(UTC).date()  # the command line goes by the system's clock
    with ArxivServer(make_papers(6, day=today, categories=["cs.LG"]), today=today) as running:
        yield running


def environment(server: ArxivServer, folder: Path, model: Path) -> dict[str, str]:
    """Return the environment of a night as a process of its own."""
    return {
        **os.environ,
        "BMP_DB": str(folder / "bmp.db"),
        "BMP_MODEL": str(model),
        "BMP_QUEUE_THRESHOLD": "1",
        "BMP_ARXIV_OAI_URL": server.oai_url,
        "BMP_ARXIV_API_URL": server.api_url,
        "BMP_ARXIV_RSS_URL": server.rss_url,
        "BMP_ARXIV_DELAY_SECONDS": "0",
    }


def start(words: list[str], env: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "curation", *words],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_until(process: subprocess.Popen[str], line: str) -> str:
    """Return what a process has said on stderr up to this line."""
    assert process.stderr is not None
    said = ""
    while line not in said:
        said += (read := process.stderr.readline())
        assert read, said
    return said


class TestASecondNight:
    """The night's lock is held by this process; the command line meets it as it meets another process's."""

    def test_it_says_so_and_leaves_the_work_to_the_first(self, bmp: Bmp, tmp_path: Path) -> None:
        bmp("init")
        with night_lock(tmp_path / "bmp.db"):
            beside = bmp("nightly")
        assert beside.code == 0
        assert "another run is at work" in beside.err
        assert bmp("runs", "list", "--json").json == []

    def test_as_json_it_gives_the_row_of_the_run_at_work(
        self, bmp: Bmp, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BMP_DB", str(store.path))

        def look(stage: str, done: int, total: int | None) -> None:
            with night_lock(store.path):
                seen.append(bmp("nightly", "--json").json)

        seen: list[dict[str, object]] = []
        with ArxivServer(make_papers(6, day=TODAY, categories=["cs.LG"]), today=TODAY) as server:
            run_night(store, oai_source(server.oai_url), progress=look)
        assert {(one["run_id"], one["status"]) for one in seen} == {(1, "running")}

    def test_told_to_wait_it_runs_when_the_first_has_ended(
        self, bmp: Bmp, tmp_path: Path, server: ArxivServer, tiny_model: Path
    ) -> None:
        bmp("init")
        with night_lock(tmp_path / "bmp.db"):
            waiting = start(["nightly", "--wait", "--json"], environment(server, tmp_path, tiny_model))
            said = read_until(waiting, "Another run is at work; waiting for its end.\n")
            assert server.log == []
        out, err = waiting.communicate(timeout=60)
        err = said + err
        assert (waiting.returncode, json.loads(out)["status"]) == (0, "complete")
        assert err.count("Another run is at work; waiting for its end.\n") == 1

    def test_a_wait_can_be_stopped(self, bmp: Bmp, tmp_path: Path, server: ArxivServer, tiny_model: Path) -> None:
        bmp("init")
        with night_lock(tmp_path / "bmp.db"):
            waiting = start(["nightly", "--wait"], environment(server, tmp_path, tiny_model))
            read_until(waiting, "Another run is at work; waiting for its end.\n")
            waiting.send_signal(signal.SIGTERM)
            _, err = waiting.communicate(timeout=10)
        assert waiting.returncode == 130
        assert "Traceback" not in err


def test_a_stopped_night_ends_soon_and_the_next_one_goes_on(
    bmp: Bmp, tmp_path: Path, server: ArxivServer, tiny_model: Path
) -> None:
    server.page_size = 2
    server.play(faults.Hang(60), on=2)
    bmp("init")
    env = environment(server, tmp_path, tiny_model)
    night = start(["nightly", "--json"], env)
    while len(server.log) < 2:
        time.sleep(0.05)
    night.send_signal(signal.SIGINT)
    out, err = night.communicate(timeout=10)
    run = json.loads(out)
    assert (night.returncode, run["status"], run["received"]) == (130, "partial", 2)
    assert "goes on from here" in run["error"] and was_stopped(run["error"])
    assert "Traceback" not in err
    server.heal()
    out, _ = start(["nightly", "--json"], env).communicate(timeout=60)
    assert (json.loads(out)["status"], json.loads(out)["new"]) == ("complete", 4)


def test_readers_see_the_queue_of_before_the_night_or_of_after_it(store: Store) -> None:
    """The matches of several chunks are committed one after the other, the queue at once."""
    with store.transaction():
        save_phenomena(store, [CLAIM], LOADED)
    seen: list[tuple[str, int]] = []

    def look(stage: str, done: int, total: int | None) -> None:
        with open_store(store.path) as reader:
            seen.append((stage, len(list_candidates(reader, today=TODAY))))

    papers = make_papers(CHUNK + 20, day=TODAY, categories=["cs.LG"])
    with ArxivServer(papers, today=TODAY) as server:
        run = run_night(store, oai_source(server.oai_url), threshold=0.0, progress=look).run
    assert [stage for stage, _ in seen].count("match") == 2
    assert {count for _, count in seen} == {0}
    assert run["queued"] == len(list_candidates(store, today=TODAY)) == len(papers)


def test_review_goes_on_while_a_night_runs(store: Store) -> None:
    with store.transaction():
        save_phenomena(store, [CLAIM], LOADED)
    with ArxivServer(make_papers(30, day=TODAY, categories=["cs.LG"]), today=TODAY) as server:
        run_night(store, oai_source(server.oai_url), threshold=0.0)
        server.put(*make_papers(30, day=TODAY, categories=["cs.LG"], start=50_000))
        server.page_size = 4
        decided: list[int] = []

        def decide(stage: str, done: int, total: int | None) -> None:
            with open_store(store.path) as other:
                review = Review(other, reviewer="ada", clock=lambda: NOW)
                waiting = review.waiting(limit=1)[0]
                review.decide(waiting["id"], Decision(Verdict.ACCEPT, Stance.SUPPORTS))
                decided.append(waiting["id"])

        run = run_night(store, oai_source(server.oai_url), threshold=0.0, progress=decide).run
    assert run["status"] == "complete"
    assert len(decided) > 10
    kept = store.rows("SELECT candidate_id FROM decisions WHERE kind = 'accept' ORDER BY decision_id")
    assert [row["candidate_id"] for row in kept] == decided


def test_a_night_that_waits_for_a_reader_can_be_stopped(
    bmp: Bmp, tmp_path: Path, server: ArxivServer, tiny_model: Path
) -> None:
    bmp("init")
    reader = sqlite3.connect(tmp_path / "bmp.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM runs").fetchall()  # and is not done: no other program's COMMIT gets through
    waiting = start(["nightly"], environment(server, tmp_path, tiny_model))
    time.sleep(4)
    assert waiting.poll() is None
    began = time.monotonic()
    waiting.send_signal(signal.SIGTERM)
    _, err = waiting.communicate(timeout=30)
    reader.close()
    assert time.monotonic() - began < 10
    assert "Traceback" not in err
    again = start(["nightly", "--json"], environment(server, tmp_path, tiny_model))
    out, _ = again.communicate(timeout=60)
    assert (again.returncode, json.loads(out)["status"]) == (0, "complete")
