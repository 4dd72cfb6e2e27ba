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
_DOTTED = {"\u0131": "i", "\u0237": "j"}  # an accent takes the place of the dot

_LETTER = re.compile(r"\\(ss|ae|AE|oe|OE|aa|AA|o|O|l|L|i|j)(?![A-Za-z])(?:\{\}| )?")
_ACCENTED = r"[^\W\d_][\u0300-\u036f]*"
_SYMBOL_ACCENT = re.compile(rf"""\\(['`^"~=.])\s*(?:\{{\s*({_ACCENTED})\s*\}}|({_ACCENTED}))""")
_LETTER_ACCENT = re.compile(rf"\\([uvHckrdb])(?:\s*\{{\s*({_ACCENTED})\s*\}}|\s+({_ACCENTED})(?![A-Za-z]))")
_BRACED = re.compile(r"\{([^\W\d_a-zA-Z][\u0300-\u036f]*|[a-zA-Z][\u0300-\u036f]+)\}")
_MATH = re.compile(r"(\$[^$]*\$)")
_DEEPEST = 4  # an accent on an accented letter, with braces about each


def decode_accents(text: str) -> str:
    r"""Return the text with accents such as `\'e`, `{\"o}`, `\~{\^e}` and letters such as `\o` in Unicode."""
    if "\\" not in text:
        return text
    parts = _MATH.split(text)
    return "".join(part if index % 2 else _decode(part) for index, part in enumerate(parts))


def _decode(text: str) -> str:
    """Decode from the inside out: what an accent stands on may itself be written in TeX."""
    text = _LETTER.sub(lambda match: _LETTERS[match[1]], text)
    for _ in range(_DEEPEST):
        before = text
        text = _LETTER_ACCENT.sub(_compose, _SYMBOL_ACCENT.sub(_compose, text))
        text = _BRACED.sub(lambda match: match[1], text)
        if text == before:
            break
    return text


def _compose(match: re.Match[str]) -> str:
    letter = match[2] or match[3]
    return unicodedata.normalize("NFC", _DOTTED.get(letter, letter) + _COMBINING[match[1]])
