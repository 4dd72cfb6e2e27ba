"""All that is published, read once from the database: the catalogue, its evidence, how it stands, and what moved."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from curation.evidence import Evidence, count_stances, load_evidence
from curation.figures import Figures, Suggestion, find_figures, suggest_maturity
from curation.moves import Moves, list_months
from db.conflicts import list_conflicts
from db.phenomena import list_phenomena
from db.records import ChangeKind, Criteria, Maturity, Phenomenon, Status
from db.store import Row, Store
from db.text import clean_line, clean_paragraphs
from db.upkeep import list_changes


@dataclass(frozen=True, slots=True)
class Side:
    """One of the decisions that differ: `stance` goes with accept."""

    kind: str
    stance: str | None
    reviewer: str
    decided_at: str
    note: str | None


@dataclass(frozen=True, slots=True)
class Conflict:
    """A paper that was decided differently side by side; the newest side is in force until somebody decides anew."""

    arxiv_id: str
    title: str
    sides: tuple[Side, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A maturity that an entry was given: when, by whom, and why. The program's own name stands for the catalogue."""

    maturity: Maturity
    at: str
    by: str
    note: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A phenomenon with what bears on it. What was re-opened is no evidence until it is decided anew.

    Attributes:
        figures: what the evidence comes to.
        suggested: the maturity that the rules suggest; the phenomenon's own is what a person set.
        maturity_history: oldest first; empty where nobody changed it since the catalogue's history is kept.
        reworded_at: when title or claim were last changed, as text; None if they never were.
    """

    phenomenon: Phenomenon
    evidence: tuple[Evidence, ...]
    under_review: tuple[Evidence, ...]
    figures: Figures
    suggested: Suggestion
    conflicts: tuple[Conflict, ...] = ()
    maturity_history: tuple[Step, ...] = ()
    reworded_at: str | None = None

    @property
    def counts(self) -> Mapping[str, int]:
        """Return how many papers stand how, all four stances in their order; withdrawn ones count here."""
        return count_stances(self.evidence)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The curated database.

    Attributes:
        entries: in the catalogue's order.
        retired: entries that others took the place of.
        last_change: the newest moment at which a person decided or changed anything, as text; None where nobody did.
        months: what moved in each month in which anything did, the newest first.
    """

    entries: tuple[Entry, ...]
    retired: tuple[Phenomenon, ...] = ()
    last_change: str | None = None
    months: tuple[Moves, ...] = ()

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Return all accepted evidence, in the entries' order."""
        return tuple(piece for entry in self.entries for piece in entry.evidence)


def load_knowledge(store: Store) -> Knowledge:
    """Read what is published, all of it as of one moment."""
    with reading_at_once(store):
        retired = tuple(_clean(one) for one in list_phenomena(store, retired=True))
        return Knowledge(load_entries(store), retired, store.value(_LAST_CHANGE), tuple(list_months(store)))


def load_entries(store: Store) -> tuple[Entry, ...]:
    """Return the phenomena with what bears on them, in the catalogue's order."""
    evidence = load_evidence(store)
    conflicts = _load_conflicts(store)
    changes = _group(list_changes(store))
    return tuple(
        _entry(one, evidence.get(one.code, ()), conflicts.get(one.code, ()), changes.get(one.code, ()))
        for one in list_phenomena(store)
    )


# What the program itself loaded is no change that a reader would look for.
_LAST_CHANGE = f"""
    SELECT max(at) FROM (SELECT max(decided_at) AS at FROM decisions
    UNION ALL SELECT max(changed_at) FROM catalogue_changes WHERE kind <> '{ChangeKind.LOAD}')
"""


@contextmanager
def reading_at_once(store: Store) -> Iterator[None]:
    """Read inside one transaction, so that a decision made meanwhile is in all of the export or in none of it."""
    if store.connection.in_transaction:
        yield
        return
    store.connection.execute("BEGIN")
    try:
        yield
    finally:
        store.connection.execute("ROLLBACK")


def _entry(
    phenomenon: Phenomenon, evidence: Sequence[Evidence], conflicts: Sequence[Conflict], changes: Sequence[Row]
) -> Entry:
    accepted = tuple(piece for piece in evidence if piece.status is Status.ACCEPTED)
    figures = find_figures(accepted)
    return Entry(
        phenomenon=_clean(phenomenon),
        evidence=accepted,
        under_review=tuple(piece for piece in evidence if piece.status is Status.REOPENED),
        figures=figures,
        suggested=suggest_maturity(figures),
        conflicts=tuple(conflicts),
        maturity_history=tuple(_step(row) for row in changes if _sets_maturity(row)),
        reworded_at=next(
            (row["changed_at"] for row in reversed(changes) if row["before"] and _differs(row, "title", "statement")),
            None,
        ),
    )


def _sets_maturity(row: Row) -> bool:
    if row["before"] is None:
        return bool(row["kind"] != ChangeKind.LOAD)
    return _differs(row, "maturity")


def _differs(row: Row, *names: str) -> bool:
    return any(row["before"][name] != row["after"][name] for name in names)


def _step(row: Row) -> Step:
    note = clean_paragraphs(row["note"] or "") or None
    return Step(Maturity(row["after"]["maturity"]), row["changed_at"], clean_line(row["author"]), note)


def _load_conflicts(store: Store) -> dict[str, list[Conflict]]:
    """Return the open conflicts by phenomenon, papers by id."""
    found: dict[str, list[Conflict]] = {}
    sides = list_conflicts(store)
    for row in store.rows(_PAPERS_OF, (json.dumps(list(sides)),)):
        told = tuple(_side(side) for side in sides[row["candidate_id"]])
        conflict = Conflict(row["arxiv_id"], clean_line(row["title"]), told)
        found.setdefault(row["phenomenon_code"], []).append(conflict)
    return found


_PAPERS_OF = """
    SELECT c.candidate_id, c.phenomenon_code, c.arxiv_id, r.title FROM candidates c JOIN papers p USING (arxiv_id)
    JOIN revisions r ON r.revision_id = p.revision_id
    WHERE c.candidate_id IN (SELECT value FROM json_each(?)) ORDER BY c.arxiv_id
"""


def _side(event: Row) -> Side:
    note = clean_paragraphs(event["note"] or "") or None
    return Side(event["kind"], event["stance"], clean_line(event["reviewer"]), event["decided_at"], note)


def _group(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["code"], []).append(row)
    return found


def _clean(phenomenon: Phenomenon) -> Phenomenon:
    """Clean the catalogue's texts: another catalogue may come from anywhere."""
    criteria = phenomenon.criteria
    return replace(
        phenomenon,
        code=clean_line(phenomenon.code),
        group=clean_line(phenomenon.group),
        title=clean_line(phenomenon.title),
        statement=clean_line(phenomenon.statement),
        keywords=_clean_all(phenomenon.keywords),
        references=_clean_all(phenomenon.references),
        criteria=Criteria(_clean_all(criteria.counts), _clean_all(criteria.excludes), _clean_all(criteria.precedents)),
    )


def _clean_all(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(clean_line(text) for text in texts)
