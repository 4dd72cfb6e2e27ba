"""TREC's files: what is read, in which order, and that a faulty line is told by its number."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.ranking.claims import Claim
from crawler.trec import parse_qrels, parse_run, parse_topics, run_lines, run_tag
from db.errors import UsageError


def test_labels_are_read_by_topic_and_paper_whatever_the_white_space() -> None:
    text = "\ufeffH1.1 0 2001.08361 1\r\n\n  H1.1\t0\t2010.14701   -1\nW2.2 0 hep-th/9901001 2"
    assert parse_qrels(text, "q") == {"H1.1": {"2001.08361": 1, "2010.14701": -1}, "W2.2": {"hep-th/9901001": 2}}


def test_a_version_is_no_part_of_an_id_and_a_foreign_id_is_kept() -> None:
    labels = parse_qrels("a 0 arXiv:2001.08361v3 1\na 0 2001.08361 1\na 0 PMID-12345 0\n", "q")
    assert labels == {"a": {"2001.08361": 1, "PMID-12345": 0}}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a 0 2001.08361 1\na 0 2001.08362\n", 2, "3 fields, not 4"),
        ("\na 0 2001.08361 1 more\n", 2, "5 fields, not 4"),
        ("a 0 2001.08361 yes\n", 1, "'yes' is not a whole number"),
        ("a 0 2001.08361 0.5\n", 1, "'0.5' is not a whole number"),
        ("a 0 2001.08361v1 1\na 0 2001.08361v2 0\n", 2, "2001.08361 has two labels for a"),
    ],
)
def test_a_label_that_does_not_hold_is_told_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(UsageError) as told:
        parse_qrels(text, "mine.qrels")
    assert told.value.message.startswith(f"mine.qrels, line {line}: ")
    assert words in told.value.message


@pytest.mark.parametrize("text", ["", "\n \n", "\ufeff"])
def test_a_file_without_lines_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="has no labels"):
        parse_qrels(text, "q")
    with pytest.raises(UsageError, match="has no ranking"):
        parse_run(text, "r")


def test_a_run_is_ordered_by_score_then_id_and_its_ranks_are_not_read() -> None:
    text = "a Q0 2001.00003 1 0.5 x\na Q0 2001.00002 2 0.5 x\na Q0 2001.00001 3 7e-1 x\nb Q0 2001.00001 1 -2 x\n"
    run = parse_run(text, "r")
    assert run.tag == "x"
    assert run.rankings == {"a": ["2001.00001", "2001.00002", "2001.00003"], "b": ["2001.00001"]}


def test_a_paper_that_is_ranked_twice_keeps_its_better_place() -> None:
    text = "a Q0 2001.00001v1 1 1 x\na Q0 2001.00002 2 2 x\na Q0 2001.00001v2 3 3 x\n"
    assert parse_run(text, "r").rankings == {"a": ["2001.00001", "2001.00002"]}


@pytest.mark.parametrize("score", ["nan", "inf", "-inf", "high", "1,5"])
def test_a_score_that_is_no_number_is_told_with_its_line(score: str) -> None:
    with pytest.raises(UsageError, match=f"line 2: the score '{score}' is not a number"):
        parse_run(f"a Q0 2001.00001 1 1 x\na Q0 2001.00002 2 {score} x\n", "r")


def test_a_run_line_with_five_fields_is_told() -> None:
    with pytest.raises(UsageError, match="line 1: it has 5 fields, not 6"):
        parse_run("a Q0 2001.00001 1 0.5\n", "r")


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_a_ranking_that_is_written_is_read_in_the_same_order(scores: list[float]) -> None:
    scored = sorted((-score, f"2001.{number:05}") for number, score in enumerate(scores))
    lines = run_lines("a", [(paper, -score) for score, paper in scored], "t")
    assert parse_run("\n".join(lines), "r").rankings == {"a": [paper for _, paper in scored]}
    written = [np.float32(line.split()[4]) for line in lines]
    assert all(one > after for one, after in pairwise(written))


def test_the_tag_of_a_run_is_one_word() -> None:
    assert run_tag("day zero/2") == "bmp-day-zero-2"


def test_a_topic_needs_only_its_claim() -> None:
    text = json.dumps({"x": {"title": "T", "claim": "C\n c", "keywords": ["k"]}, "y": {"claim": "Only this."}})
    assert parse_topics(text, "t") == {"x": Claim("x", "T", "C c", ("k",)), "y": Claim("y", "Only this.", "Only this.")}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is not a JSON object"),
        ('{"x": "a claim"}', "topic 'x' does not hold"),
        ('{"x": {"title": "T"}}', "topic 'x' does not hold"),
        ('{"x": {"claim": " "}}', "topic 'x' does not hold"),
        ('{"x": {"claim": "C", "keywords": "one"}}', "topic 'x' does not hold"),
        ('{"x": {"claim": "C", "keywords": [1]}}', "topic 'x' does not hold"),
    ],
)
def test_topics_that_do_not_hold_are_told(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_topics(text, "t")
