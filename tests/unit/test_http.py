"""One polite connection: pace, waits that were asked for, refusals that are final, and bounds on everything."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime

import httpx
import pytest
from fakes import FakeTime, make_client
from loopback import faults
from loopback.papers import make_papers
from loopback.server import ArxivServer

from crawler.control import Stop, StopRequested
from crawler.sources.http import MAX_BODY_BYTES, Pace, PoliteClient, user_agent
from db.errors import AnswerError, RefusedError, SourceError

NOW = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)
URL = "https://arxiv.test/oai"
LIST = {"verb": "ListRecords", "metadataPrefix": "arXivRaw", "from": "2026-11-20"}

Reply = Callable[[int], httpx.Response]


class Desk:
    """Answers by a function of the number of the request; an answer takes two seconds of the fake time."""

    def __init__(
        self, reply: Reply, *, delay: float = 3.0, max_wait: float = 1800.0, read_timeout: float = 240.0
    ) -> None:
        self.time = FakeTime()
        self.began: list[float] = []
        self.ended: list[float] = []
        self.requests: list[httpx.Request] = []
        self._reply = reply
        self.client = PoliteClient(
            Pace(delay, max_wait, read_timeout),
            user_agent=user_agent("1.2", "ada@example.org"),
            stop=self.time,
            transport=httpx.MockTransport(self._answer),
            monotonic=self.time.monotonic,
            wall_clock=lambda: NOW,
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.began.append(self.time.now)
        self.time.now += 2.0
        self.ended.append(self.time.now)
        return self._reply(len(self.requests))

    def get(self) -> bytes:
        return self.client.get(URL, LIST, bytes)

    @property
    def waits(self) -> list[float]:
        """The seconds between the end of one request and the start of the next."""
        return [start - end for end, start in zip(self.ended, self.began[1:], strict=False)]


def first(*answers: httpx.Response) -> Reply:
    """Give these answers, then good ones."""
    return lambda number: answers[number - 1] if number <= len(answers) else httpx.Response(200, content=b"good")


def busy(retry_after: str | None = None, status: int = 503) -> httpx.Response:
    return httpx.Response(status, headers={} if retry_after is None else {"Retry-After": retry_after})


# Pace


def test_good_answers_are_fetched_no_faster_than_the_pace() -> None:
    desk = Desk(first())
    assert [desk.get() for _ in range(4)] == [b"good"] * 4
    assert desk.waits == [3.0, 3.0, 3.0]


def test_time_that_passed_anyway_counts_towards_the_pace() -> None:
    desk = Desk(first())
    desk.get()
    desk.time.now += 2.5
    desk.get()
    desk.time.now += 100.0
    desk.get()
    assert desk.waits == [3.0, 100.0]


def test_the_pace_holds_after_failures_too() -> None:
    desk = Desk(first(busy(), busy("0"), busy("1"), httpx.Response(200, content=b"good")), delay=30.0)
    desk.get()
    assert min(desk.waits) >= 30.0


def test_a_real_server_sees_one_connection_at_the_pace_and_who_asks() -> None:
    with ArxivServer(make_papers(3, day=date(2026, 11, 23))) as server:
        client = PoliteClient(Pace(0.15, 5, 2), user_agent=user_agent("1.2", "ada@example.org"), stop=Stop())
        for _ in range(4):
            client.get(server.oai_url, LIST, bytes)
        client.close()
        log = server.log
    ends = [entry.ended_at or 0.0 for entry in log]
    assert all(entry.began_at - end >= 0.14 for end, entry in zip(ends, log[1:], strict=False))
    assert server.max_concurrent == 1
    assert {entry.user_agent for entry in log} == {"bmprinciples/1.2 (ada@example.org)"}


def test_the_user_agent_says_the_program_and_has_only_letters_of_a_header() -> None:
    assert user_agent("1.2", "") == "bmprinciples/1.2"
    name = user_agent("1.2", "Jörg\r\nX-Evil: 1 <j@example.org>")
    assert name == "bmprinciples/1.2 (J?rg X-Evil: 1 <j@example.org>)"
    httpx.Client(headers={"User-Agent": name}, verify=False).close()


# Retry-After


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_asked_for_in_seconds_is_kept(status: int) -> None:
    desk = Desk(first(busy("77", status)))
    assert desk.get() == b"good"
    assert desk.waits == [77.0]


def test_a_wait_asked_for_as_a_date_is_kept() -> None:
    desk = Desk(first(busy("Tue, 24 Nov 2026 06:32:05 GMT")))
    assert desk.get() == b"good"
    assert desk.waits == [125.0]


def test_a_wait_that_just_fits_is_not_cut_short() -> None:
    desk = Desk(first(busy("97")), max_wait=100.0)
    assert desk.get() == b"good"
    assert desk.waits == [97.0]


@pytest.mark.parametrize("asked", ["99", "86400", "9" * 400, "Wed, 25 Nov 2026 06:30:00 GMT"])
def test_a_wait_that_does_not_fit_ends_the_trying_at_once(asked: str) -> None:
    desk = Desk(first(busy(asked)), max_wait=100.0)
    with pytest.raises(SourceError, match="asks to wait"):
        desk.get()
    assert len(desk.requests) == 1
    assert desk.time.slept == []


@pytest.mark.parametrize(
    "header",
    [
        *("soon", "", "-5", "1.5", "0", "Tue, 24 Nov 2020 06:32:05 GMT", "Tue, 24 Nov 2026 99:99:99 GMT"),
        *("Mon, 22 Oct 99999999999999999999 22:41:50 GMT", "Mon, 22 Oct 2018 22:41:50 +99999999999999999999"),
    ],
)
def test_a_header_that_asks_for_nothing_leaves_the_ordinary_back_off(header: str) -> None:
    desk = Desk(first(busy(header)))
    assert desk.get() == b"good"
    assert desk.waits == [3.0]


# Backing off


def test_a_wait_that_one_part_was_asked_for_is_kept_by_the_next() -> None:
    desk = Desk(first(busy("3600")), max_wait=60)
    for _ in range(3):
        with pytest.raises(SourceError, match="asks to wait 3600 s; gave up after 1 try"):
            desk.get()
    assert len(desk.requests) == 1
    assert desk.client.get("https://elsewhere.test/rss", {}, bytes) == b"good"
    desk.time.now += 3600
    assert desk.get() == b"good"


def test_the_waits_grow_and_stay_within_the_time_to_lose() -> None:
    desk = Desk(lambda _: busy(), max_wait=600.0)
    with pytest.raises(SourceError, match=r"arxiv.test: answered 503; gave up after \d+ tries"):
        desk.get()
    assert desk.waits[:5] == [3.0, 6.0, 12.0, 24.0, 48.0]
    assert sum(desk.waits[:-1]) <= 600.0 and max(desk.waits) <= 300.0
    assert desk.ended[-1] - desk.began[0] <= 600.0 + 5.0


def test_short_waits_asked_for_again_and_again_do_not_stretch_the_time_to_lose() -> None:
    desk = Desk(lambda _: busy("1"), max_wait=100_000.0)
    with pytest.raises(SourceError):
        desk.get()
    assert desk.ended[-1] - desk.began[0] <= 100_000.0 + 5.0
    assert len(desk.requests) < 1_000


def test_the_time_to_lose_is_that_of_the_whole_run() -> None:
    desk = Desk(lambda number: busy() if number % 2 else httpx.Response(200, content=b"good"), max_wait=20.0)
    with pytest.raises(SourceError):
        for _ in range(100):
            desk.get()
    assert len(desk.requests) < 20


def test_an_answer_that_does_not_parse_is_asked_for_again() -> None:
    desk = Desk(lambda number: httpx.Response(200, content=b"%d" % number))

    def parse(body: bytes) -> int:
        if int(body) < 3:
            raise AnswerError("too early")
        return int(body)

    assert desk.client.get(URL, LIST, parse) == 3


def test_an_answer_that_never_parses_ends_with_its_reason() -> None:
    desk = Desk(first(), max_wait=50.0)

    def parse(body: bytes) -> int:
        raise AnswerError("the answer is nonsense")

    with pytest.raises(SourceError, match="the answer is nonsense; gave up after"):
        desk.client.get(URL, LIST, parse)
    assert len(desk.requests) > 1


def test_a_body_that_does_not_unpack_is_asked_for_again() -> None:
    broken = httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=Chunks([b"no gzip at all"]))
    assert Desk(first(broken)).get() == b"good"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_failure_that_may_pass_is_tried_again(status: int) -> None:
    desk = Desk(first(httpx.Response(status)))
    assert desk.get() == b"good"
    assert len(desk.requests) == 2


# What is final


def test_a_refusal_is_final_after_one_knock() -> None:
    desk = Desk(lambda _: httpx.Response(403, headers={"Retry-After": "1"}))
    with pytest.raises(RefusedError, match=r"arxiv.test refuses to answer \(403\)"):
        desk.get()
    assert len(desk.requests) == 1


@pytest.mark.parametrize("status", [204, 304, 400, 401, 404, 405, 410, 451, 501])
def test_a_status_that_will_not_change_is_not_tried_again(status: int) -> None:
    desk = Desk(lambda _: httpx.Response(status))
    with pytest.raises(SourceError, match=f"answered {status}"):
        desk.get()
    assert len(desk.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_told_and_not_followed(status: int) -> None:
    desk = Desk(lambda _: httpx.Response(status, headers={"Location": "https://new.test/" + "oai" * 100}))
    with pytest.raises(SourceError, match=r"has moved to https://new.test/(oai)+.{0,3} \("):
        desk.get()
    assert len(desk.requests) == 1


@pytest.mark.parametrize("url", ["arxiv.org/oai", "ftp://arxiv.org/oai", "http://[::1", "http://", ""])
def test_what_is_no_address_is_told_at_once(url: str) -> None:
    stop = FakeTime()
    client = PoliteClient(Pace(0, 100, 1), user_agent="t", stop=stop, transport=httpx.HTTPTransport(verify=False))
    with pytest.raises(SourceError, match="is not an address"):
        client.get(url, LIST, bytes)
    assert stop.slept == []


# Bounds


class Chunks(httpx.SyncByteStream):
    """A body in pieces that knows how many were taken."""

    def __init__(self, pieces: Iterator[bytes] | list[bytes]) -> None:
        self._pieces = pieces
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.taken += 1
            yield piece


def test_a_body_without_end_is_read_up_to_the_cap() -> None:
    piece = b" " * 2**20
    streams: list[Chunks] = []

    def reply(_: int) -> httpx.Response:
        streams.append(Chunks(iter(lambda: piece, None)))
        return httpx.Response(200, stream=streams[-1])

    with pytest.raises(SourceError, match="more than 64 MiB"):
        Desk(reply, max_wait=1.0).get()
    assert {stream.taken for stream in streams} == {MAX_BODY_BYTES // 2**20 + 1}


def test_a_body_that_comes_too_slowly_is_given_up() -> None:
    with ArxivServer(make_papers(20, day=date(2026, 11, 23))) as server:
        server.play(faults.Drip(200), times=None)
        began = time.monotonic()
        with pytest.raises(SourceError, match="too slowly"):
            make_client(max_wait=0.5, read_timeout=1).get(server.oai_url, LIST, bytes)
        assert time.monotonic() - began < 4


def test_a_silent_connection_is_given_up() -> None:
    with ArxivServer() as server:
        server.play(faults.Hang(30), times=None)
        began = time.monotonic()
        with pytest.raises(SourceError, match="gave up"):
            make_client(max_wait=0.5, read_timeout=0.3).get(server.oai_url, LIST, bytes)
        assert time.monotonic() - began < 3


def test_a_connection_that_is_reset_is_tried_again() -> None:
    with ArxivServer(make_papers(20, day=date(2026, 11, 23))) as server:
        server.play(faults.Reset())
        assert b"ListRecords" in make_client().get(server.oai_url, LIST, bytes)
        assert len(server.log) == 2


def test_a_port_where_nobody_listens_is_told_with_its_host() -> None:
    with ArxivServer() as server:
        url = server.oai_url
    with pytest.raises(SourceError, match=r"127\.0\.0\.1: .*refused"):
        make_client(max_wait=3).get(url, LIST, bytes)


# Stopping


def test_a_stop_ends_a_long_wait_at_once() -> None:
    stop = Stop()
    transport = httpx.MockTransport(lambda _: busy("60"))
    client = PoliteClient(Pace(0, 1000, 10), user_agent="t", stop=stop, transport=transport)
    threading.Timer(0.1, stop.request).start()
    began = time.monotonic()
    with pytest.raises(StopRequested):
        client.get(URL, LIST, bytes)
    assert time.monotonic() - began < 2


def test_after_a_stop_nothing_more_is_asked() -> None:
    desk = Desk(first())
    desk.time.request()
    with pytest.raises(StopRequested):
        desk.get()
    assert desk.requests == []


@pytest.fixture
def alarm() -> Iterator[Stop]:
    stop = Stop()
    previous = signal.signal(signal.SIGALRM, stop.on_signal)
    yield stop
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, previous)


def test_a_signal_breaks_off_the_wait_for_a_silent_server(alarm: Stop) -> None:
    with ArxivServer() as server:
        server.play(faults.Hang(30), times=None)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        began = time.monotonic()
        with pytest.raises(StopRequested):
            make_client(alarm, read_timeout=20).get(server.oai_url, LIST, bytes)
        assert time.monotonic() - began < 5


def test_a_signal_outside_the_network_only_asks(alarm: Stop) -> None:
    signal.raise_signal(signal.SIGALRM)
    assert alarm.is_requested
    with pytest.raises(StopRequested):
        alarm.check()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGALRM)


def test_a_stop_may_be_asked_for_at_any_moment_of_a_wait(alarm: Stop) -> None:
    # A lock inside the stop would be held by the very thread that the handler interrupts: the test would hang.
    handled = 0

    def ask(number: int, frame: object) -> None:
        nonlocal handled
        handled += 1
        alarm.request()

    signal.signal(signal.SIGALRM, ask)
    for microseconds in range(40, 400, 20):
        signal.setitimer(signal.ITIMER_REAL, microseconds / 1e6)
        with pytest.raises(StopRequested):
            alarm.sleep(5)
        while handled == 0:
            alarm.is_requested  # noqa: B018
        handled = 0
        alarm.__init__()  # type: ignore[misc]
