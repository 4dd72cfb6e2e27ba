"""A backfill on a cluster: a snapshot is cut into shards, which workers parse and embed, and which are merged here.

A shard is what stands in so many bytes of the snapshot's text: the same for every run on the same file. Whole shards
wait in a folder beside the database until all before them are merged, so that the cursor of a snapshot serves both
ways of reading it.
"""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crawler.cluster import Cluster, RowStage, Stages, run_stages
from crawler.control import Stop
from crawler.embed import (
    COMPARED,
    WORTH_MEASURING,
    Embedder,
    StoppableEmbedder,
    compare_with_kept,
    require_numbers,
)
from crawler.engines.probe import probe_texts
from crawler.ranking.ranker import document_text
from crawler.shards import Shard, ShardFolder, pack_shard, unpack_shard
from crawler.sources.snapshot import SnapshotParser, SnapshotSource, cursor_offset, damaged, make_cursor
from crawler.sources.snapshot_lines import LineReader
from crawler.sources.source import Page
from db.errors import SourceError
from db.papers import find_hashes_without_vector, iterate_embedded_hashes
from db.records import ModelIdentity, Paper
from db.runs import add_to_run
from db.store import Row, Store
from db.text import hash_text, text_hash
from db.vectors import Vectors, keep_model, list_kept_vectors, save_engine, save_model, save_vectors

LEAST_SHARD_BYTES = 256 * 1024
LARGEST_SHARD_BYTES = 16 * 1024 * 1024
MEASURED_AT_ONCE = 1024 * 1024  # bytes: of a damaged file what was unpacked at once is lost
SHARDS = 64  # at least, of a file that is large enough

Keys = npt.NDArray[np.uint64]


