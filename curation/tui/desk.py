"""What lies before the reviewer: the waiting papers, the one that is open, and what was decided in this session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from curation.review import Decision, Review, undone_event
from db.errors import DecisionError
from db.records import Stance, Verdict
from db.store import Row


class Desk:
    """A reviewer's session on the queue. It knows no screen.

    Attributes:
        rows: the candidates in view, best first: those that wait, less what the filter hides.
        index: which of them is open.
        words: what the filter asks for; empty for no filter.
        notes: notes written but not yet kept, by candidate; each goes with the next decision on its candidate.
        decided: the candidates decided in this session and not taken back.
        undone: what was taken back in this session and can be done again, the newest last.
        hides_scores: whether papers drawn at random wait among the others, so that no score is to be seen.
    """

    def __init__(self, review: Review, *, phenomenon: str | None = None) -> None:
        self._review = review
        self._waiting: list[Row] = []
        self.phenomenon = phenomenon
        self.rows: list[Row] = []
        self.index = 0
        self.words = ""
        self.notes: dict[int, str] = {}
        self.decided: list[int] = []
        self.undone: list[tuple[Row, Decision]] = []
        self.hides_scores = False

    @property
    def reviewer(self) -> str:
        """Return whose desk it is."""
        return self._review.reviewer

    @property
    def chosen(self) -> Row | None:
        """Return the row that is open, as the queue gave it, or None if nothing is in view."""
        return self.rows[self.index] if self.rows else None

    @property
    def waiting(self) -> int:
        """Return how many wait, whether the filter hides them or not."""
        return len(self._waiting)

    def reload(self, *, choose: int | None = None) -> None:
        """Read the queue anew and stay on the same candidate, or go to the one named.

        Raises:
            UsageError: there is no such phenomenon.
        """
        wanted = choose if choose is not None else self._chosen_id()
        self._waiting = self._review.waiting(phenomenon=self.phenomenon, mixed=True)
        self.hides_scores = any(row["audit"] for row in self._waiting)
        for row in self._waiting:
            row["score_hidden"] = self.hides_scores
        self._apply_filter(wanted)

    def reorder(self, scores: Mapping[int, float]) -> None:
        """Take new scores, by candidate, and order by them what comes after the open candidate.

        What lies before it stays as it is: it has been seen. What was drawn for the audit keeps its place.
        """
        for row in self._waiting:
            if row["id"] in scores and not row["audit"]:
                row["score"] = row["place"] = scores[row["id"]]
        self._waiting.sort(key=_order)
        seen = self.rows[: self.index + 1]
        self.rows = seen + sorted(self.rows[self.index + 1 :], key=_order)

    def filter(self, words: str) -> None:
        """Keep in view only what has all the words in its title, code or id."""
        self.words = words.strip()
        self._apply_filter(self._chosen_id())

    def move(self, steps: int) -> None:
        """Go so many rows down, or up if negative, as far as there are rows."""
        self.go_to(self.index + steps)

    def go_to(self, index: int) -> None:
        """Go to a row, or to the nearest one there is."""
        self.index = max(0, min(index, len(self.rows) - 1))

    def read(self) -> Row | None:
        """Return all that is known of the open candidate, or None if nothing is in view.

        Raises:
            DecisionError: it is not in the database any more.
        """
        row = self.chosen
        return None if row is None else self._review.show(row["id"], hide_score=self.hides_scores)

    def decide(self, decision: Decision) -> None:
        """Decide the open candidate, with the note written for it; the next one is open then.

        Raises:
            DecisionError: the decision does not fit; nothing has changed.
        """
        row = self.chosen
        if row is None:
            return
        candidate_id = row["id"]
        self._review.decide(candidate_id, replace(decision, note=self.notes.get(candidate_id)), seen=row)
        self.undone.clear()
        self._count(candidate_id)
        self._waiting = [other for other in self._waiting if other["id"] != candidate_id]
        del self.rows[self.index]
        self.go_to(self.index)

    def undoes_earlier(self) -> Row | None:
        """Return what `undo` would take back if it was decided before this session, else None.

        It is the event, with its candidate's `arxiv_id` and `phenomenon`.
        """
        row = self._review.next_undo()
        if row is None or row["id"] in self.decided:
            return None
        event = next(event for event in row["history"] if event["decision_id"] == row["decision_id"])
        return {**event, "arxiv_id": row["arxiv_id"], "phenomenon": row["phenomenon"]}

    def undo(self) -> Row:
        """Take back this reviewer's newest decision, open its candidate if it waits again, and return it.

        The note that was kept with the decision is at hand again for the next one.

        Raises:
            DecisionError: there is nothing to take back.
        """
        row = self._review.undo()
        candidate_id = row["id"]
        self.decided = [known for known in self.decided if known != candidate_id]
        event = undone_event(row)
        self.undone.append((row, _repeat(event)))
        if note := event["note"]:
            self.notes.setdefault(candidate_id, note)
        self.reload(choose=candidate_id)
        if self._chosen_id() != candidate_id and self.words:
            self.words = ""
            self._apply_filter(candidate_id)
        return row

    def redo(self) -> Row:
        """Make the decision again that was taken back last in this session, and return its candidate.

        Raises:
            DecisionError: there is none, its day is over, or its candidate was decided meanwhile.
        """
        if not self.undone:
            raise DecisionError("nothing was taken back in this session that could be done again")
        row, decision = self.undone[-1]
        candidate_id = row["id"]
        done = self._review.decide(candidate_id, decision, seen=row)
        # What is left to do again on this candidate was taken back before, and stands on what was done now.
        self.undone = [(done if one["id"] == candidate_id else one, made) for one, made in self.undone[:-1]]
        self._count(candidate_id)
        self.reload()
        return done

    def _count(self, candidate_id: int) -> None:
        """Count a candidate as the newest that was decided in this session, its note as kept."""
        self.notes.pop(candidate_id, None)
        self.decided = [*(known for known in self.decided if known != candidate_id), candidate_id]

    def write_note(self, text: str) -> None:
        """Put a note beside the open candidate; an empty one takes it away."""
        row = self.chosen
        if row is None:
            return
        if text.strip():
            self.notes[row["id"]] = text.strip()
        else:
            self.notes.pop(row["id"], None)

    @property
    def note(self) -> str:
        """Return the note written for the open candidate, empty if there is none."""
        row = self.chosen
        return self.notes.get(row["id"], "") if row else ""

    def _chosen_id(self) -> int | None:
        row = self.chosen
        return None if row is None else int(row["id"])

    def _apply_filter(self, wanted: int | None) -> None:
        words = self.words.casefold().split()
        self.rows = [row for row in self._waiting if all(word in _searched(row) for word in words)]
        places = {row["id"]: place for place, row in enumerate(self.rows)}
        self.go_to(places.get(wanted, self.index))


def _repeat(event: Row) -> Decision:
    """Return an event as the decision that it was."""
    until = date.fromisoformat(event["until"]) if event["until"] else None
    stance = Stance(event["stance"]) if event["stance"] else None
    return Decision(Verdict(event["kind"]), stance, event["note"], until)


def _order(row: Row) -> tuple[bool, bool, float, int]:
    """Return what a mixed list is ordered by, as `list_candidates` does."""
    return row["status"] != "reopened", row["place"] is None, -(row["place"] or 0.0), row["id"]


def _searched(row: Row) -> str:
    return f"{row['phenomenon']} {row['title']} {row['arxiv_id']}".casefold()
