"""The measures: against numbers worked by hand, against ir_measures and the benchmark's own code, and by their laws."""

from __future__ import annotations

import math

import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.evaluation import (
    MEASURES,
    Result,
    Topic,
    average,
    bootstrap_interval,
    compare,
    judge,
    list_topics,
    overlap,
    work_saved,
)

PAPERS = [f"2001.{number:05}" for number in range(200)]


def topic_of(labels: dict[str, int], stored: list[str] | None = None) -> Topic:
    """Return the topic of some labels, among stored papers."""
    (topic,) = list_topics({"t": labels}, PAPERS if stored is None else stored)
    return topic


def scores_of(labels: dict[str, int], ranking: list[str]) -> dict[str, float]:
    """Return the measures of a ranking of all that is stored."""
    return judge(topic_of(labels, ranking), ranking, len(ranking)).scores


def test_the_measures_of_ten_papers_are_those_worked_by_hand() -> None:
    a, b, c = PAPERS[0], PAPERS[2], PAPERS[5]  # relevant, at places 1, 3 and 6
    scores = scores_of({a: 1, b: 1, c: 1, PAPERS[1]: 0}, PAPERS[:10])
    assert list(scores) == list(MEASURES)
    assert scores["AP"] == pytest.approx((1 / 1 + 2 / 3 + 3 / 6) / 3)
    assert scores["R@100"] == 1
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert scores["nDCG@10"] == pytest.approx((1 + 1 / math.log2(4) + 1 / math.log2(7)) / ideal)
    assert scores["P@20"] == pytest.approx(3 / 20)
    assert scores["WSS@95"] == pytest.approx((10 - 6) / 10 - 0.05)


def test_recall_is_counted_to_the_hundredth_paper_alone() -> None:
    scores = scores_of({PAPERS[99]: 1, PAPERS[100]: 1}, PAPERS)
    assert scores["R@100"] == 0.5


def test_a_higher_label_weighs_more_in_ndcg_and_no_more_in_ap() -> None:
    first = scores_of({PAPERS[0]: 2, PAPERS[1]: 1}, PAPERS)
    second = scores_of({PAPERS[0]: 1, PAPERS[1]: 2}, PAPERS)
    assert first["nDCG@10"] == 1 > second["nDCG@10"]
    assert first["AP"] == second["AP"] == 1


def test_a_doubtful_paper_is_taken_out_of_the_ranking_and_of_what_must_be_read() -> None:
    labels = {PAPERS[1]: 1, PAPERS[0]: -1}
    assert scores_of(labels, PAPERS[:11]) == scores_of({PAPERS[1]: 1}, PAPERS[1:11])
    assert scores_of(labels, PAPERS[:11])["AP"] == 1


def test_a_paper_that_is_not_stored_is_missed_but_is_none_of_those_to_screen() -> None:
    topic = topic_of({PAPERS[0]: 1, "1901.00001": 1, "1901.00002": 0}, PAPERS[:10])
    scores = judge(topic, PAPERS[:10], 10).scores
    assert topic.not_stored == ["1901.00001", "1901.00002"]
    assert scores["AP"] == scores["R@100"] == 0.5
    assert scores["WSS@95"] == pytest.approx(0.9 - 0.05)


def test_a_stored_paper_that_is_not_ranked_is_missed_by_every_measure() -> None:
    topic = topic_of({PAPERS[0]: 1, PAPERS[9]: 1}, PAPERS[:10])
    scores = judge(topic, PAPERS[:9], 10).scores
    assert scores["AP"] == scores["R@100"] == 0.5
    assert scores["WSS@95"] == pytest.approx(-0.05)


def test_an_empty_ranking_finds_nothing() -> None:
    scores = judge(topic_of({PAPERS[0]: 1}), [], len(PAPERS)).scores
    assert scores == {"AP": 0, "R@100": 0, "nDCG@10": 0, "P@20": 0, "WSS@95": pytest.approx(-0.05)}


@pytest.mark.parametrize(
    ("relevant", "last", "saved"),
    [
        (20, 19, 1 - 19 / 200 - 0.05),  # 19 of 20 are 95%: the last one need not be found
        (19, 19, 1 - 19 / 200 - 0.05),  # 95% of 19 are 18.05: all are needed
        (1, 1, 1 - 1 / 200 - 0.05),
    ],
)
def test_work_is_saved_once_95_of_100_relevant_papers_are_found(relevant: int, last: int, saved: float) -> None:
    found = {*PAPERS[: relevant - 1], PAPERS[-1]} if relevant > last else set(PAPERS[:relevant])
    assert work_saved(PAPERS, found, 200) == pytest.approx(saved)


