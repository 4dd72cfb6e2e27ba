"""Zotero's own database, zotero.sqlite: read from a copy in memory, so that the file itself is never opened.

The tables are those of https://github.com/zotero/zotero/blob/main/resource/schema/userdata.sql.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from curation.intake.records import Listed, Reading, make_listed
from db.errors import UsageError
from db.text import clean_line

MAGIC = b"SQLite format 3\x00"
_NEEDED = frozenset(
    {"items", "itemTypes", "itemData", "itemDataValues", "fields", "itemTags", "tags", "itemNotes", "collections",
     "collectionItems", "deletedItems"}
)  # fmt: skip
_MOST_STEPS = 200  # of a million instructions of SQLite: a table that is made to never end is given up
_VERSIONS = slice(18, 20)  # of the file's format: 2 is a write-ahead log, which a copy in memory cannot have

_ITEMS = """
    SELECT i.itemID, i.key FROM items i JOIN itemTypes t USING (itemTypeID)
    WHERE t.typeName NOT IN ('attachment', 'note', 'annotation')
        AND i.itemID NOT IN (SELECT itemID FROM deletedItems) {}
    ORDER BY i.itemID
"""
_FIELDS = """
    SELECT d.itemID, f.fieldName, substr(v.value, 1, 20000) FROM itemData d JOIN fields f USING (fieldID)
    JOIN itemDataValues v USING (valueID)
    WHERE f.fieldName IN ('title', 'url', 'DOI', 'extra', 'archiveID', 'number', 'reportNumber', 'publicationTitle',
        'archiveLocation', 'citationKey')
"""
_TAGS = "SELECT t.itemID, g.name FROM itemTags t JOIN tags g USING (tagID) ORDER BY g.name"
_NOTES = """
    SELECT parentItemID, substr(note, 1, 20000) FROM itemNotes
    WHERE parentItemID IS NOT NULL AND itemID NOT IN (SELECT itemID FROM deletedItems) ORDER BY itemID
"""
_COLLECTIONS = "SELECT collectionID, collectionName, parentCollectionID FROM collections"
_HELD = "SELECT itemID, collectionID FROM collectionItems"


@dataclass(slots=True)
class _Item:
    """What the tables say of one item."""

    fields: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    sections: list[str] = field(default_factory=list)


def read_sqlite(content: bytes, name: str) -> Reading:
    """Return the papers of a Zotero database, without what lies in its bin and without its feeds.

    Raises:
        UsageError: it is damaged, or another program's.
    """
    try:
        with _open(content) as connection:
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
            if missing := sorted(_NEEDED - tables):
                raise UsageError(f"{name} is no Zotero library: it has no table {missing[0]}", "name zotero.sqlite")
            feeds = "AND i.itemID NOT IN (SELECT itemID FROM feedItems)" if "feedItems" in tables else ""
            items = _gather(connection, tables)
            found = connection.execute(_ITEMS.format(feeds)).fetchall()
            return Reading(tuple(_read_item(key, items[number]) for number, key in found))
    except (sqlite3.Error, OverflowError) as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            raise UsageError(f"{name} takes longer to read than any library", "is it Zotero's?") from None
        reason = clean_line(str(error))[:120]
        raise UsageError(f"{name} is not read as a Zotero library: {reason}", "close Zotero and try again") from None


@contextmanager
def _open(content: bytes) -> Iterator[sqlite3.Connection]:
    """Open a copy in which nothing but tables is trusted and nothing runs for ever."""
    copy = bytearray(content)
    copy[_VERSIONS] = b"\x01\x01"
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(bytes(copy))
        connection.text_factory = lambda raw: raw.decode("utf-8", errors="replace")
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        left = iter(range(_MOST_STEPS))
        connection.set_progress_handler(lambda: next(left, None) is None, 1_000_000)
        yield connection


def _gather(connection: sqlite3.Connection, tables: Set[str]) -> Mapping[int, _Item]:
    items: dict[int, _Item] = defaultdict(_Item)
    for number, name, value in connection.execute(_FIELDS):
        items[number].fields[name] = str(value)
    for number, tag in connection.execute(_TAGS):
        items[number].tags.append(str(tag))
    for number, note in connection.execute(_NOTES):
        items[number].notes.append(str(note or ""))
    binned = " WHERE collectionID NOT IN (SELECT collectionID FROM deletedCollections)"
    rows = connection.execute(_COLLECTIONS + (binned if "deletedCollections" in tables else "")).fetchall()
    collections = {number: (str(name), parent) for number, name, parent in rows}
    for number, collection in connection.execute(_HELD):
        items[number].sections += _trail(collections, collection)
    return items


def _trail(collections: Mapping[int, tuple[str, int | None]], number: int | None) -> list[str]:
    """Return a collection's name and those around it, the outermost first; a loop is gone through once."""
    trail: dict[int, str] = {}
    while number is not None and number in collections and number not in trail:
        name, parent = collections[number]
        trail[number], number = name, parent
    return list(reversed(trail.values()))


def _read_item(key: object, item: _Item) -> Listed:
    fields = item.fields
    return make_listed(
        f"item {key}",
        title=fields.get("title", ""),
        bare=[fields[name] for name in ("archiveID", "number") if name in fields],
        telling=[fields[name] for name in ("url", "archiveID", "number", "reportNumber", "extra", "publicationTitle",
                                           "archiveLocation") if name in fields],
        doi=fields.get("DOI", ""),
        key=fields.get("citationKey") or str(key),
        notes=item.notes,
        labels=item.tags,
        sections=item.sections,
    )  # fmt: skip
