"""Label terms: the words, and pairs of neighbouring words, that tell some papers from the field."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from crawler.ranking.background import FLOOR, Lexicon
from crawler.ranking.claims import Document
from crawler.ranking.reasons import show_term
from crawler.ranking.words import split_terms

TERMS = 8
LEAST_SHARE = 0.2  # of the papers that have a term
FEWEST_PAPERS = 2
EDGES = "{}.,;:"  # what TeX and sentences leave at the ends of words
NOT_TELLING = frozenset({"http", "https", "url", "github", "com"})  # what stands for an address in abstracts
LEAST_WEIGHT = 1.64  # a z-score: one term in twenty reaches it by chance
PRIOR_PAPERS = 10.0  # how many papers of the field each side is thought to have beside its own


def find_labels(documents: Sequence[Document], lexicon: Lexicon, *, most: int = TERMS) -> tuple[str, ...]:
    """Return the terms that tell papers from the field, the most telling first, as they stand in a text.

    A term's weight is the z-score of its log-odds, in papers that have it, against the papers of the field, with the
    field as the Dirichlet prior (Monroe, Colaresi and Quinn 2008, Fightin' Words, equations 15 to 22). A word that is
    part of a better pair is left out, and so is a pair that shares a word with two better terms.

    Args:
        documents: the papers, the most central first: a term is shown as it stands in the first that has it.
    """
    having = Counter[str]()
    for document in documents:
        having.update({*split_terms(document.title), *split_terms(document.abstract)})
    least = max(FEWEST_PAPERS, LEAST_SHARE * len(documents))
    weights = {
        term: _weigh(count, len(documents), lexicon.frequencies.get(term, FLOOR // 2), lexicon.documents)
        for term, count in having.items()
        if count >= least and not term.isdigit() and not NOT_TELLING & set(term.split())
    }
    chosen, shown = list[str](), dict[str, None]()
    for term in sorted(weights, key=lambda one: (-weights[one], " " not in one, one)):
        if weights[term] < LEAST_WEIGHT or len(shown) == most:
            break
        if _says_something_new(term, chosen) and (text := _show(term, documents)):
            chosen.append(term)
            shown[text] = None
    return tuple(shown)


def _weigh(count: int, papers: int, field_count: int, field_papers: int) -> float:
    """Return the z-score of the log-odds of a term that so many of the papers have, and so many of the field."""
    share = field_count / max(field_papers, 1)
    mine = count + PRIOR_PAPERS * share
    theirs = field_count + PRIOR_PAPERS * share
    odds = mine / max(papers + PRIOR_PAPERS - mine, 0.5)
    field_odds = theirs / max(field_papers + PRIOR_PAPERS - theirs, 0.5)
    return math.log(odds / field_odds) / math.sqrt(1 / mine + 1 / theirs)


def _says_something_new(term: str, chosen: Sequence[str]) -> bool:
    words = set(term.split())
    if any(words <= set(other.split()) for other in chosen):
        return False
    return sum(bool(words & set(other.split())) for other in chosen) < 2


def _show(term: str, documents: Sequence[Document]) -> str | None:
    """Return a term as it stands in the first text that has it, in lower case but for names and short forms.

    None where small words part it everywhere: "law in large" is no term.
    """
    for document in documents:
        shown = show_term(term, document)
        if shown and len(shown.split()) <= len(term.split()):
            return " ".join(word.lower() if word.istitle() else word for word in shown.strip(EDGES).split())
    return None
