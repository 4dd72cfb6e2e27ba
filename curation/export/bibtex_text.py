"""BibTeX: one entry for each paper that is evidence for anything, for citing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from curation.evidence import Evidence, abs_url
from curation.export.knowledge import Knowledge
from curation.export.papers import find_doi, group_papers
from curation.export.tex import escape_tex
from db.store import Row
from db.text import clean_line

_CATEGORY = re.compile(r"[a-z]+(?:-[a-z]+)*(?:\.[A-Za-z]+(?:-[A-Za-z]+)*)?")
_LAST_LATIN = "\u024f"  # Latin Extended-B
_WARNING = (
    "% UTF-8. It holds letters that are not Latin: XeLaTeX and LuaLaTeX set them with a font that has them; pdfLaTeX\n"
    "% reports each as an error and leaves it out.\n\n"
)
_ARTICLES = frozenset({"a", "an", "the"})
_WORD = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Cited:
    """What an entry says of a paper."""

    arxiv_id: str
    version: int
    title: str
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    doi: str | None
    published: str


def render_paper(row: Row) -> str:
    """Return the entry of one paper, given as `bmp queue show` gives a candidate."""
    cited = Cited(
        row["arxiv_id"],
        row["version"],
        clean_line(row["title"]),
        tuple(clean_line(author) for author in row["authors"]),
        tuple(row["categories"]),
        row["doi"],
        row["published"],
    )
    return _entry(_base_key(cited), cited, "withdrawn" if row["withdrawn"] else "")


def render_bibtex(knowledge: Knowledge) -> str:
    """Return the papers that are evidence as BibTeX, oldest first, with the fields that arXiv's own entries have.

    A paper is cited by the newest of its revisions that was decided on; `note` says what it is evidence for. A file
    without entries is a comment, for some readers take an empty one for a fault; so is the word of warning above
    letters that pdfLaTeX has no fonts for.
    """
    papers = group_papers(knowledge)
    if not papers:
        return "% No evidence yet.\n"
    cited = [_cite(pieces[-1]) for pieces in papers]
    entries = zip(_keys(cited), cited, papers, strict=True)
    text = "\n".join(_entry(key, paper, _note(pieces)) for key, paper, pieces in entries)
    return _WARNING + text if any(map(_is_beyond_pdflatex, set(text))) else text


def _is_beyond_pdflatex(character: str) -> bool:
    """Tell whether pdfLaTeX's usual fonts lack a character: letters and signs that are not Latin."""
    return character > _LAST_LATIN and unicodedata.category(character)[0] not in "PZ"


def _cite(piece: Evidence) -> Cited:
    return Cited(
        piece.arxiv_id, piece.version, piece.title, piece.authors, piece.categories, piece.doi, piece.published
    )


def _entry(key: str, cited: Cited, note: str) -> str:
    fields = {
        "author": " and ".join(_author(author) for author in cited.authors),
        "title": f"{{{escape_tex(cited.title)}}}",
        "year": cited.published[:4],
        **_arxiv_fields(cited),
        "doi": find_doi(cited.doi) or "",
        "note": escape_tex(note),
    }
    lines = "".join(f",\n  {name} = {{{value}}}" for name, value in fields.items() if value)
    return f"@misc{{{key}{lines}\n}}\n"


def _arxiv_fields(cited: Cited) -> dict[str, str]:
    url = abs_url(cited.arxiv_id, cited.version)
    if url is None:
        return {}
    category = cited.categories[0] if cited.categories else ""
    return {
        "eprint": cited.arxiv_id,
        "archivePrefix": "arXiv",
        "primaryClass": category if _CATEGORY.fullmatch(category) else "",
        "url": url,
    }


def _note(pieces: Sequence[Evidence]) -> str:
    withdrawn = "withdrawn; " if pieces[-1].withdrawn else ""
    return f"{withdrawn}evidence for " + ", ".join(f"{piece.phenomenon} ({piece.stance.value})" for piece in pieces)


def _author(name: str) -> str:
    """Return a name as given; in braces where BibTeX would take it apart: at `and`, at a comma, or as `others`."""
    escaped = escape_tex(name)
    words = name.lower().split()
    return f"{{{escaped}}}" if "," in name or "and" in words or words == ["others"] else escaped


def _keys(papers: Sequence[Cited]) -> list[str]:
    """Return a key for each paper, oldest first: the oldest keeps the bare one, later ones get letters."""
    bases = [_base_key(paper) for paper in papers]
    taken = set(bases)
    seen: set[str] = set()
    keys = []
    for base in bases:
        key = base
        if base in seen:
            key = next(longer for letters in _letters() if (longer := base + letters) not in taken)
            taken.add(key)
        seen.add(base)
        keys.append(key)
    return keys


def _base_key(paper: Cited) -> str:
    """Return the first author's surname, the year and the title's first word, in `[a-z0-9]`."""
    author = paper.authors[0] if paper.authors else ""
    surname = "".join(_WORD.findall(_fold(author.split()[-1]))) if author.split() else ""
    words = [word for word in _WORD.findall(_fold(paper.title)) if word not in _ARTICLES]
    return f"{surname or 'anon'}{paper.published[:4]}{words[0] if words else ''}"


def _fold(text: str) -> str:
    """Return the text in lower case without accents: `Gödel` is `godel`."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()


def _letters() -> Iterator[str]:
    """Yield a, b, ... z, aa, ab, ..."""
    for number in count(1):
        letters = ""
        while number:
            number, digit = divmod(number - 1, 26)
            letters = chr(ord("a") + digit) + letters
        yield letters
