"""The files beside the pages, and what each is for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_KNOWN = {
    "catalogue.md": ("Markdown", "the whole catalogue as one document, to read or to print"),
    "catalogue.bib": ("BibTeX", "every paper that is evidence, with what it is evidence for; for LaTeX and Zotero"),
    "catalogue.ris": ("RIS", "the same papers for EndNote, Mendeley and Zotero"),
    "catalogue.json": ("JSON", "everything, without loss, for other programs"),
    "catalogue.csv": ("CSV", "one row for each piece of evidence, for spreadsheets"),
    "datapackage.json": ("Data Package", "the type and meaning of each column of the CSV, for Frictionless"),
    "catalogue.db": ("SQLite", "tables and views, ready for Datasette or any reader of SQLite"),
    "catalogue.metadata.json": ("Datasette metadata", "titles, meanings and questions for the SQLite file"),
    "feed.atom": ("Atom feed", "what moves in the whole catalogue, for a feed reader; each entry's page has its own"),
}


@dataclass(frozen=True, slots=True)
class Use:
    """A file that can be had."""

    path: str
    name: str
    purpose: str


def find_uses(paths: Iterable[str]) -> dict[str, Use]:
    """Return those of the known files that are there, by path, in the order in which a reader wants them."""
    there = set(paths)
    return {path: Use(path, *told) for path, told in _KNOWN.items() if path in there}
