"""`bmp phenomena`: the catalogue."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from curation.cli.context import AppContext, json_option, pass_app, write_json, write_table
from curation.cli.proposing import propose


@click.group()
def phenomena() -> None:
    """The catalogue: list, show, propose."""


phenomena.add_command(propose)


@phenomena.command("list")
@json_option
@pass_app
def list_command(app: AppContext, as_json: bool) -> None:
    """List the phenomena with their evidence for and against."""
    from curation.evidence import count_evidence
    from db.phenomena import list_phenomena

    with app.open_store() as store:
        counts = count_evidence(store)
        rows = [{**asdict(one), "evidence": counts[one.code]} for one in list_phenomena(store)]
    if as_json:
        write_json(rows)
        return
    headers = ("code", "title", "maturity", "for", "against", "qualifies", "mentions")
    write_table([_line(row) for row in rows], headers, wide=1)


def _line(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["code"], row["title"], row["maturity"], *row["evidence"].values()


@phenomena.command()
@click.argument("code")
@json_option
@pass_app
def show(app: AppContext, code: str, as_json: bool) -> None:
    """Show one phenomenon: its claim, what counts as evidence, its references, and how its evidence stands."""
    from curation.evidence import count_evidence
    from db.phenomena import find_phenomenon

    with app.open_store() as store:
        row = {**asdict(find_phenomenon(store, code)), "evidence": count_evidence(store)[code]}
    if as_json:
        write_json(row)
        return
    click.echo(
        f"{row['code']}  {row['title']}\n{row['group']} ({row['aspect']}), {row['maturity']}\n\n{row['statement']}"
    )
    criteria = row["criteria"]
    for label, items in (
        ("Counts", criteria["counts"]),
        ("Does not count", criteria["excludes"]),
        ("Precedents", criteria["precedents"]),
        ("Keywords", [", ".join(row["keywords"])] if row["keywords"] else []),
        ("References", [f"https://arxiv.org/abs/{arxiv_id}" for arxiv_id in row["references"]]),
    ):
        if items:
            click.echo(f"\n{label}:")
            for item in items:
                click.echo(f"  {item}")
    click.echo("\nEvidence: " + ", ".join(f"{count} {stance}" for stance, count in row["evidence"].items()))
