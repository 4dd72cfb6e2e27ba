"""Shards: papers of a part of a snapshot with their vectors, each a Parquet file. The only door to pyarrow."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np

from db.records import Malformed, ModelIdentity, Paper
from db.text import text_hash
from db.vectors import Vectors

FORGOTTEN_DAYS = 30  # without a new shard: the file was another one when it was read again, or never was

_NAME = "shard-{:06d}.parquet"
_TIMES = ("published_at", "updated_at")
_LISTS = ("authors", "categories")


@dataclass(frozen=True, slots=True)
class Shard:
    """What a part of a snapshot holds.

    Attributes:
        end: the place in the snapshot's text behind it.
        vectors: unit vectors, shape (dimensions,), by text hash, of the texts that had none.
        model: whose vectors they are; None before they are made.
        engine: what computed them.
    """

    end: int
    papers: Sequence[Paper]
    malformed: Sequence[Malformed]
    vectors: Mapping[str, Vectors] = field(default_factory=dict)
    model: ModelIdentity | None = None
    engine: str = ""


def _schema(facts: Mapping[str, Any]) -> Any:
    import pyarrow as pa

    text, moment = pa.string(), pa.timestamp("us", tz="UTC")
    types = {name: text for name in ("arxiv_id", "title", "abstract", "comments", "journal_ref", "doi", "license")}
    types |= dict.fromkeys(_TIMES, moment) | dict.fromkeys(_LISTS, pa.list_(text)) | {"datestamp": pa.date32()}
    types |= {"version": pa.int32(), "withdrawn": pa.bool_(), "tells_type": pa.bool_(), "text_hash": text}
    types |= {"vector": pa.list_(pa.float32()), "unreadable": text, "raw": pa.binary()}
    return pa.schema(list(types.items()), metadata={b"bmp": json.dumps(facts).encode()})


def pack_shard(shard: Shard) -> bytes:
    """Return a shard as the bytes of a Parquet file: one row a paper, and one for each record that is unreadable."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [_pack_paper(paper, shard.vectors) for paper in shard.papers]
    rows += [{"unreadable": record.reason, "raw": record.raw} for record in shard.malformed]
    facts = {"end": shard.end, "model": asdict(shard.model) if shard.model else None, "engine": shard.engine}
    written = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=_schema(facts)), written, compression="zstd")
    return bytes(written.getvalue().to_pybytes())


def _pack_paper(paper: Paper, vectors: Mapping[str, Vectors]) -> dict[str, Any]:
    key = text_hash(paper.title, paper.abstract)
    values = {one.name: getattr(paper, one.name) for one in fields(paper)}
    return {**values, "text_hash": key, "vector": vectors.get(key)}


def unpack_shard(content: bytes) -> Shard:
    """Read what `pack_shard` made."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(pa.BufferReader(content))
    facts = json.loads(table.schema.metadata[b"bmp"])
    papers, malformed, vectors = list[Paper](), list[Malformed](), dict[str, Vectors]()
    for row in table.to_pylist():
        reason, raw, key, vector = (row.pop(name) for name in ("unreadable", "raw", "text_hash", "vector"))
        if reason is not None:
            malformed.append(Malformed(None, None, reason, raw))
            continue
        lists = {name: tuple(row[name]) for name in _LISTS}
        times = {name: row[name].astimezone(UTC) for name in _TIMES}
        papers.append(Paper(**{**row, **lists, **times}))
        if vector is not None:
            vectors[key] = np.array(vector, dtype=np.float32)
    model = ModelIdentity(**facts["model"]) if facts["model"] else None
    return Shard(facts["end"], papers, malformed, vectors, model, facts["engine"])


class ShardFolder:
    """A folder of whole shards, by number: a file has its name only once it is written and on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def list_whole(self) -> set[int]:
        """Return the numbers of the shards that are there."""
        return {int(file.stem.partition("-")[2]) for file in self.path.glob("shard-*.parquet")}

    def write(self, number: int, content: bytes) -> None:
        """Keep a packed shard."""
        self.path.mkdir(parents=True, exist_ok=True)
        place = self.path / _NAME.format(number)
        unfinished = place.with_suffix(".unfinished")
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(place)

    def read(self, number: int) -> Shard:
        """Return a shard."""
        return unpack_shard((self.path / _NAME.format(number)).read_bytes())

    def remove(self, number: int) -> None:
        """Forget a shard."""
        (self.path / _NAME.format(number)).unlink(missing_ok=True)

    def remove_all(self) -> None:
        """Forget all shards, those that nobody came back for, and the folder above if no other's are in it."""
        rmtree(self.path, ignore_errors=True)
        forgotten = time.time() - FORGOTTEN_DAYS * 86_400
        for other in self.path.parent.glob("*/"):
            if other.stat().st_mtime < forgotten:
                rmtree(other, ignore_errors=True)
        if self.path.parent.is_dir() and not any(self.path.parent.iterdir()):
            self.path.parent.rmdir()
