"""Compares scores with what a reader made of the pairs of a real night: shares accepted, and the curve that fits them.

    python tests/bench/night.py ../shared/data/papers.jsonl.gz --cache /tmp/night

The papers are lines of the public metadata snapshot; vectors are computed once and kept in the cache folder. The labels
are in night-labels.tsv: pairs of paper and phenomenon drawn at random from those of each range of scores under
learned-1, and read without their scores. Label 2: the abstract says something that bears on the claim; 1: it is about
the phenomenon; 0: neither. A reviewer accepts 1 and 2. Each pair stands for as many as its stratum has for each that
was drawn; pairs that scored less than 0.1 under learned-1 are not among them.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from calibration import EDGES, Numbers, fit_curve, wilson
from scipy.optimize import brentq

from crawler.embed import SentenceTransformerEmbedder
from crawler.models import DEFAULT_MODEL, find_model
from crawler.ranking.background import Background
from crawler.ranking.ranker import Claim, Document, Ranker, Seen, document_text, to_chances
from crawler.sources.snapshot import SnapshotSource
from curation.catalogue import load_catalogue
from db.text import hash_text

LABELS = Path(__file__).with_name("night-labels.tsv")
HIGH = 0.85  # scores from which on the shift is taken
LIKELY = 0.1  # scores from which on the calibration error counts
PRECISIONS = (0.5, 0.7, 0.8, 0.9)
FOLDS, RESAMPLES, SEED = 5, 1_000, 20261125


@dataclass(frozen=True, slots=True)
class Labelled:
    """The labelled pairs: log-odds and labels, how many pairs each stands for, and the stratum it was drawn from."""

    logits: Numbers
    labels: npt.NDArray[np.int64]
    weights: Numbers
    strata: npt.NDArray[np.str_]

    @property
    def accepted(self) -> Numbers:
        """Return 1 for each pair that a reviewer accepts, 0 for the others."""
        return (self.labels > 0).astype(np.float64)

    def take(self, rows: npt.NDArray[np.intp]) -> Labelled:
        """Return these pairs; one may be among them more than once."""
        return Labelled(self.logits[rows], self.labels[rows], self.weights[rows], self.strata[rows])


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve over the present log-odds (Platt 1999): `slope` times these and `intercept` are a pair's log-odds."""

    name: str
    slope: float = 1.0
    intercept: float = 0.0

    def chances(self, logits: Numbers) -> Numbers:
        """Return probabilities."""
        return to_chances(self.slope * logits + self.intercept)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("papers", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    papers, codes, logits = score_night(options.papers, options.cache)
    labelled = read_labels(papers, codes, logits)
    print(f"{Ranker.version}: {len(papers)} papers, {len(codes)} phenomena, {len(labelled.labels)} labelled pairs")
    print_reliability(labelled)
    best = print_curves(labelled)
    print_shift(labelled)
    print_cuts(best, logits.ravel(), labelled)


def score_night(path: Path, cache: Path) -> tuple[list[str], list[str], Numbers]:
    """Return the papers' ids, the phenomena's codes, and the log-odds of all pairs as on a night without decisions."""
    papers = sorted(
        (paper for page in SnapshotSource(path, ()).pages("", "0") for paper in page.papers if not paper.withdrawn),
        key=lambda paper: paper.arxiv_id,
    )
    embedder = SentenceTransformerEmbedder(find_model(DEFAULT_MODEL, os.environ))
    texts = [document_text(paper.title, paper.abstract) for paper in papers]
    kept = cache / f"night-{hash_text(chr(10).join([embedder.identity.revision, *texts]))[:8]}.npy"
    if not kept.exists():
        np.save(kept, embedder.encode(texts))
    vectors = np.load(kept)
    documents = [Document(paper.title, paper.abstract) for paper in papers]
    claims = [Claim.of(phenomenon) for phenomenon in load_catalogue()]
    claim_vectors = [embedder.encode(claim.texts()) for claim in claims]
    seen = Seen(documents, vectors, [paper.published_at.date().isoformat() for paper in papers])
    ranker = Ranker(claims, claim_vectors, Background.load(embedder.identity), seen)
    return [paper.arxiv_id for paper in papers], [claim.code for claim in claims], ranker.evidence(documents, vectors)


def read_labels(papers: Sequence[str], codes: Sequence[str], logits: Numbers) -> Labelled:
    """Return the labelled pairs with their log-odds."""
    with LABELS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    paper_places = {paper: place for place, paper in enumerate(papers)}
    claim_places = {code: place for place, code in enumerate(codes)}
    return Labelled(
        np.array([logits[paper_places[row["arxiv_id"]], claim_places[row["code"]]] for row in rows]),
        np.array([int(row["label"]) for row in rows]),
        np.array([int(row["stratum_size"]) / int(row["drawn"]) for row in rows]),
        np.array([row["stratum"] for row in rows]),
    )


def print_reliability(labelled: Labelled) -> None:
    """Print what share of the pairs of each score is right, and the expected calibration error.

    Where pairs of one bin stand for unlike numbers, the intervals go by the effective number of pairs (Kish 1965).
    """
    chances, weights = to_chances(labelled.logits), labelled.weights
    bins = np.searchsorted(EDGES, chances, side="right")
    print("\nscore       read  stand for  mean score  accepted (95%)        label 2 (95%)")
    errors: list[tuple[float, float]] = []
    for number in range(1, len(EDGES)):
        inside = bins == number
        if not inside.any():
            continue
        inner = weights[inside]
        effective = inner.sum() ** 2 / (inner**2).sum()
        mean = float(np.average(chances[inside], weights=inner))
        cells, shares = [], []
        for least in (1, 2):
            share = float(np.average(labelled.labels[inside] >= least, weights=inner))
            low, high = wilson(share, effective)
            cells.append(f"{share:.3f} ({low:.3f}-{high:.3f})")
            shares.append(share)
        if EDGES[number - 1] >= LIKELY:
            errors.append((float(inner.sum()), abs(shares[0] - mean)))
        print(
            f"{EDGES[number - 1]:.2f}-{EDGES[number]:.2f} {inside.sum():6} {inner.sum():10.0f} {mean:11.3f}"
            f"  {cells[0]}   {cells[1]}"
        )
    pairs, gaps = (np.array(column) for column in zip(*errors, strict=True))
    print(f"expected calibration error of scores from {LIKELY} on {pairs @ gaps / pairs.sum():.3f}")


def fit(labelled: Labelled, *, slope: bool) -> Curve:
    """Return the curve that fits the labelled pairs best, by their weights; without `slope`, the intercept alone."""
    name = "slope and intercept" if slope else "intercept alone"
    return Curve(name, *fit_curve(labelled.logits, labelled.accepted, labelled.weights, slope=slope))


def print_curves(labelled: Labelled) -> Curve:
    """Print the present curve and two that are fitted, with their log-loss, and return the best of them."""
    chance = np.random.default_rng(SEED)
    fold_of = chance.permutation(len(labelled.labels)) % FOLDS
    folds = [(np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)) for fold in range(FOLDS)]
    resamples = [_draw_again(labelled, chance) for _ in range(RESAMPLES)]
    print(f"\ncurve over the present log-odds  slope (95%)          intercept (95%)        log-loss, {FOLDS} folds")
    losses: list[tuple[float, Curve]] = []
    for slope in (None, False, True):
        if slope is None:
            curve, cells = Curve("present"), ["1", "0"]
            held_out = curve.chances(labelled.logits)
        else:
            curve = fit(labelled, slope=slope)
            held_out = np.empty_like(labelled.logits)
            for training, test in folds:
                fitted = fit(labelled.take(training), slope=slope)
                held_out[test] = fitted.chances(labelled.logits[test])
            again = [fit(one, slope=slope) for one in resamples]
            slopes = _interval(curve.slope, [one.slope for one in again])
            cells = [slopes if slope else "1", _interval(curve.intercept, [one.intercept for one in again])]
        likelihood = np.log(np.where(labelled.accepted > 0, held_out, 1 - held_out))
        losses.append((-float(np.average(likelihood, weights=labelled.weights)), curve))
        print(f"{curve.name:32} {cells[0]:20} {cells[1]:22} {losses[-1][0]:.4f}")
    return min(losses, key=lambda one: one[0])[1]


