"""Made papers: what a stand-in of arXiv has in its database."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

CATEGORIES = (
    *("cs.LG", "cs.CL cs.LG", "stat.ML cs.LG", "cs.AI cs.CL", "cs.CV cs.LG cs.AI", "cs.LG math.OC stat.ML"),
    *("cs.NE cs.LG", "cs.DB", "cond-mat.dis-nn cs.LG", "hep-th"),
)
PER_DAY = 3000
LICENCES = ("http://arxiv.org/licenses/nonexclusive-distrib/1.0/", "http://creativecommons.org/licenses/by/4.0/")


class MadeVersion(NamedTuple):
    """One version: its number, when it was submitted (aware), arXiv's source flags ("" for plain TeX), its size."""

    number: int
    submitted: datetime
    source_type: str
    size_kilobytes: int


@dataclass(frozen=True, slots=True)
class MadePaper:
    """A paper as arXiv's database has it: all versions, the text of the newest.

    `modified` is when the record last changed: a day, which counts as its midnight in UTC, or an aware datetime.
    A `deleted` paper shows as a deleted header, which the protocol allows and arXiv itself never sends. `announced` is
    the day of the newest version's announcement where that is not the day of `modified`.
    """

    arxiv_id: str
    versions: tuple[MadeVersion, ...]
    title: str
    abstract: str
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    comments: str | None
    modified: date
    journal_ref: str | None = None
    doi: str | None = None
    deleted: bool = False
    license: str | None = LICENCES[0]
    announced: date | None = None

    @property
    def modified_at(self) -> datetime:
        """The second by which arXiv sorts its lists."""
        if isinstance(self.modified, datetime):
            return self.modified.astimezone(UTC)
        return datetime.combine(self.modified, time(), UTC)

    @property
    def datestamp(self) -> date:
        """The day, in UTC, under which OAI-PMH lists the record."""
        return self.modified_at.date()

    @property
    def announced_on(self) -> date:
        """The day on which the newest version was announced, and stood in the feeds."""
        return self.announced or self.datestamp

    @property
    def newest(self) -> MadeVersion:
        """The version that is shown."""
        return max(self.versions)

    def touched(self, at: date) -> MadePaper:
        """Return the paper after an administrative change: a new datestamp, nothing else."""
        return replace(self, modified=at, announced=self.announced_on)

    def revised(self, at: datetime, *, title: str | None = None, abstract: str | None = None) -> MadePaper:
        """Return the paper with one more version, submitted and modified at `at`."""
        version = MadeVersion(self.newest.number + 1, at, self.newest.source_type, self.newest.size_kilobytes + 1)
        changed = replace(self, versions=(*self.versions, version), modified=at, announced=None)
        return replace(changed, title=title or self.title, abstract=abstract or self.abstract)

    def withdrawn(self, at: datetime) -> MadePaper:
        """Return the paper withdrawn: at arXiv that is one more version, without size, with the source flag I."""
        version = MadeVersion(self.newest.number + 1, at, "I", 0)
        comment = "This paper has been withdrawn by the authors"
        return replace(self, versions=(*self.versions, version), modified=at, announced=None, comments=comment)


def make_papers(
    n: int,
    *,
    day: date,
    days: int = 1,
    categories: Sequence[str] = CATEGORIES,
    seed: int = 0,
    start: int | None = None,
) -> list[MadePaper]:
    """Make n papers, announced evenly over `days` days from `day` on, the same for the same arguments.

    Each of `categories` is a line as arXiv has it, the primary one first: "cs.CL cs.LG". Numbers begin at `start`;
    by default every day of a month has 3,000 numbers of its own, so that two days do not collide.

    Raises:
        ValueError: five digits do not hold the numbers.
    """
    first = (day.day - 1) * PER_DAY + 1 if start is None else start
    if first + n > 100_000:
        raise ValueError(f"{n} papers from number {first} on do not fit into five digits: hand in a smaller start")
    return [
        _make_paper(first + i, day + timedelta(days=i * days // n), categories[i % len(categories)], seed)
        for i in range(n)
    ]


_HOW = ("Scaling", "Sharpening", "Pruning", "Revisiting", "Forecasting", "Distilling", "Understanding", "Measuring")
_WHAT = (
    *("sparse attention", "in-context learning", "loss curves", "data mixtures", "grokking", "batch size"),
    *("emergent skills", "double descent", "learning rates", "mixture-of-experts routing", "weight decay"),
)
_WHERE = (
    *("under a fixed budget", "in small models", r"when $N \to \infty$", "with R&D data", "for width < depth"),
    *("across three orders of magnitude", "without labels", "near the edge of stability", "at the end of training"),
)
_FAMILY = (r"M\"uller", "Okafor", "Lindqvist", "Tanaka", "Rossi", r"Nov\'ak", "Haddad", "Silva", "O'Brien", "Zhang")
_GIVEN = ("Ada", "Bo", "Chidi", "Dana", "Emi", "Farid", "Greta", "Hugo", "Ines", "Jun", "Kofi", "Lea")
_CLAIMS = (
    "The loss falls as a power law in compute, with an exponent of 0.{n}.",
    "We train {n} models and find no sign of a plateau.",
    "A simple rule predicts the optimum within {n} per cent.",
    "The effect is gone once the data are deduplicated, in {n} of 100 runs.",
    r"We prove that the error is at most $O(\sqrt{{{n}}})$ & show that the bound is tight.",
    "Accuracy stays at chance for {n} thousand steps, then rises to one.",
    "Our code needs no more than {n} GB of memory.",
)


def _make_paper(number: int, day: date, categories: str, seed: int) -> MadePaper:
    chance = random.Random(f"{seed}/{day}/{number}")
    authors = tuple(f"{chance.choice(_GIVEN)} {name}" for name in chance.sample(_FAMILY, chance.randint(1, 6)))
    published = chance.random() < 0.1
    return MadePaper(
        arxiv_id=f"{day:%y%m}.{number:05d}",
        versions=_make_versions(day, chance),
        title=f"{chance.choice(_HOW)} {chance.choice(_WHAT)} {chance.choice(_WHERE)}: study {seed}-{day:%y%m}.{number}",
        abstract=_make_abstract(number, chance),
        authors=authors,
        categories=tuple(categories.split()),
        comments=None if chance.random() < 0.3 else f"{chance.randint(4, 60)} pages, {chance.randint(1, 20)} figures",
        modified=day,
        journal_ref=f"J. Made Results {chance.randint(1, 40)}, {number} ({day.year})" if published else None,
        doi=f"10.5555/made.{day:%y%m}.{number}" if published else None,
        license=chance.choice(LICENCES),
    )


def _make_versions(day: date, chance: random.Random) -> tuple[MadeVersion, ...]:
    """Most papers are new; one in six is the announcement of a second version."""
    last = datetime.combine(day, time(), UTC) - timedelta(seconds=chance.randint(6 * 3600, 30 * 3600))
    count = 2 if chance.random() < 1 / 6 else 1
    submitted = [last - timedelta(days=30 * back) for back in reversed(range(count))]
    source_type = chance.choice(("", "D", "D", "D", "AD"))
    return tuple(MadeVersion(i, at, source_type, chance.randint(12, 9000)) for i, at in enumerate(submitted, 1))


def _make_abstract(number: int, chance: random.Random) -> str:
    claims = [claim.format(n=chance.randint(2, 98)) for claim in chance.sample(_CLAIMS, chance.randint(3, 5))]
    opening = f"We study {chance.choice(_WHAT)} {chance.choice(_WHERE)} in setting {number}."
    return " ".join([opening, *claims])
