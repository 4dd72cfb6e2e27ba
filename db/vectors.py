"""Vectors, kept under the model that made them and the hash of the text they stand for.

Each one also tells which engine computed it. They are kept in float16: what is rounded so changes no candidate
(`docs/scaling.md`), and is the same whether a vector has just been computed or comes from the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict

import numpy as np
import numpy.typing as npt

from db.records import ModelIdentity
from db.store import Row, Store

Vectors = npt.NDArray[np.float32]

_LOOKUP_BATCH = 500  # well below SQLite's limit of bound parameters


def keep_model(store: Store, identity: ModelIdentity) -> int:
    """Return the id under which this model's vectors are kept; only on first sight something is written."""
    known = _find_model(store, identity)
    if known is not None:
        return known
    with store.transaction():
        return save_model(store, identity)


def save_model(store: Store, identity: ModelIdentity) -> int:
    """Return the id under which this model's vectors are kept, making it on first sight. Runs inside a transaction."""
    known = _find_model(store, identity)
    return store.insert("models", asdict(identity)) if known is None else known


def _find_model(store: Store, identity: ModelIdentity) -> int | None:
    known = store.value(
        "SELECT model_id FROM models WHERE (name, revision, prompt, max_length) = (?, ?, ?, ?)",
        (identity.name, identity.revision, identity.prompt, identity.max_length),
    )
    return None if known is None else int(known)


def list_models(store: Store) -> list[ModelIdentity]:
    """Return the models that vectors are kept of, newest first."""
    rows = store.rows("SELECT name, revision, prompt, max_length, dimensions FROM models ORDER BY model_id DESC")
    return [ModelIdentity(**row) for row in rows]


def is_engine_settled(store: Store, model_id: int, name: str) -> bool:
    """Tell whether an engine was found to agree with the others, or there is no other one."""
    settled, others = store.row(
        "SELECT coalesce(max(name = :name AND least_cosine IS NOT NULL), 0) AS settled,"
        " coalesce(max(name != :name), 0) AS others FROM engines WHERE model_id = :model_id",
        {"name": name, "model_id": model_id},
    ).values()  # type: ignore[union-attr]  # a sum has a row
    return bool(settled or not others)


def keep_engine(store: Store, model_id: int, name: str, least_cosine: float | None) -> int:
    """Return the id of an engine of a model, making it on first sight.

    Args:
        name: what its vectors are told apart by, such as `torch 2.13.0 bfloat16`.
        least_cosine: with the vectors of other engines, where there were any to compare.
    """
    known = store.row("SELECT engine_id, least_cosine FROM engines WHERE (model_id, name) = (?, ?)", (model_id, name))
    if known is not None and (least_cosine is None or known["least_cosine"] is not None):
        return int(known["engine_id"])
    with store.transaction():
        return save_engine(store, model_id, name, least_cosine)


def save_engine(store: Store, model_id: int, name: str, least_cosine: float | None) -> int:
    """Do what `keep_engine` does. Runs inside a transaction."""
    store.connection.execute(
        "INSERT INTO engines (model_id, name, least_cosine) VALUES (?, ?, ?) ON CONFLICT (model_id, name)"
        " DO UPDATE SET least_cosine = coalesce(least_cosine, excluded.least_cosine)",
        (model_id, name, least_cosine),
    )
    return int(store.value("SELECT engine_id FROM engines WHERE (model_id, name) = (?, ?)", (model_id, name)))


def list_kept_vectors(store: Store, model_id: int, *, limit: int, but: str = "") -> list[Row]:
    """Return the revisions that were embedded last, with their vectors: `title`, `abstract`, `vector`, shape (d,).

    Args:
        but: vectors of this engine are left out.
    """
    rows = store.rows(
        "SELECT r.title, r.abstract, v.vector FROM vectors v CROSS JOIN engines e USING (engine_id)"
        " CROSS JOIN revisions r ON r.text_hash = v.text_hash"
        " WHERE v.model_id = :model_id AND e.name != :but ORDER BY v.rowid DESC LIMIT :limit",
        {"model_id": model_id, "limit": limit, "but": but},
    )
    return [{**row, "vector": vector_from_bytes(row["vector"])} for row in rows]


def save_vectors(store: Store, model_id: int, engine_id: int, text_hashes: Sequence[str], vectors: Vectors) -> None:
    """Keep the vectors of texts; a text that has one already keeps it.

    Args:
        engine_id: the engine that computed them.
        vectors: shape (texts, dimensions), float32, in the order of `text_hashes`.
    """
    store.connection.executemany(
        "INSERT INTO vectors (text_hash, model_id, engine_id, vector) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            (text_hash, model_id, engine_id, vector_to_bytes(vector))
            for text_hash, vector in zip(text_hashes, vectors, strict=True)
        ),
    )


def load_vectors(store: Store, model_id: int, text_hashes: Sequence[str]) -> dict[str, Vectors]:
    """Return the vectors of those texts that have one, by text hash, each of shape (dimensions,)."""
    found: dict[str, Vectors] = {}
    for batch in _batches(text_hashes):
        marks = ", ".join("?" * len(batch))
        for text_hash, content in store.connection.execute(
            f"SELECT text_hash, vector FROM vectors WHERE model_id = ? AND text_hash IN ({marks})", (model_id, *batch)
        ):
            found[text_hash] = vector_from_bytes(content)
    return found


def vector_to_bytes(vector: Vectors) -> bytes:
    """Return a vector as little-endian float16 bytes."""
    return vector.astype("<f2").tobytes()


def vector_from_bytes(content: bytes) -> Vectors:
    """Read what `vector_to_bytes` wrote."""
    return np.frombuffer(content, dtype="<f2").astype(np.float32)


def as_kept(vectors: Vectors) -> Vectors:
    """Return vectors as they come back from the database, float32 of the same shape."""
    return vectors.astype(np.float16).astype(np.float32)


def _batches(items: Sequence[str]) -> Iterable[Sequence[str]]:
    for start in range(0, len(items), _LOOKUP_BATCH):
        yield items[start : start + _LOOKUP_BATCH]
