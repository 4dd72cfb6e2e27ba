"""The command line on the sample's papers, without a model: words, JSON shapes, messages, exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import sqlite3
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from bmp import Bmp, Result
from loopback.papers import make_papers
from loopback.server import ArxivServer

from crawler.sources.oai_parse import parse_list
from curation.cli.context import show_controls
from db.papers import save_papers
from db.records import Malformed
from db.runs import save_malformed, set_part, set_run, start_part, start_run
from db.store import night_lock, open_store
from db.times import now_utc

QUEUE_KEYS = {
    "id", "arxiv_id", "version", "title", "phenomenon", "score", "sentence", "status", "stance", "published", "url",
}  # fmt: skip
HUGE = 99999999999999999999  # more than SQLite can hold
RUN_KEYS = {
    "run_id", "status", "source", "since", "promised", "received", "new", "changed", "withdrawn", "malformed",
    "embedded", "matched", "queued", "seconds", "error",
}  # fmt: skip


@pytest.fixture
def filled(bmp: Bmp) -> Bmp:
    """Give the command line on a database with the catalogue and the sample's papers."""
    assert bmp("init").code == 0
    with open_store(Path(os.environ["BMP_DB"])) as store, store.transaction():
        run_id = start_run(
            store,
            kind="demo",
            source="oai",
            categories=["cs.LG"],
            started_at="2026-11-21T03:30:00Z",
            program_version="test",
        )
        for name in ("cs-1.xml", "cs-2.xml", "stat-1.xml"):
            page = parse_list(files("crawler").joinpath("data/sample", name).read_bytes())
            save_papers(store, page.papers, run_id=run_id, now="2026-11-21T03:30:00Z")
    return bmp


def _decide(bmp: Bmp, paper: str, *words: str) -> Result:
    return bmp("queue", "decide", "--paper", paper, "--phenomenon", "W2.2", *words, "--json")


def assert_one_line(result: Result, code: int, *words: str) -> None:
    """Check that a refusal is one clear line on stderr, with the right exit code and nothing on stdout."""
    assert result.code == code, result.err
    assert result.out == ""
    line = result.err.strip().splitlines()[-1]
    assert line.startswith("Error: ")
    assert "Traceback" not in result.err
    for word in words:
        assert word in line, line


def test_init_is_safe_to_repeat_and_says_what_changed(bmp: Bmp) -> None:
    first, again = bmp("init", "--json"), bmp("init", "--json")
    assert first.json["changed"] == first.json["phenomena"] >= 50
    assert again.json["changed"] == 0
    assert "Next: bmp nightly" in first.err


