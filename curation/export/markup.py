"""Makes text from outside safe in Markdown: it reads as it was written, and nothing in it is markup."""

from __future__ import annotations

import re

from db.text import clean_line

# Markup anywhere in a line. The dollar is there for renderers that set formulas from it.
_INLINE = re.compile(r"[\\`*_\[\]<>&|~$^]")
# What some renderers make links, mentions or pictures of without any markup: `https:`, `www.x.org`, `a@b.org`, `:x:`.
_BARE_LINKS = re.compile(r"(?<=\w)\.(?=[^\W\d_])|:(?=\S)|@|(?<=!)\(|\((?=#)")
# What makes a block of a line that begins so: a heading, a list, a rule, an underline.
_BLOCK = re.compile(r"^(?:(?P<number>\d{1,9})(?=[.)](?:\s|$))|(?=[#+\-=!:]))")


def escape_markdown(text: str) -> str:
    """Return text as one line of Markdown that shows it as it is, wherever in a line or paragraph it is put."""
    line = _INLINE.sub(r"\\\g<0>", clean_line(text))
    line = _BARE_LINKS.sub(r"\\\g<0>", line)
    return _BLOCK.sub(lambda start: f"{start['number'] or ''}\\", line)
