"""Merging two databases joins their decisions without loss or double, in any order and any number of times.

`BMP_MACHINE_EXAMPLES=400 pytest tests/integration/test_merge.py` tries as many sequences, other ones each time.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from bmp import Bmp
from conftest import LOADED
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from curation.evidence import load_evidence
from curation.review import Decision, Review
from db.candidates import list_candidates
from db.conflicts import list_conflicts
from db.decisions import list_decisions
from db.errors import DecisionError, StoreError
from db.merging import Merged, merge
from db.papers import save_papers
from db.phenomena import list_phenomena
from db.records import Aspect, Paper, Phenomenon, Stance, Status, Verdict
from db.runs import start_run
from db.store import Store, check, open_copy, open_store
from db.times import to_text
from db.upkeep import save_phenomena

EXAMPLES = int(os.environ.get("BMP_MACHINE_EXAMPLES", "0"))
TOLD: Counter[str] = Counter()

START = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)
CATALOGUE = [
    Phenomenon("W2.2", Aspect.WHAT, "g", "Grokking", "Generalisation comes long after the training loss is zero."),
    Phenomenon("H1.2", Aspect.HOW, "g", "Scaling laws", "The loss falls as a power law."),
]
CODES = [entry.code for entry in CATALOGUE]
PAPERS = ("2611.00001", "2611.00002")
NAMES = ("one", "two", "three")
REVIEWERS = st.sampled_from(("ada", "ben"))
ACCEPT = Decision(Verdict.ACCEPT, Stance.SUPPORTS)
CONTRADICT = Decision(Verdict.ACCEPT, Stance.CONTRADICTS)
REJECT = Decision(Verdict.REJECT)
DECISIONS = st.sampled_from(
    [ACCEPT, CONTRADICT, REJECT, Decision(Verdict.MAYBE), Decision(Verdict.SNOOZE, until=date(2027, 1, 1))]
)


def paper(arxiv_id: str, version: int = 1) -> Paper:
    """Return a version of a paper: every second one has another abstract, every fourth one is withdrawn."""
    moment = START + timedelta(days=version - 10)
    return Paper(
        arxiv_id, version, f"Title of {arxiv_id}", f"Abstract {version // 2}.", ("Ada",), ("cs.LG",), START, moment,
        moment.date(), withdrawn=version % 4 == 0, tells_type=True,
    )  # fmt: skip


def begin(path: Path, *papers: Paper, catalogue: list[Phenomenon] = CATALOGUE) -> Store:
    """Return a new database with these papers."""
    store = open_store(path, create=True)
    with store.transaction():
        save_phenomena(store, catalogue, LOADED)
    save(store, *papers)
    return store


def save(store: Store, *papers: Paper, now: str = to_text(START)) -> None:
    """Save papers as a night does."""
    with store.transaction():
        run_id = start_run(store, kind="nightly", source="oai", categories=[], started_at=now, program_version="test")
        save_papers(store, papers, run_id=run_id, now=now)


def take_in(store: Store, other: Path, *, now: datetime = START) -> Merged:
    """Merge another database into this one."""
    with open_copy(other) as theirs:
        return merge(store, theirs, now=to_text(now), program_version="test")


def review(store: Store, reviewer: str, *, blind: bool = False, now: datetime = START) -> Review:
    """Return the queue in a reviewer's hands."""
    return Review(store, reviewer=reviewer, clock=lambda: now, blind=blind)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    """Give two databases that know the same paper and were never one."""
    with begin(tmp_path / "a.db", paper(PAPERS[0])) as one, begin(tmp_path / "b.db", paper(PAPERS[0])) as other:
        yield one, other


# What two people expect


def test_both_decisions_are_there_once_and_the_conflict_is_told(pair: tuple[Store, Store]) -> None:
    one, other = pair
    made = review(one, "ada").decide_paper(PAPERS[0], "W2.2", ACCEPT)
    review(other, "ben", now=START + timedelta(hours=1)).decide_paper(PAPERS[0], "W2.2", REJECT)
    assert take_in(one, other.path).decisions == 1
    assert take_in(one, other.path) == Merged(0, 1, 0, 0, 0, 0, ())
    row = review(one, "ada").show(made["id"])
    assert row["status"] == "rejected"  # the later of two that were made side by side
    assert [side["reviewer"] for side in row["sides"]] == ["ben", "ada"]
    assert [one["kind"] for one in row["history"]] == ["accept", "reject"]
    [conflict] = review(one, "ada").conflicts()
    assert [side["kind"] for side in conflict["sides"]] == ["reject", "accept"]


