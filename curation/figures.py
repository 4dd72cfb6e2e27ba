"""How a claim stands: what the evidence for it comes to in figures, and what maturity these suggest.

Papers that share authors are no independent word for a claim, so that groups of papers are counted: two papers are of
one group if they share an author, or are joined by papers that do.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from curation.evidence import Evidence, count_stances
from db.records import Maturity, Stance

LEVEL = 0.95
_Z = 1.959963984540054  # the normal distribution's 97.5% point, for a two-sided interval of that level

# The rules of maturity.
REPLICATED_FROM = 2  # independent groups that support the claim
ESTABLISHED_FROM = 5
ESTABLISHED_OVER_DAYS = 365  # from the first supporting paper to the newest
SURE_FROM = 0.5  # of the interval's lower end: most of those who decided the question support it

_WORD = re.compile(r"\w+")
_SUFFIXES = frozenset({"jr", "sr", "ii", "iii", "iv"})
Name = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """The share of independent groups that support the claim, among those that support or contradict it.

    `low` and `high` are Wilson's score interval at `LEVEL` (Wilson 1927): it stays within 0 and 1, is no point where
    all agree, and covers well for the few groups that there are (Brown, Cai and DasGupta 2001, doi
    10.1214/ss/1009213286). A group whose papers disagree counts in part.
    """

    value: float
    low: float
    high: float
    groups: int


@dataclass(frozen=True, slots=True)
class Year:
    """How many papers of a year stand how, all four stances in their order."""

    year: int
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Figures:
    """What the evidence for one claim comes to; withdrawn papers are left out.

    Attributes:
        papers: how many papers stand how, all four stances in their order.
        groups: how many independent groups have a paper that stands so.
        independent: how many independent groups there are in all.
        share: None where no group supports or contradicts the claim.
        first_supported: the day of the first supporting paper's v1, None where there is none.
        newest_support: the day of the newest one's.
        timeline: by the year of v1, from the first year with a paper to the last, none left out.
    """

    papers: Mapping[str, int]
    groups: Mapping[str, int]
    independent: int
    share: Share | None
    first_supported: str | None
    newest_support: str | None
    timeline: tuple[Year, ...]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The maturity that the rules suggest, and the sentence that says why."""

    maturity: Maturity
    reason: str


def find_figures(evidence: Iterable[Evidence]) -> Figures:
    """Return what the accepted evidence for one claim comes to."""
    pieces = tuple(piece for piece in evidence if not piece.withdrawn)
    groups = group_by_authors(pieces)
    supporting = sorted(piece.published for piece in pieces if piece.stance is Stance.SUPPORTS)
    return Figures(
        papers=count_stances(pieces),
        groups={stance.value: sum(any(one.stance is stance for one in group) for group in groups) for stance in Stance},
        independent=len(groups),
        share=_find_share(groups),
        first_supported=supporting[0] if supporting else None,
        newest_support=supporting[-1] if supporting else None,
        timeline=_find_timeline(pieces),
    )


def suggest_maturity(figures: Figures) -> Suggestion:
    """Return the maturity that the figures suggest, by the first rule that holds.

    contested: a group contradicts the claim, and Wilson's interval leaves open whether most groups support it.
    established: 5 groups or more support it, over a year or longer.
    replicated: 2 groups or more support it.
    observed: all else.
    """
    if not figures.independent:
        return Suggestion(Maturity.OBSERVED, "nothing is accepted yet")
    supports, contradicts = figures.groups[Stance.SUPPORTS], figures.groups[Stance.CONTRADICTS]
    told = f"{supports} independent group{'' if supports == 1 else 's'} for, {contradicts} against"
    if contradicts and (figures.share is None or figures.share.low < SURE_FROM):
        return Suggestion(Maturity.CONTESTED, f"{told}: it is open whether most support it")
    days = _days_between(figures.first_supported, figures.newest_support)
    if supports >= ESTABLISHED_FROM and days >= ESTABLISHED_OVER_DAYS:
        return Suggestion(Maturity.ESTABLISHED, f"{told}, over {days / 365.25:.1f} years")
    if supports >= REPLICATED_FROM:
        return Suggestion(Maturity.REPLICATED, told)
    return Suggestion(Maturity.OBSERVED, told)


