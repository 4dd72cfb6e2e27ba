"""`bmp import-evidence`: an existing list of papers into the queue, or as decisions that say where they come from."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curation.cli.context import AppContext, json_option, name_some, pass_app, say, write_json
from db.errors import BusyError, UsageError
from db.records import Stance

if TYPE_CHECKING:
    from curation.intake.detect import Format
    from curation.intake.enter import Entered, Intake, Origin
    from curation.intake.records import Listed, Reading
    from curation.intake.resolve import Resolved
    from db.store import Row, Store

CANDIDATES, EVIDENCE = "candidates", "evidence"
FORMATS = ("auto", "ids", "bibtex", "ris", "zotero", "markdown")
PARTIAL, INTERRUPTED = 3, 130
FAULTS_NAMED = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a call asks for."""

    phenomenon: str
    evidence: bool
    stance: Stance | None
    overrule: bool
    fetch: bool
    dry_run: bool


@click.command("import-evidence")
@click.argument("code")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--as",
    "as_",
    type=click.Choice([CANDIDATES, EVIDENCE]),
    default=CANDIDATES,
    show_default=True,
    help="Queue the papers, or accept them as evidence.",
)
@click.option(
    "--stance",
    type=click.Choice([stance.value for stance in Stance]),
    help="How they bear on the claim where the list does not tell, with --as evidence.",
)
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), default="auto", show_default=True, help="What FILE is."
)
@click.option("--section", metavar="TEXT", help="Only what stands under this heading, or in this Zotero collection.")
@click.option("--overrule", is_flag=True, help="Accept also what was decided otherwise, with --as evidence.")
@click.option("--no-fetch", is_flag=True, help="Take only papers that are stored; ask arXiv for none.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and write and fetch nothing.")
@json_option
@pass_app
@click.pass_context
def import_evidence(
    ctx: click.Context,
    app: AppContext,
    code: str,
    file: Path,
    as_: str,
    stance: str | None,
    format_: str,
    section: str | None,
    overrule: bool,
    no_fetch: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Bring the papers of a list, FILE or - for stdin, in for the phenomenon CODE.

    A list is arXiv ids, BibTeX, RIS, a Zotero library (zotero.sqlite, RDF, JSON, CSV) or an awesome list in Markdown.
    Papers that are not stored are fetched from arXiv. A file can be imported twice: nothing is added twice.

    Exit code 3: some papers could not be had, or a part of the file could not be read; a repeated call goes on.
    """
    wanted = Wanted(code, as_ == EVIDENCE, Stance(stance) if stance else None, overrule, not no_fetch, dry_run)
    _refuse_options(wanted)
    reading, origin, kind = _read(file, format_, section)
    told, code_ = _bring(app, wanted, reading, origin)
    told = {"phenomenon": code, "file": origin.name, "format": kind.value, "as": as_, "dry_run": dry_run, **told}
    _say_told(told)
    if as_json:
        write_json(told)
    ctx.exit(code_)


def _refuse_options(wanted: Wanted) -> None:
    if wanted.evidence:
        return
    for name, given in (("--stance", wanted.stance is not None), ("--overrule", wanted.overrule)):
        if given:
            raise UsageError(f"{name} goes with --as evidence", "candidates are decided in the review")


def _read(file: Path, format_: str, section: str | None) -> tuple[Reading, Origin, Format]:
    from curation.intake.detect import NAMES, Format, detect_format, parse_list
    from curation.intake.enter import Origin
    from curation.intake.files import STDIN, read_list
    from curation.intake.sections import take_section

    content = read_list(file, sys.stdin.buffer)
    name = "stdin" if str(file) == STDIN else file.name
    kind = detect_format(content, name) if format_ == "auto" else Format(format_)
    reading = parse_list(content, name, kind)
    if section is not None:
        reading = take_section(reading, section, name)
    return reading, Origin(name, NAMES[kind]), kind


def _require_stances(entries: Sequence[Listed], stance: Stance | None) -> None:
    silent = [entry for entry in entries if entry.stance is None]
    if stance is None and silent:
        raise UsageError(
            f"the list does not tell how {len(silent)} of its {len(entries)} papers bear on the claim"
            f" (the first at {silent[0].place[:60]})",
            "say --stance supports, contradicts, qualifies or mentions",
        )


def _bring(app: AppContext, wanted: Wanted, reading: Reading, origin: Origin) -> tuple[dict[str, Any], int]:
    """Enter what is stored, fetch what is not, enter that; return what is to be told, and the exit code."""
    from curation.intake.enter import Intake
    from curation.intake.resolve import resolve
    from db.papers import find_known_ids
    from db.phenomena import find_phenomenon
    from db.times import to_text

    with app.open_store() as store:
        find_phenomenon(store, wanted.phenomenon)
        now = to_text(app.clock())
        intake = Intake(store, app.review(store), wanted.phenomenon, now=now, dry_run=wanted.dry_run)
        resolved = resolve(store, reading.entries)
        if wanted.evidence:
            _require_stances(list(resolved.papers.values()), wanted.stance)
        stored = find_known_ids(store, resolved.papers)
        entered = [_enter(intake, wanted, resolved.papers, stored, origin)]
        missing = [arxiv_id for arxiv_id in resolved.papers if arxiv_id not in stored]
        asks = bool(missing) and wanted.fetch and not wanted.dry_run
        run = _fetch(app, store, missing) if asks else None
        fetched = find_known_ids(store, missing) if asks else set[str]()
        late = _enter(intake, wanted, resolved.papers, fetched, origin)
        late.added, late.known = late.added + late.known, []  # the fetch itself queues what scores high
        entered.append(late)
    told = _tell(reading, resolved, entered, [one for one in missing if one not in fetched], run)
    told["fetched"] = len(fetched)
    return told, PARTIAL if reading.faults or (asks and told["not_stored"]) else 0


def _enter(intake: Intake, wanted: Wanted, papers: Mapping[str, Listed], stored: set[str], origin: Origin) -> Entered:
    chosen = {arxiv_id: entry for arxiv_id, entry in papers.items() if arxiv_id in stored}
    if wanted.evidence:
        return intake.decide(chosen, origin, wanted.stance, overrule=wanted.overrule)
    return intake.add_candidates(chosen)


def _fetch(app: AppContext, store: Store, arxiv_ids: Sequence[str]) -> Row | None:
    """Fetch papers as `bmp fetch` does, and return the ledger's row; None where another run is at work.

    An interrupt ends the call: what was entered before stays, and a repeated call goes on.
    """
    from crawler.sources.query import IdsSource
    from curation.cli.wiring import (
        make_night,
        polite_client,
        query_api,
        run_locked,
        stopping_on_signals,
        tell_outcome,
    )

    say(f"{_count(len(arxiv_ids), 'paper is', 'papers are')} not stored and asked for at arXiv.")
    with stopping_on_signals() as stop, polite_client(app.settings, stop) as client:
        source = IdsSource(query_api(app, client), arxiv_ids)
        try:
            outcome = run_locked(app, make_night(app, store, source, stop, kind="fetch", categories=()))
        except BusyError as error:
            say(f"{error.message}; nothing was fetched.")
            return None
        tell_outcome(store, outcome.run)
    if outcome.interrupted:
        raise click.exceptions.Exit(INTERRUPTED)
    return outcome.run


def _tell(
    reading: Reading, resolved: Resolved, entered: Sequence[Entered], left: Sequence[str], run: Row | None
) -> dict[str, Any]:
    shown = ("kind", "stance", "reviewer", "decided_at")
    return {
        "entries": len(reading.entries),
        "papers": len(resolved.papers),
        "repeated": resolved.repeated,
        "added": [arxiv_id for one in entered for arxiv_id in one.added],
        "known": [arxiv_id for one in entered for arxiv_id in one.known],
        "decided": [
            {"arxiv_id": arxiv_id, **{name: row[name] for name in shown}}
            for one in entered
            for arxiv_id, row in one.decided.items()
        ],
        "not_stored": list(left),
        "without_id": [{"place": entry.place, "name": entry.name} for entry in resolved.without_id],
        "faults": list(reading.faults),
        "run_id": run["run_id"] if run else None,
    }


def _say_told(told: Mapping[str, Any]) -> None:
    """Say in a line what became of the list, and in one more each what was left out and why."""
    what = "accepted" if told["as"] == EVIDENCE else "queued"
    say(
        f"{_count(told['entries'], 'entry', 'entries')} of {told['file']} ({told['format']}),"
        f" {_count(told['papers'], 'paper', 'papers')}: {len(told['added'])}{' would be' if told['dry_run'] else ''}"
        f" {what} for {told['phenomenon']}, {len(told['known'])} known already."
    )
    if told["decided"]:
        said = [f"{one['arxiv_id']} ({one['kind']} by {one['reviewer']})" for one in told["decided"]]
        way = "otherwise" if told["as"] == EVIDENCE else "before"
        hint = "; --overrule accepts them" if told["as"] == EVIDENCE else ""
        left = _count(len(said), f"paper was decided {way} and stays so", f"papers were decided {way} and stay so")
        say(f"{left}: {name_some(said)}{hint}.")
    if told["not_stored"]:
        say(f"{_count(len(told['not_stored']), 'paper is', 'papers are')} not stored: {name_some(told['not_stored'])}.")
    if named := [one["name"] for one in told["without_id"]]:
        tells = _count(len(named), "entry tells", "entries tell")
        say(f"{tells} no arXiv id, and no stored paper has the DOI or title: {name_some(named)}.")
    if told["faults"]:
        some = "; ".join(told["faults"][:FAULTS_NAMED])
        say(f"{_count(len(told['faults']), 'entry', 'entries')} could not be read: {some}.")


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
