"""Measures a night after a long downtime: peak memory and seconds by stage, beside a night of a third of the papers.

    python tests/bench/backlog.py --days 60 --papers 60000 [--real-model]

The papers are made, announced evenly over the days, and served on loopback by this process; each night is a process
of its own. Without --real-model a tiny model stands in, which has the same code and little arithmetic.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from loopback.papers import MadePaper, make_papers
from loopback.server import ArxivServer
from tiny_model import make_tiny_model

CATEGORIES = ("cs.LG", "cs.CL cs.LG", "cs.AI cs.CL", "stat.ML cs.LG")
MEASURED = "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]);" \
    " print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(code)"  # fmt: skip


def main() -> None:
    """Run both nights and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--papers", type=int, default=60_000)
    parser.add_argument("--real-model", action="store_true")
    options = parser.parse_args()
    print("papers  state     peak MB  harvest s  reconcile s  embed s  match s  new     queued")
    for papers in (options.papers // 3, options.papers):
        run, peak = measure(papers, options.days, real_model=options.real_model)
        seconds = run["seconds"]
        print(
            f"{papers:<7} {run['status']:<9} {peak:<8.0f} {seconds['harvest']:<10.1f} {seconds['reconcile']:<12.1f}"
            f" {seconds['embed']:<8.1f} {seconds['match']:<8.1f} {run['new']:<7} {run['queued']}",
            flush=True,
        )


def measure(papers: int, days: int, *, real_model: bool) -> tuple[dict[str, Any], float]:
    """Run one night of so many papers and return its ledger row and its peak memory in MB."""
    today = datetime.now(UTC).date()
    with tempfile.TemporaryDirectory() as folder, ArxivServer(backlog(papers, days, today), today=today) as server:
        environment = {
            **os.environ,
            "BMP_DB": f"{folder}/backlog.db",
            "BMP_ARXIV_OAI_URL": server.oai_url,
            "BMP_ARXIV_API_URL": server.api_url,
            "BMP_ARXIV_DELAY_SECONDS": "0",
            **({} if real_model else {"BMP_QUEUE_THRESHOLD": "1"}),  # a model that learned nothing finds all alike
        }
        if not real_model:
            environment["BMP_MODEL"] = str(make_tiny_model(Path(folder) / "model"))
        program = [sys.executable, "-m", "curation"]
        subprocess.run([*program, "init"], env=environment, check=True, capture_output=True)
        words = [*program, "nightly", "--json", "--since", (today - timedelta(days=days)).isoformat()]
        ended = subprocess.run([sys.executable, "-c", MEASURED, *words], env=environment, capture_output=True)
        peak = int(ended.stderr.decode().rsplit(maxsplit=1)[-1]) / 1024
        return json.loads(ended.stdout), peak


def backlog(papers: int, days: int, today: date) -> Iterator[MadePaper]:
    """Make papers for each of the days up to today."""
    for back in range(days):
        day = today - timedelta(days=back)
        yield from make_papers(papers // days, day=day, categories=CATEGORIES)


if __name__ == "__main__":
    main()
