"""Papers and their revisions: what arrived is compared with what is known, and nothing known is lost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from db.decisions import TEXT_CHANGED, WITHDRAWN, reopen_accepted
from db.records import Paper
from db.store import Row, Store
from db.text import text_hash
from db.times import to_text


@dataclass(frozen=True, slots=True)
class SavedPapers:
    """What saving papers changed; `changed` counts papers with a new revision, withdrawn ones included."""

    new: int = 0
    changed: int = 0
    withdrawn: int = 0

    def __add__(self, other: SavedPapers) -> SavedPapers:
        return SavedPapers(self.new + other.new, self.changed + other.changed, self.withdrawn + other.withdrawn)


def save_papers(store: Store, papers: Iterable[Paper], *, run_id: int, now: str, reopen: bool = True) -> SavedPapers:
    """Add new papers and new revisions; saving the same again changes nothing. Runs inside a transaction.

    A changed text or a withdrawal re-opens the paper's accepted candidates.

    Args:
        now: the moment, as text, that re-opening is dated with.
        reopen: False leaves re-opening to the caller (`reopen_outdated`).
    """
    saved = SavedPapers()
    for paper in papers:
        saved += _save_paper(store, paper, run_id, now if reopen else None)
    return saved


def _save_paper(store: Store, paper: Paper, run_id: int, reopened_at: str | None) -> SavedPapers:
    known = store.row(
        "SELECT p.datestamp, p.withdrawn, r.version, r.text_hash, r.title, r.abstract FROM papers p"
        " JOIN revisions r USING (revision_id) WHERE p.arxiv_id = ?",
        (paper.arxiv_id,),
    )
    if known is None:
        _insert_paper(store, paper, run_id)
        return SavedPapers(new=1, withdrawn=int(paper.withdrawn))
    if _is_stale(store, paper, known):
        return SavedPapers()
    text_changed = text_hash(paper.title, paper.abstract) != known["text_hash"]
    newly_withdrawn = paper.withdrawn and not known["withdrawn"]
    new_revision = text_changed or paper.version > known["version"]
    if new_revision:
        _insert_revision(store, paper, run_id)
    _update_details(store, paper, known)
    if reopened_at and (newly_withdrawn or text_changed):
        reason = WITHDRAWN if newly_withdrawn else TEXT_CHANGED
        reopen_accepted(store, paper.arxiv_id, reason.format(version=paper.version), now=reopened_at)
    return SavedPapers(changed=int(new_revision or newly_withdrawn), withdrawn=int(newly_withdrawn))


def _is_stale(store: Store, paper: Paper, known: Row) -> bool:
    """Tell whether the record is older than what is known: a snapshot may come after a harvest."""
    if paper.version != known["version"]:
        return paper.version < int(known["version"])
    if paper.datestamp is None:  # says nothing new of a known version, but a withdrawal that no dated record can tell
        return known["datestamp"] is not None or not paper.withdrawn or bool(known["withdrawn"])
    day = paper.datestamp.isoformat()
    if known["datestamp"] is None or day != known["datestamp"]:
        return known["datestamp"] is not None and day < known["datestamp"]
    return _was_replaced(store, paper, known)


def _was_replaced(store: Store, paper: Paper, known: Row) -> bool:
    """Tell whether a record of the same day carries a text that gave way to the known one: then it is a repetition."""
    text = text_hash(paper.title, paper.abstract)
    return text != known["text_hash"] and bool(
        store.value(
            "SELECT 1 FROM revisions WHERE (arxiv_id, version, text_hash) = (?, ?, ?)",
            (paper.arxiv_id, paper.version, text),
        )
    )


def _insert_paper(store: Store, paper: Paper, run_id: int) -> None:
    # The two tables point at each other: the constraint is checked at commit.
    store.insert(
        "papers",
        {
            "arxiv_id": paper.arxiv_id,
            "revision_id": _next_revision_id(store),
            "published_at": to_text(paper.published_at),
            "run_id": run_id,
            **_details(paper),
        },
    )
    _insert_revision(store, paper, run_id)


def _insert_revision(store: Store, paper: Paper, run_id: int) -> None:
    store.insert(
        "revisions",
        {
            "revision_id": _next_revision_id(store),
            "arxiv_id": paper.arxiv_id,
            "version": paper.version,
            "title": paper.title,
            "abstract": paper.abstract,
            "text_hash": text_hash(paper.title, paper.abstract),
            "submitted_at": to_text(paper.updated_at),
            "run_id": run_id,
        },
    )
    store.connection.execute(
        "UPDATE papers SET revision_id = (SELECT max(revision_id) FROM revisions WHERE arxiv_id = :id)"
        " WHERE arxiv_id = :id",
        {"id": paper.arxiv_id},
    )


def _next_revision_id(store: Store) -> int:
    return int(store.value("SELECT coalesce(max(revision_id), 0) + 1 FROM revisions"))


def _update_details(store: Store, paper: Paper, known: Row) -> None:
    details = {key: value for key, value in _details(paper).items() if value is not None}
    if paper.version > known["version"]:
        details["datestamp"] = paper.datestamp.isoformat() if paper.datestamp else None  # the old one was of the old
    elif not paper.tells_type or details.get("datestamp") == known["datestamp"]:
        details["withdrawn"] = max(details["withdrawn"], known["withdrawn"])  # whichever of two sources told it
    assignments = ", ".join(f"{name} = :{name}" for name in details)
    store.connection.execute(
        f"UPDATE papers SET {assignments} WHERE arxiv_id = :arxiv_id", {**details, "arxiv_id": paper.arxiv_id}
    )


def _details(paper: Paper) -> Row:
    return {
        "authors": json.dumps(paper.authors, ensure_ascii=False),
        "categories": " ".join(paper.categories),
        "datestamp": paper.datestamp.isoformat() if paper.datestamp else None,
        "comments": paper.comments,
        "journal_ref": paper.journal_ref,
        "doi": paper.doi,
        "license": paper.license,
        "withdrawn": int(paper.withdrawn),
    }


def find_known_ids(store: Store, arxiv_ids: Iterable[str]) -> set[str]:
    """Return those of the ids that are stored."""
    asked = json.dumps(list(arxiv_ids))
    return {
        row["arxiv_id"]
        for row in store.rows(
            "SELECT arxiv_id FROM papers WHERE arxiv_id IN (SELECT value FROM json_each(?))", (asked,)
        )
    }


# What was matched by this model's vectors has one: so only of what was not matched a vector is looked for. The one goes
# along with the revisions, in one order; of the other each look goes to another end of the file.
WITHOUT_VECTOR = """
    FROM papers p INDEXED BY papers_by_revision CROSS JOIN revisions r ON r.revision_id = p.revision_id
    WHERE NOT EXISTS (
        SELECT 1 FROM matched_revisions d WHERE d.revision_id = p.revision_id
            AND d.ranking_id IN (SELECT ranking_id FROM rankings WHERE model_id = :model_id))
        AND NOT EXISTS (SELECT 1 FROM vectors v WHERE v.text_hash = r.text_hash AND v.model_id = :model_id)
