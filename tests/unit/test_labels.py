"""Label terms: what tells papers from the field comes first, and nothing is said twice."""

from __future__ import annotations

from crawler.labels import find_labels
from crawler.ranking.background import Lexicon
from crawler.ranking.claims import Document

FIELD = Lexicon(10_000, {"model": 6_000, "training": 5_000, "attention": 900, "sink": 25, "token": 2_000})
SINKS = [
    Document("Attention sinks in training", "We find attention sinks at the first token of a model."),
    Document("Why attention sinks form", "Training a model makes attention sinks on the first token."),
    Document("Registers against attention sinks", "A register token takes the attention sink away from the model."),
]


def test_what_the_papers_share_and_the_field_lacks_comes_first() -> None:
    labels = find_labels(SINKS, FIELD)
    assert labels[0] == "attention sinks"
    assert "model" not in labels


def test_a_word_within_a_better_pair_is_left_out() -> None:
    labels = find_labels(SINKS, FIELD)
    assert "sinks" not in labels
    assert len({label.casefold() for label in labels}) == len(labels)


def test_terms_of_one_paper_alone_and_numbers_are_no_labels() -> None:
    assert find_labels([Document("alpha 2025", "beta 2025"), Document("gamma 2025", "delta 2025")], FIELD) == ()


def test_terms_stand_as_in_the_first_paper_that_has_them_but_for_capitals_of_headings() -> None:
    papers = [Document("MoE Routing", "MoE routing fails."), Document("moe routing again", "moe routing works.")]
    assert find_labels(papers, FIELD)[0] == "MoE routing"


def test_addresses_and_what_tex_leaves_are_no_part_of_a_label() -> None:
    papers = [Document("{\\em Soup merging}, again", "Code at https URL."), Document("soup merging", "See https URL.")]
    assert find_labels(papers, FIELD) == ("soup merging",)


def test_words_that_small_words_part_are_no_pair() -> None:
    papers = [Document("A law in large soups", ""), Document("The law for large pans", "")]
    assert "law in large" not in find_labels(papers, FIELD)
    assert set(find_labels(papers, FIELD)) == {"law", "large"}


def test_no_more_labels_than_asked_for_and_none_without_papers() -> None:
    assert len(find_labels(SINKS, FIELD, most=1)) == 1
    assert find_labels([], FIELD) == ()
