"""The queue of one phenomenon out to a screening program, and the labels that were given there back in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from curation.screening import asreview, rayyan
from curation.screening.files import NOTHING_DONE, read_csv, read_ris, render_csv, render_ris
from curation.screening.records import Entry, Fault, Fields, Item, Label, Sent, take_sent
from db.candidates import list_candidates, require_candidate
from db.decisions import SYSTEM_REVIEWER, append_verdict
from db.errors import UsageError
from db.papers import find_known_ids, list_records
from db.phenomena import find_phenomenon
from db.records import Stance, Status, Verdict
from db.store import Row, Store
from db.text import clean_line, find_arxiv_id, parse_arxiv_id
from db.times import Clock, to_text

STATUSES = (Status.REOPENED, Status.PENDING, Status.ACCEPTED, Status.REJECTED, Status.MAYBE)
_DECIDED = {Status.ACCEPTED: Verdict.ACCEPT, Status.REJECTED: Verdict.REJECT, Status.MAYBE: Verdict.MAYBE}
# Where a paper's id may stand, the surest first: a bare id may have lost a last 0, notes may speak of other papers.
_ID_FIELDS = ("url", "urls", "doi", "arxiv_id", "key", "id", "accession_number", "notes")


@dataclass(frozen=True, slots=True)
class Program:
    """A screening program: how it wants a paper, what labels it has, and the columns one of which tells them."""

    columns: Sequence[str]
    csv_fields: Callable[[Item], Fields]
    ris_notes: Callable[[Item], list[str]]
    read_labels: Callable[[Fields, str, Sent | None], tuple[Label, ...]]
    spread_ris_notes: Callable[[Fields], Fields]
    label_columns: Sequence[str]
    verdicts: Sequence[Verdict]


PROGRAMS = {
    "asreview": Program(
        asreview.COLUMNS, asreview.csv_fields, asreview.ris_notes, asreview.read_labels, asreview.spread_ris_notes,
        asreview.LABEL_COLUMNS, (Verdict.ACCEPT, Verdict.REJECT),
    ),
    "rayyan": Program(
        rayyan.COLUMNS, rayyan.csv_fields, rayyan.ris_notes, rayyan.read_labels, lambda fields: fields, ("notes",),
        (Verdict.ACCEPT, Verdict.REJECT, Verdict.MAYBE),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A file for a screening program: how many records it holds, and how many of them go out with a label."""

    content: str
    records: int
    labelled: int


def render_queue(
    store: Store,
    program: Program,
    phenomenon: str,
    *,
    ris: bool,
    today: date,
    statuses: Sequence[Status] = STATUSES,
    mine: str | None = None,
) -> Outgoing:
    """Return the candidates of a phenomenon as a file, those that wait first; decided ones carry their label.

    Args:
        ris: as RIS, not as CSV.
        today: the day that snoozed candidates are judged by.
        mine: judge how they stand by this reviewer's decisions alone.

    Raises:
        UsageError: there is no such phenomenon.
    """
    find_phenomenon(store, phenomenon)
    rows = list_candidates(store, today=today, phenomenon=phenomenon, statuses=statuses, mixed=True, mine=mine)
    records = list_records(store, [row["arxiv_id"] for row in rows])
    items = [_item(row, records[row["arxiv_id"]]) for row in rows]
    content = (
        render_ris([(item, program.ris_notes(item)) for item in items])
        if ris
        else render_csv(program.columns, [program.csv_fields(item) for item in items])
    )
    return Outgoing(content, len(items), sum(item.sent.verdict in program.verdicts for item in items))


def _item(row: Row, record: Row) -> Item:
    sent = Sent(row["phenomenon"], row["arxiv_id"])
    if row["status"] == Status.REOPENED:
        sent = replace(sent, reopened_at=row["decided_at"])
    elif row["status"] in _DECIDED:
        sent = replace(
            sent,
            verdict=_DECIDED[row["status"]],
            stance=Stance(row["stance"]) if row["stance"] else None,
            reviewer=row["reviewer"],
            decided_at=row["decided_at"],
            note=row["note"],
        )
    return Item(
        sent,
        clean_line(row["title"]),
        clean_line(record["abstract"]),
        tuple(clean_line(name) for name in record["authors"]),
        row["published"],
        clean_line(record["doi"] or f"10.48550/arXiv.{row['arxiv_id']}"),
        row["url"],
        clean_line(record["journal_ref"] or "arXiv"),
        tuple(record["categories"]),
    )


@dataclass(frozen=True, slots=True)
class Incoming:
    """What an import came to: labels that were added or known, records without one, and records of no paper here.

    `unknown` names these records: by arXiv id where they have one, else by title.
    """

    added: int
    known: int
    unlabelled: int
    unknown: tuple[str, ...]


