"""Measures a cascade: of older papers, embed only those that their words, which cost little, put in reach of the queue.

    python tests/bench/cascade.py ../shared/data/snapshot/2025.jsonl.gz ../shared/data/snapshot/2021-2024.jsonl.gz \
        --cache /tmp/cascade [--default-categories] [--picture docs/pictures/cascade.svg]

The first file is at hand: its papers, the newest ones, are embedded, and the ranker is made with them. The second holds
older papers. Here these are embedded too, so that it is known which pairs of paper and phenomenon are really queued.
Vectors are computed once and kept in the cache folder; any `*.npz` there with `hashes` (of `db.text.text_hash`) and
unit `vectors` is taken over. What may stand before the model:

- words: the TF-IDF evidence of the claim's own words, which the ranker works out anyway;
- static: the cosine of static vectors distilled from the model (Model2Vec), less that of the mean paper;
- both: the sum of the two, in standard deviations of each claim over the papers at hand;
- regression: a logistic regression on the two, fitted on the papers at hand for four fifths of the phenomena, and asked
  of the older papers for the last fifth, in turn;
- reach: `Ranker.reach`, the highest score that a paper's words allow.

A paper is as good as its best claim. Intervals count papers, not pairs, as one paper's pairs go together. Static
vectors need `pip install 'model2vec[distill]'` and are left out without it; the picture needs matplotlib.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from calibration import Numbers, wilson
from night import LABELS
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped] # it carries no types

from crawler.embed import AUTO, SentenceTransformerEmbedder
from crawler.learning import AT_HAND
from crawler.models import DEFAULT_MODEL, find_model
from crawler.ranking.background import Background
from crawler.ranking.corpus import Corpus, Encoded
from crawler.ranking.features import Counted, Terms, count_terms
from crawler.ranking.latent import Latent
from crawler.ranking.priors import claim_shares, text_prior
from crawler.ranking.ranker import DEFAULT_THRESHOLD, Claim, Decided, Document, Ranker, Seen, document_text, to_scores
from crawler.sources.snapshot import SnapshotSource
from curation.catalogue import load_catalogue
from db.records import Paper
from db.text import text_hash

FRACTIONS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75)
TICKS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75)
THRESHOLDS = (DEFAULT_THRESHOLD, 0.8, 0.5)
BEST = 50  # papers of each phenomenon, whatever their score
DEFAULT_CATEGORIES = ("cs.LG", "cs.CL", "cs.AI", "stat.ML")
FOLDS, NEGATIVES, SEED = 5, 50, 20261126  # one in so many pairs that are not likely is learned from
TIMED_WORDS, TIMED_MODEL = 2_000, 96  # texts
ROUNDS = 3
PARTS = 20  # of the catalogue, drawn for each size
STATIC_DIMENSIONS = 256
Mask = npt.NDArray[np.bool_]
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Papers:
    """Papers in order of their day, with what was counted of them and their unit vectors, shape (n, d)."""

    papers: Sequence[Paper]
    counted: Sequence[Counted]
    vectors: Vectors

    @property
    def texts(self) -> list[str]:
        """Return what is embedded."""
        return [document_text(paper.title, paper.abstract) for paper in self.papers]

    def seen(self) -> Seen:
        """Return the papers as a ranker has them at hand."""
        return Seen(self.counted, self.vectors, [paper.published_at.date().isoformat() for paper in self.papers])

    def take(self, rows: Sequence[int] | npt.NDArray[np.intp]) -> Papers:
        """Return some of them."""
        return Papers([self.papers[row] for row in rows], [self.counted[row] for row in rows], self.vectors[rows])


@dataclass(frozen=True, slots=True)
class Field:
    """The claims with their vectors, what is shipped of the field, and the two sets of papers."""

    claims: Sequence[Claim]
    claim_vectors: Sequence[Vectors]
    background: Background
    hand: Papers
    older: Papers

    def rank_with(self, hand: Papers, decided: Sequence[Decided] = ()) -> Ranker:
        """Return a ranker with these papers at hand, and for each claim what was decided on them."""
        return Ranker(self.claims, self.claim_vectors, self.background, hand.seen(), decided)


def main() -> None:
    """Print the tables, and draw the picture if one is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hand", type=Path)
    parser.add_argument("older", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--default-categories", action="store_true")
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    place = find_model(DEFAULT_MODEL, os.environ)
    embedder = SentenceTransformerEmbedder(place)
    categories = DEFAULT_CATEGORIES if options.default_categories else ()
    field = read_field(options.hand, options.older, categories, options.cache, embedder)
    print(f"{len(field.hand.papers)} papers at hand, {len(field.older.papers)} older, {len(field.claims)} phenomena")
    ranker = field.rank_with(field.hand)
    logits = ranker.evidence(field.older.counted, field.older.vectors)
    targets = find_targets(logits)
    static = load_static(options.cache)
    stages = score_stages(field, ranker, static)
    curves = {name: {target: trace(scores, wanted) for target, wanted in targets.items()} for name, scores in stages}
    for target, wanted in targets.items():
        print_curves(target, wanted, {name: by_target[target] for name, by_target in curves.items()})
    print_reach(ranker, field.older, logits)
    print_sizes(ranker, field.older)
    print_decided(field)
    fastest = SentenceTransformerEmbedder(place, engine=AUTO, cache=options.cache)
    fastest.prepare(len(field.older.papers))
    print_costs(field, ranker, static, {"float32": embedder, fastest.engine: fastest})
    print_small_hand(field, logits)
    print_without_hand(field, ranker, logits)
    if options.picture:
        draw({name: next(iter(by_target.values())) for name, by_target in curves.items()}, options.picture)


def read_field(
    hand: Path, older: Path, categories: Sequence[str], cache: Path, embedder: SentenceTransformerEmbedder
) -> Field:
    """Read all that is ranked; papers of the first file are left out of the second."""
    known = load_vectors(cache)
    claims = [Claim.of(phenomenon) for phenomenon in load_catalogue()]
    claim_vectors = [look_up(claim.texts(), claim.texts(), known, cache, embedder) for claim in claims]
    newest = read_papers(hand, categories, frozenset())[-AT_HAND:]
    taken = frozenset(paper.arxiv_id for paper in newest)
    sets = []
    for papers in (newest, read_papers(older, categories, taken)):
        texts = {text_hash(one.title, one.abstract): document_text(one.title, one.abstract) for one in papers}
        vectors = look_up(list(texts), list(texts.values()), known, cache, embedder)
        places = {key: place for place, key in enumerate(texts)}
        rows = [places[text_hash(one.title, one.abstract)] for one in papers]
        counted = [count_terms(Document(one.title, one.abstract)) for one in papers]
        sets.append(Papers(papers, counted, vectors[rows]))
    return Field(claims, claim_vectors, Background.load(embedder.identity), *sets)


def read_papers(path: Path, categories: Sequence[str], left_out: frozenset[str]) -> list[Paper]:
    """Return the papers of a snapshot in order of their day."""
    pages = SnapshotSource(path, categories).pages("", "0")
    papers = {paper.arxiv_id: paper for page in pages for paper in page.papers if not paper.withdrawn}
    kept = [paper for key, paper in papers.items() if key not in left_out]
    return sorted(kept, key=lambda paper: (paper.published_at, paper.arxiv_id))


def load_vectors(cache: Path) -> dict[str, Vectors]:
    """Return the vectors that are kept, by what they are kept under."""
    known: dict[str, Vectors] = {}
    for path in sorted(cache.glob("*.npz")):
        with np.load(path, allow_pickle=False) as kept:
            known |= zip(kept["hashes"].tolist(), kept["vectors"], strict=True)
    return known


def look_up(
    keys: Sequence[str],
    texts: Sequence[str],
    known: dict[str, Vectors],
    cache: Path,
    embedder: SentenceTransformerEmbedder,
) -> Vectors:
    """Return the texts' vectors, shape (n, d); what is not known is embedded and kept."""
    missing = [place for place, key in enumerate(keys) if key not in known]
    if missing:
        print(f"{len(missing)} texts are embedded", file=sys.stderr)
        new = {keys[place]: vector for place, vector in zip(missing, _encode(embedder, texts, missing), strict=True)}
        name = f"more-{len(list(cache.glob('more-*.npz')))}.npz"
        np.savez(cache / name, hashes=np.array(list(new)), vectors=np.array(list(new.values())))
        known |= new
    return np.array([known[key] for key in keys], dtype=np.float32)


def _encode(embedder: SentenceTransformerEmbedder, texts: Sequence[str], places: Sequence[int]) -> Vectors:
    return embedder.encode([texts[place] for place in places])


def find_targets(logits: Numbers) -> dict[str, Mask]:
    """Return what a cascade should keep, as masks of pairs: what passes a threshold, and each phenomenon's best."""
    scores = to_scores(logits)
    targets = {f"score {threshold} or more": scores >= threshold for threshold in THRESHOLDS}
    best = np.zeros(logits.shape, dtype=np.bool_)
    np.put_along_axis(best, np.argsort(-logits, axis=0, kind="stable")[:BEST], True, axis=0)
    return targets | {f"the {BEST} best of each phenomenon": best}


def load_static(cache: Path) -> Callable[[Sequence[str]], Vectors] | None:
    """Return what gives static vectors of unit length; they are distilled from the default model once."""
    try:
        from model2vec import StaticModel  # type: ignore[import-not-found] # not a dependency
        from model2vec.distill import distill  # type: ignore[import-not-found] # not a dependency
    except ImportError as error:
        print(f"no static vectors ({error}): pip install 'model2vec[distill]'", file=sys.stderr)
        return None
    folder = cache / "static"
    if not folder.exists():
        distill(find_model(DEFAULT_MODEL, os.environ).target, pca_dims=STATIC_DIMENSIONS).save_pretrained(folder)
    model: Any = StaticModel.from_pretrained(folder)

    def encode(texts: Sequence[str]) -> Vectors:
        vectors = model.encode(list(texts), max_length=None, use_multiprocessing=False).astype(np.float32)
        lengths: Vectors = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.maximum(lengths, np.float32(1e-9))

    return encode


def score_stages(
    field: Field, ranker: Ranker, static: Callable[[Sequence[str]], Vectors] | None
) -> Iterator[tuple[str, Numbers]]:
    """Yield the name of each first stage with its scores of the older papers, shape (papers, claims)."""
    terms = {term for claim in field.claims for term in claim_shares(claim)}
    seen = field.hand.seen()
    corpus = Corpus(seen.documents, seen.vectors, seen.published, field.background, terms)
    latent = Latent(corpus)
    priors = [text_prior(*pair, corpus, latent) for pair in zip(field.claims, field.claim_vectors, strict=True)]

    words_of_claims = Terms.stack([prior.words for prior in priors], len(corpus.vocabulary))

    def find_words(papers: Encoded) -> Numbers:
        found: Numbers = (papers.looked_for @ words_of_claims).toarray()
        return found - [prior.floor for prior in priors]

    hand, older = find_words(corpus.papers), find_words(corpus.encode(field.older.counted, field.older.vectors))
    yield "words", older
    if static:
        words = _standardise(np.sqrt(np.maximum(hand, 0)), np.sqrt(np.maximum(older, 0)))
        vectors = _standardise(*score_static(field, static))
        yield "static", vectors[1]
        yield "both", words[1] + vectors[1]
        likely = to_scores(ranker.evidence(field.hand.counted, field.hand.vectors)) >= min(THRESHOLDS)
        pairs = [np.stack(both, axis=-1) for both in zip(words, vectors, strict=True)]
        yield "regression", score_by_regression(*pairs, likely)
    yield "reach", ranker.reach(field.older.counted)


def _standardise(hand: Numbers, older: Numbers) -> tuple[Numbers, Numbers]:
    mean, spread = hand.mean(axis=0), np.maximum(hand.std(axis=0), 1e-9)
    return (hand - mean) / spread, (older - mean) / spread


def score_static(field: Field, encode: Callable[[Sequence[str]], Vectors]) -> tuple[Numbers, Numbers]:
    """Return the static cosines of both sets of papers with each claim's mean vector."""
    means = np.stack([encode(claim.texts()).mean(axis=0) for claim in field.claims])
    directions = (means / np.linalg.norm(means, axis=1, keepdims=True)).T
    return (encode(field.hand.texts) @ directions).astype(float), (encode(field.older.texts) @ directions).astype(float)


def score_by_regression(hand: Numbers, older: Numbers, likely: Mask) -> Numbers:
    """Return the log-odds that older pairs are likely, by what was learned of other phenomena at hand.

    Args:
        hand: what is known of each pair, shape (papers, claims, features); `older` likewise.
        likely: which pairs at hand are, shape (papers, claims).
    """
    chance = np.random.default_rng(SEED)
    fold_of = chance.permutation(likely.shape[1]) % FOLDS
    learned_from = likely | (chance.random(likely.shape) < 1 / NEGATIVES)
    found = np.empty(older.shape[:2])
    for fold in range(FOLDS):
        training = learned_from & (fold_of != fold)
        weights = np.where(likely[training], 1.0, float(NEGATIVES))
        model = LogisticRegression(max_iter=1_000).fit(_bend(hand[training]), likely[training], weights)
        for column in np.flatnonzero(fold_of == fold):
            found[:, column] = model.decision_function(_bend(older[:, column]))
    return found


def _bend(pairs: Numbers) -> Numbers:
    """Return the features of pairs with their squares and products."""
    first, second = pairs[..., 0], pairs[..., 1]
    return np.stack([first, second, first**2, second**2, first * second], axis=-1)


def trace(scores: Numbers, wanted: Mask) -> list[float]:
    """Return the share of wanted pairs whose paper is among the best so many, for each of `FRACTIONS`."""
    order = np.argsort(-scores.max(axis=1), kind="stable")
    pairs = wanted.sum(axis=1)[order]
    return [float(pairs[: round(fraction * len(order))].sum() / pairs.sum()) for fraction in FRACTIONS]


def print_curves(target: str, wanted: Mask, curves: dict[str, list[float]]) -> None:
    """Print what share of the wanted pairs each first stage keeps."""
    counts = f"{wanted.sum()} pairs of {wanted.any(axis=1).sum()} papers, {wanted.any(axis=0).sum()} phenomena"
    print(f"\n{target}: {counts}; share kept of them")
    print("| papers embedded | " + " | ".join(f"{fraction:.0%}" for fraction in FRACTIONS) + " |")
    print("|---" * (len(FRACTIONS) + 1) + "|")
    for name, shares in curves.items():
        print(f"| {name} | " + " | ".join(f"{share:.4f}" for share in shares) + " |")


def print_reach(ranker: Ranker, older: Papers, logits: Numbers) -> None:
    """Print what reach keeps where its cut is the queue's own threshold, with 95% intervals (Wilson 1927)."""
    within, scores = to_scores(ranker.reach(older.counted)), to_scores(logits)
    print("\nembedded is what reaches the threshold")
    print("| threshold | papers embedded | pairs | kept | papers with a pair | kept | 95% interval |")
    print("|---|---|---|---|---|---|---|")
    for threshold in THRESHOLDS:
        embedded, passing = (within >= threshold).any(axis=1), scores >= threshold
        papers = passing.any(axis=1)
        kept = float(embedded[papers].mean())
        low, high = wilson(kept, int(papers.sum()))
        print(
            f"| {threshold} | {embedded.mean():.4f} | {passing.sum()} | {passing[embedded].sum()} |"
            f" {papers.sum()} | {(papers & embedded).sum()} | {low:.4f}-{high:.4f} |"
        )
    most = ranker.reach(older.counted[:1]) - ranker.evidence(older.counted[:1], 0 * older.vectors[:1])
    added = logits - ranker.evidence(older.counted, 0 * older.vectors)
    print(f"{(added > most.max()).sum()} of {added.size} pairs have more of their vectors than any pair at hand")


def print_sizes(ranker: Ranker, older: Papers) -> None:
    """Print what share of papers reaches the threshold of catalogues of other sizes: random parts of this one."""
    reaching = to_scores(ranker.reach(older.counted)) >= DEFAULT_THRESHOLD
    chance, whole = np.random.default_rng(SEED), reaching.shape[1]
    print("\n| phenomena | papers embedded |\n|---|---|")
    for size in (10, 25, 50, whole):
        parts = [chance.choice(whole, size, replace=False) for _ in range(PARTS)]
        print(f"| {size} | {np.mean([reaching[:, part].any(axis=1).mean() for part in parts]):.4f} |")


def print_decided(field: Field) -> None:
    """Print the same where the ranker has learned from the labels of night.py, as far as their papers are at hand."""
    places = {paper.arxiv_id: place for place, paper in enumerate(field.hand.papers)}
    with LABELS.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["arxiv_id"] in places]
    found: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for row in rows:
        found[row["code"], row["label"] != "0"].append(places[row["arxiv_id"]])
    decided = [Decided(found[claim.code, True], found[claim.code, False]) for claim in field.claims]
    accepted = sum(len(one.accepted) for one in decided)
    print(f"\nlearned from {accepted} accepted and {len(rows) - accepted} rejected pairs", end="")
    ranker = field.rank_with(field.hand, decided)
    print_reach(ranker, field.older, ranker.evidence(field.older.counted, field.older.vectors))


