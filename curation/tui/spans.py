"""Choosing the sentence that is the evidence: a span of the abstract that is moved by sentences and by words."""

from __future__ import annotations

import re
from collections.abc import Sequence

Span = tuple[int, int]

_WORD = re.compile(r"\S+")


class SpanPicker:
    """A span of an abstract that begins and ends with words, and never is empty.

    Args:
        abstract: the text.
        sentences: the spans of its sentences, in order.
        span: where to begin; None for the first sentence.
    """

    def __init__(self, abstract: str, sentences: Sequence[Span], span: Span | None = None) -> None:
        self._text = abstract
        self._words = [match.span() for match in _WORD.finditer(abstract)]
        self._sentences = list(sentences) or ([(self._words[0][0], self._words[-1][1])] if self._words else [])
        self._first, self._last = 0, 0
        if self._words:
            self._take(span or self._sentences[0])

    @property
    def span(self) -> Span | None:
        """Return the span, in characters of the abstract; None if there is no word in it."""
        return (self._words[self._first][0], self._words[self._last][1]) if self._words else None

    @property
    def text(self) -> str:
        """Return what the span holds."""
        return self._text[slice(*self.span)] if self.span else ""

    def go(self, steps: int) -> None:
        """Go to the sentence so many further on, or back if negative, as far as there are any."""
        if self.span is None:
            return
        start = self.span[0]
        here = max((place for place, one in enumerate(self._sentences) if one[0] <= start), default=0)
        self._take(self._sentences[max(0, min(here + steps, len(self._sentences) - 1))])

    def move_start(self, words: int) -> None:
        """Let the span begin so many words later, or earlier if negative."""
        self._first = max(0, min(self._first + words, self._last))

    def move_end(self, words: int) -> None:
        """Let the span end so many words later, or earlier if negative."""
        self._last = max(self._first, min(self._last + words, len(self._words) - 1))

    def _take(self, span: Span) -> None:
        inside = [place for place, word in enumerate(self._words) if word[0] < span[1] and word[1] > span[0]]
        if inside:
            self._first, self._last = inside[0], inside[-1]
