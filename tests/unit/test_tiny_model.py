"""The model for tests is one that the real code takes, and always the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_model import DIMENSIONS, LONGEST_TEXT, make_tiny_model

from crawler.embed import SentenceTransformerEmbedder
from crawler.models import find_model

pytestmark = pytest.mark.slow


def test_it_is_the_same_to_the_byte_every_time(tiny_model: Path, tmp_path: Path) -> None:
    again = make_tiny_model(tmp_path / "again")
    files = sorted(path.relative_to(tiny_model) for path in tiny_model.rglob("*") if path.is_file())
    assert len(files) == 8
    assert [(again / path).read_bytes() for path in files] == [(tiny_model / path).read_bytes() for path in files]


def test_the_real_code_embeds_with_it(tiny_model: Path) -> None:
    embedder = SentenceTransformerEmbedder(find_model(str(tiny_model), {}))
    texts = ["Scaling laws for loss", "scaling LAWS for loss", "Ünïcode — and soup", "", "word " * 5000]
    vectors = embedder.encode(texts)
    identity = embedder.identity
    assert (identity.dimensions, identity.max_length, vectors.shape) == (DIMENSIONS, LONGEST_TEXT, (5, DIMENSIONS))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)
    assert vectors[0] @ vectors[2] < 0.99
