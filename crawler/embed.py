"""Embedding: gives every text that has no vector one, by the fastest engine that can be trusted."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from crawler.control import Progress, Stop
from crawler.engines.choice import (
    LEAST_COSINE,
    Cache,
    Choice,
    Engine,
    least_cosine,
    make_choice,
    name_machine,
    open_chosen,
)
from crawler.engines.setting import OPENVINO, count_cores, iterate_batches
from crawler.engines.torch_engine import TorchEngine
from crawler.models import ModelPlace, find_model, hash_files, hash_weights, longest_text, own_prompt
from crawler.ranking.claims import document_text
from db.errors import EmbeddingError
from db.papers import count_revisions_without_vector, list_revisions_without_vector
from db.records import ModelIdentity
from db.runs import add_to_run
from db.store import Row, Store
from db.text import hash_text
from db.vectors import (
    Vectors,
    as_kept,
    is_engine_settled,
    keep_engine,
    keep_model,
    list_kept_vectors,
    load_vectors,
    save_vectors,
)

CHUNK = 512  # texts between two commits
SLICE = 50_000  # characters for each core between two looks at a request to stop: a few seconds
WORTH_MEASURING = 200  # texts from which on it pays to find the fastest setting
COMPARED = 16  # vectors of other engines that a new one is held against

AUTO, REFERENCE = "auto", "float32"  # beside the names of the libraries


class Embedder(Protocol):
    """Turns texts into unit vectors."""

    @property
    def identity(self) -> ModelIdentity:
        """Return what the vectors are kept under."""

    @property
    def engine(self) -> str:
        """Return what computes them, as far as they are told apart: library, version, precision."""

    def prepare(self, expected: int = 0) -> None:
        """Load what encoding needs: it takes seconds, and may be broken off.

        Args:
            expected: how many texts are to come.
        """

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return float32 vectors of length one, shape (texts, dimensions)."""


