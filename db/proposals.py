"""Proposals for new entries of the catalogue: clusters of papers that fit none, and what became of each."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from db.decisions import EFFECTIVE_DECISIONS, list_verdicts
from db.errors import UsageError
from db.phenomena import list_phenomena
from db.store import Row, Store
from db.text import hash_text

SAME = 0.5  # the share of a cluster's papers in a proposal from which they are one and the same
CENTRAL = 5  # papers nearest to the centre that a proposal is shown with


class ProposalStatus(StrEnum):
    """What became of a proposal."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True)
class Member:
    """A paper of a cluster and its cosine with the cluster's centre."""

    arxiv_id: str
    closeness: float


@dataclass(frozen=True, slots=True)
class Growth:
    """How a cluster's papers came over time, by their first publication.

    Attributes:
        quarters: pairs of a quarter, such as `2025Q1`, and its papers, from the first to the newest that is stored.
        last_year: papers of the 365 days up to the newest paper that is stored.
        year_before: papers of the 365 days before those.
        relative: the second by the third, by the same of all stored papers: above 1 it grew faster than they did.
    """

    quarters: tuple[tuple[str, int], ...]
    last_year: int
    year_before: int
    relative: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What orders proposals, and what it is made of.

    Attributes:
        score: the higher, the earlier it is shown.
        tightness: the mean cosine of its papers with their centre, in vectors and words less the field's mean.
        nearest: the code of the entry nearest to the centre in vectors alone, for an entry's words are few.
        similarity: the cosine of the centre with that entry.
    """

    score: float
    tightness: float
    nearest: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """A cluster that may become an entry: what tells it from the field, its papers, the most central first."""

    terms: tuple[str, ...]
    members: tuple[Member, ...]
    growth: Growth
    figures: Figures

    @property
    def papers(self) -> frozenset[str]:
        """Return the ids of its papers."""
        return frozenset(member.arxiv_id for member in self.members)

    @property
    def key(self) -> str:
        """Return what names it in any database: a short hash of its papers."""
        return hash_text("\n".join(sorted(self.papers)))[:12]


def replace_open(store: Store, proposals: Sequence[Proposal], *, now: str) -> int:
    """Put proposals, best first, in the place of all open ones, and return how many. Runs inside a transaction.

    What is for the most part a proposal that was accepted or dismissed is left out. One that is for the most part an
    open one keeps its number and the moment when that was first made.
    """
    settled = _list_papers(store, settled=True)
    offered = [one for one in proposals if not _find_same(one.papers, settled)]
    known = _list_papers(store, settled=False)
    made = {row["proposal_id"]: row["made_at"] for row in store.rows("SELECT proposal_id, made_at FROM proposals")}
    store.connection.execute("DELETE FROM proposals WHERE status = 'open'")
    for place, proposal in enumerate(offered):
        number = _find_same(proposal.papers, known)
        if number is not None:
            del known[number]
        _insert(store, proposal, place, number, made[number] if number is not None else now)
    return len(offered)


def _list_papers(store: Store, *, settled: bool) -> dict[int, frozenset[str]]:
    """Return the papers of open or of settled proposals, by the proposal's number."""
    rows = store.rows(
        "SELECT proposal_id, json_group_array(arxiv_id) AS papers FROM proposals JOIN proposal_members"
        " USING (proposal_id) WHERE (status <> 'open') = ? GROUP BY proposal_id ORDER BY proposal_id",
        (settled,),
    )
    return {row["proposal_id"]: frozenset(json.loads(row["papers"])) for row in rows}


def _find_same(papers: frozenset[str], proposals: dict[int, frozenset[str]]) -> int | None:
    """Return the number of the proposal that has most of these papers, if it has `SAME` of them; the older of two."""
    shared = {number: len(papers & members) for number, members in proposals.items()}
    best = max(shared, key=lambda number: (shared[number], -number), default=None)
    return best if best is not None and shared[best] >= SAME * len(papers) else None


