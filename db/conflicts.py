"""Conflicts: what two reviewers decided side by side, neither seeing the other's decision, and decided differently."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from db.store import Row, Store

# Candidates whose history went apart: more than one event that no other follows.
_APART = """
    SELECT candidate_id FROM decisions d WHERE d.event_id NOT IN (
        SELECT j.value FROM decisions f, json_each(f.follows) j WHERE f.candidate_id = d.candidate_id)
    GROUP BY candidate_id HAVING count(*) > 1
"""


def list_conflicts(store: Store) -> dict[int, list[Row]]:
    """Return the sides of every conflict, by candidate: the decision that each line of events comes to, newest first.

    Lines that come to the same kind, stance and day are in no conflict; nor is one that comes to nothing, or to a
    re-opening, which waits for a new decision anyway.
    """
    return _find_conflicts(
        store.rows(
            f"SELECT * FROM decisions WHERE candidate_id IN ({_APART}) ORDER BY candidate_id, place",
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
    """Return the decisions that the lines of one candidate's events come to, if they differ; the log goes by place."""
    parents = {event["event_id"]: json.loads(event["follows"]) for event in log}
    followed = {parent for those in parents.values() for parent in those}
    undone = {event["undoes"] for event in log}
    sides: dict[tuple[str, str | None, str | None], Row] = {}
    for head in (event for event in reversed(log) if event["event_id"] not in followed):
        line = _ancestors(head["event_id"], parents)
        standing = (
            event
            for event in reversed(log)
            if event["event_id"] in line and event["kind"] != "undo" and event["decision_id"] not in undone
        )
        side = next(standing, None)
        if side is not None and side["kind"] != "reopen":
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
