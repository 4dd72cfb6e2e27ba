"""`bmp review`: the terminal queue."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import click

from curation.cli.context import AppContext, pass_app, say
from db.errors import UsageError


@click.command()
@click.option("--phenomenon", metavar="CODE", help="Only candidates for this phenomenon.")
@pass_app
def review(app: AppContext, phenomenon: str | None) -> None:
    """Decide what waits, in the terminal; every decision is on disk before the next paper is shown."""
    from db.phenomena import find_phenomenon

    with app.open_store() as store:
        if phenomenon is not None:
            find_phenomenon(store, phenomenon)
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise UsageError("the review needs a terminal", "`bmp queue` does the same for scripts")
        from curation.tui.app import run_review

        decided = run_review(store, app.review(store), phenomenon=phenomenon, open_rerank=lambda: _opened_rerank(app))
    say(f"{decided} decisions made.")


@contextmanager
def _opened_rerank(app: AppContext) -> Iterator[Callable[[str], Mapping[int, float]]]:
    """Give what ranks anew what waits for a code, on a connection of its own; before the first night nothing."""
    from crawler.rerank import QueueRanker

    with app.open_store() as store:
        ranker = QueueRanker.make(store)

        def rerank(code: str) -> Mapping[int, float]:
            nonlocal ranker
            ranker = ranker or QueueRanker.make(store)
            return ranker.rerank(code) if ranker else {}

        yield rerank
