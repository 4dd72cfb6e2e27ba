"""Tells from words whether a paper was withdrawn: the source type does not always say so, and the API has none."""

from __future__ import annotations

import re

_OPENING_LENGTH = 120  # a notice stands at the head of an abstract; further on, the words are those of a study
_STEMS = ("withdr", "retract", "removed by")  # without one of these nothing below can match

_NOUN = r"(?:paper|article|submission|manuscript|work|pre-?print|e-?print|reprint|draft|note|version)s?"
# "the ICLR submission" is another one: an adjective is in lower case, or arXiv's name.
_THIS = rf"\b(?:this|the|our)\s+(?:(?-i:[a-z]|arXiv\b)[\w-]*\s+)?{_NOUN}\b(?:\s*\([^()]*\)|\s*,[^,.;]*,)?"
_ADVERB = r"(?:(?!not\b|never\b)\w+\s+)?"
_IS = rf"(?:(?:has|have|had|as)\s+{_ADVERB}been|is\s+being|is|was|are|were)\s+{_ADVERB}"
_GONE = r"(?:withdrawn|retracted)\b"
_BY_WHOM = r"(?:by\s+(?:(?:the|its|all|both)\s+)*(?:\w+\s+)?(?:authors?|submitters?)\b|by\s+(?:the\s+)?arxiv\b)"
_BY_ARXIV = r"(?:removed|deleted)\s+by\s+(?:the\s+)?arxiv\b"
# To leave a journal or a conference is no withdrawal from arXiv.
_NOT_FROM_ELSEWHERE = (
    rf"(?!(?:\s+{_BY_WHOM})?\s+from\s+"
    r"(?!(?:the\s+|this\s+)?(?:arxiv|archive|server|repository|public|circulation)\b))"
)
_BEGIN = r"(?:^|(?<=[.;]\s))\W{0,3}(?:arxiv\s+admin\s+\w+:\s|v[2-9]\d?\s?[:,]\s|note:\s)?\W{0,3}"
_AND_THEN = (
    r"(?=\W?$|\s?[^\w\s]|\s+(?:due|because|owing|by|for|from|as|since|pending|until|see|while|and|to|with|in\s+favou?r"
    r"|at\s+the\s+request|on\s+(?:the\s+)?request|temporarily|permanently|upon|after|following)\b)"
)
_TAKES_BACK = (
    r"(?:\b(?:i|we|(?:the\s+|all\s+)?(?:\w+\s+)?authors?)\s+"
    r"(?:(?:am|are|is|have|has|had|would|must|want|wants|wish|wishes|like|decided|chosen|to|hereby|now|therefore)\s+){0,5}"
    r"(?:withdraw|withdrew|withdrawn|withdrawing|withdraws|retract|retracted|retracting)"
    rf"|{_BEGIN}(?:withdrew|withdrawing|retracting))\s+{_THIS}"
)
_COMMENT = re.compile(
    rf"(?:{_THIS}\s+{_IS}{_GONE}|{_THIS}\s+{_GONE}|{_BEGIN}(?:(?:{_NOUN}|it)\s+)?{_IS}{_GONE}"
    rf"|{_BEGIN}{_NOUN}\s+{_GONE}"
    rf"|{_BEGIN}(?:(?:temporarily|hereby|now)\s+)?{_GONE}{_AND_THEN}|{_GONE}\s+{_BY_WHOM}|{_BY_ARXIV}"
    rf"|{_TAKES_BACK}){_NOT_FROM_ELSEWHERE}",
    re.IGNORECASE,
)
_OPENING = re.compile(
    rf"(?:(?:^\W{{0,3}}|(?=\bthis\b)|(?=\barxiv\b)|(?<=note:\s)){_THIS}\s+(?:{_IS}(?:{_GONE}|{_BY_ARXIV})|{_GONE})"
    rf"|^\W{{0,3}}(?:paper\s+(?:{_IS})?)?{_GONE}(?:\s+{_BY_WHOM}|(?!\s+by\b){_AND_THEN})"
    rf"|^\W{{0,3}}{_TAKES_BACK}){_NOT_FROM_ELSEWHERE}",
    re.IGNORECASE,
)

_CLAUSE = re.compile(r"[.;]\s")
_OF_ANOTHER = re.compile(
    r"\b(?:supersed(?:es|ing)|replac(?:es|ing)|(?:previous|earlier|former|prior|first|old|original|initial)\s+"
    rf"(?:[\w-]+\s+)?(?:{_NOUN})|(?:conference|workshop|journal|companion)\s+(?:submission|version|paper))\b"
    r"|\b(?:version\s+|v)\d+\s+(?:was|is|has|of)\b|\b(?:which|that|not|never)\s+(?:\w+\s+){0,2}\Z"
    r"|\barxiv:\S+,?\s+\(?(?:(?:was|is|has|been|now)\s+)*\Z",
    re.IGNORECASE,
)


def says_withdrawn(comments: str | None, abstract: str) -> bool:
    """Tell whether the comments, or an abstract's opening, say that this very paper was withdrawn.

    By the authors or by arXiv, in whatever voice; but neither of another paper or an earlier version, nor from a
    journal or a conference, nor where withdrawal is what the paper is about.
    """
    return _says(_COMMENT, comments or "") or _says(_OPENING, abstract[:_OPENING_LENGTH])


def _says(notice: re.Pattern[str], text: str) -> bool:
    lowered = text.lower()
    return any(stem in lowered for stem in _STEMS) and any(_is_own(found) for found in notice.finditer(text))


def _is_own(found: re.Match[str]) -> bool:
    """Tell whether the words are of this paper, and not of another that the same clause names before."""
    whole, before = found.string[: found.end()], found.string[: found.start()]
    clause = max((mark.end() for mark in _CLAUSE.finditer(before)), default=0)
    return _OF_ANOTHER.search(before[clause:]) is None and _OF_ANOTHER.search(whole[clause:]) is None
