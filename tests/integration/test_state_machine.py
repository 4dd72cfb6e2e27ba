"""Any sequence of nights, faults, kills, decisions and restores keeps the three promises; a dict is the model.

`BMP_MACHINE_EXAMPLES=400 pytest tests/integration/test_state_machine.py` tries as many sequences, other ones each time.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl

import httpx
import pytest
from conftest import LOADED
from fakes import CATEGORIES, SETS, FakeTime, HashEmbedder
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from loopback import api, faults, oai, rss, taxonomy
from loopback.answer import Answer
from loopback.papers import MadePaper, MadeVersion

from crawler import learning
from crawler.nightly import Night, run_night
from crawler.reconcile import Reconciliation
from crawler.sources.http import Pace, PoliteClient
from crawler.sources.identifiers import IdentifierList
from crawler.sources.oai import OaiSource, category_set
from crawler.sources.query import IdsSource, QueryApi
from crawler.sources.rss import RssFeed
from curation.review import Decision, Review
from db.candidates import list_candidates
from db.errors import DecisionError
from db.missing import count_missing
from db.records import Aspect, Phenomenon, Stance, Status, Verdict
from db.runs import find_cursor, find_first_day, list_runs
from db.store import Store, backup, backup_path, check, open_store, restore
from db.times import to_text
from db.upkeep import save_phenomena

EXAMPLES = int(os.environ.get("BMP_MACHINE_EXAMPLES", "0"))
FIRST_DAY = date(2026, 11, 20)  # a Friday
NIGHT_AT = time(6, 30, tzinfo=UTC)
ADDRESS = "http://arxiv.test"
THRESHOLD = 0.02  # about half of all pairs
CATALOGUE = [
    Phenomenon("W2.2", Aspect.WHAT, "g", "Grokking", "Generalisation comes long after the training loss is zero."),
    Phenomenon("H1.2", Aspect.HOW, "g", "Scaling laws", "The loss falls as a power law in compute and data."),
    Phenomenon("W4", Aspect.WHAT, "g", "Double descent", "The test error falls, rises and falls with model size."),
]
SUBJECTS = ("cs.LG", "stat.ML cs.LG", "cs.AI cs.CL", "stat.ML", "cs.CV cs.LG", "cs.DB", "hep-th", "stat.ME")
WORDS = ("grokking", "power law", "loss", "compute", "double descent", "generalisation", "model size", "training")


# The world


class Text(NamedTuple):
    """What the record keeps of a revision, and what is compared."""

    version: int
    title: str
    abstract: str
    withdrawn: bool


def text_of(paper: MadePaper) -> Text:
    """Return what is to be stored of a paper as arXiv has it now."""
    return Text(paper.newest.number, paper.title, paper.abstract, paper.newest.source_type == "I")


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault of one answer for good, however often it is asked for; `lasting` spoils all that is asked later, too.

    Answers are counted from 1 on by what was asked; asking again is no new answer.
    """

    fault: faults.Fault
    at: int
    lasting: bool = False