def _insert(store: Store, proposal: Proposal, place: int, number: int | None, made_at: str) -> None:
    values = {
        "proposal_id": number,
        "proposal_key": proposal.key,
        "made_at": made_at,
        "terms": json.dumps(proposal.terms, ensure_ascii=False),
        "figures": json.dumps(asdict(proposal.figures)),
        "growth": json.dumps(asdict(proposal.growth)),
        "place": place,
    }
    number = store.insert("proposals", values)
    store.connection.executemany(
        "INSERT INTO proposal_members (proposal_id, arxiv_id, closeness) VALUES (?, ?, ?)",
        [(number, member.arxiv_id, member.closeness) for member in proposal.members],
    )


def list_open(store: Store, *, limit: int | None = None) -> list[Row]:
    """Return the open proposals, best first, as `find_proposal` does, but with their central papers alone."""
    rows = store.rows(
        "SELECT proposal_id FROM proposals WHERE status = 'open' ORDER BY place, proposal_id LIMIT ?",
        (-1 if limit is None else limit,),
    )
    return [_read(store, row["proposal_id"], members=CENTRAL) for row in rows]


def find_proposal(store: Store, number: int) -> Row:
    """Return a proposal: `id`, `key`, `status`, `made_at`, `papers`, `terms`, figures, `growth`, and its papers.

    Its papers are `central`, closest to the centre first: `arxiv_id`, `title`, `published`, `closeness`. With what was
    settled stand `settled_by`, `settled_at` and, where it was accepted, `phenomenon`.

    Raises:
        UsageError: there is none of that number.
    """
    if store.value("SELECT 1 FROM proposals WHERE proposal_id = ?", (number,)) is None:
        raise UsageError(f"there is no proposal {number}", "`bmp phenomena propose` lists them; open ones change")
    return _read(store, number, members=None)


def _read(store: Store, number: int, *, members: int | None) -> Row:
    row = store.row("SELECT * FROM proposals WHERE proposal_id = ?", (number,))
    assert row is not None  # whoever calls has just seen it
    papers = store.rows(
        "SELECT p.arxiv_id, r.title, substr(p.published_at, 1, 10) AS published, round(m.closeness, 6) AS closeness"
        " FROM proposal_members m JOIN papers p USING (arxiv_id) JOIN revisions r USING (revision_id)"
        " WHERE m.proposal_id = ? AND NOT p.withdrawn ORDER BY m.closeness DESC, p.arxiv_id",
        (number,),
    )
    return {
        "id": number,
        "key": row["proposal_key"],
        "status": row["status"],
        "made_at": row["made_at"],
        "papers": len(papers),
        "terms": json.loads(row["terms"]),
        **json.loads(row["figures"]),
        "growth": json.loads(row["growth"]),
        "central": papers[:members],
        "phenomenon": row["phenomenon_code"],
        "settled_by": row["settled_by"],
        "settled_at": row["settled_at"],
    }


def settle_proposal(
    store: Store, number: int, status: ProposalStatus, *, by: str, now: str, phenomenon: str | None = None
) -> None:
    """Say that an open proposal was accepted, as which entry, or dismissed. Runs inside a transaction."""
    store.connection.execute(
        "UPDATE proposals SET status = ?, settled_by = ?, settled_at = ?, phenomenon_code = ?"
        " WHERE proposal_id = ? AND status = 'open'",
        (status.value, by, now, phenomenon, number),
    )


def list_taken(store: Store) -> set[str]:
    """Return the papers that are evidence of an entry, or wait to be.

    A candidate that the audit drew does not count: it did not pass, and nobody knows yet whether it is any.
    """
    rows = store.rows(
        "SELECT c.arxiv_id FROM candidates c JOIN phenomena h ON h.code = c.phenomenon_code AND NOT h.retired"
        " LEFT JOIN audits a ON a.candidate_id = c.candidate_id"
        f" LEFT JOIN ({EFFECTIVE_DECISIONS}) e ON e.candidate_id = c.candidate_id"
        " LEFT JOIN decisions d ON d.decision_id = e.decision_id"
        " WHERE CASE WHEN d.kind IS NULL THEN a.candidate_id IS NULL ELSE d.kind <> 'reject' END"
    )
    return {row["arxiv_id"] for row in rows}


def list_refused(store: Store) -> Collection[tuple[str, str]]:
    """Return the pairs of paper and phenomenon that were rejected."""
    codes = [phenomenon.code for phenomenon in list_phenomena(store)]
    return {(row["arxiv_id"], row["phenomenon"]) for row in list_verdicts(store, codes) if row["kind"] == "reject"}
