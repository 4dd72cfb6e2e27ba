"""An existing list moves over: into the queue or as decisions, from what is stored and from arXiv, and never twice."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from bmp import Bmp, Result
from list_files import RENDERERS, Item, render_bibtex, render_markdown, render_ris
from loopback.faults import RefusedId, Unavailable
from loopback.papers import MadePaper, make_papers
from loopback.server import ArxivServer

from crawler.sources.oai_parse import parse_list
from db.papers import save_papers
from db.records import Paper
from db.runs import start_run
from db.store import night_lock, open_store

CODE = "W2.2"
MOMENT = datetime(2026, 11, 1, tzinfo=UTC)
FIRST, SECOND, THIRD = "0001.00018", "0001.00016", "0001.00007"
ITEMS = (
    Item(FIRST, "Small transformers reach perfect", "The clearest case."),
    Item(SECOND, "In no run with standard", "", ("contradicts",)),
)


@pytest.fixture
def filled(bmp: Bmp) -> Bmp:
    """Give the command line on a database with the catalogue and the sample's papers."""
    assert bmp("init").code == 0
    with open_store(Path(os.environ["BMP_DB"])) as store, store.transaction():
        run_id = start_run(
            store, kind="demo", source="oai", categories=["cs.LG"], started_at="2026-11-21T03:30:00Z",
            program_version="test",
        )  # fmt: skip
        for name in ("cs-1.xml", "cs-2.xml", "stat-1.xml"):
            page = parse_list(files("crawler").joinpath("data/sample", name).read_bytes())
            save_papers(store, page.papers, run_id=run_id, now="2026-11-21T03:30:00Z")
    return bmp


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tiny_model: Path) -> Iterator[ArxivServer]:
    """Give a stand-in of arXiv with five papers, at which the command line asks."""
    with ArxivServer(_made()) as running:
        for name, value in (("OAI", running.oai_url), ("API", running.api_url), ("RSS", running.rss_url)):
            monkeypatch.setenv(f"BMP_ARXIV_{name}_URL", value)
        monkeypatch.setenv("BMP_ARXIV_DELAY_SECONDS", "0")
        monkeypatch.setenv("BMP_ARXIV_MAX_WAIT_SECONDS", "0.2")
        monkeypatch.setenv("BMP_MODEL", str(tiny_model))
        yield running


def _made() -> list[MadePaper]:
    return make_papers(5, day=date(2026, 11, 20), categories=("cs.LG", "hep-th"))


def _save(name: str, content: bytes | str, tmp_path: Path) -> Path:
    file = tmp_path / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def _import(bmp: Bmp, file: Path | str, *words: str) -> Result:
    return bmp("import-evidence", CODE, file, *words, "--json")


def _rows(bmp: Bmp, status: str = "pending") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = bmp("queue", "list", "--phenomenon", CODE, "--status", status, "--json").json
    return rows


def _count(table: str) -> int:
    with open_store(Path(os.environ["BMP_DB"])) as store:
        return int(store.value(f"SELECT count(*) FROM {table}"))


@pytest.mark.parametrize("name", RENDERERS)
def test_a_list_in_any_format_becomes_candidates_once(filled: Bmp, tmp_path: Path, name: str) -> None:
    file = _save(name, RENDERERS[name](ITEMS), tmp_path)
    first = _import(filled, file)
    assert (first.code, first.json["added"], first.json["known"]) == (0, [FIRST, SECOND], []), first.err
    assert f"2 entries of {name}" in first.err and f"2 queued for {CODE}" in first.err
    again = _import(filled, file)
    assert (again.code, again.json["added"], again.json["known"]) == (0, [], [FIRST, SECOND])
    assert {row["arxiv_id"] for row in _rows(filled)} == {FIRST, SECOND}
    assert _count("decisions") == 0


