"""`bmp queue`: the review queue for scripts."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import click

from curation.cli.context import (
    DATE,
    LIMIT,
    NAMED,
    ROW_ID,
    AppContext,
    json_option,
    parse_row_id,
    pass_app,
    say,
    show_controls,
    tell_stranded,
    write_json,
    write_table,
)
from curation.cli.screening import FORMAT, OWN, import_from, refuse_options, render_for, say_imported
from db.errors import UsageError
from db.records import Stance, Status, Verdict
from db.text import clean_line, require_arxiv_id, show_score

_PUBLISHED = (
    "id", "arxiv_id", "version", "title", "phenomenon", "score", "sentence", "status", "stance", "published", "url",
    "withdrawn", "note", "until", "reviewer", "decided_at",
)  # fmt: skip


@click.group()
def queue() -> None:
    """The review queue for scripts: all that the app does, and decisions in bulk."""


@queue.command("list")
@click.option("--phenomenon", metavar="CODE", help="Only candidates for this phenomenon.")
@click.option("--status", type=click.Choice([status.value for status in Status]), help="Only those that stand so.")
@click.option(
    "--search", default="", metavar="WORDS", help="Only those with all the words in title, code, id, sentence."
)
@click.option(
    "--sort", type=click.Choice(("best", "phenomenon", "newest")), default="best", help="Best first, unless you say."
)
@click.option("--limit", type=LIMIT, help="At most so many.")
@json_option
@pass_app
def list_command(
    app: AppContext,
    phenomenon: str | None,
    status: str | None,
    search: str,
    sort: str,
    limit: int | None,
    as_json: bool,
) -> None:
    """List candidates, best first; those that wait (pending and re-opened) unless --status says otherwise."""
    from curation.review import search_rows, sort_rows
    from db.candidates import WAITING
    from db.phenomena import list_phenomena

    statuses = WAITING if status is None else (Status(status),)
    with app.open_store() as store:
        early = limit if sort == "best" and not search else None  # what is sorted or searched is all read
        rows = app.review(store).waiting(phenomenon=phenomenon, statuses=statuses, limit=early)
        codes = [entry.code for entry in list_phenomena(store)]
    rows = sort_rows(search_rows(rows, search), sort, codes)[:limit]
    if as_json:
        write_json([{name: row[name] for name in _PUBLISHED} for row in rows])
        return
    headers = ("id", "score", "phenomenon", "arXiv", "status", "title")
    write_table([_line(row) for row in rows], headers, wide=len(headers) - 1)


def _line(row: dict[str, Any]) -> tuple[Any, ...]:
    score = "" if row["score"] is None else show_score(row["score"])
    status = f"{row['status']} ({row['stance']})" if row["stance"] else row["status"]
    title = ("[withdrawn] " if row["withdrawn"] else "") + row["title"]
    return row["id"], score, row["phenomenon"], f"{row['arxiv_id']}v{row['version']}", status, title


@queue.command()
@click.argument("candidate_id", metavar="ID", type=ROW_ID)
@click.option("--bibtex", is_flag=True, help="Write the paper's BibTeX entry instead.")
@json_option
@pass_app
def show(app: AppContext, candidate_id: int, bibtex: bool, as_json: bool) -> None:
    """Show one candidate: abstract, claim, reasons, history, and what changed since a re-opened one was accepted."""
    if bibtex and as_json:
        raise UsageError("--bibtex and --json do not go together", "say one of them")
    with app.open_store() as store:
        row = app.review(store).show(candidate_id)
    if bibtex:
        from curation.export.bibtex_text import render_paper

        click.echo(render_paper(row), nl=False)
        return
    if as_json:
        write_json(row)
        return
    _write_candidate(row)


def _write_candidate(row: dict[str, Any]) -> None:
    _echo(
        f"{row['title']}\n{', '.join(row['authors'])}\n{row['url']}  {row['published']}  {' '.join(row['categories'])}"
    )
    if row["withdrawn"]:
        _echo("This paper is WITHDRAWN.")
    _echo(f"\n{row['abstract']}\n\n{row['phenomenon']}  {row['phenomenon_title']}\n{row['claim']}")
    for label, name in (("Counts", "counts"), ("Does not count", "excludes")):
        if row["criteria"][name]:
            _echo(f"{label}: {'; '.join(row['criteria'][name])}")
    for piece in row["known"][:NAMED]:
        flag = " (re-opened)" if piece["status"] == Status.REOPENED else ""
        _echo(f"Known: {piece['published']} {piece['arxiv_id']} {piece['stance']}{flag}: {clean_line(piece['title'])}")
    if len(row["known"]) > NAMED:
        _echo(f"and {len(row['known']) - NAMED} more")
    if row["difference"]:
        _write_difference(row)
    if row["sentence"]:
        _echo(f"\nSentence: {row['sentence']}")
    _echo(f"Reasons: {'; '.join(row['reasons'])}")
    for side in row["sides"]:
        _echo(f"In conflict: {_describe(side)}")
    _echo(f"Status: {row['status']}{f' ({stance})' if (stance := row['stance']) else ''}")
    for event in row["history"]:
        details = [event[name] for name in ("stance", "until", "note") if event[name]]
        _echo(f"  {event['decided_at']} {event['reviewer']}: {event['kind']} {'; '.join(details)}".rstrip())


def _write_difference(row: dict[str, Any]) -> None:
    from curation.difference import mark
    from curation.reopening import changed_parts, say_difference

    _echo(f"\nRe-opened: {row['difference']['reason']}\n{say_difference(row)}")
    for part, pieces in changed_parts(row["difference"]).items():
        _echo(f"{part.capitalize()}: {' '.join(mark(piece.op, piece.text) for piece in pieces)}")


def _echo(text: str) -> None:
    """Write lines of text; what could steer a terminal is written as an escape."""
    click.echo(show_controls(text.encode("utf-8", errors="replace")))


@queue.command()
@click.argument("words", nargs=-1, required=True, metavar="[ID] accept|reject|maybe|snooze")
@click.option(
    "--paper", metavar="ARXIV_ID", help="Decide on this paper, queued or not, instead of on a candidate's ID."
)
@click.option("--phenomenon", metavar="CODE", help="The phenomenon that --paper is decided for.")
@click.option(
    "--stance",
    type=click.Choice([stance.value for stance in Stance]),
    help="How it bears on the claim (accept; default: supports).",
)
@click.option("--note", metavar="T", help="Why.")
@click.option("--until", type=DATE, help="The day a snoozed candidate comes back.")
@click.option("--sentence", metavar="TEXT", help="The part of the abstract that is the evidence, if another was found.")
@json_option
@pass_app
def decide(
    app: AppContext,
    words: tuple[str, ...],
    paper: str | None,
    phenomenon: str | None,
    stance: str | None,
    note: str | None,
    until: date | None,
    sentence: str | None,
    as_json: bool,
) -> None:
    """Decide a candidate by ID, or a paper for a phenomenon whether it was queued or not.

    \b
    bmp queue decide 12 accept --stance contradicts
    bmp queue decide --paper 2001.08361 --phenomenon H1.1 accept
    """
    candidate_id, verdict = _parse_words(words, paper, phenomenon)
    decision = replace(_decision(verdict, stance, note, until), sentence=sentence)
    with app.open_store() as store:
        review = app.review(store)
        if candidate_id is not None:
            row = review.decide(candidate_id, decision)
        else:
            assert paper is not None and phenomenon is not None  # _parse_words saw to it
            row = review.decide_paper(require_arxiv_id(paper), phenomenon, decision)
        before = review.decided_before(row)
    if before:
        say(f"It was {_describe(before)}; this takes its place, and undo brings it back.")
    if row["withdrawn"]:
        say(f"{row['arxiv_id']} is withdrawn.")
    _answer(row, as_json)


def _parse_words(words: tuple[str, ...], paper: str | None, phenomenon: str | None) -> tuple[int | None, Verdict]:
    """Return the candidate's id (None where a paper is named) and the verdict."""
    verdicts = [verdict.value for verdict in Verdict]
    if words[-1] not in verdicts:
        raise UsageError(f"'{words[-1][:40]}' is not a decision", f"say one of {', '.join(verdicts)}")
    verdict = Verdict(words[-1])
    if (paper is None) != (phenomenon is None):
        raise UsageError("--paper and --phenomenon go together", "or name a candidate's ID")
    if paper is not None:
        if len(words) != 1:
            raise UsageError("say either an ID or --paper and --phenomenon", "not both")
        return None, verdict
    if len(words) != 2 or not words[0].isdecimal():
        raise UsageError("say one candidate's ID and one decision", "`bmp queue list` shows the ids")
    return parse_row_id(words[0]), verdict


