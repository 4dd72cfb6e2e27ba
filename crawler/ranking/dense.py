"""Directions: a claim in vectors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]


def claim_direction(vectors: Vectors) -> npt.NDArray[np.float64]:
    """Return the mean of a claim's vectors, shape (texts, d), at length one, shape (d,)."""
    return unit(vectors.mean(axis=0, dtype=np.float64))


def unit(vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return a vector at length one; one without length stays as it is."""
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector
