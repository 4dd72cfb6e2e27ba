"""Draws the pictures of the README from the bundled sample: `PYTHONPATH=tests python -m tui.screenshots docs`."""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from pathlib import Path

from tui.sample_queue import NOW, decide_earlier, fill_with_sample, review_of

from curation.tui.app import ReviewApp
from db.phenomena import list_phenomena
from db.store import Store, open_store

PICTURES = {"review.svg": (120, 36), "review-80x24.svg": (80, 24)}


def draw(folder: Path) -> list[Path]:
    """Draw every picture into the folder and return where they are; the same sample gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, open_store(Path(place) / "sample.db", create=True) as store:
        fill_with_sample(store)
        decide_earlier(store)
        return [_draw_one(store, folder / name, size) for name, size in PICTURES.items()]


def _draw_one(store: Store, path: Path, size: tuple[int, int]) -> Path:
    keywords = {entry.code: entry.keywords for entry in list_phenomena(store)}
    app = ReviewApp(review_of(store), open_url=lambda url: None, keywords=keywords, clock=lambda: NOW)
    picture = asyncio.run(_picture(app, size))
    path.write_text(_tidy(picture), encoding="utf-8")
    return path


def _tidy(picture: str) -> str:
    """Drop the fonts, which would be fetched from elsewhere, and blanks at line ends; keep blanks in the text."""
    bare = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL).replace("<svg ", '<svg xml:space="preserve" ', 1)
    return "\n".join(line.rstrip() for line in bare.splitlines() if line.strip()) + "\n"


async def _picture(app: ReviewApp, size: tuple[int, int]) -> str:
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        return app.export_screenshot(title="bmp review", simplify=True)


if __name__ == "__main__":
    for drawn in draw(Path(sys.argv[1] if len(sys.argv) > 1 else "docs")):
        print(drawn)
