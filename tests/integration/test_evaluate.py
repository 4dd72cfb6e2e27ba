"""`bmp evaluate` through the command line, on a small store with a tiny model."""

from __future__ import annotations

import json
import os
from pathlib import Path

import ir_measures
import pytest
from bmp import Bmp, Result
from conftest import NOW
from tiny_model import make_tiny_model

from crawler.control import Stop, no_progress
from crawler.embed import SentenceTransformerEmbedder, embed_missing
from crawler.models import find_model
from crawler.rank import rank_claims, rank_papers
from crawler.ranking.ranker import Claim
from db.papers import save_papers
from db.records import Paper
from db.runs import start_run
from db.store import Store, open_store

CATALOGUE = """
[[phenomenon]]
code = "H1.1"
aspect = "how"
group = "g"
title = "Loss is a power law of compute"
statement = "Training loss falls as a power law of compute, data and parameters."
keywords = ["scaling law", "power law"]

[[phenomenon]]
code = "W2.2"
aspect = "what"
group = "g"
title = "Grokking"
statement = "Networks generalise long after they memorised the training data."
keywords = ["grokking", "delayed generalisation"]
"""
TOPICS = ("a scaling law of loss and compute", "grokking long after networks memorised", "cooking soup with leeks")
MEASURES = ("AP", "R@100", "nDCG@10", "P@20", "WSS@95")
QRELS = """\
H1.1 0 2001.00000 1
H1.1 0 2001.00003v2 2
H1.1 0 2001.00001 0
H1.1 0 2001.00006 -1
H1.1 0 1901.00001 1
W2.2 0 2001.00001 1
W2.2 0 2001.00002 0
"""


def _paper(number: int) -> Paper:
    text = TOPICS[number % len(TOPICS)]
    abstract = f"We study {text} in {number} settings, and more."
    return Paper(f"2001.{number:05}", 1 + number % 2, text, abstract, ("Ada",), ("cs.LG",), NOW, NOW)


def _add_papers(store: Store, model: Path | None, numbers: range) -> None:
    with store.transaction():
        facts = {"kind": "demo", "source": "oai", "started_at": "2026-11-24T06:30:00Z", "program_version": "0"}
        run_id = start_run(store, categories=["cs.LG"], **facts)
        save_papers(store, map(_paper, numbers), run_id=run_id, now="2026-11-24T06:30:00Z")
    if model is not None:
        embedder = SentenceTransformerEmbedder(find_model(str(model), {}))
        embed_missing(store, embedder, run_id=run_id, stop=Stop(), progress=no_progress)


