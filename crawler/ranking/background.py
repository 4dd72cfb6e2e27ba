"""What papers of the field look like when they have nothing to do with a claim: shipped as figures, never as texts."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from db.records import ModelIdentity

FLOOR = 20  # words found in fewer papers than this are not shipped: they all count as unseen
_DATA = "data"
_TERMS = "document-frequencies.tsv.gz"
_VECTORS = "vectors.npz"


@dataclass(frozen=True, slots=True)
class Lexicon:
    """In how many of `documents` background papers each term stands."""

    documents: int
    frequencies: Mapping[str, int]

    def weigh(self, frequencies: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return inverse document frequencies (Sparck Jones 1972), smoothed, at least 1; of no background paper: 0."""
        weights: npt.NDArray[np.float64] = np.log((1 + self.documents) / (1 + frequencies)) + 1
        return weights


@dataclass(frozen=True, slots=True)
class Background:
    """The words of the field, and the mean vector of its papers, shape (d,); None where the model is not known."""

    lexicon: Lexicon
    centre: npt.NDArray[np.float64] | None

    @classmethod
    def load(cls, model: ModelIdentity | None) -> Background:
        """Return the shipped figures; the mean vector only for the model it was computed with."""
        folder = files("crawler.ranking") / _DATA
        lines = gzip.decompress((folder / _TERMS).read_bytes()).decode().splitlines()
        pairs = (line.split("\t") for line in lines[1:])
        lexicon = Lexicon(int(lines[0]), {term: int(count) for term, count in pairs})
        if model is None:
            return cls(lexicon, None)
        with (folder / _VECTORS).open("rb") as file, np.load(file, allow_pickle=False) as figures:
            known = (str(figures["revision"]), str(figures["prompt"]), int(figures["max_length"]))
            centre = figures["centre"].astype(np.float64)
        return cls(lexicon, centre if known == (model.revision, model.prompt, model.max_length) else None)

    @classmethod
    def from_vectors(cls, lexicon: Lexicon, vectors: npt.NDArray[np.float32]) -> Background:
        """Return a background for another model, from unit vectors of papers of the field, shape (n, d).

        A few hundred papers are enough for the mean; scores are only comparable under the same ones.
        """
        return cls(lexicon, vectors.mean(axis=0, dtype=np.float64))
