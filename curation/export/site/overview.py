"""What the first page says, as plain values for the template."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from curation.export.knowledge import Entry, Knowledge
from curation.export.site.addresses import page_of
from curation.export.site.figures import Balance, Plot, find_balance, plot_all_years
from curation.export.site.moved import Month
from db.records import Aspect, Maturity

ASPECTS = {Aspect.HOW: ("How", "How large models are trained."), Aspect.WHAT: ("What", "What large models come to be.")}
LEVELS = (Maturity.ESTABLISHED, Maturity.REPLICATED, Maturity.OBSERVED, Maturity.CONTESTED)


@dataclass(frozen=True, slots=True)
class Row:
    """An entry in the overview."""

    code: str
    title: str
    claim: str
    href: str
    maturity: str
    balance: Balance
    groups: int
    under_review: int
    conflicts: int


@dataclass(frozen=True, slots=True)
class Group:
    """A group of entries of one aspect."""

    name: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Half:
    """How, or what."""

    key: str
    name: str
    subtitle: str
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """The first page; `moved` tells whether anything ever moved."""

    halves: tuple[Half, ...]
    phenomena: int
    papers: int
    moved: bool
    maturities: Mapping[str, int]
    plot: Plot | None


def make_overview(knowledge: Knowledge, months: Iterable[Month]) -> Overview:
    """Return what the first page says."""
    maturities = [entry.phenomenon.maturity for entry in knowledge.entries]
    return Overview(
        halves=tuple(half for aspect in ASPECTS if (half := _half(knowledge, aspect)).groups),
        phenomena=len(knowledge.entries),
        papers=len({piece.arxiv_id for piece in knowledge.evidence}),
        moved=any(month.count for month in months),
        maturities={one.value: maturities.count(one) for one in LEVELS},
        plot=plot_all_years([entry.figures.timeline for entry in knowledge.entries]),
    )


def _half(knowledge: Knowledge, aspect: Aspect) -> Half:
    groups: dict[str, list[Row]] = {}
    for entry in knowledge.entries:
        if entry.phenomenon.aspect is aspect:
            groups.setdefault(entry.phenomenon.group, []).append(_row(entry))
    name, subtitle = ASPECTS[aspect]
    return Half(aspect.value, name, subtitle, tuple(Group(name, tuple(rows)) for name, rows in groups.items()))


def _row(entry: Entry) -> Row:
    phenomenon = entry.phenomenon
    return Row(
        phenomenon.code, phenomenon.title, phenomenon.statement, page_of(phenomenon.code), phenomenon.maturity.value,
        find_balance(entry.figures.papers), entry.figures.independent, len(entry.under_review), len(entry.conflicts),
    )  # fmt: skip
