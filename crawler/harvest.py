"""Harvest: every page is kept together with the cursor that covers it, so that a kill at any moment loses nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from crawler.control import Progress, Stop, StopRequested
from crawler.sources.source import Page, Source
from db.errors import RefusedError, SourceError
from db.missing import date_as_told, is_let_go, save_missing, settle_missing, told_by_malformed
from db.papers import SavedPapers, find_known_ids, save_papers
from db.records import Malformed, Paper
from db.runs import (
    add_to_part,
    add_to_run,
    find_cursor,
    find_first_asked,
    save_cursor,
    save_malformed,
    set_part,
    start_part,
)
from db.store import Store
from db.times import Clock, to_text


@dataclass(slots=True)
class Harvest:
    """What a harvest brought.

    Attributes:
        promised: how many records the source said there were; None where it did not say so for every part.
        unreadable: how many records could not be read and are not made up for.
        errors: what went wrong, one line a part that did not arrive whole.
        notes: what a person should know though nothing of the run's own went wrong.
        refused: the source forbade going on.
        paged: records may be missing: some part came in more than one page, between which they move, or was doubtful.
    """

    promised: int | None = 0
    received: int = 0
    unreadable: int = 0
    saved: SavedPapers = field(default_factory=SavedPapers)
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    since: str | None = None
    refused: bool = False
    paged: bool = False


@dataclass(frozen=True, slots=True)
class HarvestContext:
    """What a harvest works with.

    Attributes:
        categories: papers of these are kept, and known papers are kept up to date; empty keeps all.
        looks_up: what is read now was missing and is fetched by its id; it is not of the run's own source.
        keep_wish: called in each page's transaction with the ids of the papers that were kept.
        scope: the categories, where fewer are kept than on other nights: such nights have cursors of their own.
        monotonic: seconds, for the ledger's durations.
    """

    store: Store
    run_id: int
    categories: frozenset[str]
    clock: Clock
    stop: Stop
    progress: Progress
    looks_up: bool = False
    keep_wish: Callable[[list[str]], None] = lambda ids: None
    scope: str = ""
    monotonic: Callable[[], float] = time.monotonic

    def now(self) -> str:
        """Return the present moment as text."""
        return to_text(self.clock())


def harvest(context: HarvestContext, source: Source, *, since: date | None) -> Harvest:
    """Read every part of a source from its cursor, or from `since`, and keep what arrives.

    A part that fails is told in `errors` and the next one is read, unless the source refuses to answer at all.

    Raises:
        StopRequested: between two pages; what was kept stays.
    """
    result, parts = Harvest(), source.parts()
    for part in parts:
        try:
            _PartReading(context, source, part, since, result).read()
        except SourceError as error:
            result.errors.append(_describe(error, part if len(parts) > 1 else None, result.errors))
            result.promised = None
            result.refused = isinstance(error, RefusedError)
        if result.refused:
            break
    return result


def _describe(error: SourceError, part: str | None, before: Sequence[str]) -> str:
    """Say what went wrong with a part, and what to do about it, if no error before said so."""
    said = error.hint is None or any(error.hint in other for other in before)
    return (f"{part}: " if part else "") + (error.message if said else str(error))


@contextmanager
def ledger_part(context: HarvestContext, source: str, part: str, *, asked: str, cursor: str | None) -> Iterator[None]:
    """Keep the ledger's row of what is read inside: what was asked, how long it took, and what went wrong."""
    began, ended = context.monotonic(), dict[str, Any]()
    with context.store.transaction():
        start_part(context.store, context.run_id, source, part, asked=asked, cursor=cursor)
    try:
        yield
    except SourceError as error:
        ended = {"error": str(error), "bad_answer": error.answer}
        raise
    except StopRequested:
        ended = {"error": "stopped before the end"}
        raise
    finally:
        with context.store.transaction():
            seconds = context.monotonic() - began
            set_part(context.store, context.run_id, source, part, seconds=seconds, **ended)


