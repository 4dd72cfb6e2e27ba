"""A setting of an engine: library, precision, batches and threads; and which ones are worth a try on a machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from db.vectors import Vectors

FLOAT32, BFLOAT16, FLOAT16 = "float32", "bfloat16", "float16"
TORCH, OPENVINO = "torch", "openvino"

Encode = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True, slots=True)
class Setting:
    """How vectors are computed.

    Attributes:
        library: `torch` or `openvino`.
        precision: `float32`, `bfloat16` or `float16`, of weights and arithmetic.
        batch_size: texts that are computed at once by one stream.
        streams: how many batches are computed side by side.
        threads: of each stream.
        device: `cpu` or `cuda`.
    """

    library: str = TORCH
    precision: str = FLOAT32
    batch_size: int = 16
    streams: int = 1
    threads: int = 1
    device: str = "cpu"

    def __str__(self) -> str:
        streams = "1 stream" if self.streams == 1 else f"{self.streams} streams"
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        where = "" if self.device == "cpu" else f" on {self.device}"
        return f"{self.library} {self.precision}{where}, batch {self.batch_size}, {streams} of {threads}"


def count_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def reference_setting() -> Setting:
    """Return the setting that all others are held against: torch in float32 with all cores."""
    return Setting(threads=count_cores())


def list_settings(library: str, precision: str, *, device: str = "cpu") -> list[Setting]:
    """Return the settings that are tried in a precision: few texts or more at once, streams or threads.

    Batches that leave the processor's cache are slower, so that all are small; a stream of one thread waits for no
    other, but computes for itself what threads share.
    """
    if device != "cpu":
        return [Setting(library, precision, size, 1, count_cores(), device) for size in (64, 256)]
    cores = count_cores()
    shapes = dict.fromkeys([(1, cores), (cores, 1), *([(cores // 4, 4)] if cores >= 8 else [])])
    return [Setting(library, precision, size, *shape) for shape in shapes for size in (16, 4)]


def iterate_batches(lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """Yield the places of texts, so many at a time; those of like length together, so that little is padding.

    Args:
        lengths: of the texts, in word pieces or in characters.
    """
    places = sorted(range(len(lengths)), key=lambda place: lengths[place], reverse=True)
    for start in range(0, len(places), size):
        yield places[start : start + size]


def to_unit_length(vectors: Vectors) -> Vectors:
    """Return vectors, shape (n, d), in float32 at length one; a zero vector stays."""
    whole = np.asarray(vectors, dtype=np.float32)
    unit: Vectors = whole / np.maximum(np.linalg.norm(whole, axis=1, keepdims=True), 1e-12)
    return unit
