"""Makes the ranker from what is stored: the catalogue's claims, the papers at hand, and the decisions made so far.

It also tells what of a paper bears on a claim, and why its score is so high.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np

from crawler.control import Progress, no_progress
from crawler.embed import Embedder, encode_cached
from crawler.ranking.background import Background
from crawler.ranking.corpus import Words
from crawler.ranking.features import COUNTING, Counted, count_terms
from crawler.ranking.ranker import Claim, Decided, Document, Ranker, Seen
from crawler.ranking.sentences import best_sentences
from db.decisions import list_verdicts
from db.papers import list_at_hand, list_hashes_at_hand
from db.records import ModelIdentity, Reasons, Sentence
from db.store import Row, Store
from db.text import hash_text
from db.vectors import Vectors, keep_model, load_vectors
from db.words import forget_other_words, load_words, save_words

AT_HAND = 20_000  # newest papers that a ranker looks at while it is made, and so many of candidates
COUNTED_AT_ONCE = 1_000  # texts between two commits


@dataclass(frozen=True, slots=True)
class Learner:
    """A ranker with what it was made from.

    Attributes:
        model_id: the model whose vectors it works on.
        papers: a name of the papers at hand and of the model, as `name_papers` gives it.
        places: the place of each paper at hand, by arXiv id.
        texts: the hash of each one's text, by arXiv id.
        decided: for each claim the places of its candidates by what was decided.
        counted: what was counted of the papers at hand, by text hash.
    """

    ranker: Ranker
    model_id: int
    papers: str
    places: Mapping[str, int]
    texts: Mapping[str, str]
    decided: Sequence[Decided]
    counted: Mapping[str, Counted]

    def words_of(self, rows: Sequence[Row]) -> list[Words]:
        """Return the words of papers, from `title`, `abstract` and `text_hash`: those of papers at hand are known."""
        return [self.counted.get(row["text_hash"]) or Document(row["title"], row["abstract"]) for row in rows]


def make_learner(
    store: Store,
    embedder: Embedder,
    claims: Sequence[Claim],
    *,
    use_decisions: bool = True,
    progress: Progress = no_progress,
) -> Learner:
    """Return a ranker for these claims; the same database gives the same ranker.

    Args:
        use_decisions: learn from what was accepted and rejected for the phenomena whose codes the claims bear.

    Raises:
        EmbeddingError: a claim cannot be embedded.
    """
    claim_vectors = encode_claims(store, embedder, claims)
    model_id = keep_model(store, embedder.identity)
    codes = [claim.code for claim in claims]
    verdicts = list_verdicts(store, codes) if use_decisions else []
    rows = list_at_hand(store, model_id, limit=AT_HAND)
    places = {row["arxiv_id"]: place for place, row in enumerate(rows)}
    decided = find_decided(verdicts, codes, places)
    counted = _count_at_hand(store, rows, progress)
    words = [counted[row["text_hash"]] for row in rows]
    days = [row["published_at"][:10] for row in rows]
    seen = Seen(words, _load_at_hand(store, model_id, rows, embedder), days, list(places))
    background = Background.load(embedder.identity)
    papers = _name(embedder.identity, [row["text_hash"] for row in rows])
    ranker = Ranker(claims, claim_vectors, background, seen, decided, fit=name_fit(papers, claims, verdicts))
    texts = {row["arxiv_id"]: row["text_hash"] for row in rows}
    return Learner(ranker, model_id, papers, places, texts, decided, counted)


def name_papers(store: Store, identity: ModelIdentity) -> tuple[str, set[str]]:
    """Return a name of the papers at hand and of the model, as a learner made now has it, and their text hashes."""
    hashes = list_hashes_at_hand(store, keep_model(store, identity), limit=AT_HAND)
    return _name(identity, hashes), set(hashes)


def _name(identity: ModelIdentity, text_hashes: Sequence[str]) -> str:
    return hash_text("\n".join([*map(str, astuple(identity)), *text_hashes]))


def name_fit(papers: str, claims: Sequence[Claim], verdicts: Sequence[Row]) -> str:
    """Return a short name of all that a ranker is made from: papers and model, claims, decisions."""
    told = [papers, *map(repr, claims), *(" ".join(row.values()) for row in verdicts)]
    return hash_text("\n".join(told))[:8]


def encode_claims(store: Store, embedder: Embedder, claims: Sequence[Claim]) -> list[Vectors]:
    """Return each claim's vectors, shape (texts of the claim, dimensions); those seen before are not encoded again."""
    texts = [claim.texts() for claim in claims]
    flat = encode_cached(store, embedder, [text for group in texts for text in group])
    ends = np.cumsum([len(group) for group in texts])
    return [flat[end - len(group) : end] for group, end in zip(texts, ends, strict=True)]


