"""`bmp phenomena`: the catalogue, to read."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from curation.cli.context import AppContext, json_option, pass_app, write_json, write_table
from curation.cli.entries import add, dump, edit, import_command
from curation.cli.proposing import propose
from curation.cli.upkeep import merge, split

if TYPE_CHECKING:
    from curation.export.knowledge import Entry
    from db.store import Row

_ACTIONS = {
    "load": "loaded with the program's catalogue",
    "add": "added",
    "edit": "edited",
    "import": "imported",
    "merge": "merged",
    "split": "split",
}
_TOLD = ("title", "statement", "group", "aspect", "maturity", "keywords", "references", "criteria")


@click.group()
def phenomena() -> None:
    """The catalogue: list, show, log; add, edit, merge, split, import, dump, propose."""


for command in (add, edit, merge, split, import_command, dump, propose):
    phenomena.add_command(command)


@phenomena.command("list")
@json_option
@pass_app
def list_command(app: AppContext, as_json: bool) -> None:
    """List the phenomena with their evidence for and against, and the maturity that it suggests."""
    from curation.export.knowledge import load_entries

    with app.open_store() as store:
        rows = [_listed(entry) for entry in load_entries(store)]
    if as_json:
        write_json(rows)
        return
    headers = ("code", "title", "maturity", "suggested", "for", "against", "qualifies", "mentions")
    write_table([_line(row) for row in rows], headers, wide=1)


def _listed(entry: Entry) -> dict[str, Any]:
    return {
        **asdict(entry.phenomenon),
        "evidence": dict(entry.counts),
        "suggested_maturity": entry.suggested.maturity,
    }


def _line(row: dict[str, Any]) -> tuple[Any, ...]:
    told = any(row["evidence"].values()) and row["suggested_maturity"] != row["maturity"]
    suggested = row["suggested_maturity"] if told else ""
    return row["code"], row["title"], row["maturity"], suggested, *row["evidence"].values()


@phenomena.command()
@click.argument("code")
@json_option
@pass_app
def show(app: AppContext, code: str, as_json: bool) -> None:
    """Show one phenomenon: its claim, what counts as evidence, how its evidence stands, and its history."""
    from curation.export.knowledge import load_entries
    from db.phenomena import find_phenomenon
    from db.upkeep import list_changes

    with app.open_store() as store:
        found = find_phenomenon(store, code)
        entry = next(one for one in load_entries(store) if one.phenomenon.code == found.code)
        history = list_changes(store, code)
    if as_json:
        standing = asdict(entry)
        del standing["phenomenon"]
        write_json({**standing, **_listed(entry), "pieces": standing["evidence"], "history": history})
        return
    for line in [*_tell_claim(entry), *_tell_evidence(entry), *_tell_history(history)]:
        click.echo(line)


def _tell_claim(entry: Entry) -> list[str]:
    one = entry.phenomenon
    lines = [f"{one.code}  {one.title}", f"{one.group} ({one.aspect.value}), {one.maturity.value}", "", one.statement]
    for label, items in (
        ("Counts", one.criteria.counts),
        ("Does not count", one.criteria.excludes),
        ("Precedents", one.criteria.precedents),
        ("Keywords", (", ".join(one.keywords),) if one.keywords else ()),
        ("References", tuple(f"https://arxiv.org/abs/{arxiv_id}" for arxiv_id in one.references)),
    ):
        if items:
            lines += ["", f"{label}:", *(f"  {item}" for item in items)]
    return lines


def _tell_evidence(entry: Entry) -> list[str]:
    lines = ["", "Evidence: " + ", ".join(f"{count} {stance}" for stance, count in entry.counts.items())]
    if share := entry.figures.share:
        lines.append(
            f"Share that supports: {share.value:.0%} of the independent groups for or against it, {share.groups} in all"
            f" (95% interval {share.low:.0%} to {share.high:.0%})"
        )
    lines.append(f"Suggested maturity: {entry.suggested.maturity.value} ({entry.suggested.reason})")
    for piece in (*entry.evidence, *entry.under_review):
        state = f", {piece.status.value}: {piece.reason}" if piece.reason else ""
        lines.append(f"  {piece.stance.value:<11} {piece.arxiv_id}v{piece.version}  {piece.title}{state}")
    for conflict in entry.conflicts:
        sides = "; ".join(
            f"{side.kind} {side.stance or ''}".strip() + f" by {side.reviewer}" for side in conflict.sides
        )
        lines.append(f"  in conflict {conflict.arxiv_id}  {sides}")
    return lines


def _tell_history(history: list[Row]) -> list[str]:
    return ["", "History:", *(f"  {line}" for line in _log_lines(history))] if history else []


@phenomena.command()
@click.argument("code", required=False)
@json_option
@pass_app
def log(app: AppContext, code: str | None, as_json: bool) -> None:
    """Tell every change to the catalogue, or to the entry CODE: what, by whom, when, and why."""
    from db.phenomena import find_phenomenon
    from db.upkeep import list_changes

    with app.open_store() as store:
        if code is not None:
            find_phenomenon(store, code, retired=True)
        rows = list_changes(store, code)
    if as_json:
        write_json(rows)
        return
    for line in _log_lines(rows, with_code=code is None):
        click.echo(line)


def _log_lines(rows: list[Row], *, with_code: bool = False) -> list[str]:
    from db.text import clean_line

    lines = []
    for row in rows:
        code = f"{row['code']}  " if with_code else ""
        note = f": {clean_line(row['note'])}" if row["note"] else ""
        lines.append(f"{row['changed_at']}  {code}{_tell_change(row)} by {clean_line(row['author'])}{note}")
    return lines


def _tell_change(row: Row) -> str:
    before, after, done = row["before"], row["after"], _ACTIONS[row["kind"]]
    if before is None:
        return done
    if after["retired"] and not before["retired"]:
        return f"{done} into {', '.join(after['superseded_by'])}"
    changed = [name for name in _TOLD if before[name] != after[name]]
    if changed == ["maturity"]:
        return f"maturity {before['maturity']} -> {after['maturity']}"
    return f"{done} ({', '.join(changed) or 'order'})"