@dataclass(slots=True)
class World:
    """arXiv without a socket: its papers, its clock, and what goes wrong tonight."""

    page_size: int = 4
    today: date = FIRST_DAY
    papers: dict[str, MadePaper] = field(default_factory=dict)
    ever: set[tuple[str, Text]] = field(default_factory=set)
    trouble: Trouble | None = None
    moves: dict[int, int] = field(default_factory=dict)
    failed: bool = False
    moved: bool = False
    _asked: dict[str, int] = field(default_factory=dict)
    _seconds: int = 0
    _made: int = 0

    @property
    def now(self) -> datetime:
        """The server's clock; each look at it lasts a second, so that no two changes happen at once."""
        self._seconds += 1
        return datetime.combine(self.today, time(1), UTC) + timedelta(seconds=self._seconds)

    def put(self, paper: MadePaper) -> None:
        """Add or replace a paper."""
        self.papers[paper.arxiv_id] = paper
        self.ever.add((paper.arxiv_id, text_of(paper)))

    def announce(self, categories: str) -> None:
        """Add a new paper."""
        self._made += 1
        now = self.now
        versions = (MadeVersion(1, now - timedelta(days=1), "D", 9),)
        title, abstract = self.new_title(), self.new_abstract()
        arxiv_id, subjects = f"2611.{self._made:05d}", tuple(categories.split())
        self.put(MadePaper(arxiv_id, versions, title, abstract, ("Ada Okafor",), subjects, None, now))

    def new_title(self) -> str:
        """Return a title that no paper had."""
        self._made += 1
        return f"On {WORDS[self._made % 8]} and {WORDS[self._made % 5]}, part {self._made}"

    def new_abstract(self) -> str:
        """Return an abstract that no paper had."""
        self._made += 1
        words = [WORDS[self._made * step % 8] for step in (1, 3, 5)]
        return f"We study {words[0]} in setting {self._made}. The {words[1]} follows the {words[2]} in every run."

    def pass_days(self, days: int) -> None:
        """Let days pass."""
        self.today += timedelta(days=days)
        self._seconds = 0 if days else self._seconds

    def wanted(self) -> dict[str, MadePaper]:
        """Return the papers of a wanted category."""
        return {key: paper for key, paper in self.papers.items() if not set(CATEGORIES).isdisjoint(paper.categories)}

    def begin_night(self, trouble: Trouble | None = None, moves: dict[int, int] | None = None) -> None:
        """Count the answers from one on, and plan what goes wrong."""
        self.trouble, self.moves = trouble, dict(moves or {})
        self.failed = self.moved = False
        self._asked.clear()

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer a request as the stand-in on loopback does."""
        path, query = request.url.path, request.url.query.decode()
        number = self._asked.setdefault(f"{path}?{query}", len(self._asked) + 1)
        answer = self._answer(number, path, query)
        headers = [("Content-Type", answer.content_type), *answer.headers]
        return httpx.Response(answer.status, headers=headers, content=answer.body)

    def _answer(self, number: int, path: str, query: str) -> Answer:
        repository = oai.Repository(self.papers, self.now, f"{ADDRESS}/oai", self.page_size)
        arguments = dict(parse_qsl(query, keep_blank_values=True))

        def respond(asked: str) -> Answer:
            return self._respond(path, asked, repository)

        call = faults.Call(number, path, query, arguments, self.papers, repository, respond)
        if self.trouble and (number == self.trouble.at or (self.trouble.lasting and number > self.trouble.at)):
            self.failed = True
            return self.trouble.fault.answer(call)
        if arguments.get("verb") == "ListRecords" and number in self.moves:
            before = dict(self.papers)
            answer = faults.MovedBetweenPages(self.moves.pop(number)).answer(call)
            self.moved |= before != self.papers
            return answer
        return call.good()

    def _respond(self, path: str, query: str, repository: oai.Repository) -> Answer:
        pairs = parse_qsl(query, keep_blank_values=True)
        if path == "/oai":
            return Answer(200, "text/xml", oai.respond(pairs, repository).encode())
        if path == "/api/query":
            status, feed = api.respond(dict(pairs), list(self.papers.values()), repository.now)
            return Answer(status, "application/atom+xml", feed.encode())
        return rss.respond(path.rpartition("/")[2], rss.Newsroom(self.papers.values(), self.today, repository.now))


# The record, on a file that a kill can hit


class Killed(BaseException):
    """The process is gone: nothing of ours may catch this and write on."""


class MortalConnection(sqlite3.Connection):
    """A connection that can be told at which statement the process is killed, before it is done or just after."""

    left = 0
    done_first = False
    is_dead = False

    def kill_at(self, statement: int, *, done_first: bool) -> None:
        """Kill at so many statements from now."""
        self.left, self.done_first = statement, done_first

    def spare(self) -> None:
        """Kill no more."""
        self.left = 0

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """Run a statement, or die."""
        return self._live(lambda: super(MortalConnection, self).execute(*arguments))

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        """Run a statement many times, or die."""
        return self._live(lambda: super(MortalConnection, self).executemany(*arguments))

    def _live(self, run: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        if self.is_dead:
            raise Killed
        self.left -= 1
        if self.left != 0:
            return run()
        if self.done_first:
            run()
        self.is_dead = True
        raise Killed


def connect(path: Path) -> tuple[Store, MortalConnection]:
    """Open the file as the product does, but mortal, and without waiting for the disk."""
    connection = sqlite3.connect(path, isolation_level=None, factory=MortalConnection)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = OFF")
    return Store(path, connection), connection


@cache
def fresh_database() -> bytes:
    """Return the bytes of a database that holds the catalogue and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fresh.db"
        with open_store(path, create=True) as store, store.transaction():
            save_phenomena(store, CATALOGUE, LOADED)
        return path.read_bytes()


class NightTime(FakeTime):
    """A stop that waits no time, and is asked to stop at a certain report of progress."""

    def __init__(self, stop_at: int = 0) -> None:
        super().__init__()
        self._left = stop_at

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """Take a report of progress."""
        self._left -= 1
        if self._left == 0:
            self.request()


