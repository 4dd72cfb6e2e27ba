"""The pictures of the README are drawn by a command."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tui.screenshots import PICTURES, draw


async def test_the_pictures_are_drawn_and_are_the_same_every_time(tmp_path: Path) -> None:
    first = await asyncio.to_thread(draw, tmp_path / "one")
    second = await asyncio.to_thread(draw, tmp_path / "two")
    assert [path.name for path in first] == list(PICTURES)
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes()
        picture = one.read_text(encoding="utf-8")
        assert "Twenty&#160;Tokens" in picture and "url(http" not in picture and 'url("http' not in picture
