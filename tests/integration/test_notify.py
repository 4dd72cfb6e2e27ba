"""Mail and webhook against real servers on loopback: what arrives, what fails and how it is told, what is kept."""

from __future__ import annotations

import dataclasses
import os
import signal
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from bmp import Bmp, Result
from conftest import LOADED
from fakes import CATEGORIES, HashEmbedder, make_client, oai_source
from loopback.hook import Hook, webhook
from loopback.mail import HOST, Post, bad_office, free_port, post_office, slow_office
from loopback.papers import make_papers
from loopback.server import ArxivServer
from sample_digest import NIGHTS, NOW, PHENOMENA, make_paper, run_a_night, tell_story

from crawler.control import Stop, StopRequested
from crawler.notify import MailServer, compose_mail, post_run, send_mail
from crawler.sources.http import post_json
from curation.cli.context import AppContext
from curation.cli.telling import describe_trouble, run_and_tell, tell_people
from curation.cli.wiring import make_night, tell_outcome
from db.digests import find_last_digest
from db.errors import NotifyError, SettingsError, SourceError
from db.runs import find_run
from db.settings import load_settings
from db.store import Store, open_store
from db.upkeep import save_phenomena

SUBJECT = "BMPrinciples: 3 new, Über 大規模"
TEXT = "Über das Verstehen: 大規模言語モデル\n.\nFrom here on\n" + "a long line " * 200 + "\n"
HTML = "<!DOCTYPE html>\n<p>Über das Verstehen: 大規模言語モデル</p>\n"


def compose(**changes: Any) -> Any:
    values = {
        "sender": "bmp@example.org",
        "recipients": ["ada@example.org", "grace@example.org"],
        "subject": SUBJECT,
        "text": TEXT,
        "html": HTML,
        "moment": NOW,
        "message_id": "<1@example.org>",
    } | changes
    return compose_mail(**values)


def plain(port: int, **changes: Any) -> MailServer:
    return MailServer(HOST, port, **{"security": "none", "timeout_seconds": 5.0, **changes})


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def certified(authority: trustme.CA) -> ssl.SSLContext:
    """What a server shows that the authority vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    return context


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """A client that trusts the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


# What arrives


def assert_arrived(post: Post) -> None:
    ((sender, recipients, message),) = post.taken
    assert (sender, recipients) == ("bmp@example.org", ["ada@example.org", "grace@example.org"])
    assert message["From"] == "BMPrinciples <bmp@example.org>"
    assert message["To"] == "ada@example.org, grace@example.org"
    assert message["Subject"] == SUBJECT
    assert message["Message-ID"] == "<1@example.org>"
    assert message["Date"].datetime == NOW
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "multipart/alternative"
    text, html = message.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content().replace("\r\n", "\n") == TEXT
    assert html.get_content().replace("\r\n", "\n") == HTML


def test_a_message_arrives_in_both_forms_letter_by_letter() -> None:
    with post_office(Post()) as post:
        assert send_mail(plain(post.port), compose()) == {}
        assert_arrived(post)


