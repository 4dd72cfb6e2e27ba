"""`bmp digest`: what happened, for people who were not there."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

import click

from curation.cli.context import DATE, AppContext, json_option, pass_app, write_json
from db.errors import SettingsError, UsageError

if TYPE_CHECKING:
    from curation.digest.facts import Digest

FORMATS = ("text", "markdown", "html")


@click.command()
@click.option("--since", type=DATE, help="From this day on (2026-11-24, UTC).")
@click.option("--format", "format_name", type=click.Choice(FORMATS), show_default="text", help="How it is written.")
@click.option("--send", is_flag=True, help="Mail it, instead of writing it, to whom the setting mail_to names.")
@json_option
@pass_app
def digest(app: AppContext, since: date | None, format_name: str | None, send: bool, as_json: bool) -> None:
    """Tell what is new in the queue, what was decided and re-opened, what went wrong, and what the runs did.

    Without --since: from where the last mailed digest ended, or of the last seven days. --json writes all facts;
    the other formats cut long lists and say so.
    """
    from curation.cli.telling import gather_to_send, mail_digest, mail_is_set_up
    from curation.digest.facts import gather_digest, untold_since

    if as_json and format_name is not None:
        raise UsageError("--format and --json do not go together", "name one of the two")
    if send and not mail_is_set_up(app.settings):
        raise SettingsError("mail is not set up", "set smtp_host and mail_to; docs/unattended.md says how")
    with app.open_store() as store:
        now = app.clock()
        begin = untold_since(store, now=now) if since is None else datetime.combine(since, time(), UTC)
        if begin > now and since is not None:
            raise UsageError(f"{since} has not begun yet", "name an earlier day")
        if send:
            gathered = gather_to_send(app, store, since=begin)
            mail_digest(app, store, gathered)
        else:
            gathered = gather_digest(store, since=begin, now=now)
    if as_json:
        write_json(asdict(gathered))
    elif not send:
        click.echo(render(gathered, format_name or "text"), nl=False)


def render(gathered: Digest, format_name: str) -> str:
    """Return a digest in one of `FORMATS`."""
    from curation.digest.html import render_html
    from curation.digest.markdown import render_markdown
    from curation.digest.outline import outline_digest
    from curation.digest.text import render_text

    renderers = {"text": render_text, "markdown": render_markdown, "html": render_html}
    return renderers[format_name](outline_digest(gathered))
