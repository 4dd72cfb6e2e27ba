"""The catalogue's upkeep: every change is kept in a log, nothing is removed, and no code is given twice."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from db.errors import CatalogueError
from db.phenomena import list_all_phenomena
from db.records import CatalogueChange, ChangeKind, Phenomenon
from db.store import Row, Store


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading a catalogue came to: how many entries are new or changed, and the codes of those that were left.

    `kept` are entries that the catalogue has otherwise, or has retired, and that a person changed or decided on.
    """

    changed: int
    kept: tuple[str, ...]


def load_phenomena(store: Store, phenomena: Sequence[Phenomenon], change: CatalogueChange) -> Loaded:
    """Take in a catalogue as the program does, over nothing that a person changed. Runs inside a transaction.

    An entry that the catalogue lacks stays as it is, for evidence may rest on it; so does one that is retired here.
    """
    known = _by_code(store)
    require_free_codes(store, (one for one in phenomena if one.code not in known))
    changed_by_hand = {row["code"] for row in store.rows(_CHANGED_BY_HAND)}
    differing = [one for one in phenomena if one.code in known and known[one.code] != one]
    kept = {
        one.code
        for one in differing
        if one.code in changed_by_hand or known[one.code].retired or (one.retired and _is_used(store, one.code))
    }
    taken = [known[one.code] if one.code in kept else one for one in phenomena]
    changed = _save_all(store, known, taken, change)
    return Loaded(changed, tuple(one.code for one in phenomena if one.code in kept and not known[one.code].retired))


# Entries whose newest change is a person's.
_CHANGED_BY_HAND = f"""
    SELECT code FROM (SELECT code, kind, max(change_id) FROM catalogue_changes GROUP BY code)
    WHERE kind <> '{ChangeKind.LOAD}'
"""


def save_phenomena(store: Store, phenomena: Sequence[Phenomenon], change: CatalogueChange) -> int:
    """Add or change entries and return how many are new or changed. Runs inside a transaction.

    A list that has all entries sets their order; else known entries keep their place, and a new one comes after the
    last of its group.

    Raises:
        CatalogueError: an entry is retired on one side only, or a code is another one's but for upper and lower case.
    """
    known = _by_code(store)
    require_free_codes(store, (one for one in phenomena if one.code not in known))
    for one in phenomena:
        here = known.get(one.code)
        if here and one.retired != here.retired and (here.retired or _is_used(store, one.code)):
            _refuse(one, here)
    return _save_all(store, known, phenomena, change)


def _is_used(store: Store, code: str) -> bool:
    """Tell whether anything waits or was decided for an entry."""
    return store.value("SELECT 1 FROM candidates WHERE phenomenon_code = ? LIMIT 1", (code,)) is not None


def _refuse(asked: Phenomenon, known: Phenomenon) -> None:
    code = asked.code
    if known.retired:
        into = ", ".join(known.superseded_by)
        raise CatalogueError(f"{code} was retired, and its code is not given again", f"{into} took its place")
    raise CatalogueError(
        f"{code} is retired there and stands here", "`bmp phenomena merge` or `split` carries its evidence along"
    )


def retire_phenomenon(
    store: Store, phenomenon: Phenomenon, superseded_by: Sequence[str], change: CatalogueChange
) -> None:
    """Retire an entry in favour of others. Runs inside a transaction; its evidence is carried along by the caller."""
    known = _by_code(store)
    retired = replace(phenomenon, retired=True, superseded_by=tuple(superseded_by))
    _save_all(store, known, [retired], change)


def require_free_codes(store: Store, phenomena: Iterable[Phenomenon]) -> None:
    """Refuse entries with a code that is or was another's.

    Raises:
        CatalogueError: one is taken.
    """
    taken = {code.casefold(): one for code, one in _by_code(store).items()}
    for one in phenomena:
        if known := taken.get(one.code.casefold()):
            said = f"was '{known.title}', retired since" if known.retired else f"is '{known.title}'"
            raise CatalogueError(f"{known.code} {said}", "a code is never given twice; take another one")