class SentenceTransformerEmbedder:
    """A sentence-transformers model, computed by torch or, converted once, by OpenVINO.

    The model is loaded when the first text needs it; what its vectors are kept under is read from the database where
    the same weights have been used before, so that a night without new texts loads nothing.
    """

    def __init__(
        self,
        place: ModelPlace,
        known: Sequence[ModelIdentity] = (),
        *,
        prompt: str | None = None,
        engine: str = REFERENCE,
        cache: Path | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Say where the model is, and under which identities vectors are kept already.

        Args:
            prompt: what is put before each text; None: what the model itself names as its default.
            engine: `auto`, the fastest of all; `torch` or `openvino`, the fastest of one; `float32`: torch in that.
            cache: where choices and converted models lie; None: nothing is measured, torch in float32 computes.
            say: told what takes long and is done once.

        Raises:
            EmbeddingError: the weights are not those that were published.
        """
        self._known, self._wanted_prompt = known, prompt
        self._asked, self._folder, self._say = engine, cache, say
        self._torch: TorchEngine | None = None
        self._engine: Engine | None = None
        self._take(place)

    def _take(self, place: ModelPlace) -> None:
        """Read from the model's folder what can be told without loading it."""
        self._place = place
        self._prompt = own_prompt(place) if self._wanted_prompt is None else self._wanted_prompt
        self._revision = hash_weights(place)
        self._files, self._longest = hash_files(place), longest_text(place)
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
            engine = self._loaded()
        if self._identity is None:  # loading it may have told
            self._identity = ModelIdentity(
                name=self._place.name,
                revision=self._revision,
                prompt=self._said_prompt(),
                max_length=engine.max_length,
                dimensions=engine.dimensions,
            )
        return self._identity

    @property
    def engine(self) -> str:
        """Return what computes the vectors: library, version, precision.

        Raises:
            EmbeddingError: the model cannot be had or loaded.
        """
        return self._loaded().label

    @property
    def choice(self) -> Choice | None:
        """Return the setting that was found to be the fastest, or None where none was looked for yet."""
        cache = self._cache()
        return cache.load() if cache else None

    def prepare(self, expected: int = 0) -> None:
        """Load the model; for many texts the fastest setting is found first, once on each machine.

        Raises:
            EmbeddingError: it cannot be had or loaded.
        """
        if self._engine is None:
            self._engine = self._open_chosen() or self._choose(expected)
            if self._engine is not None and self._engine is not self._torch:
                self._torch = None  # what was converted needs no other copy of the weights

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return float32 vectors of length one, shape (texts, dimensions).

        Raises:
            EmbeddingError: the model cannot be had or loaded.
        """
        if not texts:
            return np.empty((0, self.identity.dimensions), dtype=np.float32)
        return self._loaded().encode(texts, self.identity.prompt)

    def _cache(self) -> Cache | None:
        """Return where the choice lies; None where there is nothing to choose, or the weights are not here yet."""
        if self._folder is None or self._asked == REFERENCE or self._place.folder is None:
            return None
        made_of = f"{self._revision} {self._files}"
        return Cache(self._folder, name_machine(made_of, self._prompt, self._longest, self._asked))

    def _loaded(self) -> Engine:
        """Return what computes; only `prepare` puts another engine in the place of one that is at work."""
        if self._engine is None and self._torch is None:
            self.prepare()
        return self._engine or self._load_torch()

    def _open_chosen(self) -> Engine | None:
        """Return the engine that was chosen before, or None."""
        cache = self._cache()
        choice = cache.load() if cache else None
        return open_chosen(choice, cache, self._load_torch) if cache and choice else None

    def _choose(self, expected: int) -> Engine | None:
        """Find the fastest setting; None where it does not pay yet, and torch in float32 computes meanwhile."""
        slow = self._load_torch()  # a model fresh from the Hub has a folder from now on
        cache = self._cache()
        if cache is None:
            return slow
        if expected < WORTH_MEASURING and self._asked != OPENVINO:
            return None
        with cache.alone(self._say):
            if engine := self._open_chosen():  # another process has found it meanwhile
                return engine
            self._say("Finding the fastest setting for the model on this machine; this is done once.")
            only = None if self._asked == AUTO else self._asked
            engine, choice = make_choice(slow, self._said_prompt(), cache, library=only, say=self._say)
        self._say(f"Embedding with {choice.describe()}.")
        return engine

    def _load_torch(self) -> TorchEngine:
        if self._torch is None:
            self._torch = TorchEngine(self._place, self._longest)
            if self._place.folder is None:  # it lies in the cache now, and is from now on what it is there
                self._take(find_model(self._place.name, os.environ))
                if self._longest is not None:
                    self._torch.read_whole(self._longest)
        return self._torch

    def _said_prompt(self) -> str:
        return self._load_torch().own_prompt if self._prompt is None else self._prompt


def embed_missing(
    store: Store, embedder: Embedder, *, run_id: int, stop: Stop, progress: Progress, beyond: int = 0
) -> None:
    """Embed every current revision that has no vector of this model, counting them in the run.

    Args:
        beyond: only revisions beyond this id.

    Raises:
        StopRequested: between two slices; what was embedded stays.
    """
    model_id = keep_model(store, embedder.identity)
    total, done, last = count_revisions_without_vector(store, model_id, after=beyond), 0, beyond
    while rows := list_revisions_without_vector(store, model_id, after=last, limit=CHUNK):
        done += embed_rows(store, embedder, model_id, rows, run_id=run_id, stop=stop, expected=total)
        last = rows[-1]["revision_id"]
        progress("embed", done, total)


def embed_rows(
    store: Store, embedder: Embedder, model_id: int, rows: Sequence[Row], *, run_id: int, stop: Stop, expected: int
) -> int:
    """Embed these revisions, counting them in the run, and return how many texts they have.

    Args:
        rows: with `text_hash`, `title` and `abstract`.
        expected: how many are to come, with these.

    Raises:
        StopRequested: between two slices; what was embedded stays.
    """
    if not rows:
        return 0
    with stop.breakable():
        embedder.prepare(expected)
        engine_id = settle_engine(store, embedder, model_id)
    hashes, vectors = _encode_until_stopped(embedder, rows, stop)
    require_numbers(vectors, embedder.engine)
    with store.transaction():
        save_vectors(store, model_id, engine_id, hashes, vectors)
        add_to_run(store, run_id, embedded=len(hashes))
    stop.check()
    return len(hashes)


def _encode_until_stopped(embedder: Embedder, rows: Sequence[Row], stop: Stop) -> tuple[list[str], Vectors]:
    """Return the hashes and vectors of these texts, or of as many as were done when a stop was asked for."""
    texts = {row["text_hash"]: document_text(row["title"], row["abstract"]) for row in rows}
    hashes, parts = list(texts), list[Vectors]()
    done: list[str] = []
    for places in iterate_batches([len(text) for text in texts.values()], SLICE * count_cores()):
        if done and stop.is_requested:
            break
        some = [hashes[place] for place in places]
        parts.append(embedder.encode([texts[key] for key in some]))
        done += some
    return done, np.concatenate(parts)


def require_numbers(vectors: Vectors, engine: str) -> None:
    """Let no vector through that would silently match nothing.

    Raises:
        EmbeddingError: one is not of length one.
    """
    if not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=0.01):
        raise EmbeddingError(f"{engine} gave a vector that is not of length one", "set BMP_ENGINE=float32")


def settle_engine(store: Store, embedder: Embedder, model_id: int) -> int:
    """Return the id under which vectors of the embedder's engine are told apart from those of others.

    Before its first vector is kept beside those of other engines, it computes some of these again.

    Raises:
        EmbeddingError: its vectors are not close to those that are kept: they are never mixed.
    """
    cosine, name = None, embedder.engine
    if not is_engine_settled(store, model_id, name):
        cosine = compare_with_kept(embedder, list_kept_vectors(store, model_id, limit=COMPARED, but=name))
    return keep_engine(store, model_id, name, cosine)


def compare_with_kept(embedder: Embedder, kept: Sequence[Row]) -> float | None:
    """Return the least cosine of an embedder's vectors with those that are kept of the same texts; None without any.

    Args:
        kept: revisions with `title`, `abstract` and `vector`.

    Raises:
        EmbeddingError: they are not close.
    """
    if not kept:
        return None
    found = embedder.encode([document_text(row["title"], row["abstract"]) for row in kept])
    cosine = least_cosine(found, np.stack([row["vector"] for row in kept]))
    if cosine < LEAST_COSINE:
        raise EmbeddingError(
            f"{embedder.engine} gives other vectors than the database holds of the same texts (cosine {cosine})",
            "set BMP_ENGINE=float32 and see `bmp config show`; vectors that differ are never mixed",
        )
    return cosine


class StoredVectors:
    """An embedder for texts that have a vector already: it loads no model, and knows nothing else."""

    def __init__(self, identity: ModelIdentity) -> None:
        self.identity = identity

    @property
    def engine(self) -> str:
        """Return a name: nothing is computed."""
        return "none"

    def prepare(self, expected: int = 0) -> None:
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

    @property
    def engine(self) -> str:
        """Return what computes the vectors."""
        return self._embedder.engine

    def prepare(self, expected: int = 0) -> None:
        """Load what encoding needs."""
        self._embedder.prepare(expected)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return float32 vectors of length one, shape (texts, dimensions).

        Raises:
            StopRequested: a stop was asked for.
        """
        vectors = np.empty((len(texts), self.identity.dimensions), dtype=np.float32)
        for places in iterate_batches([len(text) for text in texts], SLICE * count_cores()):
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
        vectors = as_kept(embedder.encode(list(missing.values())))
        engine_id = settle_engine(store, embedder, model_id)
        with store.transaction():
            save_vectors(store, model_id, engine_id, list(missing), vectors)
        known |= dict(zip(missing, vectors, strict=True))
    if not texts:
        return np.empty((0, embedder.identity.dimensions), dtype=np.float32)
    return np.stack([known[key] for key in hashes])
