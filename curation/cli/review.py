"""`bmp review`: the terminal queue."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from curation.cli.context import AppContext, pass_app, say
from db.errors import UsageError

if TYPE_CHECKING:
    from curation.tui.screens import Tools
    from db.store import Row


@click.command()
@click.option("--phenomenon", metavar="CODE", help="Only candidates for this phenomenon.")
@click.option("--serve", is_flag=True, help="Serve the same review to browsers.")
@click.option("--host", metavar="HOST", help="With --serve: listen on this address; 127.0.0.1 unless it is named.")
@click.option("--port", type=click.IntRange(0, 65535), metavar="PORT", help="With --serve: 8000 unless it is named.")
@click.option("--public-url", metavar="URL", help="With --serve: where a proxy before it shows it to browsers.")
@pass_app
def review(
    app: AppContext, phenomenon: str | None, serve: bool, host: str | None, port: int | None, public_url: str | None
) -> None:
    """Decide what waits, in the terminal; every decision is on disk before the next paper is shown.

    With --serve the same in the browser, until Ctrl-C. On another address than this machine's own, visitors need the
    token that is printed; there is no encryption (the manual, "In the browser").
    """
    if serve:
        _serve(app, phenomenon, "127.0.0.1" if host is None else host, 8000 if port is None else port, public_url)
        return
    if (host, port, public_url) != (None, None, None):
        raise UsageError("--host, --port and --public-url say how to serve", "add --serve")
    from curation.serve.child import is_served
    from db.phenomena import find_phenomenon

    with app.open_store() as store:
        if phenomenon is not None:
            find_phenomenon(store, phenomenon)
        if not is_served(app.environment) and not (sys.stdin.isatty() and sys.stdout.isatty()):
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

    return Tools(split, render, None if app.settings.blind else tell_effort)  # it tells what others decided


def _serve(app: AppContext, phenomenon: str | None, host: str, port: int, public_url: str | None) -> None:
    """Serve the review until SIGINT or SIGTERM."""
    from curation.serve.child import review_words
    from curation.serve.server import serve_review
    from db.phenomena import find_phenomenon

    if public_url is not None:
        public_url = _require_site(public_url)
    with app.open_store() as store:  # what the visitors' processes could not open is told now
        if phenomenon is not None:
            find_phenomenon(store, phenomenon)
    words = review_words(app.settings.db, phenomenon)
    serve_review(words, host=host, port=port, token=app.settings.serve_token, public_url=public_url, say=say)
    say("Ended.")


def _require_site(url: str) -> str:
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and url.isprintable():
            return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")
    except ValueError:  # a port or an IPv6 address that is none
        pass
    raise UsageError("--public-url is no http or https address", "write it as https://bmp.example.org")


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
