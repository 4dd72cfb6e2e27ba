"""`bmp config`: the settings in force."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from curation.cli.context import AppContext, json_option, pass_app, write_json, write_table
from db.settings import SettingsOrigin, list_origins, load_settings


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
        write_json({one.name: {"value": _plain(one), "origin": one.origin} for one in origins})
    else:
        write_table([(one.name, _shown(one), one.origin) for one in origins], ("setting", "value", "origin"))
    load_settings(app.environment, db=app.db_option)  # what does not hold together is said after it was shown


def _plain(setting: SettingsOrigin) -> Any:
    if setting.name in _SECRETS and setting.value:
        return _SECRETS[setting.name](setting.value)
    return str(setting.value) if isinstance(setting.value, Path) else setting.value


def _shown(setting: SettingsOrigin) -> str:
    value = _plain(setting)
    if value is None:
        return _WITHOUT.get(setting.name, "(none)")
    if setting.name == "config" and not setting.value.exists():
        return f"{value} (not found)"
    return " ".join(value) if isinstance(value, tuple) else str(value)


def _without_path(address: str) -> str:
    """Keep of a webhook's address where it leads; what stands behind the host lets anyone post there."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{(parts.netloc.rpartition('@')[2])}/***"


_WITHOUT = {"model_prompt": "(the model's own)", "queue_threshold": "(the ranker's own)"}
_SECRETS = {"smtp_password": lambda _: "***", "serve_token": lambda _: "***", "webhook_url": _without_path}
