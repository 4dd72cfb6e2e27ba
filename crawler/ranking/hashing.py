"""Texts as 64-bit numbers: the same on every machine, and as good as random."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]


def hash_to_64_bits(text: str) -> int:
    """Return the BLAKE2b hash of a text as a number from 0 to 2^64 - 1."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def mix(numbers: Hashes) -> Hashes:
    """Return numbers that look independent of the given ones: the last step of SplitMix64 (Steele et al. 2014)."""
    mixed = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
