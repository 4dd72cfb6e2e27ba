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
PARTIAL = 3


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
    if wanted.evidence:
        _require_stances(reading.entries, wanted.stance)
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
        review = app.review(store)
        intake = Intake(store, review, wanted.phenomenon, now=to_text(app.clock()), dry_run=wanted.dry_run)
        resolved = resolve(store, reading.entries)
        stored = find_known_ids(store, resolved.papers)
        entered = [_enter(intake, wanted, resolved.papers, stored, origin)]
        missing = [arxiv_id for arxiv_id in resolved.papers if arxiv_id not in stored]
        run, fetched = None, set[str]()
        if missing and wanted.fetch and not wanted.dry_run:
            run, interrupted = _fetch(app, store, missing)
            fetched = find_known_ids(store, missing)
            if interrupted:
                raise click.exceptions.Exit(130)
            entered.append(_enter(intake, wanted, resolved.papers, fetched, origin))
    left = [arxiv_id for arxiv_id in missing if arxiv_id not in fetched]
    told = _tell(reading, resolved, entered, left, fetched, run)
    return told, PARTIAL if reading.faults or (left and wanted.fetch and not wanted.dry_run) else 0


def _enter(intake: Intake, wanted: Wanted, papers: Mapping[str, Listed], stored: set[str], origin: Origin) -> Entered:
    chosen = {arxiv_id: entry for arxiv_id, entry in papers.items() if arxiv_id in stored}
    if wanted.evidence:
        return intake.decide(chosen, origin, wanted.stance, overrule=wanted.overrule)
    return intake.add_candidates(chosen)


def _fetch(app: AppContext, store: Store, arxiv_ids: Sequence[str]) -> tuple[Row | None, bool]:
    """Fetch papers as `bmp fetch` does; return the ledger's row and whether it was interrupted."""
    from crawler.sources.query import IdsSource
    from curation.cli.wiring import (
        make_night,
        polite_client,
        query_api,
        run_locked,
        stopping_on_signals,
        tell_outcome,
    )

    say(f"{len(arxiv_ids)} papers are not stored and are asked for at arXiv.")
    with stopping_on_signals() as stop, polite_client(app.settings, stop) as client:
        source = IdsSource(query_api(app, client), arxiv_ids)
        try:
            outcome = run_locked(app, make_night(app, store, source, stop, kind="fetch", categories=()))
        except BusyError as error:
            say(f"{error.message}; nothing was fetched.")
            return None, False
        tell_outcome(store, outcome.run)
    return outcome.run, outcome.interrupted


def _tell(
    reading: Reading,
    resolved: Resolved,
    entered: Sequence[Entered],
    left: Sequence[str],
    fetched: set[str],
    run: Row | None,
) -> dict[str, Any]:
    decided = {arxiv_id: row for one in entered for arxiv_id, row in one.decided.items()}
    return {
        "entries": len(reading.entries),
        "papers": len(resolved.papers),
        "repeated": resolved.repeated,
        "added": [arxiv_id for one in entered for arxiv_id in one.added],
        "known": [arxiv_id for one in entered for arxiv_id in one.known],
        "decided": [
            {"arxiv_id": arxiv_id, **{name: row[name] for name in ("kind", "stance", "reviewer", "decided_at")}}
            for arxiv_id, row in decided.items()
        ],
        "not_stored": list(left),
        "without_id": [{"place": entry.place, "name": entry.name} for entry in resolved.without_id],
        "faults": list(reading.faults),
        "fetched": len(fetched),
        "run_id": run["run_id"] if run else None,
    }


def _say_told(told: Mapping[str, Any]) -> None:
    """Say in a line what became of the list, and in one more each what was left out and why."""
    would = "would be " if told["dry_run"] else ""
    what = "accepted" if told["as"] == EVIDENCE else "queued"
    say(
        f"{told['entries']} entries of {told['file']} ({told['format']}) name {told['papers']} papers:"
        f" {len(told['added'])} {would}{what} for {told['phenomenon']}, {len(told['known'])} known already."
    )
    if told["decided"]:
        word = "decided otherwise" if told["as"] == EVIDENCE else "decided before"
        hint = "; --overrule accepts them" if told["as"] == EVIDENCE else ""
        said = [f"{one['arxiv_id']} ({one['kind']} by {one['reviewer']})" for one in told["decided"]]
        say(f"{len(said)} were {word} and are left as they are: {name_some(said)}{hint}.")
    if told["not_stored"]:
        say(f"{len(told['not_stored'])} are not stored: {name_some(told['not_stored'])}.")
    if told["without_id"]:
        named = [one["name"] for one in told["without_id"]]
        say(f"{len(named)} entries tell no arXiv id, and no stored paper has their DOI or title: {name_some(named)}.")
    if told["faults"]:
        say(f"{len(told['faults'])} entries could not be read: {'; '.join(told['faults'][:5])}.")