def list_changes(
    store: Store, code: str | None = None, *, since: str | None = None, until: str | None = None
) -> list[Row]:
    """Return the changes to the catalogue, oldest first: `code`, `kind`, `before`, `after`, `note`, `author`,
    `changed_at`; `before` is None for a new entry, both are entries as mappings.

    Args:
        code: only those of this entry.
        since: the first moment of a span, as text.
        until: the first moment after it.
    """
    rows = store.rows(
        "SELECT code, kind, before, after, note, author, changed_at FROM catalogue_changes"
        " WHERE (:code IS NULL OR code = :code) AND (:since IS NULL OR changed_at >= :since)"
        " AND (:until IS NULL OR changed_at < :until) ORDER BY changed_at, change_id",
        {"code": code, "since": since, "until": until},
    )
    for row in rows:
        row["before"] = json.loads(row["before"]) if row["before"] else None
        row["after"] = json.loads(row["after"])
    return rows


def _by_code(store: Store) -> dict[str, Phenomenon]:
    """Return all entries by code, in the catalogue's order, the retired ones last."""
    return {one.code: one for one in list_all_phenomena(store)}


def _save_all(
    store: Store, known: Mapping[str, Phenomenon], phenomena: Sequence[Phenomenon], change: CatalogueChange
) -> int:
    incoming = {one.code: one for one in phenomena}
    _refuse_lost_successors({**known, **incoming}, incoming.values())
    changed = [one for one in incoming.values() if known.get(one.code) != one]
    for one in changed:
        store.database.table("phenomena").upsert({**_columns(one), "position": len(known)}, pk="code")
        _write_down(store, known.get(one.code), one, change)
    store.connection.executemany(
        "UPDATE phenomena SET position = ? WHERE code = ? AND position <> ?1",
        enumerate(_find_order(known.values(), incoming)),
    )
    return len(changed)


def _refuse_lost_successors(known: Mapping[str, Phenomenon], phenomena: Iterable[Phenomenon]) -> None:
    """Refuse a retired entry that leads nowhere: to no entry, or by way of others to itself."""
    for one in phenomena:
        ways, waiting = set[str](), list(one.superseded_by)
        while waiting:
            code = waiting.pop()
            if code not in known or code == one.code:
                raise CatalogueError(
                    f"{one.code} is retired in favour of {code}, which cannot take its place", "name other entries"
                )
            if code not in ways:
                ways.add(code)
                waiting.extend(known[code].superseded_by)


def _find_order(known: Collection[Phenomenon], incoming: Mapping[str, Phenomenon]) -> list[str]:
    live = [one for one in known if not one.retired]
    retired = [one.code for one in known if one.retired and one.code not in incoming]
    if all(one.code in incoming for one in live):
        return [*incoming, *retired]
    order = live
    for one in incoming.values():
        if one.code not in {other.code for other in known}:
            group = [
                place for place, other in enumerate(order) if (other.aspect, other.group) == (one.aspect, one.group)
            ]
            order.insert(group[-1] + 1 if group else len(order), one)
    return [*(one.code for one in order), *retired]


def _columns(phenomenon: Phenomenon) -> Row:
    return {
        "code": phenomenon.code,
        "aspect": phenomenon.aspect.value,
        "group_name": phenomenon.group,
        "title": phenomenon.title,
        "statement": phenomenon.statement,
        "keywords": json.dumps(phenomenon.keywords, ensure_ascii=False),
        "reference_ids": json.dumps(phenomenon.references),
        "criteria": json.dumps(asdict(phenomenon.criteria), ensure_ascii=False),
        "maturity": phenomenon.maturity.value,
        "retired": int(phenomenon.retired),
        "superseded_by": json.dumps(phenomenon.superseded_by),
    }


def _write_down(store: Store, before: Phenomenon | None, after: Phenomenon, change: CatalogueChange) -> None:
    store.insert(
        "catalogue_changes",
        {
            **asdict(change),
            "code": after.code,
            "before": json.dumps(asdict(before), ensure_ascii=False) if before else None,
            "after": json.dumps(asdict(after), ensure_ascii=False),
        },
    )
