"""The review as a service: what waits, what a decision does, what can be taken back. It knows no screen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date

from curation.reopening import find_difference
from db.candidates import (
    WAITING,
    add_candidate,
    count_by_status,
    drop_candidate,
    find_candidate,
    find_candidate_id,
    list_candidates,
    list_others,
    require_candidate,
)
from db.conflicts import list_conflicts, list_sides
from db.decisions import (
    SYSTEM_REVIEWER,
    append_undo,
    append_verdict,
    find_effective,
    list_decisions,
    list_known,
    list_own,
    newest_undoable,
)
from db.errors import DecisionError, UsageError
from db.papers import find_known_ids
from db.phenomena import find_phenomenon, list_phenomena
from db.records import Stance, Status, Verdict
from db.store import Row, Store
from db.text import clean_line, clean_paragraphs, find_words, show_score
from db.times import Clock, to_text

ORDERS = ("best", "phenomenon", "newest")
_MOVED = re.compile(r"re-assigned to (\S+?)(?::\s|$)")
LONGEST_SENTENCE = 1000  # characters
SCORE_HIDDEN = "scores are hidden while papers drawn at random wait among the others"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided: the verdict, and what goes with it.

    `sentence` is a part of the abstract that is to stand as evidence in place of the one that was found.
    """

    verdict: Verdict
    stance: Stance | None = None
    note: str | None = None
    until: date | None = None
    sentence: str | None = None


