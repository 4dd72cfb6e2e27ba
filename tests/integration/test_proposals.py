"""Proposals: planted themes come back, what is decided stays away, and an accepted one is an entry with evidence."""

from __future__ import annotations

import os
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from bmp import Bmp, Result
from conftest import NOW
from hypothesis import given, settings
from hypothesis import strategies as st
from made_themes import GROKKING, SCALING, fill, make_field

from crawler.control import Stop, no_progress
from crawler.embed import SentenceTransformerEmbedder, embed_missing
from crawler.models import find_model
from crawler.proposals import Found, propose_entries
from curation.catalogue import render_catalogue
from curation.review import Decision, Review
from db.proposals import Proposal, find_proposal, list_open, list_taken, replace_open
from db.records import Paper, Stance, Verdict
from db.store import Store, open_store
from db.times import to_text

FIELD = make_field()
THEMES = {name: {paper.arxiv_id for paper in papers} for name, papers in FIELD.items() if name != "others"}
PAPERS = [paper for papers in FIELD.values() for paper in papers]
THRESHOLD = 0.95
STAMP = to_text(NOW)
ENTRY = (
    "--code", "H4.1", "--aspect", "how", "--group", "Merging", "--title", "Checkpoints can be averaged",
    "--statement", "Averaging the weights of checkpoints improves the loss.",
)  # fmt: skip


def propose(store: Store, papers: list[Paper] | None = None) -> Found:
    return propose_entries(store, fill(store, PAPERS if papers is None else papers), threshold=THRESHOLD)


def theme_of(proposal: Proposal) -> str | None:
    return next((name for name, ids in THEMES.items() if proposal.papers <= ids), None)


def review(store: Store) -> Review:
    return Review(store, reviewer="ada", clock=lambda: NOW)


def save(store: Store, found: Found) -> int:
    with store.transaction():
        return replace_open(store, found.proposals, now=STAMP)


def test_planted_themes_come_back_with_their_words_and_nothing_else_does(store: Store) -> None:
    found = propose(store)
    assert {theme_of(one) for one in found.proposals} == set(THEMES)
    for one in found.proposals:
        name = theme_of(one)
        assert name is not None
        assert len(one.members) >= 0.8 * len(THEMES[name])
        assert any(name.rstrip("s")[:4] in term for term in one.terms)
        closeness = [member.closeness for member in one.members]
        assert closeness == sorted(closeness, reverse=True)
    assert (found.papers, found.without_vector) == (len(PAPERS), 0)


def test_the_order_in_which_papers_came_changes_nothing(store: Store, tmp_path: Path) -> None:
    shuffled = random.Random(1).sample(PAPERS, len(PAPERS))
    with open_store(tmp_path / "other.db", create=True, clock=lambda: NOW) as other:
        assert propose(other, shuffled).proposals == propose(store).proposals


def test_an_empty_and_a_tiny_database_propose_nothing(store: Store) -> None:
    assert propose(store, []).proposals == []
    assert propose(store, PAPERS[:3]).proposals == []


def test_growth_is_counted_back_from_the_newest_paper(store: Store) -> None:
    merging = next(one for one in propose(store).proposals if theme_of(one) == "merging")
    growth = merging.growth
    assert growth.last_year == len(merging.members)
    assert growth.year_before == 0
    assert growth.relative > 1
    assert growth.quarters[-1][0] == "2026Q4"
    assert sum(papers for _, papers in growth.quarters) == len(merging.members)


def test_what_waits_for_an_entry_or_was_withdrawn_is_not_proposed(store: Store) -> None:
    fill(store, PAPERS)
    with store.transaction():
        for arxiv_id in sorted(THEMES["sinks"]):
            store.insert("candidates", {"arxiv_id": arxiv_id, "phenomenon_code": "W2.2", "queued_at": STAMP})
        marks = ", ".join(f"'{arxiv_id}'" for arxiv_id in THEMES["poison"])
        store.connection.execute(f"UPDATE papers SET withdrawn = 1 WHERE arxiv_id IN ({marks})")
    assert {theme_of(one) for one in propose(store).proposals} == {"merging"}


def test_what_was_rejected_for_an_entry_may_be_proposed(store: Store) -> None:
    fill(store, PAPERS)
    for arxiv_id in sorted(THEMES["sinks"]):
        review(store).decide_paper(arxiv_id, "W2.2", Decision(Verdict.REJECT))
    assert "sinks" in {theme_of(one) for one in propose(store).proposals}


@settings(max_examples=8)
@given(st.lists(st.tuples(st.sampled_from(PAPERS), st.sampled_from(Verdict)), max_size=25))
def test_no_accepted_paper_is_ever_proposed(verdicts: list[tuple[Paper, Verdict]]) -> None:
    with TemporaryDirectory() as folder, open_store(Path(folder) / "a.db", create=True, clock=lambda: NOW) as store:
        fill(store, PAPERS)
        for paper, verdict in dict(verdicts).items():
            if verdict is not Verdict.SNOOZE:
                stance = Stance.SUPPORTS if verdict is Verdict.ACCEPT else None
                review(store).decide_paper(paper.arxiv_id, SCALING.code, Decision(verdict, stance))
        accepted = {paper.arxiv_id for paper, verdict in dict(verdicts).items() if verdict is Verdict.ACCEPT}
        proposed = {arxiv_id for one in propose(store).proposals for arxiv_id in one.papers}
        assert accepted <= list_taken(store)
        assert not proposed & accepted