def one_night(store: Store, world: World, stop: NightTime, *, since: date | None = None) -> tuple[dict[str, Any], bool]:
    """Run a night at half past six, reconciliation and all; return its row, and whether it was stopped."""
    clock = lambda: datetime.combine(world.today, NIGHT_AT)  # noqa: E731
    client = PoliteClient(
        Pace(delay_seconds=3, max_wait_seconds=60, read_timeout_seconds=10),
        user_agent="tests",
        stop=stop,
        transport=httpx.MockTransport(world.handle),
        monotonic=stop.monotonic,
        wall_clock=clock,
    )
    feeds = [RssFeed(client, f"{ADDRESS}/rss", category) for category in CATEGORIES]
    lists = [
        IdentifierList(client, f"{ADDRESS}/oai", category_set(category), clock=clock, every_days=7)
        for category in CATEGORIES
    ]
    checks = Reconciliation(
        [*feeds, *lists],
        look_up=lambda ids: IdsSource(QueryApi(client, f"{ADDRESS}/api/query"), ids),
        patience=lambda: client.patience(60),
        overdue_after=timedelta(days=14),
    )
    night = Night(
        store=store,
        kind="nightly",
        source=OaiSource(client, f"{ADDRESS}/oai", SETS, clock=clock, first_night_days=7),
        make_embedder=lambda _: HashEmbedder(),
        categories=CATEGORIES,
        threshold=THRESHOLD,
        program_version="0",
        clock=clock,
        stop=stop,
        progress=stop.progress,
        since=since,
        reconciliation=checks,
        monotonic=stop.monotonic,
    )
    try:
        outcome = run_night(night)
    finally:
        client.close()
    return outcome.run, outcome.interrupted


def read_stored(store: Store) -> dict[str, Text]:
    """Return the papers as they stand in the record."""
    rows = store.rows(
        "SELECT arxiv_id, version, title, abstract, withdrawn FROM papers JOIN revisions USING (revision_id, arxiv_id)"
    )
    return {row.pop("arxiv_id"): Text(**{**row, "withdrawn": bool(row["withdrawn"])}) for row in rows}


def read_queue(store: Store) -> dict[tuple[str, str], tuple[float, int | None]]:
    """Return the score and the sentence of each queued pair whose match is of the paper's present revision."""
    rows = store.rows(
        "SELECT c.arxiv_id, c.phenomenon_code, m.score, m.sentence_start FROM candidates c"
        " JOIN papers p USING (arxiv_id)"
        " JOIN matches m ON m.match_id = c.match_id AND m.revision_id = p.revision_id WHERE NOT p.withdrawn"
    )
    return {(row["arxiv_id"], row["phenomenon_code"]): (row["score"], row["sentence_start"]) for row in rows}


# The model


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the log: its row, in which `undoes` is an event's id, and what the paper was then."""

    row: dict[str, Any]
    seen: Text

    @property
    def candidate(self) -> int:
        """Return what it is an event of."""
        return int(self.row["candidate_id"])

    @property
    def kind(self) -> str:
        """Return what happened."""
        return str(self.row["kind"])


@dataclass(slots=True)
class Model:
    """What must be so."""

    stored: dict[str, Text] = field(default_factory=dict)
    candidates: dict[int, tuple[str, str]] = field(default_factory=dict)
    log: list[Event] = field(default_factory=list)
    first_day: str | None = None
    passed_over: set[str] = field(default_factory=set)  # by pages, in a night that came to no reconciliation

    def in_force(self, candidate: int) -> Event | None:
        """Return the event that a candidate's state rests on: a stack, from which an undo takes."""
        stack: list[Event] = []
        for one in self.log:
            if one.candidate == candidate:
                if one.kind == "undo":
                    assert stack and stack.pop().row["event_id"] == one.row["undoes"]
                else:
                    stack.append(one)
        return stack[-1] if stack else None

    def status(self, candidate: int, today: date) -> str:
        """Return how a candidate stands."""
        newest = self.in_force(candidate)
        if newest is None:
            return "pending"
        if newest.kind == "snooze":
            return "snoozed" if str(newest.row["until"]) > today.isoformat() else "pending"
        words = {"accept": "accepted", "reject": "rejected", "maybe": "maybe", "reopen": "reopened"}
        return words[newest.kind]

    def accepted_of(self, arxiv_id: str) -> list[int]:
        """Return the accepted candidates of a paper."""
        own = [key for key, (paper, _) in self.candidates.items() if paper == arxiv_id]
        return [key for key in own if (newest := self.in_force(key)) and newest.kind == "accept"]

    def newest_of(self, reviewer: str) -> int | None:
        """Return the candidate of a reviewer's newest decision that is in force."""
        forces = [newest for key in self.candidates if (newest := self.in_force(key))]
        own = [one for one in forces if one.row["reviewer"] == reviewer and one.kind != "reopen"]
        return max(own, key=self.log.index).candidate if own else None