class Review:
    """The queue in the hands of one reviewer. Every decision is on disk when its method returns.

    Args:
        blind: show nothing of what others decided: how a candidate stands goes by the own decisions alone.
    """

    def __init__(self, store: Store, *, reviewer: str, clock: Clock, blind: bool = False) -> None:
        self._store = store
        self._reviewer = clean_line(reviewer)[:100] or "reviewer"
        self._clock = clock
        self._mine = self._reviewer if blind else None

    @property
    def reviewer(self) -> str:
        """Return whose decisions these are."""
        return self._reviewer

    @property
    def mine(self) -> str | None:
        """Return the reviewer, where others' decisions are hidden, else None."""
        return self._mine

    @property
    def blind(self) -> bool:
        """Return whether others' decisions are hidden."""
        return self._mine is not None

    def waiting(
        self,
        *,
        phenomenon: str | None = None,
        statuses: Sequence[Status] = WAITING,
        limit: int | None = None,
        mixed: bool = False,
    ) -> list[Row]:
        """Return candidates, best first; the waiting ones by default.

        Args:
            phenomenon: only those of this code.
            statuses: only those that stand so.
            limit: at most so many.
            mixed: let what was drawn for the audit stand among the others.

        Raises:
            UsageError: there is no such phenomenon.
        """
        if phenomenon is not None:
            find_phenomenon(self._store, phenomenon)
        return list_candidates(
            self._store,
            today=self._today(),
            phenomenon=phenomenon,
            statuses=statuses,
            limit=limit,
            mixed=mixed,
            mine=self._mine,
        )

    def show(self, candidate_id: int, *, hide_score: bool = False) -> Row:
        """Return one candidate with abstract, authors, claim, reasons, history and, if re-opened, what changed.

        Args:
            hide_score: leave out what it scored, and say so.

        Raises:
            DecisionError: there is none of that id.
        """
        row = find_candidate(self._store, candidate_id, today=self._today(), mine=self._mine)
        if row is None:
            raise DecisionError(f"there is no candidate {candidate_id}", "`bmp queue list` shows the ids")
        if hide_score:
            row["score"] = row["matched_score"] = None
        if self.blind:
            row["because"]["nearest"] = []  # what others may have accepted
        row["reasons"] = [*([SCORE_HIDDEN] if hide_score else _tell_score(row)), *_tell_causes(row["because"])]
        row["criteria"] = asdict(find_phenomenon(self._store, row["phenomenon"], retired=True).criteria)
        row["others"] = list_others(self._store, candidate_id, today=self._today(), mine=self._mine)
        if hide_score:
            for other in row["others"]:
                other["score"] = None
        row["known"] = list_known(self._store, row["phenomenon"], but=candidate_id, mine=self._mine)
        row["difference"] = (
            find_difference(self._store, candidate_id, mine=self._mine) if row["status"] == Status.REOPENED else None
        )
        row["history"] = [_event(event) for event in list_decisions(self._store, candidate_id, mine=self._mine)]
        row["sides"] = [] if self.blind else [_event(side) for side in list_sides(self._store, candidate_id)]
        return row

    def decide(self, candidate_id: int, decision: Decision, *, seen: Row | None = None) -> Row:
        """Decide a candidate and return it as it stands then.

        A later decision takes the place of an earlier one; both stay in the history. One that says no more than the
        reviewer's own decision in force is refused.

        Args:
            seen: the candidate as it stood before the reviewer's eyes; if it was decided otherwise since, nothing is
                done.

        Raises:
            DecisionError: there is no such candidate, stance or date do not fit the verdict, or it was decided since.
        """
        with self._store.transaction():
            if seen is not None:
                self._refuse_if_changed(candidate_id, seen)
            self._append(candidate_id, decision)
        return self.show(candidate_id)

    def decide_paper(self, arxiv_id: str, phenomenon: str, decision: Decision) -> Row:
        """Decide on a paper that need not have been queued, and return the candidate.

        Raises:
            UsageError: there is no such phenomenon.
            DecisionError: the paper is not in the database, or the decision does not fit.
        """
        with self._store.transaction():
            candidate_id = self.append_on_paper(arxiv_id, phenomenon, decision)
        return self.show(candidate_id)

    def append_on_paper(self, arxiv_id: str, phenomenon: str, decision: Decision) -> int:
        """Do what `decide_paper` does and return the candidate's id. Runs inside a transaction."""
        find_phenomenon(self._store, phenomenon)
        if not find_known_ids(self._store, [arxiv_id]):
            raise DecisionError(f"paper {arxiv_id} is not in the database", f"bring it in with `bmp fetch {arxiv_id}`")
        candidate_id = require_candidate(self._store, arxiv_id, phenomenon, now=to_text(self._clock()))
        self._append(candidate_id, decision)
        return candidate_id

    def reassign(
        self,
        candidate_id: int,
        phenomenon: str,
        *,
        stance: Stance | None = None,
        note: str | None = None,
        seen: Row | None = None,
    ) -> Row:
        """Reject a candidate, for its paper belongs to another phenomenon, and return the candidate there.

        Args:
            stance: accept it there at once; without one it waits there.
            note: kept with the decisions made.
            seen: as for `decide`.

        Raises:
            UsageError: there is no such phenomenon, or it is the candidate's own.
            DecisionError: there is no such candidate, or it was decided since.
        """
        find_phenomenon(self._store, phenomenon)
        row = self.show(candidate_id)
        if row["phenomenon"] == phenomenon:
            raise UsageError(f"candidate {candidate_id} is one for {phenomenon} already", "name another phenomenon")
        said = f"re-assigned to {phenomenon}" + (f": {note}" if note else "")
        with self._store.transaction():
            if seen is not None:
                self._refuse_if_changed(candidate_id, seen)
            self._append(candidate_id, Decision(Verdict.REJECT, note=said))
            other = find_candidate_id(self._store, row["arxiv_id"], phenomenon)
            assert other is not None  # the rejection queued it
            if stance is not None:
                self._append(other, Decision(Verdict.ACCEPT, stance, note))
        return self.show(other)

    def redo(self, candidate_id: int | None = None) -> Row:
        """Make the decision again that this reviewer took back last, as often as there is one; return its candidate.

        Args:
            candidate_id: what was taken back last on this candidate.

        Raises:
            DecisionError: nothing was taken back, or somebody else decided there since.
        """
        with self._store.transaction():
            undone = self._list_undone(candidate_id)
            if not undone:
                where = "" if candidate_id is None else f" on candidate {candidate_id}"
                raise DecisionError(
                    f"{self._reviewer} has nothing{where} to make again", "`bmp queue undo` comes first"
                )
            event = undone[-1]
            found = int(event["candidate_id"])
            row = self.show(found)
            if (newest := row["history"][-1])["reviewer"] not in (self._reviewer, SYSTEM_REVIEWER):
                raise DecisionError(
                    f"{newest['reviewer']} decided candidate {found} since", f"see `bmp queue show {found}`"
                )
            self._append(found, repeat(event, row))
        return self.show(found)

    def _list_undone(self, candidate_id: int | None) -> list[Row]:
        """Return the decisions that this reviewer took back and can make again, the next one last, as the log tells.

        What was made again counts no more; any other decision puts an end to all before it.
        """
        undone: list[Row] = []
        events = list_own(self._store, self._reviewer, candidate_id)
        by_id = {event["decision_id"]: event for event in events}
        said = ("candidate_id", "kind", "stance", "note", "until")
        for event in events:
            if event["kind"] == "undo":
                if event["undoes"] in by_id:  # another reviewer's decision is not ours to make
                    undone.append(by_id[event["undoes"]])
            elif undone and all(undone[-1][name] == event[name] for name in said):
                undone.pop()
            else:
                undone.clear()
        return undone

    def undo(self, candidate_id: int | None = None) -> Row:
        """Take back the decision in force on a candidate, or this reviewer's newest one; return the candidate.

        Raises:
            DecisionError: there is nothing to take back.
        """
        with self._store.transaction():
            found = candidate_id if candidate_id is not None else self._newest_undoable()
            if found is None:
                raise DecisionError(f"{self._reviewer} has no decision to undo")
            self._leave_unmoved(found)
            append_undo(self._store, found, reviewer=self._reviewer, now=to_text(self._clock()), mine=self._mine)
        return self.show(found)

    def decided_before(self, row: Row) -> Row | None:
        """Return the event that a candidate's newest one took the place of: what an undo of that would bring back.

        Args:
            row: the candidate as `decide` returned it.
        """
        undone = {event["undoes"] for event in row["history"]}
        in_force = [event for event in row["history"][:-1] if event["kind"] != "undo"]
        return next((event for event in reversed(in_force) if event["decision_id"] not in undone), None)

    def next_undo(self) -> Row | None:
        """Return the candidate whose decision `undo` would take back, with its history, or None."""
        found = self._newest_undoable()
        return None if found is None else self.show(found)

    def counts(self) -> list[Row]:
        """Return how many candidates stand how, for each phenomenon that has any."""
        return count_by_status(self._store, today=self._today(), mine=self._mine)

    def conflicts(self, *, phenomenon: str | None = None) -> list[Row]:
        """Return the candidates on which decisions made side by side differ, best first, each with its `sides`.

        A decision settles a conflict, for it follows all sides.

        Args:
            phenomenon: only those of this code.

        Raises:
            UsageError: there is no such phenomenon, or others' decisions are hidden.
        """
        if self.blind:
            raise UsageError("conflicts show what others decided, and the review is blind", "set BMP_BLIND=no to see")
        sides = list_conflicts(self._store)
        rows = self.waiting(phenomenon=phenomenon, statuses=tuple(Status)) if sides else []
        return [{**row, "sides": [_event(side) for side in sides[row["id"]]]} for row in rows if row["id"] in sides]

    def _newest_undoable(self) -> int | None:
        return newest_undoable(self._store, self._reviewer, mine=self._mine)

    def _append(self, candidate_id: int, decision: Decision) -> None:
        if self._reviewer == SYSTEM_REVIEWER:
            raise DecisionError(f"'{SYSTEM_REVIEWER}' is the program's own name", "set another reviewer (BMP_REVIEWER)")
        if decision.until is not None and decision.until <= self._today():
            raise DecisionError(f"{decision.until} is not in the future", "snooze until a later day")
        row = find_candidate(self._store, candidate_id, today=self._today(), mine=self._mine)
        if row is None:
            raise DecisionError(f"there is no candidate {candidate_id}", "`bmp queue list` shows the ids")
        find_phenomenon(self._store, row["phenomenon"])  # decisions on a retired entry would be seen nowhere
        note = clean_paragraphs(decision.note) if decision.note else None
        sentence = None if decision.sentence is None else _find_sentence(row, decision.sentence)
        self._refuse_repeat(row, replace(decision, note=note or None, sentence=sentence))
        if code := self._moved_to(decision.verdict, decision.note):
            add_candidate(self._store, row["arxiv_id"], code, now=to_text(self._clock()))
        append_verdict(
            self._store,
            candidate_id,
            decision.verdict,
            reviewer=self._reviewer,
            now=to_text(self._clock()),
            stance=decision.stance,
            note=note,
            until=decision.until,
            sentence=sentence,
            mine=self._mine,
        )

    def _leave_unmoved(self, candidate_id: int) -> None:
        """Take out of the queue what the rejection about to be taken back brought into it, if it waits still."""
        event = find_effective(self._store, candidate_id, mine=self._mine)
        code = self._moved_to(event["kind"], event["note"]) if event else None
        row = find_candidate(self._store, candidate_id, today=self._today()) if code else None
        if code and row:
            drop_candidate(self._store, row["arxiv_id"], code)

    def _moved_to(self, kind: str, note: str | None) -> str | None:
        """Return the phenomenon of a note such as `re-assigned to W2.2: why`, of a rejection."""
        found = _MOVED.match(note or "") if kind == Verdict.REJECT else None
        codes = {entry.code for entry in list_phenomena(self._store)} if found else set()
        return found.group(1) if found and found.group(1) in codes else None

    def _refuse_repeat(self, row: Row, decision: Decision) -> None:
        """Refuse a decision that says what this reviewer's own decision in force on the same text says."""
        now = find_effective(self._store, row["id"], mine=self._mine)
        if now is None or now["reviewer"] != self._reviewer or not row["on_present_text"]:
            return
        sentence = decision.sentence if decision.sentence in (None, now["sentence"]) else now["sentence"]
        if decision == _as_decision(now, sentence):
            stance = f" ({now['stance']})" if now["stance"] else ""
            raise DecisionError(
                f"you decided candidate {row['id']} so already: {now['kind']}{stance}, {now['decided_at']}",
                "nothing was written; another stance or note makes another decision",
            )

    def _refuse_if_changed(self, candidate_id: int, seen: Row) -> None:
        now = find_candidate(self._store, candidate_id, today=self._today(), mine=self._mine)
        if now is None or all(now[name] == seen[name] for name in ("decision_id", "revision_id", "withdrawn")):
            return  # where there is none, deciding says so
        if now["decision_id"] == seen["decision_id"]:
            said = f"v{now['version']} came" + (", a withdrawal" if now["withdrawn"] else "")
        else:
            event = find_effective(self._store, candidate_id, mine=self._mine)
            said = f"{event['kind']} by {event['reviewer']}" if event else "its decision was taken back"
        raise DecisionError(f"this candidate changed meanwhile: {said}", "nothing was written; read the queue anew")

    def _today(self) -> date:
        return self._clock().date()


def sort_rows(rows: Sequence[Row], order: str, codes: Sequence[str]) -> list[Row]:
    """Return candidates, given best first, in one of `ORDERS`; what comes out even stays best first.

    Args:
        codes: the phenomena in the catalogue's order.
    """
    places = {code: place for place, code in enumerate(codes)}
    if order == "phenomenon":
        return sorted(rows, key=lambda row: (places.get(row["phenomenon"], len(places)), row["phenomenon"]))
    return sorted(rows, key=lambda row: str(row["published"]), reverse=True) if order == "newest" else list(rows)


def search_rows(rows: Sequence[Row], words: str) -> list[Row]:
    """Return the candidates that have all the words in title, code, id or sentence, in upper or lower case."""
    wanted = words.casefold().split()
    return [row for row in rows if all(word in _searched(row) for word in wanted)]


def _searched(row: Row) -> str:
    return f"{row['phenomenon']} {row['title']} {row['arxiv_id']} {row['sentence'] or ''}".casefold()


def _find_sentence(row: Row, sentence: str) -> str:
    """Return the part of a candidate's present abstract that reads as the sentence, white space apart."""
    if not sentence.strip() or len(sentence) > LONGEST_SENTENCE:
        raise DecisionError(
            "that is no sentence to rest on", f"give a part of the abstract, {LONGEST_SENTENCE} characters at most"
        )
    found = find_words(row["abstract"], sentence)
    if found is None:
        raise DecisionError(
            f"the abstract of {row['arxiv_id']}v{row['version']} has no such sentence", "copy it from `bmp queue show`"
        )
    return found


