"""How a claim stands: groups that share no author, Wilson's interval, and the rules of maturity."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from curation.evidence import Evidence
from curation.figures import find_figures, group_by_authors, suggest_maturity, wilson_interval
from db.records import Maturity, Stance, Status

SUPPORTS, CONTRADICTS, QUALIFIES, MENTIONS = Stance


def piece(number: int, authors: str, stance: Stance = SUPPORTS, published: str = "2024-01-01") -> Evidence:
    """Return a piece of evidence by these authors, whose names stand between commas."""
    return Evidence(
        phenomenon="W2.2",
        arxiv_id=f"2401.{number:05d}",
        version=1,
        title=f"Title {number}",
        authors=tuple(name.strip() for name in authors.split(",") if name.strip()),
        categories=("cs.LG",),
        doi=None,
        published=published,
        withdrawn=False,
        stance=stance,
        sentence=None,
        note=None,
        reviewer="ada",
        decided_at="2026-11-24T06:30:00Z",
        score=None,
        ranker_version=None,
        status=Status.ACCEPTED,
    )


def strangers(supports: int, contradicts: int = 0, years: int = 0) -> list[Evidence]:
    """Return papers of people who never wrote together, the newest of them `years` after the others."""
    stances = [SUPPORTS] * supports + [CONTRADICTS] * contradicts
    pieces = [piece(number, f"Author{number} Name{number}", stance) for number, stance in enumerate(stances)]
    if pieces:
        pieces[0] = replace(pieces[0], published=f"{2024 + years}-01-01")
    return pieces


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("Jared Kaplan, Sam McCandlish", "Tom Henighan, Jared Kaplan", True),
        ("Jared Kaplan", "J. Kaplan", True),
        ("Jared D. Kaplan", "J. Kaplan", True),
        ("J. D. Kaplan", "Jared Kaplan", True),
        ("J. D. Kaplan", "John M. Kaplan", False),
        ("Tom B. Brown", "Tom Brown", True),
        ("Quoc V. Le", "Quoc Le", True),
        ("John Smith Jr.", "John Smith", True),
        ("JB Alayrac", "Jean-Baptiste Alayrac", True),
        ("Wei Zhang", "Wei-Lin Zhang", True),
        ("Tom B. Brown", "Tom C. Brown", False),
        ("Jared Kaplan", "John Kaplan", False),
        ("José Peña", "Jose Pena", True),
        ("ADA BYRON", "Ada Byron", True),
        ("Kaplan", "J. Kaplan", False),
        ("", "", False),
        ("Wei Zhang", "Wen Zhang", False),
    ],
)
def test_papers_of_one_author_are_of_one_group(first: str, second: str, same: bool) -> None:
    assert len(group_by_authors([piece(1, first), piece(2, second)])) == (1 if same else 2)


def test_papers_are_joined_by_others_that_share_an_author_with_each() -> None:
    pieces = [piece(1, "Ada One"), piece(2, "Cy Three"), piece(3, "Ben Two, Cy Three"), piece(4, "Ada One, Ben Two")]
    assert len(group_by_authors(pieces)) == 1
    assert len(group_by_authors(pieces[:3])) == 2


@given(st.integers(1, 60).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))))
def test_the_interval_is_wilsons(counts: tuple[int, int]) -> None:
    successes, trials = counts
    low, high = binomtest(successes, trials).proportion_ci(confidence_level=0.95, method="wilson")
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=1e-9)


def test_a_group_counts_once_however_many_papers_it_has() -> None:
    pieces = [*strangers(1, 1), *(piece(number, "Busy Writer") for number in range(10, 20))]
    figures = find_figures(pieces)
    assert figures.papers == {"supports": 11, "contradicts": 1, "qualifies": 0, "mentions": 0}
    assert figures.groups == {"supports": 2, "contradicts": 1, "qualifies": 0, "mentions": 0}
    assert figures.independent == 3
    assert figures.share is not None
    assert (figures.share.value, figures.share.groups) == (pytest.approx(2 / 3, abs=1e-6), 3)


def test_a_group_that_says_both_counts_in_part_and_one_that_says_neither_does_not() -> None:
    pieces = [piece(1, "Ada One"), piece(2, "Ada One", CONTRADICTS), piece(3, "Cy Three", MENTIONS)]
    share = find_figures(pieces).share
    assert share is not None
    assert (share.value, share.groups) == (0.5, 1)
    assert find_figures([piece(3, "Cy Three", QUALIFIES)]).share is None


def test_withdrawn_papers_are_left_out() -> None:
    assert find_figures([replace(piece(1, "Ada One"), withdrawn=True)]).independent == 0


def test_the_timeline_leaves_no_year_out() -> None:
    pieces = [piece(1, "A B", published="2021-05-01"), piece(2, "C D", CONTRADICTS, published="2024-01-31")]
    figures = find_figures(pieces)
    assert [(year.year, year.counts["supports"], year.counts["contradicts"]) for year in figures.timeline] == [
        (2021, 1, 0), (2022, 0, 0), (2023, 0, 0), (2024, 0, 1),
    ]  # fmt: skip
    assert (figures.first_supported, figures.newest_support) == ("2021-05-01", "2021-05-01")


@pytest.mark.parametrize(
    ("supports", "contradicts", "years", "maturity"),
    [
        (0, 0, 0, Maturity.OBSERVED),
        (1, 0, 0, Maturity.OBSERVED),
        (2, 0, 0, Maturity.REPLICATED),
        (5, 0, 0, Maturity.REPLICATED),
        (4, 0, 2, Maturity.REPLICATED),
        (5, 0, 1, Maturity.ESTABLISHED),
        (0, 1, 0, Maturity.CONTESTED),
        (6, 1, 2, Maturity.CONTESTED),
        (9, 1, 2, Maturity.ESTABLISHED),
        (7, 1, 0, Maturity.REPLICATED),
    ],
)
def test_the_rules_of_maturity(supports: int, contradicts: int, years: int, maturity: Maturity) -> None:
    suggested = suggest_maturity(find_figures(strangers(supports, contradicts, years)))
    assert suggested.maturity is maturity
    assert suggested.reason


AUTHORS = st.lists(st.sampled_from(["Ada One", "A. One", "Ben Two", "Cy Three", "Dee Four", "D. Four", ""]), max_size=3)
PIECES = st.lists(st.tuples(AUTHORS, st.sampled_from(list(Stance)), st.integers(2019, 2026)), max_size=12).map(
    lambda rows: [
        piece(number, ",".join(names), stance, f"{year}-06-01") for number, (names, stance, year) in enumerate(rows)
    ]
)


@given(PIECES, st.randoms())
def test_the_order_of_the_papers_changes_no_figure(pieces: list[Evidence], chance: object) -> None:
    shuffled = list(pieces)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert find_figures(shuffled) == find_figures(pieces)


@given(PIECES)
def test_there_are_never_more_groups_than_papers_and_the_interval_holds_the_share(pieces: list[Evidence]) -> None:
    figures = find_figures(pieces)
    assert figures.independent <= len(pieces)
    assert all(figures.groups[stance] <= figures.papers[stance] for stance in Stance)
    if figures.share:
        assert 0 <= figures.share.low <= figures.share.value <= figures.share.high <= 1