def test_over_starttls_it_arrives_with_a_login(certified: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    post = Post()
    options = {"tls_context": certified, "require_starttls": True, "auth_required": True}
    with post_office(post, authenticator=post.check_login, **options):
        server = MailServer(HOST, post.port, user="ada", password="s3cret word")
        assert send_mail(server, compose(), tls=trusting) == {}
        assert_arrived(post)


def test_over_tls_from_the_first_byte_it_arrives(certified: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    with post_office(Post(), ssl_context=certified) as post:
        assert send_mail(MailServer(HOST, post.port, "tls"), compose(), tls=trusting) == {}
        assert_arrived(post)


def test_a_recipient_who_is_refused_keeps_nobody_else_from_theirs() -> None:
    with post_office(Post(refuses=frozenset({"grace@example.org"}))) as post:
        assert send_mail(plain(post.port), compose()) == {"grace@example.org": "550 5.1.1 no such box"}
        assert [recipients for _, recipients, _ in post.taken] == [["ada@example.org"]]


def test_a_goodbye_that_fails_takes_nothing_back() -> None:
    talk = ["220 hi", "250 hi", "250 sender", "250 one", "250 two", "354 go on", "250 taken"]
    for goodbye in ([], ["421 no time"]):
        with bad_office([*talk, *goodbye]) as port:
            assert send_mail(plain(port), compose()) == {}


# What fails


def failure(server: MailServer, **options: Any) -> str:
    with pytest.raises(NotifyError) as failed:
        send_mail(server, compose(), **options)
    error = failed.value
    assert error.hint and str(error).isprintable()
    return error.message


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([], "broke off"),
        (["421 too busy"], "421 too busy"),
        (["220 hi"], "broke off"),
        (["220 hi", "250 hi", "250 sender", "250 one", "250 two", "354 go on"], "broke off"),
        (["220 hi", "250 hi", "250 s", "250 a", "250 b", "354 go on", "451 \x1b[31m full"], "said: 451 [31m full"),
        (["220 hi", "250 hi", "553 not you"], "refused the sender: 553 not you"),
        (["this is no mail server"], "said: is no mail server"),
        ([None], "timed out"),
        (["220 hi", "250 hi", None], "timed out"),
    ],
)  # fmt: skip
def test_a_server_that_fails_is_told_in_one_line(answers: list[str | None], said: str) -> None:
    with bad_office(answers) as port:
        began = time.monotonic()
        assert said in failure(plain(port, timeout_seconds=0.3))
        assert time.monotonic() - began < 3


def test_a_server_that_has_gone_or_never_was_is_told() -> None:
    assert "cannot be reached: Connection refused" in failure(plain(free_port()))
    assert "cannot be reached" in failure(MailServer("no-such-host.invalid", 25, "none", timeout_seconds=5.0))


def test_a_message_that_is_refused_is_told() -> None:
    with post_office(Post(refuses_data=True)) as post:
        assert "554 5.7.1 this looks like spam" in failure(plain(post.port))
    with post_office(Post(refuses=frozenset({"ada@example.org", "grace@example.org"}))) as post:
        said = failure(plain(post.port))
        assert "refused every recipient" in said and "ada@example.org: 550" in said
        assert post.taken == []


def test_a_wrong_password_is_told_and_never_shown(certified: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    post = Post()
    with post_office(post, authenticator=post.check_login, tls_context=certified):
        server = MailServer(HOST, post.port, user="ada", password="wr0ng")
        said = failure(server, tls=trusting)
        assert "refused the login" in said
        assert "wr0ng" not in said + repr(server)
        with pytest.raises(NotifyError, match="ASCII"):
            send_mail(dataclasses.replace(server, user="ädä"), compose(), tls=trusting)


def test_without_starttls_neither_password_nor_mail_leaves_this_machine() -> None:
    post = Post()
    with post_office(post):
        assert "STARTTLS" in failure(MailServer(HOST, post.port, user="ada", password="s3cret word"))
    assert post.taken == []


def test_a_server_whose_certificate_nobody_vouches_for_gets_nothing(certified: ssl.SSLContext) -> None:
    for security, options in (("starttls", {"tls_context": certified}), ("tls", {"ssl_context": certified})):
        with post_office(Post(), **options) as post:
            assert "cannot be trusted" in failure(MailServer(HOST, post.port, security))
            assert post.taken == []


def test_a_certificate_for_another_name_is_refused(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("mail.example.org").configure_cert(other)
    with post_office(Post(), tls_context=other) as post:
        assert "cannot be trusted" in failure(MailServer(HOST, post.port), tls=trusting)
        assert post.taken == []


def test_tls_at_a_port_without_it_is_told() -> None:
    with bad_office(["220 hi"]) as port:
        assert "does not speak TLS" in failure(MailServer(HOST, port, "tls", timeout_seconds=2.0))


# What is refused before anything is sent


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "new\r\nBcc: eve@example.org"},
        {"subject": "new\nBcc: eve@example.org"},
        {"subject": "new\x0bBcc"},
        {"subject": "new\u2028Bcc"},
        {"sender": "bmp@example.org\r\nBcc: eve@example.org"},
        {"sender": "nobody"},
        {"sender": ""},
        {"recipients": ["ada@example.org\nBcc: eve@example.org"]},
        {"recipients": ["ada@example.org, eve@example.org"]},
        {"message_id": "<1>\r\nBcc: eve@example.org"},
    ],
)
def test_no_text_gets_a_line_of_its_own_into_a_mails_head(changes: dict[str, Any]) -> None:
    with pytest.raises(NotifyError):
        compose(**changes)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("smtp_host", "mail.example.org\r\nRCPT TO:<eve@example.org>"),
        ("smtp_host", "mail.example.org:25 x"),
        ("smtp_port", "0"),
        ("smtp_port", "65536"),
        ("smtp_port", "smtp"),
        ("smtp_security", "ssl"),
        ("smtp_user", "ada\r\nx"),
        ("smtp_password", "s3cret\r\nx"),
        ("mail_from", "bmp@example.org\nBcc: eve@example.org"),
        ("mail_from", "BMP <bmp@example.org>"),
        ("mail_to", "ada@example.org\nBcc: eve@example.org"),
        ("mail_to", "ada"),
        ("mail_to", "ada@example.org;eve@example.org"),
        ("webhook_url", "ftp://example.org/"),
        ("webhook_url", "https:///path"),
        ("webhook_url", "https://s3cret@"),
        ("webhook_url", "https://:443/s3cret"),
        ("webhook_url", "https://example.org/s3cret x"),
        ("webhook_url", "https://[s3cret/"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name) as refused:
        load_settings({f"BMP_{name.upper()}": value})
    assert "s3cret" not in str(refused.value)


