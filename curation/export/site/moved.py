"""What moved, for reading: each move with its links, by month and kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from curation.evidence import Evidence, abs_url
from curation.export.knowledge import Knowledge
from curation.export.site.addresses import page_of, place_of
from curation.moves import Move, MoveKind, Moves

TOGETHER = 300  # moves on one page

# A heading, and the word in a summary such as "3 added, 1 retired".
_WORDS = {
    MoveKind.PROMOTED: ("Promoted", "promoted"),
    MoveKind.DEMOTED: ("Demoted", "demoted"),
    MoveKind.WITHDRAWN: ("Withdrawn by their authors", "withdrawn"),
    MoveKind.REOPENED: ("Re-opened by a new revision", "re-opened"),
    MoveKind.ADDED: ("Evidence added", "added"),
    MoveKind.CHANGED: ("Evidence decided anew", "decided anew"),
    MoveKind.REMOVED: ("Evidence removed", "removed"),
    MoveKind.NEW: ("New entries", "new"),
    MoveKind.REWORDED: ("Reworded", "reworded"),
    MoveKind.RETIRED: ("Retired", "retired"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """A move: of which entry, of which paper, from what to what, by whom and when.

    `href` and `paper_href` are paths on the site or addresses at arXiv; `paper_href` is None where a paper has none.
    """

    kind: str
    heading: str
    code: str
    title: str
    href: str
    paper: str | None
    paper_href: str | None
    stance: str | None
    before: str | None
    after: str | None
    successors: tuple[tuple[str, str], ...]
    by: str
    on: str
    note: str | None

    @property
    def of_a_person(self) -> bool:
        """Return whether a person did it; what arXiv told re-opens by itself."""
        return self.kind not in (MoveKind.WITHDRAWN, MoveKind.REOPENED)


@dataclass(frozen=True, slots=True)
class Kind:
    """The moves of one kind."""

    heading: str
    moves: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Month:
    """What moved in a month; `key` is such as 2026-11, `href` its page where it has one of its own."""

    key: str
    href: str | None
    name: str
    count: int
    loaded: int
    summary: str
    kinds: tuple[Kind, ...]


def list_told_months(knowledge: Knowledge) -> tuple[Month, ...]:
    """Return the months in which anything moved, the newest first; those after the first `TOGETHER` moves, but for the
    newest, have pages of their own.
    """
    places = find_places(knowledge)
    told: list[Month] = []
    count = 0
    for moves in knowledge.months:
        count += len(moves.moves)
        told.append(_month(moves, places, alone=bool(told) and count > TOGETHER))
    return tuple(told)


def list_told_moves(month: Month) -> Iterator[Told]:
    """Yield the moves of a month, by kind."""
    for kind in month.kinds:
        yield from kind.moves


def find_places(knowledge: Knowledge) -> Mapping[tuple[str, str], str]:
    """Return where a paper stands on the page of an entry, by both."""
    return {
        (piece.phenomenon, piece.arxiv_id): f"{page_of(piece.phenomenon)}#{place_of(piece.arxiv_id)}"
        for entry in knowledge.entries
        for piece in (*entry.evidence, *entry.under_review)
    }


def _month(moves: Moves, places: Mapping[tuple[str, str], str], *, alone: bool) -> Month:
    by_kind = [(kind, tuple(members)) for kind, members in groupby(moves.moves, lambda move: move.kind)]
    kinds = tuple(Kind(_WORDS[kind][0], tuple(_tell(one, places) for one in members)) for kind, members in by_kind)
    summary = ", ".join(f"{len(members)} {_WORDS[kind][1]}" for kind, members in by_kind)
    name = date.fromisoformat(moves.since).strftime("%B %Y")
    key = moves.since[:7]
    return Month(key, f"moved/{key}.html" if alone else None, name, len(moves.moves), moves.loaded, summary, kinds)


def _tell(move: Move, places: Mapping[tuple[str, str], str]) -> Told:
    evidence = move.evidence
    retired = move.kind is MoveKind.RETIRED
    successors = [code for code in (move.after or "").split(", ") if code] if retired else []
    return Told(
        kind=move.kind.value,
        heading=_WORDS[move.kind][0],
        code=move.phenomenon,
        title=move.title,
        href=page_of(move.phenomenon),
        paper=evidence.title if evidence else None,
        paper_href=_find_place(evidence, places) if evidence else None,
        stance=evidence.stance.value if evidence else None,
        before=move.before,
        after=None if retired else move.after,
        successors=tuple((code, page_of(code)) for code in successors),
        by=move.by,
        on=move.at[:10],
        note=move.note,
    )


def _find_place(evidence: Evidence, places: Mapping[tuple[str, str], str]) -> str | None:
    here = places.get((evidence.phenomenon, evidence.arxiv_id))
    return here or abs_url(evidence.arxiv_id, evidence.version)
