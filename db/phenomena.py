"""The catalogue as stored: the ranker and the queue read it from here."""

from __future__ import annotations

import json
from collections.abc import Iterable

from db.errors import CatalogueError, UsageError
from db.records import Aspect, Criteria, Maturity, Phenomenon
from db.store import Row, Store
from db.text import clean_line, hash_text


def list_phenomena(store: Store, *, retired: bool = False) -> list[Phenomenon]:
    """Return the catalogue in its order.

    Args:
        retired: return the retired entries instead, by the order in which they once stood.
    """
    rows = store.rows("SELECT * FROM phenomena WHERE retired = ? ORDER BY position, code", (int(retired),))
    return [_phenomenon(row) for row in rows]


def list_all_phenomena(store: Store) -> list[Phenomenon]:
    """Return the catalogue in its order, the retired entries last."""
    return [*list_phenomena(store), *list_phenomena(store, retired=True)]


def find_phenomenon(store: Store, code: str, *, retired: bool = False) -> Phenomenon:
    """Return one entry.

    Args:
        retired: take a retired one too.

    Raises:
        UsageError: there is none of that code, or it was retired.
    """
    row = store.row("SELECT * FROM phenomena WHERE code = ?", (code,))
    if row is None:
        like = store.value("SELECT code FROM phenomena WHERE lower(code) = lower(trim(?))", (code,))
        hint = f"do you mean {like}?" if like else "`bmp phenomena list` shows the codes"
        raise UsageError(f"there is no phenomenon '{clean_line(code)[:40]}'", hint)
    found = _phenomenon(row)
    if found.retired and not retired:
        raise UsageError(f"{code} was retired", f"name what took its place: {', '.join(found.superseded_by)}")
    return found


def find_successors(store: Store, code: str) -> set[str]:
    """Return the codes that took the place of an entry, and of those in turn; none of an entry that stands."""
    found: set[str] = set()
    waiting = [code]
    while waiting:
        successors = set(find_phenomenon(store, waiting.pop(), retired=True).superseded_by) - found
        found |= successors
        waiting.extend(successors)
    return found


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
        retired=bool(row["retired"]),
        superseded_by=tuple(json.loads(row["superseded_by"])),
    )


def catalogue_version(phenomena: Iterable[Phenomenon]) -> str:
    """Return a short hash of all that matching reads of the catalogue: codes, titles, claims, keywords."""
    return _hash_parts((one.code, one.title, one.statement, one.keywords) for one in phenomena)


def find_catalogue_version(store: Store) -> str:
    """Return the version of the catalogue as stored; nothing else of it is read."""
    rows = store.connection.execute("SELECT code, title, statement, keywords FROM phenomena WHERE NOT retired")
    return _hash_parts((*row[:3], json.loads(row[3])) for row in rows)


def _hash_parts(parts: Iterable[tuple[object, ...]]) -> str:
    return hash_text("\n".join(sorted(json.dumps(part) for part in parts)))[:12]


def require_phenomena(store: Store) -> list[Phenomenon]:
    """Return the catalogue.

    Raises:
        CatalogueError: it is empty.
    """
    phenomena = list_phenomena(store)
    if not phenomena:
        raise CatalogueError("the catalogue is empty", "load one with `bmp init`")
    return phenomena
