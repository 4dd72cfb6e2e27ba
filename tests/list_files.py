"""Lists of papers in the forms that programs write them, made from the same few facts."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from html import escape
from xml.sax.saxutils import escape as escape_xml
from xml.sax.saxutils import quoteattr


@dataclass(frozen=True, slots=True)
class Item:
    """A paper of a list: what any program keeps of it."""

    arxiv_id: str
    title: str
    note: str = ""
    tags: tuple[str, ...] = ()
    collection: str = ""

    @property
    def url(self) -> str:
        """The address that arXiv's own connector stores."""
        return f"http://arxiv.org/abs/{self.arxiv_id}"


def render_ids(items: Sequence[Item]) -> bytes:
    """Return the ids, one a line, each with a note behind a hash."""
    return "".join(f"{item.arxiv_id}{f'  # {item.note}' if item.note else ''}\n" for item in items).encode()


def render_bibtex(items: Sequence[Item]) -> bytes:
    """Return BibTeX as Zotero exports preprints: the id in a note of Zotero's own, a person's notes in annote."""
    entries = []
    for number, item in enumerate(items):
        fields = {
            "title": item.title,
            "url": item.url,
            "doi": f"10.48550/arXiv.{item.arxiv_id}",
            "urldate": "2026-11-20",
            "publisher": "arXiv",
            "author": "Doe, Ada and Roe, Bo",
            "month": "nov",
            "note": f"arXiv:{item.arxiv_id} [cs]",
            "keywords": ", ".join(("Computer Science - Machine Learning", *item.tags)),
            "annote": item.note,
        }
        lines = (
            f"\t{name} = {value if name == 'month' else f'{{{value}}}'}," for name, value in fields.items() if value
        )
        entries.append(f"@misc{{doe_{number},\n" + "\n".join(lines) + "\n}\n")
    return "\n".join(entries).encode()


def render_ris(items: Sequence[Item]) -> bytes:
    """Return RIS as Zotero exports it, with DOS line ends and notes in HTML."""
    records = []
    for item in items:
        lines = ["TY  - UNPB", f"TI  - {item.title}", "AU  - Doe, Ada", f"DO  - 10.48550/arXiv.{item.arxiv_id}"]
        lines += ["DA  - 2026/11/20/", "PY  - 2026", "DP  - arXiv.org", f"M1  - arXiv:{item.arxiv_id}"]
        lines += ["PB  - arXiv", f"UR  - {item.url}", "Y2  - 2026/11/21/08:00:00", "KW  - Computer Science"]
        lines += [f"KW  - {tag}" for tag in item.tags]
        lines += [f"N1  - <p>{escape(item.note, quote=False)}</p>"] if item.note else []
        records.append("\r\n".join([*lines, "ER  - ", "", ""]))
    return "".join(records).encode()


def render_markdown(items: Sequence[Item]) -> bytes:
    """Return an awesome list: a heading for each collection, an item for each paper."""
    lines = [
        "# Awesome things [![Awesome](https://awesome.re/badge.svg)](https://awesome.re)",
        "",
        "- [Contents](#a)",
        "",
    ]
    heading = None
    for item in items:
        if item.collection != heading:
            heading = item.collection
            lines += ["", f"## {heading}" if heading else "## Others", ""]
        title = "".join(f"\\{char}" if char in "\\[]*_<>`&" else char for char in item.title)
        lines.append(f"- [{title}](https://arxiv.org/abs/{item.arxiv_id}){f' - {item.note}' if item.note else ''}")
    return "\n".join(lines).encode()


def render_csl(items: Sequence[Item]) -> bytes:
    """Return CSL JSON; its `note` is Zotero's field Extra, tags and notes are not exported."""
    told = [
        {
            "id": f"http://zotero.org/users/1/items/AAAA{number:04}",
            "type": "article",
            "abstract": "We show a thing.",
            "DOI": f"10.48550/arXiv.{item.arxiv_id}",
            "note": f"arXiv:{item.arxiv_id} [cs]",
            "number": f"arXiv:{item.arxiv_id}",
            "publisher": "arXiv",
            "source": "arXiv.org",
            "title": item.title,
            "URL": item.url,
            "author": [{"family": "Doe", "given": "Ada"}],
            "issued": {"date-parts": [["2026", 11, 20]]},
            "citation-key": f"doe_{number}",
        }
        for number, item in enumerate(items)
    ]
    return json.dumps(told).encode()


