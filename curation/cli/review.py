"""`bmp review`: the terminal queue."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from curation.cli.context import AppContext, pass_app, say
from db.errors import UsageError

if TYPE_CHECKING:
    from curation.tui.screens import Tools
    from db.store import Row


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

        decided = run_review(
            store,
            app.review(store),
            phenomenon=phenomenon,
            open_rerank=lambda: _opened_rerank(app),
            keys=app.settings.keys,
            tools=_tools(app),
        )
    say(f"{decided} decisions made.")


def _tools(app: AppContext) -> Tools:
    """Return what the crawler and the exports do for the screen; each is loaded when it is first called."""
    from curation.tui.screens import Tools

    def split(abstract: str) -> list[tuple[int, int]]:
        from crawler.ranking.splitting import split_sentences

        return [(sentence.start, sentence.end) for sentence in split_sentences(abstract)]

    def render(row: Row) -> str:
        from curation.export.bibtex_text import render_paper

        return render_paper(row)

    def tell_effort(code: str) -> list[Row]:
        from curation.cli.remaining import gather_effort

        with app.open_store() as store:
            recalls: list[Row] = gather_effort(store, code, today=app.clock().date())["recalls"]
            return recalls

    return Tools(split, render, tell_effort)


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