def test_a_decision_made_on_both_sides_settles_the_conflict_everywhere(pair: tuple[Store, Store]) -> None:
    one, other = pair
    made = review(one, "ada").decide_paper(PAPERS[0], "W2.2", ACCEPT)
    review(other, "ben", now=START + timedelta(hours=1)).decide_paper(PAPERS[0], "W2.2", REJECT)
    take_in(one, other.path)
    review(one, "cem", now=START - timedelta(days=9)).decide(made["id"], CONTRADICT)  # his clock is behind
    assert list_conflicts(one) == {}
    take_in(other, one.path)
    assert list_conflicts(other) == {}
    for store in pair:
        (row,) = list_candidates(store, today=START.date(), statuses=tuple(Status))
        assert (row["status"], row["stance"], row["reviewer"]) == ("accepted", "contradicts", "cem")
        assert load_evidence(store)["W2.2"][0].stance is Stance.CONTRADICTS


def test_taking_a_settlement_back_brings_the_conflict_back(pair: tuple[Store, Store]) -> None:
    one, other = pair
    made = review(one, "ada").decide_paper(PAPERS[0], "W2.2", ACCEPT)
    review(other, "ben").decide_paper(PAPERS[0], "W2.2", REJECT)
    take_in(one, other.path)
    review(one, "cem").decide(made["id"], CONTRADICT)
    assert list_conflicts(one) == {}
    review(one, "cem").undo()
    assert {side["reviewer"] for side in list_conflicts(one)[made["id"]]} == {"ada", "ben"}


def test_what_was_imported_from_an_earlier_day_does_not_overrule_a_later_decision(
    bmp: Bmp, pair: tuple[Store, Store], tmp_path: Path
) -> None:
    store, _ = pair
    made = review(store, "ada").decide_paper(PAPERS[0], "W2.2", ACCEPT)
    for name in ("ada", "ben"):
        line = f"W2.2,{PAPERS[0]},reject,{name},2026-01-01T00:00:00Z"
        (tmp_path / "in.csv").write_text(
            f"phenomenon,arxiv_id,decision,reviewer,decided_at\n{line}\n", encoding="utf-8"
        )
        assert bmp("--db", store.path, "queue", "import", tmp_path / "in.csv", "--json").json["added"] == 1
        assert review(store, "ada").show(made["id"])["status"] == "accepted"
    assert {side["kind"] for side in list_conflicts(store)[made["id"]]} == {"accept", "reject"}


def test_nothing_is_decided_on_a_text_that_came_meanwhile(pair: tuple[Store, Store]) -> None:
    store, _ = pair
    made = review(store, "ada").decide_paper(PAPERS[0], "W2.2", Decision(Verdict.MAYBE))
    save(store, paper(PAPERS[0], 4))
    with pytest.raises(DecisionError, match="v4 came, a withdrawal"):
        review(store, "ada").decide(made["id"], ACCEPT, seen=made)
    assert review(store, "ada").show(made["id"])["status"] == "maybe"


def test_an_event_that_was_tampered_with_is_refused_whole(pair: tuple[Store, Store]) -> None:
    one, other = pair
    review(other, "ben").decide_paper(PAPERS[0], "W2.2", ACCEPT)
    other.connection.execute("DROP TRIGGER decisions_are_never_changed")
    for change in ("follows = '5'", "turn = 9223372036854775807", "reviewer = 'a' || char(27)", "decided_at = 'now'"):
        before = other.row("SELECT follows, turn, reviewer, decided_at FROM decisions")
        assert before is not None
        other.connection.execute(f"UPDATE decisions SET {change}")
        with pytest.raises(StoreError, match="not written by bmp"):
            take_in(one, other.path)
        other.connection.execute(
            "UPDATE decisions SET follows = :follows, turn = :turn, reviewer = :reviewer, decided_at = :decided_at",
            before,
        )
    assert one.value("SELECT count(*) FROM decisions") == 0
    assert take_in(one, other.path).decisions == 1


def test_equal_decisions_are_no_conflict_and_both_stay(pair: tuple[Store, Store]) -> None:
    one, other = pair
    made = review(one, "ada").decide_paper(PAPERS[0], "W2.2", ACCEPT)
    review(other, "ben").decide_paper(PAPERS[0], "W2.2", ACCEPT)
    take_in(one, other.path)
    assert list_conflicts(one) == {}
    assert {event["reviewer"] for event in review(one, "ada").show(made["id"])["history"]} == {"ada", "ben"}


