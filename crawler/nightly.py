"""One pass: harvest, reconcile, embed, match, queue, and one ledger row that says what happened, whatever happens."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from crawler.announcements import Expectation
from crawler.control import Progress, Stop, StopRequested
from crawler.embed import Embedder, embed_missing
from crawler.harvest import HarvestContext, harvest
from crawler.match import match_missing
from crawler.reconcile import Reconciliation, reconcile
from crawler.sift import embed_at_hand, sift
from crawler.sources.source import Source
from db.errors import BmpError, StoreError
from db.records import ModelIdentity, RunStatus
from db.runs import STOPPED, add_to_run, find_run, set_run, start_run
from db.sifting import find_horizon, forget_sifts, plan_sift, save_named
from db.store import Row, Store, store_error
from db.times import Clock, to_text
from db.vectors import keep_model

LAST_WORDS_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Night:
    """What a run works with, all of it handed in.

    Attributes:
        kind: `nightly`, `backfill`, `fetch` or `demo`, as the ledger calls it.
        make_embedder: called once, before anything is fetched: a model that cannot be had ends the run at once.
        categories: papers of these are kept; empty keeps all.
        threshold: the score from which a match is queued.
        precision: the share of what is queued that is to be right, in place of the threshold.
        budget: how many candidates are new at most.
        cascade: of the papers that are stored only the newest are embedded, and those that can reach the queue; False
            embeds also what was passed over before, None goes on as before.
        audit_size: how many of the other pairs are queued beside it at most, drawn at random.
        reconciliation: what a harvest that came to its end is held against, if anything.
        scope: the categories, where fewer are kept than on other nights: such nights have cursors of their own.
        judge_zero: says of a ledger row whether it is normal that the night found nothing.
        monotonic: seconds, for the ledger's durations.
    """

    store: Store
    kind: str
    source: Source
    make_embedder: Callable[[Store], Embedder]
    categories: tuple[str, ...]
    threshold: float
    program_version: str
    clock: Clock
    stop: Stop
    progress: Progress
    since: date | None = None
    reconciliation: Reconciliation | None = None
    scope: str = ""
    judge_zero: Callable[[Row], Expectation] | None = None
    audit_size: int = 0
    precision: float | None = None
    budget: int | None = None
    cascade: bool | None = None
    monotonic: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: its ledger row, and whether it was asked to stop before it was done."""

    run: Row
    interrupted: bool


def run_night(night: Night) -> Outcome:
    """Run one pass and return its ledger row; the caller holds the night's lock.

    Errors of sources, model and disk end in the ledger, not in an exception, as far as the ledger can be written.

    Raises:
        StoreError: the database cannot be written any more; the row is closed by the next run.
        StopRequested: while waiting for another program to let the run begin, or its row be closed.
    """
    with _waiting(night.store, night.stop.check), night.store.transaction():
        run_id = start_run(
            night.store,
            kind=night.kind,
            source=night.source.name,
            categories=night.categories,
            started_at=to_text(night.clock()),
            program_version=night.program_version,
        )
    errors, notes = list[str](), list[str]()
    interrupted = False
    try:
        with _waiting(night.store, night.stop.check):
            _work(night, run_id, errors, notes)
    except (StopRequested, BmpError) as error:
        # A library that a stop broke off may give it another name.
        interrupted = isinstance(error, StopRequested) or night.stop.is_requested
        errors.append(f"{STOPPED}; the next run goes on from here" if interrupted else str(error))
    except (sqlite3.Error, OSError) as error:
        errors.append(str(store_error(night.store.path, error)))
    except BaseException as error:
        at_once = isinstance(error, KeyboardInterrupt)
        words = f"{STOPPED}, at once" if at_once else f"{type(error).__name__}: {error}"
        with _waiting(night.store, partial(_hurry, night)):
            _close(night, run_id, [*errors, words], notes)
        raise
    try:
        with _waiting(night.store, partial(_hurry, night)):
            _close(night, run_id, errors, notes)
    except (StoreError, sqlite3.Error) as error:
        if night.stop.is_requested:
            raise StopRequested from error
        raise (store_error(night.store.path, error) if isinstance(error, sqlite3.Error) else error) from error
    return Outcome(find_run(night.store, run_id), interrupted)


@contextmanager
def _waiting(store: Store, look: Callable[[], None]) -> Iterator[None]:
    """Look at a request to stop while the store waits for another program."""
    kept = store.wait_seconds, store.while_waiting
    store.while_waiting = look
    try:
        yield
    finally:
        store.wait_seconds, store.while_waiting = kept


def _hurry(night: Night) -> None:
    """Leave little time to the last words of a night that was asked to stop; the next one closes its row if need be."""
    if night.stop.is_requested:
        night.store.wait_seconds = LAST_WORDS_SECONDS