def test_init_with_a_bad_catalogue_leaves_no_database(bmp: Bmp, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[[phenomenon]]\ncode = "X1"\naspect = "how"\ngroup = "g"\ntitle = "t"\n', encoding="utf-8")
    assert_one_line(bmp("init", "--catalogue", path), 2, "entry 1 (X1)", "line 1", "statement")
    assert not Path(os.environ["BMP_DB"]).exists()


def test_init_with_another_catalogue_loads_that_one_alone(bmp: Bmp, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '[[phenomenon]]\ncode = "X1"\naspect = "how"\ngroup = "g"\ntitle = "t"\nstatement = "s"\n', encoding="utf-8"
    )
    assert bmp("init", "--catalogue", path).code == 0
    (only,) = bmp("phenomena", "list", "--json").json
    assert only["code"] == "X1"
    assert only["evidence"] == {"supports": 0, "contradicts": 0, "qualifies": 0, "mentions": 0}


@pytest.mark.parametrize("words", [("nightly",), ("status",), ("queue", "list"), ("export", "json"), ("runs", "list")])
def test_without_a_database_every_command_says_how_to_make_one(bmp: Bmp, words: tuple[str, ...]) -> None:
    assert_one_line(bmp(*words), 1, "there is no database", "bmp init")


def test_a_database_of_another_program_is_left_alone(bmp: Bmp, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    before = other.read_bytes()
    assert_one_line(bmp("--db", other, "init"), 1, "not a BMPrinciples database")
    assert other.read_bytes() == before


def test_a_newer_database_is_refused_in_one_line(bmp: Bmp) -> None:
    bmp("init")
    with sqlite3.connect(os.environ["BMP_DB"]) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    assert_one_line(bmp("status"), 1, "newer version")


def test_a_paper_that_was_never_queued_can_be_decided(filled: Bmp) -> None:
    row = _decide(filled, "0001.00018", "accept", "--note", "a clear case").json
    assert row["status"] == "accepted"
    assert row["stance"] == "supports"
    assert row["note"] == "a clear case"
    assert [event["kind"] for event in row["history"]] == ["accept"]
    assert row["history"][0]["reviewer"] == "ada"
    assert filled("queue", "list", "--json").json == []
    (listed,) = filled("queue", "list", "--status", "accepted", "--json").json
    assert listed.keys() >= QUEUE_KEYS
    assert listed["url"] == "https://arxiv.org/abs/0001.00018v1"


def test_a_decision_is_counted_in_the_catalogue_and_can_be_undone(filled: Bmp) -> None:
    _decide(filled, "0001.00016", "accept", "--stance", "contradicts")
    assert filled("phenomena", "show", "W2.2", "--json").json["evidence"]["contradicts"] == 1
    assert filled("queue", "undo", "--json").json["status"] == "pending"
    assert filled("phenomena", "show", "W2.2", "--json").json["evidence"]["contradicts"] == 0
    assert_one_line(filled("queue", "undo"), 1, "no decision to undo")


def test_a_decision_says_what_it_takes_the_place_of(filled: Bmp) -> None:
    first = _decide(filled, "0001.00016", "reject")
    assert "takes its place" not in first.err
    second = _decide(filled, "0001.00016", "accept")
    assert second.err.startswith("It was reject by ada, ") and second.json["status"] == "accepted"


def test_an_undo_says_what_it_took_back(filled: Bmp) -> None:
    _decide(filled, "0001.00016", "accept", "--stance", "contradicts")
    told = filled("queue", "undo").out.splitlines()
    assert told[0].startswith("Took back: accept (contradicts) by ada, ") and told[1].endswith("is pending")


def test_queue_show_has_what_a_reviewer_needs(filled: Bmp) -> None:
    identifier = _decide(filled, "0001.00018", "maybe").json["id"]
    row = filled("queue", "show", identifier, "--json").json
    assert row.keys() >= QUEUE_KEYS | {"abstract", "authors", "categories", "claim", "reasons", "history", "criteria"}
    shown = filled("queue", "show", identifier)
    assert row["claim"] in shown.out
    assert "maybe" in shown.out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("queue", "decide", "7", "accept"), 1, "no candidate 7"),
        (("queue", "decide", "7", "approve"), 2, "not a decision"),
        (("queue", "decide", "x", "accept"), 2, "one candidate's ID"),
        (("queue", "decide", "7", "reject", "--stance", "supports"), 2, "does not go with reject"),
        (("queue", "decide", "7", "snooze"), 2, "--until"),
        (("queue", "decide", "--paper", "0001.00018", "accept"), 2, "go together"),
        (("queue", "decide", "--paper", "nonsense", "--phenomenon", "W2.2", "accept"), 2, "not an arXiv id"),
        (("queue", "decide", "--paper", "0001.00018", "--phenomenon", "Z9", "accept"), 2, "no phenomenon"),
        (("queue", "decide", "--paper", "2001.08361", "--phenomenon", "W2.2", "accept"), 1, "bmp fetch 2001.08361"),
        (("queue", "show", "7"), 1, "no candidate 7"),
        (("queue", "show", HUGE), 2, "not in the range"),
        (("queue", "undo", HUGE), 2, "not in the range"),
        (("queue", "decide", HUGE, "accept"), 2, "not in the range"),
        (("queue", "list", "--limit", HUGE), 2, "not in the range"),
        (("runs", "list", "--limit", HUGE), 2, "not in the range"),
        (("runs", "show", HUGE), 2, "not in the range"),
        (("runs", "show", "1", "--raw", HUGE), 2, "not in the range"),
        (("runs", "show", "1", "--raw", "7"), 2, "no record 7"),
        (("queue", "list", "--phenomenon", "Z9"), 2, "no phenomenon"),
        (("queue", "undo", "7"), 1, "7"),
        (("phenomena", "show", "Z9"), 2, "no phenomenon"),
        (("runs", "show", "99"), 2, "no run 99"),
        (("rank",), 2, "what to rank for"),
        (("rank", "--phenomenon", "w2.2"), 2, "do you mean W2.2?"),
        (("rank", "--phenomenon", "W2.2", "--json", "--format", "trec"), 2, "two formats"),
        (("fetch",), 2, "what to fetch"),
        (("nightly", "--category", "nonsense"), 2, "not an arXiv category"),
        (("nightly", "--since", "2999-01-01"), 2, "2999-01-01 has not begun yet"),
        (("schedule", "--at", "7"), 2, "'--at': must be a time of day in UTC such as 06:30, not '7'"),
        (("backfill", "/nonexistent.jsonl"), 2, "no file"),
        (("backfill", "/nonexistent.jsonl", "--engine", "ray", "--cascade"), 2, "a cluster embeds all papers"),
        (("backfill", "/nonexistent.jsonl", "--workers", "2"), 2, "--engine ray"),
        (("export", "sqlite"), 2, "-o"),
        (("review",), 2, "terminal"),
    ],
)
def test_bad_input_gets_one_line_and_changes_nothing(filled: Bmp, words: tuple[str, ...], code: int, said: str) -> None:
    before = _dump()
    assert_one_line(filled(*words), code, said)
    assert _dump() == before