@pytest.fixture
def bench(bmp: Bmp, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Bmp:
    """Give the command line on twelve embedded papers, in a folder with a file of labels."""
    monkeypatch.setenv("BMP_MODEL", str(tiny_model))
    monkeypatch.chdir(tmp_path)
    Path("catalogue.toml").write_text(CATALOGUE, encoding="utf-8")
    Path("my.qrels").write_text(QRELS, encoding="utf-8")
    assert bmp("init", "--catalogue", "catalogue.toml").code == 0
    with open_store(Path(os.environ["BMP_DB"])) as store:
        _add_papers(store, tiny_model, range(12))
    return bmp


def _refused(result: Result, *words: str) -> None:
    assert result.code == 2, result.err
    assert result.out == ""
    line = result.err.strip().splitlines()[-1]
    assert line.startswith("Error: "), result.err
    assert "Traceback" not in result.err
    for word in words:
        assert word in line, line


def test_a_table_has_a_line_a_topic_then_the_mean_and_names_what_is_not_stored(bench: Bmp) -> None:
    done = bench("evaluate", "my.qrels")
    assert done.code == 0, done.err
    lines = [line.split() for line in done.out.splitlines()]
    assert ["topic", "relevant", "not", "stored", *MEASURES] in lines
    assert [line[0] for line in lines if line and line[0] in ("H1.1", "W2.2", "mean")] == ["H1.1", "W2.2", "mean"]
    assert "not ranked: 1901.00001." in done.out


def test_json_agrees_with_ir_measures_on_the_run_that_was_saved(bench: Bmp) -> None:
    told = bench("evaluate", "my.qrels", "--save", "my.run", "--json").json
    assert told["papers"] == 12
    assert told["not_stored"] == ["1901.00001"]
    counts = [[row[name] for name in ("topic", "relevant", "not_relevant", "doubtful")] for row in told["topics"]]
    assert counts == [["H1.1", 3, 1, 1], ["W2.2", 1, 1, 0]]
    run = [row for row in ir_measures.read_trec_run("my.run") if (row.query_id, row.doc_id) != ("H1.1", "2001.00006")]
    assert len(run) == 2 * 12 - 1
    labels = QRELS.replace("v2", "").replace("H1.1 0 2001.00006 -1\n", "")
    measures = [ir_measures.parse_measure(name) for name in MEASURES[:-1]]
    theirs = ir_measures.calc_aggregate(measures, list(ir_measures.read_trec_qrels(labels)), run)
    assert {str(name): pytest.approx(value) for name, value in theirs.items()} == {
        name: value for name, value in told["mean"].items() if name != "WSS@95"
    }
    assert told["mean"]["WSS@95"] == pytest.approx(sum(row["measures"]["WSS@95"] for row in told["topics"]) / 2)


def test_the_ranking_puts_the_papers_of_a_topic_first(bench: Bmp) -> None:
    told = bench("evaluate", "my.qrels", "--save", "my.run", "--json").json
    first = [line.split()[2] for line in Path("my.run").read_text(encoding="utf-8").splitlines()[12:16]]
    assert sorted(first) == ["2001.00001", "2001.00004", "2001.00007", "2001.00010"]
    assert told["topics"][1]["measures"]["R@100"] == 1


def test_against_its_own_run_nothing_differs(bench: Bmp) -> None:
    assert bench("evaluate", "my.qrels", "--save", "my.run").code == 0
    told = bench("evaluate", "my.qrels", "--against", "my.run", "--json").json
    assert told["against"]["mean"] == told["mean"]
    assert told["against"]["tag"].startswith("bmp-")
    assert told["against"]["overlap@100"] == 1
    for one in told["against"]["difference"].values():
        assert one == {"mean": 0, "interval": [0, 0]}


def test_against_another_run_the_difference_is_told_topic_by_topic(bench: Bmp) -> None:
    bench("evaluate", "my.qrels", "--save", "my.run")
    lines = [line.split() for line in Path("my.run").read_text(encoding="utf-8").splitlines()]
    turned = [f"{topic} Q0 {paper}v7 {rank} {-float(score)} other" for topic, _, paper, rank, score, _ in lines]
    Path("other.run").write_text("\n".join([*turned, "H1.1 Q0 1712.00001 1 99 other"]), encoding="utf-8")
    told = bench("evaluate", "my.qrels", "--against", "other.run", "--json").json
    against = told["against"]
    assert (against["file"], against["tag"], against["not_stored"]) == ("other.run", "other", 1)
    for name in MEASURES:
        by_topic = [row["measures"][name] - row["against"][name] for row in told["topics"]]
        assert [row["difference"][name] for row in told["topics"]] == pytest.approx(by_topic)
        assert against["difference"][name]["mean"] == pytest.approx(told["mean"][name] - against["mean"][name])
        low, high = against["difference"][name]["interval"]
        assert low == pytest.approx(min(by_topic)) and high == pytest.approx(max(by_topic))
    assert against["difference"]["AP"]["mean"] > 0
    shown = bench("evaluate", "my.qrels", "--against", "other.run")
    assert "1 papers that are not stored; they are left out" in shown.err
    assert [line.split()[0] for line in shown.out.splitlines() if line].count("mean") == 3
    assert "other.run (other)" in shown.out
    assert "95% interval" in shown.out


def test_a_topic_that_the_other_run_lacks_is_left_out_of_the_comparison(bench: Bmp) -> None:
    Path("other.run").write_text("W2.2 Q0 2001.00001 1 1 other\n", encoding="utf-8")
    done = bench("evaluate", "my.qrels", "--against", "other.run", "--json")
    assert "other.run ranks nothing for H1.1" in done.err
    assert [row.get("against", {}).get("AP") for row in done.json["topics"]] == [None, 1]
    assert done.json["against"]["mean"]["AP"] == 1
    assert bench("evaluate", "my.qrels", "--against", "other.run").code == 0


def test_claims_that_the_catalogue_lacks_come_from_a_file_of_topics(bench: Bmp) -> None:
    claim = {"title": "Soup", "claim": "Soup is cooked with leeks.", "keywords": ["leeks", "soup"]}
    Path("topics.json").write_text(json.dumps({"soup": claim, "unused": {"claim": "Not asked."}}), encoding="utf-8")
    Path("soup.qrels").write_text("soup 0 2001.00002 1\nsoup 0 2001.00005 1\n", encoding="utf-8")
    (row,) = bench("evaluate", "soup.qrels", "--topics", "topics.json", "--json").json["topics"]
    assert row["topic"] == "soup"
    assert row["measures"]["AP"] > 0.5


def test_a_topic_without_a_relevant_paper_is_left_out_and_said(bench: Bmp) -> None:
    Path("some.qrels").write_text("H1.1 0 2001.00000 1\nW2.2 0 2001.00001 0\n", encoding="utf-8")
    done = bench("evaluate", "some.qrels", "--json")
    assert [row["topic"] for row in done.json["topics"]] == ["H1.1"]
    assert "left out: W2.2" in done.err


def test_papers_without_a_vector_count_as_not_found(bench: Bmp) -> None:
    with open_store(Path(os.environ["BMP_DB"])) as store:
        _add_papers(store, None, range(12, 15))
    Path("new.qrels").write_text("H1.1 0 2001.00012 1\n", encoding="utf-8")
    done = bench("evaluate", "new.qrels", "--json")
    assert "3 papers have no vector" in done.err
    assert done.json["papers"] == 15
    assert done.json["mean"]["AP"] == 0


@pytest.mark.parametrize(
    ("qrels", "words"),
    [
        ("H1.1 0 2001.00000 1\nH1.1 0\n", ("mine, line 2", "2 fields, not 4", "topic 0 paper label")),
        ("Z9 0 2001.00000 1\n", ("no phenomenon Z9", "bmp phenomena list", "--topics")),
        ("H1.1 0 1901.00001 1\n", ("none of the 1 relevant papers of mine is stored", "bmp fetch")),
        ("H1.1 0 2001.00000 0\nH1.1 0 2001.00001 -1\n", ("mine has no relevant paper",)),
        ("", ("mine has no labels",)),
    ],
    ids=["malformed", "unknown topic", "nothing stored", "no positives", "empty"],
)
def test_labels_that_cannot_be_used_get_one_line(bench: Bmp, qrels: str, words: tuple[str, ...]) -> None:
    Path("mine").write_text(qrels, encoding="utf-8")
    _refused(bench("evaluate", "mine"), *words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("none.qrels",), "cannot read none.qrels: No such file"),
        ((".",), "cannot read .: Is a directory"),
        (("latin.txt",), "not UTF-8"),
        (("my.qrels", "--topics", "none.json"), "cannot read none.json"),
        (("my.qrels", "--topics", "my.qrels"), "is not JSON"),
        (("my.qrels", "--topics", "soup.json"), "has no topic H1.1, W2.2; it has soup"),
        (("my.qrels", "--against", "none.run"), "cannot read none.run"),
        (("my.qrels", "--against", "my.qrels"), "line 1: it has 4 fields, not 6"),
        (("my.qrels", "--against", "soup.run"), "ranks none of these topics; it has soup"),
        (("my.qrels", "--save", "my.qrels"), "is read here"),
    ],
)
def test_files_that_cannot_be_used_get_one_line(bench: Bmp, words: tuple[str, ...], said: str) -> None:
    Path("latin.txt").write_bytes(b"H1.1 0 2001.00000 1 \xe9\n")
    Path("soup.json").write_text('{"soup": {"claim": "Soup."}}', encoding="utf-8")
    Path("soup.run").write_text("soup Q0 2001.00001 1 1 other\n", encoding="utf-8")
    _refused(bench("evaluate", *words), said)
    assert Path("my.qrels").read_text(encoding="utf-8") == QRELS


