"""When nights run: the slots of the day, and what counts as a good end."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

from db.records import RunStatus
from db.store import Row
from db.times import from_text

GOOD_ENDS = (RunStatus.COMPLETE, RunStatus.QUIET)  # after one of these, the slot needs no other night


def latest_slot(now: datetime, at: str) -> datetime:
    """Return the last moment, not after `now`, at which the clock in UTC showed `at` (HH:MM)."""
    hours, minutes = (int(part) for part in at.split(":"))
    slot = now.astimezone(UTC).replace(hour=hours, minute=minutes, second=0, microsecond=0)
    return slot if slot <= now else slot - timedelta(days=1)


def next_slot(now: datetime, at: str) -> datetime:
    """Return the next moment after `now` at which the clock in UTC shows `at` (HH:MM)."""
    return latest_slot(now, at) + timedelta(days=1)


def list_full_nights(runs: Iterable[Row], now: datetime, categories: Collection[str]) -> list[Row]:
    """Return the nights, in the order given, that can stand for a slot.

    Left out are those that a clock ahead of `now` dated, and those that kept papers of fewer categories.
    """
    return [run for run in runs if from_text(run["started_at"]) <= now and set(categories) <= set(run["categories"])]