def _work(night: Night, run_id: int, errors: list[str], notes: list[str]) -> None:
    """Do the stages; what cannot be done for want of a model is known before a single paper is asked for.

    Args:
        errors: what went wrong with the harvest is added here, for a later stage may fail as well.
        notes: what a person should know beside it.
    """
    store = night.store
    with night.stop.breakable():  # a model that was never used here is loaded to tell what it is
        embedder = night.make_embedder(store)
        identity = embedder.identity
    with store.transaction():
        set_run(store, run_id, model=identity.name, model_revision=identity.revision)
    _harvest(night, run_id, errors, notes, _wish_keeper(night, identity))
    with _timed(night, run_id, "embed"):
        passed_over = _embed(night, embedder, run_id)
    with _timed(night, run_id, "match"):
        left = match_missing(
            store,
            embedder,
            run_id=run_id,
            threshold=night.threshold,
            precision=night.precision,
            budget=night.budget,
            now=to_text(night.clock()),
            stop=night.stop,
            progress=night.progress,
            audit_size=night.audit_size,
        )
    if passed_over:
        notes.append(f"{passed_over} older papers cannot reach the queue by their words and were not embedded")
    if left:
        notes.append(f"{left} more passed than the budget of {night.budget}; the next runs queue them, best first")


def _wish_keeper(night: Night, identity: ModelIdentity) -> Callable[[list[str]], None]:
    """Return what keeps, with each page, how its papers are to be embedded: a night after one that is stopped knows."""
    if night.kind == "fetch":  # a person asked for these papers
        return partial(save_named, night.store)
    if night.cascade:
        model_id = keep_model(night.store, identity)
        return lambda _: plan_sift(night.store, model_id)
    return lambda _: None


def _embed(night: Night, embedder: Embedder, run_id: int) -> int:
    """Embed what has no vector yet, and return how many papers a cascade passed over; none that a person named is."""
    told: dict[str, Any] = {"run_id": run_id, "stop": night.stop, "progress": night.progress}
    passed_over = 0
    if night.cascade is False:
        with night.store.transaction():
            forget_sifts(night.store)
    if night.cascade:  # a night after one that is stopped must not embed them all
        model_id = keep_model(night.store, embedder.identity)
        with night.store.transaction():
            plan_sift(night.store, model_id)
    if night.cascade or find_horizon(night.store):
        embed_at_hand(night.store, embedder, **told)
        told_cut: dict[str, Any] = {"threshold": night.threshold, "precision": night.precision}
        passed_over = sift(night.store, embedder, begin=bool(night.cascade), **told_cut, **told)
    embed_missing(night.store, embedder, beyond=find_horizon(night.store), **told)
    return passed_over


def _harvest(
    night: Night, run_id: int, errors: list[str], notes: list[str], keep_wish: Callable[[list[str]], None]
) -> None:
    """Harvest and, if that came to its end, reconcile: a sick endpoint is asked nothing more."""
    store, categories = night.store, frozenset(night.categories)
    context = HarvestContext(
        store,
        run_id,
        categories,
        night.clock,
        night.stop,
        night.progress,
        keep_wish=keep_wish,
        scope=night.scope,
        monotonic=night.monotonic,
    )
    with _timed(night, run_id, "harvest"):
        harvested = harvest(context, night.source, since=night.since)
    errors += harvested.errors
    if harvested.unreadable:
        records = "1 record" if harvested.unreadable == 1 else f"{harvested.unreadable} records"
        errors.append(f"{records} could not be read; `bmp runs show {run_id}` lists what")
    with store.transaction():
        set_run(store, run_id, promised=harvested.promised, since=harvested.since, refused=int(harvested.refused))
    if night.reconciliation is None or harvested.errors:
        return
    with _timed(night, run_id, "reconcile"):
        reconciled = reconcile(context, night.reconciliation, harvested)
    errors += reconciled.errors
    notes += reconciled.notes
    with store.transaction():
        set_run(store, run_id, refused=int(reconciled.refused))


@contextmanager
def _timed(night: Night, run_id: int, stage: str) -> Iterator[None]:
    began = night.monotonic()
    try:
        yield
    finally:
        with night.store.transaction():
            add_to_run(night.store, run_id, **{f"{stage}_seconds": night.monotonic() - began})


def _close(night: Night, run_id: int, errors: list[str], notes: list[str]) -> None:
    run = find_run(night.store, run_id)
    usable = run["received"] - run["malformed"] + run["fetched"]
    status = judge(usable, run["new"] + run["changed"], whole=not errors)
    if status is RunStatus.QUIET and night.judge_zero is not None:
        expected = night.judge_zero(run)
        notes = notes if expected.zero_is_normal else [f"nothing new came, but {expected.why}", *notes]
    with night.store.transaction():
        set_run(
            night.store,
            run_id,
            status=status.value,
            finished_at=to_text(night.clock()),
            error="; ".join(errors) or None,
            note="; ".join(notes) or None,
        )


def judge(usable: int, news: int, *, whole: bool) -> RunStatus:
    """Return a run's state.

    Args:
        usable: the records that arrived and could be read.
        news: the papers that were new or changed.
        whole: all that was promised arrived, and every stage came to its end.
    """
    if whole:
        return RunStatus.COMPLETE if news else RunStatus.QUIET
    return RunStatus.PARTIAL if usable else RunStatus.FAILED
