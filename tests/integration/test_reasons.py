"""Reasons from the night to the reader: stored with the match, shown as they were known then."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlite_utils import Migrations
from tui.sample_queue import HITS, fill, sample_papers

from curation.catalogue import load_catalogue
from curation.cli.root import cli
from curation.review import Review
from db.matches import Match, save_match
from db.migrations import migrations
from db.papers import save_papers
from db.records import Neighbour, RaisingWord, Reasons, Sentence
from db.store import Store, open_store
from db.text import text_hash

NOW = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)
NEAR = "0001.00018"
REASONS = Reasons(
    (RaisingWord("compute-optimal", 0.4), RaisingWord("scaling\x1b[31m law", 0.2)), (Neighbour(NEAR, 0.714),)
)


def fill_one(store: Store, reasons: Reasons | None = REASONS) -> dict[str, Any]:
    """Queue one paper with its reasons, and return the revision."""
    fill(store, sample_papers(), load_catalogue(), [])
    revision = store.row("SELECT * FROM revisions WHERE arxiv_id = ?", (HITS[0].arxiv_id,))
    assert revision is not None
    end = revision["abstract"].index(".") + 1
    sentence = Sentence(revision["abstract"][:end], 0, end)
    with store.transaction():
        for _ in range(2):  # the second is there already
            save_match(store, 1, Match(revision["revision_id"], "H1.2", 0.97, sentence, reasons))
        store.connection.execute(
            "INSERT INTO candidates (arxiv_id, phenomenon_code, match_id, queued_at)"
            " SELECT ?, 'H1.2', match_id, '2026-11-24T06:30:00Z' FROM matches",
            (HITS[0].arxiv_id,),
        )
    return revision


def show(store: Store) -> dict[str, Any]:
    return Review(store, reviewer="ada", clock=lambda: NOW).show(1)


def test_reasons_are_kept_with_the_match_and_said_in_words(store: Store) -> None:
    revision = fill_one(store)
    kept = store.row("SELECT * FROM match_reasons")
    assert kept is not None and kept["text_hash"] == revision["text_hash"]
    row = show(store)
    near = store.value("SELECT title FROM revisions WHERE arxiv_id = ?", (NEAR,))
    assert row["reasons"] == [
        "scored 0.97 for H1.2 by ranker 1",
        "words: compute-optimal, scaling[31m law",
        f"near what was accepted: {NEAR} {near} (0.71)",
    ]
    assert row["because"]["words"][0] == {"term": "compute-optimal", "share": 0.4}
    title = store.value("SELECT title FROM revisions WHERE arxiv_id = ?", (NEAR,))
    assert row["because"]["nearest"] == [{"arxiv_id": NEAR, "title": title, "cosine": 0.714}]


def test_the_sentence_can_be_checked(store: Store) -> None:
    fill_one(store)
    row = show(store)
    assert text_hash(row["title"], row["abstract"]) == row["text_hash"]
    assert row["abstract"][row["sentence_start"] : row["sentence_end"]] == row["sentence"]


def test_after_a_change_the_hash_is_that_of_the_older_text_and_the_span_is_none(store: Store) -> None:
    revision = fill_one(store)
    paper = next(one for one in sample_papers() if one.arxiv_id == revision["arxiv_id"])
    changed = {"abstract": "Another text.", "version": paper.version + 1}
    with store.transaction():
        save_papers(store, [type(paper)(**{**_as_dict(paper), **changed})], run_id=1, now="2026-11-25T00:00:00Z")
    row = show(store)
    assert (row["sentence_start"], row["sentence_end"]) == (None, None)
    assert row["text_hash"] == revision["text_hash"] != text_hash(row["title"], row["abstract"])
    assert row["sentence"] and revision["abstract"].startswith(row["sentence"])


def _as_dict(paper: Any) -> dict[str, Any]:
    return {name: getattr(paper, name) for name in type(paper).__slots__}


def test_queue_show_gives_reasons_as_text_and_as_json(store: Store) -> None:
    fill_one(store)
    store.close()
    command = ["--db", str(store.path), "queue", "show", "1"]
    text = CliRunner().invoke(cli, command).output
    assert "words: compute-optimal" in text and f"{NEAR} " in text and "(0.71)" in text and "\x1b" not in text
    row = json.loads(CliRunner().invoke(cli, [*command, "--json"]).stdout)
    assert all(isinstance(reason, str) for reason in row["reasons"])
    assert row.keys() >= {"because", "sentence_start", "sentence_end", "text_hash"}


def test_a_match_of_before_has_no_reasons_but_its_score(store: Store) -> None:
    fill_one(store, None)
    row = show(store)
    assert row["reasons"] == ["scored 0.97 for H1.2 by ranker 1"]
    assert row["because"] == {"words": [], "nearest": []}
    assert row["text_hash"] == text_hash(row["title"], row["abstract"])


def test_a_database_of_before_the_reasons_is_upgraded(tmp_path: Path) -> None:
    older = Migrations("bmprinciples")
    older._migrations = [step for step in migrations._migrations if step.name < "m0005"]
    path = tmp_path / "old.db"
    with open_store(path, create=True, clock=lambda: NOW, schema=older) as store:
        later = {  # columns that later steps bring
            ("rankings", "precision"): "REAL",
            ("rankings", "decided"): "INTEGER",
            ("decisions", "place"): "TEXT",
            ("phenomena", "retired"): "INTEGER NOT NULL DEFAULT 0",
            ("phenomena", "superseded_by"): "TEXT NOT NULL DEFAULT '[]'",
        }
        store.connection.execute("CREATE TABLE catalogue_changes (code, kind, before, after, note, author, changed_at)")
        for (table, name), kind in later.items():
            store.connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")
        store.connection.execute("CREATE INDEX matches_of_ranking ON matches (ranking_id)")
        fill_one(store, None)
        store.connection.execute("DROP INDEX matches_of_ranking")
        for table, name in later:
            store.connection.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
        store.connection.execute("DROP TABLE catalogue_changes")
    with open_store(path, clock=lambda: NOW) as store:
        assert show(store)["because"] == {"words": [], "nearest": []}
        assert store.value("SELECT count(*) FROM match_reasons") == 0


@pytest.mark.parametrize("column", ["terms", "nearest"])
def test_only_json_is_kept(store: Store, column: str) -> None:
    fill_one(store)
    with pytest.raises(Exception, match="CHECK"):
        store.connection.execute(f"UPDATE match_reasons SET {column} = 'x['")
