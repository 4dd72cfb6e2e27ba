"""Merging: takes the decisions of another database into this one, in any order and any number of times.

Events are known by their ids, papers by arXiv's, phenomena by their codes. Both databases come to the same state,
whichever is merged into which, for what is in force hangs on the events alone and not on how they came.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from db.candidates import add_candidate, find_candidate_id
from db.decisions import SYSTEM_REVIEWER, place_of, reopen_outdated
from db.errors import StoreError
from db.papers import SavedPapers, save_papers
from db.phenomena import list_all_phenomena
from db.records import CatalogueChange, ChangeKind, Paper
from db.store import Row, Store
from db.times import from_text, to_text
from db.upkeep import save_phenomena

MOST_TURNS = 1_000_000  # of a candidate; nobody decides so often
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

_CARRIED = (
    "event_id", "kind", "stance", "note", "until", "turn", "follows", "paper_withdrawn", "sentence", "score",
    "ranker_version", "catalogue_version", "reviewer", "decided_at", "place",
)  # fmt: skip

_RECORD = "SELECT {} FROM papers p JOIN revisions r USING (revision_id)"
_AGE = _RECORD.format("p.arxiv_id, r.version, p.datestamp, p.withdrawn, r.text_hash")
_WHOLE = _RECORD.format("p.*, r.version, r.title, r.abstract, r.submitted_at")
# What people dealt with: they decided it, or brought it in by hand, such as by re-assigning it.
_BY_HAND = "match_id IS NULL AND run_id IS NULL"
_DECIDED = (
    "SELECT DISTINCT arxiv_id FROM candidates c"
    f" WHERE {_BY_HAND} OR EXISTS (SELECT 1 FROM decisions d WHERE d.candidate_id = c.candidate_id)"
)
_EVENTS = """
    SELECT d.*, c.arxiv_id, c.phenomenon_code, c.queued_at, r.version, r.title, r.abstract, r.text_hash, r.submitted_at,
        u.event_id AS undone_id
    FROM decisions d JOIN candidates c USING (candidate_id) JOIN revisions r ON r.revision_id = d.revision_id
    LEFT JOIN decisions u ON u.decision_id = d.undoes ORDER BY d.turn, d.place
"""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge brought.

    `decisions` counts events that were new here, `known` those that were here already; `reopened` counts acceptances
    whose paper is another here; `differing` are the codes of entries that say something else here and there.
    """

    decisions: int
    known: int
    candidates: int
    papers: int
    phenomena: int
    reopened: int
    differing: tuple[str, ...]


def merge(store: Store, other: Store, *, now: str, program_version: str) -> Merged:
    """Take in what was decided in another database, with the papers and phenomena that it is about; all or nothing.

    Where both know a paper, the newer record counts; where both know a phenomenon, this database's entry stays.

    Args:
        now: the moment of the merge, as text.
        program_version: the version of this program, for the ledger.
    """
    with store.transaction():
        phenomena, differing = _add_phenomena(store, other, now)
        events = other.rows(_EVENTS)
        _refuse_unsound(other, events)
        known = _find_known_events(store, events)
        new = [event for event in events if event["event_id"] not in known]
        saved = _save_papers(store, other, now, program_version)
        queued = sum(_append(store, event) for event in new)
        queued += sum(
            add_candidate(store, row["arxiv_id"], row["phenomenon_code"], now=row["queued_at"])
            for row in other.rows(f"SELECT * FROM candidates WHERE {_BY_HAND} ORDER BY candidate_id")
        )
        reopened = reopen_outdated(store, now=now)
    return Merged(len(new), len(known), queued, saved.new, phenomena, reopened, differing)


def _add_phenomena(store: Store, other: Store, now: str) -> tuple[int, tuple[str, ...]]:
    """Add the entries that only the other database has, retired ones too; tell how many, and which others differ."""
    own, theirs = ({one.code: one for one in list_all_phenomena(side)} for side in (store, other))
    cased = {code.casefold() for code in own}
    added = [one for code, one in theirs.items() if code not in own]
    if clash := next((one.code for one in added if one.code.casefold() in cased), None):
        raise StoreError(
            f"{other.path} has an entry {clash}, which is another one's code here but for upper and lower case",
            "merge it there into an entry of another code first",
        )
    save_phenomena(store, added, CatalogueChange(ChangeKind.IMPORT, SYSTEM_REVIEWER, now, "came with a merge"))
    return len(added), tuple(code for code, one in theirs.items() if code in own and own[code] != one)


