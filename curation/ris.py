"""RIS as text: the one door to the library that writes and reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import rispy


class _Writer(rispy.RisWriter):  # type: ignore[misc]  # it carries no types
    """Writes RIS without a number before each record, which RIS does not know."""

    def set_header(self, count: int) -> str:
        """Return no header."""
        return ""


def render_records(records: Sequence[Mapping[str, Any]]) -> str:
    """Return records, by rispy's names of the tags, as RIS; none of their texts may hold a line end."""
    return str(rispy.dumps(records, implementation=_Writer))


def parse_records(content: str) -> list[dict[str, Any]]:
    """Return the records of a RIS file by rispy's names of the tags; one that has no end is left out."""
    return list(rispy.loads(content, skip_unknown_tags=True))