def print_shift(labelled: Labelled) -> None:
    """Print by how much the log-odds of high scores are too high: `FIRST_SHIFT` of the program."""
    high = np.flatnonzero(to_chances(labelled.logits) >= HIGH)
    logits, weights = labelled.logits[high], labelled.weights[high]
    right = float(np.average(labelled.accepted[high], weights=weights))
    shift = brentq(lambda one: float(np.average(to_chances(logits + one), weights=weights)) - right, -20, 20)
    print(f"\n{len(high)} pairs that score {HIGH} or more: {right:.2f} accepted, which is a shift of {shift:.2f}")


def _draw_again(labelled: Labelled, chance: np.random.Generator) -> Labelled:
    """Return as many pairs of each stratum, drawn with replacement."""
    strata = [np.flatnonzero(labelled.strata == name) for name in np.unique(labelled.strata)]
    return labelled.take(np.concatenate([chance.choice(rows, len(rows)) for rows in strata]))


def _interval(value: float, values: Sequence[float]) -> str:
    low, high = np.quantile(values, (0.025, 0.975))
    return f"{value:.3f} ({low:.3f}, {high:.3f})"


def print_cuts(curve: Curve, logits: Numbers, labelled: Labelled) -> None:
    """Print from which score on each precision is to be expected, how many pairs pass, and what the labels say of them.

    The expected precision of pairs is the mean of the curve's probabilities.
    """
    ordered = -np.sort(-logits)
    means = np.cumsum(curve.chances(ordered)) / np.arange(1, len(ordered) + 1)
    print(f"\ncuts under the curve '{curve.name}'")
    print("precision  score     by the curve  pairs  labelled: accepted of read, weighted share")
    for precision in PRECISIONS:
        passing = np.flatnonzero(means >= precision)
        if not len(passing):
            print(f"{precision:<10} not reached: the best pair has {curve.chances(ordered[:1])[0]:.3f}")
            continue
        cut = ordered[passing[-1]]
        inside = labelled.logits >= cut
        accepted = labelled.accepted[inside]
        share = f"{np.average(accepted, weights=labelled.weights[inside]):.3f}" if inside.any() else "none read"
        print(
            f"{precision:<10} {to_chances(cut):.6f}  {curve.chances(cut):<12.3f}  {passing[-1] + 1:<6}"
            f" {accepted.sum():.0f} of {inside.sum()}, {share}"
        )


if __name__ == "__main__":
    main()
