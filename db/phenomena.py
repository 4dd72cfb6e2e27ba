"""The catalogue as stored: the ranker and the queue read it from here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from db.errors import CatalogueError, UsageError
from db.records import Aspect, Criteria, Maturity, Phenomenon
from db.store import Row, Store
from db.text import clean_line, hash_text


def save_phenomena(store: Store, phenomena: Sequence[Phenomenon]) -> int:
    """Add or update entries, in the order given, and return how many were new or changed. Runs inside a transaction.

    An entry that the list lacks stays as it is: evidence may rest on it.
    """
    before = {phenomenon.code: phenomenon for phenomenon in list_phenomena(store)}
    for position, phenomenon in enumerate(phenomena):
        _save_phenomenon(store, phenomenon, position)
    return sum(before.get(phenomenon.code) != phenomenon for phenomenon in phenomena)


def _save_phenomenon(store: Store, phenomenon: Phenomenon, position: int) -> None:
    values = {
        "code": phenomenon.code,
        "position": position,
        "aspect": phenomenon.aspect.value,
        "group_name": phenomenon.group,
        "title": phenomenon.title,
        "statement": phenomenon.statement,
        "keywords": json.dumps(phenomenon.keywords, ensure_ascii=False),
        "reference_ids": json.dumps(phenomenon.references),
        "criteria": json.dumps(asdict(phenomenon.criteria), ensure_ascii=False),
        "maturity": phenomenon.maturity.value,
    }
    store.database.table("phenomena").upsert(values, pk="code")


def list_phenomena(store: Store) -> list[Phenomenon]:
    """Return the catalogue in its order."""
    return [_phenomenon(row) for row in store.rows("SELECT * FROM phenomena ORDER BY position, code")]


def find_phenomenon(store: Store, code: str) -> Phenomenon:
    """Return one entry.

    Raises:
        UsageError: there is none of that code.
    """
    row = store.row("SELECT * FROM phenomena WHERE code = ?", (code,))
    if row is None:
        like = store.value("SELECT code FROM phenomena WHERE lower(code) = lower(trim(?))", (code,))
        hint = f"do you mean {like}?" if like else "`bmp phenomena list` shows the codes"
        raise UsageError(f"there is no phenomenon '{clean_line(code)[:40]}'", hint)
    return _phenomenon(row)


def _phenomenon(row: Row) -> Phenomenon:
    criteria = json.loads(row["criteria"])
    return Phenomenon(
        code=row["code"],
        aspect=Aspect(row["aspect"]),
        group=row["group_name"],
        title=row["title"],
        statement=row["statement"],
        keywords=tuple(json.loads(row["keywords"])),
        references=tuple(json.loads(row["reference_ids"])),
        criteria=Criteria(**{name: tuple(items) for name, items in criteria.items()}),
        maturity=Maturity(row["maturity"]),
    )


def catalogue_version(phenomena: Iterable[Phenomenon]) -> str:
    """Return a short hash of all that matching reads of the catalogue: codes, titles, claims, keywords."""
    parts = sorted(
        json.dumps([phenomenon.code, phenomenon.title, phenomenon.statement, phenomenon.keywords])
        for phenomenon in phenomena
    )
    return hash_text("\n".join(parts))[:12]


def require_phenomena(store: Store) -> list[Phenomenon]:
    """Return the catalogue.

    Raises:
        CatalogueError: it is empty.
    """
    phenomena = list_phenomena(store)
    if not phenomena:
        raise CatalogueError("the catalogue is empty", "load one with `bmp init`")
    return phenomena
