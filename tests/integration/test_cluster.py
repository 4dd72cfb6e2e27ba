"""A backfill on a Ray cluster leads to the same database as one process, also when a worker or the program dies."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from bmp import Bmp
from cluster_process import CATEGORIES, HELD, PATIENCE_SECONDS, SHARD_BYTES, THRESHOLD
from conftest import NOW
from crash import _write_catalogue as write_catalogue
from fakes import run_night

from crawler.sources.snapshot import SnapshotSource
from db.store import Row, open_store

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
_STATE = {
    "papers": "SELECT p.arxiv_id, version, text_hash, authors, categories, published_at, datestamp, comments"
    " FROM papers p JOIN revisions r USING (revision_id) ORDER BY 1",
    "vectors": "SELECT text_hash, hex(vector) FROM vectors ORDER BY 1",
    "matches": "SELECT arxiv_id, phenomenon_code, score, sentence_start FROM matches JOIN revisions USING (revision_id)"
    " ORDER BY 1, 2",
    "candidates": "SELECT arxiv_id, phenomenon_code FROM candidates ORDER BY 1, 2",
    "malformed": "SELECT reason, raw FROM malformed_records ORDER BY 1, 2",
    "cursors": "SELECT source, position FROM cursors",
    "counts": "SELECT status, promised, received, new, malformed, embedded, matched, queued FROM runs",
}


def make_lines(*, papers: int = 120) -> list[bytes]:
    """Return lines of papers, one in three of another field, and two that cannot be read."""
    lines = []
    for number in range(papers):
        words = (
            f"Loss is a power law in compute {number}." if number % 2 else f"Sparse attention {number} saves memory."
        )
        record = {
            "id": f"2601.{number:05d}",
            "title": f"Paper{number:05d} on scaling{' ' + HELD if number == papers // 2 else ''}",
            "abstract": f"{words} We show it on {number} models, and nowhere else.",
            "authors": "Ada Lovelace",
            "categories": ("cs.LG", "math.CO", "stat.ML cs.CV")[number % 3],
            "versions": [{"version": "v1", "created": "Mon, 5 Jan 2026 10:00:00 GMT"}],
            "update_date": "2026-01-05",
            "comments": None,
        }
        lines.append(json.dumps(record).encode() + b"\n")
    lines[5] = lines[5][:40] + b"\n"
    lines[-4] = b'{"id": "x", "categories": "cs.LG"}\n'
    return lines


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """Give a snapshot in which the held paper is of a wanted category."""
    path = tmp_path / "snapshot.jsonl"
    path.write_bytes(b"".join(make_lines()))
    return path


def prepare(bmp: Bmp, path: Path) -> Path:
    """Make a database with a small catalogue."""
    assert bmp("--db", path, "init", "--catalogue", write_catalogue(path.parent)).code == 0
    return path


def run_alone(path: Path, snapshot: Path) -> None:
    """Run the backfill in one process."""
    with open_store(path, clock=lambda: NOW) as store:
        source = SnapshotSource(snapshot, CATEGORIES)
        outcome = run_night(store, source, kind="backfill", categories=CATEGORIES, threshold=THRESHOLD)
        assert outcome.run["queued"]


def start(path: Path, snapshot: Path, log: Path) -> subprocess.Popen[str]:
    """Start the backfill on a cluster."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    words = [sys.executable, str(ROOT / "tests" / "cluster_process.py"), str(path), str(snapshot), str(log)]
    return subprocess.Popen(
        words, env={**os.environ, "PYTHONPATH": paths}, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def await_file(path: Path, process: subprocess.Popen[str]) -> str:
    """Wait for what a file says."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not path.exists() or not path.read_text():
        assert time.monotonic() < until and process.poll() is None, process.communicate(timeout=5)[0]
        time.sleep(0.05)
    return path.read_text()


def read_state(path: Path, *, but: tuple[str, ...] = ()) -> dict[str, list[Row]]:
    """Return what is kept, without the numbers of rows."""
    with open_store(path) as store:
        return {name: store.rows(sql) for name, sql in _STATE.items() if name not in but}


def embedded(log: Path) -> Counter[str]:
    """Return how often each paper was embedded in a worker."""
    return Counter(line.split()[1] for line in log.read_text().splitlines())


def shard_of(snapshot: Path, title: str) -> int:
    """Return the shard that a paper is of."""
    text = snapshot.read_bytes()
    return (text.rfind(b"\n", 0, text.index(title.encode())) + 1) // SHARD_BYTES


def test_a_killed_worker_costs_its_shard_and_changes_nothing(bmp: Bmp, tmp_path: Path, snapshot: Path) -> None:
    alone, together = prepare(bmp, tmp_path / "alone.db"), prepare(bmp, tmp_path / "together.db")
    run_alone(alone, snapshot)
    forgotten = together.with_name("together.db.backfill") / "of another file"
    forgotten.mkdir(parents=True)
    os.utime(forgotten, (1, 1))
    log = tmp_path / "log"
    log.with_suffix(".hold").touch()
    process = start(together, snapshot, log)
    worker = int(await_file(log.with_suffix(".held"), process))
    log.with_suffix(".hold").unlink()
    os.kill(worker, signal.SIGKILL)
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, said
    assert read_state(together) == read_state(alone)
    times = embedded(log)
    redone = {title for title, count in times.items() if count > 1}
    assert {shard_of(snapshot, title) for title in redone} == {shard_of(snapshot, "Paper00060")}
    assert set(times.values()) == {1, 2}
    assert not together.with_name("together.db.backfill").exists()


def test_a_killed_program_goes_on_from_its_whole_shards(bmp: Bmp, tmp_path: Path, snapshot: Path) -> None:
    alone, together = prepare(bmp, tmp_path / "alone.db"), prepare(bmp, tmp_path / "together.db")
    run_alone(alone, snapshot)
    packed = tmp_path / "snapshot.jsonl.gz"
    packed.write_bytes(gzip.compress(snapshot.read_bytes()))
    log = tmp_path / "log"
    log.with_suffix(".hold").touch()
    process = start(together, packed, log)
    await_file(log.with_suffix(".held"), process)
    time.sleep(1)  # the other worker goes on meanwhile
    process.kill()
    process.communicate(timeout=PATIENCE_SECONDS)
    log.with_suffix(".hold").unlink()
    said, _ = start(together, packed, log).communicate(timeout=PATIENCE_SECONDS)
    uncounted = ("counts", "malformed")
    assert read_state(together, but=uncounted) == read_state(alone, but=uncounted), said
    redone = {shard_of(snapshot, title) for title, count in embedded(log).items() if count > 1}
    assert shard_of(snapshot, "Paper00060") in redone
    assert 0 not in redone


def test_a_cluster_that_does_not_answer_is_told_in_a_line(
    bmp: Bmp, tmp_path: Path, snapshot: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BMP_MODEL", str(tiny_model))
    path = prepare(bmp, tmp_path / "a.db")
    result = bmp("--db", path, "backfill", snapshot, "--engine", "ray", "--address", "127.0.0.1:9")
    assert result.code == 1
    assert "the Ray cluster at 127.0.0.1:9 cannot be reached" in result.err
    assert "Traceback" not in result.err
