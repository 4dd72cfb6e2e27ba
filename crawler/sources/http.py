"""The one door to the network: a single polite connection that waits, tries again, and knows when to give up.

arXiv asks for at most one request every three seconds over one connection, for all its interfaces together
(https://info.arxiv.org/help/api/tou.html), and takes requests after a 403 for an attack (robots.txt).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx

from crawler.control import Stop
from db.errors import AnswerError, RefusedError, SourceError
from db.text import clean_line

Answer = TypeVar("Answer")

MAX_BODY_BYTES = 64 * 1024 * 1024  # a full page of 2,500 records has about 6 MB
LONGEST_ANSWER_SECONDS = 600.0
FIRST_BACKOFF_SECONDS = 3.0
LONGEST_BACKOFF_SECONDS = 300.0
TRY_AGAIN_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Pace:
    """How the client treats the other side; all in seconds.

    Attributes:
        delay_seconds: the least time between the end of one request and the start of the next.
        max_wait_seconds: how much time in all a run may lose on an endpoint that fails.
        read_timeout_seconds: how long a silent connection is waited for.
    """

    delay_seconds: float
    max_wait_seconds: float
    read_timeout_seconds: float


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
        self._client = httpx.Client(
            transport=transport,
            headers={"User-Agent": user_agent},
            timeout=httpx.Timeout(min(30.0, pace.read_timeout_seconds), read=pace.read_timeout_seconds),
            limits=httpx.Limits(max_connections=1),
        )

    def get(self, url: str, params: Mapping[str, str], parse: Callable[[bytes], Answer]) -> Answer:
        """Fetch and parse one answer, trying again while there is time to lose.

        Args:
            parse: turns the body into the answer; its AnswerError counts as a failed try.

        Raises:
            RefusedError: the other side answered 403; nothing more may be asked of it in this run.
            SourceError: it cannot be had, whatever the number of tries, or the time to lose is spent.
            StopRequested: while waiting.
        """
        attempt = 0
        while True:
            began = self._wait_for_turn()
            try:
                return parse(self._fetch(url, params))
            except _TryAgain as failure:
                reason, asked_wait = failure.reason, failure.wait_seconds
            except AnswerError as failure:
                reason, asked_wait = failure.message, 0.0
            finally:
                self._ended_at = self._monotonic()
            self._lost_seconds += self._monotonic() - began
            self._back_off(url, reason, asked_wait, attempt)
            attempt += 1

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _wait_for_turn(self) -> float:
        self._stop.check()
        if self._ended_at is not None:
            self._stop.sleep(self._ended_at + self._pace.delay_seconds - self._monotonic())
        return self._monotonic()

    def _back_off(self, url: str, reason: str, asked_wait: float, attempt: int) -> None:
        """Wait before the next try, or give up: a wait that was asked for is never cut short."""
        left = self._pace.max_wait_seconds - self._lost_seconds
        first = max(1.0, min(FIRST_BACKOFF_SECONDS, self._pace.delay_seconds))
        backoff = min(LONGEST_BACKOFF_SECONDS, first * 2 ** min(attempt, 10))
        wait = max(asked_wait, min(backoff, max(left, 0.0)))
        if left <= 0 or wait > left:
            asked = f", which asks to wait {asked_wait:.0f} s" if asked_wait > 0 else ""
            raise SourceError(
                f"{_host(url)}: {reason}{asked}; gave up after {attempt + 1} tries",
                "the next run goes on from here; BMP_ARXIV_MAX_WAIT_SECONDS says how long a run keeps trying",
            )
        self._lost_seconds += wait
        self._stop.sleep(wait)

    def _fetch(self, url: str, params: Mapping[str, str]) -> bytes:
        deadline = self._monotonic() + self._longest_answer()
        try:
            with self._stop.breakable(), self._client.stream("GET", url, params=params) as response:
                self._judge(url, response)
                return self._read(response, deadline)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise SourceError(f"{clean_line(url)} is not an address: {error}", "mend the setting") from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _TryAgain(clean_line(str(error)) or type(error).__name__) from error

    def _longest_answer(self) -> float:
        """Return how long an answer may take: half of what may be lost, so that there is time for another try."""
        left = self._pace.max_wait_seconds - self._lost_seconds
        return min(LONGEST_ANSWER_SECONDS, max(left / 2, self._pace.read_timeout_seconds))

    def _judge(self, url: str, response: httpx.Response) -> None:
        status = response.status_code
        if status == 200:
            return
        if status == 403:
            raise RefusedError(
                f"{_host(url)} refuses to answer (403)",
                "no further request was made; set BMP_CONTACT, and look at https://status.arxiv.org first",
            )
        if status in TRY_AGAIN_STATUSES:
            raise _TryAgain(f"answered {status}", self._asked_wait(response.headers.get("Retry-After")))
        if response.has_redirect_location:
            target = clean_line(response.headers.get("Location", ""))[:100]
            raise SourceError(f"{_host(url)} has moved to {target}", "set the address in the settings")
        raise SourceError(f"{_host(url)} answered {status} to {clean_line(str(response.url))[:200]}")

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
