"""Moments as text: aware UTC, to the second, so that their order as text is their order in time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

from db.errors import UsageError

Clock = Callable[[], datetime]


def now_utc() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)


def to_text(moment: datetime) -> str:
    """Return an aware moment as `2026-11-24T06:30:00Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def from_text(text: str) -> datetime:
    """Read what `to_text` wrote."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def require_date(text: str) -> date:
    """Read a date written as 2026-11-24.

    Raises:
        UsageError: the text is not such a date.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"'{text[:40]}' is not a date", "write it as 2026-11-24") from None
