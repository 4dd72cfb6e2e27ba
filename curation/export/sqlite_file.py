"""SQLite: the curated database as one file with views, ready for Datasette or any other reader."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict
from typing import Any

from curation.evidence import Evidence, abs_url
from curation.export.knowledge import Conflict, Entry, Knowledge
from curation.export.sqlite_schema import LAYOUT, SCHEMA
from curation.figures import LEVEL
from curation.moves import Move
from db.records import Phenomenon, Stance

SCHEMA_VERSION = 2
CURATED_ID = 0x424D5058  # "BMPX": not the record's own, so that an export is never taken for a record


def render_sqlite(knowledge: Knowledge) -> bytes:
    """Return the curated database as the bytes of a SQLite file.

    It is made in memory: such a file's header bears no counter of changes and no version of the library.
    """
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(LAYOUT + SCHEMA)
        connection.execute(f"PRAGMA application_id = {CURATED_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        for table, rows in _tables(knowledge).items():
            for row in rows:
                _insert(connection, table, row)
        for index in ("evidence_fts", "phenomena_fts"):
            connection.execute(f"INSERT INTO {index} ({index}) VALUES ('rebuild')")
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
            {"key": "share_interval", "value": "Wilson's score interval"},
            {"key": "share_level", "value": str(LEVEL)},
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
        "figures": [_figures(entry) for entry in entries],
        "timeline": [row for entry in entries for row in _timeline(entry)],
        "conflicts": [_conflict(entry, conflict) for entry in entries for conflict in entry.conflicts],
        "conflict_sides": [row for entry in entries for conflict in entry.conflicts for row in _sides(entry, conflict)],
        "maturity_history": [row for entry in entries for row in _steps(entry)],
        "retired_phenomena": [_retired(position, one) for position, one in enumerate(knowledge.retired)],
        "moves": [_move(moves.since[:7], move) for moves in knowledge.months for move in moves.moves],
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


def _figures(entry: Entry) -> dict[str, Any]:
    figures, share = entry.figures, entry.figures.share
    return {
        "phenomenon_code": entry.phenomenon.code,
        **figures.papers,
        "groups_supporting": figures.groups[Stance.SUPPORTS],
        "groups_contradicting": figures.groups[Stance.CONTRADICTS],
        "groups_qualifying": figures.groups[Stance.QUALIFIES],
        "groups_mentioning": figures.groups[Stance.MENTIONS],
        "independent_groups": figures.independent,
        "share": share.value if share else None,
        "share_low": share.low if share else None,
        "share_high": share.high if share else None,
        "share_groups": share.groups if share else 0,
        "first_supported": figures.first_supported,
        "newest_support": figures.newest_support,
        "suggested_maturity": entry.suggested.maturity.value,
        "suggested_because": entry.suggested.reason,
        "reworded_at": entry.reworded_at,
    }


def _timeline(entry: Entry) -> Iterable[dict[str, Any]]:
    for year in entry.figures.timeline:
        yield {"phenomenon_code": entry.phenomenon.code, "year": year.year, **year.counts}


def _conflict(entry: Entry, conflict: Conflict) -> dict[str, Any]:
    return {
        "phenomenon_code": entry.phenomenon.code,
        "arxiv_id": conflict.arxiv_id,
        "title": conflict.title,
        "url": abs_url(conflict.arxiv_id),
    }


def _sides(entry: Entry, conflict: Conflict) -> Iterable[dict[str, Any]]:
    for position, side in enumerate(conflict.sides):
        yield {
            "phenomenon_code": entry.phenomenon.code,
            "arxiv_id": conflict.arxiv_id,
            "position": position,
            **asdict(side),
        }


def _steps(entry: Entry) -> Iterable[dict[str, Any]]:
    for position, step in enumerate(entry.maturity_history):
        yield {
            "phenomenon_code": entry.phenomenon.code,
            "position": position,
            "maturity": step.maturity.value,
            "set_at": step.at,
            "set_by": step.by,
            "note": step.note,
        }


def _retired(position: int, phenomenon: Phenomenon) -> dict[str, Any]:
    return {
        "code": phenomenon.code,
        "position": position,
        "aspect": phenomenon.aspect.value,
        "group_name": phenomenon.group,
        "title": phenomenon.title,
        "statement": phenomenon.statement,
        "maturity": phenomenon.maturity.value,
        "superseded_by": _json(phenomenon.superseded_by),
    }


def _move(month: str, move: Move) -> dict[str, Any]:
    piece = move.evidence
    return {
        "month": month,
        "kind": move.kind.value,
        "phenomenon_code": move.phenomenon,
        "phenomenon": move.title,
        "moved_at": move.at,
        "moved_by": move.by,
        "arxiv_id": piece.arxiv_id if piece else None,
        "version": piece.version if piece else None,
        "title": piece.title if piece else None,
        "stance": piece.stance.value if piece else None,
        "before": move.before,
        "after": move.after,
        "note": move.note,
        "url": piece.url if piece else None,
    }


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
