"""A setting of an engine: library, precision, batches and threads; and which ones are worth a try on a machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from db.vectors import Vectors

FLOAT32, BFLOAT16, FLOAT16 = "float32", "bfloat16", "float16"
TORCH, OPENVINO = "torch", "openvino"

CONTAINER = Path("/sys/fs/cgroup/cpu.max")  # https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
ABSTRACT_PIECES = 256  # word pieces of an abstract, about


@dataclass(frozen=True, slots=True)
class Setting:
    """How vectors are computed.

    Attributes:
        library: `torch` or `openvino`.
        precision: `float32`, `bfloat16` or `float16`, of weights and arithmetic.
        batch_size: texts as long as an abstract that are computed at once by one stream; of short ones more.
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

    def holds(self) -> bool:
        """Tell whether it is a setting at all: it may come from a file."""
        counts = (self.batch_size, self.streams, self.threads)
        known = self.library in (TORCH, OPENVINO) and self.precision in (FLOAT32, BFLOAT16, FLOAT16)
        return known and all(isinstance(count, int) and 0 < count < 10_000 for count in counts)

    @property
    def load(self) -> int:
        """Return how many word pieces a batch has at most, with its padding."""
        return self.batch_size * ABSTRACT_PIECES

    def __str__(self) -> str:
        streams = "1 stream" if self.streams == 1 else f"{self.streams} streams"
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        where = "" if self.device == "cpu" else f" on {self.device}"
        return f"{self.library} {self.precision}{where}, batch {self.batch_size}, {streams} of {threads}"


def count_cores() -> int:
    """Return how many cores this process may use: what a container or OMP_NUM_THREADS leaves of those there are."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    told = os.environ.get("OMP_NUM_THREADS", "")
    limits = [int(told)] if told.isascii() and told.isdecimal() and int(told) else []
    try:
        quota, period = CONTAINER.read_text(encoding="ascii").split()
        limits.append(max(1, int(quota) // int(period)))
    except (OSError, ValueError):  # no container, or one without a limit
        pass
    return min(there, *limits) if limits else there


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


def iterate_batches(lengths: Sequence[int], load: int) -> Iterator[list[int]]:
    """Yield the places of texts, those of like length together, so that little is padding.

    Args:
        lengths: of the texts, in word pieces or in characters.
        load: of a batch, padded to its longest text, at most; a text that is longer is a batch of its own.
    """
    places = sorted(range(len(lengths)), key=lambda place: lengths[place], reverse=True)
    while places:
        size = max(1, load // max(1, lengths[places[0]]))
        yield places[:size]
        places = places[size:]


def to_unit_length(vectors: Vectors) -> Vectors:
    """Return vectors, shape (n, d), in float32 at length one; a zero vector stays."""
    whole = np.asarray(vectors, dtype=np.float32)
    unit: Vectors = whole / np.maximum(np.linalg.norm(whole, axis=1, keepdims=True), 1e-12)
    return unit
