"""`bmp phenomena propose`: what papers of the field fit no entry, and making an entry of it."""

from __future__ import annotations

import json
import sys
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from curation.cli.context import (
    AWAITED,
    DATE,
    LIMIT,
    ROW_ID,
    AppContext,
    json_option,
    pass_app,
    rounded,
    say,
    write_json,
    write_table,
)
from curation.cli.progress import ProgressDisplay
from db.errors import UsageError
from db.records import Aspect, Stance
from db.text import clean_line, require_arxiv_id
from db.times import to_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from db.records import Phenomenon
    from db.store import Row, Store

DEFAULT_LIMIT = 20
TERMS_IN_TABLE = 4
_TEMPLATE = """\
# Proposal {number} as a new entry. Its central papers become its first evidence:
{titles}# Fill it in, save it and close the editor; leave it as it is to leave the proposal open.
[[phenomenon]]
code = ""                # letters, then numbers with dots; never one that was used before
aspect = "how"           # how (training) or what (properties)
group = ""
title = ""
statement = ""           # the claim, in a sentence or two
keywords = {keywords}
references = {references}
"""
_ENTRY = ("code", "aspect", "group", "title", "statement")


@click.command()
@click.option("--limit", type=LIMIT, default=DEFAULT_LIMIT, show_default=True, help="List at most so many.")
@click.option("--since", type=DATE, help="Only papers first published on this day or later.")
@click.option("--show", "shown", type=ROW_ID, metavar="ID", help="Show a proposal with all its papers.")
@click.option("--dismiss", "dismissed", type=ROW_ID, metavar="ID", help="Put a proposal away; it is not made again.")
@click.option(
    "--accept", "accepted", type=ROW_ID, metavar="ID", help="Make a proposal an entry, as the options say or $EDITOR."
)
@click.option("--code", help="The entry's code, such as H4.1; none that was ever used.")
@click.option(
    "--aspect", type=click.Choice([aspect.value for aspect in Aspect]), help="How to train, or what comes out."
)
@click.option("--group", help="The heading under which the entry stands.")
@click.option("--title", help="The claim in a few words.")
@click.option("--statement", help="The claim in a sentence or two.")
@click.option("--keyword", "keywords", multiple=True, help="A phrase that abstracts use; the proposal's terms if none.")
@click.option("--evidence", multiple=True, metavar="ARXIV_ID", help="Accept this paper; the central ones if none.")
@click.option(
    "--stance",
    type=click.Choice([stance.value for stance in Stance]),
    help="How the evidence bears on the claim; supports if not said.",
)
@json_option
@pass_app
def propose(
    app: AppContext,
    /,
    limit: int,
    since: date | None,
    shown: int | None,
    dismissed: int | None,
    accepted: int | None,
    as_json: bool,
    **entry: Any,
) -> None:
    """Propose new phenomena: clusters of papers of the field that fit no entry, the most promising first.

    Each is listed with what tells it from the field, its central papers and its growth. --accept makes it an entry
    with its first evidence, as your own decisions, and queues its other papers.
    """
    if sum(number is not None for number in (shown, dismissed, accepted)) > 1:
        raise UsageError("--show, --dismiss and --accept are three things", "say one of them")
    if accepted is None and (unused := [name for name, value in entry.items() if value]):
        raise UsageError(
            f"--{unused[0].removesuffix('s')} goes with --accept, and only with it", "--accept ID comes first"
        )
    with app.open_store() as store:
        if accepted is not None:
            _accept(app, store, accepted, entry, as_json)
        elif dismissed is not None:
            _dismiss(app, store, dismissed, as_json)
        elif shown is not None:
            _show(store, shown, as_json)
        else:
            _list(app, store, limit, since, as_json)


def _list(app: AppContext, store: Store, limit: int, since: date | None, as_json: bool) -> None:
    from crawler.proposals import propose_entries
    from curation.cli.wiring import make_embedder, queue_threshold
    from db.phenomena import require_phenomena
    from db.proposals import list_open, replace_open

    require_phenomena(store)
    with ProgressDisplay(sys.stderr) as display:
        found = propose_entries(
            store, make_embedder(app)(store), threshold=queue_threshold(app.settings), since=since, progress=display
        )
    with store.transaction():
        replace_open(store, found.proposals, now=to_text(app.clock()))
    if found.without_vector:
        say(f"{found.without_vector} papers have no vector and are left out; {AWAITED}.")
    say(f"{found.papers} papers looked at, {found.unfit} of them fit no entry, {found.near} of these are of the field.")
    rows = list_open(store, limit=limit)
    if as_json:
        write_json([_tell(row) for row in rows])
    elif rows:
        write_table([_line(row) for row in rows], ("id", "papers", "last year", "terms", "central paper"), wide=4)
    else:
        say("Nothing to propose.")


