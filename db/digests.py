"""The digests that were mailed: which span each covered, so that the next one goes on where the last one ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from db.store import Row, Store
from db.times import to_text


def save_digest(store: Store, *, since: str, until: str, sent_to: Sequence[str], sent_at: str) -> None:
    """Say that a digest was taken by the mail server. Runs inside a transaction.

    Args:
        since: the first moment that it covered, as text.
        until: the first moment after those.
    """
    values = {"since": since, "until": until, "sent_to": " ".join(sent_to), "sent_at": sent_at}
    store.insert("digests", values)


def find_last_digest(store: Store, *, now: datetime) -> Row | None:
    """Return the digest that reaches farthest, or None if none was ever sent; one of a clock ahead does not count."""
    return store.row(
        "SELECT since, until, sent_to, sent_at FROM digests WHERE until <= ?"
        " ORDER BY until DESC, digest_id DESC LIMIT 1",
        (to_text(now + timedelta(seconds=2)),),  # a digest reaches to the end of its second
    )
