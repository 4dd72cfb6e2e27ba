"""The exports: complete, the same bytes from the same database, and safe whatever a title holds."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from conftest import LOADED, NOW

from curation.export.write import EXPORTERS, write_export
from curation.review import Decision, Review
from db.errors import ExportError, UsageError
from db.papers import save_papers
from db.records import Aspect, Paper, Phenomenon, Stance, Verdict
from db.runs import start_run
from db.store import open_store
from db.times import to_text
from db.upkeep import save_phenomena

HOSTILE = (
    "=HYPERLINK(1)",
    "+1 is a title",
    "[x](javascript:alert(1)) <script>alert(1)</script>",
    "# Heading | pipe `tick` *star*",
    r"\input{/etc/passwd} $\write18{ls}$ 100% & {unbalanced",
    "</td>&lt;\u00e9\u6f22\u5b57",
)
STANCES = (Stance.SUPPORTS, Stance.CONTRADICTS, Stance.QUALIFIES, Stance.MENTIONS)


def _fill(path: Path, *, backwards: bool = False) -> None:
    with open_store(path, create=True) as store:
        moment = datetime(2026, 11, 1, tzinfo=UTC)
        papers = [
            Paper(
                f"2611.{number:05d}", 1, title, f"{title} abstract.", ("Ada Byron", title), ("cs.LG",), moment, moment,
                date(2026, 11, 1),
            )
            for number, title in enumerate(HOSTILE, 1)
        ]  # fmt: skip
        with store.transaction():
            run_id = start_run(
                store, kind="nightly", source="oai", categories=[], started_at=to_text(NOW), program_version="test"
            )
            save_phenomena(
                store,
                [
                    Phenomenon("H1.1", Aspect.HOW, "Scaling", "Loss falls", "A power law.", references=("2001.08361",)),
                    Phenomenon("W2.2", Aspect.WHAT, "Dynamics", "Grokking", "Late generalisation."),
                ],
                LOADED,
            )
            save_papers(store, reversed(papers) if backwards else papers, run_id=run_id, now=to_text(NOW))
        for number, paper in enumerate(papers):
            review = Review(store, reviewer="ada", clock=lambda number=number: NOW + timedelta(minutes=number))
            stance = STANCES[number % len(STANCES)]
            review.decide_paper(paper.arxiv_id, "W2.2", Decision(Verdict.ACCEPT, stance, f"note {paper.title}"))


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    path = tmp_path / "filled.db"
    _fill(path)
    return path


def _export(path: Path, format_name: str, target: Path) -> bytes:
    with open_store(path) as store:
        write_export(store, format_name, target, io.BytesIO())
    return target.read_bytes()


@pytest.mark.parametrize("format_name", EXPORTERS)
def test_the_same_content_gives_the_same_bytes_in_whatever_order_it_came(tmp_path: Path, format_name: str) -> None:
    _fill(tmp_path / "one.db")
    _fill(tmp_path / "two.db", backwards=True)
    one, two = (_export(tmp_path / f"{name}.db", format_name, tmp_path / f"{name}.out") for name in ("one", "two"))
    assert one == two
    assert one == _export(tmp_path / "one.db", format_name, tmp_path / "again.out")


def test_json_holds_all_evidence_without_loss(filled: Path, tmp_path: Path) -> None:
    content = json.loads(_export(filled, "json", tmp_path / "out"))
    grokking = next(one for one in content["phenomena"] if one["code"] == "W2.2")
    assert sorted(piece["title"] for piece in grokking["evidence"]) == sorted(HOSTILE)
    assert sum(grokking["counts"].values()) == len(HOSTILE)
    assert content["last_change"] == to_text(NOW + timedelta(minutes=len(HOSTILE) - 1))


def test_csv_has_no_formula(filled: Path, tmp_path: Path) -> None:
    text = _export(filled, "csv", tmp_path / "out").decode("utf-8")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert len(rows) == 1 + len(HOSTILE)
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_markdown_lets_nothing_from_outside_be_markup(filled: Path, tmp_path: Path) -> None:
    text = _export(filled, "markdown", tmp_path / "out").decode("utf-8")
    assert not re.search(r"(?<!\\)<script", text)
    assert not re.search(r"(?<!\\)\]\(javascript", text)
    assert not re.search(r"^# Heading", text, re.MULTILINE)
    for number in range(1, len(HOSTILE) + 1):
        assert f"https://arxiv.org/abs/2611.{number:05d}v1" in text
    for word in ("How", "What", "Grokking", "Late generalisation", "Loss falls", "https://arxiv.org/abs/2001.08361"):
        assert word in text


def test_bibtex_is_balanced_and_runs_no_command(filled: Path, tmp_path: Path) -> None:
    text = _export(filled, "bibtex", tmp_path / "out").decode("utf-8")
    keys = re.findall(r"^@misc\{([a-z0-9]+),$", text, re.MULTILINE)
    assert len(keys) == len(set(keys)) == len(HOSTILE)
    unescaped = re.sub(r"\\[{}\\]", "", text)
    assert unescaped.count("{") == unescaped.count("}")
    assert not re.search(r"\\(input|write18)", text)


def test_the_sqlite_export_is_sound_and_has_its_views(filled: Path, tmp_path: Path) -> None:
    _export(filled, "sqlite", tmp_path / "out.db")
    connection = sqlite3.connect(f"file:{tmp_path / 'out.db'}?mode=ro", uri=True)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("SELECT count(*) FROM evidence").fetchone() == (len(HOSTILE),)
    views = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'view'")}
    assert {"evidence_by_phenomenon", "balance"} <= views
    for view in views:
        connection.execute(f"SELECT * FROM {view}").fetchall()
    connection.close()


def test_re_opened_evidence_is_listed_apart(filled: Path, tmp_path: Path) -> None:
    with open_store(filled) as store:
        moment = datetime(2026, 11, 20, tzinfo=UTC)
        withdrawn = Paper(
            "2611.00001", 2, HOSTILE[0], "Gone.", ("Ada Byron",), ("cs.LG",), moment, moment, date(2026, 11, 20),
            withdrawn=True,
        )  # fmt: skip
        with store.transaction():
            save_papers(store, [withdrawn], run_id=1, now=to_text(NOW + timedelta(days=1)))
    content = json.loads(_export(filled, "json", tmp_path / "out"))
    grokking = next(one for one in content["phenomena"] if one["code"] == "W2.2")
    assert sum(grokking["counts"].values()) == len(HOSTILE) - 1
    assert b"nder review" in _export(filled, "markdown", tmp_path / "out.md")


def test_a_target_that_cannot_be_written_is_told_and_nothing_is_left(filled: Path, tmp_path: Path) -> None:
    with open_store(filled) as opened:
        for target in (tmp_path, tmp_path / "no" / "folder", filled):
            with pytest.raises(ExportError):
                write_export(opened, "json", target, io.BytesIO())
        with pytest.raises(UsageError, match="-o"):
            write_export(opened, "sqlite", None, io.BytesIO())
    assert not list(tmp_path.glob("*.part"))