def test_made_again_open_proposals_keep_their_numbers_and_new_papers_join_them(store: Store) -> None:
    save(store, propose(store, [paper for paper in PAPERS if paper.arxiv_id[-1] != "3"]))
    first = {row["id"]: {paper["arxiv_id"] for paper in find_proposal(store, row["id"])["central"]}
             for row in list_open(store)}  # fmt: skip
    save(store, propose(store))
    for row in list_open(store):
        papers = {paper["arxiv_id"] for paper in find_proposal(store, row["id"])["central"]}
        assert papers >= first[row["id"]]
        assert len(papers) == len(first[row["id"]]) + sum(paper[-1] == "3" for paper in papers)


def test_a_proposal_that_was_dismissed_stays_away(store: Store) -> None:
    found = propose(store)
    save(store, found)
    number = list_open(store)[0]["id"]
    with store.transaction():
        store.connection.execute(
            "UPDATE proposals SET status = 'dismissed', settled_by = 'ada', settled_at = ? WHERE proposal_id = ?",
            (STAMP, number),
        )
    assert save(store, found) == len(found.proposals) - 1
    assert number not in {row["id"] for row in list_open(store)}
    assert find_proposal(store, number)["status"] == "dismissed"


@pytest.fixture
def filled(bmp: Bmp, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bmp:
    """Give the command line on a database with themes, embedded by the tiny model."""
    monkeypatch.setenv("BMP_MODEL", str(tiny_model))
    file = tmp_path / "catalogue.toml"
    file.write_text(render_catalogue([GROKKING, SCALING]), encoding="utf-8")
    assert bmp("init", "--catalogue", file).code == 0
    with open_store(Path(os.environ["BMP_DB"])) as store:
        fill(store, PAPERS, (GROKKING, SCALING))
        model = SentenceTransformerEmbedder(find_model(str(tiny_model), {}))
        embed_missing(store, model, run_id=1, stop=Stop(), progress=no_progress)
    return bmp


def refused(result: Result, *words: str) -> None:
    assert result.code == 2, result.err
    assert result.out == ""
    for word in words:
        assert word in result.err
    assert "Traceback" not in result.err


def test_proposals_are_listed_shown_and_the_same_the_second_time(filled: Bmp) -> None:
    listed = filled("phenomena", "propose", "--json")
    assert listed.code == 0, listed.err
    assert "papers looked at" in listed.err
    rows = listed.json
    assert rows
    assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)
    for row in rows:
        assert {"id", "key", "papers", "terms", "central", "growth", "nearest", "similarity", "tightness"} <= row.keys()
        assert 0 < len(row["central"]) <= 5 <= row["papers"]
    again = filled("phenomena", "propose", "--json", "--limit", "1").json
    assert again == rows[:1]
    shown = filled("phenomena", "propose", "--show", rows[0]["id"], "--json").json
    assert len(shown["central"]) == rows[0]["papers"]
    text = filled("phenomena", "propose", "--show", rows[0]["id"]).out
    assert rows[0]["central"][0]["title"] in text
    assert "By quarter: " in text
    assert rows[0]["terms"][0] in filled("phenomena", "propose").out


def test_an_accepted_proposal_is_an_entry_with_evidence_and_its_other_papers_wait(filled: Bmp) -> None:
    row = filled("phenomena", "propose", "--json").json[0]
    made = filled("phenomena", "propose", "--accept", row["id"], *ENTRY, "--json")
    assert made.code == 0, made.err
    central = [paper["arxiv_id"] for paper in row["central"]]
    assert made.json["code"] == "H4.1"
    assert made.json["accepted"] == central
    entry = filled("phenomena", "show", "H4.1", "--json").json
    assert (entry["references"], entry["keywords"]) == (central, row["terms"])
    assert entry["evidence"]["supports"] == len(central)
    accepted = filled("queue", "list", "--phenomenon", "H4.1", "--status", "accepted", "--json").json
    history = filled("queue", "show", accepted[0]["id"], "--json").json["history"]
    assert [(event["reviewer"], event["kind"]) for event in history] == [("ada", "accept")]
    assert f"proposal {row['id']}" in history[0]["note"]
    waiting = filled("queue", "list", "--phenomenon", "H4.1", "--json").json
    assert {one["arxiv_id"] for one in waiting} == set(made.json["queued"])
    assert len(waiting) == row["papers"] - len(central)
    later = filled("phenomena", "propose", "--json").json
    assert not {paper["arxiv_id"] for one in later for paper in one["central"]} & {*central, *made.json["queued"]}
    refused(filled("phenomena", "propose", "--accept", row["id"], *ENTRY), "was accepted as H4.1 by ada")
    assert filled("db", "check").code == 0


