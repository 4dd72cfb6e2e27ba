"""Times what a night and a reviewer ask of a database of millions of papers, through the program's own functions.

    python tests/bench/scale.py --papers 3000000 --phenomena 1000 --store /tmp/scale.db

The store is made in bulk: texts of words drawn as the field uses them (whole abstracts for the newest papers, short
ones for the others, to save disk), random unit vectors, all papers matched, candidates and decisions. It is kept, and
used again by the next call with the same path. One table is printed; seconds are of one process on this machine, the
best of `--rounds`, with the files in the system's memory as far as they fit there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from common import Options, Row

from crawler.control import Stop, no_progress
from crawler.learning import AT_HAND, explain_pairs, load_documents, make_learner, name_papers
from crawler.match import CHUNK, match_missing
from crawler.ranking.background import Background
from crawler.ranking.ranker import Claim, Ranker
from crawler.rerank import is_outdated
from db.candidates import count_by_status, count_queued_on, find_newest_queued, list_candidates
from db.matches import (
    count_backlog,
    count_unmatched,
    find_matching_model,
    find_newest_ranking,
    list_unmatched,
)
from db.papers import (
    count_revisions_without_vector,
    list_hashes_at_hand,
    list_newest,
    list_revisions_without_vector,
    save_papers,
)
from db.phenomena import catalogue_version, list_phenomena
from db.records import ModelIdentity, Paper
from db.store import Store, open_store
from db.text import text_hash
from db.vectors import Vectors, keep_engine, keep_model, save_vectors, vector_to_bytes

IDENTITY = ModelIdentity("made/random", "1", "", 512, 384)
ENGINE = "made"
FULL_TEXTS = 30_000  # of the newest papers: those that are at hand, and a night more
BATCH = 20_000  # rows made at once
MATCHES = 1_000_000
NIGHT = 2_000
BUDGET = 100
THRESHOLD = 0.95
SEED = 20261126
TODAY = date(2026, 11, 26)
NOW = "2026-11-26T06:30:00Z"


class MadeEmbedder:
    """A model that gives every text a random unit vector of its own, and counts what it was asked."""

    identity = IDENTITY
    engine = ENGINE
    calls = texts = 0

    def prepare(self, texts: int = 0) -> None:
        """Need nothing."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return float32 vectors of length one, shape (texts, dimensions)."""
        self.calls, self.texts = self.calls + 1, self.texts + len(texts)
        seeds = [int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) for text in texts]
        rows = [np.random.default_rng(seed).standard_normal(IDENTITY.dimensions, dtype=np.float32) for seed in seeds]
        return _unit(np.stack(rows)) if rows else np.empty((0, IDENTITY.dimensions), dtype=np.float32)


class Words:
    """Draws texts of words as often as the field uses them."""

    def __init__(self, chance: np.random.Generator) -> None:
        """Take the source of chance."""
        frequencies = Background.load(None).lexicon.frequencies
        single = {word: count for word, count in frequencies.items() if " " not in word}
        self._words = np.array(list(single))
        shares = np.array(list(single.values()), dtype=np.float64)
        self._sums, self._chance = np.cumsum(shares / shares.sum()), chance

    def draw(self, texts: int, words: int) -> list[str]:
        """Return so many texts of so many words."""
        places = np.searchsorted(self._sums, self._chance.random((texts, words)))
        return [" ".join(row) for row in self._words[np.minimum(places, len(self._words) - 1)]]


def _unit(vectors: Vectors) -> Vectors:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def make_store(path: Path, papers: int, phenomena: int, candidates: int) -> None:
    """Make the database; `papers` are stored, embedded and matched, and so many of the matches queued."""
    chance = np.random.default_rng(SEED)
    words = Words(chance)
    with open_store(path, create=True) as store:
        connection = store.connection
        for pragma in ("foreign_keys = OFF", "synchronous = OFF", "journal_mode = OFF", "cache_size = -4000000"):
            connection.execute(f"PRAGMA {pragma}").fetchone()
        model_id = keep_model(store, IDENTITY)
        engine_id = keep_engine(store, model_id, ENGINE, None)
        with store.transaction():
            _make_catalogue(store, words, phenomena)
            connection.execute(
                "INSERT INTO runs (run_id, kind, status, source, categories, started_at, finished_at, program_version,"
                " matched) VALUES (1, 'backfill', 'complete', 'made', '', ?, ?, '0', ?)",
                (NOW, NOW, papers),
            )
            version = catalogue_version(list_phenomena(store))
            connection.execute(
                "INSERT INTO rankings (ranking_id, ranker_version, model_id, catalogue_version, threshold)"
                " VALUES (1, ?, ?, ?, ?)",
                (Ranker.version, model_id, version, THRESHOLD),
            )
        for start in range(0, papers, BATCH):
            count = min(BATCH, papers - start)
            with store.transaction():
                _make_papers(store, words, chance, start, count, papers, model_id, engine_id)
        with store.transaction():
            _make_queue(store, chance, papers, phenomena, candidates)