def _dump() -> list[str]:
    with sqlite3.connect(os.environ["BMP_DB"]) as connection:
        lines = list(connection.iterdump())
    connection.close()
    return lines


def test_a_snoozed_candidate_is_out_of_the_queue(filled: Bmp) -> None:
    assert _decide(filled, "0001.00018", "snooze", "--until", "2999-01-01").json["status"] == "snoozed"
    assert filled("queue", "list", "--json").json == []
    past = _decide(filled, "0001.00018", "snooze", "--until", "2001-01-01")
    assert_one_line(past, 1, "not in the future")


def test_decisions_go_out_to_csv_and_come_back_into_another_database(filled: Bmp, tmp_path: Path) -> None:
    _decide(filled, "0001.00018", "accept", "--note", "=SUM(A1)")
    _decide(filled, "0001.00016", "reject")
    out = tmp_path / "decisions.csv"
    assert filled("queue", "export", out).code == 0
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"))))
    assert [row["decision"] for row in rows] == ["reject", "accept"]  # of one second: by id
    assert rows[1]["note"] == "'=SUM(A1)"
    assert filled("queue", "import", out, "--json").json == {"added": 0, "known": 2, "stranded": {}}
    assert filled("queue", "export", "-").out.replace("\r\n", "\n") == out.read_text(encoding="utf-8")


