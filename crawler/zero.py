"""Whether it is normal that a night found nothing: what arXiv announced since the night before it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

from crawler.announcements import Expectation, expect
from crawler.slots import GOOD_ENDS, list_full_nights
from db.runs import list_runs
from db.store import Row, Store
from db.times import from_text


def judge_zero(store: Store, run: Row, *, holidays: Collection[date], first_night_days: int) -> Expectation:
    """Return what a night could have found.

    Args:
        run: the night's ledger row.
        holidays: days without announcement, beside arXiv's usual ones.
        first_night_days: how far back the first night looks.
    """
    started_at = from_text(run["started_at"])
    before = _find_night_before(store, run)
    since = from_text(before["started_at"]) if before else started_at - timedelta(days=first_night_days)
    return expect(since, started_at, holidays)


def _find_night_before(store: Store, run: Row) -> Row | None:
    """Return the newest earlier night that ended well or, though it did not, took papers that `run` then lacked."""
    earlier = (
        one
        for one in list_full_nights(list_runs(store, kind=run["kind"]), from_text(run["started_at"]), run["categories"])
        if one["run_id"] < run["run_id"]
    )
    return next((one for one in earlier if one["status"] in GOOD_ENDS or one["new"] + one["changed"] > 0), None)
