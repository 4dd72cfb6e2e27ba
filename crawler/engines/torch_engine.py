"""The engine that every installation has: sentence-transformers on torch. The only door to both."""

from __future__ import annotations

import json
import logging
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np

from crawler.engines.setting import (
    BFLOAT16,
    FLOAT16,
    FLOAT32,
    TORCH,
    Setting,
    iterate_batches,
    list_settings,
    reference_setting,
    to_unit_length,
)
from crawler.models import THREE_WAYS, ModelPlace
from db.errors import EmbeddingError
from db.vectors import Vectors

CHARACTERS = 4  # of a word piece, about
LONGEST = 1_000_000  # word pieces; where a model has no limit, its files say infinity or 10^30
STEP = 16  # word pieces by which lengths of batches differ


class TorchEngine:
    """A sentence-transformers model in one precision at a time: safetensors only, no code from the model's folder."""

    def __init__(self, place: ModelPlace, longest: int | None = None) -> None:
        """Load the model in float32.

        Args:
            longest: word pieces that a text is read to at least; None leaves what the model is set to.

        Raises:
            EmbeddingError: the model cannot be had or loaded.
        """
        self._place, self._longest = place, longest
        self._pool: ThreadPoolExecutor | None = None
        self._load()

    def _load(self) -> None:
        self.model, self.setting = load(self._place), reference_setting()
        if self._longest is not None:
            self.read_whole(self._longest)

    def read_whole(self, longest: int) -> None:
        """Read so many word pieces of a text at least."""
        self._longest = longest
        self.model.max_seq_length = max(longest, self.max_length)

    @property
    def label(self) -> str:
        """Return what vectors of this engine are told apart by: library, version, precision."""
        where = "" if self.setting.device == "cpu" else f" {self.setting.device}"
        return f"{TORCH} {version('torch')} {self.setting.precision}{where}"

    @property
    def max_length(self) -> int:
        """Return how many word pieces of a text are read; 0 where the model names no limit."""
        told = self.model.max_seq_length or 0
        return int(told) if told < LONGEST else 0

    @property
    def dimensions(self) -> int:
        """Return the length of the vectors."""
        return int(self.model.get_embedding_dimension())

    @property
    def own_prompt(self) -> str:
        """Return what the model puts before a text by default."""
        return str(self.model.prompts.get(self.model.default_prompt_name, ""))

    def use(self, setting: Setting) -> None:
        """Compute in this setting from now on; weights that were rounded are loaded anew where more is asked for."""
        import torch

        if setting.precision != self.setting.precision and self.setting.precision != FLOAT32:
            self._load()
        if setting.precision != self.setting.precision or setting.device != self.setting.device:
            try:
                self.model.to(device=setting.device, dtype=getattr(torch, setting.precision))
            except Exception:  # half of it may have moved
                self._load()
                raise
        self.setting = setting
        if self._pool is not None:
            self._pool.shutdown()
        start = partial(torch.set_num_threads, setting.threads)
        start()
        self._pool = ThreadPoolExecutor(setting.streams, "embed", initializer=start)

    def encode(self, texts: Sequence[str], prompt: str) -> Vectors:
        """Return float32 vectors of length one, shape (texts, dimensions).

        Args:
            prompt: what is put before each text; the model adds none of its own.
        """
        if self._pool is None:
            size = self.setting.batch_size
            return to_unit_length(
                self.model.encode(list(texts), prompt=prompt, batch_size=size, show_progress_bar=False)
            )
        return to_unit_length(self._encode_in_streams(self._pool, texts, prompt))

    def _encode_in_streams(self, pool: ThreadPoolExecutor, texts: Sequence[str], prompt: str) -> Vectors:
        """Compute batches side by side; the texts are cut into word pieces here, for a tokenizer serves one thread."""
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        pending: deque[tuple[list[int], Future[Vectors]]] = deque()
        for rows in iterate_batches(self._count_pieces(texts), self.setting.load):
            features = self.model.preprocess([texts[row] for row in rows], prompt=prompt)
            pending.append((rows, pool.submit(self._forward, features)))
            if len(pending) > 2 * self.setting.streams:
                done, future = pending.popleft()
                vectors[done] = future.result()
        for done, future in pending:
            vectors[done] = future.result()
        return vectors

    def _count_pieces(self, texts: Sequence[str]) -> list[int]:
        """Return how many word pieces the texts have, or characters where the model takes something else."""
        tokenizer: Any = getattr(self.model, "tokenizer", None)
        if not hasattr(tokenizer, "backend_tokenizer"):
            return [len(text) // CHARACTERS for text in texts]
        return [
            len(pieces)
            for pieces in tokenizer(list(texts), truncation=self.max_length > 0, max_length=self.max_length or None)[
                "input_ids"
            ]
        ]

    def _forward(self, features: Any) -> Any:
        import torch

        features = _pad_to_step(features, self.max_length)
        with torch.inference_mode():
            there = {name: one.to(self.setting.device) if hasattr(one, "to") else one for name, one in features.items()}
            return self.model(there)["sentence_embedding"].float().cpu().numpy()

    def traceable(self, text: str) -> tuple[Any, dict[str, Any], dict[str, int]]:
        """Return the whole model as a module of tensors, and what it gets of a text: its inputs by name.

        The third part says what stands at places of padding, by the name of the input.

        Raises:
            EmbeddingError: the model takes something else than word pieces.
        """
        import torch

        features = self.model.preprocess([text, "short"], prompt="")
        inputs = {
            name: features[name] for name in ("input_ids", "attention_mask", "token_type_ids") if name in features
        }
        tokenizer: Any = getattr(self.model, "tokenizer", None)
        if "input_ids" not in inputs or not hasattr(tokenizer, "backend_tokenizer"):
            raise EmbeddingError(f"the model {self._place.name} takes something else than word pieces")
        model = self.model

        class Whole(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.model = model

            def forward(self, *tensors: Any) -> Any:
                return self.model(dict(zip(inputs, tensors, strict=True)))["sentence_embedding"]

        padding = {"input_ids": int(tokenizer.pad_token_id or 0)}
        return Whole().eval(), inputs, padding

    def list_settings(self) -> list[Setting]:
        """Return the settings that are worth a try on this machine beside the reference, float32 last."""
        import torch

        found = list_settings(TORCH, FLOAT16, device="cuda") if torch.cuda.is_available() else []
        if _computes_bfloat16():
            found += list_settings(TORCH, BFLOAT16)
        whole = reference_setting()
        return [*found, *(one for one in list_settings(TORCH, FLOAT32) if one != whole), replace(whole, batch_size=32)]


def _pad_to_step(features: Any, most: int) -> Any:
    """Return what a batch is computed from, a little longer: each new length costs memory that is never given back.

    oneDNN makes code for every shape of a product that it meets, and keeps it.

    Args:
        most: word pieces that the model has positions for; 0: it names no limit, and nothing is padded.
    """
    import torch

    pieces = features.get("input_ids")
    if getattr(pieces, "ndim", 0) != 2:
        return features
    length = pieces.shape[1]
    more = min(-length % STEP, max(0, most - length))
    return {
        name: torch.nn.functional.pad(one, (0, more)) if getattr(one, "shape", ())[1:] == (length,) else one
        for name, one in features.items()
    }


def _computes_bfloat16() -> bool:
    """Tell whether the processor multiplies bfloat16 numbers itself: elsewhere they are slower than float32."""
    import torch

    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in asked)


def load(place: ModelPlace) -> Any:
    """Return the model in float32 on the processor.

    Raises:
        EmbeddingError: it cannot be had or loaded.
    """
    with quiet_libraries():
        try:
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging as transformers_logging

            transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # it carries no types
            return SentenceTransformer(
                place.target,
                device="cpu",
                trust_remote_code=False,
                local_files_only=place.folder is not None,
                model_kwargs={"use_safetensors": True, "dtype": "float32"},
            )
        except (OSError, ValueError, RuntimeError, ImportError, KeyError, TypeError, json.JSONDecodeError) as error:
            if place.folder is None:
                raise EmbeddingError(
                    f"the model {place.name} is not on this machine and the Hub does not give it", THREE_WAYS
                ) from error
            line = " ".join(str(error).split())[:200]
            raise EmbeddingError(f"the model {place.name} cannot be loaded: {line}", THREE_WAYS) from error


@contextmanager
def quiet_libraries() -> Iterator[None]:
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
