"""The evidence: which papers bear on which claim, how, and on whose word. Derived from the decisions, never stored."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from db.decisions import EFFECTIVE_DECISIONS, STANDING_ACCEPTANCES
from db.records import Stance, Status
from db.store import Row, Store
from db.text import clean_line, clean_paragraphs, parse_arxiv_id

_EVIDENCE = f"""
    SELECT c.phenomenon_code, c.arxiv_id, r.version, r.title, p.authors, p.categories, p.doi, p.published_at,
        p.withdrawn, a.stance, a.sentence, a.note, a.reviewer, a.decided_at, round(a.score, 6) AS score,
        a.ranker_version, s.kind, s.reason, s.changed_at, s.paper_withdrawn > a.paper_withdrawn AS by_withdrawal
    FROM ({STANDING_ACCEPTANCES}) s
    JOIN decisions a ON a.decision_id = s.acceptance_id
    JOIN candidates c ON c.candidate_id = s.candidate_id
    JOIN papers p ON p.arxiv_id = c.arxiv_id
    JOIN revisions r ON r.revision_id = a.revision_id
"""

# The same by an earlier state of some candidates: what is named so here stands before the table of that name.
_EVIDENCE_UNTIL = f"""
    WITH decisions AS (SELECT * FROM main.decisions
        WHERE decided_at < :until AND candidate_id IN (SELECT value FROM json_each(:candidates)))
    {_EVIDENCE}
"""

_STANCE_ORDER = {stance: order for order, stance in enumerate(Stance)}


@dataclass(frozen=True, slots=True)
class Evidence:
    """A paper that was accepted as bearing on a claim, as it stood when a person decided.

    `version` and `title` are those of the revision that was decided on; `published` is the day of v1. `status` is
    `accepted`, or `reopened` where the paper changed since: then `reason`, `reopened_at` and `by_withdrawal` say
    why, when, and whether it was withdrawn.
    """

    phenomenon: str
    arxiv_id: str
    version: int
    title: str
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    doi: str | None
    published: str
    withdrawn: bool
    stance: Stance
    sentence: str | None
    note: str | None
    reviewer: str
    decided_at: str
    score: float | None
    ranker_version: str | None
    status: Status
    reason: str | None = None
    reopened_at: str | None = None
    by_withdrawal: bool = False

    @property
    def url(self) -> str | None:
        """Return the address of the revision that was decided on, or None if the id is not one of arXiv's."""
        return abs_url(self.arxiv_id, self.version)


def abs_url(arxiv_id: str, version: int | None = None) -> str | None:
    """Return the address of a paper's abstract page, or None if the id is not one of arXiv's."""
    if parse_arxiv_id(arxiv_id) != arxiv_id:
        return None
    return f"https://arxiv.org/abs/{arxiv_id}" + (f"v{version}" if version is not None else "")


def load_evidence(store: Store) -> dict[str, tuple[Evidence, ...]]:
    """Return the evidence by phenomenon, accepted and re-opened; by stance, then day of publication, then id.

    The order hangs on what is said of the papers, not on when they were harvested or decided on.
    """
    found: defaultdict[str, list[Evidence]] = defaultdict(list)
    for row in store.rows(_EVIDENCE):
        found[row["phenomenon_code"]].append(_evidence(row))
    return {code: tuple(sorted(pieces, key=_order)) for code, pieces in found.items()}


def load_past_evidence(store: Store, candidates: Collection[int], until: str) -> list[Evidence]:
    """Return what these candidates were evidence for before a moment, as text; re-opened ones too."""
    asked = {"candidates": json.dumps(list(candidates)), "until": until}
    return [_evidence(row) for row in store.rows(_EVIDENCE_UNTIL, asked)]


def _order(piece: Evidence) -> tuple[int, str, str]:
    return _STANCE_ORDER[piece.stance], piece.published, piece.arxiv_id


def _evidence(row: Row) -> Evidence:
    reopened = row["kind"] == "reopen"
    return Evidence(
        phenomenon=row["phenomenon_code"],
        arxiv_id=row["arxiv_id"],
        version=row["version"],
        title=clean_line(row["title"]),
        authors=tuple(clean_line(author) for author in json.loads(row["authors"])),
        categories=tuple(row["categories"].split()),
        doi=row["doi"],
        published=row["published_at"][:10],
        withdrawn=bool(row["withdrawn"]),
        stance=Stance(row["stance"]),
        sentence=clean_line(row["sentence"] or "") or None,
        note=clean_paragraphs(row["note"] or "") or None,
        reviewer=clean_line(row["reviewer"]),
        decided_at=row["decided_at"],
        score=row["score"],
        ranker_version=row["ranker_version"],
        status=Status.REOPENED if reopened else Status.ACCEPTED,
        reason=clean_line(row["reason"] or "") if reopened else None,
        reopened_at=row["changed_at"] if reopened else None,
        by_withdrawal=reopened and bool(row["by_withdrawal"]),
    )


def count_evidence(store: Store) -> dict[str, dict[str, int]]:
    """Return how many accepted papers stand how to each phenomenon, in the catalogue's order; zeros included."""
    counts = {
        row["code"]: {stance.value: 0 for stance in Stance}
        for row in store.rows("SELECT code FROM phenomena WHERE NOT retired ORDER BY position, code")
    }
    for row in store.rows(
        f"SELECT c.phenomenon_code AS code, d.stance, count(*) AS count FROM ({EFFECTIVE_DECISIONS}) e"
        " JOIN decisions d USING (decision_id) JOIN candidates c ON c.candidate_id = d.candidate_id"
        " JOIN phenomena h ON h.code = c.phenomenon_code"
        " WHERE d.kind = 'accept' AND NOT h.retired GROUP BY c.phenomenon_code, d.stance"
    ):
        counts[row["code"]][row["stance"]] = row["count"]
    return counts


def count_stances(evidence: Sequence[Evidence]) -> Mapping[str, int]:
    """Return how many pieces stand how, all four stances in their order."""
    return {stance.value: sum(piece.stance is stance for piece in evidence) for stance in Stance}