def test_settings_of_the_file_are_read_in_their_own_types(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        'smtp_host = "mail.example.org"\nsmtp_port = 465\nsmtp_security = "tls"\n'
        'mail_to = ["ada@example.org", "grace@example.org", "ada@example.org"]\n',
        encoding="utf-8",
    )
    settings = load_settings({"BMP_CONFIG": str(config)})
    assert (settings.smtp_port, settings.smtp_security) == (465, "tls")
    assert settings.mail_to == ("ada@example.org", "grace@example.org")
    listed = load_settings({"BMP_MAIL_TO": "ada@example.org, grace@example.org"})
    assert listed.mail_to == settings.mail_to
    config.write_text("smtp_password = 31337\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="smtp_password") as refused:
        load_settings({"BMP_CONFIG": str(config)})
    assert "31337" not in str(refused.value)


def test_secrets_are_not_shown(bmp: Bmp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMP_SMTP_PASSWORD", "s3cret word")
    monkeypatch.setenv("BMP_WEBHOOK_URL", "https://hooks.example.org/services/s3cret")
    for words in ((), ("--json",)):
        shown = bmp("config", "show", *words)
        assert "s3cret" not in shown.out + shown.err
        assert "***" in shown.out and "https://hooks.example.org/***" in shown.out
    assert bmp("config", "show", "--json").json["smtp_password"] == {"value": "***", "origin": "BMP_SMTP_PASSWORD"}
    assert "s3cret" not in repr(load_settings(os.environ))


# `bmp digest --send`


@pytest.fixture
def told(bmp: Bmp, tmp_path: Path) -> Bmp:
    with open_store(tmp_path / "bmp.db", create=True) as store:
        tell_story(store)
    return bmp


def mail_to(monkeypatch: pytest.MonkeyPatch, port: int, recipients: str = "ada@example.org") -> None:
    for name, value in {"HOST": HOST, "PORT": str(port), "SECURITY": "none"}.items():
        monkeypatch.setenv(f"BMP_SMTP_{name}", value)
    monkeypatch.setenv("BMP_MAIL_TO", recipients)


def last_digest(tmp_path: Path) -> Any:
    with open_store(tmp_path / "bmp.db") as store:
        return find_last_digest(store, now=datetime.max.replace(tzinfo=UTC, microsecond=0) - timedelta(days=1))


def send(bmp: Bmp, *words: str) -> Result:
    return bmp("digest", "--send", "--since", "2026-11-17", *words)


def test_a_digest_is_mailed_and_kept_as_sent(told: Bmp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with post_office(Post(refuses=frozenset({"eve@example.org"}))) as post:
        mail_to(monkeypatch, post.port, "ada@example.org eve@example.org")
        sent = send(told)
    assert (sent.code, sent.out) == (0, "")
    assert "Mailed a digest to ada@example.org." in sent.err and "eve@example.org: 550" in sent.err
    ((sender, _, message),) = post.taken
    assert sender == "ada@example.org"
    assert message["Subject"].startswith("BMPrinciples: 3 new, 1 re-opened, 4 decided, 2 gone wrong")
    text, html = (part.get_content() for part in message.iter_parts())
    assert "NEW IN THE QUEUE" in text and "大規模言語モデル" in text and "<h2" in html
    last = last_digest(tmp_path)
    assert (last["since"], last["sent_to"]) == ("2026-11-17T00:00:00Z", "ada@example.org")
    assert told("digest", "--json").json["since"] == last["until"]


def test_a_digest_that_was_not_taken_is_not_kept(told: Bmp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with post_office(Post(refuses_data=True)) as post:
        mail_to(monkeypatch, post.port)
        sent = send(told, "--json")
    assert (sent.code, sent.out) == (1, "")
    assert sent.err.startswith("Error: mail server") and "spam" in sent.err
    assert last_digest(tmp_path) is None


def test_a_digest_that_leaves_a_time_out_is_not_the_last_one(
    told: Bmp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(tmp_path / "bmp.db") as store, store.transaction():
        days = {"since": "2026-11-01T00:00:00Z", "until": "2026-11-10T00:00:00Z"}
        store.insert("digests", {**days, "sent_to": "x", "sent_at": "2026-11-10T00:00:00Z"})
    with post_office(Post()) as post:
        mail_to(monkeypatch, post.port)
        assert "the next one begins there" in send(told).err
    assert last_digest(tmp_path)["until"] == "2026-11-10T00:00:00Z"


# After a night


class Told:
    """A database, and who is told of its nights."""

    def __init__(self, store: Store, **settings: str) -> None:
        self.store = store
        self.stop = Stop()
        self.app = AppContext(
            {f"BMP_{name.upper()}": value for name, value in settings.items()}, store.path, self.clock
        )
        self.stop.sleep = lambda seconds: None  # type: ignore[method-assign]

    def clock(self) -> Any:
        return NOW

    def tell(self, run_id: int, **options: Any) -> None:
        tell_people(self.app, self.store, self.stop, run_id, **options)


def mail_settings(port: int) -> dict[str, str]:
    return {"smtp_host": HOST, "smtp_port": str(port), "smtp_security": "none", "mail_to": "ada@example.org"}


def test_a_run_says_how_many_acceptances_it_re_opened(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    tell_story(store)
    for run_id in (2, 3):
        tell_outcome(store, find_run(store, run_id))
    second, _, third = capsys.readouterr().err.splitlines()
    assert second.endswith("1 candidates queued.")
    assert third.endswith("0 candidates queued, 1 re-opened.")


@pytest.mark.parametrize(("status", "calls"), [("complete", 0), ("quiet", 0), ("partial", 1), ("failed", 1)])
def test_the_webhook_is_called_when_a_night_went_wrong(store: Store, status: str, calls: int) -> None:
    run_id = run_a_night(store, NIGHTS[2], status=status, error="answered 503" if calls else None)
    with webhook(Hook()) as hook:
        Told(store, webhook_url=hook.url, contact="ada@example.org").tell(run_id)
    assert len(hook.posted) == calls
    if calls:
        assert hook.posted[0].keys() == {"text", "run"}
        assert hook.posted[0]["run"] == find_run(store, run_id)
        assert hook.posted[0]["text"] == (
            f"BMPrinciples: nightly run 1 was {status}: 0 received, 0 new, 0 changed, 0 queued. Error: answered 503"
        )
        assert hook.agents[0].startswith("bmprinciples/") and "ada@example.org" in hook.agents[0]


@pytest.mark.parametrize(
    ("hook", "calls", "said"),
    [
        (Hook((500,)), 3, "answered 500; gave up after 3 tries"),
        (Hook((503, 200)), 2, None),
        (Hook((404,)), 1, "answered 404"),
        (Hook((302,), (("Location", "http://127.0.0.1:9/other"),)), 1, "answered 302"),
    ],
)
def test_a_webhook_that_fails_is_said_on_stderr_and_nowhere_else(
    store: Store, capsys: pytest.CaptureFixture[str], hook: Hook, calls: int, said: str | None
) -> None:
    run_id = run_a_night(store, NIGHTS[2], status="failed", error="x")
    with webhook(hook):
        Told(store, webhook_url=hook.url).tell(run_id)
    out, err = capsys.readouterr()
    assert (out, len(hook.posted)) == ("", calls)
    assert (said in err and "secret-path" not in err and err.count("\n") == 1) if said else err == ""


def test_a_webhook_that_hangs_is_given_up() -> None:
    pauses: list[float] = []
    with webhook(Hook(hangs=True)) as hook:
        began = time.monotonic()
        with pytest.raises(SourceError, match="timed out; gave up after 3 tries"):
            post_json(hook.url, {}, user_agent="x", sleep=pauses.append, timeout_seconds=0.2)
        assert time.monotonic() - began < 3
    assert pauses == [1.0, 2.0]


def test_a_webhook_that_never_comes_to_an_end_is_given_up() -> None:
    with webhook(Hook(hangs=True)) as hook:
        began = time.monotonic()
        with pytest.raises(NotifyError, match="the webhook is too slow"):
            post_run(hook.url, {}, "x", user_agent="x", sleep=time.sleep, longest_seconds=0.5)
        assert time.monotonic() - began < 3


def test_a_mail_server_that_says_little_at_a_time_is_given_up() -> None:
    with slow_office() as port:
        server = MailServer(HOST, port, "none", timeout_seconds=5.0, longest_seconds=1.0)
        with pytest.raises(NotifyError, match="is too slow"):
            send_mail(server, compose())


def test_a_killed_run_is_told_of_by_the_next_night(store: Store) -> None:
    killed = run_a_night(store, NIGHTS[1], status="running")
    with webhook(Hook()) as hook:
        told = Told(store, webhook_url=hook.url)
        run_id = run_a_night(store, NIGHTS[2], status="complete")
        told.tell(run_id)
        told.tell(run_id)
    (posted,) = hook.posted
    assert posted["run"]["run_id"] == killed
    assert "the process ended before the run did" in posted["text"]


def test_a_webhook_that_is_not_there_is_told_without_its_secret() -> None:
    with pytest.raises(NotifyError) as failed:
        post_run(f"http://{HOST}:{free_port()}/s3cret", {}, "x", user_agent="x", sleep=lambda _: None)
    assert "webhook_url" in str(failed.value) and "s3cret" not in str(failed.value)


def test_trouble_is_told_in_one_line_whatever_a_server_said(store: Store) -> None:
    run_id = run_a_night(store, NIGHTS[2], status="failed", error="bad\r\n\x1b[31manswer")
    with webhook(Hook()) as hook:
        Told(store, webhook_url=hook.url).tell(run_id)
    assert hook.posted[0]["text"].isprintable()
    assert "ended with a fault (OSError: x)" in describe_trouble(find_run(store, run_id), "OSError: x")


def test_news_are_mailed_after_a_night_and_only_once(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    with store.transaction():
        save_phenomena(store, PHENOMENA, LOADED)
    run_id = run_a_night(store, NIGHTS[2], [make_paper(1, "Grokking\r\nBcc: eve@example.org")])
    with post_office(Post()) as post:
        told = Told(store, **mail_settings(post.port))
        told.tell(run_id)
        told.tell(run_id)
    ((_, recipients, message),) = post.taken
    assert (recipients, message["Bcc"], message["Subject"]) == (["ada@example.org"], None, "BMPrinciples: 1 new")
    assert capsys.readouterr().err == "Mailed a digest to ada@example.org.\n"


def test_a_quiet_night_is_not_mailed(store: Store) -> None:
    run_id = run_a_night(store, NIGHTS[2], status="quiet")
    with post_office(Post()) as post:
        Told(store, **mail_settings(post.port)).tell(run_id)
    assert (
        post.taken == []
        and find_last_digest(store, now=datetime.max.replace(tzinfo=UTC, microsecond=0) - timedelta(days=1)) is None
    )


def test_what_could_not_be_mailed_is_in_the_next_mail(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    tell_story(store)
    Told(store, **mail_settings(free_port())).tell(3)
    assert "Nobody was told: mail server 127.0.0.1" in capsys.readouterr().err
    with post_office(Post()) as post:
        Told(store, **mail_settings(post.port)).tell(3)
    assert post.taken[0][2]["Subject"].startswith("BMPrinciples: 3 new")


def test_a_stop_breaks_the_telling_off(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    tell_story(store)
    with post_office(Post()) as post, webhook(Hook()) as hook:
        told = Told(store, webhook_url=hook.url, **mail_settings(post.port))
        told.stop.request()
        told.tell(2)
    assert (post.taken, hook.posted) == ([], [])
    assert "Asked to stop" in capsys.readouterr().err


def test_a_signal_breaks_off_a_talk_with_a_silent_server(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    tell_story(store)
    with bad_office(["220 hi", None]) as port:
        told = Told(store, **mail_settings(port))
        handler = signal.signal(signal.SIGTERM, told.stop.on_signal)
        main = threading.main_thread().ident
        assert main is not None
        timer = threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGTERM))
        timer.start()
        try:
            began = time.monotonic()
            told.tell(3)
            assert time.monotonic() - began < 3
        finally:
            timer.join()
            signal.signal(signal.SIGTERM, handler)
    assert "Asked to stop" in capsys.readouterr().err
    assert find_last_digest(store, now=datetime.max.replace(tzinfo=UTC, microsecond=0) - timedelta(days=1)) is None


class Source:
    """Stands for a source: what it does when it is asked is handed in."""

    name = "oai"

    def __init__(self, act: Any) -> None:
        self._act = act

    def parts(self) -> Any:
        return self._act()

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


def night_of(told: Told, source: Any) -> Any:
    night = make_night(told.app, told.store, source, told.stop, kind="nightly", categories=CATEGORIES)
    return dataclasses.replace(night, make_embedder=lambda _: HashEmbedder(), threshold=1.0)


def test_a_night_that_ends_with_an_unforeseen_error_is_told_of_and_keeps_its_error(store: Store) -> None:
    def break_down() -> None:
        raise RuntimeError("a fault of ours")

    with webhook(Hook()) as hook, post_office(Post()) as post:
        told = Told(store, webhook_url=hook.url, **mail_settings(post.port))
        with pytest.raises(RuntimeError, match="a fault of ours"):
            run_and_tell(told.app, night_of(told, Source(break_down)))
    assert "ended with a fault (RuntimeError: a fault of ours)" in hook.posted[0]["text"]
    assert hook.posted[0]["run"]["status"] == "failed"
    assert post.taken[0][2]["Subject"] == "BMPrinciples: 1 gone wrong"


@pytest.mark.parametrize("error", [StopRequested, KeyboardInterrupt])
def test_an_interrupt_is_told_nobody(store: Store, error: type[BaseException]) -> None:
    def interrupt() -> None:
        raise error

    with webhook(Hook()) as hook, post_office(Post()) as post:
        told = Told(store, webhook_url=hook.url, **mail_settings(post.port))
        try:
            assert run_and_tell(told.app, night_of(told, Source(interrupt))).interrupted
        except KeyboardInterrupt:
            assert error is KeyboardInterrupt
    assert (hook.posted, post.taken) == ([], [])


def test_a_good_night_stays_good_when_nobody_can_be_told(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    tell_story(store)
    day = (NOW - timedelta(days=1)).date()
    with ArxivServer(make_papers(3, day=day, categories=["cs.LG"]), page_size=12) as server:
        told = Told(store, **mail_settings(free_port()))
        source = oai_source(server.oai_url, client=make_client(), clock=lambda: server.now + timedelta(hours=3))
        outcome = run_and_tell(told.app, night_of(told, source))
    assert (outcome.run["status"], outcome.interrupted) == ("complete", False)
    err = capsys.readouterr().err
    assert err.index("Run 4 complete") < err.index("Nobody was told")


def test_the_command_itself_tells_of_a_night_that_failed(bmp: Bmp, monkeypatch: pytest.MonkeyPatch) -> None:
    bmp("init")
    monkeypatch.setenv("BMP_MODEL", "/nonexistent")
    with webhook(Hook()) as hook, post_office(Post()) as post:
        monkeypatch.setenv("BMP_WEBHOOK_URL", hook.url)
        mail_to(monkeypatch, post.port)
        result = bmp("nightly", "--json")
    assert (result.code, result.json["status"]) == (1, "failed")
    assert [one["run"]["run_id"] for one in hook.posted] == [result.json["run_id"]]
    assert "1 gone wrong" in post.taken[0][2]["Subject"]
