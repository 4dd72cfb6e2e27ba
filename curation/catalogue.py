"""The catalogue's file: TOML, one `[[phenomenon]]` table an entry, checked on load down to the line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Any

from db.errors import CatalogueError
from db.records import Aspect, Criteria, Maturity, Phenomenon
from db.text import clean_line, parse_arxiv_id

SHIPPED = "the shipped catalogue"

_CODE = re.compile(r"[A-Za-z]+[0-9]+(?:\.[0-9]+)*")
_HEADER = re.compile(r"""\s*\[\[\s*(["']?)phenomenon\1\s*\]\]""")
_REQUIRED = ("code", "aspect", "group", "title", "statement")
_OPTIONAL = ("keywords", "references", "criteria", "maturity", "retired", "superseded_by")
_CRITERIA = ("counts", "excludes", "precedents")


def load_catalogue(path: Path | None = None) -> list[Phenomenon]:
    """Return the entries of a catalogue file, or of the shipped one.

    Raises:
        CatalogueError: the file cannot be read, or an entry does not hold; names the entry and the line.
    """
    if path is None:
        content = files("curation").joinpath("data/phenomena.toml").read_text(encoding="utf-8")
        return parse_catalogue(content, SHIPPED)
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(f"cannot read the catalogue {path}: {error}", "name a TOML file in UTF-8") from error
    return parse_catalogue(content, str(path))


def parse_catalogue(content: str, name: str) -> list[Phenomenon]:
    """Return the entries of a catalogue's text.

    Args:
        name: what messages call the catalogue.

    Raises:
        CatalogueError: an entry does not hold; names the entry and the line.
    """
    try:
        document = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(f"{name} is not TOML: {error}", "mend the line it names") from error
    tables = document.get("phenomenon")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise CatalogueError(f"{name} has no [[phenomenon]] table", "give it one an entry")
    for other in sorted(document.keys() - {"phenomenon"}):
        raise CatalogueError(
            f"{name} has an unknown key '{clean_line(other)[:40]}'", "entries are [[phenomenon]] tables"
        )
    lines = _entry_lines(content, len(tables))
    entries = [
        _Entry(name, number, line, table) for number, (line, table) in enumerate(zip(lines, tables, strict=True), 1)
    ]
    phenomena = [entry.read(content) for entry in entries]
    _refuse_doubles(entries, phenomena)
    return phenomena


def read_entry(table: Mapping[str, Any], name: str) -> Phenomenon:
    """Return one entry from values as a catalogue's file has them.

    Args:
        name: what messages call the place where it comes from.

    Raises:
        CatalogueError: the entry does not hold.
    """
    return _Entry(name, 1, 0, table).read("")


def render_catalogue(phenomena: Iterable[Phenomenon]) -> str:
    """Return entries as a catalogue's text, which `parse_catalogue` reads back as they are."""
    import tomli_w  # only who writes a catalogue needs it

    phenomena = list(phenomena)
    if not phenomena:
        return "# The catalogue is empty.\n"
    return tomli_w.dumps({"phenomenon": [_to_table(one) for one in phenomena]})


def _to_table(phenomenon: Phenomenon) -> dict[str, Any]:
    """Return an entry as a TOML table; what is empty is left out, and the table of criteria comes last."""
    values = {**asdict(phenomenon), "criteria": {k: v for k, v in asdict(phenomenon.criteria).items() if v}}
    criteria = values.pop("criteria")
    plain = {name: str(value) if isinstance(value, StrEnum) else value for name, value in values.items()}
    return {name: value for name, value in {**plain, "criteria": criteria}.items() if value}


def _entry_lines(content: str, count: int) -> list[int]:
    """Return the line each entry begins on; 0 where the entries have no headers of their own."""
    lines = content.split("\n")
    found = [number for number, line in enumerate(lines, 1) if _HEADER.match(line)]
    if len(found) > count:  # some stand inside a text of several lines: what goes before those is not TOML
        found = [number for number in found if _is_toml("\n".join(lines[: number - 1]))]
    return found if len(found) == count else [0] * count


def _is_toml(content: str) -> bool:
    try:
        tomllib.loads(content)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _refuse_doubles(entries: Sequence[_Entry], phenomena: Sequence[Phenomenon]) -> None:
    seen: dict[str, _Entry] = {}
    for entry, phenomenon in zip(entries, phenomena, strict=True):
        code = phenomenon.code.casefold()  # no file system and no reader should have to tell h1.1 from H1.1
        if code in seen:
            raise entry.error(f"the code '{phenomenon.code}' is taken by entry {seen[code].number}")
        seen[code] = entry


@dataclass(frozen=True, slots=True)
class _Entry:
    """One table, with what a message needs to name it."""

    name: str
    number: int
    line: int
    table: Mapping[str, Any]

    def read(self, content: str) -> Phenomenon:
        try:
            return self._phenomenon()
        except _Fault as fault:
            raise self.error(fault.reason, self._key_line(content, fault.key)) from None

    def error(self, reason: str, line: int | None = None) -> CatalogueError:
        code = self.table.get("code")
        label = f"entry {self.number}" + (f" ({clean_line(code)[:20]})" if isinstance(code, str) else "")
        place = f", line {line or self.line}" if line or self.line else ""
        return CatalogueError(f"{self.name}, {label}{place}: {reason}", "mend the entry and load it again")

    def _key_line(self, content: str, key: str) -> int | None:
        if not self.line:
            return None
        for number, line in enumerate(content.split("\n")[self.line :], self.line + 1):
            if _HEADER.match(line):
                return None
            if re.match(rf"\s*\[?\s*(?:phenomenon\.)?{re.escape(key)}\s*[=\].]", line):
                return number
        return None

    def _phenomenon(self) -> Phenomenon:
        for key in sorted(self.table.keys() - {*_REQUIRED, *_OPTIONAL}):
            raise _Fault(key, f"unknown key '{clean_line(key)[:40]}'; known are {', '.join((*_REQUIRED, *_OPTIONAL))}")
        code = self._text("code")
        _require_code(code, "code")
        return Phenomenon(
            code=code,
            aspect=Aspect(self._choice("aspect", [aspect.value for aspect in Aspect])),
            group=self._text("group"),
            title=self._text("title"),
            statement=self._text("statement"),
            keywords=self._texts("keywords"),
            references=self._references(),
            criteria=self._criteria(),
            maturity=Maturity(self._choice("maturity", [maturity.value for maturity in Maturity], "observed")),
            retired=self._flag("retired"),
            superseded_by=self._successors(),
        )

    def _flag(self, key: str) -> bool:
        value = self.table.get(key, False)
        if not isinstance(value, bool):
            raise _Fault(key, f"'{key}' must be true or false")
        return value

    def _successors(self) -> tuple[str, ...]:
        codes = self._texts("superseded_by")
        if bool(codes) != self._flag("retired"):
            raise _Fault("superseded_by", "a retired entry, and only such a one, names what took its place")
        for code in codes:
            _require_code(code, "superseded_by")
        return codes

    def _text(self, key: str) -> str:
        if key not in self.table:
            raise _Fault(key, f"'{key}' is missing")
        value = self.table[key]
        if not isinstance(value, str) or not clean_line(value):
            raise _Fault(key, f"'{key}' must be text that is not empty")
        return clean_line(value)

    def _choice(self, key: str, choices: Sequence[str], default: str | None = None) -> str:
        if default is not None and key not in self.table:
            return default
        value = self._text(key)
        if value not in choices:
            raise _Fault(key, f"'{key}' is '{value[:20]}', but must be one of {', '.join(choices)}")
        return value

    def _texts(self, key: str) -> tuple[str, ...]:
        return _texts(self.table.get(key, []), key)

    def _references(self) -> tuple[str, ...]:
        references = []
        for text in self._texts("references"):
            arxiv_id = parse_arxiv_id(text)
            if arxiv_id is None:
                raise _Fault("references", f"'{text[:40]}' is not an arXiv id such as 2001.08361")
            references.append(arxiv_id)
        return tuple(dict.fromkeys(references))

    def _criteria(self) -> Criteria:
        value = self.table.get("criteria", {})
        if isinstance(value, str | list):
            return Criteria(counts=_texts(value, "criteria"))
        if not isinstance(value, dict):
            raise _Fault("criteria", "'criteria' must be text, a list of texts, or a table")
        for key in sorted(value.keys() - set(_CRITERIA)):
            raise _Fault("criteria", f"unknown key 'criteria.{clean_line(key)[:40]}'; known are {', '.join(_CRITERIA)}")
        return Criteria(**{key: _texts(value.get(key, []), f"criteria.{key}") for key in _CRITERIA})


class _Fault(Exception):
    """What is wrong with an entry, and at which key."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key
        self.reason = reason


def _require_code(code: str, key: str) -> None:
    """Refuse what is not a code, as the fault of a key."""
    if not _CODE.fullmatch(code):
        raise _Fault(key, f"'{code[:20]}' is not a code: letters, then numbers with dots, such as H1.2")


def _texts(value: Any, key: str) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) and clean_line(item) for item in items):
        raise _Fault(key.partition(".")[0], f"'{key}' must be a list of texts that are not empty")
    return tuple(clean_line(item) for item in items)
