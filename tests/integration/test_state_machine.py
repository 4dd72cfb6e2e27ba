"""Any sequence of nights, replays, kills, faults, decisions, undos and restores keeps the three promises."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections import defaultdict
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from loopback import faults
from loopback.papers import MadePaper, make_papers
from loopback.server import ArxivServer
from world import FIRST_DAY, Killed, World, days_later, fresh_world

from curation.review import Decision
from db.errors import DecisionError
from db.records import Stance, Status, Verdict
from db.store import Row, backup, restore
from db.times import from_text

EXAMPLES = int(os.environ.get("BMP_MACHINE_EXAMPLES", "40"))
STATES = {"accept": "accepted", "reject": "rejected", "maybe": "maybe", "reopen": "reopened"}
FAULTS = (faults.Unavailable(), faults.ServerError(404), faults.Truncated(), faults.HtmlPage(), faults.Forbidden())
GOOD = ("complete", "quiet")

pytestmark = pytest.mark.slow


class Nights(RuleBasedStateMachine):
    """The model: arXiv's papers, the log of decisions so far, and what each paper looked like when it was accepted."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.server = ArxivServer((), page_size=4, today=FIRST_DAY)
        self.world = World(self.server, self.folder / "bmp.db")
        self.number = 1
        self.log: list[Row] = []
        self.accepted: dict[int, tuple[str, bool]] = {}
        self.backups: list[tuple[Path, list[Row], dict[int, tuple[str, bool]]]] = []
        self.paging_lost = False

    # arXiv goes on

    @rule(count=st.integers(1, 6), foreign=st.booleans())
    def announce(self, count: int, foreign: bool) -> None:
        """Announce papers, sometimes of a category that nobody wants."""
        categories = ["cs.DB"] if foreign else ["cs.LG", "stat.ML cs.LG", "cs.CL"]
        day = self.server.today
        self.server.put(*make_papers(count, day=day, categories=categories, start=self.number))
        self.number += count

    @rule(pick=st.integers(0, 50), what=st.sampled_from(["abstract", "title", "version"]))
    @precondition(lambda self: self.server.papers)
    def revise(self, pick: int, what: str) -> None:
        """Submit a new version, with another abstract, another title, or neither."""
        paper = self._pick(pick)
        text = f"Another text, the {paper.newest.number}. of {paper.arxiv_id}."
        changes = {what: text} if what != "version" else {}
        self.server.put(paper.revised(self.server.now, **changes))

    @rule(pick=st.integers(0, 50))
    @precondition(lambda self: self.server.papers)
    def withdraw(self, pick: int) -> None:
        """Withdraw a paper."""
        self.server.put(self._pick(pick).withdrawn(self.server.now))

    @rule(pick=st.integers(0, 50))
    @precondition(lambda self: self.server.papers)
    def touch(self, pick: int) -> None:
        """Move a record's datestamp, and nothing else."""
        self.server.put(self._pick(pick).touched(self.server.now))

    @rule(days=st.one_of(st.integers(1, 4), st.just(40)))
    def pass_days(self, days: int) -> None:
        """Let days pass."""
        days_later(self.server, days)

    # Nights

    @rule()
    def night(self) -> None:
        """Run a night that nothing disturbs."""
        self._judge(self.world.night())

    @rule()
    def replay(self) -> None:
        """Run a night twice: the second changes nothing."""
        self._judge(self.world.night())
        before = (self.world.papers(), self.world.queue(), self.world.decisions())
        run = self.world.night()
        self._judge(run)
        if run["status"] in GOOD:
            assert (run["new"], run["changed"], run["withdrawn"], run["embedded"], run["queued"]) == (0, 0, 0, 0, 0)
        assert (self.world.papers(), self.world.queue(), self.world.decisions()) == before

    @rule(fault=st.sampled_from(FAULTS), page=st.integers(1, 12))
    def sick_night(self, fault: faults.Fault, page: int) -> None:
        """Run a night in which every answer from some page on is spoilt."""
        self.server.play(fault, on=len(self.server.log) + page, times=None)
        self._judge(self.world.night())
        self.server.heal()

    @rule(count=st.integers(1, 3))
    def moving_night(self, count: int) -> None:
        """Run a night in which records move while the first pages are read, so that others are passed over."""
        self.server.play(faults.MovedBetweenPages(count), on=len(self.server.log) + 1, times=2)
        self.paging_lost = True
        self.world.night()
        self.server.heal()

    @rule(statement=st.integers(1, 400))
    def killed_night(self, statement: int) -> None:
        """Kill the process at some statement of a night, and begin a new one."""
        self.world.connection.statements_left = statement
        with contextlib.suppress(Killed):
            self.world.night()
        self.world.close()
        self.world.open()

    @rule(report=st.integers(1, 8))
    def stopped_night(self, report: int) -> None:
        """Ask a night to stop at some report of its progress."""
        self._judge(self.world.night(stop_after=report))

    # The reviewer

    @rule(pick=st.integers(0, 50), verdict=st.sampled_from(["accept", "accept", "reject", "maybe", "snooze"]))
    def decide(self, pick: int, verdict: str) -> None:
        """Decide a candidate, however it stands."""
        rows = self.world.store.rows("SELECT candidate_id, arxiv_id FROM candidates ORDER BY candidate_id")
        if not rows:
            return
        row = rows[pick % len(rows)]
        until = (self.world.clock() + timedelta(days=3)).date() if verdict == "snooze" else None
        stance = Stance.SUPPORTS if verdict == "accept" else None
        self.world.review.decide(row["candidate_id"], Decision(Verdict(verdict), stance, until=until))
        if verdict == "accept":
            self.accepted[self.world.decisions()[-1]["decision_id"]] = self._look(row["arxiv_id"])

    @rule()
    def undo(self) -> None:
        """Take the newest decision back, where there is one."""
        try:
            self.world.review.undo()
        except DecisionError as error:
            assert "no decision to undo" in str(error) or "re-opened since" in str(error)

    @rule()
    def back_up(self) -> None:
        """Keep a copy, and what the model knew then."""
        target = self.folder / f"backup-{len(self.backups)}.db"
        backup(self.world.store, target)
        self.backups.append((target, self.world.decisions(), dict(self.accepted)))

    @rule(pick=st.integers(0, 5))
    @precondition(lambda self: self.backups)
    def restore(self, pick: int) -> None:
        """Put a copy back: its log is the log."""
        saved, log, accepted = self.backups[pick % len(self.backups)]
        self.world.close()
        restore(self.world.path, saved, clock=self.world.clock)
        self.world.open()
        self.log, self.accepted = log, dict(accepted)
        assert self.world.decisions() == log

    # What holds after every step

    @invariant()
    def the_file_is_sound(self) -> None:
        """SQLite finds nothing wrong."""
        assert self.world.faults() == []

    @invariant()
    def no_decision_is_lost_or_changed(self) -> None:
        """The log only grows."""
        now = self.world.decisions()
        assert now[: len(self.log)] == self.log
        self.log = now

    @invariant()
    def each_state_follows_from_the_log(self) -> None:
        """A candidate stands as its newest event that was not taken back says."""
        events: dict[int, dict[int, Row]] = defaultdict(dict)
        for event in self.world.decisions():
            if event["kind"] == "undo":
                del events[event["candidate_id"]][event["undoes"]]
            else:
                events[event["candidate_id"]][event["decision_id"]] = event
        for row in self.world.review.waiting(statuses=list(Status)):
            left = events[row["id"]]
            newest = left[max(left)] if left else None
            assert row["status"] == self._state(newest)
            if row["status"] == "accepted":
                self._still_stands(row["arxiv_id"], newest)

    @invariant()
    def the_cursor_is_never_beyond_what_is_stored(self) -> None:
        """All that the server dates before the cursor is stored as it is, or known to be missing."""
        if self.paging_lost:
            return
        stored = self.world.papers()
        missing = {row["arxiv_id"] for row in self.world.store.rows("SELECT arxiv_id FROM missing_papers")}
        for row in self.world.store.rows("SELECT part, position FROM cursors WHERE source = 'oai'"):
            day = from_text(f"{row['position']}T00:00:00Z").date()
            of_set = {key for key in self.world.wanted(before=day) if self._is_of(self.server.papers[key], row["part"])}
            for arxiv_id in of_set - missing:
                assert stored[arxiv_id][0] == self.server.papers[arxiv_id].newest.number

    def teardown(self) -> None:
        """Two nights that nothing disturbs, a week later, bring all; a database that saw nothing before agrees."""
        self.server.heal()
        days_later(self.server, 8)
        self.world.night()
        run = self.world.night()
        fresh = fresh_world(self.server)
        try:
            fresh.night()
            assert run["error"] is None
            assert set(self.world.papers()) >= self.world.wanted()
            assert self.world.papers() == fresh.papers()
            assert self.world.queue() == fresh.queue()
            assert not self.world.store.value("SELECT count(*) FROM missing_papers WHERE settled_at IS NULL")
        finally:
            self._clear(fresh)

    def _clear(self, fresh: World) -> None:
        for world in (self.world, fresh):
            world.close()
            shutil.rmtree(world.path.parent)
        self.server._http.server_close()

    def _pick(self, pick: int) -> MadePaper:
        return self.server.papers[sorted(self.server.papers)[pick % len(self.server.papers)]]

    def _look(self, arxiv_id: str) -> tuple[str, bool]:
        row = self.world.store.row(
            "SELECT r.text_hash, p.withdrawn FROM papers p JOIN revisions r USING (revision_id) WHERE p.arxiv_id = ?",
            (arxiv_id,),
        )
        assert row is not None
        return row["text_hash"], bool(row["withdrawn"])

    def _state(self, newest: Row | None) -> str:
        if newest is None:
            return "pending"
        if newest["kind"] == "snooze":
            return "snoozed" if newest["until"] > self.world.clock().date().isoformat() else "pending"
        return STATES[newest["kind"]]

    def _still_stands(self, arxiv_id: str, acceptance: Row | None) -> None:
        """An acceptance is in force only on its own text, and on a withdrawn paper only if it was one then."""
        assert acceptance is not None
        text, withdrawn = self.accepted[acceptance["decision_id"]]
        text_now, withdrawn_now = self._look(arxiv_id)
        assert text == text_now
        assert withdrawn or not withdrawn_now

    def _is_of(self, paper: MadePaper, part: str) -> bool:
        return any(category.startswith(f"{part}.") for category in paper.categories)

    def _judge(self, run: Row) -> None:
        """A night that ended well has everything that the server had, unless paging lost something on the way."""
        if run["status"] not in GOOD:
            assert run["error"]
            return
        if not self.paging_lost:
            stored = self.world.papers()
            assert {key for key in self.world.wanted() if key not in stored} == set()


TestNights = Nights.TestCase
TestNights.settings = settings(max_examples=EXAMPLES, stateful_step_count=25)
