"""What stands in for the world in tests of the harvest: time, model, and a client that does not wait."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
from loopback.server import ArxivServer

from crawler import nightly
from crawler.announcements import Expectation
from crawler.control import Progress, Stop, no_progress
from crawler.nightly import Outcome
from crawler.reconcile import Reconciliation
from crawler.sources.http import Pace, PoliteClient, user_agent
from crawler.sources.identifiers import IdentifierList
from crawler.sources.oai import OaiSource, category_set
from crawler.sources.query import IdsSource, QueryApi
from crawler.sources.rss import RssFeed
from crawler.sources.source import Source
from db.records import ModelIdentity
from db.store import Row, Store, night_lock, open_store
from db.vectors import Vectors

NOW = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)
CATEGORIES = ("cs.LG", "cs.CL", "cs.AI", "stat.ML")
SETS = ("cs", "stat")


class FakeTime(Stop):
    """A stop whose waits take no time but are written down; `monotonic` is its clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        """Return the seconds that have passed."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.check()
        if seconds > 0:
            self.slept.append(seconds)
            self.now += seconds


@dataclass
class HashEmbedder:
    """A model that knows nothing: the same text has the same vector, and that is all.

    `before_encode` is called with the number of the call, from 1 on, and may stop or fail it.
    """

    before_encode: Callable[[int], None] = lambda _: None
    calls: int = 0
    texts: list[str] = field(default_factory=list)
    identity: ModelIdentity = field(default_factory=lambda: ModelIdentity("fake/hash", "1", "", 256, 8))
    engine: str = "hash"

    def prepare(self, expected: int = 0) -> None:
        """Need nothing."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors made of the texts' hashes."""
        self.calls += 1
        self.before_encode(self.calls)
        self.texts += texts
        digests = [hashlib.sha256(text.encode()).digest()[:8] for text in texts]
        rows = np.array([list(digest) for digest in digests], dtype=np.float32).reshape(len(texts), 8) - 127.5
        unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


def make_client(stop: Stop | None = None, *, max_wait: float = 20.0, read_timeout: float = 2.0) -> PoliteClient:
    """Return a client for loopback.

    It loads no certificates, which takes longer than a test, and keeps no connection open that a test would close.
    """
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=0)
    return PoliteClient(
        Pace(delay_seconds=0, max_wait_seconds=max_wait, read_timeout_seconds=read_timeout),
        user_agent=user_agent("0", "tests@example.org"),
        stop=stop or FakeTime(),
        transport=httpx.HTTPTransport(verify=False, trust_env=False, limits=limits),
        wall_clock=lambda: NOW,
    )


def oai_source(
    url: str, *, client: PoliteClient | None = None, clock: Callable[[], datetime] = lambda: NOW, first_night: int = 7
) -> OaiSource:
    """Return the nightly source at an address."""
    return OaiSource(client or make_client(), url, SETS, clock=clock, first_night_days=first_night)


def reconciliation(
    server: ArxivServer,
    *,
    client: PoliteClient | None = None,
    clock: Callable[[], datetime] = lambda: NOW,
    feeds: bool = True,
    every_days: int = 7,
) -> Reconciliation:
    """Return what a night is held against: the stand-in's feeds and identifiers, and its query API for look-ups."""
    asked = client or make_client()
    checks = [RssFeed(asked, server.rss_url, category) for category in CATEGORIES if feeds]
    lists = [
        IdentifierList(asked, server.oai_url, category_set(category), clock=clock, every_days=every_days)
        for category in CATEGORIES
    ]
    return Reconciliation(
        [*checks, *lists],
        look_up=lambda ids: IdsSource(
            QueryApi(asked, server.api_url), ids, patience=lambda: asked.patience(2, for_waits=False)
        ),
        patience=lambda: asked.patience(10),
        overdue_after=timedelta(days=2 * every_days),
    )


def run_night(
    store: Store,
    source: Source,
    *,
    embedder: HashEmbedder | None = None,
    stop: Stop | None = None,
    since: date | None = None,
    kind: str = "nightly",
    clock: Callable[[], datetime] = lambda: NOW,
    categories: tuple[str, ...] = CATEGORIES,
    threshold: float = 1e9,
    reconciliation: Reconciliation | None = None,
    judge_zero: Callable[[Row], Expectation] | None = None,
    scope: str = "",
    audit_size: int = 0,
    progress: Progress = no_progress,
) -> Outcome:
    """Run one night with a fake model and return its outcome."""
    made = embedder or HashEmbedder()
    night = nightly.Night(
        store=store,
        kind=kind,
        source=source,
        make_embedder=lambda _: made,
        categories=categories,
        threshold=threshold,
        program_version="0",
        clock=clock,
        stop=stop or Stop(),
        progress=progress,
        since=since,
        reconciliation=reconciliation,
        judge_zero=judge_zero,
        scope=scope,
        audit_size=audit_size,
    )
    return nightly.run_night(night)


def night_process(database: str, oai_url: str) -> None:
    """Run one night as a process of its own, under the lock, as the command line does."""
    path = Path(database)
    with open_store(path, clock=lambda: NOW) as store, night_lock(path):
        run_night(store, oai_source(oai_url, client=make_client(Stop())))


if __name__ == "__main__":
    night_process(*sys.argv[1:])
