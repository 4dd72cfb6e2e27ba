"""What moved: what differs in the evidence and the catalogue between two moments, told move by move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any

from curation.evidence import Evidence, load_past_evidence
from db.decisions import SYSTEM_REVIEWER
from db.records import ChangeKind, Maturity, Status
from db.store import Row, Store
from db.text import clean_line, clean_paragraphs
from db.upkeep import list_changes

OPEN_END = "~"  # after all moments, as text
_RANKS = (Maturity.CONTESTED, Maturity.OBSERVED, Maturity.REPLICATED, Maturity.ESTABLISHED)
_WORDING = ("aspect", "group", "title", "statement", "keywords", "references", "criteria")


class MoveKind(StrEnum):
    """How the knowledge moved; in the order in which a reader wants to know."""

    PROMOTED = "promoted"
    DEMOTED = "demoted"
    WITHDRAWN = "withdrawn"
    REOPENED = "re-opened"
    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    NEW = "new entry"
    REWORDED = "reworded"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Move:
    """One thing that is otherwise at the end of a span than at its beginning.

    Attributes:
        phenomenon: the code of the entry that it is about.
        title: its title at the end of the span.
        at: when it came to be so, as text.
        by: who did it.
        evidence: the paper that it is about, as it stands at the end; as it stood before where it was removed; None
            where the entry itself moved.
        before: the maturity, stance or claim before, where that is what moved.
        after: the same at the end; of a retired entry the codes that took its place.
    """

    kind: MoveKind
    phenomenon: str
    title: str
    at: str
    by: str
    evidence: Evidence | None = None
    before: str | None = None
    after: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Moves:
    """What moved from `since` on until before `until`, both as text; by kind, then time.

    `loaded` counts the entries that the program's own catalogue brought.
    """

    since: str
    until: str
    moves: tuple[Move, ...]
    loaded: int = 0

    def of(self, kind: MoveKind) -> tuple[Move, ...]:
        """Return the moves of one kind."""
        return tuple(move for move in self.moves if move.kind is kind)


def find_moves(store: Store, *, since: str, until: str) -> Moves:
    """Return what differs between two moments: what was done and taken back between them is not told."""
    changes = list_changes(store, since=since, until=until)
    moves = [*_evidence_moves(store, since, until), *_entry_moves(changes)]
    order = list(MoveKind)
    moves.sort(key=lambda move: (order.index(move.kind), move.at, move.phenomenon, _paper(move)))
    loaded = {row["code"] for row in changes if row["before"] is None and row["kind"] == ChangeKind.LOAD}
    return Moves(since, until, tuple(moves), len(loaded))


def list_months(store: Store) -> list[Moves]:
    """Return what moved in each month in which anything did, the newest first."""
    months = store.rows(
        "SELECT substr(decided_at, 1, 7) AS month FROM decisions"
        " UNION SELECT substr(changed_at, 1, 7) FROM catalogue_changes ORDER BY month DESC"
    )
    found = (find_moves(store, since=f"{row['month']}-01", until=_next_month(row["month"])) for row in months)
    return [moves for moves in found if moves.moves or moves.loaded]


def _next_month(month: str) -> str:
    first = date.fromisoformat(f"{month}-01")
    if month >= "9999-12":  # the calendar's last
        return OPEN_END
    return date(first.year + first.month // 12, first.month % 12 + 1, 1).isoformat()


def _paper(move: Move) -> str:
    return move.evidence.arxiv_id if move.evidence else ""


def _evidence_moves(store: Store, since: str, until: str) -> Iterator[Move]:
    """Yield what moved with papers. An entry that is retired at the end takes along all that it rested on, untold."""
    touched = [row["candidate_id"] for row in store.rows(_TOUCHED, {"since": since, "until": until})]
    before, after = (
        {(piece.phenomenon, piece.arxiv_id): piece for piece in load_past_evidence(store, touched, moment)}
        for moment in (since, until)
    )
    titles = {row["code"]: clean_line(row["title"]) for row in store.rows("SELECT code, title FROM phenomena")}
    for key in before.keys() | after.keys():
        if move := _compare(store, before.get(key), after.get(key), titles[key[0]], until):
            yield _date_within(store, move, since, until)


# The candidates with an event in a span; none other can stand otherwise at its end.
_TOUCHED = """
    SELECT DISTINCT d.candidate_id FROM decisions d JOIN candidates c USING (candidate_id)
    WHERE d.decided_at >= :since AND d.decided_at < :until AND c.phenomenon_code NOT IN (
        SELECT code FROM catalogue_changes WHERE changed_at < :until AND json_extract(after, '$.retired'))
