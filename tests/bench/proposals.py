"""Counts how many entries come back as proposals when they are taken out of the shipped catalogue.

    python tests/bench/proposals.py ../shared --cache /tmp/proposals [--papers 6000]

The papers are the labelled ones of FOLDER/bench and a fixed sample of the machine-learning ones of FOLDER/data/snapshot
(those whose ids have the lowest SHA-256); vectors are computed once and kept in the cache folder, in float32.

An entry has enough papers if eight of them are likelier than not to be its evidence, by the ranker with the whole
catalogue, and pass for no other entry. It came back if one of the first 20 proposals has its centre nearest to this
entry of all that were taken out, and more than half of its ten most central papers are likelier than not to be its
evidence (strictly: pass the queue's threshold for it). The weights and sizes of `crawler.themes` and
`crawler.clusters` were chosen on the entries of TUNED_ON, only the softness of nearness on all.

Beside it stand k-means (with as many clusters, of the same papers and views, the largest first) and our own clusters
in an order by chance. Last, what people labelled: all entries of a topic of FOLDER/bench are taken out, and it came
back if more than half of the ten most central papers of one of the first 20 proposals were labelled with the topic.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.cluster.vq import kmeans2

from crawler.embed import SentenceTransformerEmbedder
from crawler.growth import Calendar
from crawler.models import DEFAULT_MODEL, find_model
from crawler.ranking.background import Background
from crawler.ranking.features import count_terms
from crawler.ranking.ranker import DEFAULT_THRESHOLD, Claim, Document, Ranker, Seen, document_text, to_chances
from crawler.themes import Near, centre, centre_claims, choose_near, join_views, make_proposals, measure_nearness
from curation.catalogue import load_catalogue
from db.proposals import Proposal

FIELD = frozenset({"cs.LG", "cs.CL", "cs.AI", "stat.ML"})
ENOUGH = 8
FIRST = (10, 20, 50)
CENTRAL = 10
REMOVED_AT_ONCE = 6
CHUNK = 1_000
TUNED_ON = frozenset(
    "H1.1 H1.3 H1.6 H2.1 H2.6 H2.8 H2.11 H3.3 H4.4 H4.7 H5.2 H5.4 H5.9 H6.1 H7.1 H7.2 H7.4 H7.6 H7.8 H8.3 H8.4 H8.6"
    " H8.8 H8.10 H9.2 W1.2 W1.6 W2.2 W2.9 W3.4 W4.6 W5.3 W5.7".split()
)
TOPICS = {
    "scaling_laws": "H1.1 H1.2 H1.3 H1.4 H1.5 H1.6 H1.7 H3.1 H3.4 H3.5",
    "in_context_learning": "W1.5 W1.6 W2.4 W2.9",
    "mixture_of_experts": "H4.4 H4.5",
    "data_mixture": "H5.1 H5.2 H5.3",
    "hyperparameter_transfer_mup": "H2.5",
    "lr_schedule": "H2.3 H2.4 H2.6 H2.7 H3.5",
    "emergent_abilities": "W1.1 W1.4",
    "training_dynamics": "W2.1 W2.2 W2.3 W2.4 W2.5 W2.7 W2.8 W2.9",
}

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The place, from 0, of the first proposal that is the entry: likelier than not, and by the threshold; or None."""

    loose: int | None
    strict: int | None


def main() -> None:
    """Run the trials and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--papers", type=int, default=6_000, help="how many of the snapshot")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    bench = Bench(options.shared, options.papers, options.cache)
    bench.print_first()
    for name, half in bench.halves().items():
        bench.print_alone(name, half)
        bench.print_together(name, half)
    bench.print_topics(options.shared / "bench")


def read_papers(shared: Path, sample: int) -> dict[str, tuple[str, str, str]]:
    """Return title, abstract and day by id: the labelled papers, and a sample of the field's of the snapshot."""
    found: dict[str, tuple[str, str, str]] = {}
    for path in sorted((shared / "data" / "snapshot").glob("*.jsonl.gz")):
        for paper in read_lines(path):
            if FIELD & set(paper["categories"].split()):
                day = f"20{paper['id'][:2]}-{paper['id'][2:4]}-15"  # of the abstracts' dates only the month is sure
                found[paper["id"]] = (" ".join(paper["title"].split()), " ".join(paper["abstract"].split()), day)
    chosen = sorted(found, key=lambda one: hashlib.sha256(one.encode()).hexdigest())[:sample]
    papers = {arxiv_id: found[arxiv_id] for arxiv_id in chosen}
    for paper in read_lines(shared / "bench" / "docs.jsonl.gz"):
        papers[paper["id"]] = (paper["title"], paper["abstract"], paper["published"])
    return dict(sorted(papers.items()))


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file of JSON lines, gz."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def embed(embedder: SentenceTransformerEmbedder, texts: dict[str, str], kept: Path) -> npt.NDArray[np.float32]:
    """Return the vectors of texts, shape (texts, d); what the file lacks is added to it, so many at a time."""
    known: dict[str, Any] = {}
    if kept.exists():
        with np.load(kept) as file:
            known = dict(zip(file["keys"].tolist(), file["vectors"], strict=True))
    keys = {arxiv_id: hashlib.sha256(text.encode()).hexdigest() for arxiv_id, text in texts.items()}
    missing = [arxiv_id for arxiv_id, key in keys.items() if key not in known]
    for start in range(0, len(missing), CHUNK):
        some = missing[start : start + CHUNK]
        known |= zip([keys[one] for one in some], embedder.encode([texts[one] for one in some]), strict=True)
        np.savez(kept, keys=np.array(list(known)), vectors=np.stack(list(known.values())))
        print(f"embedded {start + len(some)} of {len(missing)}", flush=True)
    return np.stack([known[key] for key in keys.values()])


class Bench:
    """The papers, scored once for the whole catalogue: what an entry says of a paper hangs on no other entry."""

    def __init__(self, shared: Path, sample: int, cache: Path) -> None:
        papers = read_papers(shared, sample)
        embedder = SentenceTransformerEmbedder(find_model(DEFAULT_MODEL, os.environ))
        texts = {arxiv_id: document_text(title, abstract) for arxiv_id, (title, abstract, _) in papers.items()}
        vectors = embed(embedder, texts, cache / "vectors.npz")
        self.ids, self.days = list(papers), [day for *_, day in papers.values()]
        self.documents = [Document(title, abstract) for title, abstract, _ in papers.values()]
        claims = [Claim.of(phenomenon) for phenomenon in load_catalogue()]
        flat = {text: text for claim in claims for text in claim.texts()}
        by_text = dict(zip(flat, embed(embedder, flat, cache / "claims.npz"), strict=True))
        claim_vectors = [np.stack([by_text[text] for text in claim.texts()]) for claim in claims]
        background = Background.load(embedder.identity)
        assert background.centre is not None  # it is the default model
        began, counted = time.perf_counter(), [count_terms(document) for document in self.documents]
        ranker = Ranker(claims, claim_vectors, background, Seen(counted, vectors, self.days))
        self.logits = np.concatenate(
            [
                ranker.evidence(counted[at : at + CHUNK], vectors[at : at + CHUNK])
                for at in range(0, len(counted), CHUNK)
            ]
        )
        self.words = ranker.view_words(counted, vectors)
        print(f"{len(self.ids)} papers scored for {len(claims)} entries in {time.perf_counter() - began:.0f} s")
        self.codes, self.vectors = [claim.code for claim in claims], centre(vectors, background.centre)
        self.catalogue = centre_claims(self.codes, claim_vectors, background.centre)
        self.lexicon, self.calendar = background.lexicon, Calendar(self.days)
        self.passing, self.likely = to_chances(self.logits) >= DEFAULT_THRESHOLD, self.logits >= 0
        self.places = {arxiv_id: place for place, arxiv_id in enumerate(self.ids)}

    def halves(self) -> dict[str, list[int]]:
        """Return the entries with enough papers, as places: those chosen on, and the others."""
        others = self.passing.sum(axis=1)[:, None] - self.passing
        own = (self.likely & (others == 0)).sum(axis=0)
        enough = [place for place, count in enumerate(own) if count >= ENOUGH]
        return {
            "chosen on": [place for place in enough if self.codes[place] in TUNED_ON],
            "held out": [place for place in enough if self.codes[place] not in TUNED_ON],
        }

    def near(self, kept: Flags) -> Near:
        """Return the papers that are clustered where only these entries are in the catalogue."""
        logits = self.logits[:, kept]
        places = choose_near(measure_nearness(logits), self.passing[:, kept].any(axis=1))
        return Near(
            [self.ids[place] for place in places],
            [self.days[place] for place in places],
            [self.documents[place] for place in places],
            self.vectors[places],
            join_views(self.vectors[places], self.words[places]),
            logits[places].astype(np.float32),
        )

    def propose(self, removed: Sequence[int]) -> tuple[list[Proposal], Near]:
        """Return the proposals without these entries, best first, and the papers that they were made of."""
        kept = np.ones(len(self.codes), dtype=np.bool_)
        kept[list(removed)] = False
        near = self.near(kept)
        catalogue = type(self.catalogue)(
            [code for code, keep in zip(self.codes, kept, strict=True) if keep], self.catalogue.directions[kept]
        )
        return make_proposals(near, catalogue, self.lexicon, self.calendar), near

    def judge(self, groups: Sequence[Sequence[int]], removed: Sequence[int]) -> dict[int, Outcome]:
        """Return for each entry taken out whether it came back, and where.

        Args:
            groups: in their order, the papers of each, the most central first.
        """
        found: dict[int, dict[str, int]] = {entry: {} for entry in removed}
        for place, group in enumerate(groups):
            middle = self.vectors[list(group)].sum(axis=0)
            entry = max(removed, key=lambda one: float(self.catalogue.directions[one] @ middle))
            for name, flags in (("loose", self.likely), ("strict", self.passing)):
                if flags[list(group[:CENTRAL]), entry].mean() > 0.5:
                    found[entry].setdefault(name, place)
        return {entry: Outcome(places.get("loose"), places.get("strict")) for entry, places in found.items()}

    def list_papers(self, proposals: Sequence[Proposal]) -> list[list[int]]:
        """Return the places of each proposal's papers, the most central first."""
        return [[self.places[member.arxiv_id] for member in one.members] for one in proposals]

    def cluster_plainly(self, near: Near, count: int) -> list[list[int]]:
        """Return clusters of k-means, the largest first, the papers of each nearest to its middle first."""
        middles, labels = kmeans2(near.views.astype(np.float64), count, minit="points", seed=1, missing="warn")
        groups = [np.flatnonzero(labels == number) for number in range(count)]
        groups = sorted((group for group in groups if len(group)), key=lambda group: (-len(group), group[0]))
        found = []
        for group in groups:
            order = np.argsort(-(near.views[group] @ middles[labels[group[0]]]), kind="stable")
            found.append([self.places[near.arxiv_ids[place]] for place in group[order]])
        return found

    def print_first(self) -> None:
        """Print the first proposals with the whole catalogue, to be read by a person."""
        began = time.perf_counter()
        proposals, near = self.propose([])
        took = time.perf_counter() - began
        print(f"\nwhole catalogue: {len(proposals)} proposals of {len(near.arxiv_ids)} papers in {took:.1f} s")
        for number, one in enumerate(proposals[: max(FIRST)], 1):
            title = self.documents[self.places[one.members[0].arxiv_id]].title
            print(f"  {number:2} {len(one.members):3} {', '.join(one.terms[:4])} | {title} | {one.figures.nearest}")

    def print_alone(self, name: str, half: Sequence[int]) -> None:
        """Take the entries out one by one, and print the share that came back."""
        rows: dict[str, list[Outcome]] = {"ours": [], "by chance": [], "k-means": []}
        by_entry = []
        for entry in half:
            proposals, near = self.propose([entry])
            groups = self.list_papers(proposals)
            outcome = self.judge(groups, [entry])[entry]
            rows["ours"].append(outcome)
            shuffled = np.random.default_rng(1)
            for _ in range(20):
                order = shuffled.permutation(len(groups))
                rows["by chance"].append(self.judge([groups[place] for place in order], [entry])[entry])
            rows["k-means"].append(self.judge(self.cluster_plainly(near, len(groups)), [entry])[entry])
            by_entry.append(f"{self.codes[entry]} {'-' if outcome.loose is None else outcome.loose + 1}")
        print(f"\none entry taken out, {len(half)} entries, {name}: {', '.join(by_entry)}")
        print_shares(rows)

    def print_together(self, name: str, half: Sequence[int]) -> None:
        """Take some entries out at once, and print the share that came back, and how many of the first are theirs."""
        rows: dict[str, list[Outcome]] = {"ours": [], "k-means": []}
        shares = []
        trials = range(max(1, len(half) // REMOVED_AT_ONCE))
        for trial in trials:
            removed = list(half[trial :: len(trials)])
            proposals, near = self.propose(removed)
            groups = self.list_papers(proposals)
            rows["ours"] += self.judge(groups, removed).values()
            rows["k-means"] += self.judge(self.cluster_plainly(near, len(groups)), removed).values()
            central = [self.likely[group[:CENTRAL]][:, removed].mean(axis=0).max() > 0.5 for group in groups]
            shares.append([float(np.mean(central[:first])) for first in FIRST])
        of = ", ".join(f"{share:.2f}" for share in np.mean(shares, axis=0))
        print(f"\n{len(half)} entries taken out in {len(trials)} lots, {name}: of the first {FIRST} are of them {of}")
        print_shares(rows)

    def print_topics(self, bench: Path) -> None:
        """Take out all entries of a labelled topic, and print where a proposal of its labelled papers stands."""
        topics = json.loads((bench / "dev_topics.json").read_text(encoding="utf-8"))
        labels = [line.split() for line in (bench / "dev.qrels").read_text(encoding="utf-8").splitlines()]
        print("\ntopic, entries taken out, labelled papers, place (share of its ten central papers that are labelled)")
        for topic in topics:
            codes = TOPICS[topic]
            relevant = {self.places[paper] for one, _, paper, label in labels if one == topic and int(label) > 0}
            groups = self.list_papers(self.propose([self.codes.index(code) for code in codes.split()])[0])
            shares = [float(np.mean([place in relevant for place in group[:CENTRAL]])) for group in groups]
            place = next((place for place, share in enumerate(shares) if share > 0.5), None)
            told = "none" if place is None else f"{place + 1} ({shares[place]:.1f})"
            print(f"  {topic}: {codes}; {len(relevant)}; {told} of {len(groups)}")


def print_shares(rows: dict[str, list[Outcome]]) -> None:
    """Print the share of entries that came back among the first proposals, and among all."""
    for name, outcomes in rows.items():
        for way in ("loose", "strict"):
            places = [getattr(outcome, way) for outcome in outcomes]
            shares = [np.mean([place is not None and place < first for place in places]) for first in (*FIRST, 10**9)]
            words = ", ".join(f"{share:.2f}" for share in shares)
            print(f"  {name:9} {'likelier than not' if way == 'loose' else 'by the threshold':17} {words}")


if __name__ == "__main__":
    main()
