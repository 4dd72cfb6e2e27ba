"""Reconciliation: what other lists tell of is held against what is stored, and what is missing is fetched by its id.

arXiv's lists are paged by offset, so that a record which changes while a list is read pushes others out of sight, and
no error says so. A cross-check that fails is told in the ledger and takes nothing from the night, for it promised
nothing; only where one fails for long the night says so. A paper that it told of and that does not come makes the night
partial.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date, timedelta

from crawler.harvest import Harvest, HarvestContext, harvest, ledger_part
from crawler.sources.crosscheck import CrossCheck, ToldPage
from crawler.sources.source import Source
from db.errors import RefusedError, SourceError
from db.missing import (
    LATER_EVERY,
    NIGHTLY_FOR,
    Missing,
    count_try,
    find_not_stored,
    list_missing,
    save_missing,
)
from db.runs import add_to_part, find_cursor, find_first_day, find_first_since, find_last_whole_day, save_cursor

SHOWN_IDS = 5


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What a run is reconciled with.

    Attributes:
        checks: the lists that tell which papers there are.
        look_up: gives the source of single papers by id.
        patience: limits the time that may be lost on all of it.
        overdue_after: how long a list may fail to be read before the run says so.
    """

    checks: Sequence[CrossCheck]
    look_up: Callable[[Sequence[str]], Source]
    patience: Callable[[], AbstractContextManager[None]]
    overdue_after: timedelta


def reconcile(context: HarvestContext, reconciliation: Reconciliation, harvested: Harvest) -> Harvest:
    """Read the lists that are due, fetch what is missing, and return what that brought.

    Args:
        harvested: what the run's harvest brought before.

    Raises:
        StopRequested: between two pages; what is known to be missing stays known.
    """
    with reconciliation.patience():
        refused = any(_is_refused(context, check, harvested) for check in reconciliation.checks)
        missing = list_missing(context.store, now=context.clock(), run_id=context.run_id)
        if not missing.due or refused:
            result = Harvest(refused=refused)
        else:
            with context.store.transaction():
                count_try(context.store, missing.due, now=context.now())
            result = harvest(
                replace(context, looks_up=True),
                reconciliation.look_up(_rotate(missing.due, context.run_id)),
                since=None,
            )
    left = list_missing(context.store, now=context.clock(), run_id=context.run_id)
    asked_anew = not set(left.long_gone).isdisjoint(missing.due)
    return replace(
        result,
        errors=_still_missing(left, result.errors),
        notes=[
            *_unread_checks(context, reconciliation),
            *([_long_gone(left)] if asked_anew else []),
            *([f"look-ups by id failed: {'; '.join(result.errors)}"] if result.errors and not left.not_come else []),
        ],
    )


def _rotate(arxiv_ids: Sequence[str], run_id: int) -> list[str]:
    """Begin elsewhere in every run, so that those which fail do not always come first."""
    start = run_id * SHOWN_IDS % len(arxiv_ids)
    return [*arxiv_ids[start:], *arxiv_ids[:start]]


def _still_missing(left: Missing, errors: Sequence[str]) -> list[str]:
    if not left.not_come:
        return []
    why = f" ({'; '.join(errors)})" if errors else ""
    return [f"announced papers have not arrived: {_name_some(left.not_come)}; every night asks for them again{why}"]


def _long_gone(left: Missing) -> str:
    return (
        f"papers announced more than {NIGHTLY_FOR.days} days ago have never arrived: {_name_some(left.long_gone)};"
        f" they are asked for every {LATER_EVERY.days} days"
    )


def _name_some(arxiv_ids: Sequence[str]) -> str:
    shown = ", ".join(arxiv_ids[:SHOWN_IDS]) + (", ..." if len(arxiv_ids) > SHOWN_IDS else "")
    return f"{len(arxiv_ids)} ({shown})"


def _unread_checks(context: HarvestContext, reconciliation: Reconciliation) -> list[str]:
    """Say which lists were not read whole for so long that what they would find may be lost."""
    store, notes = context.store, []
    for check in reconciliation.checks:
        day = find_last_whole_day(
            store, check.name, check.part, now=context.now(), run_id=context.run_id
        ) or find_first_day(store)
        if day and context.clock().date() - date.fromisoformat(day) > reconciliation.overdue_after:
            notes.append(f"{check.name} of {check.part}")
    if not notes:
        return []
    return [
        f"no cross-check has come through for more than {reconciliation.overdue_after.days} days with"
        f" {_name_some(notes)}: `bmp runs show {context.run_id}` tells why"
    ]


def _is_refused(context: HarvestContext, check: CrossCheck, harvested: Harvest) -> bool:
    """Read one list if it is due, and tell whether the other side refused to answer at all."""
    cursor = find_cursor(context.store, check.name, check.part)
    read_until = cursor or find_first_day(context.store)
    if not check.is_due(read_until, paged=harvested.paged, today=context.clock().date()):
        return False
    start = check.start(cursor or find_first_since(context.store), harvested.since)
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