def test_an_import_with_a_bad_line_imports_nothing(filled: Bmp, tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("phenomenon,arxiv_id,decision\nW2.2,0001.00018,accept\nW2.2,0001.00016,approve\n", encoding="utf-8")
    assert_one_line(filled("queue", "import", path), 2, "line 3", "approve")
    assert filled("queue", "stats", "--json").json["total"]["accepted"] == 0


def test_stats_count_by_phenomenon_and_state(filled: Bmp) -> None:
    _decide(filled, "0001.00018", "accept")
    _decide(filled, "0001.00016", "maybe")
    stats = filled("queue", "stats", "--json").json
    assert stats["phenomena"]["W2.2"]["accepted"] == stats["phenomena"]["W2.2"]["maybe"] == 1
    assert stats["cut"] is None and stats["backlog"] == 0
    assert stats["scores"] == []  # what was brought in by hand has no score
    assert "W2.2" in filled("queue", "stats").out


def test_status_and_runs_have_their_published_shapes(filled: Bmp) -> None:
    status = filled("status", "--json").json
    assert status.keys() >= {
        "papers", "revisions", "phenomena", "pending", "decided", "last_run", "next_run", "database_bytes", "model",
    }  # fmt: skip
    assert status["papers"] == 63
    (run,) = filled("runs", "list", "--json").json
    assert run.keys() >= RUN_KEYS
    assert run["seconds"].keys() == {"harvest", "reconcile", "embed", "match", "total"}
    assert "kind" in filled("runs", "show", run["run_id"]).out


def test_backup_and_restore_bring_a_decision_back(filled: Bmp) -> None:
    _decide(filled, "0001.00018", "accept")
    saved = filled("db", "backup").out.strip()
    filled("queue", "undo")
    restored = filled("db", "restore", saved)
    assert restored.code == 0
    assert "before-restore" in restored.err
    assert filled("queue", "stats", "--json").json["total"]["accepted"] == 1
    assert filled("db", "check").out == "ok\n"


@pytest.mark.parametrize("format_name", ["markdown", "json", "csv", "bibtex"])
def test_an_export_is_the_same_twice_and_to_a_file(filled: Bmp, tmp_path: Path, format_name: str) -> None:
    _decide(filled, "0001.00018", "accept")
    written = tmp_path / "out"
    assert filled("export", format_name, "-o", written).code == 0
    again = tmp_path / "again"
    filled("export", format_name, "-o", again)
    assert written.read_bytes() == again.read_bytes()
    assert b"0001.00018" in written.read_bytes()


def test_settings_show_where_they_come_from(bmp: Bmp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config.toml"
    config.write_text('contact = "ada@example.org"\nreviewer = "grace"\n', encoding="utf-8")
    monkeypatch.setenv("BMP_CONFIG", str(config))
    shown = bmp("config", "show", "--json").json
    assert shown["contact"] == {"value": "ada@example.org", "origin": str(config)}
    assert shown["reviewer"] == {"value": "ada", "origin": "BMP_REVIEWER"}
    assert bmp("config", "path").out.strip() == str(config)


def test_a_configuration_file_that_is_not_there_is_shown_so(
    bmp: Bmp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "config.toml (not found)" in bmp("config", "show").out
    config = tmp_path / "nowhere.toml"
    monkeypatch.setenv("BMP_CONFIG", str(config))
    shown = bmp("config", "show")
    assert shown.code == 2 and f"{config} (not found)" in shown.out and "which BMP_CONFIG names" in shown.err
    assert_one_line(bmp("status"), 2, "there is no file")
    config.touch()
    assert "not found" not in bmp("config", "show").out


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_settings_that_do_not_go_together_are_shown_and_said(
    bmp: Bmp, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("BMP_QUEUE_PRECISION", "0.8")
    monkeypatch.setenv("BMP_QUEUE_THRESHOLD", "0.9")
    shown = bmp("config", "show", *words)
    assert shown.code == 2 and "queue_precision" in shown.out and "are both set" in shown.err


def test_a_night_on_the_demos_database_warns_of_its_papers(filled: Bmp, tmp_path: Path) -> None:
    warning = f"Warning: {os.environ['BMP_DB']} holds the demo's made-up papers"
    with night_lock(Path(os.environ["BMP_DB"])):  # a night that ends at once
        assert warning in filled("nightly").err
    other = tmp_path / "other.db"
    filled("--db", other, "init")
    with night_lock(other):
        assert "Warning" not in filled("--db", other, "nightly").err


def test_a_category_that_is_named_twice_is_asked_for_once(
    bmp: Bmp, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bmp("init")
    today = now_utc().date()
    with ArxivServer(make_papers(3, day=today, categories=["cs.LG"]), today=today) as server:
        for name, value in (("OAI", server.oai_url), ("API", server.api_url), ("RSS", server.rss_url)):
            monkeypatch.setenv(f"BMP_ARXIV_{name}_URL", value)
        monkeypatch.setenv("BMP_ARXIV_DELAY_SECONDS", "0")
        monkeypatch.setenv("BMP_MODEL", str(tiny_model))
        run = bmp("nightly", "--category", "cs.LG", "--category", "stat.ML", "--category", "cs.LG", "--json").json
    assert (run["status"], run["new"], run["categories"]) == ("complete", 3, ["cs.LG", "stat.ML"])


def on_a_terminal(*words: str) -> bytes:
    """Return what a terminal of 100 columns is sent."""
    reader, terminal = pty.openpty()
    environment = {**os.environ, "COLUMNS": "100"}
    try:
        subprocess.run([sys.executable, "-m", "curation", *words], stdout=terminal, env=environment, check=True)
        return os.read(reader, 100_000)
    finally:
        os.close(terminal)
        os.close(reader)


def test_raw_bytes_cannot_steer_a_terminal_and_are_whole_elsewhere(filled: Bmp) -> None:
    raw = "<title>\x1b[2J\x9b2J\u202eÜber\r\n</title>".encode()
    with open_store(Path(os.environ["BMP_DB"])) as store, store.transaction():
        save_malformed(store, 1, "oai", "cs", [Malformed(None, None, "it has no title", raw)])
    assert filled("runs", "show", "1", "--raw", "1").out.encode() == raw
    shown = on_a_terminal("runs", "show", "1", "--raw", "1").decode()
    assert shown == "<title>\\x1b[2J\\x9b2J\\u202eÜber\\r\r\n</title>"


def test_what_is_no_text_is_shown_as_escapes() -> None:
    assert show_controls(b"\xff\x1f\x8b\x08 gz\t\n") == "\\xff\\x1f\\x8b\\x08 gz\t\n"


def test_a_long_error_is_cut_on_a_terminal_only(filled: Bmp) -> None:
    error = "oaipmh.arxiv.org: answered 503 " * 20 + "and that was the end"
    with open_store(Path(os.environ["BMP_DB"])) as store, store.transaction():
        set_run(store, 1, status="failed", error=error)
        start_part(store, 1, "oai", "cs", asked="from 2026-11-20", cursor=None)
        set_part(store, 1, "oai", "cs", error=error)
    for words in (("runs", "list"), ("runs", "show", "1")):
        assert filled(*words).out.splitlines()[-1].endswith("and that was the end")
        assert on_a_terminal(*words).decode().splitlines()[-1].endswith("…")


def test_an_unforeseen_setting_is_refused_in_one_line(
    bmp: Bmp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    config.write_text("colour = 1\n", encoding="utf-8")
    monkeypatch.setenv("BMP_CONFIG", str(config))
    assert_one_line(bmp("status"), 2, "unknown setting 'colour'")


def test_json_is_the_only_thing_on_stdout(filled: Bmp) -> None:
    json.loads(_decide(filled, "0001.00018", "accept").out)
    json.loads(filled("phenomena", "list", "--json").out)


# What the app does, for scripts


def test_a_decision_made_twice_is_refused_and_changes_nothing(filled: Bmp) -> None:
    decided = _decide(filled, "0001.00018", "accept").json
    again = filled("queue", "decide", decided["id"], "accept")
    assert_one_line(again, 1, "already", "accept (supports)")
    assert_one_line(filled("queue", "decide", "--paper", "0001.00018", "--phenomenon", "W2.2", "accept"), 1, "already")
    assert len(filled("queue", "show", decided["id"], "--json").json["history"]) == 1
    assert filled("queue", "decide", decided["id"], "accept", "--note", "why").code == 0
    assert filled("queue", "decide", decided["id"], "accept", "--stance", "mentions").code == 0
    assert len(filled("queue", "show", decided["id"], "--json").json["history"]) == 3


def test_another_reviewers_equal_decision_is_kept(filled: Bmp, monkeypatch: pytest.MonkeyPatch) -> None:
    decided = _decide(filled, "0001.00018", "accept").json
    monkeypatch.setenv("BMP_REVIEWER", "grace")
    history = filled("queue", "decide", decided["id"], "accept", "--json").json["history"]
    assert [event["reviewer"] for event in history][-1] == "grace" and len(history) == 2


def test_redo_makes_again_what_was_taken_back(filled: Bmp) -> None:
    decided = _decide(filled, "0001.00018", "accept", "--stance", "qualifies", "--note", "why").json
    assert_one_line(filled("queue", "redo"), 1, "nothing to make again")
    assert filled("queue", "undo").code == 0
    again = filled("queue", "redo", "--json").json
    assert (again["status"], again["stance"], again["note"]) == ("accepted", "qualifies", "why")
    assert filled("queue", "undo", decided["id"]).code == 0
    assert filled("queue", "decide", decided["id"], "reject").code == 0
    assert_one_line(filled("queue", "redo", decided["id"]), 1, f"nothing on candidate {decided['id']}")


def test_redo_goes_as_far_as_undo_went(filled: Bmp, monkeypatch: pytest.MonkeyPatch) -> None:
    one = _decide(filled, "0001.00018", "maybe").json["id"]
    other = _decide(filled, "0001.00016", "reject").json["id"]
    assert filled("queue", "decide", one, "accept", "--note", "why").code == 0
    for _ in range(3):
        assert filled("queue", "undo").code == 0
    assert_one_line(filled("queue", "undo"), 1, "no decision")
    again = [filled("queue", "redo", "--json").json for _ in range(3)]
    assert [(row["id"], row["status"]) for row in again] == [(one, "maybe"), (other, "rejected"), (one, "accepted")]
    assert_one_line(filled("queue", "redo"), 1, "nothing")
    assert filled("queue", "undo").code == 0
    with monkeypatch.context() as patched:
        patched.setenv("BMP_REVIEWER", "grace")
        assert filled("queue", "decide", one, "reject").code == 0
    assert_one_line(filled("queue", "redo"), 1, "grace decided")


def test_a_re_assignment_that_is_taken_back_leaves_nothing_behind(filled: Bmp) -> None:
    decided = _decide(filled, "0001.00018", "maybe").json
    other = filled("queue", "reassign", decided["id"], "H1.2", "--json").json
    assert other["status"] == "pending"
    assert filled("queue", "undo", decided["id"]).code == 0
    assert_one_line(filled("queue", "show", other["id"]), 1, "no candidate")
    assert filled("queue", "redo").code == 0
    (back,) = filled("queue", "list", "--phenomenon", "H1.2", "--json").json
    assert back["arxiv_id"] == "0001.00018"
    assert filled("queue", "decide", back["id"], "maybe").code == 0
    assert filled("queue", "undo", decided["id"]).code == 0
    assert filled("queue", "show", back["id"], "--json").json["status"] == "maybe", "what was decided stays"


def test_a_marked_sentence_goes_out_to_csv_and_comes_back(filled: Bmp, tmp_path: Path) -> None:
    decided = _decide(filled, "0001.00018", "maybe").json
    words = decided["abstract"].split()[3:9]
    assert filled("queue", "decide", decided["id"], "accept", "--sentence", " ".join(words)).code == 0
    out = tmp_path / "decisions.csv"
    assert filled("queue", "export", out).code == 0
    assert filled("queue", "undo").code == 0
    day = decided["decided_at"][:10]  # of another day it is another decision
    out.write_text(out.read_text(encoding="utf-8").replace(day, "2027-01-01"), encoding="utf-8")
    assert filled("queue", "import", out, "--json").json == {"added": 1, "known": 0, "stranded": {}}
    assert filled("queue", "show", decided["id"], "--json").json["sentence"].split() == words


def test_a_candidate_is_re_assigned(filled: Bmp) -> None:
    decided = _decide(filled, "0001.00018", "maybe").json
    other = filled("queue", "reassign", decided["id"], "H1.2", "--stance", "mentions", "--json").json
    assert (other["phenomenon"], other["status"], other["arxiv_id"]) == ("H1.2", "accepted", "0001.00018")
    assert filled("queue", "show", decided["id"], "--json").json["status"] == "rejected"
    assert_one_line(filled("queue", "reassign", other["id"], "H1.2"), 2, "already")
    assert_one_line(filled("queue", "reassign", other["id"], "Z9"), 2, "Z9")
    assert_one_line(filled("queue", "reassign", 999, "H1.2"), 1, "999")


def test_a_sentence_is_marked_where_the_abstract_has_it(filled: Bmp) -> None:
    decided = _decide(filled, "0001.00018", "maybe").json
    words = decided["abstract"].split()[3:9]
    marked = filled("queue", "decide", decided["id"], "accept", "--sentence", "  ".join(words), "--json").json
    assert marked["sentence"].split() == words
    assert marked["abstract"][marked["sentence_start"] : marked["sentence_end"]] == marked["sentence"]
    evidence = json.loads(filled("export", "json").out)
    assert any(" ".join(words) in json.dumps(entry) for entry in evidence["phenomena"])
    for wrong in ("no such words", " ", "x" * 2000):
        assert_one_line(filled("queue", "decide", decided["id"], "reject", "--sentence", wrong), 1, "sentence")


def test_one_papers_bibtex_entry(filled: Bmp) -> None:
    decided = _decide(filled, "0001.00018", "accept").json
    entry = filled("queue", "show", decided["id"], "--bibtex").out
    assert entry.startswith("@misc{") and "0001.00018" in entry
    assert filled("export", "bibtex").out.split("note =")[0] == entry.rpartition("\n}")[0] + ",\n  "
    assert filled("queue", "show", decided["id"], "--bibtex", "--json").code == 2


def test_other_keys_are_settings_and_wrong_ones_are_told(filled: Bmp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMP_KEYS", "reject=x undo=u,ctrl+z")
    assert filled("config", "show", "--json").json["keys"]["value"] == ["reject=x", "undo=u,ctrl+z"]
    monkeypatch.setenv("BMP_KEYS", "reject")
    assert_one_line(filled("config", "show"), 2, "keys", "reject=x")


def test_the_list_is_searched_and_sorted(filled: Bmp) -> None:
    best = filled("queue", "list", "--json").json
    _decide(filled, "0001.00018", "maybe")
    _decide(filled, "0001.00016", "maybe")
    rows = filled("queue", "list", "--status", "maybe", "--sort", "newest", "--json").json
    assert [row["published"] for row in rows] == sorted((row["published"] for row in rows), reverse=True)
    word = rows[-1]["title"].split()[0]
    found = filled("queue", "list", "--status", "maybe", "--search", word.upper(), "--limit", 1, "--json").json
    assert [row["id"] for row in found] == [rows[-1]["id"]]
    assert filled("queue", "list", "--search", "no such word", "--json").json == []
    assert filled("queue", "list", "--sort", "worst").code == 2
    assert best == filled("queue", "list", "--json").json


def test_nobody_decides_under_the_programs_own_name(filled: Bmp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMP_REVIEWER", "bmp")
    assert_one_line(_decide(filled, "0001.00018", "accept"), 1, "own name")
    assert filled("queue", "stats", "--json").json["total"]["accepted"] == 0
