"""Times the review in a real terminal: from the key press to the next paper on the screen, with a long queue.

    python tests/bench/review.py [--waiting 10000] [--decided 5000] [--keys 100]

The papers are made; each has a title of its own, so that the screen tells when the next one is there. The time is that
of the decision on disk, the next paper read, the screen drawn, and its bytes read here. Ranking beside the review has
nothing to do here, for nothing is embedded. Printed is one row for each size of the terminal.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tui.sample_queue import NOW, Hit, fill, sample_papers
from tui.terminal import Terminal

from curation.catalogue import load_catalogue
from curation.review import Decision, Review
from db.records import Stance, Verdict
from db.store import open_store

SIZES = ((80, 24), (160, 48), (240, 70))
PHENOMENA = 50


def main() -> None:
    """Make the queue, time the keys, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waiting", type=int, default=10_000)
    parser.add_argument("--decided", type=int, default=5_000)
    parser.add_argument("--keys", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bmp.db"
        make(path, options.waiting, options.decided)
        print("| terminal | start, s | key to next paper, ms: median | worst | keys |")
        print("|---|---|---|---|---|")
        for columns, rows in SIZES:
            began, times = press(path, columns, rows, options.keys)
            cells = f"{began:.2f} | {statistics.median(times) * 1000:.0f} | {max(times) * 1000:.0f} | {len(times)}"
            print(f"| {columns}x{rows} | {cells} |", flush=True)


def make(path: Path, waiting: int, decided: int, *, phenomena: int = PHENOMENA) -> None:
    """Fill a database with made papers: so many wait, so many are decided, over the catalogue's first phenomena."""
    model = sample_papers()[0]
    drawn = random.Random(1)
    catalogue = load_catalogue()
    codes = [entry.code for entry in catalogue[:phenomena]]
    papers, hits = [], []
    for number in range(waiting + decided):
        arxiv_id = f"{2001 + number // 90_000}.{number % 90_000 + 10_000}"
        moment = NOW - timedelta(minutes=number)
        sentence = f"We find that the loss of run {number} falls as a power law."
        abstract = f"{sentence} {model.abstract}"
        title = f"Paper {name(number)} on how losses fall"
        papers.append(
            replace(model, arxiv_id=arxiv_id, title=title, abstract=abstract, published_at=moment, withdrawn=False)
        )
        hits.append(Hit(arxiv_id, drawn.choice(codes), round(drawn.uniform(0.3, 1), 6), sentence))
    with open_store(path, create=True) as store:
        fill(store, papers, catalogue, hits)
        review = Review(store, reviewer="grace", clock=lambda: NOW)
        rows = review.waiting()
        drawn.shuffle(rows)
        with store.transaction():
            for row in rows[:decided]:
                accepted = drawn.random() < 0.5
                review._append(
                    row["id"],
                    Decision(Verdict.ACCEPT, drawn.choice(list(Stance))) if accepted else Decision(Verdict.REJECT),
                )


def name(number: int) -> str:
    """Return a number as a word that no other's is a part of."""
    letters = "".join(chr(ord("a") + int(digit)) for digit in f"{number:06d}")
    return f"<{letters}>"


def press(path: Path, columns: int, rows: int, keys: int) -> tuple[float, list[float]]:
    """Reject so many papers, one key each; return the seconds of the start, and those from each key to the next."""
    with open_store(path) as store:
        titles = [
            row["title"].split()[1] for row in Review(store, reviewer="ada", clock=lambda: NOW).waiting(mixed=True)
        ]
    terminal = Terminal(path, columns=columns, rows=rows, environment={**os.environ, "BMP_REVIEWER": "ada"})
    try:
        began = terminal.wait_for(lambda text: "0 decided" in text)
        times = []
        for number in range(1, keys + 1):
            terminal.send("r")
            opened = titles[number]
            times.append(
                terminal.wait_for(lambda text: f"{number} decided" in text and text.count(opened) >= 2)  # noqa: B023
            )
            while terminal.read(0.05) and terminal.process.isalive() and not terminal.text:
                pass
        return began, times
    finally:
        terminal.close()


if __name__ == "__main__":
    main()
