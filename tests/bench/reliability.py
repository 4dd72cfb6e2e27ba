"""Draws how often a score is right on the labelled papers, and tests its curve on topics that it was not fitted on.

    python tests/bench/reliability.py ../shared/bench --cache /tmp/bench

The folder and the cache are those of ranking.py; the picture needs matplotlib (`pip install matplotlib`). Day zero is
scored on all papers, the ranking learned from all decisions before a topic's cut on the papers after it. For the test,
the curve's two constants are fitted anew without each topic in turn, on both rankings of the others, and score it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from calibration import Bin, Numbers, bin_scores, calibration_error, fit_curve, wilson
from ranking import Bench

from crawler.embed import SentenceTransformerEmbedder
from crawler.models import DEFAULT_MODEL, find_model
from crawler.ranking.ranker import Ranker, to_chances

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "reliability.svg"


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of paper and topic, each of shape (pairs,): the log-odds of the score, the label, the topic's place."""

    logits: Numbers
    relevant: Numbers
    topics: Numbers

    @property
    def scores(self) -> Numbers:
        """Return the scores."""
        return to_chances(self.logits)


def main() -> None:
    """Write the picture and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    options = parser.parse_args()
    place = find_model(DEFAULT_MODEL, os.environ)
    bench = Bench(options.bench, options.cache / "docs.jsonl.gz", SentenceTransformerEmbedder(place))
    rankings = {"Day zero": judge(bench, learned=False), "Learned from all decisions": judge(bench, learned=True)}
    held_out = score_held_out(list(rankings.values()))
    print("| ranking | calibration error: all pairs | from 0.1 on | topic held out: all pairs | from 0.1 on |")
    print("|---|---|---|---|---|")
    for (name, pairs), scores in zip(rankings.items(), held_out, strict=True):
        present, refitted = bin_scores(pairs.scores, pairs.relevant), bin_scores(scores, pairs.relevant)
        errors = [calibration_error(bins) for bins in (present, present[1:], refitted, refitted[1:])]
        print(f"| {name} | {' | '.join(f'{error:.4f}' for error in errors)} |")
    draw({name: bin_scores(pairs.scores, pairs.relevant) for name, pairs in rankings.items()}, options.picture)


def judge(bench: Bench, *, learned: bool) -> Pairs:
    """Score what is labelled, and what is not and counts as irrelevant, for every topic that has a cut."""
    places = {row["id"]: place for place, row in enumerate(bench.rows)}
    decided = [bench.decided(claim, places, None) for claim in bench.claims] if learned else []
    ranker = Ranker(bench.claims, bench.claim_vectors, bench.background, bench.seen, decided)
    logits = ranker.evidence(bench.documents, bench.vectors)
    pairs = []
    for column, claim in enumerate(bench.claims):
        cut = bench.splits[claim.code]["cut"] if learned else ""
        for place, row in enumerate(bench.rows):
            label = bench.labels.get((claim.code, row["id"]), 0)
            if label >= 0 and row["published"] >= cut:
                pairs.append((logits[place, column], label > 0, column))
    return Pairs(*(np.array(column, dtype=np.float64) for column in zip(*pairs, strict=True)))


def score_held_out(rankings: Sequence[Pairs]) -> list[Numbers]:
    """Return each ranking's scores by a curve (Platt 1999) that was fitted without the pair's topic."""
    scores = [np.zeros(len(pairs.logits)) for pairs in rankings]
    for topic in np.unique(rankings[0].topics):
        others = [pairs.topics != topic for pairs in rankings]
        slope, intercept = fit_curve(
            np.concatenate([pairs.logits[kept] for pairs, kept in zip(rankings, others, strict=True)]),
            np.concatenate([pairs.relevant[kept] for pairs, kept in zip(rankings, others, strict=True)]),
        )
        for pairs, kept, found in zip(rankings, others, scores, strict=True):
            found[~kept] = to_chances(slope * pairs.logits[~kept] + intercept)
    return scores


def draw(curves: dict[str, list[Bin]], picture: Path) -> None:
    """Write the picture; the same figures give the same bytes with the same matplotlib."""
    try:
        import matplotlib  # type: ignore[import-not-found] # not a dependency
        from matplotlib.figure import Figure  # type: ignore[import-not-found] # not a dependency
    except ModuleNotFoundError:
        sys.exit("No picture without matplotlib, which is no dependency of the project: pip install matplotlib")
    matplotlib.rcParams.update({"svg.hashsalt": "reliability", "svg.fonttype": "none", "font.size": 9})
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    for axes, (name, bins) in zip(figure.subplots(1, len(curves), sharey=True), curves.items(), strict=True):
        axes.plot([0, 1], [0, 1], color="0.6", linestyle="--", linewidth=1)
        means, shares = [one.mean for one in bins], [one.share for one in bins]
        lower, upper = zip(*(wilson(one.share, one.pairs) for one in bins), strict=True)
        ends = [np.subtract(shares, lower), np.subtract(upper, shares)]
        axes.errorbar(means, shares, yerr=ends, fmt="o-", color="#1f5fa8", capsize=3, linewidth=1, markersize=4)
        for one in bins:
            axes.annotate(
                f"{one.pairs:,}", (one.mean, wilson(one.share, one.pairs)[0]), (3, -11), textcoords="offset points"
            )
        axes.set(title=name, xlabel="score", xlim=(-0.03, 1.12), ylim=(-0.06, 1.03), aspect="equal")
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xticks(np.linspace(0, 1, 6))
    figure.axes[0].set_ylabel("share labelled relevant")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, format="svg", metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()