def _refuse_unsound(other: Store, events: Sequence[Row]) -> None:
    """Refuse events that no program of ours wrote: they could never be taken out of the log again.

    Raises:
        StoreError: there is one.
    """
    for event in events:
        try:
            follows = json.loads(event["follows"])
            place = place_of(event["turn"], event["decided_at"], event["event_id"])
            placed = event["kind"] == "reopen" or event["place"] == place
            sound = placed and isinstance(follows, list) and all(isinstance(one, str) for one in follows)
            sound = (
                sound and event["turn"] <= MOST_TURNS and to_text(from_text(event["decided_at"])) == event["decided_at"]
            )
        except ValueError:
            sound = False
        texts = (
            event[name] or "" for name in ("event_id", "place", "note", "reviewer", "title", "abstract", "sentence")
        )
        if not sound or any(_CONTROL.search(text) for text in texts):
            raise StoreError(
                f"{other.path}: decision {event['decision_id']} was not written by bmp",
                "nothing was merged; leave it out",
            )


def _find_known_events(store: Store, events: Sequence[Row]) -> set[str]:
    asked = json.dumps([event["event_id"] for event in events])
    rows = store.rows("SELECT event_id FROM decisions WHERE event_id IN (SELECT value FROM json_each(?))", (asked,))
    return {row["event_id"] for row in rows}


def _save_papers(store: Store, other: Store, now: str, program_version: str) -> SavedPapers:
    """Take in the papers that were decided on over there, and the newer records of those known here."""
    news = _list_news(store, other)
    if not news:
        return SavedPapers()
    run = {
        "kind": "fetch", "status": "complete", "source": "merge", "categories": "", "started_at": now,
        "finished_at": now, "told_at": now, "promised": len(news), "received": len(news),
        "program_version": program_version,
    }  # fmt: skip
    run_id = store.insert("runs", run)
    papers = (_paper(other, arxiv_id) for arxiv_id in news)
    saved = save_papers(store, papers, run_id=run_id, now=now, reopen=False)
    store.connection.execute(
        "UPDATE runs SET new = ?, changed = ?, withdrawn = ? WHERE run_id = ?",
        (saved.new, saved.changed, saved.withdrawn, run_id),
    )
    return saved


def _list_news(store: Store, other: Store) -> list[str]:
    """Return the ids of papers whose record over there is newer, or was decided on and is not known here."""
    decided = {row["arxiv_id"] for row in other.rows(_DECIDED)}
    news = []
    for theirs in other.database.query(f"{_AGE} ORDER BY p.arxiv_id"):  # of all papers, so one at a time
        own = store.row(f"{_AGE} WHERE p.arxiv_id = ?", (theirs["arxiv_id"],))
        if theirs["arxiv_id"] in decided if own is None else _age(own) < _age(theirs):
            news.append(theirs["arxiv_id"])
    return news


def _age(row: Row) -> tuple[int, str, int, str]:
    """Return what orders the records of a paper, the newest last: of two of one day the one that says withdrawn."""
    return row["version"], row["datestamp"] or "", row["withdrawn"], row["text_hash"]


def _paper(other: Store, arxiv_id: str) -> Paper:
    row = other.row(f"{_WHOLE} WHERE p.arxiv_id = ?", (arxiv_id,))
    assert row is not None  # it was just listed
    return Paper(
        arxiv_id=row["arxiv_id"],
        version=row["version"],
        title=row["title"],
        abstract=row["abstract"],
        authors=tuple(json.loads(row["authors"])),
        categories=tuple(row["categories"].split()),
        published_at=from_text(row["published_at"]),
        updated_at=from_text(row["submitted_at"]),
        datestamp=date.fromisoformat(row["datestamp"]) if row["datestamp"] else None,
        comments=row["comments"],
        journal_ref=row["journal_ref"],
        doi=row["doi"],
        license=row["license"],
        withdrawn=bool(row["withdrawn"]),
        tells_type=True,  # whatever told of it first
    )


def _append(store: Store, event: Row) -> bool:
    """Append an event of the other database; tell whether its candidate is new. What it undoes comes before it."""
    queued = add_candidate(store, event["arxiv_id"], event["phenomenon_code"], now=event["queued_at"])
    candidate_id = find_candidate_id(store, event["arxiv_id"], event["phenomenon_code"])
    undoes = store.value("SELECT decision_id FROM decisions WHERE event_id = ?", (event["undone_id"],))
    own = {"candidate_id": candidate_id, "revision_id": _find_revision(store, event), "undoes": undoes}
    store.insert("decisions", {**own, **{name: event[name] for name in _CARRIED}})
    return queued


def _find_revision(store: Store, event: Row) -> int:
    """Return the revision that an event was made on, added beside the present one where it is not known."""
    key = (event["arxiv_id"], event["version"], event["text_hash"])
    found = store.value("SELECT revision_id FROM revisions WHERE (arxiv_id, version, text_hash) = (?, ?, ?)", key)
    if found is not None:
        return int(found)
    names = ("arxiv_id", "version", "title", "abstract", "text_hash", "submitted_at")
    run_id = store.value("SELECT run_id FROM papers WHERE arxiv_id = ?", (event["arxiv_id"],))
    return store.insert("revisions", {**{name: event[name] for name in names}, "run_id": run_id})
