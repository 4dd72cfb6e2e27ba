"""Tells people how a night went: a webhook when it went wrong, a mail when there is something to tell."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import datetime
from email.utils import make_msgid
from typing import TYPE_CHECKING

from crawler.control import Stop, StopRequested
from curation.cli.context import AppContext, program_version, say
from db.errors import BmpError, BusyError, SettingsError
from db.records import RunStatus

if TYPE_CHECKING:
    from crawler.nightly import Night, Outcome
    from curation.digest.facts import Digest
    from db.settings import Settings
    from db.store import Row, Store

Sleep = Callable[[float], None]


def run_and_tell(app: AppContext, night: Night, *, wait: bool = False) -> Outcome:
    """Run a night under its lock, say on stderr how it ended, and tell people; return the night's own outcome.

    Whoever interrupted the night knows: then nobody is told, and the next digest covers it.

    Args:
        wait: wait for another run's end instead of giving up.

    Raises:
        BusyError: another run is at work on the database.
        StopRequested: while waiting.
    """
    from curation.cli.wiring import run_locked, tell_outcome

    before = _newest_run_id(night.store)
    try:
        outcome = run_locked(app, night, wait=wait)
    except (BusyError, StopRequested):
        raise
    except Exception as error:
        with suppress(sqlite3.Error):  # what broke the night may be the database; its own error is the one to hear of
            if (run_id := _newest_run_id(night.store)) > before:
                tell_people(app, night.store, night.stop, run_id, fault=f"{type(error).__name__}: {error}")
        raise
    tell_outcome(night.store, outcome.run)
    if not outcome.interrupted:
        tell_people(app, night.store, night.stop, outcome.run["run_id"])
    return outcome


def _newest_run_id(store: Store) -> int:
    return int(store.value("SELECT coalesce(max(run_id), 0) FROM runs"))


def tell_people(app: AppContext, store: Store, stop: Stop, run_id: int, *, fault: str | None = None) -> None:
    """Tell of a night, and of those killed before it, whoever is to be told; what fails is said on stderr.

    Args:
        stop: a request to stop breaks off the telling at once; what was not told is told the next time.
        fault: the error that the night ended with, where it was none that it foresees.
    """
    steps: tuple[Callable[[], None], ...] = (
        lambda: _tell_of_killed(app, store, stop),
        lambda: _call_webhook(app, store, stop, run_id, fault),
        lambda: _mail_news(app, store, stop),
    )
    for tell in steps:
        try:
            tell()
        except StopRequested:
            say("Asked to stop; what was not told now is told the next time.")
            return
        except BmpError as error:
            say(f"Nobody was told: {error.message}{'; ' + error.hint if error.hint else ''}")
        except Exception as error:  # a fault of ours in telling must not turn a good night into a bad one
            say(f"Nobody was told: {type(error).__name__}: {' '.join(str(error).split())[:200]}")


def _tell_of_killed(app: AppContext, store: Store, stop: Stop) -> None:
    """Tell of nights whose process ended before they could tell of themselves, each once."""
    from db.runs import list_untold_killed, set_run
    from db.times import to_text

    for run_id in list_untold_killed(store):
        _call_webhook(app, store, stop, run_id, None)
        with store.transaction():
            set_run(store, run_id, told_at=to_text(app.clock()))


def _call_webhook(app: AppContext, store: Store, stop: Stop, run_id: int, fault: str | None) -> None:
    from crawler.notify import post_run
    from crawler.sources.http import user_agent
    from db.runs import find_run

    if not app.settings.webhook_url:
        return
    run = find_run(store, run_id)
    if fault is None and run["status"] not in (RunStatus.PARTIAL, RunStatus.FAILED):
        return
    stop.check()
    agent = user_agent(program_version(), app.settings.contact)
    with stop.breakable():
        post_run(app.settings.webhook_url, run, describe_trouble(run, fault), user_agent=agent, sleep=stop.sleep)


def describe_trouble(run: Row, fault: str | None = None) -> str:
    """Return one line that says what is the matter with a run."""
    ended = f"ended with a fault ({fault})" if fault else f"was {run['status']}"
    error = f" Error: {run['error']}" if run["error"] and not fault else ""
    return (
        f"BMPrinciples: {run['kind']} run {run['run_id']} {ended}: {run['received']} received, {run['new']} new,"
        f" {run['changed']} changed, {run['queued']} queued.{error}"
    )


def _mail_news(app: AppContext, store: Store, stop: Stop) -> None:
    if not mail_is_set_up(app.settings):
        return
    from curation.digest.facts import untold_since

    digest = gather_to_send(app, store, since=untold_since(store, now=app.clock()), sleep=stop.sleep)
    if digest.has_news:
        mail_digest(app, store, digest, while_sending=stop.breakable)


def mail_is_set_up(settings: Settings) -> bool:
    """Tell whether the settings say where mail is handed in and whom it goes to."""
    return bool(settings.smtp_host and settings.mail_to)


def gather_to_send(app: AppContext, store: Store, *, since: datetime, sleep: Sleep = time.sleep) -> Digest:
    """Gather a digest up to this second, once the second is over: what a digest covers, the next one leaves out."""
    from curation.digest.facts import gather_digest

    now = app.clock()
    sleep(1.0)
    return gather_digest(store, since=since, now=now)


def mail_digest(
    app: AppContext,
    store: Store,
    digest: Digest,
    *,
    while_sending: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> None:
    """Mail a digest to whom the settings name, keep that it was sent once the server took it, and say so.

    Args:
        while_sending: what the talk with the server happens in.

    Raises:
        SettingsError: mail is not set up.
        NotifyError: the server did not take it.
    """
    from crawler.notify import MailServer, compose_mail, send_mail
    from curation.digest.html import render_html
    from curation.digest.outline import outline_digest
    from curation.digest.text import render_text

    settings = app.settings
    if not mail_is_set_up(settings):
        raise SettingsError("mail is not set up", "set smtp_host and mail_to; docs/unattended.md says how")
    outline = outline_digest(digest)
    sender = settings.mail_from or settings.mail_to[0]
    message = compose_mail(
        sender=sender,
        recipients=settings.mail_to,
        subject=outline.subject,
        text=render_text(outline),
        html=render_html(outline),
        moment=app.clock(),
        message_id=make_msgid(domain=sender.rpartition("@")[2]),
    )
    server = MailServer(
        settings.smtp_host, settings.smtp_port, settings.smtp_security, settings.smtp_user, settings.smtp_password
    )
    with while_sending():
        refused = send_mail(server, message)
    _keep_sent(app, store, digest, [address for address in settings.mail_to if address not in refused])
    for address, reason in refused.items():
        say(f"The mail server took the digest, but not for {address}: {reason}")


def _keep_sent(app: AppContext, store: Store, digest: Digest, sent_to: list[str]) -> None:
    """Keep that a digest was sent, unless it leaves out a time before it that nobody was told of."""
    from db.digests import find_last_digest, save_digest
    from db.times import to_text

    say(f"Mailed a digest to {', '.join(sent_to)}.")
    last = find_last_digest(store, now=app.clock())
    if last is not None and digest.since > last["until"]:
        say(f"It leaves out what came after the last one ({last['until']}), so that the next one begins there.")
        return
    with store.transaction():
        save_digest(store, since=digest.since, until=digest.until, sent_to=sent_to, sent_at=to_text(app.clock()))
