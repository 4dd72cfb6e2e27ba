"""Carrying evidence along: what was accepted for one phenomenon becomes, decision by decision, another one's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from db.candidates import add_candidate, require_candidate
from db.conflicts import list_conflicts
from db.decisions import EFFECTIVE_DECISIONS, STANDING_ACCEPTANCES, append_carried, find_effective
from db.phenomena import find_successors, list_phenomena
from db.records import Phenomenon
from db.store import Row, Store


@dataclass(frozen=True, slots=True)
class Carried:
    """What came of it.

    Attributes:
        accepted: how many acceptances were made there.
        known: how many papers were accepted there already, with the same stance, or carried and taken back.
        differing: papers that were decided otherwise there; that decision stays.
    """

    accepted: int
    known: int
    differing: tuple[str, ...]


def list_acceptances(store: Store, phenomenon: str) -> list[Row]:
    """Return the acceptances that a phenomenon's evidence rests on, re-opened ones too.

    Each is a row of `decisions` with `arxiv_id` and `reopened_for`, None where it stands.
    """
    return store.rows(
        "SELECT a.*, c.arxiv_id, CASE s.kind WHEN 'reopen' THEN s.reason END AS reopened_for"
        f" FROM ({STANDING_ACCEPTANCES}) s JOIN decisions a ON a.decision_id = s.acceptance_id"
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


def list_disputed(store: Store, phenomenon: str) -> set[str]:
    """Return the papers that were decided differently side by side for a phenomenon, and not settled since."""
    sides = json.dumps(list(list_conflicts(store)))
    rows = store.rows(
        "SELECT arxiv_id FROM candidates"
        " WHERE phenomenon_code = ? AND candidate_id IN (SELECT value FROM json_each(?))",
        (phenomenon, sides),
    )
    return {row["arxiv_id"] for row in rows}


# A verdict in force on the retired entry `:code` that is newer than all that was decided on its paper for the entries
# that took its place, and says something else than what is in force there.
_STRANDED = f"""
    SELECT c.arxiv_id, d.kind, d.stance, d.decided_at, t.kind AS there, t.stance AS there_stance, (
        SELECT max(n.decided_at) FROM decisions n JOIN candidates nc USING (candidate_id)
        WHERE nc.arxiv_id = c.arxiv_id AND nc.phenomenon_code IN (SELECT value FROM json_each(:successors))
    ) AS newest_there
    FROM candidates c JOIN ({EFFECTIVE_DECISIONS}) e USING (candidate_id) JOIN decisions d USING (decision_id)
    LEFT JOIN candidates o ON o.arxiv_id = c.arxiv_id
        AND o.phenomenon_code IN (SELECT value FROM json_each(:successors))
    LEFT JOIN ({EFFECTIVE_DECISIONS}) te ON te.candidate_id = o.candidate_id
    LEFT JOIN decisions t ON t.decision_id = te.decision_id
    WHERE c.phenomenon_code = :code AND d.kind IN ('accept', 'reject')
"""


def find_stranded(store: Store) -> dict[str, tuple[str, ...]]:
    """Return by retired entry the papers whose decision there came after all on them for what took its place.

    They are seen nowhere: a merge of databases or an import brings such decisions. A rejection counts where the paper
    is accepted for a successor, an acceptance where it is accepted for none with that stance.
    """
    found = {}
    for one in list_phenomena(store, retired=True):
        successors = json.dumps(sorted(find_successors(store, one.code)))
        papers: dict[str, list[Row]] = {}
        for row in store.rows(_STRANDED, {"code": one.code, "successors": successors}):
            papers.setdefault(row["arxiv_id"], []).append(row)
        if stranded := tuple(paper for paper, rows in papers.items() if _is_stranded(rows)):
            found[one.code] = stranded
    return found


def _is_stranded(rows: Sequence[Row]) -> bool:
    own = rows[0]
    if own["newest_there"] is not None and own["newest_there"] >= own["decided_at"]:
        return False
    accepted = [row["there_stance"] for row in rows if row["there"] == "accept"]
    return bool(accepted) if own["kind"] == "reject" else own["stance"] not in accepted


def carry_acceptances(
    store: Store, acceptances: Sequence[Row], source: Phenomenon, target: str, *, reviewer: str, now: str
) -> Carried:
    """Accept for another phenomenon what was accepted for `source`. Runs inside a transaction.

    Each is a decision of its own, by who carries it, on the revision, stance and sentence of the first; its note says
    whose that was. Where the paper was decided already, that decision stays; what was carried and taken back is not
    carried again.
    """
    accepted = known = 0
    differing = []
    for one in acceptances:
        candidate_id = require_candidate(store, one["arxiv_id"], target, now=now)
        there, origin = find_effective(store, candidate_id), _tell_origin(one, source)
        carried = _was_carried(store, candidate_id, origin)
        if there is None and not carried:
            append_carried(store, candidate_id, one, note=origin, reviewer=reviewer, now=now)
            accepted += 1
        elif there is None or _says(there, one["stance"]) or (there["kind"] == "reopen" and carried):
            known += 1
        else:
            differing.append(one["arxiv_id"])
    return Carried(accepted, known, tuple(differing))


def _says(decision: Row, stance: str) -> bool:
    return (decision["kind"], decision["stance"]) == ("accept", stance)


def _was_carried(store: Store, candidate_id: int, origin: str) -> bool:
    found = store.value(
        "SELECT 1 FROM decisions WHERE candidate_id = ? AND kind = 'accept' AND note = ?", (candidate_id, origin)
    )
    return found is not None


def queue_open(store: Store, arxiv_ids: Sequence[str], target: str, *, now: str) -> int:
    """Queue papers for another phenomenon and return how many wait there that did not. Runs inside a transaction."""
    return sum(add_candidate(store, one, target, now=now) for one in arxiv_ids)


def _tell_origin(acceptance: Row, source: Phenomenon) -> str:
    told = f"carried along from {source.code} ({source.title}), accepted there by {acceptance['reviewer']} on"
    line = f"{told} {acceptance['decided_at'][:10]}"
    return f"{acceptance['note']}\n{line}" if acceptance["note"] else line
