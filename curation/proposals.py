"""What a person makes of a proposal: an entry of the catalogue with its first evidence, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from curation.review import Decision, Review
from db.candidates import add_candidate
from db.errors import UsageError
from db.proposals import CENTRAL, ProposalStatus, find_proposal, settle_proposal
from db.records import CatalogueChange, ChangeKind, Phenomenon, Stance, Verdict
from db.store import Row, Store
from db.text import clean_line
from db.upkeep import require_free_codes, save_phenomena


@dataclass(frozen=True, slots=True)
class Acceptance:
    """How a proposal becomes an entry.

    Attributes:
        entry: the entry; where it has no keywords or references, they are the proposal's terms and central papers.
        evidence: the papers of the proposal that are its first evidence; none named: the central ones.
        stance: how these bear on the claim.
    """

    entry: Phenomenon
    evidence: Sequence[str] = ()
    stance: Stance = Stance.SUPPORTS


def accept_proposal(store: Store, review: Review, number: int, acceptance: Acceptance, *, now: str) -> Row:
    """Make the entry, accept its first evidence as the reviewer's own decisions, and queue the other papers.

    All of it is written, or nothing. Returns `code`, `accepted` and `queued`, both lists of arXiv ids.

    Raises:
        UsageError: there is no such proposal, it is settled, or the evidence is not of it.
        CatalogueError: the code is or was another entry's.
        DecisionError: the reviewer cannot decide.
    """
    with store.transaction():
        proposal = _require_open(store, number)
        require_free_codes(store, [acceptance.entry])
        central = [paper["arxiv_id"] for paper in proposal["central"][:CENTRAL]]
        evidence = list(dict.fromkeys(acceptance.evidence)) or central
        members = [paper["arxiv_id"] for paper in proposal["central"]]
        _refuse_strangers(number, evidence, members)
        entry = replace(
            acceptance.entry,
            keywords=acceptance.entry.keywords or tuple(map(clean_line, proposal["terms"])),
            references=acceptance.entry.references or tuple(central),
        )
        origin = f"from proposal {number}"
        save_phenomena(store, [entry], CatalogueChange(ChangeKind.ADD, review.reviewer, now, origin))
        decision = Decision(Verdict.ACCEPT, acceptance.stance, f"first evidence, {origin}")
        for arxiv_id in evidence:
            review.append_on_paper(arxiv_id, entry.code, decision)
        others = [arxiv_id for arxiv_id in members if arxiv_id not in evidence]
        for arxiv_id in others:
            add_candidate(store, arxiv_id, entry.code, now=now)
        settle_proposal(store, number, ProposalStatus.ACCEPTED, by=review.reviewer, now=now, phenomenon=entry.code)
    return {"code": entry.code, "accepted": evidence, "queued": others}


def dismiss_proposal(store: Store, review: Review, number: int, *, now: str) -> None:
    """Put a proposal away, so that it is not made again.

    Raises:
        UsageError: there is no such proposal, or it is settled.
    """
    with store.transaction():
        _require_open(store, number)
        settle_proposal(store, number, ProposalStatus.DISMISSED, by=review.reviewer, now=now)


def _require_open(store: Store, number: int) -> Row:
    proposal = find_proposal(store, number)
    if proposal["status"] != ProposalStatus.OPEN:
        as_what = f" as {proposal['phenomenon']}" if proposal["phenomenon"] else ""
        by = f"by {clean_line(proposal['settled_by'])}, {proposal['settled_at']}"
        raise UsageError(
            f"proposal {number} was {proposal['status']}{as_what} {by}",
            "`bmp phenomena propose` lists the open ones",
        )
    return proposal


def _refuse_strangers(number: int, evidence: Sequence[str], members: Sequence[str]) -> None:
    if strangers := [arxiv_id for arxiv_id in evidence if arxiv_id not in members]:
        raise UsageError(
            f"{strangers[0]} is not a paper of proposal {number}",
            f"`bmp phenomena propose --show {number}` lists them; decide on others with `bmp queue decide --paper`",
        )
