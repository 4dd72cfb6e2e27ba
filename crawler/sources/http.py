"""The one door to the network: a single polite connection that waits, tries again, and knows when to give up.

arXiv asks for at most one request every three seconds over one connection, for all its interfaces together
(https://info.arxiv.org/help/api/tou.html), and takes requests after a 403 for an attack (robots.txt).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx

from crawler.control import Stop
from db.errors import AnswerError, RefusedError, RejectedError, RestingError, SourceError
from db.text import clean_line

Answer = TypeVar("Answer")

MAX_BODY_BYTES = 64 * 1024 * 1024  # a full page of 2,500 records has about 6 MB
LONGEST_ANSWER_SECONDS = 600.0
SHORTEST_TIMEOUT_SECONDS = 10.0  # however little time there is to lose, a slow answer is no failure before
FIRST_BACKOFF_SECONDS = 3.0
LONGEST_BACKOFF_SECONDS = 300.0
REJECTING_STATUSES = frozenset({400, 413, 414, 422})  # it is this request that is wrong
TRY_AGAIN_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Pace:
    """How the client treats the other side; all in seconds.

    Attributes:
        delay_seconds: the least time between the end of one request and the start of the next.
        max_wait_seconds: how much time in all a run may lose on an endpoint that fails.
        read_timeout_seconds: how long a silent connection is waited for, where there is as much time to lose.
    """

    delay_seconds: float
    max_wait_seconds: float
    read_timeout_seconds: float


@dataclass(frozen=True, slots=True)
class _Rest:
    """Until when a host is left alone, by the monotonic clock, and the error that says so."""

    until: float
    message: str = ""
    hint: str | None = None


_NO_REST = _Rest(-math.inf)


class PoliteClient:
    """Fetches one answer at a time; an answer counts only once it has been parsed."""

    def __init__(
        self,
        pace: Pace,
        *,
        user_agent: str,
        stop: Stop,
        transport: httpx.BaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pace = pace
        self._stop = stop
        self._monotonic = monotonic
        self._wall_clock = wall_clock
        self._ended_at: float | None = None
        self._lost_seconds = 0.0
        self._may_lose_seconds = self._may_wait_seconds = pace.max_wait_seconds
        self._refusal: RefusedError | None = None
        self._tip = "" if "(" in user_agent else ", and set BMP_CONTACT"
        self._rests: dict[str, _Rest] = {}
        self._client = httpx.Client(
            transport=transport,
            headers={"User-Agent": user_agent},
            limits=httpx.Limits(max_connections=1),
        )

    def get(self, url: str, params: Mapping[str, str], parse: Callable[[bytes], Answer]) -> Answer:
        """Fetch and parse one answer, trying again while there is time to lose.

        Args:
            parse: turns the body into the answer; its AnswerError counts as a failed try.

        Raises:
            RefusedError: arXiv answered 403, now or before: nothing more is asked of it in this run, by no interface.
            RestingError: its host asks, or asked before, for a longer wait than there is time to lose.
            RejectedError: the host answers, but not this request.
            SourceError: it cannot be had, whatever the number of tries, or the time to lose is spent.
            StopRequested: while waiting.
        """
        attempt, body = 0, None
        while True:
            began = self._wait_for_turn(url)
            try:
                body = self._fetch(url, params)
                return parse(body)
            except _TryAgain as failure:
                reason, asked_wait = failure.reason, failure.wait_seconds
            except AnswerError as failure:
                reason, asked_wait = failure.message, 0.0
            finally:
                self._ended_at = self._monotonic()
            self._lost_seconds += self._monotonic() - began
            try:
                self._back_off(url, reason, asked_wait, attempt)
            except SourceError as error:
                error.answer = body
                raise
            attempt += 1

    @contextmanager
    def patience(self, seconds: float, *, for_waits: bool = True) -> Iterator[None]:
        """Lose no more time than this on what is asked for inside, nor more than is left to the run.

        Args:
            for_waits: waits that the other side asks for count, too.
        """
        kept = self._may_lose_seconds, self._may_wait_seconds
        until = self._lost_seconds + seconds
        self._may_lose_seconds = min(self._may_lose_seconds, until)
        if for_waits:
            self._may_wait_seconds = min(self._may_wait_seconds, until)
        try:
            yield
        finally:
            self._may_lose_seconds, self._may_wait_seconds = kept

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _wait_for_turn(self, url: str) -> float:
        if self._refusal is not None:
            raise self._refusal
        if self._rests and self._monotonic() < (rest := self._rests.get(_host(url), _NO_REST)).until:
            raise RestingError(f"not asked, because of what came before ({rest.message})", rest.hint)
        self._stop.check()
        if self._ended_at is not None:
            self._stop.sleep(self._ended_at + self._pace.delay_seconds - self._monotonic())
        return self._monotonic()

    def _back_off(self, url: str, reason: str, asked_wait: float, attempt: int) -> None:
        """Wait before the next try, or give up: a wait that was asked for is never cut short."""
        left = self._left() if asked_wait <= 0 else self._may_wait_seconds - self._lost_seconds
        first = max(1.0, min(FIRST_BACKOFF_SECONDS, self._pace.delay_seconds))
        backoff = min(LONGEST_BACKOFF_SECONDS, first * 2 ** min(attempt, 10))
        wait = max(asked_wait, min(backoff, max(left, 0.0)))
        if left <= 0 or wait > left:
            asked = f", which asks to wait {asked_wait:.0f} s" if asked_wait > 0 else ""
            kind = RestingError if asked_wait > 0 else SourceError
            error = kind(
                f"{_host(url)}: {reason}{asked}; gave up after {attempt + 1} {'tries' if attempt else 'try'}",
                "the next run goes on from here; BMP_ARXIV_MAX_WAIT_SECONDS says how long a run keeps trying",
            )
            if asked_wait > 0:
                self._rests[_host(url)] = _Rest(self._monotonic() + asked_wait, error.message, error.hint)
            raise error
        self._lost_seconds += wait
        self._stop.sleep(wait)

    def _left(self) -> float:
        return self._may_lose_seconds - self._lost_seconds

    def _fetch(self, url: str, params: Mapping[str, str]) -> bytes:
        silence = min(self._pace.read_timeout_seconds, max(self._left(), SHORTEST_TIMEOUT_SECONDS))
        timeout = httpx.Timeout(min(30.0, silence), read=silence)
        # Half of what may be lost, so that there is time for another try.
        deadline = self._monotonic() + min(LONGEST_ANSWER_SECONDS, max(self._left() / 2, silence))
        request = self._client.stream("GET", url, params=params, timeout=timeout)
        try:
            with self._stop.breakable(), request as response:
                self._judge(url, response)
                return self._read(response, deadline)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise SourceError(f"{clean_line(url)} is not an address: {error}", "mend the setting") from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _TryAgain(clean_line(str(error)) or type(error).__name__) from error

    def _judge(self, url: str, response: httpx.Response) -> None:
        status = response.status_code
        if status == 200:
            return
        if status == 403:
            self._refusal = RefusedError(
                f"{_host(url)} refuses to answer (403)",
                f"no further request was made, a later night tries again; look at https://status.arxiv.org{self._tip}",
            )
            raise self._refusal
        if status in TRY_AGAIN_STATUSES:
            raise _TryAgain(f"answered {status}", self._asked_wait(response.headers.get("Retry-After")))
        if response.has_redirect_location:
            target = clean_line(response.headers.get("Location", ""))[:100]
            raise SourceError(f"{_host(url)} has moved to {target}", "set the address in the settings")
        kind = RejectedError if status in REJECTING_STATUSES else SourceError
        raise kind(f"{_host(url)} answered {status} to {clean_line(str(response.url))[:200]}")

    def _asked_wait(self, header: str | None) -> float:
        """Return the seconds that a Retry-After header asks for: a number, or a date (RFC 9110, 10.2.3)."""
        if header is None:
            return 0.0
        if header.strip().isdecimal():
            return float(header)
        try:
            moment = parsedate_to_datetime(header)
        except (ValueError, OverflowError):
            return 0.0
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, (moment - self._wall_clock()).total_seconds())

    def _read(self, response: httpx.Response, deadline: float) -> bytes:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            self._stop.check()
            if len(body) > MAX_BODY_BYTES:
                raise _TryAgain(f"the answer has more than {MAX_BODY_BYTES // 2**20} MiB")
            if self._monotonic() > deadline:
                raise _TryAgain("the answer came too slowly")
        return bytes(body)


class _TryAgain(Exception):
    """A failure that may pass."""

    def __init__(self, reason: str, wait_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_seconds = wait_seconds


def _host(url: str) -> str:
    return httpx.URL(url).host or clean_line(url)


def user_agent(version: str, contact: str) -> str:
    """Return the name this program goes by, with the address of whom to write to if there is one."""
    name = f"bmprinciples/{version}" + (f" ({clean_line(contact)})" if contact else "")
    return name.encode("ascii", "replace").decode()  # a header has no other letters


POST_TRIES = 3
POST_TIMEOUT_SECONDS = 10.0


def post_json(
    url: str,
    document: object,
    *,
    user_agent: str,
    sleep: Callable[[float], None],
    timeout_seconds: float = POST_TIMEOUT_SECONDS,
    transport: httpx.BaseTransport | None = None,
) -> None:
    """Post a document as JSON, at most three times; no redirect is followed, and the answer's body is not read.

    Args:
        sleep: waits between two tries, for so many seconds.
        timeout_seconds: how long a silent server is waited for in each try.

    Raises:
        SourceError: nobody took it; names no more than the host, for the rest of such an address is a secret.
    """
    headers = {"User-Agent": user_agent}
    with httpx.Client(transport=transport, headers=headers, timeout=httpx.Timeout(timeout_seconds)) as client:
        for attempt in range(POST_TRIES):
            try:
                return _post(client, url, document)
            except _TryAgain as failure:
                if attempt + 1 == POST_TRIES:
                    raise SourceError(f"{_host(url)}: {failure.reason}; gave up after {POST_TRIES} tries") from failure
                sleep(2.0**attempt)


def _post(client: httpx.Client, url: str, document: object) -> None:
    try:
        with client.stream("POST", url, json=document) as response:
            status = response.status_code
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise SourceError(f"that is not an address ({type(error).__name__})") from error
    except httpx.TransportError as error:
        raise _TryAgain(clean_line(str(error)) or type(error).__name__) from error
    if status in TRY_AGAIN_STATUSES:
        raise _TryAgain(f"answered {status}")
    if not 200 <= status < 300:
        raise SourceError(f"{_host(url)} answered {status}")
