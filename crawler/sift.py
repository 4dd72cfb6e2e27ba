"""The cascade: of old papers those are embedded that can reach the queue, which their words tell (docs/scaling.md).

The newest papers are embedded whatever their words, for they are what the ranker is made from.
"""

from __future__ import annotations

from functools import cache, partial

from crawler.control import Progress, Stop
from crawler.cutting import find_or_make_cut
from crawler.embed import CHUNK, Embedder, StoppableEmbedder, embed_rows
from crawler.learning import AT_HAND, make_learner
from crawler.ranking.ranker import Claim, Ranker, to_scores
from db.matches import Way
from db.phenomena import catalogue_version, list_phenomena
from db.sifting import (
    count_unsifted,
    find_horizon,
    find_newest_revision,
    find_sifted,
    list_newest_without_vector,
    list_unsifted,
    list_wanted_without_vector,
    save_sift,
)
from db.store import Store
from db.vectors import keep_model

SIFTED_AT_ONCE = 2_000  # revisions between two commits


def embed_at_hand(store: Store, embedder: Embedder, *, run_id: int, stop: Stop, progress: Progress) -> None:
    """Embed the papers that a ranker is made from, the newest ones and candidates, and what a person asked for.

    Raises:
        StopRequested: between two slices; what was embedded stays.
    """
    model_id = keep_model(store, embedder.identity)
    total = len(list_newest_without_vector(store, model_id, newest=AT_HAND, limit=AT_HAND))
    done = 0
    while rows := list_newest_without_vector(store, model_id, newest=AT_HAND, limit=CHUNK):
        done += embed_rows(store, embedder, model_id, rows, run_id=run_id, stop=stop, expected=total)
        progress("embed", done, total)
    while rows := list_wanted_without_vector(store, model_id, limit=CHUNK):
        embed_rows(store, embedder, model_id, rows, run_id=run_id, stop=stop, expected=len(rows))


def sift(
    store: Store,
    embedder: Embedder,
    *,
    run_id: int,
    threshold: float,
    precision: float | None = None,
    begin: bool,
    stop: Stop,
    progress: Progress,
) -> int:
    """Embed of the papers up to the horizon those that can reach the queue, and return how many cannot.

    A sift that was begun goes on where it stopped. After a change of the catalogue, the ranker or a lower threshold it
    begins anew: papers that were passed over may be in reach now.

    Args:
        threshold: the score from which a match is queued.
        precision: the share of what is queued that is to be right, in place of the threshold.
        begin: sift all papers that are stored now; else only those that were to be sifted before.

    Raises:
        StopRequested: between two chunks; what was sifted stays.
    """
    model_id = keep_model(store, embedder.identity)
    phenomena = list_phenomena(store)
    horizon = find_newest_revision(store) if begin else find_horizon(store)
    if not phenomena or not horizon:
        return 0
    claims = [Claim.of(phenomenon) for phenomenon in phenomena]
    make = cache(partial(make_learner, store, StoppableEmbedder(embedder, stop), claims, progress=progress))
    way = Way(Ranker.version, model_id, catalogue_version(phenomena))
    cut = threshold if precision is None else find_or_make_cut(store, way, precision, make).threshold
    last = find_sifted(store, way, cut)
    total, done = count_unsifted(store, model_id, after=last, upto=horizon), 0
    with store.transaction():  # from now on no night embeds them all
        save_sift(store, way, cut, horizon=horizon, done=last)
    while rows := list_unsifted(store, model_id, after=last, upto=horizon, limit=SIFTED_AT_ONCE):
        stop.check()
        learner = make()
        reach = to_scores(learner.ranker.reach(learner.words_of(rows)).max(axis=1))
        near = [row for row, score in zip(rows, reach, strict=True) if score >= cut]
        for start in range(0, len(near), CHUNK):
            some = near[start : start + CHUNK]
            embed_rows(store, embedder, model_id, some, run_id=run_id, stop=stop, expected=total)
        done, last = done + len(rows), rows[-1]["revision_id"]
        with store.transaction():
            save_sift(store, way, cut, horizon=horizon, done=last)
        progress("sift", done, total)
    with store.transaction():
        save_sift(store, way, cut, horizon=horizon, done=horizon)
    return count_unsifted(store, model_id, after=0, upto=horizon)
