"""What is ranked and for what: a claim of the catalogue or in words, and a paper's title and abstract."""

from __future__ import annotations

from dataclasses import dataclass

from db.records import Phenomenon


@dataclass(frozen=True, slots=True)
class Claim:
    """What the ranker knows of a phenomenon, or of a claim in words; `code` is the phenomenon's, or "claim"."""

    code: str
    title: str
    statement: str
    keywords: tuple[str, ...] = ()

    @classmethod
    def of(cls, phenomenon: Phenomenon) -> Claim:
        """Return the claim of a phenomenon."""
        return cls(phenomenon.code, phenomenon.title, phenomenon.statement, phenomenon.keywords)

    def texts(self) -> tuple[str, ...]:
        """Return what is embedded: title, statement, each keyword, then all as one text; none is empty or twice."""
        return tuple(
            dict.fromkeys(text for text in (self.title, self.statement, *self.keywords, self._whole()) if text)
        )

    def _whole(self) -> str:
        sentences = ". ".join(dict.fromkeys(text.rstrip(".") for text in (self.title, self.statement) if text))
        return " ".join(part for part in (f"{sentences}." if sentences else "", "; ".join(self.keywords)) if part)


@dataclass(frozen=True, slots=True)
class Document:
    """One revision to be scored."""

    title: str
    abstract: str


def document_text(title: str, abstract: str) -> str:
    """Return the text that is embedded for a revision."""
    return f"{title}. {abstract}" if abstract else title
