"""What was counted of the words of papers at hand: a cache, which the texts can fill again at any time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from db.store import Store


def load_words(store: Store, counting: int, text_hashes: Sequence[str]) -> dict[str, bytes]:
    """Return what was counted of these texts in this way of counting, by text hash; not all need be there."""
    rows = store.connection.execute(
        "SELECT text_hash, content FROM paper_words WHERE counting = ?"
        " AND text_hash IN (SELECT value FROM json_each(?))",
        (counting, json.dumps(list(text_hashes))),
    )
    return dict(rows)


def save_words(store: Store, counting: int, counted: Mapping[str, bytes]) -> None:
    """Keep what was counted, by text hash. Runs inside a transaction."""
    store.connection.executemany(
        "INSERT INTO paper_words (text_hash, counting, content) VALUES (?, ?, ?) ON CONFLICT (text_hash)"
        " DO UPDATE SET counting = excluded.counting, content = excluded.content",
        [(text_hash, counting, content) for text_hash, content in counted.items()],
    )


def forget_other_words(store: Store, keep: Sequence[str]) -> None:
    """Forget what was counted of all texts but those with these hashes. Runs inside a transaction."""
    store.connection.execute(
        "DELETE FROM paper_words WHERE text_hash NOT IN (SELECT value FROM json_each(?))", (json.dumps(list(keep)),)
    )
