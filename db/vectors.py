"""Vectors, kept under the model that made them and the hash of the text they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict

import numpy as np
import numpy.typing as npt

from db.records import ModelIdentity
from db.store import Store

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


def save_vectors(store: Store, model_id: int, text_hashes: Sequence[str], vectors: Vectors) -> None:
    """Keep the vectors of texts; a text that has one already keeps it.

    Args:
        vectors: shape (texts, dimensions), float32, in the order of `text_hashes`.
    """
    store.connection.executemany(
        "INSERT INTO vectors (text_hash, model_id, vector) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (
            (text_hash, model_id, vector_to_bytes(vector))
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
    """Return a vector as little-endian float32 bytes."""
    return vector.astype("<f4").tobytes()


def vector_from_bytes(content: bytes) -> Vectors:
    """Read what `vector_to_bytes` wrote."""
    return np.frombuffer(content, dtype="<f4").astype(np.float32)


def _batches(items: Sequence[str]) -> Iterable[Sequence[str]]:
    for start in range(0, len(items), _LOOKUP_BATCH):
        yield items[start : start + _LOOKUP_BATCH]