def test_both_may_take_back_the_same_decision(tmp_path: Path, pair: tuple[Store, Store]) -> None:
    one, other = pair
    made = review(one, "ada").decide_paper(PAPERS[0], "W2.2", ACCEPT)
    take_in(other, one.path)
    for store, name in zip(pair, ("ada", "ben"), strict=True):
        (row,) = list_candidates(store, today=START.date(), statuses=tuple(Status))
        assert review(store, name).undo(row["id"])["status"] == "pending"
    take_in(one, other.path)
    row = review(one, "ada").show(made["id"])
    assert row["status"] == "pending"
    assert [event["kind"] for event in row["history"]] == ["accept", "undo", "undo"]
    assert list_conflicts(one) == {}


def test_papers_and_phenomena_that_are_not_known_come_with_the_decisions(tmp_path: Path) -> None:
    more = [*CATALOGUE, Phenomenon("X1", Aspect.HOW, "g", "Another", "A claim of theirs.")]
    changed = replace(CATALOGUE[0], statement="Said otherwise.")
    with (
        begin(tmp_path / "a.db") as one,
        begin(tmp_path / "b.db", paper(PAPERS[0], 1), catalogue=[changed, *more[1:]]) as other,
    ):
        review(other, "ben").decide_paper(PAPERS[0], "X1", ACCEPT)
        save(other, paper(PAPERS[0], 2))
        merged = take_in(one, other.path)
        assert (merged.papers, merged.phenomena, merged.candidates, merged.differing) == (1, 1, 1, ("W2.2",))
        assert [entry.code for entry in list_phenomena(one)] == ["W2.2", "H1.2", "X1"]
        assert list_phenomena(one)[0].statement == CATALOGUE[0].statement
        (row,) = list_candidates(one, today=START.date(), statuses=tuple(Status))
        assert (row["status"], row["version"]) == ("reopened", 2)
        difference = review(one, "ada").show(row["id"])["difference"]
        assert (difference["from_version"], difference["to_version"]) == (1, 2)
        assert check(one) == []


def test_an_acceptance_of_a_text_that_changed_here_is_re_opened_by_the_merge(pair: tuple[Store, Store]) -> None:
    one, other = pair
    review(other, "ben").decide_paper(PAPERS[0], "W2.2", ACCEPT)
    save(one, paper(PAPERS[0], 2))
    assert take_in(one, other.path).reopened == 1
    (row,) = list_candidates(one, today=START.date())
    assert row["status"] == "reopened"
    save(other, paper(PAPERS[0], 2), now=to_text(START + timedelta(days=1)))  # and by its own night over there
    assert take_in(one, other.path) == Merged(0, 2, 0, 0, 0, 0, ())


def test_a_re_assigned_paper_waits_in_both_databases(pair: tuple[Store, Store]) -> None:
    one, other = pair
    made = review(other, "ben").decide_paper(PAPERS[0], "W2.2", Decision(Verdict.MAYBE))
    review(other, "ben").reassign(made["id"], "H1.2")
    assert take_in(one, other.path).candidates == 2
    assert take_in(other, one.path).candidates == 0
    assert fingerprint(one) == fingerprint(other)
    assert [row["phenomenon"] for row in list_candidates(one, today=START.date())] == ["H1.2"]


# Blind


def test_a_blind_reviewer_sees_nothing_of_what_others_decided(pair: tuple[Store, Store]) -> None:
    store, _ = pair
    made = review(store, "ada").decide_paper(PAPERS[0], "W2.2", Decision(Verdict.ACCEPT, Stance.SUPPORTS, "telling"))
    review(store, "ada").decide_paper(PAPERS[0], "H1.2", REJECT)
    ben = review(store, "ben", blind=True, now=START + timedelta(hours=1))
    assert [row["status"] for row in ben.waiting()] == ["pending", "pending"]
    row = ben.show(made["id"])
    assert "telling" not in json.dumps(row) and "ada" not in json.dumps(row).replace("Ada", "")
    assert [other["status"] for other in row["others"]] == ["pending"]
    with pytest.raises(DecisionError, match="no decision to undo"):
        ben.undo(made["id"])
    with pytest.raises(DecisionError, match="no decision to undo"):
        ben.undo()
    assert ben.decide(made["id"], REJECT, seen=row)["status"] == "rejected"
    assert [side["reviewer"] for side in review(store, "cem").show(made["id"])["sides"]] == ["ben", "ada"]
    assert ben.undo()["status"] == "pending"
    assert review(store, "ada").show(made["id"])["status"] == "accepted"


