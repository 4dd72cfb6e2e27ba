"""Cuts texts into words: one form for the spellings, plurals and hyphens that abstracts mix."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

STOP_WORDS = frozenset(
    "a about above across after again against all almost along already also although always am among an and another"
    " any anyone anything are around as at be became because become becomes been before behind being below beside"
    " besides between beyond both but by can cannot could did do does doing done down due during each either else"
    " enough even ever every everyone everything except few for from further furthermore had has have having he hence"
    " her here hers herself him himself his how however if in indeed into is it its itself just keep latter least less"
    " made many may me meanwhile might mine more moreover most mostly much must my myself namely neither never"
    " nevertheless next no nobody none nor not nothing now of off often on once one only onto or other others otherwise"
    " our ours ourselves out over own part per perhaps please put rather same see seem seemed seems several she should"
    " since so some somehow something sometimes still such take than that the their theirs them themselves then thence"
    " there thereby therefore these they this those though through throughout thus to together too toward towards two"
    " under until up upon us very via was we well were what whatever when where whereas whereby wherein whether which"
    " while who whole whom whose why will with within without would yet you your yours yourself".split()
)

_WORD = re.compile(r"[a-z0-9]{2,}")
_MARKUP = re.compile(r"[$\\{}]")
_PREFIX = re.compile(r"\b(pre|post|over|under|non|multi|fine|re|co|hyper|un|sub|meta)-(?=[a-z])")
_OUR = re.compile(r"(?<=[a-z]{3})our(?=$|s$|ed$|al$|ing$)")
_ISE = re.compile(r"(?<=[a-z]{3})is(?=(?:e|ed|es|ing|ations?|ers?)$)")


def split_words(text: str) -> list[str]:
    """Return the words of a text in order: lower case, folded, without stop words and single letters.

    TeX's markup is dropped ("$\\mu$P" is "mup") and short prefixes lose their hyphen ("pre-training", "pretraining").
    """
    plain = _MARKUP.sub("", text.lower().replace("\N{GREEK SMALL LETTER MU}", "mu"))
    return [_fold(word) for word in _WORD.findall(_PREFIX.sub(r"\1", plain)) if word not in STOP_WORDS]


def split_terms(text: str) -> list[str]:
    """Return the words of a text, then its pairs of neighbouring words, joined by a space."""
    words = split_words(text)
    return words + [f"{first} {second}" for first, second in pairwise(words)]


@lru_cache(maxsize=1 << 16)
def _fold(word: str) -> str:
    """Return one form for British and American spelling and for singular and plural (Harman 1991, the S stemmer)."""
    if len(word) > 4:
        word = _ISE.sub("iz", _OUR.sub("or", word)).replace("parameteri", "parametri")
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if len(word) > 4 and word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    return word[:-1]
