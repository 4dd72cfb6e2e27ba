"""Engines: the fastest setting whose vectors are float32's, and vectors that differ are never mixed."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from bmp import Bmp
from conftest import NOW
from sample_digest import make_paper
from sqlite_utils import Migrations

from crawler.backfill import EmbeddingShards
from crawler.control import Stop, StopRequested, no_progress
from crawler.embed import CHUNK, SLICE, SentenceTransformerEmbedder, embed_missing, settle_engine
from crawler.engines import choice as choosing
from crawler.engines import setting
from crawler.engines.choice import LEAST_COSINE, Cache, Choice, Trial, least_cosine, make_choice
from crawler.engines.probe import probe_texts
from crawler.engines.setting import (
    ABSTRACT_PIECES,
    BFLOAT16,
    OPENVINO,
    TORCH,
    Setting,
    count_cores,
    iterate_batches,
    to_unit_length,
)
from crawler.engines.torch_engine import TorchEngine, _pad_to_step
from crawler.models import DEFAULT_MODEL, find_model
from db.errors import EmbeddingError
from db.migrations import migrations
from db.papers import save_papers
from db.records import ModelIdentity
from db.runs import start_run
from db.store import Store, open_store
from db.times import to_text
from db.vectors import Vectors, as_kept, keep_model, load_vectors, save_vectors

TEXTS = ["scaling law of loss", "grokking", "a learning rate and weight decay", "mixture of experts", "data"] * 3


def _trial(speed: float, cosine: float, **named: object) -> Trial:
    return Trial(replace(Setting(), **named), speed, cosine)  # type: ignore[arg-type]


def test_the_fastest_setting_is_chosen_of_those_whose_vectors_are_close() -> None:
    reference, close = _trial(10, 1.0), _trial(20, 0.9995, precision=BFLOAT16)
    wrong = _trial(90, 0.9989, precision=BFLOAT16, batch_size=4)
    assert Choice.of([reference, close, wrong], [reference, close, wrong]).best == close
    assert Choice.of([reference, wrong], [reference, wrong]).best == reference


def test_a_choice_is_kept_and_what_is_broken_of_it_counts_as_absent(tmp_path: Path) -> None:
    cache = Cache(tmp_path, "key")
    assert cache.load() is None
    chosen = Choice.of([_trial(10, 1.0)], [_trial(10, 1.0)])
    cache.save(chosen)
    assert cache.load() == chosen
    (file,) = (tmp_path / "engines").iterdir()
    for broken in ("", "[]", "{}", '{"best": 1, "tried": []}', file.read_text(encoding="utf-8")[:-30]):
        file.write_text(broken, encoding="utf-8")
        assert cache.load() is None
    (tmp_path / "taken").write_text("no folder", encoding="utf-8")
    Cache(tmp_path / "taken", "key").save(chosen)  # nowhere to keep it: the next run measures again


@dataclass
class ScriptedEngine:
    """An engine whose settings fail as they are told to; each has a batch size of its own."""

    fails: dict[int, Exception] = field(default_factory=dict)
    setting: Setting = field(default_factory=setting.reference_setting)
    label: str = "scripted"
    max_length: int = 8
    dimensions: int = 2

    def list_settings(self) -> list[Setting]:
        return [Setting(TORCH, BFLOAT16, batch_size=size) for size in (2, 4, 8)]

    def use(self, setting: Setting) -> None:
        self.setting = setting
        if setting.batch_size in self.fails:
            raise self.fails[setting.batch_size]

    def encode(self, texts: Sequence[str], prompt: str) -> Vectors:
        return np.tile(np.array([1, 0], dtype=np.float32), (len(texts), 1))


def test_a_setting_that_fails_is_left_out_and_a_stop_is_none(tmp_path: Path) -> None:
    cache = Cache(tmp_path, "key")
    broken = ScriptedEngine({4: RuntimeError("could not create a primitive")})
    _, made = make_choice(broken, "", cache, library=TORCH)  # type: ignore[arg-type]
    assert [trial.setting.batch_size for trial in made.tried[1:]] == [2, 8]
    assert cache.load() == made
    cache.forget()
    stopped = RuntimeError("while tracing")
    stopped.__cause__ = StopRequested()
    with pytest.raises(StopRequested):
        make_choice(ScriptedEngine({4: stopped}), "", cache, library=TORCH)  # type: ignore[arg-type]
    assert cache.load() is None


def test_a_choice_that_cannot_be_used_any_more_is_made_anew(tmp_path: Path) -> None:
    cache = Cache(tmp_path, "key")
    _, made = make_choice(ScriptedEngine(), "", cache, library=TORCH)  # type: ignore[arg-type]
    gone = ScriptedEngine({made.best.setting.batch_size: RuntimeError("no CUDA-capable device is detected")})
    assert choosing.open_chosen(made, cache, lambda: gone) is None  # type: ignore[arg-type, return-value]
    assert cache.load() is None


def test_of_two_processes_one_measures_and_the_other_takes_what_it_found(tiny_model: Path, tmp_path: Path) -> None:
    said: list[str] = []
    second = SentenceTransformerEmbedder(
        find_model(str(tiny_model), {}), engine="torch", cache=tmp_path, say=said.append
    )
    first = second._cache()
    assert first is not None
    with first.alone():
        thread = threading.Thread(target=second.prepare, args=(1_000,))
        thread.start()
        while thread.is_alive() and not said:
            thread.join(0.05)
        assert said == ["Another process is finding the fastest setting for the model; this one waits for it."]
        first.save(Choice.of([_trial(10, 1.0)], [_trial(10, 1.0)]))
    thread.join()
    assert second.engine and len(said) == 1


@pytest.mark.parametrize("stop", [StopRequested, KeyboardInterrupt])
def test_a_conversion_that_is_stopped_leaves_nothing_behind(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    openvino = pytest.importorskip("openvino", reason="OpenVINO is not installed")

    def interrupt(*_: object, **__: object) -> None:
        raise stop

    monkeypatch.setattr(openvino, "save_model", interrupt)
    embedder = SentenceTransformerEmbedder(find_model(str(tiny_model), {}), engine="openvino", cache=tmp_path)
    with pytest.raises(stop):
        embedder.prepare(1_000)
    assert list((tmp_path / "openvino").iterdir()) == []
    assert embedder.choice is None


def test_another_pooling_of_the_same_weights_is_another_model_to_the_cache(tiny_model: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_model, other)
    pooling = {"word_embedding_dimension": 32, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    (other / "1_Pooling" / "config.json").write_text(json.dumps(pooling), encoding="utf-8")
    places = [find_model(str(folder), {}) for folder in (tiny_model, other, tiny_model)]
    first, second, again = (SentenceTransformerEmbedder(one, engine="torch", cache=tmp_path)._cache() for one in places)
    assert first and second and again
    assert first.converted == again.converted != second.converted


def test_padding_keeps_to_the_positions_that_the_model_has() -> None:
    import torch

    pieces = {"input_ids": torch.ones(2, 97, dtype=torch.long), "attention_mask": torch.ones(2, 97, dtype=torch.long)}
    assert {one.shape[1] for one in _pad_to_step(pieces, 512).values()} == {112}
    assert {one.shape[1] for one in _pad_to_step(pieces, 100).values()} == {100}
    assert {one.shape[1] for one in _pad_to_step(pieces, 0).values()} == {97}
    flat = {"input_ids": torch.ones(7, dtype=torch.long), "offsets": torch.zeros(2, dtype=torch.long)}
    assert _pad_to_step(flat, 512) is flat  # a bag of words


def test_a_model_that_names_no_limit_reads_all_of_a_text(tiny_model: Path, tmp_path: Path) -> None:
    place = find_model(str(tiny_model), {})
    engine = TorchEngine(place)
    engine.model.max_seq_length = None
    assert engine.max_length == 0
    engine.model.max_seq_length = 10**30  # as files of models without a limit say
    assert engine.max_length == 0
    engine.use(Setting(TORCH, batch_size=2, streams=2))
    short, longer = engine.encode(["loss", "loss " * 60], "")
    assert least_cosine(short[None], longer[None]) < 0.9999


@pytest.mark.slow
def test_streams_compute_what_one_stream_computes(tiny_model: Path) -> None:
    engine = TorchEngine(find_model(str(tiny_model), {}))
    whole = engine.encode(TEXTS, "to ")
    engine.use(Setting(TORCH, batch_size=2, streams=2))
    assert least_cosine(engine.encode(TEXTS, "to "), whole) > 0.999999
    engine.use(Setting(TORCH, BFLOAT16, batch_size=2, streams=2))
    assert LEAST_COSINE < least_cosine(engine.encode(TEXTS, "to "), whole) < 0.9999999
    engine.use(Setting(TORCH))
    assert least_cosine(engine.encode(TEXTS, "to "), whole) > 0.999999  # what was rounded is loaded anew


@pytest.mark.slow
def test_a_choice_is_made_once_for_many_texts_and_not_for_few(tiny_model: Path, tmp_path: Path) -> None:
    said: list[str] = []

    def embedder() -> SentenceTransformerEmbedder:
        return SentenceTransformerEmbedder(
            find_model(str(tiny_model), {}), engine="torch", cache=tmp_path, say=said.append
        )

    few = embedder()
    few.prepare(10)
    assert few.engine.endswith(" float32") and few.choice is None and not said
    few.prepare(1_000)
    chosen = few.choice
    assert chosen is not None and chosen.best.is_close and f" {chosen.best.setting.precision}" in few.engine
    fastest = max(trial.texts_per_second for trial in chosen.tried if trial.is_close)
    assert chosen.best.texts_per_second == fastest
    assert len(said) == 2
    again = embedder()
    again.prepare(1)
    assert again.engine == few.engine and len(said) == 2
    least = least_cosine(
        again.encode(TEXTS), SentenceTransformerEmbedder(find_model(str(tiny_model), {})).encode(TEXTS)
    )
    assert least >= LEAST_COSINE


@pytest.mark.slow
def test_the_real_model_in_the_setting_found_for_this_machine_stays_close_to_float32(tmp_path: Path) -> None:
    place = find_model(DEFAULT_MODEL, {})
    fast = SentenceTransformerEmbedder(place, engine="torch", cache=tmp_path)
    fast.prepare(1_000)
    texts = [*probe_texts(24), "short", "x" * 3_000, ""]
    assert least_cosine(fast.encode(texts), SentenceTransformerEmbedder(place).encode(texts)) >= LEAST_COSINE


OPENED = """
import sys
from pathlib import Path
from crawler.embed import SentenceTransformerEmbedder
from crawler.models import find_model
embedder = SentenceTransformerEmbedder(find_model(sys.argv[1], {}), engine="openvino", cache=Path(sys.argv[2]))
vectors = embedder.encode(sys.argv[3:])
print(embedder.identity.dimensions, embedder.engine)
print(*[name for name in ("torch", "transformers", "sentence_transformers", "sklearn") if name in sys.modules])
print(*[name for name in sys.modules if name.startswith("openvino_telemetry")])
print(vectors.tolist())
"""


@pytest.mark.slow
def test_openvino_computes_the_same_vectors_and_from_then_on_without_torch(tiny_model: Path, tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    reference = SentenceTransformerEmbedder(find_model(str(tiny_model), {}))

    def run() -> list[str]:
        asked = [sys.executable, "-c", OPENED, str(tiny_model), str(tmp_path), *TEXTS]
        return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.splitlines()

    first, second = run(), run()
    assert "torch" in first[1].split() and second[1] == ""
    assert first[2] == second[2] == ""
    assert first[0] == second[0] and second[0].startswith(f"{reference.identity.dimensions} openvino ")
    for lines in (first, second):
        found = np.array(json.loads(lines[3]), dtype=np.float32)
        assert least_cosine(found, reference.encode(TEXTS)) >= LEAST_COSINE
    (converted,) = (tmp_path / "openvino").iterdir()
    (converted / "model.bin").write_bytes(b"damaged")
    assert run()[1].split()[0] == "torch"  # made anew
    assert run()[1] == ""


@pytest.mark.slow
def test_openvino_that_cannot_take_the_model_is_told_or_passed_over(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = find_model(str(tiny_model), {})
    cache = Cache(tmp_path, "key")

    def fail(*_: object) -> None:
        raise RuntimeError("no such\noperation")

    monkeypatch.setattr("crawler.engines.choice._open_converted", fail)
    monkeypatch.setattr(choosing, "find_spec", lambda name: name)
    engine, made = make_choice(TorchEngine(place), "", cache, library=None)
    assert made.best.setting.library == TORCH and isinstance(engine, TorchEngine)
    with pytest.raises(EmbeddingError, match="OpenVINO cannot take this model: no such operation"):
        make_choice(TorchEngine(place), "", cache, library=OPENVINO)
    monkeypatch.setattr(choosing, "find_spec", lambda name: None)
    with pytest.raises(EmbeddingError, match="OpenVINO is not installed"):
        make_choice(TorchEngine(place), "", cache, library=OPENVINO)


@dataclass
class TurningEmbedder:
    """Gives each text a vector of its own, turned by an angle, in radians, that stands for another engine's errors."""

    engine: str
    angle: float = 0.0
    identity: ModelIdentity = field(default_factory=lambda: ModelIdentity("turning", "1", "", 256, 2))

    def prepare(self, expected: int = 0) -> None:
        """Need nothing."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        angles = np.array([sum(text.encode()) % 6 + self.angle for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32).reshape(len(texts), 2)


def _embed(store: Store, embedder: TurningEmbedder, *numbers: int) -> None:
    with store.transaction():
        run_id = start_run(
            store, kind="nightly", source="oai", categories=[], started_at=to_text(NOW), program_version="0"
        )
        papers = [make_paper(number, f"Title of {number}") for number in numbers]
        save_papers(store, papers, run_id=run_id, now=to_text(NOW))
    embed_missing(store, embedder, run_id=run_id, stop=Stop(), progress=no_progress)


def test_vectors_of_engines_are_told_apart_and_mixed_only_where_they_agree(store: Store) -> None:
    _embed(store, TurningEmbedder("plain"), 1, 2)
    _embed(store, TurningEmbedder("close", angle=0.01), 3)
    with pytest.raises(EmbeddingError, match="far gives other vectors than the database holds"):
        _embed(store, TurningEmbedder("far", angle=0.1), 4)
    engines = store.rows("SELECT name, count(*) AS n FROM vectors JOIN engines USING (engine_id) GROUP BY name")
    assert engines == [{"name": "close", "n": 1}, {"name": "plain", "n": 2}]
    assert store.value("SELECT least_cosine FROM engines WHERE name = 'close'") == pytest.approx(np.cos(0.01), abs=1e-3)
    _embed(store, TurningEmbedder("plain"), 5)
    assert store.value("SELECT count(*) FROM vectors") == 5
    model_id = keep_model(store, TurningEmbedder("plain").identity)
    assert settle_engine(store, TurningEmbedder("plain"), model_id) == store.value(
        "SELECT engine_id FROM engines WHERE name = 'plain'"
    )


def test_engines_are_compared_also_where_no_new_paper_has_a_vector(store: Store) -> None:
    _embed(store, TurningEmbedder("plain"), 1)
    with store.transaction():
        later = [make_paper(number, f"Title of {number}") for number in range(2, 40)]
        save_papers(store, later, run_id=1, now=to_text(NOW))
    with pytest.raises(EmbeddingError, match="far gives other vectors"):
        _embed(store, TurningEmbedder("far", angle=0.1), 50)


def test_a_vector_that_is_none_is_not_kept(store: Store) -> None:
    with pytest.raises(EmbeddingError, match="not of length one"):
        _embed(store, TurningEmbedder("broken", angle=float("nan")), 1)
    assert store.value("SELECT count(*) FROM vectors") == 0


def test_where_two_engines_differ_though_both_are_close_to_float32_that_is_the_way_out(store: Store) -> None:
    _embed(store, TurningEmbedder("left", angle=0.035), 1, 2)
    with pytest.raises(EmbeddingError) as told:
        _embed(store, TurningEmbedder("right", angle=-0.035), 3)
    assert "set BMP_ENGINE=float32" in str(told.value)
    _embed(store, TurningEmbedder("float32"), 4)
    assert store.value("SELECT count(*) FROM vectors") == 4  # the papers of the night that failed are among them
    assert store.value("SELECT min(least_cosine) FROM engines") >= LEAST_COSINE


def test_a_worker_of_a_cluster_whose_vectors_differ_is_refused_before_it_embeds() -> None:
    own = TurningEmbedder("plain")
    kept = [
        {"title": "On grokking", "abstract": "It comes late.", "vector": own.encode(["On grokking. It comes late."])[0]}
    ]
    known = np.zeros(0, dtype=np.uint64)
    EmbeddingShards(lambda: TurningEmbedder("close", angle=0.01), known, kept)()
    with pytest.raises(EmbeddingError, match="far gives other vectors"):
        EmbeddingShards(lambda: TurningEmbedder("far", angle=0.1), known, kept)()


def test_a_vector_is_the_same_before_and_after_it_was_kept(store: Store) -> None:
    model_id = keep_model(store, ModelIdentity("m", "1", "", 256, 384))
    engine_id = store.insert("engines", {"model_id": model_id, "name": "any"})
    vectors = to_unit_length(np.random.default_rng(1).standard_normal((5, 384)).astype(np.float32))
    hashes = [str(place) * 64 for place in range(5)]
    with store.transaction():
        save_vectors(store, model_id, engine_id, hashes, vectors)
    found = load_vectors(store, model_id, hashes)
    np.testing.assert_array_equal(np.stack([found[one] for one in hashes]), as_kept(vectors))
    assert least_cosine(as_kept(vectors), vectors) > 0.9999995
    assert store.value("SELECT max(length(vector)) FROM vectors") == 2 * 384


def test_vectors_of_before_are_upgraded_to_half_the_space(tmp_path: Path) -> None:
    older = Migrations("bmprinciples")
    older._migrations = [step for step in migrations._migrations if step.name < "m0011"]
    vectors = to_unit_length(np.random.default_rng(1).standard_normal((3, 384)).astype(np.float32))
    with open_store(tmp_path / "old.db", create=True, clock=lambda: NOW, schema=older) as store:
        model_id = keep_model(store, ModelIdentity("m", "1", "", 256, 384))
        keep_model(store, ModelIdentity("never used", "1", "", 256, 384))
        for place, vector in enumerate(vectors):
            row = {"text_hash": str(place) * 64, "model_id": model_id, "vector": vector.astype("<f4").tobytes()}
            store.insert("vectors", row)
    with open_store(tmp_path / "old.db", clock=lambda: NOW) as store:
        found = load_vectors(store, model_id, [str(place) * 64 for place in range(3)])
        np.testing.assert_array_equal(np.stack([found[str(place) * 64] for place in range(3)]), as_kept(vectors))
        names = store.rows("SELECT DISTINCT name FROM vectors JOIN engines USING (engine_id, model_id)")
        assert names == [{"name": "torch float32"}]
        assert store.value("SELECT count(*) FROM engines") == 1


def test_little_of_what_is_computed_is_padding(shared: Path) -> None:
    """Word pieces computed for each real one, over the real papers in the portions in which a night embeds them."""
    tokenizers = pytest.importorskip("tokenizers")
    folder = find_model(DEFAULT_MODEL, {}).folder
    assert folder is not None
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(512)
    with gzip.open(shared / "data" / "papers.jsonl.gz", "rt", encoding="utf-8") as file:
        texts = [f"{paper['title']}. {paper['abstract']}" for paper in map(json.loads, file)]
    lengths = np.array([len(one.ids) for one in tokenizer.encode_batch(texts)])
    for size, most in ((4, 1.02), (16, 1.05)):
        computed = 0
        for start in range(0, len(texts), CHUNK):
            chunk = texts[start : start + CHUNK]
            for some in iterate_batches([len(text) for text in chunk], 2 * SLICE):
                of_slice = lengths[start + np.array(some)]
                for rows in iterate_batches(of_slice.tolist(), size * ABSTRACT_PIECES):
                    computed += int(of_slice[rows].max()) * len(rows)
        assert computed / lengths.sum() < most
    unsorted = sum(int(lengths[start : start + 16].max()) * 16 for start in range(0, len(texts), 16))
    assert unsorted / lengths.sum() > 1.2


def test_no_more_cores_are_taken_than_a_container_or_the_user_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(setting, "CONTAINER", tmp_path / "cpu.max")
    assert count_cores() == 8
    for told, cores in (("max 100000", 8), ("250000 100000", 2), ("50000 100000", 1), ("", 8)):
        (tmp_path / "cpu.max").write_text(told, encoding="ascii")
        assert count_cores() == cores
    for told, cores in (("3", 3), ("0", 8), ("many", 8), ("64", 8)):
        monkeypatch.setenv("OMP_NUM_THREADS", told)
        assert count_cores() == cores


def test_the_cache_of_another_machine_or_library_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {choosing.name_machine("weights", "", 512, "auto")}
    names.add(choosing.name_machine("weights", "", 256, "auto"))
    names.add(choosing.name_machine("weights", "query: ", 512, "auto"))
    names.add(choosing.name_machine("others", "", 512, "auto"))
    monkeypatch.setattr(choosing, "_processor", lambda: "another")
    names.add(choosing.name_machine("weights", "", 512, "auto"))
    monkeypatch.setattr(choosing, "_version", lambda package: "9")
    names.add(choosing.name_machine("weights", "", 512, "auto"))
    assert len(names) == 6


def test_the_command_tells_the_setting_in_use(
    bmp: Bmp, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BMP_MODEL", str(tiny_model))
    monkeypatch.setenv("BMP_CACHE", str(tmp_path / "cache"))
    assert "torch float32.\n" in bmp("config", "show").out
    monkeypatch.setenv("BMP_ENGINE", "torch")
    assert "looks for a faster setting" in bmp("config", "show").out
    place = find_model(str(tiny_model), {})
    SentenceTransformerEmbedder(place, engine="torch", cache=tmp_path / "cache").prepare(1_000)
    assert "texts/s here, float32" in bmp("config", "show").out
    told = bmp("config", "show", "--json").json
    assert told["engine"]["chosen"]["setting"]["library"] == "torch"
    shutil.rmtree(tmp_path / "cache")
    assert bmp("config", "show", "--json").json["engine"]["chosen"] is None
