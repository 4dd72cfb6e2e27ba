"""Tells people outside of this machine: by mail over SMTP, and by a webhook. Every failure is one line with a hint."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from email import policy
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from crawler.control import run_within
from crawler.sources.http import post_json
from db.errors import NotifyError, SourceError
from db.store import Row
from db.text import clean_line

SMTP_TIMEOUT_SECONDS = 20.0
LONGEST_TELLING_SECONDS = 60.0  # however little a slow server says at a time
_SENDER_NAME = "BMPrinciples"


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in.

    Attributes:
        security: `starttls` (and nothing is sent before), `tls` from the first byte on, or `none`.
        user: who logs in with `password`; empty for a server that asks for no login.
        timeout_seconds: how long a silent server is waited for.
        longest_seconds: how long handing in a message may take in all.
    """

    host: str
    port: int
    security: str = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    timeout_seconds: float = SMTP_TIMEOUT_SECONDS
    longest_seconds: float = LONGEST_TELLING_SECONDS


def compose_mail(
    *, sender: str, recipients: Sequence[str], subject: str, text: str, html: str, moment: datetime, message_id: str
) -> EmailMessage:
    """Return a message with a plain and an HTML form of the same content.

    Raises:
        NotifyError: an address is none, or a line break or a control character would get into a header.
    """
    for value in (sender, *recipients, subject, message_id):
        if not value.isprintable():
            raise NotifyError(f"'{clean_line(value)[:60]}' cannot stand in a mail's head", "it must be one plain line")
    message = EmailMessage()
    try:
        message["From"] = Address(_SENDER_NAME, addr_spec=sender)
        message["To"] = [Address(addr_spec=recipient) for recipient in recipients]
        message["Subject"] = subject
        message["Date"] = format_datetime(moment)
        message["Message-ID"] = message_id
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: so that no holiday notice answers it
    except (ValueError, IndexError, MessageError) as error:
        raise NotifyError(
            f"the mail cannot be addressed: {clean_line(str(error))}", "see mail_from, mail_to"
        ) from error
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message


def send_mail(server: MailServer, message: EmailMessage, *, tls: ssl.SSLContext | None = None) -> dict[str, str]:
    """Hand a message in, and return the recipients whom the server refused while it took it for others, with reasons.

    When this returns, the server has taken the message.

    Args:
        tls: whom to trust; the system's certificates unless said otherwise.

    Raises:
        NotifyError: the server was not reached, is not whom it should be, or did not take the message in time.
    """
    try:
        return run_within(server.longest_seconds, lambda: _hand_in(server, message, tls))
    except TimeoutError as error:
        place = f"mail server {server.host}:{server.port}"
        raise NotifyError(f"{place} is too slow: {error}", "the mail may come all the same") from error


def _hand_in(server: MailServer, message: EmailMessage, tls: ssl.SSLContext | None) -> dict[str, str]:
    with _in_one_line(server), _connected(server, tls or ssl.create_default_context()) as smtp:
        if server.user:
            smtp.login(server.user, server.password)
        # Not send_message, which puts a > before a line that begins with From.
        sender, recipients = (message[name].addresses for name in ("From", "To"))
        data = message.as_bytes(policy=policy.SMTP)
        refused = smtp.sendmail(sender[0].addr_spec, [one.addr_spec for one in recipients], data)
    return {address: _said(code, reply) for address, (code, reply) in refused.items()}


@contextmanager
def _connected(server: MailServer, tls: ssl.SSLContext) -> Iterator[smtplib.SMTP]:
    if server.security == "tls":
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=server.timeout_seconds, context=tls)
    else:
        smtp = smtplib.SMTP(server.host, server.port, timeout=server.timeout_seconds)
    try:
        if server.security == "starttls":
            smtp.starttls(context=tls)
        yield smtp
        with suppress(OSError):  # smtplib's errors are such too: what was taken is taken, whatever the goodbye
            smtp.quit()
    finally:
        smtp.close()


@contextmanager
def _in_one_line(server: MailServer) -> Iterator[None]:
    place = f"mail server {server.host}:{server.port}"
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        said = _said(error.smtp_code, error.smtp_error)
        raise NotifyError(f"{place} refused the login: {said}", "see smtp_user and smtp_password") from error
    except smtplib.SMTPRecipientsRefused as error:
        said = "; ".join(f"{address}: {_said(*reply)}" for address, reply in error.recipients.items())
        raise NotifyError(f"{place} refused every recipient: {clean_line(said)[:300]}", "see mail_to") from error
    except smtplib.SMTPSenderRefused as error:
        said = _said(error.smtp_code, error.smtp_error)
        raise NotifyError(f"{place} refused the sender: {said}", "see mail_from") from error
    except smtplib.SMTPNotSupportedError as error:
        hint = "see smtp_security and smtp_user; nothing was sent"
        raise NotifyError(f"{place}: {clean_line(str(error))}", hint) from error
    except smtplib.SMTPResponseException as error:
        raise NotifyError(f"{place} said: {_said(error.smtp_code, error.smtp_error)}", "try again later") from error
    except smtplib.SMTPServerDisconnected as error:
        hint = "see smtp_host, smtp_port and smtp_security, or try again later"
        raise NotifyError(f"{place} broke off: {clean_line(str(error))}", hint) from error
    except ssl.SSLCertVerificationError as error:
        hint = "smtp_host must be the name in the certificate; SSL_CERT_FILE names another authority's file"
        raise NotifyError(f"{place} cannot be trusted: {error.verify_message}", hint) from error
    except ssl.SSLError as error:
        hint = "smtp_security must fit the port: starttls for 587, tls for 465"
        raise NotifyError(f"{place} does not speak TLS here: {error.reason or error}", hint) from error
    except OSError as error:  # smtplib's other errors are such, too
        reason = clean_line(error.strerror or str(error)) or type(error).__name__
        raise NotifyError(f"{place} cannot be reached: {reason}", "see smtp_host and smtp_port") from error
    except UnicodeError as error:
        raise NotifyError(f"{place}: a name or a password has letters that SMTP has not", "use ASCII") from error


def _said(code: int, reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    number = f"{code} " if code > 0 else ""  # smtplib makes it -1 where the answer is not SMTP
    return f"{number}{clean_line(text)[:200]}".strip()


def post_run(
    url: str,
    run: Row,
    text: str,
    *,
    user_agent: str,
    sleep: Callable[[float], None],
    longest_seconds: float = LONGEST_TELLING_SECONDS,
) -> None:
    """Post a run's row of the ledger, and one line that says what is the matter with it, to a webhook.

    Args:
        longest_seconds: how long all tries together may take.

    Raises:
        NotifyError: nobody took it in time.
    """
    document = {"text": clean_line(text), "run": run}
    try:
        run_within(longest_seconds, lambda: post_json(url, document, user_agent=user_agent, sleep=sleep))
    except TimeoutError as error:
        raise NotifyError(f"the webhook is too slow: {error}", "see webhook_url") from error
    except SourceError as error:
        raise NotifyError(f"the webhook did not take it: {error.message}", "see webhook_url") from error
