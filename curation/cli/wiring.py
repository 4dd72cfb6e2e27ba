"""Puts a run together from the settings: client, source, model, signals, progress. The only place that does."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import date, timedelta
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from crawler.control import Stop
from curation.cli.context import AppContext, program_version, say
from curation.cli.progress import ProgressDisplay

if TYPE_CHECKING:
    from crawler.embed import Embedder, SentenceTransformerEmbedder
    from crawler.nightly import Night, Outcome
    from crawler.reconcile import Reconciliation
    from crawler.rerank import QueueRanker
    from crawler.sources.crosscheck import CrossCheck
    from crawler.sources.http import PoliteClient
    from crawler.sources.query import QueryApi
    from crawler.sources.source import Source
    from db.records import ModelIdentity
    from db.settings import Settings
    from db.store import Row, Store


RECONCILIATION_PATIENCE_SECONDS = 120.0  # a cross-check that does not answer is no reason to hold a night up
LOOK_UP_PATIENCE_SECONDS = 20.0  # for one request that fails, so that there is time for others
LOOK_AT_LOCK_SECONDS = 1.0


@contextmanager
def stopping_on_signals() -> Iterator[Stop]:
    """Give a stop that SIGINT and SIGTERM ask for, and put the old handlers back."""
    stop = Stop()
    previous = {number: signal.signal(number, stop.on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def polite_client(settings: Settings, stop: Stop) -> Iterator[PoliteClient]:
    """Give an HTTP client at the pace of the settings."""
    from crawler.sources.http import Pace, PoliteClient, user_agent

    pace = Pace(settings.arxiv_delay_seconds, settings.arxiv_max_wait_seconds, settings.arxiv_read_timeout_seconds)
    client = PoliteClient(pace, user_agent=user_agent(program_version(), settings.contact), stop=stop)
    try:
        yield client
    finally:
        client.close()


def nightly_source(app: AppContext, name: str, client: PoliteClient, categories: Sequence[str]) -> Source:
    """Return the source of a night: `oai` or `api`.

    Raises:
        UsageError: a category is none of arXiv's.
    """
    from crawler.sources.oai import OaiSource, group_sets

    sets = group_sets(categories)
    days = app.settings.first_night_days
    if name == "oai":
        return OaiSource(client, app.settings.arxiv_oai_url, sets, clock=app.clock, first_night_days=days)
    from crawler.sources.query import ApiDaysSource

    return ApiDaysSource(query_api(app, client), categories, clock=app.clock, first_night_days=days)


def make_reconciliation(
    app: AppContext, source: Source, client: PoliteClient, categories: Sequence[str]
) -> Reconciliation:
    """Return what a night's harvest is held against: the feeds of its categories and, with OAI-PMH, the identifiers.

    The feeds are arXiv's own: where the harvest asks a mirror, they are read only if an address of theirs is set too.
    """
    from crawler.reconcile import Reconciliation
    from crawler.sources.identifiers import IdentifierList
    from crawler.sources.oai import category_set
    from crawler.sources.query import IdsSource
    from crawler.sources.rss import RssFeed
    from db.settings import OFF, Settings

    settings, defaults = app.settings, {field.name: field.default for field in fields(Settings)}
    checks: list[CrossCheck] = []
    mirrored = settings.arxiv_oai_url != defaults["arxiv_oai_url"]
    if settings.arxiv_rss_url != OFF and not (mirrored and settings.arxiv_rss_url == defaults["arxiv_rss_url"]):
        checks += [RssFeed(client, settings.arxiv_rss_url, category) for category in categories]
    if source.name == "oai":
        checks += [
            IdentifierList(
                client,
                settings.arxiv_oai_url,
                category_set(category),
                clock=app.clock,
                every_days=settings.reconcile_days,
            )
            for category in categories
        ]
    return Reconciliation(
        checks,
        look_up=lambda arxiv_ids: IdsSource(
            query_api(app, client),
            arxiv_ids,
            patience=lambda: client.patience(LOOK_UP_PATIENCE_SECONDS, for_waits=False),
        ),
        patience=lambda: client.patience(RECONCILIATION_PATIENCE_SECONDS),
        overdue_after=timedelta(days=2 * settings.reconcile_days),
    )


def query_api(app: AppContext, client: PoliteClient) -> QueryApi:
    """Return the query API at the address of the settings."""
    from crawler.sources.query import QueryApi

    return QueryApi(client, app.settings.arxiv_api_url)


def open_embedder(app: AppContext, known: Sequence[ModelIdentity] = ()) -> SentenceTransformerEmbedder:
    """Return the model of the settings; it is loaded when the first text needs it.

    Args:
        known: under which identities vectors are kept already.
    """
    from crawler.embed import SentenceTransformerEmbedder
    from crawler.models import find_model

    return SentenceTransformerEmbedder(
        find_model(app.settings.model, app.environment),
        known,
        prompt=app.settings.model_prompt,
        engine=app.settings.engine,
        cache=app.settings.cache,
        say=say,
    )


def make_embedder(app: AppContext) -> Callable[[Store], Embedder]:
    """Return what finds the model of the settings; the model itself is loaded when the first text needs it."""

    def make(store: Store) -> Embedder:
        from db.vectors import list_models

        return open_embedder(app, list_models(store))

    return make


def make_worker_embedder(model: str, prompt: str | None, engine: str) -> Embedder:
    """Return the model of the settings in a worker of a cluster, found by the worker's own environment."""
    import os

    from crawler.embed import SentenceTransformerEmbedder
    from crawler.models import find_model
    from db.settings import load_settings

    cache = load_settings(os.environ).cache
    return SentenceTransformerEmbedder(find_model(model, os.environ), prompt=prompt, engine=engine, cache=cache)


