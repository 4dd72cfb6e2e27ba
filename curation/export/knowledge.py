"""All that is published, read once from the database: the catalogue, its evidence, and when it last changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from curation.evidence import Evidence, count_stances, load_evidence
from db.phenomena import list_phenomena
from db.records import Criteria, Phenomenon, Status
from db.store import Store
from db.text import clean_line


@dataclass(frozen=True, slots=True)
class Entry:
    """A phenomenon with what bears on it. What was re-opened is no evidence until it is decided anew."""

    phenomenon: Phenomenon
    evidence: tuple[Evidence, ...] = ()
    under_review: tuple[Evidence, ...] = ()

    @property
    def counts(self) -> Mapping[str, int]:
        """Return how many papers stand how, all four stances in their order."""
        return count_stances(self.evidence)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The curated database: entries in the catalogue's order; `last_change` is the newest decision's moment."""

    entries: tuple[Entry, ...]
    last_change: str | None = None

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Return all accepted evidence, in the entries' order."""
        return tuple(piece for entry in self.entries for piece in entry.evidence)


def load_knowledge(store: Store) -> Knowledge:
    """Read what is published, all of it as of one moment."""
    with _snapshot(store):
        evidence = load_evidence(store)
        entries = tuple(_entry(phenomenon, evidence.get(phenomenon.code, ())) for phenomenon in list_phenomena(store))
        return Knowledge(entries, store.value("SELECT max(decided_at) FROM decisions"))


@contextmanager
def _snapshot(store: Store) -> Iterator[None]:
    """Read inside one transaction, so that a decision made meanwhile is in all of the export or in none of it."""
    if store.connection.in_transaction:
        yield
        return
    store.connection.execute("BEGIN")
    try:
        yield
    finally:
        store.connection.execute("ROLLBACK")


def _entry(phenomenon: Phenomenon, evidence: tuple[Evidence, ...]) -> Entry:
    return Entry(
        phenomenon=_clean(phenomenon),
        evidence=tuple(piece for piece in evidence if piece.status is Status.ACCEPTED),
        under_review=tuple(piece for piece in evidence if piece.status is Status.REOPENED),
    )


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