"""


def _compare(store: Store, old: Evidence | None, new: Evidence | None, title: str, until: str) -> Move | None:
    if new is None:
        assert old is not None  # it was found before or after
        event = _newest_event(store, old, until)
        note = clean_paragraphs(event["note"] or "") or None
        by = clean_line(event["reviewer"])
        return Move(MoveKind.REMOVED, old.phenomenon, title, event["decided_at"], by, old, note=note)
    if new.status is Status.REOPENED:
        if old and old.status is Status.REOPENED:
            return None
        kind = MoveKind.WITHDRAWN if new.by_withdrawal else MoveKind.REOPENED
        return Move(kind, new.phenomenon, title, new.reopened_at or "", SYSTEM_REVIEWER, new, note=new.reason)
    if old is None:
        return Move(MoveKind.ADDED, new.phenomenon, title, new.decided_at, new.reviewer, new, note=new.note)
    if not _differ(old, new):
        return None
    told = {"before": _tell_stance(old), "after": _tell_stance(new), "note": new.note}
    return Move(MoveKind.CHANGED, new.phenomenon, title, new.decided_at, new.reviewer, new, **told)


def _date_within(store: Store, move: Move, since: str, until: str) -> Move:
    """Return a move with the day on which it came to be so: an undo brings back what was decided long before."""
    assert move.evidence is not None  # it is one of a paper
    if move.at >= since:
        return move
    event = _newest_event(store, move.evidence, until)
    return replace(move, at=event["decided_at"], by=clean_line(event["reviewer"]))


def _differ(old: Evidence, new: Evidence) -> bool:
    told = [(one.status, one.stance, one.version, one.sentence) for one in (old, new)]
    return told[0] != told[1]


def _tell_stance(piece: Evidence) -> str:
    reopened = ", re-opened" if piece.status is Status.REOPENED else ""
    return f"{piece.stance.value} (v{piece.version}{reopened})"


def _newest_event(store: Store, piece: Evidence, until: str) -> Row:
    event = store.row(
        "SELECT d.* FROM decisions d JOIN candidates c USING (candidate_id)"
        " WHERE (c.arxiv_id, c.phenomenon_code) = (?, ?) AND d.decided_at < ? AND d.kind <> 'reopen'"
        " ORDER BY d.decided_at DESC, d.place DESC LIMIT 1",
        (piece.arxiv_id, piece.phenomenon, until),
    )
    assert event is not None  # it was accepted once
    return event


def _entry_moves(changes: list[Row]) -> Iterator[Move]:
    """Yield what is otherwise with entries after these changes, given oldest first."""
    by_code: dict[str, list[Row]] = {}
    for row in changes:
        by_code.setdefault(row["code"], []).append(row)
    for code, rows in by_code.items():
        before, after = rows[0]["before"], rows[-1]["after"]
        if before is None:
            if rows[0]["kind"] == ChangeKind.LOAD:
                before = rows[0]["after"]  # what the program brought is no news; what was done with it is
            else:
                yield _entry_move(MoveKind.NEW, code, rows, after=after["statement"])
                continue
        yield from _compare_entries(code, rows, before, after)


def _compare_entries(code: str, rows: list[Row], before: dict[str, Any], after: dict[str, Any]) -> Iterator[Move]:
    if after["retired"] and not before["retired"]:
        yield _entry_move(MoveKind.RETIRED, code, rows, after=", ".join(after["superseded_by"]))
    if after["maturity"] != before["maturity"]:
        old, new = (_RANKS.index(Maturity(one["maturity"])) for one in (before, after))
        kind = MoveKind.PROMOTED if new > old else MoveKind.DEMOTED
        steps = [row for row in rows if row["before"] and row["before"]["maturity"] != row["after"]["maturity"]]
        yield _entry_move(kind, code, steps or rows, before=before["maturity"], after=after["maturity"])
    if any(before[name] != after[name] for name in _WORDING):
        was, now = _tell_claim(before), _tell_claim(after)
        claim = {"before": was, "after": now} if was != now else {}  # else only what stands around the claim changed
        yield _entry_move(MoveKind.REWORDED, code, rows, **claim)


def _tell_claim(entry: dict[str, Any]) -> str:
    return f"{entry['title']}: {entry['statement']}"


def _entry_move(
    kind: MoveKind, code: str, rows: list[Row], *, before: str | None = None, after: str | None = None
) -> Move:
    newest = rows[-1]
    texts = [None if text is None else clean_line(text) for text in (before, after)]
    return Move(
        kind, code, clean_line(newest["after"]["title"]), newest["changed_at"], clean_line(newest["author"]),
        before=texts[0], after=texts[1], note=clean_paragraphs(newest["note"] or "") or None,
    )  # fmt: skip