def reopening(before: Text, after: Text) -> str | None:
    """Return why an acceptance does not stand when a paper changed from one text to another, or None if it does."""
    if after.withdrawn and not before.withdrawn:
        return f"v{after.version} was withdrawn"
    if (before.title, before.abstract) != (after.title, after.abstract):
        return f"v{after.version} changed the title or the abstract"
    return None


# The machine


def standing(paper: MadePaper) -> MadePaper:
    """Return a paper whose newest version stands, though an older one may have been withdrawn."""
    *older, newest = paper.versions
    return replace(paper, versions=(*older, newest._replace(source_type="D")), comments=None)


DECISIONS = st.sampled_from(
    [
        *(Decision(Verdict.ACCEPT, stance) for stance in Stance),
        Decision(Verdict.ACCEPT, Stance.SUPPORTS, note="two lines\nof a note"),
        Decision(Verdict.REJECT),
        Decision(Verdict.MAYBE, note="ask Bo"),
        Decision(Verdict.SNOOZE),
    ]
)
TROUBLES = st.builds(
    Trouble,
    st.sampled_from([faults.Unavailable(), faults.Truncated(), faults.ServerError(404), faults.Forbidden()]),
    st.integers(1, 24),
    st.booleans(),
)
MOVES = st.dictionaries(st.integers(1, 8), st.integers(1, 3), min_size=1, max_size=3)
REVIEWERS = st.sampled_from(["ada", "bo"])
ANY = st.integers(0, 99)
CHANGES: dict[str, Callable[[World, MadePaper], MadePaper]] = {
    "abstract": lambda world, paper: standing(paper.revised(world.now, abstract=world.new_abstract())),
    "title": lambda world, paper: standing(paper.revised(world.now, title=world.new_title())),
    "version": lambda world, paper: standing(paper.revised(world.now)),
    "mended": lambda world, paper: replace(paper.touched(world.now), abstract=world.new_abstract()),
    "withdrawn": lambda world, paper: paper if text_of(paper).withdrawn else paper.withdrawn(world.now),
    "touched": lambda world, paper: paper.touched(world.now),
}
NEWS = st.lists(
    st.tuples(st.sampled_from(["announce", "announce", *CHANGES]), st.sampled_from(SUBJECTS), ANY),
    min_size=1,
    max_size=8,
)


