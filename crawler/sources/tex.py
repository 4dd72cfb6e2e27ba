"""TeX accents to letters, as arXiv's own pages show them; mathematics is left alone."""

from __future__ import annotations

import re
import unicodedata

_COMBINING = {
    "'": "\u0301",
    "`": "\u0300",
    "^": "\u0302",
    '"': "\u0308",
    "~": "\u0303",
    "=": "\u0304",
    ".": "\u0307",
    "u": "\u0306",
    "v": "\u030c",
    "H": "\u030b",
    "c": "\u0327",
    "k": "\u0328",
    "r": "\u030a",
    "d": "\u0323",
    "b": "\u0331",
}
_LETTERS = {
    "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "aa": "å", "AA": "Å",
    "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "i": "\u0131", "j": "\u0237",
}  # fmt: skip

_SYMBOL_ACCENT = re.compile(r"""\{?\\(['`^"~=.])\s*(?:\{\s*\\?([A-Za-z])\s*\}|\\?([A-Za-z]))\}?""")
_LETTER_ACCENT = re.compile(r"\{?\\([uvHckrdb])(?:\s*\{\s*\\?([A-Za-z])\s*\}|\s+\\?([A-Za-z])(?![A-Za-z]))\}?")
_LETTER = re.compile(
    r"\{\\(ss|ae|AE|oe|OE|aa|AA|o|O|l|L|i|j)\s*\}|\\(ss|ae|AE|oe|OE|aa|AA|o|O|l|L|i|j)(?![A-Za-z])(?:\{\}|\s)?"
)
_MATH = re.compile(r"(\$[^$]*\$)")


def decode_accents(text: str) -> str:
    r"""Return the text with accents such as `\'e`, `{\"o}`, `\c{c}` and letters such as `\o` in Unicode."""
    if "\\" not in text:
        return text
    parts = _MATH.split(text)
    return "".join(part if index % 2 else _decode(part) for index, part in enumerate(parts))


def _decode(text: str) -> str:
    text = _SYMBOL_ACCENT.sub(_compose, text)
    text = _LETTER_ACCENT.sub(_compose, text)
    return _LETTER.sub(lambda match: _LETTERS[match[1] or match[2]], text)


def _compose(match: re.Match[str]) -> str:
    accent, letter = match[1], match[2] or match[3]
    composed = unicodedata.normalize("NFC", letter + _COMBINING[accent])
    closing = "}" if match[0].endswith("}") and not match[0].startswith("{") and match[2] is None else ""
    return composed + closing