def repeat(event: Row, row: Row) -> Decision:
    """Return an event as the decision that it was; a sentence only if it was marked in the candidate's present text."""
    return _as_decision(event, marked_sentence(event, row))


def _as_decision(event: Row, sentence: str | None) -> Decision:
    """Return a verdict of the log as a decision that rests on this sentence."""
    return Decision(
        Verdict(event["kind"]),
        Stance(event["stance"]) if event["stance"] else None,
        event["note"],
        date.fromisoformat(event["until"]) if event["until"] else None,
        sentence,
    )


def own_note(note: str | None) -> str | None:
    """Return what a person wrote of a note, without what re-assigning put before it."""
    found = _MOVED.match(note or "")
    return note if found is None else (note or "")[found.end() :] or None


def marked_sentence(event: Row, row: Row) -> str | None:
    """Return the sentence that an event was marked with by hand, if it stands in the candidate's abstract."""
    sentence: str | None = event["sentence"]
    return sentence if sentence and sentence != row["sentence"] and sentence in row["abstract"] else None


def undone_event(row: Row) -> Row:
    """Return the event that a candidate's newest undo took back."""
    history: list[Row] = row["history"]
    undo = next(event for event in reversed(history) if event["kind"] == "undo")  # what it brought back may be outdated
    return next(event for event in history if event["decision_id"] == undo["undoes"])