def test_where_the_reviewer_cannot_decide_nothing_of_it_is_written(
    filled: Bmp, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = filled("phenomena", "propose", "--json").json[0]
    monkeypatch.setenv("BMP_REVIEWER", "bmp")
    failed = filled("phenomena", "propose", "--accept", row["id"], *ENTRY)
    assert failed.code != 0
    assert "own name" in failed.err
    monkeypatch.setenv("BMP_REVIEWER", "ada")
    assert {one["code"] for one in filled("phenomena", "list", "--json").json} == {"H1.1", "W2.2"}
    assert filled("queue", "list", "--json").json == []
    assert filled("phenomena", "propose", "--show", row["id"], "--json").json["status"] == "open"


def test_a_new_entry_stands_behind_the_last_of_its_group(filled: Bmp) -> None:
    row = filled("phenomena", "propose", "--json").json[0]
    words = [{"Merging": "Dynamics", "how": "what"}.get(word, word) for word in ENTRY]
    assert filled("phenomena", "propose", "--accept", row["id"], *words).code == 0
    assert [one["code"] for one in filled("phenomena", "list", "--json").json] == ["W2.2", "H4.1", "H1.1"]


def test_what_is_said_for_the_entry_goes_before_what_is_found(filled: Bmp) -> None:
    row = filled("phenomena", "propose", "--json").json[0]
    chosen = row["central"][2]["arxiv_id"]
    said = ("--keyword", "soup", "--keyword", "averaging", "--evidence", f"{chosen}v1", "--stance", "qualifies")
    assert filled("phenomena", "propose", "--accept", row["id"], *ENTRY, *said).code == 0
    entry = filled("phenomena", "show", "H4.1", "--json").json
    assert entry["keywords"] == ["soup", "averaging"]
    assert entry["evidence"] == {"supports": 0, "contradicts": 0, "qualifies": 1, "mentions": 0}


def test_a_dismissed_proposal_is_listed_no_more(filled: Bmp) -> None:
    rows = filled("phenomena", "propose", "--json").json
    assert filled("phenomena", "propose", "--dismiss", rows[0]["id"]).code == 0
    assert [row["id"] for row in filled("phenomena", "propose", "--json").json] == [row["id"] for row in rows[1:]]
    refused(filled("phenomena", "propose", "--dismiss", rows[0]["id"]), "was dismissed by ada")


def test_wrong_words_are_refused_and_nothing_is_written(filled: Bmp) -> None:
    row = filled("phenomena", "propose", "--json").json[0]
    accept = ("phenomena", "propose", "--accept", row["id"])
    refused(filled("phenomena", "propose", "--show", "999"), "there is no proposal 999")
    refused(filled("phenomena", "propose", "--show", "1", "--dismiss", "1"), "say one of them")
    refused(filled("phenomena", "propose", "--code", "H4.1"), "--accept")
    refused(filled(*accept, "--code", "H4.1"), "--aspect is missing")
    refused(filled(*accept, *ENTRY, "--code", "w2.2"), "never given twice")
    refused(filled(*accept, *ENTRY, "--code", "4"), "not a code")
    refused(filled(*accept, *ENTRY, "--evidence", "2001.08361"), "2001.08361 is not a paper of proposal")
    refused(filled(*accept, *ENTRY, "--evidence", "soup"), "not an arXiv id")
    assert {one["code"] for one in filled("phenomena", "list", "--json").json} == {"H1.1", "W2.2"}
    assert filled("queue", "list", "--json").json == []


def test_an_empty_database_has_nothing_to_propose(bmp: Bmp, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMP_MODEL", str(tiny_model))
    assert bmp("init").code == 0
    done = bmp("phenomena", "propose", "--json")
    assert (done.code, done.json) == (0, [])


def test_an_entry_is_written_in_the_editor_from_what_the_proposal_gives(
    filled: Bmp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = filled("phenomena", "propose", "--json").json[0]["id"]
    script = tmp_path / "editor.sh"
    script.write_text(
        """#!/bin/sh
sed -i 's/^code = ""/code = "W9.1"/; s/^group = ""/group = "G"/; s/^title = ""/title = "T"/' "$1"
sed -i 's/^statement = ""/statement = "S."/' "$1"
"""
    )
    script.chmod(0o755)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "true")
    assert "stays open" in filled("phenomena", "propose", "--accept", number).err
    monkeypatch.setenv("EDITOR", str(script))
    made = filled("phenomena", "propose", "--accept", number, "--json").json
    shown = filled("phenomena", "show", "W9.1", "--json").json
    assert made["code"] == "W9.1"
    assert shown["evidence"]["supports"] == len(made["accepted"]) > 0
    assert shown["keywords"]
    assert shown["history"][0]["note"] == f"from proposal {number}"
