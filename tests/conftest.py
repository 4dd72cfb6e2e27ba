"""What all tests share: a clean environment, a fixed clock, an empty database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pytest
from bmp import Bmp, make_bmp
from tiny_model import make_tiny_model

from db.records import CatalogueChange, ChangeKind
from db.store import Store, open_store
from db.times import to_text

NOW = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)
LOADED = CatalogueChange(ChangeKind.LOAD, "bmp", to_text(NOW))

# The same examples each time, and no clock that a busy machine could miss; TESTS_EXPLORE=1 looks for new ones.
hypothesis.settings.register_profile("same", deadline=None, derandomize=True)
hypothesis.settings.register_profile("explore", deadline=None)
hypothesis.settings.load_profile("explore" if os.environ.get("TESTS_EXPLORE") else "same")


@pytest.fixture(autouse=True)
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's own settings, database and home out of every test."""
    for name in list(os.environ):
        if name.startswith("BMP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("BMP_ENGINE", "float32")  # the same vectors on every machine, and nothing to measure first


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give an empty database with the newest schema."""
    with open_store(tmp_path / "test.db", create=True, clock=lambda: NOW) as opened:
        yield opened


@pytest.fixture(scope="session")
def shared() -> Path:
    """Give the folder of real data beside the checkout, or skip where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("the folder ../shared with real data is not here")
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a model that loads and embeds in no time and knows nothing."""
    return make_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def bmp(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bmp:
    """Give the command line, on a database path of its own."""
    monkeypatch.setenv("BMP_DB", str(tmp_path / "bmp.db"))
    monkeypatch.setenv("BMP_REVIEWER", "ada")
    return make_bmp(capsys)
