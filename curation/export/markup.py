"""Makes text from outside safe in Markdown: it reads as it was written, and nothing in it is markup."""

from __future__ import annotations

import re

from db.text import clean_line

# Markup anywhere in a line. The dollar is there for renderers that set formulas from it.
_INLINE = re.compile(r"[\\`*_\[\]<>&|~$^]")
# What some renderers take for a link, a mention or a picture without markup, and the hashes that end a heading.
_BARE = re.compile(r"(?<=\w)\.(?=[^\W\d_])|:(?=\S)|@|(?<!\S)#")
# What makes a list, an underline or a definition of a line that begins so.
_BLOCK = re.compile(r"^(?:(?P<number>\d{1,9})(?=[.)](?:\s|$))|(?=[+\-=:]))")


def escape_markdown(text: str) -> str:
    """Return text as one line of Markdown that shows it as it is, wherever in a line or paragraph it is put."""
    line = _INLINE.sub(r"\\\g<0>", clean_line(text))
    line = _BARE.sub(r"\\\g<0>", line)
    return _BLOCK.sub(lambda start: f"{start['number'] or ''}\\", line)


def name_anchor(code: str) -> str:
    """Return an entry's place in a document; renderers make their own of headings, each in another way."""
    return "p-" + re.sub(r"[^a-z0-9.]+", "-", code.lower())