def find_decided(verdicts: Sequence[Row], codes: Sequence[str], places: Mapping[str, int]) -> list[Decided]:
    """Return the places of each phenomenon's candidates by what was decided; a paper that is not at hand has none."""
    by_code: dict[str, dict[str, list[int]]] = {code: {"accept": [], "reject": [], "open": []} for code in codes}
    for row in verdicts:
        if row["arxiv_id"] in places:
            by_code[row["phenomenon"]][row["kind"]].append(places[row["arxiv_id"]])
    return [Decided(kinds["accept"], kinds["reject"], kinds["open"]) for kinds in by_code.values()]


def _load_at_hand(store: Store, model_id: int, rows: Sequence[Row], embedder: Embedder) -> Vectors:
    by_hash = load_vectors(store, model_id, [row["text_hash"] for row in rows])
    vectors = np.zeros((len(rows), embedder.identity.dimensions), dtype=np.float32)
    for place, row in enumerate(rows):
        vectors[place] = by_hash[row["text_hash"]]
    return vectors


def _count_at_hand(store: Store, rows: Sequence[Row], progress: Progress) -> dict[str, Counted]:
    """Return what was counted of these texts, by text hash; what is not kept yet is counted and kept."""
    hashes = [row["text_hash"] for row in rows]
    counted = {key: Counted.from_bytes(kept) for key, kept in load_words(store, COUNTING, hashes).items()}
    missing = {row["text_hash"]: row for row in rows if row["text_hash"] not in counted}
    texts = list(missing.values())
    for start in range(0, len(texts), COUNTED_AT_ONCE):
        some = texts[start : start + COUNTED_AT_ONCE]
        new = {row["text_hash"]: count_terms(Document(row["title"], row["abstract"])) for row in some}
        with store.transaction():
            if not start:  # once: it looks at all that is kept
                forget_other_words(store, hashes)
            save_words(store, COUNTING, {key: one.to_bytes() for key, one in new.items()})
        counted |= new
        progress("learn", len(counted), len(set(hashes)))
    return counted


def load_documents(store: Store, rows: Sequence[Row], model_id: int) -> tuple[list[Document], Vectors]:
    """Return revisions that have a vector as documents, with their unit vectors, shape (rows, d).

    Args:
        rows: the revisions, with `title`, `abstract` and `text_hash`; at least one.
    """
    by_hash = load_vectors(store, model_id, [row["text_hash"] for row in rows])
    vectors = np.stack([by_hash[row["text_hash"]] for row in rows])
    return [Document(row["title"], row["abstract"]) for row in rows], vectors


def explain_pairs(
    embedder: Embedder,
    ranker: Ranker,
    rows: Sequence[Row],
    documents: Sequence[Document],
    vectors: Vectors,
    pairs: Sequence[tuple[int, int]],
) -> list[tuple[Sentence | None, Reasons]]:
    """Return for each pair the sentence that bears on the claim, and what raised the score.

    Args:
        rows: the revisions, with `arxiv_id`; `documents` and `vectors` are theirs.
        pairs: places of a revision in `rows` and of a claim in the ranker.
    """
    sentences = best_sentences(
        [(documents[row].abstract, ranker.claims[claim], ranker.claim_vectors[claim]) for row, claim in pairs],
        embedder.encode,
    )
    places = [row for row, _ in pairs]
    reasons = ranker.explain(
        [documents[row] for row in places],
        [rows[row]["arxiv_id"] for row in places],
        vectors[places],
        [claim for _, claim in pairs],
    )
    return list(zip(sentences, reasons, strict=True))
