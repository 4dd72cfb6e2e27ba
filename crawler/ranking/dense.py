"""Evidence in vectors: how much nearer a paper lies to a claim than papers of the field do on the whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
BLOCK = 8_192  # rows that are widened to float64 at once


def claim_direction(vectors: Vectors) -> npt.NDArray[np.float64]:
    """Return the mean of a claim's vectors, shape (texts, d), at length one, shape (d,)."""
    mean: npt.NDArray[np.float64] = vectors.mean(axis=0, dtype=np.float64)
    length = float(np.linalg.norm(mean))
    return mean / length if length else mean


class DenseEvidence:
    """Compares papers with claims by cosine, less the cosine of the field's mean vector."""

    def __init__(self, claim_vectors: Sequence[Vectors], centre: npt.NDArray[np.float64] | None) -> None:
        """Take each claim's vectors, shape (texts, d), and the field's mean, shape (d,), None where it is not known."""
        directions = [claim_direction(vectors) for vectors in claim_vectors]
        self._directions = np.stack(directions, axis=1) if directions else np.zeros((0, 0))
        self._offsets = np.zeros(len(directions)) if centre is None or not directions else centre @ self._directions

    def score(self, vectors: Vectors) -> npt.NDArray[np.float64]:
        """Return the centred cosines of unit vectors, shape (n, d), with the claims: shape (n, claims).

        The sum runs in float64, so that a paper's score does not depend on the batch it came in.
        """
        if not len(self._offsets):
            return np.zeros((len(vectors), 0))
        scores = np.empty((len(vectors), len(self._offsets)))
        for start in range(0, len(vectors), BLOCK):
            block = vectors[start : start + BLOCK].astype(np.float64)
            scores[start : start + BLOCK] = block @ self._directions - self._offsets
        return scores
