"""Reconciliation: what other lists tell of is held against what is stored, and what is missing is fetched by its id.

arXiv's lists are paged by offset, so that a record which changes while a list is read pushes others out of sight, and
no error says so. A cross-check that fails is told in the ledger and takes nothing from the night, for it promised
nothing; a paper that it told of and that does not come makes the night partial.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from crawler.harvest import Harvest, HarvestContext, harvest, ledger_part
from crawler.sources.crosscheck import CrossCheck, ToldPage
from crawler.sources.source import Source
from db.errors import RefusedError, SourceError
from db.missing import count_try, find_not_stored, list_missing, save_missing
from db.runs import add_to_part, find_cursor, find_first_day, save_cursor

SHOWN_IDS = 5


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What a run is reconciled with.

    Attributes:
        checks: the lists that tell which papers there are.
        look_up: gives the source of single papers by id.
        patience: limits the time that may be lost on all of it.
    """

    checks: Sequence[CrossCheck]
    look_up: Callable[[Sequence[str]], Source]
    patience: Callable[[], AbstractContextManager[None]]


def reconcile(context: HarvestContext, reconciliation: Reconciliation, harvested: Harvest) -> Harvest:
    """Read the lists that are due, fetch what is missing, and return what that brought.

    Args:
        harvested: what the run's harvest brought before.

    Raises:
        StopRequested: between two pages; what is known to be missing stays known.
    """
    with reconciliation.patience():
        refused = any(_is_refused(context, check, harvested) for check in reconciliation.checks)
        missing = list_missing(context.store, now=context.clock())
        if not missing or refused:
            result = Harvest(refused=refused)
        else:
            with context.store.transaction():
                count_try(context.store, missing)
            result = harvest(replace(context, looks_up=True), reconciliation.look_up(missing), since=None)
    return replace(result, errors=_still_missing(context, result.errors))


def _still_missing(context: HarvestContext, errors: Sequence[str]) -> list[str]:
    left = list_missing(context.store, now=context.clock())
    if not left:
        return []
    shown = ", ".join(left[:SHOWN_IDS]) + (", ..." if len(left) > SHOWN_IDS else "")
    why = f" ({'; '.join(errors)})" if errors else ""
    return [f"announced papers have not arrived: {len(left)} ({shown}); every night asks for them again{why}"]


def _is_refused(context: HarvestContext, check: CrossCheck, harvested: Harvest) -> bool:
    """Read one list if it is due, and tell whether the other side refused to answer at all."""
    cursor = find_cursor(context.store, check.name, check.part)
    read_until = cursor or find_first_day(context.store)
    if not check.is_due(read_until, paged=harvested.paged, today=context.clock().date()):
        return False
    start = check.start(read_until, harvested.since)
    try:
        with ledger_part(context, check.name, check.part, asked=check.asked(start), cursor=cursor):
            for page in check.pages(start):
                _keep(context, check, page)
                context.stop.check()
    except SourceError as error:
        return isinstance(error, RefusedError)
    return False


def _keep(context: HarvestContext, check: CrossCheck, page: ToldPage) -> None:
    """Keep what is missing of what a page tells, together with how far the list was read."""
    store, run_id = context.store, context.run_id
    with store.transaction():
        missing = find_not_stored(store, page.told)
        save_missing(store, missing, check.name, run_id=run_id, now=context.now())
        amounts = {"received": len(page.told), "malformed": page.malformed, "missing": len(missing)}
        add_to_part(store, run_id, check.name, check.part, **amounts, pages=1)
        if page.cursor is not None:
            save_cursor(store, check.name, check.part, page.cursor, run_id)
