"""Runs a night every day. When one is due is read from the ledger, never from the scheduler's memory."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.blocking import BlockingScheduler

from crawler.control import Stop
from crawler.slots import GOOD_ENDS, latest_slot
from db.store import Row
from db.times import Clock, from_text, now_utc

HEARTBEAT = timedelta(minutes=5)  # a sleeping host oversleeps its timer; the heartbeat asks the ledger
RETRY_AFTER = timedelta(hours=1)  # after a night that failed or was partial
RETRIES_A_DAY = 3

log = logging.getLogger("bmp.schedule")


def is_due(runs: list[Row], now: datetime, at: str) -> bool:
    """Tell whether a night is due: none since the last slot came to a good end, and failures are not tried too often.

    A night that arXiv refused (403) is the last of its slot: more requests "will be interpreted as an attack"
    (https://info.arxiv.org/help/robots.html). A row that says `running` counts as a failure: its process may have been
    killed. If it is alive after all, the night's lock says so.

    Args:
        runs: ledger rows of the nights that can stand for a slot (`list_full_nights`), newest first.
    """
    slot = latest_slot(now, at)
    since = [run for run in runs if from_text(run["started_at"]) >= slot]
    if any(run["status"] in GOOD_ENDS or run.get("refused") for run in since):
        return False
    if not since:
        return True
    rested = now - from_text(since[0]["started_at"]) >= RETRY_AFTER
    return rested and len(since) <= RETRIES_A_DAY


def run_schedule(
    *,
    at: str,
    clock: Clock,
    list_nights: Callable[[], list[Row]],
    run_night: Callable[[], None],
    stop: Stop,
) -> None:
    """Run a night whenever one is due, until SIGTERM or SIGINT; a night at work then ends at its next safe place.

    Args:
        at: the time of day in UTC, HH:MM: UTC has no hour that comes twice or never.
        list_nights: reads the ledger; called in this thread.
        run_night: runs one night; called in this thread, where a signal can break off its wait on the network.
    """
    scheduler = BlockingScheduler(
        timezone=UTC,
        executors={"default": DebugExecutor()},  # the one that runs a job in the scheduler's own thread
        job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
    )

    def run_if_due() -> None:
        if not stop.is_requested and is_due(list_nights(), clock(), at):
            run_night()

    hours, minutes = at.split(":")
    # Both jobs ask the ledger, so that two triggers are not two nights. APScheduler goes by the system's clock.
    scheduler.add_job(run_if_due, "cron", hour=int(hours), minute=int(minutes), id="nightly")
    scheduler.add_job(
        run_if_due, "interval", seconds=HEARTBEAT.total_seconds(), id="heartbeat", next_run_time=now_utc()
    )
    scheduler.add_listener(_tell, EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
    previous = _stop_on_signals(scheduler, stop)
    try:
        scheduler.start()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _stop_on_signals(scheduler: BlockingScheduler, stop: Stop) -> dict[int, Any]:
    def on_signal(number: int, frame: object) -> None:
        if not stop.is_requested:
            # Not in the handler: this very thread may hold the scheduler's own lock.
            threading.Thread(target=scheduler.shutdown, kwargs={"wait": True}).start()
        stop.on_signal(number, frame)

    return {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}


def _tell(event: JobEvent) -> None:
    if event.code == EVENT_JOB_ERROR:
        log.error("a night ended with an error: %s", event.exception)
    elif event.code == EVENT_JOB_MISSED:
        log.error("a night was missed at %s", event.scheduled_run_time)
    else:
        log.warning("a night is still at work; the next one waits")