def print_costs(
    field: Field,
    ranker: Ranker,
    static: Callable[[Sequence[str]], Vectors] | None,
    embedders: dict[str, SentenceTransformerEmbedder],
) -> None:
    """Print the texts that each step takes a second of processor time, medians of rounds that take turns."""
    few = field.older.take(np.linspace(0, len(field.older.papers) - 1, TIMED_WORDS).astype(np.intp))
    fewer = few.texts[:: TIMED_WORDS // TIMED_MODEL][:TIMED_MODEL]
    documents = [Document(paper.title, paper.abstract) for paper in few.papers]
    steps: dict[str, tuple[int, Callable[[], object]]] = {
        "counting words": (len(documents), lambda: [count_terms(one) for one in documents]),
        "reach of what was counted": (len(documents), lambda: ranker.reach(few.counted)),
    }
    for name, embedder in embedders.items():
        steps[f"the model, {name}"] = (len(fewer), partial(embedder.encode, fewer))
    if static:
        texts = few.texts
        steps["static vectors"] = (len(texts), lambda: static(texts))
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(ROUNDS + 1):
        for name, (count, step) in steps.items():
            began = time.process_time()
            step()
            if number:  # the first round warms up
                seconds[name].append((time.process_time() - began) / count)
    model = min(float(np.median(seconds[f"the model, {name}"])) for name in embedders)
    print("\n| step | texts a second of processor time | of the faster model's cost |\n|---|---|---|")
    for name, all_of in seconds.items():
        print(f"| {name} | {1 / np.median(all_of):,.0f} | {np.median(all_of) / model:.4f} |")


def print_small_hand(field: Field, logits: Numbers) -> None:
    """Print what reach keeps where few papers are at hand; the queue is that of a ranker with these."""
    print("\n| papers at hand | threshold | papers embedded | pairs | kept |\n|---|---|---|---|---|")
    for count in (200, 1_000, 5_000):
        rows = np.linspace(0, len(field.hand.papers) - 1, count).astype(np.intp)
        ranker = field.rank_with(field.hand.take(rows))
        passing = to_scores(ranker.evidence(field.older.counted, field.older.vectors)) >= DEFAULT_THRESHOLD
        embedded = (to_scores(ranker.reach(field.older.counted)) >= DEFAULT_THRESHOLD).any(axis=1)
        print(
            f"| {count} | {DEFAULT_THRESHOLD} | {embedded.mean():.4f} | {passing.sum()} | {passing[embedded].sum()} |"
        )


def print_without_hand(field: Field, ranker: Ranker, logits: Numbers) -> None:
    """Print what becomes of the older papers' queue where nothing is embedded in full: only what reaches is at hand."""
    full = to_scores(logits) >= DEFAULT_THRESHOLD
    within = [to_scores(ranker.reach(papers.counted)).max(axis=1) for papers in (field.older, field.hand)]
    print(f"\n| embedded is what reaches | papers at hand | of {full.sum()} pairs | queued beside them |")
    print("|---|---|---|---|")
    for threshold in THRESHOLDS:
        older, hand = (np.flatnonzero(reached >= threshold) for reached in within)
        kept, newest = field.older.take(older), field.hand.take(hand)
        both = Papers(
            [*kept.papers, *newest.papers],
            [*kept.counted, *newest.counted],
            np.concatenate([kept.vectors, newest.vectors]),
        )
        last = both.take(range(max(0, len(both.papers) - AT_HAND), len(both.papers)))
        now = np.zeros_like(full)
        now[older] = to_scores(field.rank_with(last).evidence(kept.counted, kept.vectors)) >= DEFAULT_THRESHOLD
        print(f"| {threshold} | {len(last.papers)} | {(full & now).sum()} | {(now & ~full).sum()} |")


def draw(curves: dict[str, list[float]], picture: Path) -> None:
    """Write the picture; the same figures give the same bytes with the same matplotlib."""
    try:
        import matplotlib  # type: ignore[import-not-found] # not a dependency
        from matplotlib.figure import Figure  # type: ignore[import-not-found] # not a dependency
    except ModuleNotFoundError:
        sys.exit("No picture without matplotlib, which is no dependency of the project: pip install matplotlib")
    matplotlib.rcParams.update({"svg.hashsalt": "cascade", "svg.fonttype": "none", "font.size": 9})
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.axhline(0.99, color="0.6", linestyle="--", linewidth=1)
    for name, shares in curves.items():
        axes.plot(FRACTIONS, shares, "o-", linewidth=1, markersize=3, label=name)
    axes.set(xscale="log", xlabel="share of papers embedded", ylabel="share of queued pairs kept")
    axes.set_xticks(TICKS, [f"{fraction:.0%}" for fraction in TICKS])
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, format="svg", metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()