def _decision(verdict: Verdict, stance: str | None, note: str | None, until: date | None) -> Any:
    from curation.review import Decision

    if stance is not None and verdict is not Verdict.ACCEPT:
        raise UsageError(f"a stance does not go with {verdict.value}", "only with accept")
    if (until is not None) != (verdict is Verdict.SNOOZE):
        raise UsageError("snooze needs --until, and nothing else takes it", "say snooze --until 2026-12-31")
    chosen = Stance(stance or "supports") if verdict is Verdict.ACCEPT else None
    return Decision(verdict, chosen, note, until)


@queue.command()
@click.argument("candidate_id", metavar="[ID]", type=ROW_ID, required=False)
@json_option
@pass_app
def undo(app: AppContext, candidate_id: int | None, as_json: bool) -> None:
    """Take back the decision in force on a candidate, or your newest one; both stay in the history."""
    from curation.review import undone_event

    with app.open_store() as store:
        row = app.review(store).undo(candidate_id)
    if not as_json:
        click.echo(f"Took back: {_describe(undone_event(row))}.")
    _answer(row, as_json)


@queue.command()
@click.argument("candidate_id", metavar="[ID]", type=ROW_ID, required=False)
@json_option
@pass_app
def redo(app: AppContext, candidate_id: int | None, as_json: bool) -> None:
    """Make the decision again that your newest undo took back, if nothing was decided there since."""
    with app.open_store() as store:
        row = app.review(store).redo(candidate_id)
    _answer(row, as_json)


@queue.command()
@click.argument("candidate_id", metavar="ID", type=ROW_ID)
@click.argument("phenomenon", metavar="CODE")
@click.option(
    "--stance",
    type=click.Choice([stance.value for stance in Stance]),
    help="Accept it there at once, as this; without it, it waits there.",
)
@click.option("--note", metavar="T", help="Why.")
@json_option
@pass_app
def reassign(
    app: AppContext, candidate_id: int, phenomenon: str, stance: str | None, note: str | None, as_json: bool
) -> None:
    """Reject a candidate, for its paper belongs to the phenomenon CODE, and queue or accept it there."""
    with app.open_store() as store:
        chosen = Stance(stance) if stance else None
        row = app.review(store).reassign(candidate_id, phenomenon, stance=chosen, note=note)
    say(f"{candidate_id} is rejected, for its paper belongs to {phenomenon}; there it is candidate {row['id']}.")
    _answer(row, as_json)


def _describe(event: dict[str, Any]) -> str:
    stance = f" ({event['stance']})" if event["stance"] else f" until {event['until']}" if event["until"] else ""
    return f"{event['kind']}{stance} by {clean_line(event['reviewer'])}, {event['decided_at']}"


def _answer(row: dict[str, Any], as_json: bool) -> None:
    if as_json:
        write_json(row)
    else:
        stance = f" ({row['stance']})" if row["stance"] else ""
        click.echo(f"{row['id']}: {row['arxiv_id']} for {row['phenomenon']} is {row['status']}{stance}")


@queue.command()
@click.option("--phenomenon", metavar="CODE", help="Only candidates for this phenomenon.")
@json_option
@pass_app
def conflicts(app: AppContext, phenomenon: str | None, as_json: bool) -> None:
    """List what reviewers decided differently, neither having seen the other's decision; deciding anew settles it."""
    with app.open_store() as store:
        rows = app.review(store).conflicts(phenomenon=phenomenon)
    if as_json:
        write_json([{**{name: row[name] for name in _PUBLISHED}, "sides": row["sides"]} for row in rows])
        return
    lines = [
        (row["id"], row["phenomenon"], f"{row['arxiv_id']}v{row['version']}", _describe(side), row["title"])
        for row in rows
        for side in row["sides"]
    ]
    write_table(lines, ("id", "phenomenon", "arXiv", "decided", "title"), wide=4)


@queue.command()
@click.option("--phenomenon", metavar="CODE", help="Only what waits for this phenomenon.")
@json_option
@pass_app
def rerank(app: AppContext, phenomenon: str | None, as_json: bool) -> None:
    """Learn from what was decided since the last night, and order anew what waits.

    The review does so by itself after each decision, and each night for all. A match keeps the score it was made with.
    """
    from curation.cli.wiring import open_queue_ranker
    from db.phenomena import find_phenomenon

    with app.open_store() as store:
        if phenomenon is not None:
            find_phenomenon(store, phenomenon)
        ranker = open_queue_ranker(store)
        found = ranker.rerank_all() if phenomenon is None else {phenomenon: ranker.rerank(phenomenon)}
    scored = {code: len(scores) for code, scores in found.items()}
    if as_json:
        write_json(
            {"scored": sum(scored.values()), "phenomena": {code: count for code, count in scored.items() if count}}
        )
        return
    click.echo(f"{sum(scored.values())} candidates scored anew, for {sum(map(bool, scored.values()))} phenomena.")