def render_better_bibtex(items: Sequence[Item]) -> bytes:
    """Return Better BibTeX's JSON, with tags, notes and collections; attachments stand among the items."""
    names = list(dict.fromkeys(item.collection for item in items if item.collection))
    collections = {
        "ROOT0000": {"key": "ROOT0000", "name": "All things", "parent": False, "collections": [], "items": []},
        **{
            f"COLL{at:04}": {
                "key": f"COLL{at:04}",
                "name": name,
                "parent": "ROOT0000",
                "collections": [],
                "items": [number for number, item in enumerate(items) if item.collection == name],
            }
            for at, name in enumerate(names)
        },
    }
    told = [
        {
            "itemType": "preprint",
            "itemID": number,
            "itemKey": f"AAAA{number:04}",
            "citationKey": f"doe_{number}",
            "title": item.title,
            "url": item.url,
            "archiveID": f"arXiv:{item.arxiv_id}",
            "extra": f"arXiv:{item.arxiv_id} [cs]",
            "creators": [{"firstName": "Ada", "lastName": "Doe", "creatorType": "author"}],
            "tags": [{"tag": "Computer Science", "type": 1}, *({"tag": tag} for tag in item.tags)],
            "notes": [{"key": "N", "note": f"<p>{escape(item.note, quote=False)}</p>"}] if item.note else [],
            "attachments": [],
        }
        for number, item in enumerate(items)
    ]
    apart = {"itemType": "attachment", "itemID": len(told), "title": "arXiv.org Snapshot", "url": "x"}
    header = {"id": "36a3b0b5-bad0-4a04-b79b-441c7cef77db", "label": "BetterBibTeX JSON"}
    return json.dumps({"config": header, "collections": collections, "items": [*told, apart]}).encode()


_CSV_COLUMNS = (
    "Key", "Item Type", "Publication Year", "Author", "Title", "Publication Title", "ISBN", "ISSN", "DOI", "Url",
    "Abstract Note", "Date", "Extra", "Notes", "File Attachments", "Manual Tags", "Automatic Tags", "Number",
)  # fmt: skip


def render_csv(items: Sequence[Item]) -> bytes:
    """Return CSV as Zotero exports it: a byte order mark, all fields quoted, a part of the columns here."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(_CSV_COLUMNS)
    for number, item in enumerate(items):
        row = {
            "Key": f"AAAA{number:04}",
            "Item Type": "preprint",
            "Author": "Doe, Ada; Roe, Bo",
            "Title": item.title,
            "DOI": f"10.48550/arXiv.{item.arxiv_id}",
            "Url": item.url,
            "Extra": f"arXiv:{item.arxiv_id} [cs]",
            "Notes": f"<p>{escape(item.note, quote=False)}</p>" if item.note else "",
            "Manual Tags": "; ".join(item.tags),
            "Automatic Tags": "Computer Science - Machine Learning",
            "Number": f"arXiv:{item.arxiv_id}",
        }
        writer.writerow([row.get(column, "") for column in _CSV_COLUMNS])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


_RDF_HEAD = """<rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:z="http://www.zotero.org/namespaces/export#"
 xmlns:dcterms="http://purl.org/dc/terms/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:link="http://purl.org/rss/1.0/modules/link/"
 xmlns:bib="http://purl.org/net/biblio#"
 xmlns:foaf="http://xmlns.com/foaf/0.1/"
 xmlns:prism="http://prismstandard.org/namespaces/1.2/basic/">