def _make_catalogue(store: Store, words: Words, phenomena: int) -> None:
    titles, statements = words.draw(phenomena, 4), words.draw(phenomena, 20)
    keywords = words.draw(3 * phenomena, 2)
    store.connection.executemany(
        "INSERT INTO phenomena (code, position, aspect, group_name, title, statement, keywords, reference_ids,"
        " criteria, maturity) VALUES (?, ?, 'what', 'made', ?, ?, ?, '[]', '{}', 'observed')",
        [
            (f"M{place}", place, titles[place], statements[place], json.dumps(keywords[3 * place : 3 * place + 3]))
            for place in range(phenomena)
        ],
    )


def _arxiv_id(place: int) -> str:
    return f"{place // 100_000:04}.{place % 100_000:05}"


def _day(place: int, papers: int) -> str:
    return (datetime(2026, 11, 24, tzinfo=UTC) - timedelta(minutes=3 * (papers - place))).strftime("%Y-%m-%dT%H:%M:%SZ")


def _make_papers(
    store: Store,
    words: Words,
    chance: np.random.Generator,
    start: int,
    count: int,
    papers: int,
    model_id: int,
    engine_id: int,
) -> None:
    places = range(start, start + count)
    whole = start + count > papers - FULL_TEXTS
    titles, abstracts = words.draw(count, 8), words.draw(count, 150 if whole else 12)
    hashes = [text_hash(title, abstract) for title, abstract in zip(titles, abstracts, strict=True)]
    ids, days = [_arxiv_id(place) for place in places], [_day(place, papers) for place in places]
    vectors = _unit(chance.standard_normal((count, IDENTITY.dimensions), dtype=np.float32))
    execute = store.connection.executemany
    authors = json.dumps(["A. Author", "B. Author", "C. Author"])
    execute(
        "INSERT INTO papers (arxiv_id, revision_id, authors, categories, published_at, datestamp, withdrawn, run_id)"
        " VALUES (?, ?, ?, 'cs.LG cs.AI', ?, ?, ?, 1)",
        (
            (one, place + 1, authors, day, day[:10], int(place % 100 == 0))
            for one, place, day in zip(ids, places, days, strict=True)
        ),
    )
    execute(
        "INSERT INTO revisions VALUES (?, ?, 1, ?, ?, ?, ?, 1)",
        (
            (place + 1, one, title, abstract, key, day)
            for place, one, title, abstract, key, day in zip(places, ids, titles, abstracts, hashes, days, strict=True)
        ),
    )
    execute(
        "INSERT INTO vectors (text_hash, model_id, engine_id, vector) VALUES (?, ?, ?, ?)",
        ((key, model_id, engine_id, vector_to_bytes(one)) for key, one in zip(hashes, vectors, strict=True)),
    )
    execute("INSERT INTO matched_revisions VALUES (?, 1, 1)", ((place + 1,) for place in places if place % 100))