def _line(row: Row) -> tuple[Any, ...]:
    growth, central = row["growth"], row["central"][0]["title"] if row["central"] else ""
    year = f"{growth['last_year']} ({growth['year_before']})"
    return row["id"], row["papers"], year, ", ".join(row["terms"][:TERMS_IN_TABLE]), central


def _tell(row: Row) -> Row:
    """Return a proposal as JSON tells it."""
    growth = row["growth"]
    quarters = [{"quarter": quarter, "papers": papers} for quarter, papers in growth["quarters"]]
    figures = {name: rounded(row[name]) for name in ("score", "tightness", "similarity")}
    return {**row, **figures, "growth": {**growth, "quarters": quarters, "relative": rounded(growth["relative"])}}


def _show(store: Store, number: int, as_json: bool) -> None:
    from db.proposals import find_proposal

    row = find_proposal(store, number)
    if as_json:
        write_json(_tell(row))
        return
    growth = row["growth"]
    click.echo(f"Proposal {number} ({row['status']}): {', '.join(map(clean_line, row['terms']))}")
    if row["settled_at"]:
        as_what = f" as {row['phenomenon']}" if row["phenomenon"] else ""
        click.echo(f"{row['status']}{as_what} by {clean_line(row['settled_by'])}, {row['settled_at']}")
    click.echo(f"Nearest entry: {row['nearest']} (similarity {row['similarity']:.2f})")
    click.echo(f"Tightness: {row['tightness']:.2f}")
    click.echo(
        f"{growth['last_year']} papers in the last year, {growth['year_before']} in the one before;"
        f" {growth['relative']:.1f} times the growth of all papers"
    )
    click.echo("By quarter: " + ", ".join(f"{quarter} {papers}" for quarter, papers in growth["quarters"]) + "\n")
    lines = [(f"{one['closeness']:.2f}", one["arxiv_id"], one["published"], one["title"]) for one in row["central"]]
    write_table(lines, ("closeness", "arXiv", "published", "title"), wide=3)


def _dismiss(app: AppContext, store: Store, number: int, as_json: bool) -> None:
    from curation.proposals import dismiss_proposal
    from db.proposals import find_proposal

    dismiss_proposal(store, app.review(store), number, now=to_text(app.clock()))
    if as_json:
        write_json(_tell(find_proposal(store, number)))
    else:
        say(f"Proposal {number} is put away.")


def _accept(app: AppContext, store: Store, number: int, words: Mapping[str, Any], as_json: bool) -> None:
    from curation.cli.editing import edit_for, require_one
    from curation.proposals import Acceptance, accept_proposal

    evidence = [require_arxiv_id(text) for text in words["evidence"]]
    stance = Stance(words["stance"] or Stance.SUPPORTS)

    def take(entries: list[Phenomenon]) -> Row:
        acceptance = Acceptance(require_one(entries), evidence, stance)
        return accept_proposal(store, app.review(store), number, acceptance, now=to_text(app.clock()))

    made: Row | None
    if any(words[name] for name in (*_ENTRY, "keywords")):
        made = take([_read_entry(words)])
    else:
        made = edit_for(app, _draft(store, number), f"proposal-{number}", take)
    if made is None:
        say("Nothing was written, so the proposal stays open.")
    elif as_json:
        write_json(made)
    else:
        accepted, queued = len(made["accepted"]), len(made["queued"])
        say(f"{made['code']} is in the catalogue, with {accepted} papers accepted and {queued} in the queue.")


def _draft(store: Store, number: int) -> str:
    """Return the text that an entry begins with in the editor: what the proposal gives."""
    from db.proposals import CENTRAL, find_proposal

    proposal = find_proposal(store, number)
    central = proposal["central"][:CENTRAL]
    return _TEMPLATE.format(
        number=number,
        titles="".join(f"#   {one['arxiv_id']}  {clean_line(one['title'])}\n" for one in central),
        keywords=json.dumps([clean_line(term) for term in proposal["terms"]], ensure_ascii=False),
        references=json.dumps([one["arxiv_id"] for one in central]),
    )


def _read_entry(words: Mapping[str, Any]) -> Phenomenon:
    from curation.catalogue import read_entry

    if missing := [name for name in _ENTRY if not words[name]]:
        raise UsageError(f"--{missing[0]} is missing", "an entry needs --code, --aspect, --group, --title, --statement")
    table = {name: words[name] for name in _ENTRY} | {"keywords": list(words["keywords"])}
    return read_entry(table, "the command line")
