"""The pictures of the README and the manual are drawn by a command, and are those of the app as it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tui.screenshots import PICTURES, draw

DOCS = Path(__file__).parents[2] / "docs"


async def test_the_pictures_are_drawn_and_are_the_same_every_time(tmp_path: Path) -> None:
    first = await asyncio.to_thread(draw, tmp_path / "one")
    second = await asyncio.to_thread(draw, tmp_path / "two")
    assert [path.name for path in first] == list(PICTURES)
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes()
        picture = one.read_text(encoding="utf-8")
        shown = "Decided&#160;differently" if "conflict" in one.name else "Twenty&#160;Tokens"
        assert shown in picture and "url(http" not in picture and 'url("http' not in picture
        assert one.read_bytes() == (DOCS / one.name).read_bytes(), "PYTHONPATH=tests python -m tui.screenshots docs"
