"""`bmp config`: the settings in force."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from curation.cli.context import AppContext, json_option, pass_app, write_json, write_table
from db.errors import BmpError
from db.settings import SettingsOrigin, list_origins, load_settings

if TYPE_CHECKING:
    from crawler.engines.choice import Choice


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
    choice = _find_choice(app)
    if as_json:
        told = {one.name: {"value": _plain(one), "origin": one.origin} for one in origins}
        write_json({**told, "engine": {**told["engine"], "chosen": None if choice is None else asdict(choice.best)}})
    else:
        write_table([(one.name, _shown(one), one.origin) for one in origins], ("setting", "value", "origin"))
        if choice is not None:
            click.echo(f"\nEmbedding on this machine: {choice.describe()}.")
        else:
            later = "" if app.settings.engine == "float32" else "; a night with many papers looks for a faster setting"
            click.echo(f"\nEmbedding on this machine: torch float32{later}.")
    load_settings(app.environment, db=app.db_option)  # what does not hold together is said after it was shown


def _find_choice(app: AppContext) -> Choice | None:
    """Return the setting of the engine that was found on this machine; None where none was, or settings do not hold."""
    from curation.cli.wiring import open_embedder

    try:
        return open_embedder(app).choice
    except BmpError:
        return None


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
