"""SQLite: the curated database as one file with views, ready for Datasette or any other reader."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from typing import Any

from curation.evidence import Evidence, abs_url
from curation.export.knowledge import Entry, Knowledge

SCHEMA_VERSION = 1
CURATED_ID = 0x424D5058  # "BMPX": not the record's own, so that an export is never taken for a record

_LAYOUT = """
PRAGMA encoding = 'UTF-8';
PRAGMA page_size = 4096;
PRAGMA auto_vacuum = NONE;
PRAGMA journal_mode = OFF;
PRAGMA foreign_keys = ON;
"""

_SCHEMA = """
CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT
) STRICT;

CREATE TABLE phenomena (
    code TEXT NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL UNIQUE,
    aspect TEXT NOT NULL CHECK (aspect IN ('how', 'what')),
    group_name TEXT NOT NULL,
    title TEXT NOT NULL,
    statement TEXT NOT NULL,
    keywords TEXT NOT NULL CHECK (json_valid(keywords)),
    criteria TEXT NOT NULL CHECK (json_valid(criteria)),
    maturity TEXT NOT NULL CHECK (maturity IN ('observed', 'replicated', 'contested', 'established'))
) STRICT;

CREATE TABLE phenomenon_references (
    phenomenon_code TEXT NOT NULL REFERENCES phenomena (code),
    position INTEGER NOT NULL,
    arxiv_id TEXT NOT NULL,
    url TEXT,
    PRIMARY KEY (phenomenon_code, position)
) STRICT;

CREATE TABLE papers (
    arxiv_id TEXT NOT NULL PRIMARY KEY,
    title TEXT NOT NULL,
    authors TEXT NOT NULL CHECK (json_valid(authors)),
    categories TEXT NOT NULL,
    published TEXT NOT NULL,
    doi TEXT,
    withdrawn INTEGER NOT NULL CHECK (withdrawn IN (0, 1)),
    url TEXT
) STRICT;

CREATE TABLE evidence (
    phenomenon_code TEXT NOT NULL REFERENCES phenomena (code),
    arxiv_id TEXT NOT NULL REFERENCES papers (arxiv_id),
    version INTEGER NOT NULL CHECK (version >= 1),
    title TEXT NOT NULL,
    stance TEXT NOT NULL CHECK (stance IN ('supports', 'contradicts', 'qualifies', 'mentions')),
    sentence TEXT,
    note TEXT,
    reviewer TEXT NOT NULL,
    decided_at TEXT NOT NULL,
    score REAL,
    ranker_version TEXT,
    url TEXT,
    PRIMARY KEY (phenomenon_code, arxiv_id)
) STRICT;
CREATE INDEX evidence_of_paper ON evidence (arxiv_id);
CREATE INDEX evidence_by_stance ON evidence (phenomenon_code, stance);

CREATE TABLE under_review (
    phenomenon_code TEXT NOT NULL REFERENCES phenomena (code),
    arxiv_id TEXT NOT NULL REFERENCES papers (arxiv_id),
    version INTEGER NOT NULL CHECK (version >= 1),
    title TEXT NOT NULL,
    stance TEXT NOT NULL CHECK (stance IN ('supports', 'contradicts', 'qualifies', 'mentions')),
    sentence TEXT,
    note TEXT,
    reviewer TEXT NOT NULL,
    decided_at TEXT NOT NULL,
    score REAL,
    ranker_version TEXT,
    url TEXT,
    reason TEXT NOT NULL,
    reopened_at TEXT NOT NULL,
    PRIMARY KEY (phenomenon_code, arxiv_id)
) STRICT;
CREATE INDEX under_review_of_paper ON under_review (arxiv_id);

CREATE VIEW evidence_by_phenomenon AS
SELECT h.code, h.aspect, h.group_name, h.title AS phenomenon, h.statement, h.maturity, e.stance, e.arxiv_id, e.version,
    e.title, p.authors, p.published, p.withdrawn, e.sentence, e.note, e.reviewer, e.decided_at, e.url
FROM evidence e JOIN phenomena h ON h.code = e.phenomenon_code JOIN papers p ON p.arxiv_id = e.arxiv_id
ORDER BY h.position, e.rowid;

