"""Where a model is looked for, what is refused, and what is embedded."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from tiny_model import make_tiny_model

from crawler.control import Stop, StopRequested, no_progress
from crawler.embed import CHUNK, SentenceTransformerEmbedder, embed_missing, encode_cached
from crawler.models import DEFAULT_MODEL, OFFLINE_SHA256, ModelPlace, find_model
from db.errors import EmbeddingError
from db.papers import save_papers
from db.records import ModelIdentity
from db.runs import find_run, start_run
from db.store import Store
from db.vectors import Vectors

IDENTITY = ModelIdentity("counting", "1", "", 256, 8)


@dataclass
class CountingEmbedder:
    """Turns a text into a unit vector made of its hash, and remembers what it was asked."""

    identity: ModelIdentity = IDENTITY
    engine: str = "counting"
    asked: list[str] = field(default_factory=list)

    def prepare(self, expected: int = 0) -> None:
        """Need nothing."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        rows = [np.frombuffer(hashlib.sha256(text.encode()).digest()[:8], np.uint8) + 1.0 for text in texts]
        matrix = np.asarray(rows, dtype=np.float32).reshape(len(texts), 8)
        return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def _model_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "modules.json").write_text(json.dumps([]), encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def test_a_named_folder_goes_first(tmp_path: Path) -> None:
    folder = _model_folder(tmp_path / "mine")
    assert find_model(str(folder), {}).folder == folder


def test_a_named_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(EmbeddingError, match="holds no sentence-transformers model"):
        find_model(str(tmp_path / "empty"), {})
    with pytest.raises(EmbeddingError, match="no model folder"):
        find_model(str(tmp_path / "absent"), {})


def test_the_cache_goes_before_the_package(tmp_path: Path) -> None:
    snapshot = _model_folder(tmp_path / "hub" / "models--sentence-transformers--all-MiniLM-L6-v2" / "snapshots" / "abc")
    assert find_model(DEFAULT_MODEL, {"HF_HUB_CACHE": str(tmp_path / "hub")}).folder == snapshot
    assert find_model("all-MiniLM-L6-v2", {"HF_HUB_CACHE": str(tmp_path / "hub")}).folder == snapshot


def test_a_cached_snapshot_without_safetensors_is_passed_over(tmp_path: Path) -> None:
    snapshot = _model_folder(tmp_path / "hub" / "models--other--model" / "snapshots" / "abc")
    (snapshot / "model.safetensors").rename(snapshot / "pytorch_model.bin")
    assert find_model("other/model", {"HF_HUB_CACHE": str(tmp_path / "hub")}).folder is None


def test_the_package_serves_the_default_model_alone(tmp_path: Path) -> None:
    place = find_model(DEFAULT_MODEL, {"HF_HUB_CACHE": str(tmp_path)})
    assert place.folder is not None
    assert place.sha256 == OFFLINE_SHA256
    assert find_model("other/model", {"HF_HUB_CACHE": str(tmp_path)}) == ModelPlace("other/model", "other/model", None)


def test_weights_that_are_not_the_published_ones_are_refused(tmp_path: Path) -> None:
    folder = _model_folder(tmp_path / "mine")
    with pytest.raises(EmbeddingError, match="not the published ones"):
        SentenceTransformerEmbedder(ModelPlace("mine", str(folder), folder, OFFLINE_SHA256))


def test_a_known_identity_needs_no_model(tmp_path: Path) -> None:
    folder = _model_folder(tmp_path / "mine")
    revision = hashlib.sha256(b"weights").hexdigest()
    known = ModelIdentity("mine", revision, "", 256, 384)
    other = ModelIdentity("mine", "older", "", 128, 384)
    embedder = SentenceTransformerEmbedder(ModelPlace("mine", str(folder), folder), [other, known])
    assert embedder.identity == known
    assert embedder.encode([]).shape == (0, 384)


def test_vectors_of_texts_that_were_cut_are_not_taken_for_those_of_whole_ones(tmp_path: Path) -> None:
    """The same weights, kept from when they were set to read less than they have positions for."""
    folder = _model_folder(tmp_path / "mine")
    (folder / "config.json").write_text('{"max_position_embeddings": 512}', encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"model_max_length": 512}', encoding="utf-8")
    revision = hashlib.sha256(b"weights").hexdigest()
    cut, whole = (ModelIdentity("mine", revision, "", length, 384) for length in (256, 512))
    place = ModelPlace("mine", str(folder), folder)
    assert SentenceTransformerEmbedder(place, [cut, whole]).identity == whole
    with pytest.raises(EmbeddingError, match="cannot be loaded"):
        _ = SentenceTransformerEmbedder(place, [cut]).identity


def test_vectors_under_another_prompt_are_others(tmp_path: Path) -> None:
    folder = _model_folder(tmp_path / "mine")
    revision = hashlib.sha256(b"weights").hexdigest()
    plain, asked = (ModelIdentity("mine", revision, prompt, 512, 384) for prompt in ("", "query: "))
    place = ModelPlace("mine", str(folder), folder)
    assert SentenceTransformerEmbedder(place, [asked, plain]).identity == plain
    assert SentenceTransformerEmbedder(place, [plain, asked], prompt="query: ").identity == asked
    own = {"prompts": {"query": "query: ", "document": "passage: "}, "default_prompt_name": "query"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(own), encoding="utf-8")
    assert SentenceTransformerEmbedder(place, [plain, asked]).identity == asked
    with pytest.raises(EmbeddingError, match="cannot be loaded"):
        _ = SentenceTransformerEmbedder(place, [plain, asked], prompt="passage: ").identity


def test_the_prompt_goes_before_every_text(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "tiny")
    place = ModelPlace("tiny", str(folder), folder)
    plain, asked = SentenceTransformerEmbedder(place), SentenceTransformerEmbedder(place, prompt="scaling ")
    assert (plain.identity.prompt, asked.identity.prompt) == ("", "scaling ")
    assert np.array_equal(asked.encode(["law of loss"]), plain.encode(["scaling law of loss"]))
    assert not np.array_equal(asked.encode(["law of loss"]), plain.encode(["law of loss"]))


def test_a_folder_with_broken_weights_gives_one_line(tmp_path: Path) -> None:
    folder = _model_folder(tmp_path / "mine")
    embedder = SentenceTransformerEmbedder(ModelPlace("mine", str(folder), folder))
    with pytest.raises(EmbeddingError, match="cannot be loaded") as raised:
        embedder.encode(["text"])
    assert "\n" not in str(raised.value)


@pytest.fixture
def run_id(store: Store) -> int:
    with store.transaction():
        return start_run(
            store, kind="nightly", source="oai", categories=[], started_at="2026-11-24T00:00:00Z", program_version="t"
        )


def _save(store: Store, run_id: int, count: int) -> None:
    from datetime import UTC, datetime

    from db.records import Paper

    moment = datetime(2026, 11, 1, tzinfo=UTC)
    papers = [
        Paper(f"2611.{number:05d}", 1, f"Title {number}", f"Abstract {number}.", ("A",), ("cs.LG",), moment, moment)
        for number in range(1, count + 1)
    ]
    with store.transaction():
        save_papers(store, papers, run_id=run_id, now="2026-11-24T00:00:00Z")


def test_only_texts_without_a_vector_are_embedded(store: Store, run_id: int) -> None:
    embedder = CountingEmbedder()
    _save(store, run_id, 3)
    embed_missing(store, embedder, run_id=run_id, stop=Stop(), progress=no_progress)
    embed_missing(store, embedder, run_id=run_id, stop=Stop(), progress=no_progress)
    assert sorted(embedder.asked) == [f"Title {number}. Abstract {number}." for number in (1, 2, 3)]
    assert find_run(store, run_id)["embedded"] == 3


def test_another_model_embeds_anew_and_the_old_vectors_stay(store: Store, run_id: int) -> None:
    _save(store, run_id, 3)
    for name in ("counting", "other"):
        embedder = CountingEmbedder(ModelIdentity(name, "1", "", 256, 8))
        embed_missing(store, embedder, run_id=run_id, stop=Stop(), progress=no_progress)
    assert store.value("SELECT count(*) FROM vectors") == 6


def test_a_stop_keeps_the_chunks_that_are_done(store: Store, run_id: int) -> None:
    _save(store, run_id, 2 * CHUNK + 1)
    stop = Stop()

    def stop_after_the_first(stage: str, done: int, total: int | None) -> None:
        assert (stage, total) == ("embed", 2 * CHUNK + 1)
        stop.request()

    with pytest.raises(StopRequested):
        embed_missing(store, CountingEmbedder(), run_id=run_id, stop=stop, progress=stop_after_the_first)
    assert store.value("SELECT count(*) FROM vectors") == CHUNK
    embed_missing(store, CountingEmbedder(), run_id=run_id, stop=Stop(), progress=no_progress)
    assert store.value("SELECT count(*) FROM vectors") == 2 * CHUNK + 1


def test_claims_are_encoded_once_in_a_database(store: Store) -> None:
    embedder = CountingEmbedder()
    first = encode_cached(store, embedder, ["one", "two", "one"])
    again = encode_cached(store, embedder, ["two", "one", "one"])
    assert embedder.asked == ["one", "two"]
    np.testing.assert_array_equal(first[[1, 0, 2]], again)


@pytest.mark.slow
def test_the_real_model_gives_unit_vectors_that_know_what_is_alike() -> None:
    embedder = SentenceTransformerEmbedder(find_model(DEFAULT_MODEL, {}))
    vectors = embedder.encode(["Grokking: late generalisation", "Networks generalise late", "Soup with leeks"])
    assert embedder.identity.dimensions == 384
    assert embedder.identity.max_length == 512
    head = "Grokking is late. " + 300 * "word "
    assert not np.allclose(*embedder.encode([head + 100 * "soup ", head + 100 * "loss "]), atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2
    assert "torch" in sys.modules


def test_a_model_fresh_from_the_hub_is_kept_under_the_name_that_it_has_from_then_on(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was embedded on the first night is not embedded again on the second."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / "models--some--model" / "snapshots" / "abc"

    def fetch(place: ModelPlace) -> SentenceTransformer:
        if place.folder is None:  # as the Hub's client does
            shutil.copytree(tiny_model, snapshot)
        return SentenceTransformer(str(snapshot), device="cpu")

    monkeypatch.setattr("crawler.engines.torch_engine.load", fetch)
    first = SentenceTransformerEmbedder(find_model("some/model", os.environ))
    first_vectors, identity = first.encode(["scaling law"]), first.identity
    second = SentenceTransformerEmbedder(find_model("some/model", os.environ), [identity])
    assert identity.revision not in ("", "hub") and second.identity == identity
    assert np.array_equal(second.encode(["scaling law"]), first_vectors)
