"""What every command shares: settings, database, clock, and how results are written."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from db.text import clean_line
from db.times import Clock, now_utc, require_date

if TYPE_CHECKING:
    from curation.review import Review
    from curation.upkeep import Upkeep
    from db.records import CatalogueChange
    from db.settings import Settings
    from db.store import Store

Command = TypeVar("Command", bound=Callable[..., Any])


def program_version() -> str:
    """Return the installed version of this program."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("bmprinciples")
    except PackageNotFoundError:  # run from a checkout that was not installed
        return "unknown"


class AppContext:
    """The wiring of one call: built by the root command, handed to every other."""

    def __init__(self, environment: Mapping[str, str], db_option: Path | None, clock: Clock = now_utc) -> None:
        self.environment = environment
        self.db_option = db_option
        self.clock = clock

    @cached_property
    def settings(self) -> Settings:
        """Return the settings in force.

        Raises:
            SettingsError: they cannot be read.
        """
        from db.settings import load_settings

        return load_settings(self.environment, db=self.db_option)

    def open_store(self, *, create: bool = False) -> Store:
        """Open the database.

        Raises:
            StoreError: it cannot be opened.
        """
        from db.store import open_store

        return open_store(self.settings.db, create=create, clock=self.clock)

    def review(self, store: Store) -> Review:
        """Return the queue in the hands of the reviewer of the settings."""
        from curation.review import Review

        return Review(store, reviewer=self.settings.reviewer, clock=self.clock, blind=self.settings.blind)

    def upkeep(self, store: Store, *, dry_run: bool = False) -> Upkeep:
        """Return the catalogue in the hands of the reviewer of the settings."""
        from curation.upkeep import Upkeep

        return Upkeep(store, author=self.settings.reviewer, clock=self.clock, dry_run=dry_run)

    def loading(self) -> CatalogueChange:
        """Return what is written down where the program itself loads a catalogue."""
        from db.decisions import SYSTEM_REVIEWER
        from db.records import CatalogueChange, ChangeKind
        from db.times import to_text

        return CatalogueChange(ChangeKind.LOAD, SYSTEM_REVIEWER, to_text(self.clock()))


pass_app = click.make_pass_decorator(AppContext)


def json_option(command: Command) -> Command:
    """Add `--json` to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Write JSON.")(command)


def note_option(command: Command) -> Command:
    """Add `--note` to a command that changes the catalogue."""
    return click.option("--note", help="Why; kept in the catalogue's history.")(command)


class DateType(click.ParamType[date]):
    """A date such as 2026-11-24."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the date, or fail as wrong usage."""
        if isinstance(value, date):
            return value
        from db.errors import UsageError

        try:
            return require_date(str(value))
        except UsageError as error:
            self.fail(str(error), param, ctx)


class TimeOfDayType(click.ParamType[str]):
    """A time of day in UTC such as 06:30."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the time as HH:MM, or fail as wrong usage."""
        from db.settings import parse_time_of_day

        try:
            return parse_time_of_day(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


NAMED = 20  # of many names that a person is told
DATE = DateType()
TIME_OF_DAY = TimeOfDayType()
ROW_ID = click.IntRange(1, 2**63 - 1)  # what SQLite can hold
LIMIT = click.IntRange(1, 10**9)


def parse_row_id(digits: str) -> int:
    """Return the id of a row that stands among other words, or fail as wrong usage."""
    return ROW_ID(digits)


def write_json(value: Any) -> None:
    """Write a value as JSON on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def write_table(rows: Sequence[Sequence[Any]], headers: Sequence[str], *, wide: int | None = None) -> None:
    """Write rows as a plain table on stdout, no wider than the terminal; where there is none, nothing is cut.

    Args:
        wide: the column that gives way when the terminal is narrow.
    """
    from shutil import get_terminal_size

    from tabulate import tabulate

    cells = [["" if cell is None else clean_line(str(cell)) for cell in row] for row in rows]
    if wide is not None and cells and sys.stdout.isatty():
        others = sum(
            max(len(headers[column]), *(len(row[column]) for row in cells)) + 2
            for column in range(len(headers))
            if column != wide
        )
        room = max(20, get_terminal_size((100, 24)).columns - others)
        for row in cells:
            row[wide] = shorten(row[wide], room)
    click.echo(tabulate(cells, headers=headers, tablefmt="simple", disable_numparse=True))


def rounded(value: float | None) -> float | None:
    """Return a figure as JSON tells it; None stays."""
    return None if value is None else round(value, 6)


def shorten(text: str, width: int) -> str:
    """Return the text cut to `width` characters, with an ellipsis where something was cut."""
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def name_some(names: Sequence[str]) -> str:
    """Return the names in a line; of many, the first."""
    some = ", ".join(shorten(clean_line(name), 40) for name in names[:NAMED])
    return f"{some} and {len(names) - NAMED} more" if len(names) > NAMED else some


def show_controls(content: bytes) -> str:
    """Return bytes as text for a terminal: what could steer it, and what is no UTF-8, is written as an escape."""
    text = content.decode("utf-8", errors="backslashreplace")
    return "".join(
        char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode() for char in text
    )


AWAITED = "the next night embeds those that a cascade did not pass over"  # of papers without a vector


def say(line: str) -> None:
    """Say something to the person, on stderr: stdout belongs to data."""
    click.echo(line, err=True)


def tell_stranded(stranded: Mapping[str, Sequence[str]]) -> None:
    """Say which decisions stand on retired entries, where nobody sees them."""
    for code, papers in stranded.items():
        say(
            f"Decided for {code}, which was retired: {name_some(papers)}. `bmp phenomena merge` or `split` carries"
            " acceptances; decide the others for what took its place."
        )
