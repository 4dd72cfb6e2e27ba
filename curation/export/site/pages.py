"""What the page of a phenomenon says, as plain values for the templates; paths are those of files on the site."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from curation.evidence import Evidence, abs_url
from curation.export.knowledge import Conflict, Entry, Knowledge, Step
from curation.export.site.addresses import feed_of, page_of, place_of
from curation.export.site.figures import (
    Balance,
    Interval,
    Plot,
    find_balance,
    find_interval,
    plot_timeline,
)
from curation.export.site.moved import Month, Told, list_told_moves
from curation.export.site.overview import ASPECTS
from db.records import Criteria, Phenomenon, Stance

MANY_AUTHORS = 12
_ID = re.compile(r"(?<![\d.])(\d{4}\.\d{4,5})(?![\d.]*\d)")
SECTIONS = {
    Stance.SUPPORTS: "Evidence for",
    Stance.CONTRADICTS: "Evidence against",
    Stance.QUALIFIES: "Evidence that qualifies it",
    Stance.MENTIONS: "Mentioned by",
}


@dataclass(frozen=True, slots=True)
class Link:
    """A text and where it leads; nowhere where `href` is None."""

    text: str
    href: str | None


@dataclass(frozen=True, slots=True)
class PaperView:
    """A paper on the page of a phenomenon."""

    place: str
    title: str
    url: str | None
    name: str
    authors: str
    published: str
    stance: str
    sentence: str | None
    note: str | None
    reviewer: str
    decided_on: str
    withdrawn: bool
    others: tuple[Link, ...]
    reason: str | None
    reopened_on: str | None


@dataclass(frozen=True, slots=True)
class Section:
    """The papers that stand alike."""

    stance: str
    heading: str
    papers: tuple[PaperView, ...]


@dataclass(frozen=True, slots=True)
class PhenomenonPage:
    """All that is known of one entry."""

    phenomenon: Phenomenon
    aspect: str
    entry: Entry
    balance: Balance
    interval: Interval | None
    timeline: Plot | None
    sections: tuple[Section, ...]
    under_review: tuple[PaperView, ...]
    conflicts: tuple[tuple[Conflict, Link], ...]
    criteria: tuple[tuple[str, tuple[tuple[Link, ...], ...]], ...]
    references: tuple[Link, ...]
    history: tuple[Step, ...]
    moves: tuple[Told, ...]
    feed: str | None
    before: Link | None
    after: Link | None


@dataclass(frozen=True, slots=True)
class RetiredPage:
    """What is left of an entry that others took the place of."""

    phenomenon: Phenomenon
    successors: tuple[Link, ...]
    moves: tuple[Told, ...]


class PhenomenonPages:
    """Makes the pages of phenomena; holds what one page needs of the others.

    Args:
        feeds: the paths of the feeds that are there.
    """

    def __init__(self, knowledge: Knowledge, months: Iterable[Month], feeds: Iterable[str]) -> None:
        self._entries = knowledge.entries
        self._feeds = frozenset(feeds)
        self._titles: dict[str, str] = {}
        self._bearing: dict[str, list[Evidence]] = {}
        for entry in knowledge.entries:
            for piece in (*entry.evidence, *entry.under_review):
                self._bearing.setdefault(piece.arxiv_id, []).append(piece)
                self._titles[piece.arxiv_id] = piece.title
        self._moves: dict[str, list[Told]] = {}
        for month in months:
            for told in sorted(list_told_moves(month), key=lambda told: told.on, reverse=True):
                self._moves.setdefault(told.code, []).append(told)

    def make(self, place: int) -> PhenomenonPage:
        """Return what the page of the entry at a place of the catalogue says."""
        entry = self._entries[place]
        phenomenon = entry.phenomenon
        timeline = entry.figures.timeline
        feed = feed_of(phenomenon.code)
        return PhenomenonPage(
            phenomenon=phenomenon,
            aspect=ASPECTS[phenomenon.aspect][0],
            entry=entry,
            balance=find_balance(entry.figures.papers),
            interval=find_interval(entry.figures.share) if entry.figures.share else None,
            timeline=plot_timeline(timeline, phenomenon.code) if timeline else None,
            sections=self._sections(entry),
            under_review=tuple(self._paper(piece) for piece in entry.under_review),
            conflicts=tuple((one, Link(one.title, abs_url(one.arxiv_id))) for one in entry.conflicts),
            criteria=_list_criteria(phenomenon.criteria),
            references=tuple(self._reference(arxiv_id) for arxiv_id in phenomenon.references),
            history=entry.maturity_history[::-1],
            moves=self._moves_of(phenomenon.code),
            feed=feed if feed in self._feeds else None,
            before=self._link(place - 1),
            after=self._link(place + 1),
        )

    def make_retired(self, phenomenon: Phenomenon) -> RetiredPage:
        """Return what the page of a retired entry says."""
        titles = {entry.phenomenon.code: entry.phenomenon.title for entry in self._entries}
        successors = (
            Link(f"{code} {titles.get(code, '')}".strip(), page_of(code)) for code in phenomenon.superseded_by
        )
        return RetiredPage(phenomenon, tuple(successors), self._moves_of(phenomenon.code))

    def _moves_of(self, code: str) -> tuple[Told, ...]:
        return tuple(self._moves.get(code, ()))

    def _link(self, place: int) -> Link | None:
        if not 0 <= place < len(self._entries):
            return None
        phenomenon = self._entries[place].phenomenon
        return Link(f"{phenomenon.code} {phenomenon.title}", page_of(phenomenon.code))

    def _sections(self, entry: Entry) -> tuple[Section, ...]:
        return tuple(
            Section(stance.value, SECTIONS[stance], tuple(self._paper(piece) for piece in _newest_first(pieces)))
            for stance, pieces in groupby(entry.evidence, lambda piece: piece.stance)
        )

    def _paper(self, piece: Evidence) -> PaperView:
        others = [one for one in self._bearing[piece.arxiv_id] if one.phenomenon != piece.phenomenon]
        return PaperView(
            place=place_of(piece.arxiv_id),
            title=piece.title,
            url=piece.url,
            name=f"arXiv:{piece.arxiv_id}v{piece.version}" if piece.url else f"{piece.arxiv_id} v{piece.version}",
            authors=name_authors(piece.authors),
            published=piece.published,
            stance=piece.stance.value,
            sentence=piece.sentence,
            note=piece.note,
            reviewer=piece.reviewer,
            decided_on=piece.decided_at[:10],
            withdrawn=piece.withdrawn,
            others=tuple(_tell_other(one) for one in others),
            reason=piece.reason,
            reopened_on=(piece.reopened_at or "")[:10] or None,
        )

    def _reference(self, arxiv_id: str) -> Link:
        title = self._titles.get(arxiv_id)
        name = f"arXiv:{arxiv_id}"
        return Link(f"{title} ({name})" if title else name, abs_url(arxiv_id))


def name_authors(authors: Sequence[str]) -> str:
    """Return the authors in a line; of a great many, the first."""
    if len(authors) <= MANY_AUTHORS:
        return ", ".join(authors) or "no authors named"
    return f"{', '.join(authors[: MANY_AUTHORS - 2])} and {len(authors) - MANY_AUTHORS + 2} more"


def _newest_first(pieces: Iterable[Evidence]) -> Sequence[Evidence]:
    return sorted(pieces, key=lambda piece: (piece.published, piece.arxiv_id), reverse=True)


def _tell_other(piece: Evidence) -> Link:
    return Link(f"{piece.stance.value} {piece.phenomenon}", f"{page_of(piece.phenomenon)}#{place_of(piece.arxiv_id)}")


def _list_criteria(criteria: Criteria) -> tuple[tuple[str, tuple[tuple[Link, ...], ...]], ...]:
    named = {
        "What counts": criteria.counts,
        "What does not": criteria.excludes,
        "Decided before": criteria.precedents,
    }
    return tuple((name, tuple(link_ids(item) for item in items)) for name, items in named.items() if items)


def link_ids(text: str) -> tuple[Link, ...]:
    """Return a text in parts: arXiv ids of today's style with their addresses, and what stands around them."""
    parts = _ID.split(text)
    return tuple(Link(part, abs_url(part) if place % 2 else None) for place, part in enumerate(parts) if part)