def test_decided_evidence_says_where_it_comes_from_and_is_added_once(filled: Bmp, tmp_path: Path) -> None:
    file = _save("refs.bib", render_bibtex(ITEMS), tmp_path)
    words = ("--as", "evidence", "--stance", "supports")
    assert _import(filled, file, *words).json["added"] == [FIRST, SECOND]
    told = {row["arxiv_id"]: (row["stance"], row["note"], row["reviewer"]) for row in _rows(filled, "accepted")}
    assert told == {
        FIRST: ("supports", "from refs.bib (BibTeX, entry doe_0): The clearest case.", "ada"),
        SECOND: ("contradicts", "from refs.bib (BibTeX, entry doe_1)", "ada"),  # a keyword goes before the option
    }
    again = _import(filled, file, *words)
    assert (again.code, again.json["added"], again.json["known"]) == (0, [], [FIRST, SECOND])
    assert _count("decisions") == 2
    assert filled("queue", "undo").code == 0  # an ordinary decision


def test_what_anybody_decided_otherwise_is_left_and_named_unless_overruled(
    filled: Bmp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = _save("refs.ris", render_ris(ITEMS), tmp_path)
    decide = ("queue", "decide", "--phenomenon", CODE, "--paper")
    monkeypatch.setenv("BMP_REVIEWER", "bo")
    filled(*decide, FIRST, "reject", "--note", "no network")
    filled(*decide, SECOND, "accept", "--stance", "contradicts", "--note", "mine")
    monkeypatch.setenv("BMP_REVIEWER", "ada")
    words = ("--as", "evidence", "--stance", "supports")
    left = _import(filled, file, *words)
    assert left.code == 0 and left.json["added"] == [SECOND]  # agreeing overrules nobody
    assert [(one["arxiv_id"], one["kind"], one["reviewer"]) for one in left.json["decided"]] == [
        (FIRST, "reject", "bo")
    ]
    assert f"{FIRST} (reject by bo)" in left.err and "--overrule" in left.err
    assert _import(filled, file, *words).json["known"] == [SECOND]
    assert _import(filled, file, *words, "--overrule").json["added"] == [FIRST]
    assert _import(filled, file, *words, "--overrule").json["known"] == [FIRST, SECOND]
    monkeypatch.setenv("BMP_REVIEWER", "bo")
    filled(*decide, FIRST, "reject")
    monkeypatch.setenv("BMP_REVIEWER", "ada")
    assert _import(filled, file, *words).json["known"] == [FIRST, SECOND]  # said already, word for word
    assert {row["arxiv_id"] for row in _rows(filled, "rejected")} == {FIRST}
    waiting = _import(filled, file)
    assert {one["arxiv_id"] for one in waiting.json["decided"]} == {FIRST, SECOND}
    assert "2 papers were decided before and stay so" in waiting.err


def test_an_own_note_is_not_taken_the_place_of(filled: Bmp, tmp_path: Path) -> None:
    filled("queue", "decide", "--phenomenon", CODE, "--paper", FIRST, "accept", "--note", "seen with care")
    file = _save("ids.txt", FIRST, tmp_path)
    assert _import(filled, file, "--as", "evidence", "--stance", "supports").json["known"] == [FIRST]
    assert _rows(filled, "accepted")[0]["note"] == "seen with care"
    assert _import(filled, file, "--as", "evidence", "--stance", "mentions").json["decided"][0]["stance"] == "supports"


def test_what_the_reviewer_took_back_is_taken_in_anew(filled: Bmp, tmp_path: Path) -> None:
    file = _save("ids.txt", FIRST, tmp_path)
    words = ("--as", "evidence", "--stance", "qualifies")
    assert _import(filled, file, *words).json["added"] == [FIRST]
    assert filled("queue", "undo").code == 0
    assert _import(filled, file, *words).json["added"] == [FIRST]
    assert _rows(filled, "accepted")[0]["stance"] == "qualifies"


def test_a_re_opened_acceptance_waits_for_a_look_that_no_list_has_had(filled: Bmp, tmp_path: Path) -> None:
    file = _save("ids.txt", FIRST, tmp_path)
    words = ("--as", "evidence", "--stance", "supports")
    assert _import(filled, file, *words).json["added"] == [FIRST]
    with open_store(Path(os.environ["BMP_DB"])) as store, store.transaction():
        newer = Paper(FIRST, 9, "Another title", "Another text.", ("Ada",), ("cs.LG",), MOMENT, MOMENT)
        save_papers(store, [newer], run_id=1, now="2026-11-22T03:30:00Z")
    assert _import(filled, file, *words).json["known"] == [FIRST]
    assert [row["arxiv_id"] for row in _rows(filled, "reopened")] == [FIRST]
    other = _save("other.txt", FIRST, tmp_path)
    assert [one["kind"] for one in _import(filled, other, *words).json["decided"]] == ["reopen"]


def test_what_others_decided_is_hidden_where_the_review_is_blind(
    filled: Bmp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BMP_REVIEWER", "bo")
    filled("queue", "decide", "--phenomenon", CODE, "--paper", FIRST, "reject")
    monkeypatch.setenv("BMP_REVIEWER", "ada")
    monkeypatch.setenv("BMP_BLIND", "yes")
    done = _import(filled, _save("ids.txt", FIRST, tmp_path), "--as", "evidence", "--stance", "supports")
    assert (done.json["added"], done.json["decided"]) == ([FIRST], [])


def test_papers_are_known_by_doi_and_by_title_where_only_one_is_so_named(filled: Bmp, tmp_path: Path) -> None:
    def paper(number: int, title: str, doi: str | None = None) -> Paper:
        return Paper(f"2611.0000{number}", 1, title, "Text.", ("A",), ("cs.LG",), MOMENT, MOMENT, doi=doi)

    with open_store(Path(os.environ["BMP_DB"])) as store, store.transaction():
        stored = [
            paper(1, "On Gödel's loss curves", "10.1234/ABC.5 10.1234/abc.6"),
            paper(2, "Loss curves: a Résumé"),
            paper(3, "Twice the same title"),
            paper(4, "Twice the same title!"),
            paper(5, "Short"),
        ]
        save_papers(store, stored, run_id=1, now="2026-11-21T03:30:00Z")
    content = r"""
@article{a, title={Another title}, doi={https://doi.org/10.1234/abc.6}}
@article{b, title={{LOSS} curves --- a r\'esum\'e}}
@article{c, title={Twice the same title}}
@article{d, title={Short}}
@article{e, title={Quite unknown here}}
@article{f, title={Loss curves: a resume}, eprint={2611.00002}}
"""
    done = _import(filled, _save("refs.bib", content, tmp_path))
    assert (done.code, done.json["added"]) == (0, ["2611.00001", "2611.00002"])
    assert [one["place"] for one in done.json["without_id"]] == ["entry c", "entry d", "entry e"]
    assert (done.json["entries"], done.json["papers"], done.json["repeated"]) == (6, 2, 1)
    assert "3 entries tell no arXiv id" in done.err and "Quite unknown here" in done.err


@pytest.mark.slow
def test_what_is_not_stored_is_fetched_in_order_and_entered(filled: Bmp, tmp_path: Path, server: ArxivServer) -> None:
    wanted = [paper.arxiv_id for paper in _made()]
    file = _save("ids.txt", "\n".join([FIRST, *wanted]), tmp_path)
    done = _import(filled, file, "--as", "evidence", "--stance", "mentions")
    assert (done.code, done.json["added"], done.json["fetched"]) == (0, [FIRST, *wanted], 5), done.err
    run = filled("runs", "show", str(done.json["run_id"]), "--json").json
    assert (run["kind"], run["status"], run["new"]) == ("fetch", "complete", 5)
    assert len(_rows(filled, "accepted")) == 6
    assert [entry.path for entry in server.log] == ["/api/query"]
    asked = len(server.log)
    assert _import(filled, file, "--as", "evidence", "--stance", "mentions").json["known"] == [FIRST, *wanted]
    assert len(server.log) == asked


@pytest.mark.slow
def test_what_could_not_be_had_is_named_and_a_repeated_call_goes_on(
    filled: Bmp, tmp_path: Path, server: ArxivServer
) -> None:
    wanted = [paper.arxiv_id for paper in _made()]
    file = _save("ids.txt", "\n".join([FIRST, *wanted, "2611.99999"]), tmp_path)
    server.play(Unavailable(), times=None)
    failed = _import(filled, file)
    assert (failed.code, failed.json["added"], failed.json["not_stored"]) == (3, [FIRST], [*wanted, "2611.99999"])
    server.heal()
    server.play(RefusedId(wanted[2]), times=None)
    partial = _import(filled, file)
    assert (partial.code, partial.json["not_stored"]) == (3, [wanted[2], "2611.99999"]), partial.err
    assert partial.json["added"] == [one for one in wanted if one != wanted[2]]
    server.heal()
    rest = _import(filled, file)
    assert (rest.code, rest.json["added"], rest.json["not_stored"]) == (3, [wanted[2]], ["2611.99999"])
    assert "1 paper is not stored: 2611.99999" in rest.err


@pytest.mark.slow
def test_an_interrupt_keeps_what_was_entered_and_a_repeated_call_goes_on(
    filled: Bmp, tmp_path: Path, server: ArxivServer
) -> None:
    wanted = [paper.arxiv_id for paper in _made()]
    file = _save("ids.txt", "\n".join([FIRST, *wanted]), tmp_path)
    server.on_request = lambda *_: os.kill(os.getpid(), signal.SIGINT)
    stopped = _import(filled, file)
    assert (stopped.code, stopped.out) == (130, "")
    assert [row["arxiv_id"] for row in _rows(filled)] == [FIRST]
    server.on_request = None
    rest = _import(filled, file)
    assert (rest.code, rest.json["known"], rest.json["added"]) == (0, [FIRST], wanted)


def test_while_another_run_is_at_work_only_what_is_stored_is_entered(
    filled: Bmp, tmp_path: Path, server: ArxivServer
) -> None:
    file = _save("ids.txt", f"{FIRST} 2611.57001", tmp_path)
    with night_lock(Path(os.environ["BMP_DB"])):
        done = _import(filled, file)
    assert (done.code, done.json["added"], done.json["not_stored"]) == (3, [FIRST], ["2611.57001"])
    assert "nothing was fetched" in done.err and server.log == []


def test_nothing_is_fetched_with_no_fetch_and_nothing_written_with_dry_run(
    filled: Bmp, tmp_path: Path, server: ArxivServer
) -> None:
    file = _save("ids.txt", f"{FIRST}\n2611.00001\n", tmp_path)
    before = Path(os.environ["BMP_DB"]).read_bytes()
    for words in ((), ("--as", "evidence", "--stance", "supports")):
        dry = _import(filled, file, "--dry-run", *words)
        assert (dry.code, dry.json["added"], dry.json["not_stored"]) == (0, [FIRST], ["2611.00001"])
        assert "1 would be " in dry.err
    assert Path(os.environ["BMP_DB"]).read_bytes() == before
    kept = _import(filled, file, "--no-fetch")
    assert (kept.code, kept.json["added"], kept.json["not_stored"]) == (0, [FIRST], ["2611.00001"])
    assert server.log == []


def test_a_part_of_a_list_and_one_from_stdin(filled: Bmp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = (replace(ITEMS[0], collection="Grokking"), replace(ITEMS[1], collection="Others"))
    done = _import(filled, _save("README.md", render_markdown(items), tmp_path), "--section", "grokking")
    assert done.json["added"] == [FIRST]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(render_bibtex(ITEMS))))
    piped = _import(filled, "-", "--as", "evidence", "--stance", "supports")
    assert piped.json["added"] == [FIRST, SECOND]
    assert _rows(filled, "accepted")[0]["note"].startswith("from stdin (BibTeX, entry doe_")


def test_an_entry_that_cannot_be_read_costs_no_other_and_is_told(filled: Bmp, tmp_path: Path) -> None:
    broken = f"@misc{{a, eprint={{{FIRST}}}}}\n@misc{{b, title = {{no end\n@misc{{c, eprint={{{SECOND}}}}}\n"
    done = _import(filled, _save("refs.bib", broken, tmp_path))
    assert (done.code, done.json["added"], len(done.json["faults"])) == (3, [FIRST, SECOND], 1)
    assert "1 entry could not be read: line 2" in done.err


@pytest.mark.parametrize("format_", ["bibtex", "markdown"])
def test_an_export_of_this_program_is_read_back(filled: Bmp, tmp_path: Path, format_: str) -> None:
    for paper, stance in ((FIRST, "supports"), (SECOND, "contradicts"), (THIRD, "mentions")):
        filled("queue", "decide", "--phenomenon", "H1.2", "--paper", paper, "accept", "--stance", stance)
    file = tmp_path / {"bibtex": "out.bib", "markdown": "out.md"}[format_]
    assert filled("export", format_, "-o", file).code == 0
    words = ("--section", "H1.2") if format_ == "markdown" else ()
    done = _import(filled, file, "--no-fetch", *words)
    assert done.code == 0 and done.json["without_id"] == [] and done.json["faults"] == []
    assert set(done.json["added"]) == {FIRST, SECOND, THIRD}


def test_what_goes_to_a_screening_program_is_read_back(filled: Bmp, tmp_path: Path) -> None:
    _import(filled, _save("ids.txt", f"{FIRST} {SECOND}", tmp_path))
    file = tmp_path / "out.ris"
    assert filled("queue", "export", "--format", "asreview", "--phenomenon", CODE, file).code == 0
    done = filled("import-evidence", "H1.2", file, "--json")
    assert set(done.json["added"]) == {FIRST, SECOND}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--stance", "supports"), 2, "--stance goes with --as evidence"),
        (("--overrule",), 2, "--overrule goes with --as evidence"),
        (("--as", "evidence"), 2, "does not tell how 1 of its 2 papers bear"),
        (("--section", "x"), 2, "neither headings nor collections"),
        (("--format", "zotero"), 2, "lacks the column item type"),
        (("--format", "bibtex"), 2, "no entry of BibTeX"),
    ],
)
def test_wrong_usage_is_one_line_and_writes_nothing(
    filled: Bmp, tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    file = _save("list.ris", render_ris(ITEMS), tmp_path)
    refused = _import(filled, file, *words)
    assert (refused.code, refused.out) == (code, "")
    assert said in refused.err and refused.err.count("\n") == 1
    assert _count("candidates") == 0


def test_a_phenomenon_that_is_not_there_and_a_file_that_is_not_are_refused(filled: Bmp, tmp_path: Path) -> None:
    file = _save("ids.txt", FIRST, tmp_path)
    for words in (("X9.9", file), (CODE, tmp_path), (CODE, tmp_path / "none")):
        refused = filled("import-evidence", *words)
        assert (refused.code, refused.out) == (2, "") and refused.err.count("\n") == 1


def test_hostile_names_do_not_reach_the_terminal(filled: Bmp, tmp_path: Path) -> None:
    content = json.dumps([{"title": "A \x1b[2J\u202etitle", "id": "x\x9b2J"}])
    done = filled("import-evidence", CODE, _save("a.json", content, tmp_path))
    assert done.code == 0 and not set(done.err) & set("\x1b\u202e\x9b")


def test_an_entry_without_an_id_needs_no_stance(filled: Bmp, tmp_path: Path) -> None:
    text = f"TY  - RPRT\nTI  - One\nUR  - https://arxiv.org/abs/{FIRST}\nKW  - qualifies\nER  - \n"
    file = _save("a.ris", text + "TY  - RPRT\nTI  - Known to nobody\nER  - \n", tmp_path)
    told = _import(filled, file, "--as", "evidence", "--no-fetch")
    assert (told.code, told.json["added"], len(told.json["without_id"])) == (0, [FIRST], 1), told.err