"""


def list_revisions_without_vector(store: Store, model_id: int, *, after: int, limit: int) -> list[Row]:
    """Return current revisions that the model has not embedded, oldest first; the same text may come twice.

    Args:
        after: only revisions beyond this id, so that a long list is read once and not from its start each time.
    """
    return store.rows(
        f"SELECT r.revision_id, r.text_hash, r.title, r.abstract {WITHOUT_VECTOR} AND p.revision_id > :after"
        " ORDER BY p.revision_id LIMIT :limit",
        {"model_id": model_id, "after": after, "limit": limit},
    )


def count_revisions_without_vector(store: Store, model_id: int, *, after: int = 0) -> int:
    """Return how many texts of current revisions beyond an id the model has not embedded."""
    query = f"SELECT count(DISTINCT r.text_hash) {WITHOUT_VECTOR} AND p.revision_id > :after"
    return int(store.value(query, {"model_id": model_id, "after": after}))


def find_hashes_without_vector(store: Store, model_id: int, arxiv_ids: Iterable[str]) -> list[str]:
    """Return the text hashes, each once, of those papers' current revisions that the model has not embedded."""
    rows = store.rows(
        "SELECT DISTINCT r.text_hash FROM papers p JOIN revisions r USING (revision_id)"
        " LEFT JOIN vectors v ON v.text_hash = r.text_hash AND v.model_id = ?"
        " WHERE v.text_hash IS NULL AND p.arxiv_id IN (SELECT value FROM json_each(?)) ORDER BY r.revision_id",
        (model_id, json.dumps(list(arxiv_ids))),
    )
    return [row["text_hash"] for row in rows]