def test_a_run_is_never_written_over_the_database(bench: Bmp) -> None:
    database = Path(os.environ["BMP_DB"])
    before = database.read_bytes()
    refused = bench("evaluate", "my.qrels", "--save", database)
    assert refused.code == 1
    assert "belongs to the database itself" in refused.err
    assert database.read_bytes() == before


def test_another_model_without_vectors_is_told_what_to_do(
    bench: Bmp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BMP_MODEL", str(make_tiny_model(tmp_path / "second")))
    _refused(bench("evaluate", "my.qrels"), "no stored paper has a vector of this model yet", "bmp nightly")


def test_claims_ranked_together_are_ranked_as_each_alone(store: Store, tiny_model: Path) -> None:
    _add_papers(store, tiny_model, range(12))
    embedder = SentenceTransformerEmbedder(find_model(str(tiny_model), {}))
    claims = [Claim(text, text, text) for text in TOPICS]
    together = list(rank_claims(store, embedder, claims))
    assert together == [rank_papers(store, embedder, claim) for claim in claims]
    for ranking in together:
        rounded, exact = ([getattr(paper, name) for paper in ranking.papers] for name in ("score", "exact"))
        assert rounded == sorted(rounded, reverse=True) and exact == sorted(exact, reverse=True)
        assert len(exact) == 12 and exact == pytest.approx(rounded, abs=1e-6)


def test_a_run_that_cannot_be_written_is_told_before_anything_is_ranked(bench: Bmp) -> None:
    for target, said in ((".", "is a folder"), ("none/my.run", "there is no folder none")):
        done = bench("evaluate", "my.qrels", "--save", target)
        assert done.code == 1
        assert done.err.startswith("Error: ") and said in done.err
        assert not done.out


def test_a_ranking_tells_what_was_decided(bench: Bmp) -> None:
    code = bench("phenomena", "list", "--json").json[0]["code"]
    first = bench("rank", "--phenomenon", code, "--json").json[0]
    assert first["status"] is None
    assert bench("queue", "decide", "--paper", first["arxiv_id"], "--phenomenon", code, "reject").code == 0
    states = {row["arxiv_id"]: row["status"] for row in bench("rank", "--phenomenon", code, "--json").json}
    assert states.pop(first["arxiv_id"]) == "rejected" and set(states.values()) == {None}
    assert "rejected" in bench("rank", "--phenomenon", code).out
    assert "No stored paper is that new" in bench("rank", "--phenomenon", code, "--since", "2900-01-01").err
