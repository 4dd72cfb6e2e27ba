"""What the tests of the screen share: a database with the sample's queue, and an app on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tui.sample_queue import NOW, fill_with_sample, review_of

from curation.review import Review
from curation.tui.app import ReviewApp
from db.phenomena import list_phenomena
from db.store import Store, open_store


@dataclass
class Place:
    """A database, and what the app did to the world outside."""

    store: Store
    opened: list[str] = field(default_factory=list)

    def app(self, review: Review | None = None, **options: Any) -> ReviewApp:
        """Make an app on this database; ada reviews, if nobody else is named."""
        keywords = {entry.code: entry.keywords for entry in list_phenomena(self.store)}
        settings = {"open_url": self.opened.append, "keywords": keywords, "clock": lambda: NOW} | options
        return ReviewApp(review or review_of(self.store), **settings)

    def decisions(self) -> list[dict[str, Any]]:
        """Read the decisions that are on disk, over a connection of its own."""
        connection = sqlite3.connect(f"{self.store.path.as_uri()}?mode=ro", uri=True)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute("SELECT * FROM decisions ORDER BY decision_id")]
        finally:
            connection.close()


@pytest.fixture
def empty_place(tmp_path: Path) -> Iterator[Place]:
    """A new database without anything in it."""
    with open_store(tmp_path / "bmp.db", create=True) as store:
        yield Place(store)


@pytest.fixture
def place(empty_place: Place) -> Place:
    """A database with the sample's twelve candidates."""
    fill_with_sample(empty_place.store)
    return empty_place


@pytest.fixture
def look() -> Callable[..., str]:
    """Reads the screen, or a part of it, with the line ends folded to blanks."""
    return shown


def shown(app: ReviewApp, *parts: str) -> str:
    """Return what is on the screen, or within the parts that the selectors name."""
    lines = [strip.text for strip in app.screen._compositor.render_strips()]
    if not parts:
        return fold("\n".join(lines))
    regions = [widget.region for part in parts for widget in app.screen.query(part)]
    return fold("\n".join(line[r.x : r.right] for r in regions for line in lines[r.y : r.bottom]))


def fold(text: str) -> str:
    """Return the words with one blank between them, without rules, marks and scroll bars."""
    return " ".join(text.translate(dict.fromkeys(map(ord, "│▌▁▂▃▄▅▆▇█"), " ")).split())
