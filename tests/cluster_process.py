"""A backfill on a Ray cluster as a process of its own, with a model that tells which worker embeds which text.

`python tests/cluster_process.py DATABASE SNAPSHOT LOG` runs it. While the file LOG.hold exists, the first worker that
is given a text with the word HELD in it says so in LOG.held and waits to be killed.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from fakes import NOW, HashEmbedder, run_night

from crawler.backfill import ClusterSource
from crawler.cluster import Cluster
from crawler.control import Stop
from db.store import night_lock, open_store
from db.vectors import Vectors

WORKERS = 2
SHARD_BYTES = 8_000
THRESHOLD = 0.2
CATEGORIES = ("cs.LG", "stat.ML")
HELD = "heldback"
PATIENCE_SECONDS = 120.0


class TellingEmbedder(HashEmbedder):
    """Writes each text that it embeds into a file, with its process, and waits where it is held."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self._log = log

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors made of the texts' hashes."""
        with self._log.open("a", encoding="utf-8") as file:
            file.writelines(f"{os.getpid()} {text[:10]}\n" for text in texts if text.startswith("Paper"))
        if any(HELD in text for text in texts) and self._log.with_suffix(".hold").exists():
            self._log.with_suffix(".held").write_text(str(os.getpid()))
            time.sleep(PATIENCE_SECONDS)
        return super().encode(texts)


def main(database: str, snapshot: str, log: str) -> None:
    """Run the backfill."""
    path, stop, embedder = Path(database), Stop(), HashEmbedder()
    with open_store(path, clock=lambda: NOW) as store, night_lock(path):
        source = ClusterSource(
            Path(snapshot),
            CATEGORIES,
            since=None,
            store=store,
            own=lambda: embedder,
            make_embedder=partial(TellingEmbedder, Path(log)),
            cluster=Cluster(workers=WORKERS),
            stop=stop,
            shard_bytes=SHARD_BYTES,
        )
        outcome = run_night(
            store, source, kind="backfill", embedder=embedder, categories=CATEGORIES, threshold=THRESHOLD, stop=stop
        )
    print(outcome.run["error"], file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
