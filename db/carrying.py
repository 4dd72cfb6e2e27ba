"""Carrying evidence along: what was accepted for one phenomenon becomes, decision by decision, another one's."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from db.candidates import add_candidate, require_candidate
from db.decisions import EFFECTIVE_DECISIONS, STANDING_ACCEPTANCES, append_carried, find_effective
from db.phenomena import find_successors, list_phenomena
from db.records import Phenomenon
from db.store import Row, Store


@dataclass(frozen=True, slots=True)
class Carried:
    """What came of it.

    Attributes:
        accepted: how many acceptances were made there.
        known: how many papers were accepted there already, with the same stance.
        differing: papers that were decided otherwise there; that decision stays.
    """

    accepted: int
    known: int
    differing: tuple[str, ...]


def list_acceptances(store: Store, phenomenon: str) -> list[Row]:
    """Return the acceptances that a phenomenon's evidence rests on, re-opened ones too, each with its `arxiv_id`."""
    return store.rows(
        f"SELECT a.*, c.arxiv_id FROM ({STANDING_ACCEPTANCES}) s JOIN decisions a ON a.decision_id = s.acceptance_id"
        " JOIN candidates c ON c.candidate_id = s.candidate_id WHERE c.phenomenon_code = ? ORDER BY a.decision_id",
        (phenomenon,),
    )


def list_open(store: Store, phenomenon: str) -> list[str]:
    """Return the papers that wait for a phenomenon: not decided, put aside, or snoozed."""
    rows = store.rows(
        f"SELECT c.arxiv_id FROM candidates c LEFT JOIN ({EFFECTIVE_DECISIONS}) e USING (candidate_id)"
        " LEFT JOIN decisions d USING (decision_id)"
        " WHERE c.phenomenon_code = ? AND (d.kind IS NULL OR d.kind IN ('maybe', 'snooze')) ORDER BY c.candidate_id",
        (phenomenon,),
    )
    return [row["arxiv_id"] for row in rows]


def find_stranded(store: Store) -> dict[str, int]:
    """Return by retired entry how many papers are accepted there and stand in the queue of none that took its place.

    A merge of databases brings such decisions, if the entry was retired here only.
    """
    found = {}
    for one in list_phenomena(store, retired=True):
        successors = find_successors(store, one.code)
        papers = {row["arxiv_id"] for row in list_acceptances(store, one.code)}
        for code in successors:
            papers -= {row["arxiv_id"] for row in store.rows(_KNOWN, (code,))}
        if papers:
            found[one.code] = len(papers)
    return found


# The papers that stand in the queue of an entry, decided or not.
_KNOWN = "SELECT arxiv_id FROM candidates WHERE phenomenon_code = ?"


def carry_acceptances(
    store: Store, acceptances: Sequence[Row], source: Phenomenon, target: str, *, reviewer: str, now: str
) -> Carried:
    """Accept for another phenomenon what was accepted for `source`. Runs inside a transaction.

    Each is a decision of its own, by who carries it, on the revision, stance and sentence of the first; its note says
    whose that was. Where the paper was decided already, that decision stays. Doing it again adds nothing.
    """
    accepted = known = 0
    differing = []
    for one in acceptances:
        candidate_id = require_candidate(store, one["arxiv_id"], target, now=now)
        there = find_effective(store, candidate_id)
        if there is None:
            append_carried(store, candidate_id, one, note=_tell_origin(one, source), reviewer=reviewer, now=now)
            accepted += 1
        elif there["kind"] == "reopen" or (there["kind"], there["stance"]) == (one["kind"], one["stance"]):
            known += 1
        else:
            differing.append(one["arxiv_id"])
    return Carried(accepted, known, tuple(differing))


def queue_open(store: Store, arxiv_ids: Sequence[str], target: str, *, now: str, but: Container[str] = ()) -> int:
    """Queue papers for another phenomenon and return how many wait there that did not. Runs inside a transaction."""
    return sum(add_candidate(store, one, target, now=now) for one in arxiv_ids if one not in but)


def _tell_origin(acceptance: Row, source: Phenomenon) -> str:
    told = f"carried along from {source.code} ({source.title}), accepted there by {acceptance['reviewer']} on"
    line = f"{told} {acceptance['decided_at'][:10]}"
    return f"{acceptance['note']}\n{line}" if acceptance["note"] else line
