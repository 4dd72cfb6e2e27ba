"""How far old papers were sifted: those up to a horizon are embedded only where they can reach the queue.

What was passed over is derived: it is what has no vector, up to where a sift under the present way of ranking has come.
"""

from __future__ import annotations

from collections.abc import Iterable

from db.matches import Way
from db.papers import WITHOUT_VECTOR
from db.store import Row, Store

_WAITS = f"{WITHOUT_VECTOR} AND p.revision_id > :after AND p.revision_id <= :upto"


def find_horizon(store: Store) -> int:
    """Return the newest revision that is to be sifted, 0 where none is."""
    return int(store.value("SELECT coalesce(max(horizon), 0) FROM sifts"))


def forget_sifts(store: Store) -> None:
    """Let what was passed over be embedded like all else. Runs inside a transaction."""
    store.connection.execute("DELETE FROM sifts")


def find_sifted(store: Store, way: Way, threshold: float) -> int:
    """Return up to which revision what cannot reach a threshold in this way of ranking is known, 0 where nothing is.

    What cannot reach a threshold cannot reach a higher one.
    """
    return int(
        store.value(
            "SELECT coalesce(max(done), 0) FROM sifts"
            " WHERE (ranker_version, model_id, catalogue_version) = (?, ?, ?) AND threshold <= ?",
            (way.base_version, way.model_id, way.catalogue_version, threshold),
        )
    )


def save_sift(store: Store, way: Way, threshold: float, *, horizon: int, done: int) -> None:
    """Keep how far a sift is to go and has come. Runs inside a transaction.

    Args:
        horizon: the newest revision to be sifted.
        done: the newest revision that was.
    """
    store.connection.execute(
        "INSERT INTO sifts (ranker_version, model_id, catalogue_version, threshold, horizon, done)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (ranker_version, model_id, catalogue_version, threshold)"
        " DO UPDATE SET horizon = max(horizon, excluded.horizon), done = max(done, excluded.done)",
        (way.base_version, way.model_id, way.catalogue_version, threshold, horizon, done),
    )


def plan_sift(store: Store, model_id: int) -> None:
    """Keep that all that is stored now is to be sifted. Runs inside a transaction."""
    save_sift(store, Way("", model_id, ""), 1.0, horizon=find_newest_revision(store), done=0)


def find_newest_revision(store: Store) -> int:
    """Return the newest revision's id, 0 where there is none."""
    return int(store.value("SELECT coalesce(max(revision_id), 0) FROM revisions"))


def list_newest_without_vector(store: Store, model_id: int, *, newest: int, limit: int) -> list[Row]:
    """Return those of the newest papers that the model has not embedded, newest first.

    The rows have `revision_id`, `text_hash`, `title` and `abstract`; withdrawn papers are left out.

    Args:
        newest: how many papers, by their day of publication, are looked at.
    """
    return store.rows(
        "SELECT r.revision_id, r.text_hash, r.title, r.abstract FROM"
        " (SELECT revision_id, published_at, arxiv_id FROM papers WHERE NOT withdrawn"
        " ORDER BY published_at DESC, arxiv_id DESC LIMIT :newest) p JOIN revisions r USING (revision_id)"
        " WHERE NOT EXISTS (SELECT 1 FROM vectors v WHERE v.text_hash = r.text_hash AND v.model_id = :model_id)"
        " ORDER BY p.published_at DESC, p.arxiv_id DESC LIMIT :limit",
        {"newest": newest, "model_id": model_id, "limit": limit},
    )


def list_wanted_without_vector(store: Store, model_id: int, *, limit: int) -> list[Row]:
    """Return current revisions that the model has not embedded of papers that are candidates or that a person named.

    The rows have `revision_id`, `text_hash`, `title` and `abstract`.
    """
    return store.rows(
        "SELECT r.revision_id, r.text_hash, r.title, r.abstract FROM papers p JOIN revisions r USING (revision_id)"
        " WHERE p.arxiv_id IN (SELECT arxiv_id FROM candidates UNION SELECT arxiv_id FROM named_papers)"
        " AND NOT EXISTS (SELECT 1 FROM vectors v WHERE v.text_hash = r.text_hash AND v.model_id = ?)"
        " ORDER BY r.revision_id LIMIT ?",
        (model_id, limit),
    )


def save_named(store: Store, arxiv_ids: Iterable[str]) -> None:
    """Keep that a person asked for these papers: they are never passed over. Runs inside a transaction."""
    store.connection.executemany(
        "INSERT INTO named_papers (arxiv_id) VALUES (?) ON CONFLICT DO NOTHING", ((one,) for one in arxiv_ids)
    )


def list_unsifted(store: Store, model_id: int, *, after: int, upto: int, limit: int) -> list[Row]:
    """Return current revisions without a vector in a range, oldest first.

    The rows have `revision_id`, `text_hash`, `title` and `abstract`.

    Args:
        after: revisions beyond this id,
        upto: and up to this one.
    """
    return store.rows(
        f"SELECT r.revision_id, r.text_hash, r.title, r.abstract {_WAITS} ORDER BY p.revision_id LIMIT :limit",
        {"model_id": model_id, "after": after, "upto": upto, "limit": limit},
    )


def count_unsifted(store: Store, model_id: int, *, after: int, upto: int) -> int:
    """Return how many revisions `list_unsifted` would give without a limit."""
    return int(store.value(f"SELECT count(*) {_WAITS}", {"model_id": model_id, "after": after, "upto": upto}))
