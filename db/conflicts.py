"""Conflicts: what was decided side by side, neither in view of the other decision, and decided differently."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from db.store import Row, Store

# Candidates that were decided more than once: only there can a conflict be.
_DECIDED_TWICE = """
    SELECT candidate_id FROM decisions WHERE kind NOT IN ('undo', 'reopen') GROUP BY candidate_id HAVING count(*) > 1
"""


def list_conflicts(store: Store) -> dict[int, list[Row]]:
    """Return the sides of every conflict, by candidate: decisions that were made side by side and differ, newest first.

    What has the same kind, stance and day is in no conflict; nor is a re-opening, which waits for a decision anyway.
    """
    return _find_conflicts(
        store.rows(
            f"SELECT * FROM decisions WHERE candidate_id IN ({_DECIDED_TWICE}) ORDER BY candidate_id, place",
        )
    )


def list_sides(store: Store, candidate_id: int) -> list[Row]:
    """Return the sides of a candidate's conflict, newest first; none where there is no conflict."""
    rows = store.rows("SELECT * FROM decisions WHERE candidate_id = ? ORDER BY place", (candidate_id,))
    return _find_conflicts(rows).get(candidate_id, [])


def _find_conflicts(events: Iterable[Row]) -> dict[int, list[Row]]:
    logs: defaultdict[int, list[Row]] = defaultdict(list)
    for event in events:
        logs[event["candidate_id"]].append(event)
    found = {candidate_id: _find_sides(log) for candidate_id, log in logs.items()}
    return {candidate_id: sides for candidate_id, sides in found.items() if len(sides) > 1}


def _find_sides(log: Sequence[Row]) -> list[Row]:
    """Return the decisions of one candidate that nothing in force follows, if they differ; the log goes by place.

    What was taken back is passed through: an undo settles nothing.
    """
    parents = {event["event_id"]: json.loads(event["follows"]) for event in log}
    undone = {event["undoes"] for event in log}
    live = [event for event in log if event["kind"] != "undo" and event["decision_id"] not in undone]
    followed = {one for event in live for one in _ancestors(event["event_id"], parents) - {event["event_id"]}}
    sides: dict[tuple[str, str | None, str | None], Row] = {}
    for side in reversed(live):
        if side["event_id"] not in followed and side["kind"] != "reopen":
            sides.setdefault((side["kind"], side["stance"], side["until"]), side)
    return list(sides.values())


def _ancestors(event_id: str, parents: Mapping[str, Sequence[str]]) -> set[str]:
    """Return an event with all that it follows, from near or far."""
    found: set[str] = set()
    waiting = [event_id]
    while waiting:
        one = waiting.pop()
        if one in parents and one not in found:
            found.add(one)
            waiting.extend(parents[one])
    return found