CREATE VIEW balance AS
SELECT h.code, h.title, h.maturity,
    coalesce(sum(e.stance = 'supports'), 0) AS supports,
    coalesce(sum(e.stance = 'contradicts'), 0) AS contradicts,
    coalesce(sum(e.stance = 'qualifies'), 0) AS qualifies,
    coalesce(sum(e.stance = 'mentions'), 0) AS mentions
FROM phenomena h LEFT JOIN evidence e ON e.phenomenon_code = h.code
GROUP BY h.code ORDER BY h.position;
"""


def render_sqlite(knowledge: Knowledge) -> bytes:
    """Return the curated database as the bytes of a SQLite file.

    It is made in memory: such a file's header bears no counter of changes and no version of the library.
    """
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(_LAYOUT + _SCHEMA)
        connection.execute(f"PRAGMA application_id = {CURATED_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        for table, rows in _tables(knowledge).items():
            for row in rows:
                _insert(connection, table, row)
        connection.execute("VACUUM")
        return connection.serialize()


def _insert(connection: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    marks = ", ".join(f":{name}" for name in row)
    connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", row)


def _tables(knowledge: Knowledge) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each table, tables in the order in which they can point at each other."""
    entries = knowledge.entries
    return {
        "meta": [
            {"key": "format", "value": "bmprinciples"},
            {"key": "last_change", "value": knowledge.last_change},
            {"key": "schema_version", "value": str(SCHEMA_VERSION)},
        ],
        "phenomena": [_phenomenon(position, entry) for position, entry in enumerate(entries)],
        "phenomenon_references": [row for entry in entries for row in _references(entry)],
        "papers": _papers(piece for entry in entries for piece in (*entry.evidence, *entry.under_review)),
        "evidence": [_evidence(piece) for entry in entries for piece in entry.evidence],
        "under_review": [
            {**_evidence(piece), "reason": piece.reason, "reopened_at": piece.reopened_at}
            for entry in entries
            for piece in entry.under_review
        ],
    }


def _phenomenon(position: int, entry: Entry) -> dict[str, Any]:
    phenomenon = entry.phenomenon
    criteria = phenomenon.criteria
    return {
        "code": phenomenon.code,
        "position": position,
        "aspect": phenomenon.aspect.value,
        "group_name": phenomenon.group,
        "title": phenomenon.title,
        "statement": phenomenon.statement,
        "keywords": _json(phenomenon.keywords),
        "criteria": _json(
            {"counts": criteria.counts, "excludes": criteria.excludes, "precedents": criteria.precedents}
        ),
        "maturity": phenomenon.maturity.value,
    }


def _references(entry: Entry) -> Iterable[dict[str, Any]]:
    for position, arxiv_id in enumerate(entry.phenomenon.references):
        yield {
            "phenomenon_code": entry.phenomenon.code,
            "position": position,
            "arxiv_id": arxiv_id,
            "url": abs_url(arxiv_id),
        }


def _papers(pieces: Iterable[Evidence]) -> list[dict[str, Any]]:
    """Return the papers, oldest first, each by the newest of its revisions that was decided on."""
    newest: dict[str, Evidence] = {}
    for piece in pieces:
        if piece.arxiv_id not in newest or piece.version > newest[piece.arxiv_id].version:
            newest[piece.arxiv_id] = piece
    ordered = sorted(newest.values(), key=lambda piece: (piece.published, piece.arxiv_id))
    return [
        {
            "arxiv_id": piece.arxiv_id,
            "title": piece.title,
            "authors": _json(piece.authors),
            "categories": " ".join(piece.categories),
            "published": piece.published,
            "doi": piece.doi,
            "withdrawn": int(piece.withdrawn),
            "url": piece.url,
        }
        for piece in ordered
    ]


def _evidence(piece: Evidence) -> dict[str, Any]:
    return {
        "phenomenon_code": piece.phenomenon,
        "arxiv_id": piece.arxiv_id,
        "version": piece.version,
        "title": piece.title,
        "stance": piece.stance.value,
        "sentence": piece.sentence,
        "note": piece.note,
        "reviewer": piece.reviewer,
        "decided_at": piece.decided_at,
        "score": piece.score,
        "ranker_version": piece.ranker_version,
        "url": piece.url,
    }


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