def open_queue_ranker(store: Store) -> QueueRanker:
    """Return what scores the queue by the decisions made so far; it loads no model.

    Raises:
        UsageError: no night has matched anything yet.
    """
    from crawler.rerank import QueueRanker
    from db.errors import UsageError

    ranker = QueueRanker.make(store)
    if ranker is None:
        raise UsageError("nothing has been matched yet", "`bmp nightly` does")
    return ranker


def queue_threshold(settings: Settings) -> float:
    """Return the score from which a match is queued, where no precision is asked for."""
    from crawler.ranking.ranker import DEFAULT_THRESHOLD

    return DEFAULT_THRESHOLD if settings.queue_threshold is None else settings.queue_threshold


def make_night(
    app: AppContext,
    store: Store,
    source: Source,
    stop: Stop,
    *,
    kind: str,
    categories: Sequence[str],
    since: date | None = None,
    reconciliation: Reconciliation | None = None,
    cascade: bool | None = None,
) -> Night:
    """Return a run with everything it works with."""
    from crawler.control import no_progress
    from crawler.nightly import Night
    from crawler.zero import judge_zero

    return Night(
        store=store,
        kind=kind,
        source=source,
        make_embedder=make_embedder(app),
        categories=tuple(categories),
        threshold=queue_threshold(app.settings),
        precision=app.settings.queue_precision,
        budget=app.settings.queue_budget,
        program_version=program_version(),
        clock=app.clock,
        stop=stop,
        progress=no_progress,
        since=since,
        reconciliation=reconciliation,
        cascade=cascade,
        audit_size=app.settings.audit_per_night if kind == "nightly" else 0,
        scope="" if kind != "nightly" or set(app.settings.categories) <= set(categories) else " ".join(categories),
        judge_zero=partial(
            judge_zero, store, holidays=app.settings.holidays(), first_night_days=app.settings.first_night_days
        )
        if kind == "nightly"
        else None,
    )


def make_cluster_night(app: AppContext, night: Night, file: Path, *, address: str | None, workers: int | None) -> Night:
    """Return a backfill of a snapshot whose texts are parsed and embedded on a Ray cluster.

    Raises:
        UsageError: Ray is not installed.
    """
    from crawler.backfill import ClusterSource
    from crawler.cluster import Cluster, require_ray

    require_ray()
    make, settings = cache(night.make_embedder), app.settings
    source = ClusterSource(
        file,
        night.categories,
        since=night.since,
        store=night.store,
        own=lambda: make(night.store),
        make_embedder=partial(make_worker_embedder, settings.model, settings.model_prompt, settings.engine),
        cluster=Cluster(address, workers),
        stop=night.stop,
    )
    return replace(night, source=source, make_embedder=make)


def run_locked(app: AppContext, night: Night, *, wait: bool = False) -> Outcome:
    """Run under the night's lock, showing progress.

    Args:
        wait: wait for another run's end instead of giving up.

    Raises:
        BusyError: another run is at work on the database.
        StopRequested: while waiting.
    """
    from crawler.nightly import run_night
    from db.store import night_lock

    pause = _waiting_pause(night.stop) if wait else None
    with night_lock(app.settings.db, pause), ProgressDisplay(sys.stderr) as display:
        return run_night(replace(night, progress=display))


def _waiting_pause(stop: Stop) -> Callable[[], None]:
    """Return the pause between two looks at the lock; the first one says what is waited for."""
    said = False

    def pause() -> None:
        nonlocal said
        if not said:
            say("Another run is at work; waiting for its end.")
        said = True
        stop.sleep(LOOK_AT_LOCK_SECONDS)

    return pause


def exit_code(outcome: Outcome) -> int:
    """Return the exit code of a run: 0 whole, 3 partial, 1 failed, 130 interrupted."""
    if outcome.interrupted:
        return 130
    return {"complete": 0, "quiet": 0, "partial": 3, "failed": 1}[outcome.run["status"]]


def tell_outcome(store: Store, run: Row) -> None:
    """Say in a line or two what a run did."""
    reopened = count_reopened(store, run)
    took = f"{run['seconds']['total']:.1f} s"
    fetched = f" {run['fetched']} more fetched by id," if run["fetched"] else ""
    say(
        f"Run {run['run_id']} {run['status']} in {took}: {run['received']} records received,{fetched}"
        f" {run['new']} new papers, {run['changed']} changed, {run['withdrawn']} withdrawn;"
        f" {run['queued']} candidates queued{f', {reopened} re-opened' if reopened else ''}."
    )
    if run["error"]:
        say(f"Error: {run['error']}")
    if run["note"]:
        say(f"Note: {run['note']}")


def count_reopened(store: Store, run: Row) -> int:
    """Count the acceptances that were re-opened while a run was at work."""
    from db.decisions import list_events
    from db.times import from_text, to_text

    ended = to_text(from_text(run["finished_at"]) + timedelta(seconds=1))  # moments are kept to the second
    return sum(event["kind"] == "reopen" for event in list_events(store, since=run["started_at"], until=ended))