class _PartReading:
    """The reading of one part, page by page."""

    def __init__(self, context: HarvestContext, source: Source, part: str, since: date | None, result: Harvest) -> None:
        self._context = context
        self._source = source
        self._part = part
        self._result = result
        self._pages = 0
        self._gap: str | None = None
        self._cursor = cursor = find_cursor(context.store, source.name, part, scope=context.scope)
        first = find_first_asked(context.store, source.name, part, scope=context.scope)
        self._start = source.start(cursor, since, date.fromisoformat(first) if first else None)
        # Asked from a later day than the cursor's, the days between are missing: then the cursor stays.
        self._may_move = since is None or cursor is None or not _is_day(cursor) or since.isoformat() <= cursor
        if _is_day(day := since.isoformat() if since else self._start):
            result.since = min(result.since or day, day)

    def read(self) -> None:
        """Read and keep the part's pages.

        Raises:
            SourceError: the part does not arrive whole; what was kept stands.
            StopRequested: between two pages.
        """
        context, source, result = self._context, self._source, self._result
        before, promised = result.promised, None
        asked = source.asked(self._part, self._start)
        with ledger_part(context, source.name, self._part, asked=asked, cursor=self._cursor):
            for page in source.pages(self._part, self._start):
                self._keep(page)
                promised = page.promised if page.promised is not None else promised
                if page.read is not None:
                    context.progress("read", *page.read)
                else:
                    context.progress("harvest", result.received, _add(before, promised))
                context.stop.check()
        result.promised = _add(before, promised)

    def _keep(self, page: Page) -> None:
        context, store, run_id = self._context, self._context.store, self._context.run_id
        now = context.now()
        with store.transaction():
            papers = date_as_told(store, page.papers, now=now) if context.looks_up else list(page.papers)
            wanted = _wanted(context, papers)
            saved = save_papers(store, wanted, run_id=run_id, now=now)
            if page.keep_too is not None:
                page.keep_too(store, run_id)
            kept = {paper.arxiv_id for paper in wanted}
            context.keep_wish(sorted(kept))
            settle_missing(store, papers, kept, looked_up=context.looks_up, run_id=run_id, now=now)
            held = self._keep_malformed(page.malformed, now)
            kinds = {"new": saved.new, "changed": saved.changed, "withdrawn": saved.withdrawn}
            usable = page.received - len(page.malformed)
            came = {"received": page.received, "malformed": len(page.malformed)}
            add_to_part(store, run_id, self._source.name, self._part, **came, **kinds, pages=1)
            add_to_run(store, run_id, **kinds, **({"fetched": usable} if context.looks_up else came))
            if page.promised is not None:
                set_part(store, run_id, self._source.name, self._part, promised=page.promised)
            self._move_cursor(page)
        self._result.saved += saved
        self._result.received += page.received
        self._result.unreadable += held
        self._pages += page.received > 0
        self._result.paged |= self._pages > 1 or page.doubtful

    def _keep_malformed(self, records: Sequence[Malformed], now: str) -> int:
        """Keep what could not be read, and return how many of these records are held against the run."""
        context, store = self._context, self._context.store
        held = [record for record in records if not is_let_go(store, record, now=context.clock())]
        save_malformed(store, context.run_id, self._source.name, self._part, records)
        save_missing(store, told_by_malformed(held), "malformed", run_id=context.run_id, now=now)
        days = [record.datestamp.isoformat() for record in held if record.datestamp]
        self._gap = min([*days, *([self._gap] if self._gap else [])], default=None)
        return len(held)

    def _move_cursor(self, page: Page) -> None:
        if page.cursor is None or not self._may_move:
            return
        position = page.cursor if self._gap is None else min(page.cursor, self._gap)
        # Inside the overlap with the last night a page would only set the cursor back.
        if page.promised is not None or self._cursor is None or position > self._cursor:
            context = self._context
            save_cursor(context.store, self._source.name, self._part, position, context.run_id, scope=context.scope)


def _wanted(context: HarvestContext, papers: list[Paper]) -> list[Paper]:
    if not context.categories:
        return papers
    known = find_known_ids(context.store, (paper.arxiv_id for paper in papers))
    return [paper for paper in papers if paper.arxiv_id in known or not context.categories.isdisjoint(paper.categories)]


def _add(one: int | None, other: int | None) -> int | None:
    """Return the sum of two numbers, or None where one is not known."""
    return None if one is None or other is None else one + other


def _is_day(start: str) -> bool:
    try:
        date.fromisoformat(start)
    except ValueError:
        return False
    return True
