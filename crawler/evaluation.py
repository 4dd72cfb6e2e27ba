"""Evaluation: how well a ranking puts the papers first that people labelled relevant. The only door to ir_measures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from crawler.trec import Qrels

MEASURES = ("AP", "R@100", "nDCG@10", "P@20", "WSS@95")
DEPTH = 100  # of the top of two rankings that is compared
WSS_RECALL_PERCENT = 95
CONFIDENCE_PERCENT = 95
RESAMPLES = 10_000
SEED = 20261125

Scores = dict[str, float]


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic's labels, and which of the labelled papers are stored.

    Attributes:
        labels: by paper; above zero is relevant. Doubtful ones are not among them.
        doubtful: papers that are left out of every ranking.
        stored: those of both that are stored.
    """

    code: str
    labels: Mapping[str, int]
    doubtful: frozenset[str]
    stored: frozenset[str]

    @property
    def relevant(self) -> frozenset[str]:
        """Return the relevant papers, stored or not."""
        return frozenset(paper for paper, label in self.labels.items() if label > 0)

    @property
    def not_stored(self) -> list[str]:
        """Return the labelled papers that cannot be ranked, by id."""
        return sorted(self.labels.keys() - self.stored)

    def without_doubtful(self, ranking: Sequence[str]) -> list[str]:
        """Return the ranking without the doubtful papers."""
        return [paper for paper in ranking if paper not in self.doubtful]


@dataclass(frozen=True, slots=True)
class Result:
    """How well a topic was ranked, and how well by another ranking if there is one.

    Attributes:
        overlap: the share of the first 100 papers that both have.
    """

    topic: Topic
    scores: Scores
    against: Scores | None = None
    overlap: float | None = None

    @property
    def difference(self) -> Scores:
        """Return how much better this ranking is than the other one, by each measure."""
        assert self.against is not None
        return {name: self.scores[name] - self.against[name] for name in MEASURES}


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean difference over topics, and its 95% interval, which one topic alone does not have."""

    mean: float
    interval: tuple[float, float] | None


def list_topics(qrels: Qrels, stored: Collection[str]) -> list[Topic]:
    """Return the topics that have a relevant label, in the order of the qrels.

    Args:
        stored: the ids of stored papers; others may be among them.
    """
    topics = []
    for code, labels in qrels.items():
        sure = {paper: label for paper, label in labels.items() if label >= 0}
        if any(label > 0 for label in sure.values()):
            known = frozenset(paper for paper in labels if paper in stored)
            topics.append(Topic(code, sure, frozenset(labels.keys() - sure.keys()), known))
    return topics


def judge(topic: Topic, ranking: Sequence[str], papers: int, against: Sequence[str] | None = None) -> Result:
    """Measure a topic's ranking, and another one of the same papers if there is one.

    Args:
        ranking: ids of stored papers, best first, none twice.
        papers: how many are stored, ranked or not.
    """
    ours = topic.without_doubtful(ranking)
    scores = _measure(topic, ours, papers)
    if against is None:
        return Result(topic, scores)
    theirs = topic.without_doubtful(against)
    return Result(topic, scores, _measure(topic, theirs, papers), overlap(ours, theirs))


def _measure(topic: Topic, ranking: Sequence[str], papers: int) -> Scores:
    """Return the value of each of `MEASURES`.

    A relevant paper that is not ranked counts as missed. One that is not stored counts so in all but WSS, which tells
    of screening what is stored.
    """
    pool = papers - len(topic.doubtful & topic.stored)
    saved = work_saved(ranking, topic.relevant & topic.stored, pool)
    return {**_measure_ranking(topic, ranking), f"WSS@{WSS_RECALL_PERCENT}": saved}


def _measure_ranking(topic: Topic, ranking: Sequence[str]) -> Scores:
    import ir_measures

    # trec_eval sorts by score and reverses ties; places as scores leave it no ties, and are exact in its 32-bit floats.
    run = {topic.code: {paper: float(len(ranking) - place) for place, paper in enumerate(ranking)}}
    wanted = [ir_measures.parse_measure(name) for name in MEASURES if not name.startswith("WSS")]
    found = ir_measures.calc_aggregate(wanted, {topic.code: dict(topic.labels)}, run)
    return {str(name): float(found[name]) for name in wanted}


def work_saved(ranking: Sequence[str], relevant: Collection[str], papers: int) -> float:
    """Return the work saved over sampling at 95% recall.

    WSS = (TN + FN) / N - (1 - recall): the share of papers that need not be read when one reads from the top until 95%
    of the relevant ones are found, less the 5% that reading in any order would save (Cohen et al. 2006, Reducing
    workload in systematic review preparation using automated text classification, doi:10.1197/jamia.M1929). Where the
    ranking does not come so far, all papers are read.

    Args:
        papers: N, how many there are to read, ranked or not.
    """
    needed = count_for_recall(len(relevant))
    places = [place for place, paper in enumerate(ranking, 1) if paper in relevant]
    read = places[needed - 1] if 0 < needed <= len(places) else papers
    return (papers - read) / max(papers, 1) - (100 - WSS_RECALL_PERCENT) / 100


def count_for_recall(relevant: int) -> int:
    """Return how many of so many relevant papers are 95% of them, rounded up."""
    return -(-WSS_RECALL_PERCENT * relevant // 100)


def average(scores: Sequence[Scores]) -> Scores:
    """Return the mean over topics of each measure."""
    return {name: float(np.mean([one[name] for one in scores])) for name in MEASURES}


def overlap(first: Sequence[str], second: Sequence[str], depth: int = DEPTH) -> float:
    """Return the share of papers that the tops of two rankings have in common."""
    ours, theirs = set(first[:depth]), set(second[:depth])
    return len(ours & theirs) / max(len(ours), len(theirs), 1)


def compare(results: Sequence[Result]) -> dict[str, Difference]:
    """Return the mean over topics of each measure's difference to the other ranking, with its interval."""
    found = {}
    for name in MEASURES:
        values = [result.difference[name] for result in results]
        found[name] = Difference(float(np.mean(values)), bootstrap_interval(values))
    return found


def bootstrap_interval(differences: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95% interval of the mean of paired differences: percentiles over topics drawn with replacement.

    The percentile interval of Efron and Tibshirani 1993 (An Introduction to the Bootstrap, chapter 13). The same
    differences give the same interval; fewer than two give none.
    """
    if len(differences) < 2:
        return None
    draws = np.random.default_rng(SEED).integers(len(differences), size=(RESAMPLES, len(differences)))
    tail = (1 - CONFIDENCE_PERCENT / 100) / 2
    low, high = np.quantile(np.asarray(differences)[draws].mean(axis=1), (tail, 1 - tail))
    return float(low), float(high)
