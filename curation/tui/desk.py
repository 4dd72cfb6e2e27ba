"""What lies before the reviewer: the waiting papers, the one that is open, and what was decided in this session."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from curation.review import ORDERS, Decision, Review, own_note, repeat, search_rows, sort_rows, undone_event
from curation.tui.progress import Progress
from db.candidates import WAITING
from db.errors import DecisionError, UsageError
from db.records import Status, Verdict
from db.store import Row

VIEWS: Mapping[str, tuple[Status, ...]] = {
    "waiting": WAITING,
    "maybe": (Status.MAYBE,),
    "snoozed": (Status.SNOOZED,),
    "accepted": (Status.ACCEPTED,),
    "rejected": (Status.REJECTED,),
    "conflicts": tuple(Status),
}


class Desk:
    """A reviewer's session on the queue. It knows no screen.

    Attributes:
        rows: the candidates in view, in their order: those of the view, less what the filter hides.
        index: which of them is open.
        view: which candidates there are, a key of `VIEWS`.
        order: how they stand, one of `ORDERS`.
        words: what the filter asks for; empty for no filter.
        notes: notes written but not yet kept, by candidate; each goes with the next decision on its candidate.
        marks: sentences chosen as evidence but not yet kept, in the same way.
        decided: the candidate of each decision made in this session and not taken back.
        undone: what was taken back in this session and can be done again, the newest last.
        hides_scores: whether papers drawn at random wait among the others, so that no score is to be seen.
        progress: how the session goes.

    Args:
        codes: the phenomena in the catalogue's order.
        clock: tells the seconds that the session takes.
    """

    def __init__(
        self,
        review: Review,
        *,
        phenomenon: str | None = None,
        codes: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._review = review
        self._waiting: list[Row] = []
        self._codes = codes
        self.phenomenon = phenomenon
        self.rows: list[Row] = []
        self.index = 0
        self.view = "waiting"
        self.order = ORDERS[0]
        self.words = ""
        self.notes: dict[int, str] = {}
        self.marks: dict[int, str] = {}
        self.decided: list[int] = []
        self.undone: list[tuple[Row, Decision]] = []
        self.hides_scores = False
        self.progress = Progress(clock)

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
        """Return how many there are in this view, whether the filter hides them or not."""
        return len(self._waiting)

    def reload(self, *, choose: int | None = None) -> None:
        """Read the queue anew and stay on the same candidate, or go to the one named.

        Raises:
            UsageError: there is no such phenomenon.
        """
        wanted = choose if choose is not None else self._chosen_id()
        if self.view == "conflicts":
            self._waiting = self._review.conflicts(phenomenon=self.phenomenon)
        else:
            self._waiting = self._review.waiting(phenomenon=self.phenomenon, statuses=VIEWS[self.view], mixed=True)
        self.hides_scores = any(row["audit"] for row in self._waiting)
        for row in self._waiting:
            row["score_hidden"] = self.hides_scores
        self._waiting = self._in_order(self._waiting)
        self._apply_filter(wanted)

    def show_view(self, view: str) -> None:
        """Show other candidates: a key of `VIEWS`.

        Raises:
            UsageError: conflicts are asked for, and others' decisions are hidden.
        """
        before, self.view = self.view, view
        try:
            self.reload()
        except UsageError:
            self.view = before
            raise
        self.go_to(0)

    def sort(self) -> None:
        """Go to the next order, and stay on the same candidate."""
        self.order = ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)]
        self._waiting = self._in_order(self._waiting)
        self._apply_filter(self._chosen_id())

    def toggle_only(self) -> None:
        """Show the open candidate's phenomenon alone, or all again.

        Raises:
            UsageError: there is no such phenomenon any more.
        """
        chosen = self.chosen
        self.phenomenon = None if self.phenomenon or chosen is None else chosen["phenomenon"]
        self.reload()

    def reorder(self, scores: Mapping[int, float]) -> None:
        """Take new scores, by candidate, and order by them what comes after the open candidate.

        What lies before it stays as it is: it has been seen. What was drawn for the audit keeps its place.
        """
        for row in self._waiting:
            if row["id"] in scores and not row["audit"]:
                row["score"] = row["place"] = scores[row["id"]]
        self._waiting = self._in_order(self._waiting)
        seen = self.rows[: self.index + 1]
        self.rows = seen + self._in_order(self.rows[self.index + 1 :])
        self._mark_groups()

    def filter(self, words: str) -> None:
        """Keep in view only what has all the words in its title, code, id or sentence."""
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
        """Decide the open candidate, with the note and the sentence kept for it; the next one is open then.

        Raises:
            DecisionError: the decision does not fit; nothing has changed.
        """
        row = self.chosen
        if row is None:
            return
        candidate_id = row["id"]
        note, sentence = self.notes.get(candidate_id), self.marks.get(candidate_id)
        stays = () if self.view in ("waiting", "conflicts") else VIEWS[self.view]
        if stays:  # decided before: what was said of it goes along
            shown = self._review.show(candidate_id)
            note = note or own_note(shown["note"])
            sentence = sentence or (shown["sentence"] if shown["sentence_start"] is not None else None)
        made = replace(decision, note=note, sentence=sentence)
        done = self._review.decide(candidate_id, made, seen=row)
        self.undone.clear()
        self._count(candidate_id, made)
        if done["status"] in stays:
            row.update({name: done[name] for name in row if name in done})
            self.move(1)
        else:
            self._take_away(candidate_id)

    def reassign(self, phenomenon: str) -> Row:
        """Reject the open candidate, for it belongs to another phenomenon; return that one, open if it waits.

        Raises:
            UsageError: there is no such phenomenon, or it is the candidate's own.
            DecisionError: the candidate was decided since.
        """
        row = self.chosen
        assert row is not None  # the screen asks for an open candidate only
        note = self.notes.get(row["id"])
        other = self._review.reassign(row["id"], phenomenon, note=note, seen=row)
        self.undone.clear()
        self._count(row["id"], Decision(Verdict.REJECT))
        self._take_away(row["id"])
        if other["status"] in VIEWS["waiting"]:
            known = next((one for one in self._waiting if one["id"] == other["id"]), None)
            new = {**other, "audit": False, "place": other["score"], "score_hidden": self.hides_scores}
            opened = known or new
            self._waiting = [opened, *(one for one in self._waiting if one is not known)]
            rows = [one for one in self.rows if one["id"] != other["id"]]
            self.go_to(self.index)
            self.rows = [*rows[: self.index], opened, *rows[self.index :]]
            self._mark_groups()
        return other

    def _take_away(self, candidate_id: int) -> None:
        self._waiting = [other for other in self._waiting if other["id"] != candidate_id]
        del self.rows[self.index]
        self._mark_groups()
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

    def undo(self, expected: Row | None = None) -> Row:
        """Take back this reviewer's newest decision, open its candidate if it waits again, and return it.

        The note that was kept with the decision is at hand again for the next one.

        Args:
            expected: the event that `undoes_earlier` told of, if it did.

        Raises:
            DecisionError: there is nothing to take back.
        """
        if expected is not None:
            newest = self._review.next_undo()
            if newest is None or newest["decision_id"] != expected["decision_id"]:
                raise DecisionError(
                    "another decision is the newest by now", "nothing was taken back; press the key again"
                )
        row = self._review.undo()
        candidate_id = row["id"]
        if candidate_id in self.decided:
            self.decided.reverse()
            self.decided.remove(candidate_id)  # its newest decision
            self.decided.reverse()
        event = undone_event(row)
        made = repeat(event, row)
        self.undone.append((row, made))
        self.progress.take_back(made)
        if note := own_note(made.note):
            self.notes.setdefault(candidate_id, note)
        if made.sentence:
            self.marks.setdefault(candidate_id, made.sentence)
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
        self._count(candidate_id, decision)
        self.reload()
        return done

    def _count(self, candidate_id: int, decision: Decision) -> None:
        """Count a candidate as the newest that was decided in this session, its note and sentence as kept."""
        self.progress.count(decision)
        self.notes.pop(candidate_id, None)
        self.marks.pop(candidate_id, None)
        self.decided.append(candidate_id)

    def mark(self, sentence: str) -> None:
        """Choose the open candidate's sentence, to be kept with its decision."""
        if row := self.chosen:
            self.marks[row["id"]] = sentence

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

    @property
    def unkept(self) -> int:
        """Return how many candidates have a note or a sentence that no decision keeps yet."""
        return len(self.notes.keys() | self.marks.keys())

    def _chosen_id(self) -> int | None:
        row = self.chosen
        return None if row is None else int(row["id"])

    def _apply_filter(self, wanted: int | None) -> None:
        self.rows = search_rows(self._waiting, self.words)
        places = {row["id"]: place for place, row in enumerate(self.rows)}
        self._mark_groups()
        self.go_to(places.get(wanted, self.index))

    def _mark_groups(self) -> None:
        """Tell of each row whether it is the first of its phenomenon, where they stand by phenomenon."""
        before = None
        for row in self.rows:
            row["heads_group"] = self.order == "phenomenon" and row["phenomenon"] != before
            before = row["phenomenon"]

    def _in_order(self, rows: Sequence[Row]) -> list[Row]:
        return sort_rows(sorted(rows, key=_best_first), self.order, self._codes)


def _best_first(row: Row) -> tuple[bool, bool, float, int]:
    """Return what a mixed list is ordered by, as `list_candidates` does."""
    return row["status"] != Status.REOPENED, row["place"] is None, -(row["place"] or 0.0), row["id"]
