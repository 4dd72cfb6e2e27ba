"""How a session goes: what was decided, and how fast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from curation.review import Decision

PAUSE_SECONDS = 300.0  # who does nothing for longer is away, and that time does not count


class Progress:
    """Counts the decisions of a session and the time spent on them.

    Args:
        clock: tells the seconds, from any moment on.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = clock()
        self.seconds = 0.0
        self.made: Counter[str] = Counter()
        self.taken_back = 0

    def count(self, decision: Decision) -> None:
        """Count a decision."""
        self._pass_time()
        self.made[decision.stance or decision.verdict] += 1

    def take_back(self, decision: Decision) -> None:
        """Count a decision as taken back; one of an earlier session was not counted as made."""
        self._pass_time()
        name = decision.stance or decision.verdict
        if self.made[name]:
            self.made[name] -= 1
            self.taken_back += 1

    @property
    def rate(self) -> float | None:
        """Return how many decisions a minute were made; None before there are enough to tell."""
        total = self.made.total() + self.taken_back
        return total * 60 / self.seconds if total >= 3 and self.seconds > 0 else None

    def _pass_time(self) -> None:
        now = self._clock()
        if now - self._last <= PAUSE_SECONDS:
            self.seconds += now - self._last
        self._last = now
