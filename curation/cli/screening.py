"""`bmp queue import` and `export` in the formats of screening programs: CSV, or RIS where the file ends in .ris."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curation.cli.context import NAMED, AppContext, name_some, say
from db.errors import UsageError
from db.records import Stance, Status
from db.text import parse_arxiv_id

if TYPE_CHECKING:
    from db.store import Store

OWN = "bmp"
FORMATS = (OWN, "asreview", "rayyan")
FORMAT = click.option(
    "--format", "format_", type=click.Choice(FORMATS), default=OWN, help="Whose: this program's CSV, or another's."
)


def refuse_options(file: Path, **options: object) -> None:
    """Refuse what this program's own CSV has no use for.

    Raises:
        UsageError: such an option is given, or the file is to be RIS.
    """
    given = [name for name, value in options.items() if value]
    if given:
        raise UsageError(f"--{given[0]} needs --format asreview or --format rayyan", "the CSV of decisions holds all")
    if is_ris(file):
        raise UsageError("RIS needs --format asreview or --format rayyan", "decisions go to CSV")


def is_ris(file: Path) -> bool:
    """Tell whether a file is RIS, by its name."""
    return file.suffix.lower() == ".ris"


def render_for(
    app: AppContext, store: Store, file: Path, format_: str, phenomenon: str | None, statuses: Sequence[str]
) -> tuple[str, dict[str, Any]]:
    """Return the queue of one phenomenon for a screening program, and what there is to tell of it.

    Raises:
        UsageError: no phenomenon is named, or one that is not there.
    """
    from curation.screening.exchange import PROGRAMS, STATUSES, render_queue

    if phenomenon is None:
        raise UsageError(f"--format {format_} needs --phenomenon CODE", "a record there holds one label, for one claim")
    chosen = [Status(status) for status in statuses] or STATUSES
    made = render_queue(
        store,
        PROGRAMS[format_],
        phenomenon,
        ris=is_ris(file),
        today=app.clock().date(),
        statuses=chosen,
        mine=app.review(store).mine,
    )
    told = {"format": format_, "phenomenon": phenomenon, "records": made.records, "labelled": made.labelled}
    return made.content, told


def import_from(
    app: AppContext, file: Path, content: str, format_: str, phenomenon: str | None, stance: str | None
) -> dict[str, Any]:
    """Append the labels of a screening program's file, and return what it came to.

    Raises:
        UsageError: the file does not hold.
    """
    from curation.screening.exchange import PROGRAMS, import_labels

    with app.open_store() as store:
        done = import_labels(
            store,
            content,
            PROGRAMS[format_],
            ris=is_ris(file),
            name=file.name,
            phenomenon=phenomenon,
            stance=Stance(stance or Stance.SUPPORTS),
            reviewer=app.review(store).reviewer,
            clock=app.clock,
        )
    return {
        "added": done.added,
        "known": done.known,
        "unlabelled": done.unlabelled,
        "unknown": len(done.unknown),
        "unknown_records": list(done.unknown),
    }


def say_imported(told: dict[str, Any]) -> None:
    """Say what an import came to, and which records name no paper of the database."""
    say(f"{told['added']} decisions added, {told['known']} were there already, {told['unlabelled']} records had none.")
    if told["unknown"]:
        names = told["unknown_records"]
        say(f"{told['unknown']} records name no paper of the database: {name_some(names)}")
        if ids := [name for name in names[:NAMED] if parse_arxiv_id(name)]:
            say(f"Bring papers in with `bmp fetch {' '.join(ids)}`, and import the file again.")
