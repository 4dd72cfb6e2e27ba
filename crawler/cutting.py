"""From which score on a match is queued, where a precision is wanted: worked out from the papers at hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from crawler.learning import AT_HAND, Learner
from crawler.ranking.cut import cut_for_precision
from crawler.ranking.ranker import DECIMALS
from crawler.ranking.recalibration import FEWEST_DECISIONS, Recalibration, recalibrate
from db.decisions import list_scored_verdicts
from db.matches import Cut, Way, find_cut
from db.papers import list_newest
from db.store import Row, Store

FEWEST_PAPERS = 1_000  # that tell how the scores of the field lie


def find_or_make_cut(store: Store, way: Way, precision: float, make: Callable[[], Learner]) -> Cut:
    """Return the cut for a wanted precision: the one that was worked out before, or a new one.

    It is worked out anew when twice as much was decided as it rests on, not at every decision: all stored papers are
    matched again each time. While few papers are stored nothing tells how scores lie, and each pair must be as likely
    as the goal.

    Args:
        make: makes the ranker, where one is needed.
    """
    verdicts = list_scored_verdicts(store, way.base_version, way.model_id)
    known = find_cut(store, way, precision)
    if known is not None and len(verdicts) < max(2 * known.decided, FEWEST_DECISIONS):
        return known
    newest = list_newest(store, way.model_id, limit=AT_HAND)
    if len(newest) < FEWEST_PAPERS:
        return Cut(round(Recalibration().score_for(precision), DECIMALS))
    return Cut(_work_out(make(), newest, precision, verdicts), precision, len(verdicts))


def _work_out(learner: Learner, newest: Sequence[str], precision: float, verdicts: Sequence[Row]) -> float:
    """Return the cut over the newest papers; what was decided counts with the score that it had before."""
    ranker, rows = learner.ranker, [learner.places[one] for one in newest]
    before = {(row["phenomenon"], row["arxiv_id"]): row["score"] for row in verdicts}
    scores: list[float] = []
    for place, (claim, decided) in enumerate(zip(ranker.claims, learner.decided, strict=True)):
        learned = {*decided.accepted, *decided.rejected}
        for paper, row, score in zip(newest, rows, ranker.score_seen(place, rows).tolist(), strict=True):
            if row not in learned:
                scores.append(score)
            elif (claim.code, paper) in before:
                scores.append(before[claim.code, paper])
    curve = recalibrate([row["score"] for row in verdicts], [row["accepted"] for row in verdicts])
    return round(cut_for_precision(scores, precision, curve, len(newest)), DECIMALS)
