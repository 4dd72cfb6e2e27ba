"""Why a score is as high as it is: the words that raised it, as they stand in the text, and what is near."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from word_vectors import embed, embed_documents

from crawler.ranking.background import Background, Lexicon
from crawler.ranking.ranker import Claim, Decided, Document, Ranker, Seen
from crawler.ranking.reasons import show_term
from db.records import Reasons

OTHER = "protein graph robot speech image video market river climate poem tensor query index".split()
CLAIM = Claim("W2.2", "Grokking", "Networks generalize long after memorization.", ("delayed generalization",))
ELSE = Claim("H9.9", "Rivers", "A climate of robots.")
LEXICON = Lexicon(1_000, {word: 60 for word in ["grokking", "delayed", "circuit", "slingshot", *OTHER]})


def make_seen() -> Seen:
    """Make 200 papers: the first 20 have two words in common that no claim says."""
    chance = random.Random(1)
    documents = []
    for number in range(200):
        words = [*(["circuit", "slingshot"] if number < 20 else []), *chance.sample(OTHER, 7)]
        documents.append(Document(" ".join(words[-2:]), " ".join(words) + "."))
    ids = [f"2611.{number:05d}" for number in range(200)]
    return Seen(documents, embed_documents(documents), ["2026-11-24"] * 200, ids)


def make(*claims: Claim, decided: Sequence[Decided] = (), seen: Seen | None = None) -> Ranker:
    vectors = [embed(claim.texts()) for claim in claims]
    return Ranker(claims, vectors, Background(LEXICON, None), seen or make_seen(), decided)


def explain(ranker: Ranker, document: Document, *, claim: int = 0, arxiv_id: str = "new") -> Reasons:
    (found,) = ranker.explain([document], [arxiv_id], embed_documents([document]), [claim])
    return found


def shares(reasons: Reasons) -> dict[str, float]:
    return {word.term: word.share for word in reasons.words}


def test_a_word_that_only_the_title_has_is_told_as_it_stands_there() -> None:
    found = shares(explain(make(CLAIM), Document("Grokking in robots", "A poem of river and climate.")))
    assert next(iter(found)) == "Grokking"
    assert 0 < sum(found.values()) <= 1 + 1e-9


def test_a_pair_stands_for_its_words() -> None:
    found = shares(explain(make(CLAIM), Document("A poem", "Delayed generalisation of the river.")))
    assert next(iter(found)) == "Delayed generalisation"
    assert not {"Delayed", "generalisation"} & found.keys()


def test_an_accepted_papers_words_raise_and_a_rejected_ones_do_not() -> None:
    paper = Document("Robot speech", "The circuit and the slingshot of grokking.")
    liked = make(CLAIM, decided=[Decided(range(15), range(100, 120))])
    assert {"circuit", "slingshot"} & {word for term in shares(explain(liked, paper)) for word in term.split()}
    refused = make(CLAIM, decided=[Decided(range(100, 115), range(20))])
    assert not {"circuit", "slingshot"} & {word for term in shares(explain(refused, paper)) for word in term.split()}


def test_the_nearest_accepted_papers_are_told_if_they_are_nearer_than_chance() -> None:
    seen = make_seen()
    ranker = make(CLAIM, decided=[Decided([3, 7, 150], [60])], seen=seen)
    twin = replace(seen.documents[7], title=f"{seen.documents[7].title} poem")
    nearest = explain(ranker, twin).nearest
    assert nearest[0].arxiv_id == "2611.00007"
    expected = float(embed_documents([twin])[0].astype(np.float64) @ seen.vectors[7].astype(np.float64))
    assert math.isclose(nearest[0].cosine, expected, abs_tol=5e-4)
    assert [one.cosine for one in nearest] == sorted((one.cosine for one in nearest), reverse=True)
    assert explain(ranker, Document("xylophone", "Zebra quilt violin.")).nearest == ()


def test_a_paper_is_not_near_to_itself() -> None:
    seen = make_seen()
    ranker = make(CLAIM, decided=[Decided([3], [])], seen=seen)
    assert explain(ranker, seen.documents[3]).nearest[0].arxiv_id == "2611.00003"
    assert "2611.00003" not in [
        one.arxiv_id for one in explain(ranker, seen.documents[3], arxiv_id="2611.00003").nearest
    ]


def test_reasons_are_the_same_every_time_and_whatever_else_is_explained() -> None:
    seen, decided = make_seen(), [Decided(range(10), range(60, 80)), Decided(range(60, 70), range(10))]
    paper = Document("Grokking", "A circuit of robots.")
    alone = explain(make(CLAIM, decided=decided[:1], seen=seen), paper)
    both = make(CLAIM, ELSE, decided=decided, seen=seen)
    other = seen.documents[0]
    found = both.explain([other, paper, paper], ["a", "new", "new"], embed_documents([other, paper, paper]), [0, 1, 0])
    assert found[2] == alone
    assert found[1].nearest != alone.nearest or found[1].words != alone.words


def test_without_decisions_ids_or_words_there_is_nothing_to_tell() -> None:
    assert explain(make(CLAIM), Document("", "")) == Reasons()
    assert make(CLAIM).explain([], [], embed_documents([]), []) == []
    seen = replace(make_seen(), arxiv_ids=())
    assert explain(make(CLAIM, decided=[Decided([3], [])], seen=seen), seen.documents[3]).nearest == ()


@pytest.mark.parametrize(
    ("term", "title", "abstract", "shown"),
    [
        ("compute optimal", "", "The compute-optimal models.", "compute-optimal"),
        ("scaling law", "Scaling Laws", "We fit a scaling law.", "scaling law"),
        ("scaling law", "Scaling Laws", "Nothing.", "Scaling Laws"),
        ("law scaling", "", "(laws of scaling)", "laws of scaling"),
        ("mup", "", "Under $\\mu$P, rates transfer.", "$\\mu$P"),
        ("pretraining", "", "Pre-training helps.", "Pre-training"),
        ("law scaling", "", "There are laws. Scaling helps.", None),
        ("law scaling", "", "There are laws--scaling helps.", None),
        ("thought cot", "", "With chain of thought (CoT) prompts.", None),
        ("x" * 90, "", "x" * 90, None),
        ("absent", "", "Nothing.", None),
    ],
)
def test_a_term_is_shown_as_it_stands_in_the_text(term: str, title: str, abstract: str, shown: str | None) -> None:
    assert show_term(term, Document(title, abstract)) == shown