def test_a_blind_reviewer_sees_no_re_opening_of_what_they_rejected_and_their_own_difference(
    pair: tuple[Store, Store],
) -> None:
    store, _ = pair
    ada = review(store, "ada", blind=True)
    made = ada.decide_paper(PAPERS[0], "W2.2", ACCEPT)
    review(store, "ben", blind=True).decide(made["id"], ACCEPT)
    save(store, paper(PAPERS[0], 2))
    review(store, "ben").decide(made["id"], ACCEPT)
    save(store, paper(PAPERS[0], 6))
    assert ada.show(made["id"])["difference"]["from_version"] == 1
    ada.decide(made["id"], REJECT)
    review(store, "ben").decide(made["id"], ACCEPT)
    save(store, paper(PAPERS[0], 10))
    assert ada.show(made["id"])["status"] == "rejected"


def test_a_re_opening_is_seen_by_the_blind_only_where_they_accepted(pair: tuple[Store, Store]) -> None:
    store, _ = pair
    made = review(store, "ada").decide_paper(PAPERS[0], "W2.2", ACCEPT)
    save(store, paper(PAPERS[0], 2))
    ada, ben = (review(store, name, blind=True).show(made["id"]) for name in ("ada", "ben"))
    assert (ada["status"], ben["status"]) == ("reopened", "pending")
    assert ben["history"] == [] and ben["difference"] is None


# The command


def test_the_command_merges_tells_and_leaves_the_other_file_as_it_was(bmp: Bmp, tmp_path: Path) -> None:
    mine, theirs = tmp_path / "mine.db", tmp_path / "theirs.db"
    for path in (mine, theirs):
        begin(path, paper(PAPERS[0])).close()
    decide = ("queue", "decide", "--paper", PAPERS[0], "--phenomenon", "W2.2")
    assert bmp("--db", mine, *decide, "accept").code == 0
    assert bmp("--db", theirs, *decide, "reject").code == 0
    before = theirs.read_bytes()
    told = bmp("--db", mine, "db", "merge", theirs, "--json")
    assert told.code == 0
    expected = {"decisions": 1, "known": 0, "candidates": 0, "papers": 0, "phenomena": 0, "reopened": 0}
    assert told.json == {**expected, "differing": [], "conflicts": 1, "stranded": {}}
    assert "bmp queue conflicts" in told.err
    assert theirs.read_bytes() == before
    (conflict,) = bmp("--db", mine, "queue", "conflicts", "--json").json
    assert {side["kind"] for side in conflict["sides"]} == {"accept", "reject"}
    assert "In conflict" in bmp("--db", mine, "queue", "show", conflict["id"]).out


@pytest.mark.parametrize("content", [b"", b"not a database, but long enough to be one", None])
def test_what_is_no_database_of_ours_is_refused_in_one_line(bmp: Bmp, tmp_path: Path, content: bytes | None) -> None:
    begin(tmp_path / "mine.db").close()
    other = tmp_path / "other.db"
    if content is not None:
        other.write_bytes(content)
    told = bmp("--db", tmp_path / "mine.db", "db", "merge", other)
    assert told.code == 1 and len(told.err.strip().splitlines()) == 1 and "other.db" in told.err
    itself = bmp("--db", tmp_path / "mine.db", "db", "merge", tmp_path / "mine.db")
    assert itself.code == 1 and "the database itself" in itself.err


