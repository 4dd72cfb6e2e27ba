"""A database in which everything stands that an export can tell: all stances, hostile texts, conflicts, a retired
entry, a paper under review, one withdrawn, entries reworded and set to another maturity.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from conftest import LOADED, NOW

from curation.review import Decision, Review
from db.papers import save_papers
from db.phenomena import find_phenomenon
from db.records import Aspect, CatalogueChange, ChangeKind, Criteria, Maturity, Paper, Phenomenon, Stance, Verdict
from db.runs import start_run
from db.store import Store, open_store
from db.times import to_text
from db.upkeep import retire_phenomenon, save_phenomena

HOSTILE = (
    "=HYPERLINK(1)",
    "+1 is a title",
    "[x](javascript:alert(1)) <script>alert(1)</script>",
    "# Heading | pipe `tick` *star*",
    r"\input{/etc/passwd} $\write18{ls}$ 100% & {unbalanced",
    "</td>&lt;\u00e9\u6f22\u5b57",
    "]]> &#0; <!-- --> <![CDATA[ &amp;amp; <?xml?>",
    "line\nTY  - JOUR\r\nER  - \u2028AU  - Evil\x1b[31m\x00",
    "\u202eright to left\u202c \u200bzero \ufeffwidth \ufffe\uffff",
    "@misc{evil, title = {x}} % comment",
    "Grokking \u0434\u043b\u044f \u03b1-models \U0001f600 at $5 and $10, in $\\alpha^2$ time",
    "'; DROP TABLE evidence; --",
    "a very long title " * 300,
)
STANCES = tuple(Stance)
PAPER_IDS = tuple(f"2611.{number:05d}" for number in range(1, len(HOSTILE) + 1))
OLD_ID = "hep-th/9901001"
CATALOGUE = (
    Phenomenon(
        "H1.1", Aspect.HOW, "Scaling", "Loss falls", "A power law.", ("loss", "=power"), ("2001.08361", "not an id"),
        Criteria(("Runs at three sizes",), ("<b>One size</b>",), ("2001.08361: accepted",)),
    ),
    Phenomenon("W2.1", Aspect.WHAT, "Dynamics", "Double descent", "Test error falls twice."),
    Phenomenon("W2.2", Aspect.WHAT, "Dynamics", "Grokking", "Late generalisation."),
    Phenomenon("W9.1", Aspect.WHAT, "Dynamics", "Delayed generalisation", "The same in other words."),
    Phenomenon("W3.1", Aspect.WHAT, "<i>Odd</i> group", "No <script> here", "Nothing is known of it."),
)  # fmt: skip


def make_papers() -> list[Paper]:
    """Return one paper for each hostile title, of years from 2019 on, and one with an id of the old style."""
    papers = []
    for number, title in enumerate(HOSTILE, 1):
        moment = datetime(2019 + number % 5, 5, 1 + number, tzinfo=UTC)
        authors = ("Ada Byron" if number % 3 else "Laurens van der Maaten", f"Person {number}", title)
        papers.append(
            Paper(PAPER_IDS[number - 1], 1, title, f"{title} abstract.", authors, ("cs.LG", "stat.ML"), moment, moment)
        )
    early = datetime(1999, 1, 5, tzinfo=UTC)
    return [*papers, Paper(OLD_ID, 1, "An old one", "Abstract.", (), ("hep-th",), early, early, doi="10.1000/182")]


def fill_everything(path: Path, *, backwards: bool = False) -> None:
    """Make the database; `backwards` saves papers and decides in the other order, at the same moments."""
    papers = make_papers()
    with open_store(path, create=True, clock=lambda: NOW) as store:
        with store.transaction():
            save_phenomena(store, CATALOGUE, LOADED)
            run_id = _start(store)
            save_papers(store, reversed(papers) if backwards else papers, run_id=run_id, now=to_text(NOW))
        numbered = list(enumerate(papers))
        for number, paper in reversed(numbered) if backwards else numbered:
            _decide(store, number, paper)
        _disagree(store)
        _reopen(store, papers, run_id)
        _keep_up(store)


def _start(store: Store) -> int:
    return start_run(
        store, kind="nightly", source="oai", categories=[], started_at=to_text(NOW), program_version="test"
    )


def _decide(store: Store, number: int, paper: Paper) -> None:
    review = Review(store, reviewer="ada", clock=lambda: NOW + timedelta(minutes=number))
    decision = Decision(Verdict.ACCEPT, STANCES[number % 4], f"note {paper.title}")
    review.decide_paper(paper.arxiv_id, "W2.2", decision)
    if number % 4 == 0:
        review.decide_paper(paper.arxiv_id, "H1.1", Decision(Verdict.ACCEPT, Stance.SUPPORTS))
    if number < 2:
        review.decide_paper(paper.arxiv_id, "W2.1", Decision(Verdict.ACCEPT, STANCES[number]))


def _disagree(store: Store) -> None:
    ben = Review(store, reviewer="ben <b>", clock=lambda: NOW + timedelta(hours=2), blind=True)
    ben.decide_paper(PAPER_IDS[2], "W2.2", Decision(Verdict.REJECT, note="=not so"))


def _reopen(store: Store, papers: list[Paper], run_id: int) -> None:
    later = datetime(2026, 12, 20, tzinfo=UTC)
    changed = replace(papers[4], version=2, title="Another title", updated_at=later, datestamp=date(2026, 12, 20))
    gone = replace(papers[1], version=2, withdrawn=True, updated_at=later, datestamp=date(2026, 12, 20))
    with store.transaction():
        save_papers(store, [changed, gone], run_id=run_id, now=to_text(NOW + timedelta(days=27)))
    again = Review(store, reviewer="ada", clock=lambda: NOW + timedelta(days=28))
    again.decide_paper(PAPER_IDS[1], "W2.1", Decision(Verdict.ACCEPT, Stance.CONTRADICTS, "withdrawn, but told"))


def _keep_up(store: Store) -> None:
    at = to_text(NOW + timedelta(days=29))
    with store.transaction():
        edit = CatalogueChange(ChangeKind.EDIT, "ada", at, "two groups\nsaw it")
        raised = replace(find_phenomenon(store, "W2.2"), maturity=Maturity.ESTABLISHED, statement="Later than late.")
        save_phenomena(store, [raised], edit)
        merge = CatalogueChange(ChangeKind.MERGE, "ada", at)
        retire_phenomenon(store, find_phenomenon(store, "W9.1"), ["W2.2"], merge)
