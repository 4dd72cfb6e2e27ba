"""The catalogue in a person's hands: add, edit, merge, split, import. All that is done is kept with who did it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from db.carrying import carry_acceptances, list_acceptances, list_disputed, list_open, queue_open
from db.decisions import SYSTEM_REVIEWER
from db.errors import CatalogueError, UsageError
from db.phenomena import find_phenomenon, find_successors
from db.records import CatalogueChange, ChangeKind, Phenomenon
from db.store import Row, Store
from db.text import clean_line, clean_paragraphs
from db.times import Clock, to_text
from db.upkeep import require_free_codes, retire_phenomenon, save_phenomena


@dataclass(frozen=True, slots=True)
class Moved:
    """What went from an entry to another one.

    Attributes:
        phenomenon: the code of the one that took it.
        accepted: how many papers were accepted there.
        known: how many were accepted there already.
        queued: how many papers wait there that did not.
        differing: papers that were decided otherwise there; that decision stays.
    """

    phenomenon: str
    accepted: int
    known: int
    queued: int
    differing: tuple[str, ...]


class Upkeep:
    """The catalogue in the hands of one person.

    Args:
        dry_run: do all and keep nothing, to see what would come of it.
    """

    def __init__(self, store: Store, *, author: str, clock: Clock, dry_run: bool = False) -> None:
        self._store = store
        self._author = clean_line(author)[:100] or "reviewer"
        self._clock = clock
        self._dry_run = dry_run

    def add(self, phenomena: Sequence[Phenomenon], note: str | None = None) -> int:
        """Add new entries and return how many.

        Raises:
            CatalogueError: one has a code that is or was another's.
        """
        with self._changing():
            require_free_codes(self._store, phenomena)
            return save_phenomena(self._store, phenomena, self._change(ChangeKind.ADD, note))

    def edit(self, seen: Phenomenon, edited: Phenomenon, note: str | None = None) -> bool:
        """Put an entry in the place of the one that was seen; tell whether anything is otherwise.

        Raises:
            UsageError: there is no such entry any more.
            CatalogueError: the edited one has another code: evidence is known by it; or somebody changed it since.
        """
        code = seen.code
        if edited.code != code or edited.retired:
            raise CatalogueError(
                f"the code of {code} stays: evidence is known by it",
                f"to move the claim, add it under the new code and say `bmp phenomena merge {code} CODE`",
            )
        with self._changing():
            if find_phenomenon(self._store, code) != seen:
                raise CatalogueError(f"{code} was changed meanwhile", "nothing was written; edit it anew")
            return bool(save_phenomena(self._store, [edited], self._change(ChangeKind.EDIT, note)))

    def load(self, phenomena: Sequence[Phenomenon], note: str | None = None) -> int:
        """Take in a catalogue over what is here, and return how many entries are new or changed.

        Raises:
            CatalogueError: an entry is retired on one side only.
        """
        with self._changing():
            return save_phenomena(self._store, phenomena, self._change(ChangeKind.IMPORT, note))

    def merge(self, code: str, into: str, *, note: str | None = None, queue: bool = False) -> Moved:
        """Retire an entry in favour of another one, and carry its evidence and what waits for it along.

        An entry that was merged so before may be named again: then what was decided on it since is carried along.

        Args:
            queue: accept nothing there, but let all of it wait to be decided anew.

        Raises:
            UsageError: there is no such entry, it is the same one, or it was retired in favour of others.
        """
        if code == into:
            raise UsageError(f"{code} cannot be merged with itself", "name two entries")
        with self._changing():
            source = self._find_source(code, [into])
            find_phenomenon(self._store, into)
            if not source.retired:
                retire_phenomenon(self._store, source, [into], self._change(ChangeKind.MERGE, note))
            acceptances, disputed = self._list_evidence(code)
            waiting = [*disputed, *([one["arxiv_id"] for one in acceptances] if queue else [])]
            waiting += list_open(self._store, code)
            return self._carry(source, into, [] if queue else acceptances, waiting)

    def split(
        self,
        code: str,
        parts: Sequence[Phenomenon],
        *,
        given: Mapping[str, str],
        rest: str | None = None,
        note: str | None = None,
    ) -> list[Moved]:
        """Retire an entry in favour of new ones, and carry its evidence along as decided; tell what went where.

        What is decided for none of them, and what waits for the entry, waits for all of them.

        Args:
            parts: the new entries; none where the entry was split before and more was decided on it since.
            given: codes of new entries by the arXiv ids of papers that are the entry's evidence.
            rest: the new entry that takes all other evidence.

        Raises:
            UsageError: there is no such entry, paper or part, or there are fewer than two parts.
            CatalogueError: a part has a code that is or was another's.
        """
        with self._changing():
            source = self._find_source(code, [one.code for one in parts])
            codes = list(source.superseded_by) if source.retired else [one.code for one in parts]
            if len(codes) < 2:
                raise UsageError(f"{code} wants two entries or more in its place", "write them all")
            acceptances, disputed = self._list_evidence(code)
            chosen = _choose(acceptances, codes, given, rest)
            if not source.retired:
                require_free_codes(self._store, parts)
                save_phenomena(self._store, parts, self._change(ChangeKind.SPLIT, note))
                retire_phenomenon(self._store, source, codes, self._change(ChangeKind.SPLIT, note))
            waiting = [*disputed, *(one["arxiv_id"] for one in acceptances if one["arxiv_id"] not in chosen)]
            waiting += list_open(self._store, code)
            return [
                self._carry(source, part, [one for one in acceptances if chosen.get(one["arxiv_id"]) == part], waiting)
                for part in codes
            ]

    def _find_source(self, code: str, successors: Sequence[str]) -> Phenomenon:
        """Return the entry that is to give way, which may have given way to these entries before."""
        source = find_phenomenon(self._store, code, retired=True)
        if source.retired and not set(successors) <= find_successors(self._store, code):
            find_phenomenon(self._store, code)  # says what took its place
        return source

    def _list_evidence(self, code: str) -> tuple[list[Row], list[str]]:
        """Return the acceptances that nobody disputes, and the papers on which decisions differ: these wait anew."""
        disputed = list_disputed(self._store, code)
        acceptances = list_acceptances(self._store, code)
        return [one for one in acceptances if one["arxiv_id"] not in disputed], sorted(disputed)

    def _carry(self, source: Phenomenon, target: str, acceptances: Sequence[Row], waiting: Sequence[str]) -> Moved:
        now = to_text(self._clock())
        carried = carry_acceptances(self._store, acceptances, source, target, reviewer=self._author, now=now)
        queued = queue_open(self._store, waiting, target, now=now)
        return Moved(target, carried.accepted, carried.known, queued, carried.differing)

    def _change(self, kind: ChangeKind, note: str | None) -> CatalogueChange:
        kept = clean_paragraphs(note)[:2000] if note else None
        return CatalogueChange(kind, self._author, to_text(self._clock()), kept or None)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Do what follows wholly or not at all; where only a look was asked for, not at all."""
        if self._author == SYSTEM_REVIEWER:
            raise UsageError(f"'{SYSTEM_REVIEWER}' is the program's own name", "set another reviewer (BMP_REVIEWER)")
        with self._store.transaction():
            yield
            if self._dry_run:
                self._store.connection.execute("ROLLBACK")
                self._store.connection.execute("BEGIN")


def _choose(
    acceptances: Sequence[Row], codes: Sequence[str], given: Mapping[str, str], rest: str | None
) -> dict[str, str]:
    """Return which part takes which paper."""
    papers = {one["arxiv_id"] for one in acceptances}
    for part in [*given.values(), *([rest] if rest else [])]:
        if part not in codes:
            raise UsageError(
                f"{clean_line(part)[:40]} is not one of the new entries", f"name one of {', '.join(codes)}"
            )
    for arxiv_id in given:
        if arxiv_id not in papers:
            raise UsageError(f"{arxiv_id} is no evidence of that entry", "`bmp phenomena show` lists it")
    return {**(dict.fromkeys(papers, rest) if rest else {}), **given}
