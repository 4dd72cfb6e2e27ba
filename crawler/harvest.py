"""Harvest: every page is kept together with the cursor that covers it, so that a kill at any moment loses nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date

from crawler.control import Progress, Stop
from crawler.sources.source import Page, Source
from db.errors import RefusedError, SourceError
from db.papers import SavedPapers, find_known_ids, save_papers
from db.records import Paper
from db.runs import add_to_run, find_cursor, save_cursor, save_malformed
from db.store import Store
from db.times import Clock, to_text


@dataclass(slots=True)
class Harvest:
    """What a harvest brought.

    Attributes:
        promised: how many records the source said there were; None where it did not say so for every part.
        errors: what went wrong, one line a part that did not arrive whole.
    """

    promised: int | None = 0
    received: int = 0
    malformed: int = 0
    saved: SavedPapers = field(default_factory=SavedPapers)
    errors: list[str] = field(default_factory=list)
    since: str | None = None

    @property
    def whole(self) -> bool:
        """Tell whether all that was promised arrived in a usable form."""
        return not self.errors and not self.malformed


@dataclass(frozen=True, slots=True)
class HarvestContext:
    """What a harvest works with.

    Attributes:
        categories: papers of these are kept, and known papers are kept up to date; empty keeps all.
    """

    store: Store
    run_id: int
    categories: frozenset[str]
    clock: Clock
    stop: Stop
    progress: Progress


def harvest(context: HarvestContext, source: Source, *, since: date | None) -> Harvest:
    """Read every part of a source from its cursor, or from `since`, and keep what arrives.

    A part that fails is told in `errors` and the next one is read, unless the source refuses to answer at all.

    Raises:
        StopRequested: between two pages; what was kept stays.
    """
    result = Harvest()
    for part in source.parts():
        try:
            _harvest_part(context, source, part, since, result)
        except RefusedError as error:
            result.errors.append(str(error))
            result.promised = None
            break
        except SourceError as error:
            result.errors.append(str(error))
            result.promised = None
    return result


def _harvest_part(context: HarvestContext, source: Source, part: str, since: date | None, result: Harvest) -> None:
    cursor = find_cursor(context.store, source.name, part)
    start = source.start(cursor, since)
    asked = since.isoformat() if since else start
    if _is_day(asked):
        result.since = min(result.since or asked, asked)
    # Asked from a later day than the cursor's, the days between are missing: then the cursor stays.
    may_move = since is None or cursor is None or not _is_day(cursor) or since.isoformat() <= cursor
    promised = None
    for page in source.pages(part, start):
        _keep_page(context, source, part, page if may_move else replace(page, cursor=None), cursor, result)
        promised = page.promised if page.promised is not None else promised
        context.progress("harvest", result.received, _add(result.promised, promised))
        context.stop.check()
    result.promised = _add(result.promised, promised)


def _keep_page(
    context: HarvestContext, source: Source, part: str, page: Page, known_cursor: str | None, result: Harvest
) -> None:
    store, run_id = context.store, context.run_id
    with store.transaction():
        saved = save_papers(store, _wanted(context, page.papers), run_id=run_id, now=to_text(context.clock()))
        save_malformed(store, run_id, page.malformed)
        add_to_run(
            store,
            run_id,
            received=page.received,
            malformed=len(page.malformed),
            new=saved.new,
            changed=saved.changed,
            withdrawn=saved.withdrawn,
        )
        if page.cursor is not None and _moves_on(page, known_cursor):
            save_cursor(store, source.name, part, page.cursor, run_id)
    result.saved += saved
    result.received += page.received
    result.malformed += len(page.malformed)


def _wanted(context: HarvestContext, papers: tuple[Paper, ...]) -> list[Paper]:
    if not context.categories:
        return list(papers)
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


def _moves_on(page: Page, known_cursor: str | None) -> bool:
    """Tell whether a page may set the cursor: inside the overlap of the last night it would only set it back."""
    ended = page.promised is not None
    return ended or known_cursor is None or page.cursor is None or page.cursor > known_cursor