"""


def render_rdf(items: Sequence[Item]) -> bytes:
    """Return Zotero RDF: items, their notes, attachments, and collections that name what they hold."""
    parts = [_RDF_HEAD]
    held: dict[str, list[str]] = {}
    for number, item in enumerate(items):
        about = f"{item.url}?{number}"  # Zotero takes an address of its own where two items have one
        held.setdefault(item.collection, []).append(about)
        parts.append(f"""    <rdf:Description rdf:about={quoteattr(about)}>
        <z:itemType>preprint</z:itemType>
        <dc:publisher><foaf:Organization><foaf:name>arXiv</foaf:name></foaf:Organization></dc:publisher>
        <dcterms:isReferencedBy rdf:resource="#item_{number}00"/>
        <link:link rdf:resource="#item_{number}01"/>
        <dc:subject><z:AutomaticTag><rdf:value>Computer Science</rdf:value></z:AutomaticTag></dc:subject>
        {"".join(f"<dc:subject>{escape_xml(tag)}</dc:subject>" for tag in item.tags)}
        <dc:title>{escape_xml(item.title)}</dc:title>
        <dc:date>2026-11-20</dc:date>
        <dc:identifier><dcterms:URI><rdf:value>{escape_xml(item.url)}</rdf:value></dcterms:URI></dc:identifier>
        <dc:description>arXiv:{item.arxiv_id} [cs]</dc:description>
        <prism:number>arXiv:{item.arxiv_id}</prism:number>
    </rdf:Description>
    <bib:Memo rdf:about="#item_{number}00">
        <rdf:value>{escape_xml(f"<p>{escape(item.note, quote=False)}</p>")}</rdf:value>
    </bib:Memo>
    <z:Attachment rdf:about="#item_{number}01">
        <z:itemType>attachment</z:itemType>
        <dc:title>arXiv Fulltext PDF</dc:title>
    </z:Attachment>