def _make_queue(store: Store, chance: np.random.Generator, papers: int, phenomena: int, candidates: int) -> None:
    """Make candidates of random pairs, each with its match, and decisions on the best of them."""
    wanted = min(MATCHES, papers * phenomena // 10)
    pairs = np.unique(chance.integers(0, papers * phenomena, wanted))
    scores = np.round(THRESHOLD + (1 - THRESHOLD) * chance.random(len(pairs)), 6)
    found = [
        (number + 1, int(pair // phenomena), f"M{pair % phenomena}", float(score))
        for number, (pair, score) in enumerate(zip(pairs, scores, strict=True))
    ]
    store.connection.executemany(
        "INSERT INTO matches (match_id, revision_id, phenomenon_code, ranking_id, score, sentence_start, sentence_end)"
        " VALUES (?, ?, ?, 1, ?, 0, 20)",
        ((number, place + 1, code, score) for number, place, code, score in found),
    )
    best = sorted(found, key=lambda one: -one[3])[:candidates]
    store.connection.executemany(
        "INSERT INTO candidates (candidate_id, arxiv_id, phenomenon_code, match_id, run_id, queued_at)"
        " VALUES (?, ?, ?, ?, 1, '2026-11-20T06:30:00Z')",
        ((number, _arxiv_id(place), code, number) for number, place, code, _ in sorted(best)),
    )
    store.connection.executemany(
        "INSERT INTO decisions (candidate_id, kind, stance, turn, follows, revision_id, score, catalogue_version,"
        " reviewer, decided_at, place) VALUES (?, ?, ?, 1, '[]', ?, ?, '', 'made', ?, ?)",
        (
            (
                number,
                "accept" if rank % 3 == 0 else "reject",
                "supports" if rank % 3 == 0 else None,
                place + 1,
                score,
                NOW,
                f"{1:010d} {NOW} {rank}",
            )
            for rank, (number, place, _, score) in enumerate(best[: candidates // 50])
        ),
    )


class Table:
    """Times steps, prints each as it is done, and keeps the seconds by name."""

    def __init__(self, rounds: int) -> None:
        """Take how often what changes nothing is done; the best counts."""
        self._rounds = rounds
        self.rows: list[Row] = []

    def time(self, name: str, step: Callable[[], Any], *, once: bool = False, goal: str = "") -> Any:
        """Do a step and print its milliseconds; return what it gave."""
        best, found = np.inf, None
        for _ in range(1 if once else self._rounds):
            began = time.perf_counter()
            found = step()
            best = min(best, time.perf_counter() - began)
        print(f"{name:58} {best * 1000:12.1f} ms   {_short(found)}", file=sys.stderr, flush=True)
        self.rows.append(Row(name, f"{best * 1000:.1f} ms", _short(found), goal=goal))
        return found


def _short(found: Any) -> str:
    if isinstance(found, list | tuple) and len(found) > 3:
        return f"{len(found)} rows"
    text = " ".join(str(found).split())
    return text if len(text) <= 40 else f"{type(found).__name__}"


def new_papers(words: Words, first: int, count: int) -> list[Paper]:
    """Return papers that came after all others."""
    moment = datetime(2026, 11, 25, tzinfo=UTC)
    titles, abstracts = words.draw(count, 8), words.draw(count, 150)
    return [
        Paper(
            arxiv_id=_arxiv_id(first + place),
            version=1,
            title=title,
            abstract=f"{abstract[:500]}. {abstract[500:]}.",
            authors=("A. Author",),
            categories=("cs.LG",),
            published_at=moment,
            updated_at=moment,
            datestamp=moment.date(),
        )
        for place, (title, abstract) in enumerate(zip(titles, abstracts, strict=True))
    ]


def measure_queries(store: Store, table: Table) -> None:
    """Time what a night asks that finds nothing new, and what a reviewer asks."""
    model_id, phenomena = keep_model(store, IDENTITY), list_phenomena(store)
    claims = [Claim.of(one) for one in phenomena]
    ranking = find_newest_ranking(store)
    assert ranking is not None
    one = ranking.ranking_id
    table.time("count_revisions_without_vector", lambda: count_revisions_without_vector(store, model_id))
    table.time(
        "list_revisions_without_vector", lambda: list_revisions_without_vector(store, model_id, after=0, limit=500)
    )
    table.time("count_unmatched", lambda: count_unmatched(store, one, model_id))
    table.time("list_unmatched", lambda: list_unmatched(store, one, model_id, after=0, limit=500))
    table.time("find_newest_ranking", lambda: find_newest_ranking(store))
    table.time("find_matching_model", lambda: find_matching_model(store))
    table.time("find_newest_queued", lambda: find_newest_queued(store))
    table.time("count_queued_on", lambda: count_queued_on(store, NOW))
    table.time("count_backlog", lambda: count_backlog(store, one))
    table.time("list_newest", lambda: list_newest(store, model_id, limit=AT_HAND))
    table.time("list_hashes_at_hand", lambda: list_hashes_at_hand(store, model_id, limit=AT_HAND))
    table.time("name_papers", lambda: name_papers(store, IDENTITY))
    table.time("is_outdated", lambda: is_outdated(store, IDENTITY, claims))
    table.time(
        "queue's first page: list_candidates, 50",
        lambda: list_candidates(store, today=TODAY, limit=50),
        goal="< 50 ms",
    )
    code = phenomena[0].code
    table.time("the same of one phenomenon", lambda: list_candidates(store, today=TODAY, limit=50, phenomenon=code))
    table.time("count_by_status", lambda: count_by_status(store, today=TODAY))


def measure_night(store: Store, table: Table, chance: np.random.Generator) -> None:
    """Time a night of `NIGHT` new papers: saved, embedded and matched."""
    words, embedder, model_id = Words(chance), MadeEmbedder(), keep_model(store, IDENTITY)
    engine_id = keep_engine(store, model_id, ENGINE, None)
    first = int(store.value("SELECT max(revision_id) FROM revisions"))
    some = new_papers(words, first, NIGHT)
    run_id = int(store.value("SELECT max(run_id) + 1 FROM runs"))
    with store.transaction():
        store.connection.execute(
            "INSERT INTO runs (run_id, kind, status, source, categories, started_at, program_version)"
            " VALUES (?, 'nightly', 'running', 'made', '', ?, '0')",
            (run_id, NOW),
        )

    def save() -> Any:
        with store.transaction():
            return save_papers(store, some, run_id=run_id, now=NOW)

    table.time(f"save_papers, {NIGHT} new", save, once=True)
    hashes = [text_hash(paper.title, paper.abstract) for paper in some]
    with store.transaction():
        save_vectors(store, model_id, engine_id, hashes, embedder.encode(hashes))
    claims = [Claim.of(one) for one in list_phenomena(store)]
    learner = table.time(
        "make_learner, words of papers at hand counted anew", lambda: make_learner(store, embedder, claims), once=True
    )
    learner = table.time("make_learner, words kept", lambda: make_learner(store, embedder, claims), once=True)
    ranking = find_newest_ranking(store)
    assert ranking is not None
    rows = list_unmatched(store, ranking.ranking_id, model_id, after=0, limit=NIGHT)
    documents, vectors = load_documents(store, rows, model_id)
    table.time("words of the new papers counted", lambda: learner.words_of(rows))
    counted = learner.words_of(rows)
    table.time(
        f"first Ranker.score, {CHUNK} papers: makes each claim's prior",
        lambda: learner.ranker.score(counted[:CHUNK], vectors[:CHUNK]),
        once=True,
    )

    def score() -> npt.NDArray[np.float64]:
        return np.concatenate(
            [
                learner.ranker.score(counted[at : at + CHUNK], vectors[at : at + CHUNK])
                for at in range(0, len(rows), CHUNK)
            ]
        )

    scores = table.time(f"Ranker.score, {len(rows)} papers x {len(claims)} claims", score, goal="< 1 s")
    best = np.argsort(-scores, axis=None, kind="stable")[:100]
    pairs = [(int(one // scores.shape[1]), int(one % scores.shape[1])) for one in best]
    table.time(
        "explain_pairs, 100 pairs", lambda: explain_pairs(embedder, learner.ranker, rows, documents, vectors, pairs)
    )

    def match() -> int:
        return match_missing(
            store,
            embedder,
            run_id=run_id,
            threshold=THRESHOLD,
            budget=BUDGET,
            now=NOW,
            stop=Stop(),
            progress=no_progress,
        )

    table.time("match_missing, the whole of it", match, once=True)
    table.time("match_missing again: nothing is new", match, once=True)


def print_sizes(store: Store) -> None:
    """Print the bytes of each table and index, whole and for one paper."""
    papers = int(store.value("SELECT count(*) FROM papers"))
    try:
        rows = store.rows("SELECT name, sum(pgsize) AS size FROM dbstat GROUP BY name ORDER BY size DESC LIMIT 20")
    except Exception as error:  # the table is an option of SQLite's build
        print(f"no sizes by table: {error}")
        rows = []
    for row in rows:
        print(f"{row['name']:58} {row['size'] / 1e6:12.1f} MB   {row['size'] / papers:.0f} bytes a paper")
    whole = store.value("PRAGMA page_count") * store.value("PRAGMA page_size")
    print(f"{'the whole database':58} {whole / 1e6:12.1f} MB   {whole / papers:.0f} bytes a paper")


def measure(options: Options) -> list[Row]:
    """Return what a night and a reviewer ask of a made store, what a night's matching takes, and bytes a paper."""
    papers, phenomena = (10_000, 20) if options.quick else (200_000, 1_000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scale.db"
        make_store(path, papers, phenomena, papers // 10)
        with open_store(path) as store:
            table = Table(options.rounds)
            measure_queries(store, table)
            size = path.stat().st_size / papers
            measure_night(store, table, np.random.default_rng(SEED))
    told = f"{papers} papers, {phenomena} phenomena, {papers // 10} candidates"
    return [Row(f"the store: {told}", f"{size:.0f} bytes a paper, most with short texts"), *table.rows]


def main() -> None:
    """Make the store if it is not there, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--papers", type=int, default=100_000)
    parser.add_argument("--phenomena", type=int, default=1_000)
    parser.add_argument("--candidates", type=int, default=20_000)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", action="store_true", help="also print the bytes of each table")
    parser.add_argument("--no-night", action="store_true", help="leave the new papers out: nothing is written")
    options = parser.parse_args()
    if not options.store.exists():
        began = time.perf_counter()
        make_store(options.store, options.papers, options.phenomena, options.candidates)
        print(f"made in {time.perf_counter() - began:.0f} s", flush=True)
    with open_store(options.store) as store:
        table = Table(options.rounds)
        measure_queries(store, table)
        if options.sizes:
            print_sizes(store)
        if not options.no_night:
            measure_night(store, table, np.random.default_rng())


if __name__ == "__main__":
    main()
