"""Lists of arXiv ids: one or more in a line, bare or as addresses; what follows a hash is a note."""

from __future__ import annotations

import re

from curation.intake.records import Listed, Reading, make_listed
from db.text import find_arxiv_ids, parse_arxiv_id

_COMMENT = re.compile(r"(?:^|\s)#+(?P<note>.*)$")  # not the mark within an address
_WORDS = re.compile(r"[^\s,;|()\[\]<>\"']+")


def parse_ids(text: str) -> Reading:
    """Return the papers of a list of ids; a line without any is an entry that is known by its text alone."""
    entries: list[Listed] = []
    for number, line in enumerate(text.split("\n"), 1):
        comment = _COMMENT.search(line)
        said, note = (line[: comment.start()], comment["note"]) if comment else (line, "")
        place = f"line {number}"
        found = _find_ids(said)
        entries += [make_listed(place, title="", bare=[arxiv_id], notes=[note]) for arxiv_id in found]
        if not found and said.strip():
            entries.append(make_listed(place, title=said, telling=[said], notes=[note]))
    return Reading(tuple(entries))


def _find_ids(text: str) -> list[str]:
    """Return the ids of a line in its order: those that stand bare, and those in addresses."""
    words = (word.rstrip(".:") for word in _WORDS.findall(text))
    found = [arxiv_id for word in words for arxiv_id in _ids_of(word)]
    return list(dict.fromkeys(found or find_arxiv_ids(text)))


def _ids_of(word: str) -> list[str]:
    bare = parse_arxiv_id(word)
    return [bare] if bare else find_arxiv_ids(word)
