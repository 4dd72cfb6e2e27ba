"""Without Ray a backfill on a cluster says what to install."""

from __future__ import annotations

import importlib.util

import pytest

from crawler.cluster import require_ray
from db.errors import UsageError


def test_without_ray_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"bmprinciples\[ray\]"):
        require_ray()