def iterate_embedded_hashes(store: Store, model_id: int) -> Iterator[str]:
    """Yield the hashes of all texts that the model has embedded."""
    for (text_hash_,) in store.connection.execute("SELECT text_hash FROM vectors WHERE model_id = ?", (model_id,)):
        yield text_hash_


_NEWEST = "SELECT arxiv_id FROM papers WHERE NOT withdrawn ORDER BY published_at DESC, arxiv_id DESC LIMIT :limit"
_EMBEDDED = (
    "SELECT {} FROM papers p JOIN revisions r USING (revision_id)"
    " JOIN vectors v ON v.text_hash = r.text_hash AND v.model_id = :model_id WHERE NOT p.withdrawn AND {}"
    " ORDER BY p.arxiv_id"
)
# Of candidates those decided last, then those queued last: a queue may hold more papers than memory does.
_CANDIDATES = (
    "SELECT c.arxiv_id FROM candidates c LEFT JOIN decisions d USING (candidate_id) GROUP BY c.arxiv_id"
    " ORDER BY max(d.decided_at) DESC, max(c.candidate_id) DESC LIMIT :limit"
)
_AT_HAND = f"(p.arxiv_id IN ({_CANDIDATES}) OR p.arxiv_id IN ({_NEWEST}))"


def list_at_hand(store: Store, model_id: int, *, limit: int) -> list[Row]:
    """Return the newest papers that the model has embedded and that are not withdrawn, with candidates' papers.

    The rows have `arxiv_id`, `title`, `abstract`, `text_hash` and `published_at`, and go by id.

    Args:
        limit: how many of the newest papers, and how many of candidates: those decided or else queued last.
    """
    columns = "p.arxiv_id, r.title, r.abstract, r.text_hash, p.published_at"
    return store.rows(_EMBEDDED.format(columns, _AT_HAND), {"model_id": model_id, "limit": limit})


def list_texts(store: Store, revision_ids: Sequence[int]) -> list[Row]:
    """Return revisions by id: `revision_id`, `title`, `abstract`, `text_hash`."""
    return store.rows(
        "SELECT revision_id, title, abstract, text_hash FROM revisions"
        " WHERE revision_id IN (SELECT value FROM json_each(?)) ORDER BY revision_id",
        (json.dumps(list(revision_ids)),),
    )


def list_newest(store: Store, model_id: int, *, limit: int) -> list[str]:
    """Return the ids of the newest papers that the model has embedded and that are not withdrawn, by id."""
    query = _EMBEDDED.format("p.arxiv_id", f"p.arxiv_id IN ({_NEWEST})")
    rows = store.rows(query, {"model_id": model_id, "limit": limit})
    return [row["arxiv_id"] for row in rows]


def list_hashes_at_hand(store: Store, model_id: int, *, limit: int) -> list[str]:
    """Return the text hashes of what `list_at_hand` gives, in its order, without reading a text."""
    rows = store.rows(_EMBEDDED.format("r.text_hash", _AT_HAND), {"model_id": model_id, "limit": limit})
    return [row["text_hash"] for row in rows]


def iterate_current(store: Store, *, since: date | None, chunk: int) -> Iterator[list[Row]]:
    """Yield the current revisions in chunks, by id.

    The rows have `arxiv_id`, `version`, `title`, `abstract`, `text_hash`, `revision_id`, `published_at` and
    `withdrawn`.

    Args:
        since: only papers first published on this day or later.
    """
    last = ""
    while rows := store.rows(
        "SELECT p.arxiv_id, r.version, r.title, r.abstract, r.text_hash, p.revision_id, p.published_at, p.withdrawn"
        " FROM papers p JOIN revisions r USING (revision_id) WHERE p.arxiv_id > ? AND p.published_at >= ?"
        " ORDER BY p.arxiv_id LIMIT ?",
        (last, since.isoformat() if since else "", chunk),
    ):
        yield rows
        last = rows[-1]["arxiv_id"]


def list_records(store: Store, arxiv_ids: Iterable[str]) -> dict[str, Row]:
    """Return papers by id, as a bibliography has them: `abstract`, `authors`, `categories`, `doi`, `journal_ref`."""
    rows = store.rows(
        "SELECT p.arxiv_id, r.abstract, p.authors, p.categories, p.doi, p.journal_ref FROM papers p"
        " JOIN revisions r USING (revision_id) WHERE p.arxiv_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(arxiv_ids)),),
    )
    for row in rows:
        row["authors"] = json.loads(row["authors"])
        row["categories"] = row["categories"].split()
    return {row["arxiv_id"]: row for row in rows}
