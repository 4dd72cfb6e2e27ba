"""A digest as plain text, no line wider than a terminal of 80 columns."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from curation.digest.outline import Group, Item, Outline, Section

COLUMNS = 80


def render_text(outline: Outline) -> str:
    """Return the digest as plain text; texts from outside stand indented, and can begin no section."""
    blocks = ["\n".join([outline.title, outline.span]), "\n".join(wrap(outline.summary))]
    blocks += [_section(section) for section in outline.sections]
    return "\n\n".join(blocks) + "\n"


def _section(section: Section) -> str:
    lines = [section.heading.upper()]
    for group in section.groups:
        lines += ["", *_group(group)]
    return "\n".join([*lines, *(["", section.more] if section.more else [])])


def _group(group: Group) -> Iterator[str]:
    if group.heading:
        yield from wrap(group.heading, indent="  ", first="  ")
    width = max((len(item.label) for item in group.items), default=0)
    for item in group.items:
        yield from _item(item, width + 2 if width else 0)


def _item(item: Item, room: int) -> Iterator[str]:
    """Yield the item's lines, all but its label at one indent.

    Args:
        room: the columns that labels take.
    """
    indent = " " * (2 + room)
    yield from wrap(item.title, indent=indent, first=f"  {item.label:{room}}" if room else indent)
    if item.quote:
        yield from wrap(f'"{item.quote}"', indent=indent + "  ")
    for detail in item.details:
        yield from wrap(detail, indent=indent + "  ")
    if item.url:
        yield f"{indent}  {item.url}"


def wrap(text: str, *, indent: str = "", first: str | None = None) -> list[str]:
    """Return lines no wider than 80 columns; Chinese and Japanese characters take two, a word too long is broken.

    Args:
        indent: what every line begins with.
        first: what the first line begins with instead.
    """
    lines = [first if first is not None else indent]
    room = left = COLUMNS - len(indent)
    for word in text.split(" "):
        for piece in _pieces(word, room):
            width = _width(piece)
            if left < room and width + 1 <= left:
                piece, width = f" {piece}", width + 1
            elif left < room:
                lines.append(indent)
                left = room
            lines[-1] += piece
            left -= width
    return [line.rstrip() for line in lines]


def _pieces(word: str, room: int) -> Iterator[str]:
    """Break a word into pieces that fit a line."""
    piece, width = "", 0
    for character in word:
        if width + (own := _width(character)) > room:
            yield piece
            piece, width = "", 0
        piece, width = piece + character, width + own
    yield piece


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )
