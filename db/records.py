"""What is kept, as plain values: frozen, compared by content, free of behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum


class Aspect(StrEnum):
    """The two halves of the catalogue: how to train, and what comes out."""

    HOW = "how"
    WHAT = "what"


class Maturity(StrEnum):
    """How well a phenomenon stands."""

    OBSERVED = "observed"
    REPLICATED = "replicated"
    CONTESTED = "contested"
    ESTABLISHED = "established"


class Stance(StrEnum):
    """How an accepted paper bears on the claim."""

    SUPPORTS = "supports"
    CONTRADICTS = "contradicts"
    QUALIFIES = "qualifies"
    MENTIONS = "mentions"


class Verdict(StrEnum):
    """What a person can decide about a candidate."""

    ACCEPT = "accept"
    REJECT = "reject"
    MAYBE = "maybe"
    SNOOZE = "snooze"


class Status(StrEnum):
    """Where a candidate stands, as its decisions imply."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    MAYBE = "maybe"
    SNOOZED = "snoozed"
    REOPENED = "reopened"


class ChangeKind(StrEnum):
    """How an entry of the catalogue came to be as it is; `load` is the program's own, all others a person's."""

    LOAD = "load"
    ADD = "add"
    EDIT = "edit"
    IMPORT = "import"
    MERGE = "merge"
    SPLIT = "split"


class RunStatus(StrEnum):
    """How a run ended; `running` until it has."""

    RUNNING = "running"
    COMPLETE = "complete"
    QUIET = "quiet"
    PARTIAL = "partial"
    FAILED = "failed"


class Stratum(StrEnum):
    """What the audit draws from: each paper's best pair among those that were not queued, and all other such pairs."""

    NEAR = "near"
    REST = "rest"


@dataclass(frozen=True, slots=True)
class Criteria:
    """What counts as evidence for a claim, what does not, and cases decided before."""

    counts: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    precedents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Phenomenon:
    """An entry of the catalogue; `statement` is the claim, `references` are arXiv ids without version.

    A retired entry stays for its code, which is never given to another one, and for the decisions made on it;
    `superseded_by` are the codes of the entries that took its place.
    """

    code: str
    aspect: Aspect
    group: str
    title: str
    statement: str
    keywords: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    criteria: Criteria = field(default_factory=Criteria)
    maturity: Maturity = Maturity.OBSERVED
    retired: bool = False
    superseded_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CatalogueChange:
    """What is written down of a change to the catalogue: how it was made, by whom, when, and why."""

    kind: ChangeKind
    author: str
    changed_at: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Paper:
    """One paper as a source gives it: an arXiv id without version, and its newest revision.

    `published_at` is the date of v1, `updated_at` that of `version`; `datestamp` is the day the record last
    changed at the source, None where the source does not say. `tells_type`: the source tells of what type the newest
    version's files are, and so of every withdrawal; others tell of one only in words.
    """

    arxiv_id: str
    version: int
    title: str
    abstract: str
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    published_at: datetime
    updated_at: datetime
    datestamp: date | None = None
    comments: str | None = None
    journal_ref: str | None = None
    doi: str | None = None
    license: str | None = None
    withdrawn: bool = False
    tells_type: bool = False


@dataclass(frozen=True, slots=True)
class Malformed:
    """A record that could not be read: where, why, and its bytes; `version` where at least that can be read."""

    identifier: str | None
    datestamp: date | None
    reason: str
    raw: bytes
    version: int | None = None


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """What makes two vectors comparable: the model, its revision, the prompt, and the length limit in word pieces."""

    name: str
    revision: str
    prompt: str
    max_length: int
    dimensions: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """A span of an abstract: `abstract[start:end] == text`, offsets in characters."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class RaisingWord:
    """A word or two that raised a score, as it stands in the paper's text; its part in what all such words add."""

    term: str
    share: float


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A paper that was accepted, and the cosine with it."""

    arxiv_id: str
    cosine: float


@dataclass(frozen=True, slots=True)
class Reasons:
    """What raised a paper's score, as it was known then; the strongest words and the nearest papers come first."""

    words: tuple[RaisingWord, ...] = ()
    nearest: tuple[Neighbour, ...] = ()
