"""Compares ways of choosing the sentence that bears on a claim, on labelled abstracts.

    python tests/bench/sentences.py ../shared

The folder holds data/papers.jsonl.gz and bench/docs.jsonl.gz; where it is absent nothing is measured. The labels are
`sentences.tsv` beside this file: a phenomenon, a paper, the start of its text's hash, and the numbers, from 1 on, of
the sentences that bear on the claim. Where none does the line counts for nothing, nor does an abstract of one sentence.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crawler.embed import SentenceTransformerEmbedder
from crawler.models import DEFAULT_MODEL, find_model
from crawler.ranking import sentences as ours
from crawler.ranking.background import Background
from crawler.ranking.claims import Claim
from crawler.ranking.dense import claim_direction
from crawler.ranking.priors import claim_shares
from crawler.ranking.words import split_terms
from curation.catalogue import load_catalogue
from db.text import clean_line, text_hash

LABELS = Path(__file__).with_name("sentences.tsv")
Scores = npt.NDArray[np.float64]


class Labelled:
    """The sentences of one abstract that can be shown, which of them bear on the claim, and their places, 0 to 1."""

    def __init__(self, claim: Claim, texts: list[str], right: list[bool]) -> None:
        self.claim, self.texts, self.right = claim, texts, np.array(right)
        self.place = np.linspace(0, 1, len(texts))


def main() -> None:
    """Print the table."""
    shared = Path(sys.argv[1])
    if not (shared / "bench" / "docs.jsonl.gz").exists():
        print(f"{shared} has no labelled papers: nothing was measured")
        return
    lines = list(csv.DictReader(LABELS.read_text(encoding="utf-8").splitlines(), delimiter="\t"))
    pairs = _read_pairs(lines, _read_papers(shared, {line["arxiv_id"] for line in lines}))
    methods = _make_methods(pairs)
    codes = sorted({pair.claim.code for pair in pairs})
    print(f"{len(lines)} read, {len(pairs)} with a sentence to find, {len(codes)} phenomena")
    right = {name: np.array([_is_right(scores, pair) for pair in pairs]) for name, scores in methods.items()}
    ranks = {name: np.mean([_reciprocal_rank(scores, pair) for pair in pairs]) for name, scores in methods.items()}
    print("| method | right | reciprocal rank |\n|---|---|---|")
    for name in methods:
        print(f"| {name} | {right[name].mean():.2f} | {ranks[name]:.2f} |")
    steps = ("vectors + words", "vectors + words + 0.3 for a result")
    for before, after in pairwise([*steps, f"{steps[1]} + 0.2 for own work"]):
        gained, lost = right[after] & ~right[before], right[before] & ~right[after]
        print(f"{after}: {gained.sum()} gained, {lost.sum()} lost")
    held = [_held_out(right, np.array([pair.claim.code == code for pair in pairs])) for code in codes]
    print(f"chosen with each phenomenon left out: {np.concatenate([one for _, one in held]).mean():.2f}")
    print("methods chosen so:", sorted({name for name, _ in held}))


def _held_out(right: dict[str, npt.NDArray[np.bool_]], out: npt.NDArray[np.bool_]) -> tuple[str, npt.NDArray[np.bool_]]:
    best = max(right, key=lambda name: right[name][~out].mean())
    return best, right[best][out]


def _read_papers(shared: Path, wanted: set[str]) -> dict[str, tuple[str, str]]:
    papers = {}
    for path in (shared / "bench" / "docs.jsonl.gz", shared / "data" / "papers.jsonl.gz"):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for row in map(json.loads, file):
                if row["id"] in wanted:
                    papers[row["id"]] = (clean_line(row["title"]), clean_line(row["abstract"]))
    return papers


def _read_pairs(lines: list[dict[str, str]], papers: dict[str, tuple[str, str]]) -> list[Labelled]:
    claims = {one.code: Claim.of(one) for one in load_catalogue()}
    found = []
    for line in lines:
        title, abstract = papers[line["arxiv_id"]]
        if not text_hash(title, abstract).startswith(line["text_hash"]):
            sys.exit(f"the text of {line['arxiv_id']} is another one")
        numbers = {int(number) for number in line["sentences"].split(",") if number}
        numbered = enumerate(ours.split_sentences(abstract), 1)
        kept = [(one.text, number in numbers) for number, one in numbered if ours.is_long_enough(one)]
        if numbers and len(kept) > 1:
            found.append(Labelled(claims[line["phenomenon"]], [text for text, _ in kept], [right for _, right in kept]))
    return found


def _make_methods(pairs: list[Labelled]) -> dict[str, Callable[[Labelled], Scores]]:
    place = find_model(DEFAULT_MODEL, os.environ)
    embedder = SentenceTransformerEmbedder(place)
    texts = list(dict.fromkeys(text for pair in pairs for text in (*pair.texts, *pair.claim.texts())))
    vectors = dict(zip(texts, embedder.encode(texts).astype(np.float64), strict=True))
    lexicon = Background.load(None).lexicon

    def idf(term: str) -> float:
        return float(lexicon.weigh(np.array([lexicon.frequencies.get(term, 0)], dtype=np.float64))[0])

    def by_direction(pair: Labelled) -> Scores:
        direction = claim_direction(np.array([vectors[text] for text in pair.claim.texts()]).astype(np.float32))
        return np.array([vectors[text] @ direction for text in pair.texts])

    def by_statement(pair: Labelled) -> Scores:
        return np.array([vectors[text] @ vectors[pair.claim.statement] for text in pair.texts])

    def by_words(pair: Labelled) -> Scores:
        return np.array([ours.share_words(text, ours.weigh_claim(pair.claim)) for text in pair.texts])

    def by_idf(pair: Labelled) -> Scores:
        claim = {term: share * idf(term) for term, share in claim_shares(pair.claim).items()}
        length = np.linalg.norm(list(claim.values()))
        found = []
        for text in pair.texts:
            terms = {term: idf(term) for term in split_terms(text)}
            product = sum(weight * claim.get(term, 0) for term, weight in terms.items())
            found.append(product / (length * (np.linalg.norm(list(terms.values())) or 1)) if terms else 0.0)
        return np.array(found)

    def results(pair: Labelled) -> Scores:
        return np.array([ours.tells_result(text) for text in pair.texts], dtype=float)

    def own(pair: Labelled) -> Scores:
        return np.array([ours.tells_own_work(text) for text in pair.texts], dtype=float)

    def results_and_own(pair: Labelled, weight: float) -> Scores:
        return by_direction(pair) + by_words(pair) + 0.3 * results(pair) + weight * own(pair)

    def beside(scores: Scores) -> Scores:
        return scores + 0.25 * (np.append(scores[1:], scores[-1]) + np.append(scores[0], scores[:-1]))

    place_right = defaultdict[int, list[bool]](list)
    for pair in pairs:
        for number, right in enumerate(pair.right):
            place_right[round(4 * pair.place[number])].append(bool(right))
    shares = {fifth: float(np.mean(found)) for fifth, found in place_right.items()}
    return {
        "first sentence": lambda pair: -pair.place,
        "last sentence": lambda pair: pair.place,
        "best place (of five, fitted)": lambda pair: np.array([shares[round(4 * one)] for one in pair.place]),
        "words": by_words,
        "words by rarity": by_idf,
        "vectors": by_direction,
        "vectors of the statement": by_statement,
        "vectors + words": lambda pair: by_direction(pair) + by_words(pair),
        "vectors + words by rarity": lambda pair: by_direction(pair) + by_idf(pair),
        "vectors of the statement + words": lambda pair: by_statement(pair) + by_words(pair),
        "vectors + words, and neighbours": lambda pair: beside(by_direction(pair) + by_words(pair)),
        "words by rarity + 0.1 for a result": lambda pair: by_idf(pair) + 0.1 * results(pair),
        "vectors + words + 0.1 for a result": lambda pair: by_direction(pair) + by_words(pair) + 0.1 * results(pair),
        "vectors + words + 0.2 for a result": lambda pair: by_direction(pair) + by_words(pair) + 0.2 * results(pair),
        "vectors + words + 0.3 for a result": lambda pair: by_direction(pair) + by_words(pair) + 0.3 * results(pair),
        "vectors + words + 0.3 for a result + 0.1 for own work": lambda pair: results_and_own(pair, 0.1),
        "vectors + words + 0.3 for a result + 0.2 for own work": lambda pair: results_and_own(pair, 0.2),
        "vectors + words + 0.3 for a result + 0.3 for own work": lambda pair: results_and_own(pair, 0.3),
        "the same with 0.2, words by rarity": lambda pair: by_direction(pair) + by_idf(pair) + 0.2 * results(pair),
        "the same with 0.2, vectors of the statement": lambda pair: (
            by_statement(pair) + by_words(pair) + 0.2 * results(pair)
        ),
        "vectors + words + 0.1 for a late place": lambda pair: by_direction(pair) + by_words(pair) + 0.1 * pair.place,
        "vectors + words + 0.2 for a result + 0.1 for a late place": lambda pair: (
            by_direction(pair) + by_words(pair) + 0.2 * results(pair) + 0.1 * pair.place
        ),
    }


def _is_right(scores: Callable[[Labelled], Scores], pair: Labelled) -> bool:
    return bool(pair.right[int(np.argmax(scores(pair)))])


def _reciprocal_rank(scores: Callable[[Labelled], Scores], pair: Labelled) -> float:
    order = np.argsort(-scores(pair), kind="stable")
    return float(1 / (1 + int(np.flatnonzero(pair.right[order])[0])))


if __name__ == "__main__":
    main()