def _tell_score(row: Row) -> list[str]:
    """Say what the candidate scored, when it was matched and by what was decided since."""
    if row["score"] is None:
        return ["brought in by hand"]
    told = [f"scored {show_score(row['matched_score'])} for {row['phenomenon']} by ranker {row['ranker_version']}"]
    if row["standing_version"] and show_score(row["score"]) != show_score(row["matched_score"]):
        told.append(f"scores {show_score(row['score'])} by what was decided since ({row['standing_version']})")
    return told


def _tell_causes(because: Row) -> list[str]:
    """Say which words and which accepted papers raised the score when the candidate was matched."""
    told = []
    if because["words"]:
        told.append(f"words: {', '.join(clean_line(word['term']) for word in because['words'])}")
    if because["nearest"]:
        near = "; ".join(
            f"{paper['arxiv_id']} {clean_line(paper['title'])} ({paper['cosine']:.2f})" for paper in because["nearest"]
        )
        told.append(f"near what was accepted: {near}")
    return told


def _event(row: Row) -> Row:
    """Return a decision as it is published: what, by whom, when, on what."""
    names = (
        "decision_id", "kind", "stance", "note", "until", "undoes",
        "reviewer", "decided_at", "score", "ranker_version", "catalogue_version", "sentence",
    )  # fmt: skip
    return {name: row[name] for name in names}
