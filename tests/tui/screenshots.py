"""Draws the pictures of the README from the bundled sample: `PYTHONPATH=tests python -m tui.screenshots docs`."""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from pathlib import Path

from tui.sample_queue import NOW, decide_apart, decide_earlier, fill_with_sample, review_of

from crawler.ranking.splitting import split_sentences
from curation.tui.app import ReviewApp
from curation.tui.screens import Tools
from db.phenomena import list_phenomena
from db.store import Store, open_store

PICTURES: dict[str, tuple[tuple[int, int], tuple[str, ...]]] = {  # size, and the keys pressed before
    "review.svg": ((120, 36), ()),
    "review-80x24.svg": ((80, 24), ()),
    "review-160x48.svg": ((160, 48), ("S",)),
    "review-light.svg": ((120, 36), ("t",)),
    "review-sentence.svg": ((80, 24), ("enter", "e", "right")),
    "review-conflict.svg": ((120, 36), ("v", "x")),
}


def draw(folder: Path) -> list[Path]:
    """Draw every picture into the folder and return where they are; the same sample gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, open_store(Path(place) / "sample.db", create=True) as store:
        fill_with_sample(store)
        decide_earlier(store)
        decide_apart(store)
        return [_draw_one(store, folder / name, size, keys) for name, (size, keys) in PICTURES.items()]


def _draw_one(store: Store, path: Path, size: tuple[int, int], keys: tuple[str, ...]) -> Path:
    catalogue = list_phenomena(store)
    app = ReviewApp(
        review_of(store),
        open_url=lambda url: None,
        keywords={entry.code: entry.keywords for entry in catalogue},
        clock=lambda: NOW,
        entries=[(entry.code, entry.title) for entry in catalogue],
        tools=Tools(lambda text: [(one.start, one.end) for one in split_sentences(text)]),
    )
    picture = asyncio.run(_picture(app, size, keys))
    path.write_text(_tidy(picture), encoding="utf-8")
    return path


def _tidy(picture: str) -> str:
    """Drop the fonts, which would be fetched from elsewhere, and blanks at line ends; keep blanks in the text."""
    bare = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL).replace("<svg ", '<svg xml:space="preserve" ', 1)
    return "\n".join(line.rstrip() for line in bare.splitlines() if line.strip()) + "\n"


async def _picture(app: ReviewApp, size: tuple[int, int], keys: tuple[str, ...]) -> str:
    async with app.run_test(size=size) as pilot:
        await pilot.press(*keys)
        await pilot.pause()
        return app.export_screenshot(title="bmp review", simplify=True)


if __name__ == "__main__":
    for drawn in draw(Path(sys.argv[1] if len(sys.argv) > 1 else "docs")):
        print(drawn)
