"""sqlite_utils without NumPy and pandas: it loads them to store their types, and each command would wait for them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_UNUSED = ("numpy", "pandas")


@contextmanager
def _unseen(names: tuple[str, ...]) -> Iterator[None]:
    """Make modules that are not loaded yet look as if they were not installed."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # None stands for a module that cannot be loaded
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with _unseen(_UNUSED):
    from sqlite_utils import Database, Migrations

__all__ = ["Database", "Migrations"]
