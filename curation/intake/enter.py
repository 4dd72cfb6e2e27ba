"""The papers of a list into the queue, or as decisions of the reviewer; nothing that was decided is overruled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from curation.intake.records import Listed
from curation.review import Decision, Review
from db.candidates import add_candidate, find_candidate_id
from db.decisions import find_effective, list_own
from db.records import Stance, Verdict
from db.store import Row, Store
from db.text import clean_line

DECIDED_AT_ONCE = 100  # decisions between two commits: a disk takes far longer to sync than to write


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a list comes from, as the notes of its decisions tell it: the file's name and its format."""

    name: str
    format: str


@dataclass(slots=True)
class Entered:
    """What became of papers, by id: added, there already, or decided otherwise with the decision that stands."""

    added: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    decided: dict[str, Row] = field(default_factory=dict)


class Intake:
    """Enters papers for one phenomenon.

    Args:
        dry_run: find out what would happen, and write nothing.
    """

    def __init__(self, store: Store, review: Review, phenomenon: str, *, now: str, dry_run: bool) -> None:
        self._store = store
        self._review = review
        self._phenomenon = phenomenon
        self._now = now
        self._dry_run = dry_run

    def add_candidates(self, papers: Mapping[str, Listed]) -> Entered:
        """Queue stored papers, all or none; what waits or was decided is left as it is."""
        entered = Entered()
        with self._store.transaction():
            for arxiv_id in papers:
                standing = self._find_standing(arxiv_id)
                if standing is not None:
                    entered.decided[arxiv_id] = standing
                elif find_candidate_id(self._store, arxiv_id, self._phenomenon) is not None:
                    entered.known.append(arxiv_id)
                else:
                    if not self._dry_run:
                        add_candidate(self._store, arxiv_id, self._phenomenon, now=self._now)
                    entered.added.append(arxiv_id)
        return entered

    def decide(
        self, papers: Mapping[str, Listed], origin: Origin, stance: Stance | None, *, overrule: bool = False
    ) -> Entered:
        """Accept stored papers, `DECIDED_AT_ONCE` a transaction; what was said word for word already is left out.

        Broken off, it keeps whole transactions, and a repeated call goes on from there.

        Args:
            stance: how a paper bears on the claim where the list does not tell.
            overrule: decide also what stands otherwise.
        """
        entered = Entered()
        decisions = [
            (arxiv_id, Decision(Verdict.ACCEPT, entry.stance or stance, render_note(entry, origin)))
            for arxiv_id, entry in papers.items()
        ]
        for start in range(0, len(decisions), DECIDED_AT_ONCE):
            with self._store.transaction():
                self._decide_some(decisions[start : start + DECIDED_AT_ONCE], entered, overrule=overrule)
        return entered

    def _decide_some(self, decisions: Sequence[tuple[str, Decision]], entered: Entered, *, overrule: bool) -> None:
        """Decide on papers, and tell what became of each. Runs inside a transaction."""
        for arxiv_id, decision in decisions:
            standing = self._find_standing(arxiv_id)
            if self._is_known(arxiv_id, decision, standing, overrule=overrule):
                entered.known.append(arxiv_id)
            elif standing is not None and _differs(standing, decision) and not overrule:
                entered.decided[arxiv_id] = standing
            else:
                if not self._dry_run:
                    self._review.append_on_paper(arxiv_id, self._phenomenon, decision)
                entered.added.append(arxiv_id)

    def _find_standing(self, arxiv_id: str) -> Row | None:
        """Return the decision in force on a paper, as the reviewer sees it."""
        candidate_id = find_candidate_id(self._store, arxiv_id, self._phenomenon)
        return None if candidate_id is None else find_effective(self._store, candidate_id, mine=self._review.mine)

    def _is_known(self, arxiv_id: str, decision: Decision, standing: Row | None, *, overrule: bool) -> bool:
        """Tell whether the reviewer's decision in force bears so on the claim, or the newest one says the very same."""
        if standing is not None and not _differs(standing, decision) and standing["reviewer"] == self._review.reviewer:
            return True
        if overrule and (standing is None or _differs(standing, decision)):
            return False
        newest = self._find_newest_own(arxiv_id)
        said = (decision.verdict.value, decision.stance, decision.note)
        return newest is not None and (newest["kind"], newest["stance"], newest["note"]) == said

    def _find_newest_own(self, arxiv_id: str) -> Row | None:
        """Return the newest decision of the reviewer that the reviewer did not take back."""
        candidate_id = find_candidate_id(self._store, arxiv_id, self._phenomenon)
        events = [] if candidate_id is None else list_own(self._store, self._review.reviewer, candidate_id)
        undone = {event["undoes"] for event in events}
        kept = (one for one in reversed(events) if one["kind"] != "undo" and one["decision_id"] not in undone)
        return next(kept, None)


def _differs(standing: Row, decision: Decision) -> bool:
    """Tell whether what stands says something else. A re-opened acceptance waits for a look, which no list has had."""
    return (standing["kind"], standing["stance"]) != (decision.verdict.value, decision.stance)


def render_note(entry: Listed, origin: Origin) -> str:
    """Return the note of a decision: where it comes from, and what the list says of the paper."""
    source = f"from {clean_line(origin.name)[:80]} ({origin.format}, {entry.place[:80]})"
    return f"{source}: {entry.note}" if entry.note else source