def test_what_two_people_labelled_elsewhere_is_a_conflict_and_a_blind_export_holds_the_own_alone(
    bmp: Bmp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(tmp_path / "mine.db", paper(PAPERS[0])).close()
    db = ("--db", tmp_path / "mine.db")
    lines = "phenomenon,arxiv_id,decision,stance,note,reviewer,decided_at\n"
    for name, verdict in (("ada", "accept"), ("ben", "reject")):
        lines += f"W2.2,{PAPERS[0]},{verdict},,,{name},2026-11-01T00:00:00Z\n"
    (tmp_path / "labels.csv").write_text(lines, encoding="utf-8")
    assert bmp(*db, "queue", "import", tmp_path / "labels.csv", "--json").json == {
        "added": 2,
        "known": 0,
        "stranded": {},
    }
    (conflict,) = bmp(*db, "queue", "conflicts", "--json").json
    assert {side["reviewer"] for side in conflict["sides"]} == {"ada", "ben"}
    monkeypatch.setenv("BMP_BLIND", "yes")
    monkeypatch.setenv("BMP_REVIEWER", "ada")
    for words in (("-",), ("-", "--format", "rayyan", "--phenomenon", "W2.2")):
        told = bmp(*db, "queue", "export", *words).out
        assert "ada" in told and "ben" not in told


def test_conflicts_are_not_for_the_blind(bmp: Bmp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(tmp_path / "mine.db").close()
    monkeypatch.setenv("BMP_BLIND", "yes")
    told = bmp("--db", tmp_path / "mine.db", "queue", "conflicts")
    assert told.code == 2 and "blind" in told.err


def test_a_log_of_an_older_version_goes_on_as_the_line_that_it_was(tmp_path: Path) -> None:
    """The step that brought the merge leaves every event what it was, each following the one before it."""
    path = tmp_path / "old.db"
    with begin(path, paper(PAPERS[0])) as store:
        ada = review(store, "ada")
        made = ada.decide_paper(PAPERS[0], "W2.2", ACCEPT)
        for action in (lambda: ada.decide(made["id"], REJECT), ada.undo, lambda: ada.decide(made["id"], CONTRADICT)):
            action()
        before = ada.show(made["id"])
    _to_older_schema(path)
    with open_store(path) as store:
        assert review(store, "ada").show(made["id"]) == before
        events = list_decisions(store, made["id"])
        assert [event["turn"] for event in events] == [1, 2, 3, 4]
        lines = [json.loads(event["follows"]) for event in events]
        assert lines == [[], *([event["event_id"]] for event in events[:-1])]
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            store.connection.execute("DELETE FROM decisions")
        assert check(store) == []


def _to_older_schema(path: Path) -> None:
    """Put the log into the table that it was kept in before, as the version before left it."""
    columns = (
        "decision_id, event_id, candidate_id, kind, stance, note, until, undoes, revision_id, sentence, score,"
        " ranker_version, catalogue_version, reviewer, decided_at, paper_withdrawn"
    )
    from db.migrations import _FIRST_SCHEMA, _WAYS_THROUGH_MILLIONS

    log = next(part for part in _FIRST_SCHEMA.split(";;") if "CREATE TABLE decisions" in part)
    indexes = " ".join(
        f"DROP INDEX IF EXISTS {name};" for name in re.findall(r"CREATE INDEX (\w+)", _WAYS_THROUGH_MILLIONS)
    )
    vectors = next(part for part in _FIRST_SCHEMA.split(";;") if "CREATE TABLE vectors" in part)
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "DROP TRIGGER decisions_are_never_changed; DROP TRIGGER decisions_are_never_deleted;"
            "DROP INDEX decisions_of_candidate; DROP INDEX decisions_undoing;"
            "ALTER TABLE decisions RENAME TO newer;"
            f"{log}; ALTER TABLE decisions ADD COLUMN paper_withdrawn INTEGER NOT NULL DEFAULT 0;"
            "CREATE INDEX decisions_of_candidate ON decisions (candidate_id, decision_id);"
            f"INSERT INTO decisions ({columns}) SELECT {columns} FROM newer; DROP TABLE newer;"
            f"{indexes} DROP TABLE vectors; DROP TABLE engines; DROP TABLE sifts; DROP TABLE named_papers; {vectors};"
            "DROP TABLE proposal_members; DROP TABLE proposals;"
            "DROP TABLE catalogue_changes; ALTER TABLE phenomena DROP COLUMN retired;"
            "ALTER TABLE phenomena DROP COLUMN superseded_by;"
            "DELETE FROM _sqlite_migrations WHERE name >= 'm0008'; PRAGMA user_version = 7;"
        )
    connection.close()


# Any sequence


@dataclass(frozen=True, slots=True)
class Event:
    """An event as the model knows it; `parents` are those that nothing had followed, `version` the paper's then.

    A re-opening has neither turn, time nor version: every database that makes it does so on what it knows.
    """

    event_id: str
    pair: tuple[str, str]
    kind: str
    stance: str | None
    undoes: str | None
    reviewer: str
    parents: frozenset[str]
    turn: int
    decided_at: str
    version: int
    place: str


Log = dict[str, Event]


def sees(log: Log, one: Event, mine: str | None) -> bool:
    """Tell whether a reviewer sees an event; without a name everybody sees all."""
    if mine is None or one.reviewer == mine:
        return True
    own = [other for other in log.values() if other.pair == one.pair and other.reviewer == mine]
    undone = {other.undoes for other in own}
    stack = [
        other for other in own if other.kind != "undo" and other.event_id not in undone and place(other) < place(one)
    ]
    return one.kind == "reopen" and bool(stack) and max(stack, key=place).kind == "accept"


def place(one: Event) -> str:
    """Return what events are ordered by: turn, time, id; a re-opening stands right behind its acceptance."""
    if one.kind != "reopen":
        assert one.place == f"{one.turn:010d} {one.decided_at} {one.event_id}"
    return one.place


def view(log: Log, pair: tuple[str, str], mine: str | None = None) -> list[Event]:
    """Return what a reviewer sees of a candidate's events."""
    return sorted((one for one in log.values() if one.pair == pair and sees(log, one, mine)), key=place)


def in_force(log: Log, pair: tuple[str, str], mine: str | None = None) -> Event | None:
    """Return the event that the state rests on: of those not undone none follows it."""
    events = view(log, pair, mine)
    undone = {one.undoes for one in events}
    live = [one for one in events if one.kind != "undo" and one.event_id not in undone]
    if not live:
        return None
    followed = {ancestor for one in live for ancestor in ancestors(log, one) - {one.event_id}}
    assert live[-1].event_id not in followed
    return live[-1]


def ancestors(log: Log, one: Event) -> set[str]:
    """Return the event with all that it follows, near or far."""
    found, waiting = set[str](), {one.event_id}
    while waiting:
        found.add(event_id := waiting.pop())
        waiting |= log[event_id].parents - found
    return found


def heads(log: Log, pair: tuple[str, str], mine: str | None = None) -> frozenset[str]:
    """Return the events that nothing follows."""
    events = view(log, pair, mine)
    return frozenset(one.event_id for one in events) - frozenset(parent for one in events for parent in one.parents)


def text_of(version: int) -> tuple[str, bool]:
    """Return what re-opens: the text, and whether it is withdrawn."""
    return paper(PAPERS[0], version).abstract, paper(PAPERS[0], version).withdrawn


def is_outdated(version: int, present: int) -> bool:
    """Tell whether an acceptance of a version does not stand any more."""
    (old, was_withdrawn), (new, withdrawn) = text_of(version), text_of(present)
    return old != new or withdrawn > was_withdrawn


def fingerprint(store: Store, *, reopenings: bool = True) -> dict[Any, Any]:
    """Return what a database comes to, in keys that every database shares.

    Args:
        reopenings: with the program's own events; which of them a database made hangs on what it knew when.
    """
    sides = list_conflicts(store)
    found: dict[Any, Any] = {}
    for row in list_candidates(store, today=START.date(), statuses=tuple(Status)):
        found[row["arxiv_id"], row["phenomenon"]] = (
            row["status"],
            row["stance"],
            row["version"],
            row["withdrawn"],
            [
                event["event_id"]
                for event in list_decisions(store, row["id"])
                if reopenings or event["kind"] != "reopen"
            ],
            [side["event_id"] for side in sides.get(row["id"], [])],
        )
    return found


class Databases(RuleBasedStateMachine):
    """Three databases whose reviewers decide, take back, harvest and merge as they like."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="merge-"))
        self.open = ExitStack()
        self.stores: dict[str, Store] = {}
        self.logs: dict[str, Log] = {name: {} for name in NAMES}
        self.versions: dict[str, dict[str, int]] = {name: dict.fromkeys(PAPERS, 1) for name in NAMES}
        self.minutes = 0
        self.copies = 0

    @initialize()
    def begin(self) -> None:
        """Three copies of one database."""
        begin(self.folder / "base.db", *(paper(arxiv_id) for arxiv_id in PAPERS)).close()
        for name in NAMES:
            self.stores[name] = self._copy_of(self.folder / "base.db")

    @rule(
        name=st.sampled_from(NAMES),
        arxiv_id=st.sampled_from(PAPERS),
        code=st.sampled_from(CODES),
        decision=DECISIONS,
        reviewer=REVIEWERS,
        blind=st.booleans(),
        skew=st.integers(-9, 9),
    )
    def decide(
        self, name: str, arxiv_id: str, code: str, decision: Decision, reviewer: str, blind: bool, skew: int
    ) -> None:
        """Somebody decides; clocks are not to be trusted."""
        mine = reviewer if blind else None
        desk = review(self.stores[name], reviewer, blind=blind, now=self._now(skew))
        if self._is_repeat(name, (arxiv_id, code), decision, reviewer, mine):
            with pytest.raises(DecisionError, match="already"):
                desk.decide_paper(arxiv_id, code, decision)
            return
        desk.decide_paper(arxiv_id, code, decision)
        self._take(name, (arxiv_id, code), decision.verdict.value, decision.stance, reviewer, mine)

    @rule(
        name=st.sampled_from(NAMES),
        arxiv_id=st.sampled_from(PAPERS),
        code=st.sampled_from(CODES),
        reviewer=REVIEWERS,
        blind=st.booleans(),
    )
    def undo(self, name: str, arxiv_id: str, code: str, reviewer: str, blind: bool) -> None:
        """Somebody takes back what is in force by what they see."""
        store, mine = self.stores[name], reviewer if blind else None
        found = store.value(
            "SELECT candidate_id FROM candidates WHERE (arxiv_id, phenomenon_code) = (?, ?)", (arxiv_id, code)
        )
        newest = in_force(self.logs[name], (arxiv_id, code), mine)
        if found is None:
            return
        if newest is None or newest.kind == "reopen":
            with pytest.raises(DecisionError):
                review(store, reviewer, blind=blind, now=self._now()).undo(found)
            return
        review(store, reviewer, blind=blind, now=self._now()).undo(found)
        self._take(name, (arxiv_id, code), "undo", None, reviewer, mine, undoes=newest.event_id)
        self._take_reopenings(name)

    @rule(name=st.sampled_from(NAMES), arxiv_id=st.sampled_from(PAPERS), steps=st.integers(1, 3))
    def harvest(self, name: str, arxiv_id: str, steps: int) -> None:
        """A night brings a newer version."""
        version = self.versions[name][arxiv_id] = self.versions[name][arxiv_id] + steps
        save(self.stores[name], paper(arxiv_id, version), now=to_text(self._now()))
        self._take_reopenings(name)

    @rule(into=st.sampled_from(NAMES), name=st.sampled_from(NAMES))
    def merge(self, into: str, name: str) -> None:
        """One is merged into another; the other way round comes to the same, and once more brings nothing."""
        if into == name:
            return
        with self._copy_of(self.stores[name].path) as there:
            take_in(there, self.stores[into].path, now=self._now())
            merged = take_in(self.stores[into], self.stores[name].path, now=self._now())
            assert fingerprint(self.stores[into]) == fingerprint(there)
        new = set(self.logs[name]) - set(self.logs[into])
        assert (merged.decisions, merged.known) == (len(new), len(self.logs[name]) - len(new))
        self.logs[into] = self.logs[name] | self.logs[into]
        for arxiv_id in PAPERS:
            self.versions[into][arxiv_id] = max(self.versions[into][arxiv_id], self.versions[name][arxiv_id])
        self._take_reopenings(into)
        again = take_in(self.stores[into], self.stores[name].path, now=self._now())
        assert again == Merged(0, len(self.logs[name]), 0, 0, 0, 0, ())
        TOLD["merges"] += 1

    @invariant()
    def every_log_holds_what_was_decided_and_nothing_else(self) -> None:
        """Event by event, whichever way it came."""
        for name, store in self.stores.items():
            assert read_log(store) == self.logs[name]
        TOLD["steps"] += 1

    @invariant()
    def every_candidate_stands_as_its_log_implies(self) -> None:
        """For all, and for each reviewer who is blind."""
        words = {"accept": "accepted", "reject": "rejected", "snooze": "snoozed", "reopen": "reopened"}
        for name, store in self.stores.items():
            for mine in (None, "ada", "ben"):
                for row in list_candidates(store, today=START.date(), statuses=tuple(Status), mine=mine):
                    force = in_force(self.logs[name], (row["arxiv_id"], row["phenomenon"]), mine)
                    assert row["status"] == (words.get(force.kind, force.kind) if force else "pending")
                    assert row["stance"] == (force.stance if force else None)

    @invariant()
    def every_conflict_is_told_and_no_other(self) -> None:
        """Decisions that differ, where neither was made on top of the other."""
        for name, store in self.stores.items():
            log = self.logs[name]
            undone = {one.undoes for one in log.values()}
            expected: set[tuple[str, str]] = set()
            for pair in {one.pair for one in log.values()}:
                live = [one for one in view(log, pair) if one.kind != "undo" and one.event_id not in undone]
                tops = [
                    one
                    for one in live
                    if not any(one is not other and one.event_id in ancestors(log, other) for other in live)
                ]
                if len({(one.kind, one.stance) for one in tops if one.kind != "reopen"}) > 1:
                    expected.add(pair)
            rows = list_candidates(store, today=START.date(), statuses=tuple(Status))
            pairs = {row["id"]: (row["arxiv_id"], row["phenomenon"]) for row in rows}
            assert {pairs[key] for key in list_conflicts(store)} == expected

    @invariant()
    def no_acceptance_of_an_older_text_stands(self) -> None:
        """What is published is of the paper as it is."""
        for name, store in self.stores.items():
            for pieces in load_evidence(store).values():
                for piece in pieces:
                    present = self.versions[name][piece.arxiv_id]
                    assert piece.status is Status.REOPENED or not is_outdated(piece.version, present)

    def teardown(self) -> None:
        """In whatever order all are merged, all come to the same."""
        try:
            ends = [self._merged_in_order(order) for order in permutations(NAMES)] if self.stores else []
            assert all(end == ends[0] for end in ends)
            for store in self.stores.values():
                assert check(store) == []
            TOLD["sequences"] += 1
        finally:
            self.open.close()
            shutil.rmtree(self.folder)

    def _is_repeat(self, name: str, pair: tuple[str, str], decision: Decision, reviewer: str, mine: str | None) -> bool:
        newest = in_force(self.logs[name], pair, mine)
        said = (decision.verdict.value, decision.stance, reviewer)
        if newest is None or (newest.kind, newest.stance, newest.reviewer) != said:
            return False
        return text_of(newest.version) == text_of(self.versions[name][pair[0]])

    def _merged_in_order(self, order: tuple[str, ...]) -> Mapping[Any, Any]:
        with self._copy_of(self.stores[order[0]].path) as store:
            for name in order[1:]:
                take_in(store, self.stores[name].path, now=self._now())
            return fingerprint(store, reopenings=False)

    def _copy_of(self, path: Path) -> Store:
        self.copies += 1
        target = self.folder / f"{self.copies}.db"
        with open_copy(path) as there:
            shutil.copy(there.path, target)
        return self.open.enter_context(open_store(target))

    def _now(self, skew: int = 0) -> datetime:
        self.minutes += 1
        return START + timedelta(minutes=self.minutes + 60 * skew)

    def _take(
        self,
        name: str,
        pair: tuple[str, str],
        kind: str,
        stance: str | None,
        reviewer: str,
        mine: str | None,
        *,
        undoes: str | None = None,
    ) -> None:
        """Take the one new event of a candidate into the model, as it must be."""
        log = self.logs[name]
        new = [one for one in read_log(self.stores[name]).values() if one.event_id not in log and one.pair == pair]
        one = min(new, key=place)
        version = 0 if kind == "reopen" else self.versions[name][pair[0]]
        force = in_force(log, pair)
        reopened = frozenset({force.event_id}) if force and kind == "reopen" else None
        expected = (kind, stance, undoes, reviewer, reopened or heads(log, pair, mine), version)
        assert (one.kind, one.stance, one.undoes, one.reviewer, one.parents, one.version) == expected
        if kind != "reopen":
            assert one.turn > max((other.turn for other in view(log, pair, mine)), default=0)
        log[one.event_id] = one

    def _take_reopenings(self, name: str) -> None:
        """Take in what re-opened acceptances that do not stand any more."""
        for pair in sorted({one.pair for one in self.logs[name].values()}):
            force = in_force(self.logs[name], pair)
            if force and force.kind == "accept" and is_outdated(force.version, self.versions[name][pair[0]]):
                self._take(name, pair, "reopen", None, "bmp", None)
                again = in_force(self.logs[name], pair)
                assert again is not None and again.place == f"{force.place} {again.event_id}"


def read_log(store: Store) -> Log:
    """Return a database's log in the model's words."""
    rows = store.rows(
        "SELECT d.*, c.arxiv_id, c.phenomenon_code, u.event_id AS undone_id, r.version FROM decisions d"
        " JOIN candidates c USING (candidate_id) JOIN revisions r ON r.revision_id = d.revision_id"
        " LEFT JOIN decisions u ON u.decision_id = d.undoes"
    )
    return {
        row["event_id"]: Event(
            row["event_id"],
            (row["arxiv_id"], row["phenomenon_code"]),
            row["kind"],
            row["stance"],
            row["undone_id"],
            row["reviewer"],
            frozenset(json.loads(row["follows"])),
            0 if row["kind"] == "reopen" else row["turn"],
            "" if row["kind"] == "reopen" else row["decided_at"],
            0 if row["kind"] == "reopen" else row["version"],
            row["place"],
        )
        for row in rows
    }


@pytest.mark.slow
def test_any_sequence_of_decisions_undos_nights_and_merges_leaves_what_the_logs_imply() -> None:
    TOLD.clear()
    examples = {"max_examples": EXAMPLES, "derandomize": False} if EXAMPLES else {"max_examples": 60}
    run_state_machine_as_test(
        Databases,
        settings=settings(
            **examples,  # type: ignore[arg-type]
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(dict(TOLD))
    assert TOLD["sequences"] and TOLD["merges"]