class Nights(RuleBasedStateMachine):
    """A few weeks in the life of a record."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="bmp-machine-"))
        self.path = self.folder / "bmp.db"
        self.path.write_bytes(fresh_database())
        self.store, self.connection = connect(self.path)
        self.world = World()
        self.model = Model()
        self.saved: list[tuple[Path, Model]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.teardown()

    @initialize(
        page_size=st.integers(2, 6),
        subjects=st.lists(st.sampled_from(SUBJECTS), min_size=1, max_size=10),
        first=st.sampled_from([True, True, False]),
    )
    def begin(self, page_size: int, subjects: Sequence[str] = (), first: bool = False) -> None:
        """Open arXiv, with the papers of the first day, which mostly has a good night."""
        self.world.page_size = page_size
        self.announce(*subjects)
        if first:
            self.night()

    # The days

    @rule(news=NEWS, days=st.just(0) | st.integers(1, 4) | st.integers(1, 40))
    def let_things_happen(self, news: Sequence[tuple[str, str, int]], days: int) -> None:
        """Let days pass, and papers be announced, revised, withdrawn or touched on the last of them."""
        self.world.pass_days(days)
        for kind, subjects, which in news:
            if kind == "announce":
                self.announce(subjects)
            elif self.world.papers:
                self.change(kind, self._paper(which))

    def announce(self, *subjects: str) -> None:
        """Announce a paper for each of these lines of categories."""
        for line in subjects:
            self.world.announce(line)

    def change(self, kind: str, paper: MadePaper) -> None:
        """Change a paper: a new version, a text that is mended without one, a withdrawal, or the datestamp alone."""
        self.world.put(CHANGES[kind](self.world, paper))

    # The nights

    @rule(again=st.booleans())
    def night(self, again: bool = False) -> None:
        """Run an undisturbed night, and perhaps the same once more: then there is nothing to do."""
        run, _ = self._night()
        assert run["status"] in ("complete", "quiet"), run
        if again:
            revisions = self.store.value("SELECT count(*) FROM revisions")
            run, _ = self._night()
            assert {run[name] for name in ("new", "changed", "withdrawn", "embedded", "matched", "queued")} == {0}, run
            assert run["status"] == "quiet"
            assert self.store.value("SELECT count(*) FROM revisions") == revisions

    @rule(moves=MOVES)
    def night_with_moves(self, moves: dict[int, int]) -> None:
        """Run a night in which records move between the pages: what these pass over is found all the same."""
        run, _ = self._night(moves=moves)
        assert run["status"] in ("complete", "quiet"), run

    @rule(trouble=TROUBLES, moves=st.none() | MOVES)
    def night_with_trouble(self, trouble: Trouble, moves: dict[int, int] | None = None) -> None:
        """Run a night in which an answer fails for good, and records may move."""
        self._night(trouble=trouble, moves=moves)

    @rule(stop_at=st.integers(1, 10), moves=st.none() | MOVES)
    def stopped_night(self, stop_at: int, moves: dict[int, int] | None) -> None:
        """Ask a night to stop at one of its reports of progress."""
        self._night(stop_at=stop_at, moves=moves)

    @rule(statement=st.integers(1, 300), done_first=st.booleans(), moves=st.none() | MOVES)
    def killed_night(self, statement: int, done_first: bool, moves: dict[int, int] | None) -> None:
        """Kill a night at one of its statements."""
        self._night(kill=(statement, done_first), moves=moves)

    # The people

    @precondition(lambda self: self.model.candidates)
    @rule(
        session=st.lists(st.tuples(ANY, DECISIONS | st.none(), st.integers(1, 20)), min_size=1, max_size=6),
        reviewer=REVIEWERS,
    )
    def decide(self, session: Sequence[tuple[int, Decision | None, int]], reviewer: str) -> None:
        """Decide some candidates one after the other, or take decisions back."""
        for which, wanted, days in session:
            key = self._candidate(which)
            if wanted is None:
                self._undo(key, reviewer)
                continue
            decision = self._dated(wanted, days)
            if self._is_repeat(key, decision, reviewer):
                with pytest.raises(DecisionError, match="already"):
                    self._review(reviewer).decide(key, decision)
                continue
            row = self._review(reviewer).decide(key, decision)
            self._take_verdict(key, decision, reviewer)
            assert row["status"] == self.model.status(key, self.world.today)

    @rule(reviewer=REVIEWERS)
    def undo_newest(self, reviewer: str) -> None:
        """Take back a reviewer's newest decision."""
        self._undo(None, reviewer)

    @precondition(lambda self: self.model.stored)
    @rule(which=ANY, code=st.sampled_from([one.code for one in CATALOGUE]), decision=DECISIONS, reviewer=REVIEWERS)
    def decide_by_hand(self, which: int, code: str, decision: Decision, reviewer: str) -> None:
        """Decide on a paper that need not have been queued."""
        arxiv_id = sorted(self.model.stored)[which % len(self.model.stored)]
        decision = self._dated(decision, 3)
        known = [key for key, pair in self.model.candidates.items() if pair == (arxiv_id, code)]
        if known and self._is_repeat(known[0], decision, reviewer):
            with pytest.raises(DecisionError, match="already"):
                self._review(reviewer).decide_paper(arxiv_id, code, decision)
            return
        row = self._review(reviewer).decide_paper(arxiv_id, code, decision)
        self.model.candidates.setdefault(row["id"], (arxiv_id, code))
        self._take_verdict(row["id"], decision, reviewer)

    @precondition(lambda self: self.model.candidates)
    @rule(which=ANY, statement=st.integers(1, 8), done_first=st.booleans(), decision=DECISIONS)
    def killed_decision(self, which: int, statement: int, done_first: bool, decision: Decision) -> None:
        """Kill the process while a decision is made: it is there whole or not at all."""
        key = self._candidate(which)
        decision = self._dated(decision, 3)
        if self._is_repeat(key, decision, "ada"):
            return
        self.connection.kill_at(statement, done_first=done_first)
        with suppress(Killed):
            self._review("ada").decide(key, decision)
        self._reopen()
        if self.store.value("SELECT count(*) FROM decisions") > len(self.model.log):
            self._take_verdict(key, decision, "ada")

    @rule()
    def back_up(self) -> None:
        """Make a backup."""
        target = backup_path(self.path, self._clock)
        backup(self.store, target)
        self.saved.append((target, deepcopy(self.model)))

    @precondition(lambda self: self.saved)
    @rule(which=ANY)
    def restore(self, which: int) -> None:
        """Go back to a backup."""
        source, model = self.saved[which % len(self.saved)]
        self.store.close()
        restore(self.path, source, clock=self._clock)
        self.store, self.connection = connect(self.path)
        self.model = deepcopy(model)

    # What holds at any time

    @invariant()
    def the_file_is_sound(self) -> None:
        """SQLite finds no fault with it."""
        TOLD["steps"] += 1
        assert check(self.store) == []

    @invariant()
    def each_paper_is_there_once_and_as_arxiv_had_it(self) -> None:
        """No revision is made up or kept twice, and no paper of another category is kept."""
        rows = self.store.rows("SELECT arxiv_id, version, title, abstract FROM revisions")
        kept = [tuple(row.values()) for row in rows]
        assert len(set(kept)) == len(kept)
        assert set(kept) <= {(arxiv_id, *text[:3]) for arxiv_id, text in self.world.ever}
        stored = read_stored(self.store)
        assert stored == self.model.stored
        assert set(stored) <= set(self.world.wanted())
        assert set(stored.items()) <= self.world.ever

    @invariant()
    def no_decision_is_lost_or_changed(self) -> None:
        """The log is the model's, event by event."""
        assert self._read_log() == [one.row for one in self.model.log]

    @invariant()
    def each_candidate_stands_as_its_log_says(self) -> None:
        """And the candidates are those that were there before."""
        rows = list_candidates(self.store, today=self.world.today, statuses=list(Status))
        assert {row["id"]: (row["arxiv_id"], row["phenomenon"]) for row in rows} == self.model.candidates
        assert {row["id"]: row["status"] for row in rows} == {
            key: self.model.status(key, self.world.today) for key in self.model.candidates
        }

    @invariant()
    def no_cursor_is_beyond_what_is_stored(self) -> None:
        """What lies before it is stored, or known to be missing."""
        assert self._behind_cursors() - self._missing() - self.model.passed_over == set()

    def teardown(self) -> None:
        """Two undisturbed nights, a week apart, bring all that was ever announced."""
        try:
            if sys.exc_info()[0] is None:
                self._check_end()
        finally:
            self.store.close()
            shutil.rmtree(self.folder)

    def _check_end(self) -> None:
        self.world.pass_days(1)
        self.night()
        self.world.pass_days(7)
        self.night(again=True)
        self.the_file_is_sound()
        self.no_decision_is_lost_or_changed()
        assert self._not_current() == set()
        assert self.model.passed_over == set()
        assert count_missing(self.store, now=datetime.max.replace(tzinfo=UTC)) == 0
        path = self.folder / "other.db"
        path.write_bytes(fresh_database())
        other, _ = connect(path)
        with other:
            seen = {key: paper for key, paper in self.world.papers.items() if key in self.model.stored}
            one_night(other, replace(self.world, papers=seen, page_size=2500), NightTime(), since=date(2026, 11, 1))
            assert read_stored(other) == self.model.stored
            assert read_queue(other) == read_queue(self.store)
        TOLD["sequences"] += 1
        TOLD["nights"] += len(list_runs(self.store))

    # How it is done

    def _night(
        self,
        *,
        trouble: Trouble | None = None,
        moves: dict[int, int] | None = None,
        stop_at: int = 0,
        kill: tuple[int, bool] = (0, False),
    ) -> tuple[dict[str, Any], bool]:
        """Run a night, take what it did into the model, and hold its row against what there is."""
        self.world.begin_night(trouble, moves)
        self.connection.kill_at(kill[0], done_first=kill[1])
        run, broken_off = dict[str, Any](), True
        with suppress(Killed):
            run, broken_off = one_night(self.store, self.world, NightTime(stop_at))
        self._reopen()
        self._take_night()
        if self.world.moved and (broken_off or self.world.failed):
            self.model.passed_over |= self._not_current() - self._missing()
        self.model.passed_over &= self._not_current()
        if run:
            self._judge(run)
        return run, broken_off

    def _reopen(self) -> None:
        """Go on after a kill as the next process does."""
        if self.connection.is_dead:
            self.store.close()
            self.store, self.connection = connect(self.path)
        self.connection.spare()

    def _take_night(self) -> None:
        """Take what a night stored, with the re-openings that follow from it: one for each acceptance, and no other."""
        before, self.model.stored = self.model.stored, read_stored(self.store)
        assert set(before) <= set(self.model.stored)
        expected = {
            key: reason
            for arxiv_id, text in before.items()
            if (reason := reopening(text, self.model.stored[arxiv_id]))
            for key in self.model.accepted_of(arxiv_id)
        }
        new = self._read_log()[len(self.model.log) :]
        assert sorted(row["candidate_id"] for row in new) == sorted(expected)
        for row in new:
            values = {"kind": "reopen", "note": expected[row["candidate_id"]], "reviewer": "bmp"}
            self._take({"candidate_id": row["candidate_id"], **values}, at=NIGHT_AT)
        rows = self.store.rows("SELECT candidate_id, arxiv_id, phenomenon_code FROM candidates")
        candidates = {row["candidate_id"]: (row["arxiv_id"], row["phenomenon_code"]) for row in rows}
        assert self.model.candidates.items() <= candidates.items()
        assert len(set(candidates.values())) == len(candidates)
        self.model.candidates = candidates
        first_day = find_first_day(self.store)
        assert self.model.first_day in (None, first_day)
        self.model.first_day = first_day

    def _judge(self, run: dict[str, Any]) -> None:
        """Hold a run's row against what there is: a night cannot lie."""
        assert run["status"] != "running"
        assert [one["run_id"] for one in list_runs(self.store) if one["status"] == "running"] == []
        if run["status"] in ("complete", "quiet"):
            assert (run["status"] == "complete") == (run["new"] + run["changed"] > 0)
            assert run["error"] is None
            assert self._not_current() - self.model.passed_over == set(), "a night said that all is there"
        passes = [one for one in run["parts"] if one["source"] == "identifiers" and one["error"] is None]
        if len(passes) == len(CATEGORIES) and not self.world.failed and run["error"] is None:
            assert self.model.passed_over == set()

    def _not_current(self) -> set[str]:
        """Return the papers, changed since the first night, that are not stored as arXiv has them."""
        first = self.model.first_day or "9999"
        return {
            key
            for key, paper in self.world.wanted().items()
            if paper.datestamp.isoformat() >= first and self.model.stored.get(key) != text_of(paper)
        }

    def _behind_cursors(self) -> set[str]:
        """Return those of them that lie before a cursor."""
        cursors = {name: find_cursor(self.store, "oai", name) or "" for name in SETS}
        papers = self.world.papers
        return {
            key
            for key in self._not_current()
            if any(
                papers[key].datestamp.isoformat() < cursor and taxonomy.is_member(papers[key].categories, name)
                for name, cursor in cursors.items()
            )
        }

    def _missing(self) -> set[str]:
        rows = self.store.rows("SELECT arxiv_id FROM missing_papers WHERE settled_at IS NULL")
        return {row["arxiv_id"] for row in rows}

    def _undo(self, asked: int | None, reviewer: str) -> None:
        """Take back the decision on a candidate, or a reviewer's newest; what it brings back may not stand any more."""
        key = self.model.newest_of(reviewer) if asked is None else asked
        newest = None if key is None else self.model.in_force(key)
        if key is None or newest is None or newest.kind == "reopen":
            with pytest.raises(DecisionError):
                self._review(reviewer).undo(asked)
            return
        self._review(reviewer).undo(asked)
        self._take({"candidate_id": key, "kind": "undo", "undoes": newest.row["event_id"], "reviewer": reviewer})
        back, paper = self.model.in_force(key), self.model.stored[self.model.candidates[key][0]]
        if back and back.kind == "accept" and (why := outdated(back.seen, paper)):
            self._take({"candidate_id": key, "kind": "reopen", "note": why, "reviewer": "bmp"})

    def _take_verdict(self, key: int, decision: Decision, reviewer: str) -> None:
        until = decision.until.isoformat() if decision.until else None
        values = {"kind": decision.verdict.value, "stance": decision.stance and decision.stance.value}
        self._take({"candidate_id": key, **values, "note": decision.note, "until": until, "reviewer": reviewer})

    def _take(self, values: dict[str, Any], *, at: time | None = None) -> None:
        """Take an event into the model: what it is is known, its id is learned from the log."""
        expected = dict.fromkeys(("stance", "note", "until", "undoes")) | values
        expected["decided_at"] = to_text(datetime.combine(self.world.today, at) if at else self._clock())
        row = self._read_log()[len(self.model.log)]
        seen = self.model.stored[self.model.candidates[row["candidate_id"]][0]]
        assert {name: row[name] for name in expected} == expected
        self.model.log.append(Event(row, seen))

    def _read_log(self) -> list[dict[str, Any]]:
        return self.store.rows(
            "SELECT d.event_id, d.candidate_id, d.kind, d.stance, d.note, d.until, u.event_id AS undoes, d.reviewer,"
            " d.decided_at FROM decisions d LEFT JOIN decisions u ON u.decision_id = d.undoes ORDER BY d.decision_id"
        )

    def _review(self, reviewer: str) -> Review:
        return Review(self.store, reviewer=reviewer, clock=self._clock)

    def _clock(self) -> datetime:
        return datetime.combine(self.world.today, time(9), UTC)

    def _dated(self, decision: Decision, days: int) -> Decision:
        until = self.world.today + timedelta(days=days) if decision.verdict is Verdict.SNOOZE else None
        return replace(decision, until=until)

    def _is_repeat(self, key: int, decision: Decision, reviewer: str) -> bool:
        """Tell whether a reviewer decided so already, on the paper as it is."""
        newest = self.model.in_force(key)
        until = decision.until.isoformat() if decision.until else None
        words = (decision.verdict.value, decision.stance and decision.stance.value, decision.note, until, reviewer)
        names = ("kind", "stance", "note", "until", "reviewer")
        if newest is None or tuple(newest.row[name] for name in names) != words:
            return False
        return newest.seen[1:] == self.model.stored[self.model.candidates[key][0]][1:]

    def _candidate(self, which: int) -> int:
        """Pick a candidate; every other time one that was decided, if there is any."""
        decided = {one.candidate for one in self.model.log}
        among = sorted(decided if decided and which % 2 else self.model.candidates)
        return among[which // 2 % len(among)]

    def _paper(self, which: int) -> MadePaper:
        """Pick a paper; every other time one on which somebody decided, if there is any."""
        decided = {self.model.candidates[one.candidate][0] for one in self.model.log}
        among = sorted(decided if decided and which % 2 else self.world.papers)
        return self.world.papers[among[which // 2 % len(among)]]


TOLD: Counter[str] = Counter()


def outdated(seen: Text, now: Text) -> str | None:
    """Return why an acceptance that an undo brought back does not stand any more, or None if it does."""
    if seen != now and now.withdrawn:
        return f"v{now.version} was withdrawn"
    return reopening(seen, now)


@pytest.fixture(autouse=True)
def by_text_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let scores depend on paper and claim alone, so that the model can foretell them.

    What papers and decisions at hand do to them is tested by itself (test_learning.py), and after kills
    (test_kill_anywhere.py).
    """
    monkeypatch.setattr(learning, "list_at_hand", lambda store, model_id, limit: [])
    monkeypatch.setattr(learning, "list_verdicts", lambda store, codes: [])


@pytest.mark.slow
def test_any_sequence_of_nights_faults_kills_and_decisions_keeps_the_promises() -> None:
    run_state_machine_as_test(
        Nights,
        settings=settings(
            max_examples=EXAMPLES or 40,
            stateful_step_count=25,
            derandomize=not EXAMPLES,
            print_blob=False,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(dict(TOLD))


@pytest.fixture
def nights() -> Iterator[Nights]:
    """Give a machine that is driven by hand, with three records a page; in the end two good nights bring all."""
    with Nights() as machine:
        machine.begin(page_size=3)
        yield machine


def test_a_text_that_was_mended_without_a_version_is_stored_though_paging_passed_over_it(nights: Nights) -> None:
    nights.announce("cs.LG")
    (first,) = nights.world.papers
    nights.night()
    nights.world.pass_days(8)
    nights.announce(*["cs.LG"] * 3)
    nights.change("mended", nights.world.papers[first])
    nights.night_with_moves({1: 1})


def test_a_first_night_that_failed_is_made_up_for_before_a_night_is_complete(nights: Nights) -> None:
    nights.announce("cs.LG")
    nights.night_with_trouble(Trouble(faults.Unavailable(), at=1, lasting=True))
    nights.world.pass_days(40)
    nights.announce("cs.LG")
    nights.night_with_trouble(Trouble(faults.Unavailable(), at=3, lasting=True))


def test_a_missing_paper_is_looked_for_after_a_month_without_nights(nights: Nights) -> None:
    nights.announce("cs.LG")
    nights.night()
    nights.world.pass_days(2)
    nights.announce(*["cs.LG"] * 4)
    nights.world.pass_days(15)
    nights.night_with_trouble(Trouble(faults.Unavailable(), at=12, lasting=True), moves={1: 1})
    nights.world.pass_days(31)
    nights.night()
