"""How figures are shown: balances as bars, the interval of a share, years as a plot with its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from curation.export.site.plots import INKS, draw_years
from curation.export.site.svg import make_inline
from curation.figures import Share, Year
from db.records import Stance

STANCE_WORDS = {
    Stance.SUPPORTS.value: ("supports", "support"),
    Stance.CONTRADICTS.value: ("contradicts", "contradict"),
    Stance.QUALIFIES.value: ("qualifies", "qualify"),
    Stance.MENTIONS.value: ("mentions", "mention"),
}


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a balance bar; `start` and `width` are percent of the bar."""

    stance: str
    count: int
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class Balance:
    """How many papers stand how: as a bar's segments, and as a sentence."""

    segments: tuple[Segment, ...]
    papers: int
    told: str


@dataclass(frozen=True, slots=True)
class Interval:
    """A share of groups with its interval, in whole percent, and the sentence that says it."""

    value: int
    low: int
    high: int
    told: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing, its caption, and its figures as a table: rows of a heading and cells."""

    svg: str
    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]


def find_balance(counts: Mapping[str, int]) -> Balance:
    """Return the balance of papers by stance."""
    total = sum(counts.values())
    segments = []
    before = 0
    for stance, count in counts.items():
        if count:
            segments.append(Segment(stance, count, round(100 * before / total, 3), round(100 * count / total, 3)))
        before += count
    told = ", ".join(f"{one.count} {_word(one)}" for one in segments) or "no evidence yet"
    return Balance(tuple(segments), total, told)


def _word(segment: Segment) -> str:
    return STANCE_WORDS[segment.stance][segment.count != 1]


def find_interval(share: Share) -> Interval:
    """Return a share in whole percent."""
    value, low, high = (round(100 * part) for part in (share.value, share.low, share.high))
    groups = "the one independent group" if share.groups == 1 else f"the {share.groups} independent groups"
    told = f"Of {groups} that decided the question, {value}% support the claim (95% interval: {low} to {high}%)."
    return Interval(value, low, high, told)


def plot_timeline(timeline: Sequence[Year], about: str) -> Plot:
    """Return the papers of a claim by year; there is one or more."""
    title = f"Evidence on {about} by year of the paper"
    return _plot_years("timeline", timeline, title, "Papers by year of their first version")


def plot_all_years(timelines: Sequence[Sequence[Year]]) -> Plot | None:
    """Return all evidence by year, None where there is none; a paper counts once for each claim it bears on."""
    sums: dict[int, dict[str, int]] = {}
    for timeline in timelines:
        for year in timeline:
            counts = sums.setdefault(year.year, {stance.value: 0 for stance in Stance})
            for stance, count in year.counts.items():
                counts[stance] += count
    if not sums:
        return None
    nothing = {stance.value: 0 for stance in Stance}
    years = [Year(year, sums.get(year, nothing)) for year in range(min(sums), max(sums) + 1)]
    return _plot_years("years", years, "All evidence by year of the paper", "Evidence by year of the paper")


def _plot_years(name: str, years: Sequence[Year], title: str, caption: str) -> Plot:
    totals = {year.year: sum(year.counts.values()) for year in years}
    most = max(totals, key=lambda year: totals[year])
    description = (
        f"Stacked columns, {years[0].year} to {years[-1].year}: {sum(totals.values())} in all, most in {most}"
        f" ({totals[most]}). The figures stand in the table below."
    )
    rows = tuple((str(year.year), tuple(year.counts.values())) for year in years)
    svg = make_inline(draw_years(years), name, title, description, INKS)
    return Plot(svg, caption, ("Year", *(stance.value.capitalize() for stance in Stance)), rows)
