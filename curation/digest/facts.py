"""Gathers what a digest tells, from the database and as of one moment; nothing in it can move a cursor or a line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from curation.evidence import abs_url
from db.candidates import WAITING, count_by_status, list_newly_queued
from db.decisions import list_events
from db.digests import find_last_digest
from db.records import RunStatus, Verdict
from db.runs import list_ended_runs, list_unreadable, was_stopped
from db.store import Row, Store
from db.text import clean_line
from db.times import from_text, to_text

FIRST_SPAN = timedelta(days=7)  # of the first digest, before which none was sent
_SECOND = timedelta(seconds=1)  # moments are kept to the second


@dataclass(frozen=True, slots=True)
class NewCandidate:
    """A paper that waits in the queue since this span; `url` is None if its id is none of arXiv's."""

    id: int
    arxiv_id: str
    version: int
    title: str
    score: float | None
    sentence: str | None
    withdrawn: bool
    url: str | None


@dataclass(frozen=True, slots=True)
class PhenomenonNews:
    """What is new for one phenomenon, best first."""

    phenomenon: str
    title: str
    candidates: tuple[NewCandidate, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """A decision, an undo or a re-opening, on the revision that it was made on.

    `note` is the reviewer's, or the reason of a re-opening. `undone_kind` and `undone_stance` are what an undo took
    back; `taken_back` tells that a decision was undone since, `in_force` that nothing came after it.
    """

    id: int
    kind: str
    stance: str | None
    until: str | None
    note: str | None
    reviewer: str
    decided_at: str
    arxiv_id: str
    version: int
    title: str
    url: str | None
    phenomenon: str
    phenomenon_title: str
    undone_kind: str | None
    undone_stance: str | None
    taken_back: bool
    in_force: bool


@dataclass(frozen=True, slots=True)
class RunTotals:
    """What one run did; `error` says what went wrong with it, `note` why it should have found something."""

    run_id: int
    kind: str
    status: str
    started_at: str
    finished_at: str
    received: int
    new: int
    changed: int
    withdrawn: int
    queued: int
    error: str | None
    note: str | None

    @property
    def went_wrong(self) -> bool:
        """Tell whether something that was promised did not arrive, or nothing came where something was due.

        A run that was stopped has not gone wrong: it was told to, and the next one goes on.
        """
        broken = self.status in (RunStatus.PARTIAL, RunStatus.FAILED) and not self.stopped
        return broken or self.note is not None

    @property
    def stopped(self) -> bool:
        """Tell whether the run was stopped before its end, with nothing wrong until then."""
        return was_stopped(self.error)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that a run received and could not read."""

    run_id: int
    identifier: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Digest:
    """What happened from `since` on and before `until`; `waiting` counts all that waits in the queue at the end."""

    since: str
    until: str
    waiting: int
    new: tuple[PhenomenonNews, ...]
    decided: tuple[Event, ...]
    reopened: tuple[Event, ...]
    went_wrong: tuple[RunTotals, ...]
    unreadable: tuple[Unreadable, ...]
    runs: tuple[RunTotals, ...]

    @property
    def has_news(self) -> bool:
        """Tell whether there is anything to tell people of; a night that was quiet is not."""
        return bool(self.new or self.decided or self.reopened or self.went_wrong or self.unreadable)


def gather_digest(store: Store, *, since: datetime, now: datetime) -> Digest:
    """Return what happened from `since` on, the second of `now` included."""
    begin, end = to_text(since), to_text(now + _SECOND)
    with _as_of_one_moment(store):
        runs = tuple(_run(row) for row in list_ended_runs(store, since=begin, until=end))
        events = [_event(row) for row in list_events(store, since=begin, until=end)]
        counted = count_by_status(store, today=now.date())
        return Digest(
            since=begin,
            until=end,
            waiting=sum(row["count"] for row in counted if row["status"] in WAITING),
            new=_by_phenomenon(list_newly_queued(store, since=begin, until=end, today=now.date())),
            decided=tuple(event for event in events if event.kind in {*Verdict, "undo"}),
            reopened=tuple(event for event in events if event.kind == "reopen"),
            went_wrong=tuple(run for run in runs if run.went_wrong),
            unreadable=tuple(_unreadable(row) for row in list_unreadable(store, since=begin, until=end)),
            runs=runs,
        )


def untold_since(store: Store, *, now: datetime) -> datetime:
    """Return from when on nobody was told yet: where the last digest that was sent ended, else a week ago."""
    last = find_last_digest(store, now=now)
    return now - FIRST_SPAN if last is None else from_text(last["until"])


@contextmanager
def _as_of_one_moment(store: Store) -> Iterator[None]:
    store.connection.execute("BEGIN")
    try:
        yield
    finally:
        store.connection.execute("ROLLBACK")


def _by_phenomenon(rows: list[Row]) -> tuple[PhenomenonNews, ...]:
    """Group candidates, which come best first; the phenomenon with the best one comes first."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["phenomenon"], []).append(row)
    return tuple(
        PhenomenonNews(
            clean_line(code), clean_line(members[0]["phenomenon_title"]), tuple(_candidate(row) for row in members)
        )
        for code, members in groups.items()
    )


def _candidate(row: Row) -> NewCandidate:
    return NewCandidate(
        id=row["id"],
        arxiv_id=clean_line(row["arxiv_id"]),
        version=row["version"],
        title=clean_line(row["title"]),
        score=row["score"],
        sentence=_clean(row["sentence"]),
        withdrawn=row["withdrawn"],
        url=abs_url(row["arxiv_id"], row["version"]),
    )


def _event(row: Row) -> Event:
    return Event(
        id=row["candidate_id"],
        kind=row["kind"],
        stance=row["stance"],
        until=_clean(row["until"]),
        note=_clean(row["note"]),
        reviewer=clean_line(row["reviewer"]),
        decided_at=row["decided_at"],
        arxiv_id=clean_line(row["arxiv_id"]),
        version=row["version"],
        title=clean_line(row["title"]),
        url=abs_url(row["arxiv_id"], row["version"]),
        phenomenon=clean_line(row["phenomenon"]),
        phenomenon_title=clean_line(row["phenomenon_title"]),
        undone_kind=row["undone_kind"],
        undone_stance=row["undone_stance"],
        taken_back=bool(row["taken_back"]),
        in_force=bool(row["in_force"]),
    )


def _run(row: Row) -> RunTotals:
    names = (
        "run_id",
        "kind",
        "status",
        "started_at",
        "finished_at",
        "received",
        "new",
        "changed",
        "withdrawn",
        "queued",
    )
    return RunTotals(**{name: row[name] for name in names}, error=_clean(row["error"]), note=_clean(row["note"]))


def _unreadable(row: Row) -> Unreadable:
    return Unreadable(row["run_id"], _clean(row["identifier"]), clean_line(row["reason"]))


def _clean(text: str | None) -> str | None:
    return clean_line(text or "") or None
