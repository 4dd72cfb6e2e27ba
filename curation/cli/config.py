"""`bmp config`: the settings in force."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from curation.cli.context import AppContext, json_option, pass_app, write_json, write_table
from db.settings import list_origins


@click.group()
def config() -> None:
    """The settings in force: path, show."""


@config.command()
@pass_app
def path(app: AppContext) -> None:
    """Print where the configuration file is, or would be."""
    click.echo(str(app.settings.config))


@config.command()
@json_option
@pass_app
def show(app: AppContext, as_json: bool) -> None:
    """Show every setting, its value, and where the value comes from."""
    origins = list_origins(app.environment, db=app.db_option)
    if as_json:
        write_json({one.name: {"value": _plain(one.value), "origin": one.origin} for one in origins})
        return
    write_table([(one.name, _shown(one.value), one.origin) for one in origins], ("setting", "value", "origin"))


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _shown(value: Any) -> str:
    if value is None:
        return "(the ranker's own)"
    return " ".join(value) if isinstance(value, tuple) else str(value)
