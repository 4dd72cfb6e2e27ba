"""A claim in vectors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]


def claim_direction(vectors: Vectors) -> npt.NDArray[np.float64]:
    """Return the mean of a claim's vectors, shape (texts, d), at length one, shape (d,)."""
    mean: npt.NDArray[np.float64] = vectors.mean(axis=0, dtype=np.float64)
    length = float(np.linalg.norm(mean))
    return mean / length if length else mean
