"""Papers on made themes, among others that have nothing in common: for tests of what is proposed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from word_vectors import embed

from crawler.control import Stop, no_progress
from crawler.embed import embed_missing
from db.papers import save_papers
from db.records import Aspect, CatalogueChange, ChangeKind, ModelIdentity, Paper, Phenomenon
from db.runs import start_run
from db.store import Store
from db.upkeep import save_phenomena
from db.vectors import Vectors

NEWEST = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)
GROKKING = Phenomenon(
    "W2.2", Aspect.WHAT, "Dynamics", "Grokking", "Networks generalise long after they memorise.", ("grokking",)
)
SCALING = Phenomenon("H1.1", Aspect.HOW, "Scaling", "Scaling laws", "Loss is a power law of compute.", ("scaling law",))
THEMES = {
    "merging": "merging checkpoints interpolation averaging weights barrier basin connectivity".split(),
    "sinks": "attention sink token streaming cache softmax register massive".split(),
    "poison": "poison backdoor trigger dose constant corpus attacker planted".split(),
}
COMMON = "model training language network loss compute scale data parameters tokens study large".split()
OTHERS = [
    f"{first}{second}" for first in "bcdfgklmnprstv" for second in ("alor", "emin", "izak", "oten", "ubel", "yran")
]


def make_paper(number: int, words: Sequence[str]) -> Paper:
    """Make a paper of some of these words and some that all papers share; each is three days older than the last."""
    chance = random.Random(number)
    some = [*chance.sample(list(words), 6), *chance.sample(COMMON, 3)]
    day = NEWEST - timedelta(days=3 * number)
    title, abstract = " ".join(some[:3]), " ".join([*some, *chance.sample(list(words), 6)]) + "."
    return Paper(f"2501.{number:05d}", 1, title, abstract, ("Ada",), ("cs.LG",), day, day, day.date())


def make_field(themed: int = 12, others: int = 120) -> dict[str, list[Paper]]:
    """Make so many papers of each theme, and so many others under `others`."""
    found: dict[str, list[Paper]] = {}
    number = 0
    for theme, words in [*THEMES.items(), ("others", OTHERS)]:
        count = others if theme == "others" else themed
        found[theme] = [make_paper(number + one, words) for one in range(count)]
        number += count
    return found


class WordEmbedder:
    """A model that knows words and nothing else."""

    identity = ModelIdentity("fake/words", "1", "", 256, 64)
    engine = "words"

    def prepare(self, expected: int = 0) -> None:
        """Need nothing."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors made of the texts' words."""
        return embed(texts)


def fill(store: Store, papers: Sequence[Paper], phenomena: Sequence[Phenomenon] = (GROKKING, SCALING)) -> WordEmbedder:
    """Store papers with their vectors, and a catalogue."""
    embedder = WordEmbedder()
    with store.transaction():
        save_phenomena(store, phenomena, CatalogueChange(ChangeKind.LOAD, "bmp", "2026-11-24T06:30:00Z"))
        run_id = start_run(
            store, kind="backfill", source="snapshot", categories=[], started_at="x", program_version="0"
        )
        save_papers(store, papers, run_id=run_id, now="2026-11-24T06:30:00Z")
    embed_missing(store, embedder, run_id=run_id, stop=Stop(), progress=no_progress)
    return embedder
