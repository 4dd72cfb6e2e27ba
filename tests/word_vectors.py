"""Vectors that know words and nothing else: for made papers and claims, without a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from crawler.ranking.ranker import Document, document_text
from crawler.ranking.words import split_words

WIDTH = 64


def embed(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Give each word a direction of its own, and a text the mean of its words; shape (texts, WIDTH)."""
    vectors = np.full((len(texts), WIDTH), 1e-3)
    for row, text in enumerate(texts):
        for word in split_words(text):
            vectors[row] += np.random.default_rng(sum(map(ord, word)) * 7919 + len(word)).normal(size=WIDTH)
    unit: npt.NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def embed_documents(documents: Sequence[Document]) -> npt.NDArray[np.float32]:
    """Embed papers as the program does: title and abstract as one text."""
    return embed([document_text(one.title, one.abstract) for one in documents])