def _days_between(first: str | None, last: str | None) -> int:
    return (date.fromisoformat(last) - date.fromisoformat(first)).days if first and last else 0


def wilson_interval(successes: float, trials: float) -> tuple[float, float]:
    """Return Wilson's score interval of a share at `LEVEL`; `trials` is above zero."""
    share, weight = successes / trials, _Z * _Z / trials
    middle = (share + weight / 2) / (1 + weight)
    half = _Z / (1 + weight) * math.sqrt(share * (1 - share) / trials + weight / (4 * trials))
    return max(0.0, middle - half), min(1.0, middle + half)


def _find_share(groups: Sequence[Sequence[Evidence]]) -> Share | None:
    votes = []
    for group in groups:
        counts = count_stances(group)
        decided = counts[Stance.SUPPORTS] + counts[Stance.CONTRADICTS]
        if decided:
            votes.append(counts[Stance.SUPPORTS] / decided)
    if not votes:
        return None
    low, high = wilson_interval(math.fsum(votes), len(votes))
    return Share(round(math.fsum(votes) / len(votes), 6), round(low, 6), round(high, 6), len(votes))


def _find_timeline(pieces: Sequence[Evidence]) -> tuple[Year, ...]:
    by_year: defaultdict[int, list[Evidence]] = defaultdict(list)
    for piece in pieces:
        by_year[int(piece.published[:4])].append(piece)
    if not by_year:
        return ()
    years = range(min(by_year), max(by_year) + 1)
    return tuple(Year(year, count_stances(by_year.get(year, ()))) for year in years)


def group_by_authors(pieces: Sequence[Evidence]) -> list[list[Evidence]]:
    """Return the papers in groups that share no author, in the order in which each group's first paper stands."""
    parents = list(range(len(pieces)))

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    for first, second in _sharing(pieces):
        parents[root(second)] = root(first)
    groups: defaultdict[int, list[Evidence]] = defaultdict(list)
    for index, piece in enumerate(pieces):
        groups[root(index)].append(piece)
    return list(groups.values())


def _sharing(pieces: Sequence[Evidence]) -> Iterable[tuple[int, int]]:
    """Yield pairs of papers, by place, that share an author; enough of them to join each group."""
    papers: defaultdict[Name, list[int]] = defaultdict(list)
    for index, piece in enumerate(pieces):
        for name in {_fold(author) for author in piece.authors} - {()}:
            papers[name].append(index)
    alike: defaultdict[tuple[str, str], list[Name]] = defaultdict(list)
    for name, indices in papers.items():
        yield from ((indices[0], other) for other in indices[1:])
        for given in {name[0], name[0][0]}:  # by the first name, and where that is an initial, by it
            alike[name[-1], given].append(name)
    for (_, given), names in alike.items():
        short = [name for name in names if len(name[0]) == 1] if len(given) == 1 else names
        for one in short:
            yield from ((papers[one][0], papers[other][0]) for other in names if _may_be_one(one, other))


def _fold(author: str) -> Name:
    """Return a name's words in lower case without accents, `Jr.` and the like: `J. Løvås-Ruud` is `j`, `løvas`, `ruud`.

    Initials that were written together come apart: `JB` is `j`, `b`.
    """
    plain = "".join(char for char in unicodedata.normalize("NFKD", author) if not unicodedata.combining(char))
    words = [word for word in _WORD.findall(plain) if word.casefold() not in _SUFFIXES]
    if len(words) > 1 and len(words[0]) == 2 and words[0].isupper() and not author.isupper():
        words[:1] = list(words[0])
    return tuple(word.casefold() for word in words)


def _may_be_one(one: Name, other: Name) -> bool:
    """Tell whether two names with the same surname may be one person's: J., Jared and Jared D. Kaplan.

    Their given names must agree as far as both are told, an initial with what begins with it.
    """
    given, others = one[:-1], other[:-1]
    return bool(given and others) and all(_agree(a, b) for a, b in zip(given, others, strict=False))


def _agree(one: str, other: str) -> bool:
    return one == other or (min(len(one), len(other)) == 1 and one[0] == other[0])