def import_labels(
    store: Store,
    content: str,
    program: Program,
    *,
    ris: bool,
    name: str,
    phenomenon: str | None,
    stance: Stance,
    reviewer: str,
    clock: Clock,
) -> Incoming:
    """Append the labels of a screening program's file as decisions of those who gave them, all or none.

    A label that says what the same reviewer's newest verdict says already, or that is older, adds nothing.

    Args:
        ris: the file is RIS, not CSV.
        name: what messages call the file.
        phenomenon: what the labels are for; None for what this program wrote into the file.
        stance: how accepted papers bear on the claim where the file does not tell.
        reviewer: whose the labels are where the file does not tell.

    Raises:
        UsageError: the file does not hold, names the line; or there is no such phenomenon. Nothing is imported then.
    """
    entries = list(_read_entries(content, program, ris, name))
    code = _settle_phenomenon(store, entries, phenomenon, name)
    known_ids = find_known_ids(store, {entry.arxiv_id for entry in entries if entry.arxiv_id})
    ours = [entry for entry in entries if entry.arxiv_id in known_ids]
    unknown = tuple(entry.arxiv_id or entry.title for entry in entries if entry.arxiv_id not in known_ids)
    # A file may hold a paper twice; the last label that a reviewer gave it counts.
    labels = {
        (entry.arxiv_id or "", label.reviewer or reviewer): (entry, label) for entry in ours for label in entry.labels
    }
    moment = clock()
    waiting = list_candidates(store, today=moment.date(), phenomenon=code, statuses=(Status.REOPENED,))
    reopened = {row["id"]: row["decided_at"] for row in waiting}
    added = 0
    with store.transaction():
        for (arxiv_id, whose), (entry, label) in labels.items():
            candidate_id = require_candidate(store, arxiv_id, code, now=to_text(moment))
            answers = _answers(reopened.get(candidate_id), label, entry.sent)
            if answers or not _is_known(store, candidate_id, whose, label):
                _append(store, candidate_id, whose, label, stance, to_text(moment))
                added += 1
    return Incoming(added, len(labels) - added, sum(not entry.labels for entry in ours), unknown)


def _read_entries(content: str, program: Program, ris: bool, name: str) -> Iterator[Entry]:
    records = read_ris(content, name) if ris else read_csv(content, name, program.label_columns)
    for place, fields in records:
        try:
            yield _read_entry(place, program.spread_ris_notes(fields) if ris else fields, program)
        except Fault as fault:
            raise UsageError(f"{name}, {place}: {fault}", NOTHING_DONE) from None


def _read_entry(place: str, fields: Fields, program: Program) -> Entry:
    sent, notes = take_sent(fields.get("notes", ""))
    labels = program.read_labels(fields, notes, sent)
    if any(label.reviewer == SYSTEM_REVIEWER for label in labels):
        raise Fault(f"nobody can decide as '{SYSTEM_REVIEWER}', the program itself")
    title = clean_line(fields.get("title") or fields.get("primary_title") or "")[:80] or "a record without title"
    return Entry(place, title, sent.arxiv_id if sent else _find_id(fields), sent, labels)


def _find_id(fields: Fields) -> str | None:
    for name in _ID_FIELDS:
        text = fields.get(name, "").partition("USER-NOTES:")[0]
        if found := find_arxiv_id(text) or parse_arxiv_id(text):
            return found
    return None


def _settle_phenomenon(store: Store, entries: Sequence[Entry], phenomenon: str | None, name: str) -> str:
    """Return what the labels are for; the file and who imports it must not say different things."""
    code = phenomenon
    for entry in entries:
        if entry.sent is None:
            continue
        code = code or entry.sent.phenomenon
        if entry.sent.phenomenon != code:
            told = (
                f"{name}, {entry.place}: this record was exported for {entry.sent.phenomenon[:40]}, not for {code[:40]}"
            )
            raise UsageError(told, NOTHING_DONE)
    if code is None:
        raise UsageError(f"{name} does not tell what its labels are for", "say --phenomenon CODE")
    return find_phenomenon(store, code).code


def _append(store: Store, candidate_id: int, reviewer: str, label: Label, stance: Stance, now: str) -> None:
    append_verdict(
        store,
        candidate_id,
        label.verdict,
        reviewer=reviewer,
        now=label.decided_at or now,
        stance=label.stance or stance if label.verdict is Verdict.ACCEPT else None,
        note=label.note,
        mine=reviewer,  # who labelled it elsewhere did not see what is here
        elsewhere=True,
    )


def _is_known(store: Store, candidate_id: int, reviewer: str, label: Label) -> bool:
    """Tell whether the reviewer's newest verdict that was not undone says what the label says, or is newer."""
    newest = store.row(
        "SELECT kind, stance, decided_at FROM decisions AS d WHERE candidate_id = ? AND reviewer = ?"
        " AND kind IN ('accept', 'reject', 'maybe')"
        " AND NOT EXISTS (SELECT 1 FROM decisions AS u WHERE u.undoes = d.decision_id)"
        " ORDER BY place DESC LIMIT 1",
        (candidate_id, reviewer),
    )
    if newest is None:
        return False
    same = newest["kind"] == label.verdict and label.stance in (None, newest["stance"])
    return same or (label.decided_at is not None and label.decided_at < newest["decided_at"])


def _answers(reopened_at: str | None, label: Label, sent: Sent | None) -> bool:
    """Tell whether a candidate waits re-opened and the label was given in knowledge of that."""
    since = label.decided_at or (sent.reopened_at if sent else None)
    return reopened_at is not None and since is not None and since >= reopened_at
