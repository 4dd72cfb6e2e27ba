"""When nights run: the slots of the day, and what counts as a good end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from db.records import RunStatus

GOOD_ENDS = (RunStatus.COMPLETE, RunStatus.QUIET)  # after one of these, the slot needs no other night


def latest_slot(now: datetime, at: str) -> datetime:
    """Return the last moment, not after `now`, at which the clock in UTC showed `at` (HH:MM)."""
    hours, minutes = (int(part) for part in at.split(":"))
    slot = now.astimezone(UTC).replace(hour=hours, minute=minutes, second=0, microsecond=0)
    return slot if slot <= now else slot - timedelta(days=1)


def next_slot(now: datetime, at: str) -> datetime:
    """Return the next moment after `now` at which the clock in UTC shows `at` (HH:MM)."""
    return latest_slot(now, at) + timedelta(days=1)