@queue.command()
@json_option
@pass_app
def stats(app: AppContext, as_json: bool) -> None:
    """Count candidates by phenomenon and state; tell what is missed, what is left, and how far reviewers agree."""
    from curation.agreement import measure_agreement
    from curation.cli.agreeing import describe_agreement, write_agreement
    from curation.cli.remaining import gather_remaining, write_remaining

    with app.open_store() as store:
        table: dict[str, dict[str, int]] = {}
        for row in app.review(store).counts():
            table.setdefault(row["phenomenon"], {status.value: 0 for status in Status})[row["status"]] = row["count"]
        total = {status.value: sum(row[status.value] for row in table.values()) for status in Status}
        if not as_json:  # the counts are there at once, what rests on ranking anew is not
            rows = [(code, *row.values()) for code, row in table.items()]
            write_table([*rows, ("all", *total.values())], ("phenomenon", *total))
        blind = app.settings.blind  # all but the own counts would tell what others decided
        remaining = {} if blind else gather_remaining(store, today=app.clock().date())
        agreement = None if blind else measure_agreement(store)
    if as_json:
        told = describe_agreement(agreement) if agreement else None
        write_json({"total": total, "phenomena": table, **remaining, "agreement": told})
        return
    if agreement is None:
        click.echo("\nThe review is blind: what is left, and how far reviewers agree, would tell what others decided.")
        return
    write_remaining(remaining)
    write_agreement(agreement)


@queue.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@FORMAT
@click.option(
    "--phenomenon", metavar="CODE", help="What the labels of a screening program are for; default: as exported."
)
@click.option(
    "--stance",
    type=click.Choice([stance.value for stance in Stance]),
    help="How what was included bears on the claim where the file does not tell (default: supports).",
)
@json_option
@pass_app
def import_command(
    app: AppContext, file: Path, format_: str, phenomenon: str | None, stance: str | None, as_json: bool
) -> None:
    """Append the decisions of a CSV file: phenomenon,arxiv_id,decision,stance,note,reviewer,decided_at,until,
    sentence; the first three are needed.

    Or, with --format, the labels of a CSV or RIS file of ASReview or Rayyan. All lines or none; a decision that is
    there already is left out, so that a file can be imported twice.
    """
    from curation.decisions_file import import_decisions
    from db.carrying import find_stranded

    if format_ == OWN:
        refuse_options(file, phenomenon=phenomenon, stance=stance)
    try:
        content = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {file}: {error}", "name a file in UTF-8") from error
    if format_ != OWN:
        told = import_from(app, file, content, format_, phenomenon, stance)
        if as_json:
            write_json(told)
        say_imported(told)
        return
    with app.open_store() as store:
        added, known = import_decisions(store, content, name=file.name, reviewer=app.settings.reviewer, clock=app.clock)
        stranded = find_stranded(store)
    if as_json:
        write_json({"added": added, "known": known, "stranded": stranded})
    say(f"{added} decisions added, {known} were there already.")
    tell_stranded(stranded)


@queue.command("export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@FORMAT
@click.option("--phenomenon", metavar="CODE", help="The phenomenon to screen for; screening programs need one.")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice([status.value for status in Status]),
    help="Only candidates that stand so, for screening programs; repeatable (default: all but snoozed).",
)
@json_option
@pass_app
def export_command(
    app: AppContext, file: Path, format_: str, phenomenon: str | None, statuses: tuple[str, ...], as_json: bool
) -> None:
    """Write the decisions in force to a CSV file, or to stdout if FILE is -.

    Or, with --format, the queue of one phenomenon for ASReview or Rayyan: as RIS where FILE ends in .ris, else as CSV.
    """
    from curation.decisions_file import render_decisions
    from curation.export.files import refuse_own_files, write_file

    to_stdout = str(file) == "-"
    if to_stdout and as_json:
        raise UsageError("--json and the file both want stdout", "name a file")
    if format_ == OWN:
        refuse_options(file, phenomenon=phenomenon, status=statuses)
    told: dict[str, Any] = {"format": format_}
    with app.open_store() as store:
        if not to_stdout:
            refuse_own_files(store, file)
        if format_ == OWN:
            content = render_decisions(store, mine=app.review(store).mine)
        else:
            content, told = render_for(app, store, file, format_, phenomenon, statuses)
    if to_stdout:
        sys.stdout.buffer.write(content.encode("utf-8"))
        return
    write_file(file, content.encode("utf-8"))
    if as_json:
        write_json({**told, "file": str(file)})
    say(
        f"Wrote {file}."
        if format_ == OWN
        else f"Wrote {told['records']} records, {told['labelled']} labelled, to {file}."
    )
