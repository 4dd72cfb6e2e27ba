"""How the server starts `bmp review` for a visitor, and how that process knows that it is served."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

DRIVER_VARIABLE = "TEXTUAL_DRIVER"  # by which textual finds what stands in for a terminal
SERVED_DRIVER = "curation.tui.served:ServedDriver"


def review_words(db: Path, phenomenon: str | None) -> list[str]:
    """Return the words of the process, for no shell to read: this Python, this database, this phenomenon."""
    words = [sys.executable, "-P", "-m", "curation", "--db", os.path.abspath(db), "review"]  # noqa: PTH100  # -P: not what lies in the working folder
    return words if phenomenon is None else [*words, f"--phenomenon={phenomenon}"]


def is_served(environment: Mapping[str, str]) -> bool:
    """Tell whether this process was started for a visitor."""
    return environment.get(DRIVER_VARIABLE) == SERVED_DRIVER