def test_reading_in_the_worst_order_saves_nothing() -> None:
    assert work_saved(PAPERS, {PAPERS[-1]}, 200) == pytest.approx(-0.05)
    assert work_saved(PAPERS[:100], {PAPERS[-1]}, 200) == pytest.approx(-0.05)


@given(st.sets(st.sampled_from(PAPERS), min_size=1, max_size=60), st.permutations(PAPERS))
def test_the_measures_agree_with_the_benchmarks_own(relevant: set[str], ranking: list[str]) -> None:
    """The formulas of shared/bench/peers.py, on the same order."""
    hit = np.isin(ranking, list(relevant))
    found, total = np.cumsum(hit), hit.sum()
    precision = found / np.arange(1, len(ranking) + 1)
    screened = np.argmax(found >= np.ceil(0.95 * total)) + 1
    scores = scores_of(dict.fromkeys(relevant, 1), ranking)
    assert scores["AP"] == pytest.approx((precision * hit).sum() / total)
    assert scores["R@100"] == pytest.approx(hit[:100].sum() / total)
    assert scores["WSS@95"] == pytest.approx(1 - screened / len(ranking) - 0.05)


@given(st.dictionaries(st.sampled_from(PAPERS), st.integers(0, 3), min_size=1), st.permutations(PAPERS))
def test_the_measures_are_those_of_ir_measures_on_the_same_run(labels: dict[str, int], ranking: list[str]) -> None:
    labels[PAPERS[0]] = 1
    measures = [ir_measures.AP, ir_measures.R @ 100, ir_measures.nDCG @ 10, ir_measures.P @ 20]
    qrels = [ir_measures.Qrel("t", paper, label) for paper, label in labels.items()]
    run = [ir_measures.ScoredDoc("t", paper, -place / 7) for place, paper in enumerate(ranking)]
    theirs = ir_measures.calc_aggregate(measures, qrels, run)
    scores = scores_of(labels, ranking)
    assert {str(name): pytest.approx(value) for name, value in theirs.items()} == {
        name: value for name, value in scores.items() if name != "WSS@95"
    }


def test_a_topic_without_a_relevant_paper_is_no_topic() -> None:
    topics = list_topics({"a": {PAPERS[0]: 0}, "b": {PAPERS[0]: 1}, "c": {PAPERS[0]: -1}}, PAPERS)
    assert [topic.code for topic in topics] == ["b"]


def test_the_overlap_is_counted_in_the_first_hundred_without_doubtful_papers() -> None:
    assert overlap(PAPERS, PAPERS[::-1]) == 0
    assert overlap(PAPERS, PAPERS[50:] + PAPERS[:50]) == 0.5
    assert overlap(PAPERS[:10], PAPERS[:10][::-1]) == 1
    assert overlap([], PAPERS) == overlap([], []) == 0
    topic = topic_of({PAPERS[0]: -1, PAPERS[1]: 1})
    assert judge(topic, PAPERS[:101], 200, [*PAPERS[1:101], PAPERS[0]]).overlap == 1


def result_of(ours: float, theirs: float) -> Result:
    """Return a result whose measures are all alike."""
    return Result(topic_of({PAPERS[0]: 1}), dict.fromkeys(MEASURES, ours), dict.fromkeys(MEASURES, theirs), 1.0)


def test_a_comparison_is_of_this_ranking_less_the_other_one() -> None:
    results = [result_of(0.5, 0.25), result_of(0.5, 0.5)]
    assert results[0].difference == dict.fromkeys(MEASURES, 0.25)
    found = compare(results)["AP"]
    assert found.mean == 0.125
    assert found.interval == (0.0, 0.25)  # with two topics a quarter of the draws takes one of them twice
    assert average([result.scores for result in results])["AP"] == 0.5


def test_a_difference_that_is_the_same_everywhere_is_sure() -> None:
    found = compare([result_of(0.75, 0.5)] * 5)["WSS@95"]
    assert (found.mean, found.interval) == (0.25, (0.25, 0.25))


def test_one_topic_has_no_interval() -> None:
    assert bootstrap_interval([0.1]) is None


def test_the_interval_is_that_of_the_normal_distribution_where_topics_are_many() -> None:
    differences = np.random.default_rng(1).normal(0.1, 0.2, 400)
    low, high = bootstrap_interval(list(differences)) or (0, 0)
    half = 1.96 * differences.std() / math.sqrt(400)
    assert low == pytest.approx(differences.mean() - half, abs=0.002)
    assert high == pytest.approx(differences.mean() + half, abs=0.002)
    assert bootstrap_interval(list(differences)) == (low, high)
