"""Cuts an abstract into sentences; knows abbreviations, figures, initials and TeX."""

from __future__ import annotations

import re
from collections.abc import Iterator

from db.records import Sentence

_END = re.compile(r"[.!?]+[\"'\u201d\u2019)\]}]*(?=\s+(\S+))")
_MATH = re.compile(r"\$\$.+?\$\$|(?<!\\)\$(?=\S)[^$]*?(?<=[^\s\\])\$(?!\d)", re.DOTALL)
_START = re.compile(r"[\"'\u201c\u2018(\[{]*(?:[^\W\d_a-z]|[a-z]{1,3}[A-Z]|\d|\$|\\)")
_LAST_WORD = re.compile(r"[^\s(\[{]*$")
_NEVER = frozenset(
    "e.g i.e cf fig figs eq eqs eqn sec secs tab tabs ref refs no nos vs viz approx resp dr prof mr ms mrs st ch chap"
    " vol def thm prop lem cor app alg".split()
)
_SELDOM = frozenset("al etc w.r.t a.k.a s.t i.i.d inc ltd".split())
_OPENERS = frozenset(
    "we this these those the our in it to here however moreover furthermore finally additionally while although despite"
    " using experiments results for thus therefore hence unlike as by such when specifically first second".split()
)


def split_sentences(abstract: str) -> list[Sentence]:
    """Return the sentences of an abstract in order, without the white space between them.

    A full stop ends a sentence when what follows looks like a start. After "e.g.", "Fig." and their kind it never
    does; after "et al.", "etc." and single letters only before a word that opens sentences, such as "We".
    """
    sentences = []
    start = 0
    for end in [*_find_ends(abstract), len(abstract)]:
        piece = abstract[start:end]
        text = piece.strip()
        if text:
            first = start + len(piece) - len(piece.lstrip())
            sentences.append(Sentence(text, first, first + len(text)))
        start = end
    return sentences


def _find_ends(text: str) -> Iterator[int]:
    formulas = [match.span() for match in _MATH.finditer(text)]
    start = 0
    for match in _END.finditer(text):
        inside = any(first < match.start() and match.end() <= last - 1 for first, last in formulas)
        if not inside and _is_end(text[start : match.start()], match.group(), match.group(1)):
            start = match.end()
            yield match.end()


def _is_end(before: str, mark: str, following: str) -> bool:
    """Tell whether a mark ends the sentence that reads `before`, when `following` is the next word."""
    if not _START.match(following):
        return False
    if not mark.startswith(".") or mark.startswith(".."):
        return True
    found = _LAST_WORD.search(before)
    word = (found.group() if found else "").lower()
    if word in _NEVER or not before.strip(" \n\t()0123456789"):
        return False
    if word in _SELDOM or re.fullmatch(r"[a-z](\.[a-z])*", word):
        return re.sub(r"\W", "", following).lower() in _OPENERS
    return True
