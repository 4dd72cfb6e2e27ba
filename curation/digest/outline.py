"""A digest as headings, lists and lines, cut to a length that a person reads; the formats only set it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from curation.digest.facts import Digest, Event, NewCandidate, PhenomenonNews, RunTotals
from db.text import show_score
from db.times import from_text

CANDIDATES_SHOWN = 50
DECISIONS_SHOWN = 50
REOPENINGS_SHOWN = 50
TROUBLES_SHOWN = 20
RUNS_SHOWN = 31

_DECIDED = {
    "accept": "Accepted",
    "reject": "Rejected",
    "maybe": "Put aside as maybe",
    "snooze": "Snoozed",
    "undo": "Taken back",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One thing told. All of its texts may come from outside, but `url`, which leads to arXiv or is None.

    `label` is a word or a number that stands before the title; `quote` is the paper's own sentence.
    """

    title: str
    label: str = ""
    url: str | None = None
    quote: str | None = None
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Items under a heading, which may come from outside; without items where they were cut and it counts them."""

    heading: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """Groups under one of our headings; `more` says, in our words, how many items were left out."""

    heading: str
    groups: tuple[Group, ...]
    more: str | None = None


@dataclass(frozen=True, slots=True)
class Outline:
    """The whole digest. `subject`, `title`, `span` and `summary` are our own words and numbers."""

    subject: str
    title: str
    span: str
    summary: str
    sections: tuple[Section, ...]


def outline_digest(digest: Digest) -> Outline:
    """Return what is told of a digest and in which order: candidates best first, all else newest first.

    Sections without content are left out.
    """
    sections = (
        _new_section(digest),
        _section("Re-opened", _plain([_reopening(event) for event in reversed(digest.reopened)]), REOPENINGS_SHOWN,
                 "`bmp queue list --status reopened`"),
        _section("Decided", _decisions(digest.decided[::-1]), DECISIONS_SHOWN, "`bmp digest --json`"),
        _section("What went wrong", _troubles(digest), TROUBLES_SHOWN, "`bmp runs list`"),
        _section("The runs", _plain([Item(_totals(run)) for run in digest.runs[::-1]]), RUNS_SHOWN, "`bmp runs list`"),
    )  # fmt: skip
    return Outline(
        subject=_subject(digest),
        title="BMPrinciples digest",
        span=f"{_minute(digest.since)} to {_minute(digest.until)} UTC",
        summary=_summary(digest),
        sections=tuple(section for section in sections if section.groups),
    )


def _subject(digest: Digest) -> str:
    """Return a subject that fits the one line that a mail's head has for it."""
    wrong = len(digest.went_wrong) + len(digest.unreadable)
    counted = _counted({**_happened(digest), "gone wrong": wrong})
    return f"BMPrinciples: {counted or 'nothing new'}"


def _summary(digest: Digest) -> str:
    wrong = len(digest.went_wrong)
    went_wrong = {f"{'run' if wrong == 1 else 'runs'} went wrong": wrong, "unreadable": len(digest.unreadable)}
    happened = _counted({**_happened(digest), **went_wrong})
    if not happened:
        happened = "Nothing new, and nothing wrong" if digest.runs else "Nothing new"
    ran = "" if digest.runs else " No run ended."  # which may be wrong, or not: nobody looked at arXiv
    waits = "candidate waits" if digest.waiting == 1 else "candidates wait"
    return f"{happened}.{ran} {digest.waiting} {waits} in the queue."


def _happened(digest: Digest) -> dict[str, int]:
    new = sum(len(news.candidates) for news in digest.new)
    return {"new": new, "re-opened": len(digest.reopened), "decided": len(digest.decided)}


def _counted(numbers: dict[str, int]) -> str:
    return ", ".join(f"{number} {words}" for words, number in numbers.items() if number)


def _plain(items: Sequence[Item]) -> list[Group]:
    return [Group("", tuple(items))]


def _section(heading: str, groups: Sequence[Group], limit: int, where: str) -> Section:
    """Cut the groups, from the end, to so many items in all; what was cut is still counted by its group's heading."""
    kept, room = [], limit
    for group in groups:
        if group.items:
            kept.append(replace(group, items=group.items[:room]))
            room -= len(kept[-1].items)
    more = sum(len(group.items) for group in groups) - (limit - room)
    return Section(heading, tuple(kept), _more(more, where))


def _more(number: int, where: str) -> str | None:
    return f"... and {number} more: {where}" if number > 0 else None


def _new_section(digest: Digest) -> Section:
    """Show the best candidates, whatever phenomenon they are for, each under its own."""
    everyone = [candidate for news in digest.new for candidate in news.candidates]
    best = sorted(everyone, key=lambda candidate: (-(candidate.score or 0.0), candidate.id))
    shown = {candidate.id for candidate in best[:CANDIDATES_SHOWN]}
    groups = tuple(group for news in digest.new if (group := _news(news, shown)).items)
    return Section("New in the queue", groups, _more(len(best) - len(shown), "`bmp queue list`"))


def _news(news: PhenomenonNews, shown: set[int]) -> Group:
    items = tuple(_candidate(candidate) for candidate in news.candidates if candidate.id in shown)
    return Group(f"{news.phenomenon} {news.title}", items)


def _candidate(candidate: NewCandidate) -> Item:
    return Item(
        title=("[withdrawn] " if candidate.withdrawn else "") + (candidate.title or candidate.arxiv_id),
        label="" if candidate.score is None else show_score(candidate.score),
        url=candidate.url,
        quote=candidate.sentence,
    )


def _decisions(events: Sequence[Event]) -> list[Group]:
    groups = []
    for kind, words in _DECIDED.items():
        if members := [event for event in events if event.kind == kind]:
            by_whom = Counter(event.reviewer for event in members)
            who = ", ".join(f"{reviewer} {count}" for reviewer, count in sorted(by_whom.items()))
            groups.append(Group(f"{words}: {len(members)} ({who})", tuple(_decision(event) for event in members)))
    return groups


def _decision(event: Event) -> Item:
    said = f"by {event.reviewer} on {_minute(event.decided_at)}"
    if event.until:
        said += f", until {event.until}"
    if event.undone_kind:
        said += f"; it was {_past(event.undone_kind, event.undone_stance)}"
    if event.taken_back:
        said += "; taken back since"
    details = (_claim(event), said, *((f"Note: {event.note}",) if event.note else ()))
    return Item(event.title or event.arxiv_id, event.stance or "", event.url, details=details)


def _past(kind: str, stance: str | None) -> str:
    return _DECIDED[kind].lower() + (f" ({stance})" if stance else "")


def _reopening(event: Event) -> Item:
    reason = f"{event.note or 'it changed'}; re-opened on {_minute(event.decided_at)}"
    decided = "" if event.in_force else ", and decided anew since"
    return Item(event.title or event.arxiv_id, url=event.url, details=(_claim(event), reason + decided))


def _claim(event: Event) -> str:
    return f"{event.phenomenon} {event.phenomenon_title}"


def _troubles(digest: Digest) -> list[Group]:
    runs = [
        Item(
            f"{run.kind} run {run.run_id} of {_minute(run.started_at)}",
            run.status,
            details=(run.error or run.note or "no word",),
        )
        for run in reversed(digest.went_wrong)
    ]
    records = [
        Item(record.identifier or "a record without a name", details=(f"{record.reason} (run {record.run_id})",))
        for record in reversed(digest.unreadable)
    ]
    heading = f"Records that could not be read: {len(records)}"
    return [Group("", tuple(runs)), Group(heading, tuple(records))]


def _totals(run: RunTotals) -> str:
    ended = "was stopped before its end" if run.stopped else run.status
    return (
        f"{_minute(run.started_at)} {run.kind} run {run.run_id} {ended}: {run.received} received, {run.new} new,"
        f" {run.changed} changed, {run.withdrawn} withdrawn, {run.queued} queued"
    )


def _minute(moment: str) -> str:
    return f"{from_text(moment):%Y-%m-%d %H:%M}"
