"""A Zotero library in the forms that Zotero gives it: its database, RDF, CSL or Better BibTeX JSON, and CSV."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from curation.intake.files import decode
from curation.intake.records import Listed, Reading, make_listed
from curation.intake.zotero_rdf import parse_rdf
from curation.intake.zotero_sqlite import MAGIC, read_sqlite
from curation.screening.files import read_csv
from db.errors import UsageError
from db.text import clean_line

_NO_PAPERS = ("attachment", "note", "annotation")


def parse_zotero(content: bytes, name: str) -> Reading:
    """Return the papers of a Zotero library.

    Raises:
        UsageError: the file is none of Zotero's.
    """
    if content.startswith(MAGIC):
        return read_sqlite(content, name)
    head = content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if head == b"<":
        return parse_rdf(content, name)
    if head in (b"[", b"{"):
        return _parse_json(decode(content, name), name)
    return _parse_csv(decode(content, name), name)


def _parse_csv(text: str, name: str) -> Reading:
    """Read CSV as Zotero exports it; its columns are the fields by their English names."""
    entries = []
    for place, fields in read_csv(text, name, ("item type",)):
        if fields["item type"] in _NO_PAPERS:
            continue
        entries.append(
            make_listed(
                place,
                title=fields.get("title", ""),
                bare=[fields.get("archive id", ""), fields.get("number", "")],
                telling=[
                    fields.get(column, "") for column in ("url", "number", "extra", "publication title", "archive")
                ],
                doi=fields.get("doi", ""),
                key=fields.get("key", ""),
                notes=[fields.get("notes", "")],
                labels=f"{fields.get('automatic tags', '')};{fields.get('manual tags', '')}".split(";"),
            )
        )
    return Reading(tuple(entries))


def _parse_json(text: str, name: str) -> Reading:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} is not read as JSON: {clean_line(str(error))[:120]}") from None
    items = told.get("items") if isinstance(told, dict) else told
    if not isinstance(items, list):
        raise UsageError(f"{name} is not JSON as Zotero exports it", "export as CSL JSON or Better BibTeX JSON")
    sections = _collections(told) if isinstance(told, dict) else {}
    entries: list[Listed] = []
    faults: list[str] = []
    for number, item in enumerate(items, 1):
        if not isinstance(item, dict):
            faults.append(f"item {number} is no record")
            continue
        data = item["data"] if isinstance(item.get("data"), dict) else item  # as the web interface gives it
        if data.get("itemType") not in _NO_PAPERS:
            entries.append(_read_item(f"item {number}", data, sections.get(data.get("itemID"), ())))
    return Reading(tuple(entries), tuple(faults))


def _read_item(place: str, data: Mapping[str, Any], sections: tuple[str, ...]) -> Listed:
    """Read an item of CSL JSON, in which `note` is Zotero's field Extra, or of Zotero's own JSON."""
    text = {name: str(value) for name, value in data.items() if isinstance(value, (str, int))}
    key = next(
        (text[name] for name in ("citation-key", "citationKey", "citekey", "key", "itemKey", "id") if name in text), ""
    )
    names = ("URL", "url", "number", "archiveID", "extra", "publicationTitle", "container-title", "archive_location")
    return make_listed(
        f"entry {key}" if key else place,
        title=text.get("title", ""),
        bare=[text.get("archiveID", ""), text.get("number", "")],
        telling=[text[name] for name in names if name in text],
        prose=[text.get("note", "")],
        doi=text.get("DOI", ""),
        key=key,
        notes=[_said(note, "note") for note in _list(data.get("notes"))],
        labels=[*(_said(tag, "tag") for tag in _list(data.get("tags"))), *text.get("keyword", "").split(",")],
        sections=sections,
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _said(value: Any, name: str) -> str:
    """Return a note or a tag, which is a text or a record with one."""
    said = value.get(name) if isinstance(value, dict) else value
    return said if isinstance(said, str) else ""


def _collections(told: Mapping[str, Any]) -> dict[Any, tuple[str, ...]]:
    """Return the collections that each item stands in, with those around them, of Better BibTeX's JSON."""
    found = told.get("collections")
    collections = {key: one for key, one in found.items() if isinstance(one, dict)} if isinstance(found, dict) else {}
    sections: dict[Any, tuple[str, ...]] = {}
    for key in collections:
        trail = _trail(collections, key)
        for item in _list(collections[key].get("items")):
            if isinstance(item, (int, str)):
                sections[item] = (*sections.get(item, ()), *trail)
    return sections


def _trail(collections: Mapping[str, Mapping[str, Any]], key: str) -> list[str]:
    """Return a collection's name and those around it, the outermost first; a loop is gone through once."""
    trail: list[str] = []
    seen: set[str] = set()
    at: Any = key
    while isinstance(at, str) and at in collections and at not in seen:
        seen.add(at)
        trail.insert(0, str(collections[at].get("name", "")))
        at = collections[at].get("parent")
    return trail
