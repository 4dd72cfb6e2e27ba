"""Makes the ranker from what is stored: the catalogue's claims, the papers at hand, and the decisions made so far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crawler.embed import Embedder, encode_cached
from crawler.ranking.background import Background
from crawler.ranking.ranker import Claim, Decided, Document, Ranker, Seen
from db.decisions import list_verdicts
from db.papers import list_at_hand
from db.store import Row, Store
from db.text import hash_text
from db.vectors import Vectors, load_vectors, save_model

AT_HAND = 20_000  # papers that a ranker looks at while it is made, the newest ones, beside those that were decided on


def make_ranker(store: Store, embedder: Embedder, claims: Sequence[Claim], *, use_decisions: bool = True) -> Ranker:
    """Return a ranker for these claims; the same database gives the same ranker.

    Args:
        use_decisions: learn from what was accepted and rejected for the phenomena whose codes the claims bear.

    Raises:
        EmbeddingError: a claim cannot be embedded.
    """
    claim_vectors = encode_claims(store, embedder, claims)
    with store.transaction():
        model_id = save_model(store, embedder.identity)
    codes = [claim.code for claim in claims]
    verdicts = list_verdicts(store, codes) if use_decisions else []
    rows = list_at_hand(store, model_id, [row["arxiv_id"] for row in verdicts], limit=AT_HAND)
    places = {row["arxiv_id"]: place for place, row in enumerate(rows)}
    decided = [_find_decided(verdicts, code, places) for code in codes]
    background, seen = Background.load(embedder.identity), _see(store, model_id, rows, embedder)
    return Ranker(claims, claim_vectors, background, seen, decided, fit=_name_fit(rows, verdicts))


def _name_fit(rows: Sequence[Row], verdicts: Sequence[Row]) -> str:
    """Return a short name for the papers and decisions that a ranker was made from."""
    words = [row["text_hash"] for row in rows] + [" ".join(row.values()) for row in verdicts]
    return hash_text("\n".join(words))[:8]


def encode_claims(store: Store, embedder: Embedder, claims: Sequence[Claim]) -> list[Vectors]:
    """Return each claim's vectors, shape (texts of the claim, dimensions); those seen before are not encoded again."""
    texts = [claim.texts() for claim in claims]
    flat = encode_cached(store, embedder, [text for group in texts for text in group])
    ends = np.cumsum([len(group) for group in texts])
    return [flat[end - len(group) : end] for group, end in zip(texts, ends, strict=True)]


def _see(store: Store, model_id: int, rows: Sequence[Row], embedder: Embedder) -> Seen:
    by_hash = load_vectors(store, model_id, [row["text_hash"] for row in rows])
    vectors = np.zeros((len(rows), embedder.identity.dimensions), dtype=np.float32)
    for place, row in enumerate(rows):
        vectors[place] = by_hash[row["text_hash"]]
    documents = [Document(row["title"], row["abstract"]) for row in rows]
    return Seen(documents, vectors, [row["published_at"][:10] for row in rows])


def _find_decided(verdicts: Sequence[Row], code: str, places: dict[str, int]) -> Decided:
    """Return the places of what was decided for a phenomenon; a paper without a vector has none."""
    by_kind: dict[str, list[int]] = {"accept": [], "reject": []}
    for row in verdicts:
        if row["phenomenon"] == code and row["arxiv_id"] in places:
            by_kind[row["kind"]].append(places[row["arxiv_id"]])
    return Decided(by_kind["accept"], by_kind["reject"])