""")
    names = [name for name in held if name]
    for at, name in enumerate(names):
        parts.append(f'    <z:Collection rdf:about="#collection_{at + 1}"><dc:title>{escape_xml(name)}</dc:title>')
        parts += [f"<dcterms:hasPart rdf:resource={quoteattr(about)}/>" for about in held[name]]
        parts.append("</z:Collection>\n")
    parts.append('    <z:Collection rdf:about="#collection_0"><dc:title>All things</dc:title>')
    parts += [f'<dcterms:hasPart rdf:resource="#collection_{at + 1}"/>' for at in range(len(names))]
    return "".join([*parts, "</z:Collection>\n</rdf:RDF>\n"]).encode()


_ZOTERO_SCHEMA = """
    CREATE TABLE version (schema TEXT PRIMARY KEY, version INT NOT NULL);
    CREATE TABLE itemTypes (itemTypeID INTEGER PRIMARY KEY, typeName TEXT, templateItemTypeID INT, display INT);
    CREATE TABLE fields (fieldID INTEGER PRIMARY KEY, fieldName TEXT, fieldFormatID INT);
    CREATE TABLE libraries (libraryID INTEGER PRIMARY KEY, type TEXT NOT NULL, editable INT NOT NULL);
    CREATE TABLE items (itemID INTEGER PRIMARY KEY, itemTypeID INT NOT NULL, libraryID INT NOT NULL, key TEXT NOT NULL,
        version INT NOT NULL DEFAULT 0, synced INT NOT NULL DEFAULT 0, UNIQUE (libraryID, key));
    CREATE TABLE itemDataValues (valueID INTEGER PRIMARY KEY, value UNIQUE);
    CREATE TABLE itemData (itemID INT, fieldID INT, valueID INT, PRIMARY KEY (itemID, fieldID));
    CREATE TABLE itemNotes (itemID INTEGER PRIMARY KEY, parentItemID INT, note TEXT, title TEXT);
    CREATE TABLE tags (tagID INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE itemTags (itemID INT NOT NULL, tagID INT NOT NULL, type INT NOT NULL, PRIMARY KEY (itemID, tagID));
    CREATE TABLE collections (collectionID INTEGER PRIMARY KEY, collectionName TEXT NOT NULL,
        parentCollectionID INT DEFAULT NULL, libraryID INT NOT NULL, key TEXT NOT NULL);
    CREATE TABLE collectionItems (collectionID INT NOT NULL, itemID INT NOT NULL, orderIndex INT NOT NULL DEFAULT 0);
    CREATE TABLE deletedItems (itemID INTEGER PRIMARY KEY, dateDeleted DEFAULT CURRENT_TIMESTAMP NOT NULL);
    CREATE TABLE deletedCollections (collectionID INTEGER PRIMARY KEY, dateDeleted DEFAULT CURRENT_TIMESTAMP NOT NULL);
    CREATE TABLE feedItems (itemID INTEGER PRIMARY KEY, guid TEXT NOT NULL UNIQUE);
    INSERT INTO version VALUES ('userdata', 123);
    INSERT INTO libraries VALUES (1, 'user', 1);
    INSERT INTO itemTypes VALUES (1, 'annotation', NULL, 1), (3, 'attachment', NULL, 1), (28, 'note', NULL, 1),
        (31, 'preprint', NULL, 1);
    INSERT INTO fields VALUES (1, 'title', NULL), (13, 'url', NULL), (16, 'extra', NULL), (59, 'DOI', NULL),
        (114, 'archiveID', NULL);
    INSERT INTO collections VALUES (1, 'All things', NULL, 1, 'ROOT0000');
"""


class ZoteroDatabase:
    """A database as Zotero 7 keeps it, built item by item."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:")
        self.connection.executescript(_ZOTERO_SCHEMA)
        self._items = 0

    def add(self, kind: str, **fields: str) -> int:
        """Add an item with fields and return its number."""
        self._items += 1
        execute = self.connection.execute
        execute(
            "INSERT INTO items SELECT ?, itemTypeID, 1, ?, 0, 0 FROM itemTypes WHERE typeName = ?",
            (self._items, f"AAAA{self._items:04}", kind),
        )
        for name, value in fields.items():
            execute("INSERT OR IGNORE INTO itemDataValues (value) VALUES (?)", (value,))
            execute(
                "INSERT INTO itemData SELECT ?, fieldID, valueID FROM fields, itemDataValues"
                " WHERE fieldName = ? AND value = ?",
                (self._items, name, value),
            )
        return self._items

    def add_note(self, parent: int, note: str) -> int:
        """Add a note to an item and return its number."""
        number = self.add("note")
        self.connection.execute("INSERT INTO itemNotes VALUES (?, ?, ?, 'Note')", (number, parent, note))
        return number

    def tag(self, item: int, name: str) -> None:
        """Give an item a tag."""
        self.connection.execute("INSERT OR IGNORE INTO tags (name) VALUES (?)", (name,))
        self.connection.execute("INSERT INTO itemTags SELECT ?, tagID, 0 FROM tags WHERE name = ?", (item, name))

    def file(self, item: int, collection: str) -> None:
        """Put an item into a collection, which stands in the one named `All things`."""
        execute = self.connection.execute
        if not execute("SELECT 1 FROM collections WHERE collectionName = ?", (collection,)).fetchone():
            execute(
                "INSERT INTO collections (collectionName, parentCollectionID, libraryID, key) VALUES (?, 1, 1, 'C')",
                (collection,),
            )
        execute(
            "INSERT INTO collectionItems SELECT collectionID, ?, 0 FROM collections WHERE collectionName = ?",
            (item, collection),
        )

    def content(self) -> bytes:
        """Return the file's bytes."""
        self.connection.commit()
        with closing(self.connection):
            return self.connection.serialize()


def render_sqlite(items: Sequence[Item]) -> bytes:
    """Return zotero.sqlite with these papers, each with an attachment."""
    database = ZoteroDatabase()
    for item in items:
        number = database.add(
            "preprint",
            title=item.title,
            url=item.url,
            DOI=f"10.48550/arXiv.{item.arxiv_id}",
            archiveID=f"arXiv:{item.arxiv_id}",
            extra=f"arXiv:{item.arxiv_id} [cs]",
        )
        database.add("attachment", title="arXiv Fulltext PDF")
        for tag in ("Computer Science", *item.tags):
            database.tag(number, tag)
        if item.note:
            database.add_note(number, f'<div data-schema-version="9"><p>{escape(item.note, quote=False)}</p></div>')
        if item.collection:
            database.file(number, item.collection)
    return database.content()


RENDERERS = {
    "list.txt": render_ids,
    "list.bib": render_bibtex,
    "list.ris": render_ris,
    "list.md": render_markdown,
    "csl.json": render_csl,
    "better.json": render_better_bibtex,
    "list.csv": render_csv,
    "list.rdf": render_rdf,
    "zotero.sqlite": render_sqlite,
}
