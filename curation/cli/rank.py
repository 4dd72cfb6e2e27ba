"""`bmp rank`: the ranker at work on any phenomenon or claim."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

import click

from curation.cli.context import AWAITED, DATE, AppContext, json_option, pass_app, say, write_json, write_table
from curation.cli.progress import ProgressDisplay
from db.errors import UsageError
from db.records import Status
from db.text import clean_line, show_score

if TYPE_CHECKING:
    from crawler.rank import Ranking

DEFAULT_LIMIT = 20
NOTHING_FITS = 0.1  # the best score below which a person is told so


@click.command()
@click.option("--phenomenon", metavar="CODE", help="Rank for this phenomenon of the catalogue.")
@click.option("--claim", metavar="TEXT", help="Rank for this claim in words.")
@click.option("--since", type=DATE, help="Only papers first published on this day or later.")
@click.option(
    "--limit",
    type=click.IntRange(0),
    help=f"At most so many, 0 for all; {DEFAULT_LIMIT} unless the format is trec, which lists all.",
)
@click.option(
    "--format", "format_name", type=click.Choice(["table", "json", "trec"]), help="table unless said otherwise."
)
@json_option
@pass_app
def rank(
    app: AppContext,
    phenomenon: str | None,
    claim: str | None,
    since: date | None,
    limit: int | None,
    format_name: str | None,
    as_json: bool,
) -> None:
    """Rank the stored papers for a phenomenon or for a claim in words, best first.

    Beside a paper stands what was decided on it for --phenomenon. The trec format is a run file: topic, Q0, paper,
    rank, score, tag.
    """
    if (phenomenon is None) == (claim is None):
        raise UsageError("say what to rank for", "either --phenomenon CODE or --claim TEXT")
    if claim is not None and not clean_line(claim):
        raise UsageError("the claim is empty", 'write it in words, such as --claim "Loss is a power law of compute"')
    if as_json and format_name not in (None, "json"):
        raise UsageError(f"--json and --format {format_name} are two formats", "say one of them")
    format_name = "json" if as_json else format_name or "table"
    if limit is None and format_name != "trec":
        limit = DEFAULT_LIMIT
    ranking, states = _rank(app, phenomenon, claim, since, limit or None)
    if not ranking.papers and not ranking.without_vector:
        say("No stored paper is that new." if since else "No paper is stored yet; `bmp nightly` brings some.")
    if ranking.papers and ranking.papers[0].score < NOTHING_FITS:
        say("Nothing that is stored fits well; the default model reads English.")
    if ranking.without_vector:
        say(f"{ranking.without_vector} papers have no vector and are left out; {AWAITED}.")
    _write(ranking, states, phenomenon or "claim", format_name)


def _rank(
    app: AppContext, phenomenon: str | None, claim: str | None, since: date | None, limit: int | None
) -> tuple[Ranking, Mapping[str, str]]:
    """Return the ranking, and how papers stand that are candidates for the phenomenon, by arXiv id."""
    from crawler.rank import rank_papers
    from crawler.ranking.ranker import Claim
    from curation.cli.wiring import make_embedder
    from db.phenomena import find_phenomenon

    with app.open_store() as store:
        states = dict[str, str]()
        if phenomenon is not None:
            asked = Claim.of(find_phenomenon(store, phenomenon))
            found = app.review(store).waiting(phenomenon=phenomenon, statuses=list(Status))
            states = {row["arxiv_id"]: row["status"] for row in found}
        else:
            text = clean_line(claim or "")
            asked = Claim("claim", text, text)
        with ProgressDisplay(sys.stderr) as display:
            embedder = make_embedder(app)(store)
            return rank_papers(store, embedder, asked, since=since, limit=limit, progress=display), states


def _write(ranking: Ranking, states: Mapping[str, str], topic: str, format_name: str) -> None:
    papers = ranking.papers
    if format_name == "json":
        write_json(
            [
                {
                    "arxiv_id": paper.arxiv_id,
                    "version": paper.version,
                    "title": paper.title,
                    "score": paper.score,
                    "status": states.get(paper.arxiv_id),
                    "withdrawn": paper.withdrawn,
                }
                for paper in papers
            ]
        )
    elif format_name == "trec":
        from crawler.trec import run_lines, run_tag

        exact = [(paper.arxiv_id, paper.exact) for paper in papers]
        for line in run_lines(topic, exact, run_tag(ranking.ranker_version)):
            click.echo(line)
    else:
        marked = {True: "[withdrawn] ", False: ""}
        rows = [
            (show_score(p.score, 3), f"{p.arxiv_id}v{p.version}", states.get(p.arxiv_id), marked[p.withdrawn] + p.title)
            for p in papers
        ]
        write_table(rows, ("score", "arXiv", "status", "title"), wide=3)