def choose_shard_bytes(size_bytes: int) -> int:
    """Return how many bytes of a text of this size make a shard: one worker's work of a minute or a few at most."""
    return min(max(size_bytes // SHARDS, LEAST_SHARD_BYTES), LARGEST_SHARD_BYTES)


def measure_text(path: Path) -> tuple[int, Exception | None]:
    """Return how many bytes a snapshot's text has, and what damage ends it; a packed one is unpacked for that."""
    with LineReader(path) as reader:
        if not reader.is_packed:
            return path.stat().st_size, None
        try:
            for end in count(MEASURED_AT_ONCE, MEASURED_AT_ONCE):
                for _ in reader.skip_to(end):
                    pass
                if reader.offset < end:
                    break
        except (EOFError, OSError, zlib.error) as error:
            return reader.offset, error
        return reader.offset, None


@dataclass(frozen=True, slots=True)
class ReadingShards:
    """Makes the first stage: the lines of a shard that have to be parsed."""

    path: Path
    parser: SnapshotParser
    shard_bytes: int

    def __call__(self) -> RowStage:
        """Return the stage."""
        return _ShardReader(self.path, self.parser, self.shard_bytes).read


class _ShardReader:
    """Reads shards, best in their order: a packed file is unpacked once."""

    def __init__(self, path: Path, parser: SnapshotParser, shard_bytes: int) -> None:
        self._path, self._parser, self._shard_bytes = path, parser, shard_bytes
        self._reader = LineReader(path)
        self._next = 0

    def read(self, row: dict[str, Any]) -> dict[str, Any]:
        number = int(row["shard"])
        if number != self._next:
            self._go_to(number)
        lines, reader, limit = list[bytes](), self._reader, (number + 1) * self._shard_bytes
        within = False  # a line that comes in pieces is of the shard that it begins in
        while (within or reader.offset < limit) and (line := reader.read_line()):
            within = not line.endswith(b"\n")
            lines.append(line)
        self._next = number + 1
        return {"shard": number, "end": reader.offset, "content": pickle.dumps(self._parser.select(lines))}

    def _go_to(self, number: int) -> None:
        self._reader.close()
        self._reader = LineReader(self._path)
        if number == 0:
            return
        for _ in self._reader.skip_to(number * self._shard_bytes - 1):
            pass
        while (piece := self._reader.read_line()) and not piece.endswith(b"\n"):
            pass


@dataclass(frozen=True, slots=True)
class ParsingShards:
    """The second stage: lines into papers."""

    parser: SnapshotParser

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Parse the lines of one shard."""
        papers, malformed = self.parser.parse(pickle.loads(row["content"]))
        return {"shard": row["shard"], "content": pack_shard(Shard(int(row["end"]), papers, malformed))}


@dataclass(frozen=True, slots=True)
class EmbeddingShards:
    """Makes the third stage: the vectors of the texts that have none.

    Attributes:
        make_embedder: makes the model, in the worker.
        known: of the texts that have a vector already the keys, sorted (`text_key`).
        kept: revisions with their vectors, which the worker's engine is held against.
    """

    make_embedder: Callable[[], Embedder]
    known: Keys
    kept: Sequence[Row]

    def __call__(self) -> RowStage:
        """Return the stage, with the model loaded.

        Raises:
            EmbeddingError: its vectors are not close to those that are kept.
        """
        embedder = self.make_embedder()
        embedder.prepare(WORTH_MEASURING)
        compare_with_kept(embedder, self.kept)
        return partial(_embed_shard, embedder, self.known)


def _embed_shard(embedder: Embedder, known: Keys, row: dict[str, Any]) -> dict[str, Any]:
    shard = unpack_shard(row["content"])
    texts = {text_hash(paper.title, paper.abstract): _text_of(paper) for paper in shard.papers}
    texts = {key: text for key, text in texts.items() if not _is_known(known, key)}
    vectors = StoppableEmbedder(embedder, Stop()).encode(list(texts.values()))
    require_numbers(vectors, embedder.engine)
    done = replace(
        shard, vectors=dict(zip(texts, vectors, strict=True)), model=embedder.identity, engine=embedder.engine
    )
    return {"shard": row["shard"], "content": pack_shard(done)}


def _text_of(paper: Paper) -> str:
    return document_text(paper.title, paper.abstract)


def text_key(hashed: str) -> int:
    """Return the first 64 bits of a text hash: two of 3 million texts agree in them once in four million times."""
    return int(hashed[:16], 16)


def _is_known(known: Keys, hashed: str) -> bool:
    key = np.uint64(text_key(hashed))
    place = int(np.searchsorted(known, key))
    return place < len(known) and known[place] == key


class ClusterSource:
    """Reads a snapshot as `SnapshotSource` does, with its cursors, but brings the vectors along.

    A page is a shard. Its vectors are kept in the transaction that keeps its papers.
    """

    def __init__(
        self,
        path: Path,
        categories: Sequence[str],
        *,
        since: date | None,
        store: Store,
        own: Callable[[], Embedder],
        make_embedder: Callable[[], Embedder],
        cluster: Cluster,
        stop: Stop,
        shard_bytes: int | None = None,
    ) -> None:
        """Take what is read, and how.

        Args:
            own: makes the model here: it tells whose vectors are wanted, and the workers' are held against it.
            make_embedder: makes the model in a worker; it is sent there.
            shard_bytes: how large a shard is, in bytes of text; None goes by the size of the file.
        """
        self._plain = SnapshotSource(path, categories, since=since)
        self._path, self._parser = path, SnapshotParser(categories, since)
        self._store, self._own, self._make_embedder = store, own, make_embedder
        self._cluster, self._stop, self._shard_bytes = cluster, stop, shard_bytes

    @property
    def name(self) -> str:
        """Return the name of the plain source."""
        return self._plain.name

    def parts(self) -> Sequence[str]:
        """Return what the plain source does."""
        return self._plain.parts()

    def start(self, cursor: str | None, since: date | None, first_asked: date | None = None) -> str:
        """Return what the plain source does."""
        return self._plain.start(cursor, since, first_asked)

    def asked(self, part: str, start: str) -> str:
        """Return in words what is read."""
        return f"{self._plain.asked(part, start)}, on a cluster"

    def pages(self, part: str, start: str) -> Iterator[Page]:
        """Yield one page a shard, in the order of the file.

        Raises:
            SourceError: the file is damaged, or the cluster fails; what was yielded before stands.
            StopRequested: while waiting for the cluster.
        """
        with self._stop.breakable():
            size, fault = measure_text(self._path)
            identity = self._own().identity
        shard_bytes = self._shard_bytes or choose_shard_bytes(self._path.stat().st_size)
        folder = ShardFolder(_folder(self._store, part, identity, shard_bytes))
        offset, received, facts = cursor_offset(start), 0, self.parts()
        yield Page((), read=(min(offset, size), size))
        # What is damaged ends within the last shard, or in a line that began before it.
        end = size // shard_bytes - 1 if fault else -(-size // shard_bytes)
        numbers = range(offset // shard_bytes, end)
        arriving = self._work([one for one in numbers if one not in folder.list_whole()], identity, shard_bytes)
        try:
            for number in numbers:
                shard = self._await(folder, number, arriving)
                if shard.model != identity:
                    folder.remove(number)
                page = self._page(shard, identity, size)
                received += page.received
                offset = cursor_offset(page.cursor or "")
                yield page
                folder.remove(number)
        finally:
            arriving.close()
        if fault is not None:
            raise damaged(self._path, offset, fault) from fault
        self._plain.require_same(facts)
        folder.remove_all()
        yield Page((), cursor="0", promised=received, read=(size, size))

    def _work(
        self, numbers: Sequence[int], identity: ModelIdentity, shard_bytes: int
    ) -> Generator[dict[str, Any], None, None]:
        """Yield packed shards as they are done, starting the cluster only if there are any to do."""
        if not numbers:
            return
        model_id = keep_model(self._store, identity)
        known = np.array(sorted(map(text_key, iterate_embedded_hashes(self._store, model_id))), dtype=np.uint64)
        stages = Stages(
            ReadingShards(self._path.resolve(), self._parser, shard_bytes),
            ParsingShards(self._parser),
            EmbeddingShards(self._make_embedder, known, self._list_compared(model_id)),
        )
        yield from run_stages(self._cluster, stages, [{"shard": number} for number in numbers])

    def _list_compared(self, model_id: int) -> list[Row]:
        """Return texts with the vectors that the workers' are held against: kept ones, or some that are made here."""
        kept = list_kept_vectors(self._store, model_id, limit=COMPARED)
        if kept:
            return kept
        texts = probe_texts(COMPARED)
        vectors = self._own().encode([document_text(text, "") for text in texts])
        return [{"title": text, "abstract": "", "vector": vector} for text, vector in zip(texts, vectors, strict=True)]

    def _await(self, folder: ShardFolder, number: int, arriving: Iterator[dict[str, Any]]) -> Shard:
        """Return a shard, keeping what arrives until it is there."""
        while number not in folder.list_whole():
            with self._stop.breakable():
                row = next(arriving, None)
            if row is None:
                raise SourceError(f"the cluster never brought shard {number}", "run it again; it goes on")
            folder.write(int(row["shard"]), row["content"])
        try:
            return folder.read(number)
        except Exception as error:  # of Parquet's reader, whatever is wrong with the file
            folder.remove(number)
            raise SourceError(f"shard {number} cannot be read back", "run it again; it is made anew") from error

    def _page(self, shard: Shard, identity: ModelIdentity, size: int) -> Page:
        if shard.model != identity:
            raise SourceError(
                f"the workers' model is another one: {shard.model}, not {identity}", "give them the same model"
            )
        return Page(
            tuple(shard.papers),
            tuple(shard.malformed),
            len(shard.papers) + len(shard.malformed),
            cursor=make_cursor(shard.end),
            read=(min(shard.end, size), size),
            keep_too=partial(keep_vectors, shard),
        )


def _folder(store: Store, part: str, identity: ModelIdentity, shard_bytes: int) -> Path:
    name = hash_text(f"{part}\n{identity}\n{shard_bytes}")[:16]
    return store.path.with_name(f"{store.path.name}.backfill") / name


def keep_vectors(shard: Shard, store: Store, run_id: int) -> None:
    """Keep a shard's vectors of current revisions that have none. Runs inside the transaction that keeps its papers."""
    if shard.model is None or not shard.papers:
        return
    model_id = save_model(store, shard.model)
    missing = find_hashes_without_vector(store, model_id, [paper.arxiv_id for paper in shard.papers])
    hashes = [key for key in missing if key in shard.vectors]
    if hashes:
        vectors: Vectors = np.stack([shard.vectors[key] for key in hashes])
        engine_id = save_engine(store, model_id, shard.engine, None)
        save_vectors(store, model_id, engine_id, hashes, vectors)
        add_to_run(store, run_id, embedded=len(hashes))
