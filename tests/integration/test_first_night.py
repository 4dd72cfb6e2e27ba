"""The whole path with the real model: the demo, a night through a loopback arXiv, a backfill, a ranking."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from bmp import Bmp
from loopback.faults import Forbidden, HtmlPage, Unavailable
from loopback.papers import MadePaper, make_papers
from loopback.server import ArxivServer

pytestmark = pytest.mark.slow


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask at a pace that suits a server of our own."""
    monkeypatch.setenv("BMP_ARXIV_DELAY_SECONDS", "0")
    monkeypatch.setenv("BMP_ARXIV_MAX_WAIT_SECONDS", "2")


def _grokking(day: date) -> MadePaper:
    """Return a paper that plainly bears on the entry on grokking."""
    plain = make_papers(1, day=day, categories=("cs.LG",), seed=7, start=900)[0]
    return MadePaper(
        **{
            **{name: getattr(plain, name) for name in plain.__dataclass_fields__},
            "title": "Grokking in small transformers: generalisation long after memorisation",
            "abstract": "We train small transformers on modular arithmetic. The training set is memorised within a few"
            " hundred steps. After many thousand further steps the network suddenly generalises to held-out data, the"
            " phenomenon known as grokking. Weight decay shortens the delay between memorisation and generalisation.",
        }
    )


def test_the_demo_runs_the_whole_path_and_is_quiet_the_second_time(bmp: Bmp) -> None:
    first = bmp("demo", "--json")
    assert first.code == 0, first.err
    run = first.json
    assert run["status"] == "complete"
    assert (run["received"], run["new"], run["malformed"]) == (70, 57, 0)
    assert run["embedded"] == 57
    assert run["pending"] > 5
    assert "open the queue" in first.err
    best = bmp("queue", "list", "--json").json
    assert [row["score"] for row in best] == sorted((row["score"] for row in best), reverse=True)
    assert all(row["sentence"] for row in best)
    again = bmp("demo", "--json").json
    assert (again["status"], again["new"], again["embedded"], again["queued"]) == ("quiet", 0, 0, 0)


@pytest.mark.usefixtures("quick")
def test_a_night_finds_the_paper_on_grokking_and_a_second_night_is_quiet(
    bmp: Bmp, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = datetime.now(UTC).date()
    papers = [*make_papers(40, day=today, categories=("cs.LG", "cs.CL stat.ML")), _grokking(today)]
    bmp("init")
    with ArxivServer(papers, page_size=15, today=today) as server:
        monkeypatch.setenv("BMP_ARXIV_OAI_URL", server.oai_url)
        first = bmp("nightly", "--json")
        second = bmp("nightly", "--json")
        assert server.max_concurrent == 1
    assert (first.code, first.json["status"]) == (0, "complete"), first.err
    assert (second.code, second.json["status"], second.json["new"]) == (0, "quiet", 0)
    queued = bmp("queue", "list", "--phenomenon", "W2.2", "--json").json
    assert queued[0]["title"].startswith("Grokking in small transformers")
    assert "grokking" in queued[0]["sentence"].lower() or "generalis" in queued[0]["sentence"]
    ranked = bmp("rank", "--claim", "Networks generalise suddenly long after they memorised", "--format", "json").json
    assert ranked[0]["title"].startswith("Grokking in small transformers")
    trec = bmp("rank", "--phenomenon", "W2.2", "--format", "trec").out.splitlines()
    assert trec[0].split()[:4] == ["W2.2", "Q0", queued[0]["arxiv_id"], "1"]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("fault", "page", "code", "status"),
    [
        (Unavailable(), 1, 1, "failed"),
        (Forbidden(), 1, 1, "failed"),
        (HtmlPage(), 1, 1, "failed"),
        (HtmlPage(), 2, 3, "partial"),
    ],
    ids=["down", "refused", "web page", "web page in the middle"],
)
def test_a_broken_night_says_so_and_loses_nothing(
    bmp: Bmp, monkeypatch: pytest.MonkeyPatch, fault: object, page: int, code: int, status: str
) -> None:
    today = datetime.now(UTC).date()
    papers = make_papers(30, day=today, categories=("cs.LG",))
    bmp("init")
    with ArxivServer(papers, page_size=10, today=today) as server:
        monkeypatch.setenv("BMP_ARXIV_OAI_URL", server.oai_url)
        server.play(fault, on=page, times=None)  # type: ignore[arg-type]  # any fault will do
        broken = bmp("nightly", "--json")
        assert (broken.code, broken.json["status"]) == (code, status), broken.err
        assert broken.json["error"]
    with ArxivServer(papers, page_size=10, today=today) as server:
        monkeypatch.setenv("BMP_ARXIV_OAI_URL", server.oai_url)
        assert bmp("nightly", "--json").code == 0
    assert bmp("status", "--json").json["papers"] == len(papers)


def test_a_backfill_of_real_papers_queues_a_few_of_a_hundred(bmp: Bmp, shared: Path, tmp_path: Path) -> None:
    import gzip

    with gzip.open(shared / "data" / "papers.jsonl.gz", "rt", encoding="utf-8") as file:
        lines = [next(file) for _ in range(300)]
    part = tmp_path / "part.jsonl"
    part.write_text("".join(lines), encoding="utf-8")
    bmp("init")
    run = bmp("backfill", part, "--json").json
    wanted = {"cs.LG", "cs.CL", "cs.AI", "stat.ML"}
    kept = sum(not wanted.isdisjoint(json.loads(line)["categories"].split()) for line in lines)
    assert (run["status"], run["new"], run["matched"]) == ("complete", kept, kept)
    assert 0 < run["queued"] < kept / 4
    assert bmp("backfill", part, "--json").json["status"] == "quiet"


def test_a_model_that_cannot_be_found_is_told_with_three_ways_to_get_one(
    bmp: Bmp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bmp("init")
    monkeypatch.setenv("BMP_MODEL", str(tmp_path / "nowhere"))
    result = bmp("nightly")
    assert result.code == 1
    assert "Traceback" not in result.err
    line = next(line for line in result.err.splitlines() if "nowhere" in line)
    for way in ("offline", "BMP_MODEL", "Hub"):
        assert way in line
