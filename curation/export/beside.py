"""What lies beside an export: a description of it for other programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SIGN = "bmprinciples"  # by it the program knows its own descriptions, and replaces no other file


@dataclass(frozen=True, slots=True)
class Beside:
    """A file that is written together with an export."""

    path: Path
    data: bytes


def sign_description(path: Path, description: Mapping[str, Any]) -> Beside:
    """Return a description as JSON, with the program's sign in it."""
    text = json.dumps({**description, "generator": SIGN}, ensure_ascii=False, indent=2)
    return Beside(path, f"{text}\n".encode())
