"""What a database comes down to once its nights are over, whatever befell them, and what must hold at any time."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from loopback import taxonomy
from loopback.papers import MadePaper
from loopback.server import ArxivServer

from db.store import check, open_store

Row = tuple[Any, ...]

NIGHTS_BEGAN = 7  # days ago: what is older is in no list that was read

# Told in natural keys: numbers of rows, moments and runs are the history's own.
_STATE = {
    "papers": "SELECT p.arxiv_id, r.version, r.text_hash, p.withdrawn, p.datestamp, p.authors, p.categories,"
    " p.published_at, p.comments, p.journal_ref, p.doi, p.license FROM papers p JOIN revisions r USING (revision_id)",
    "revisions": "SELECT arxiv_id, version, text_hash, title, abstract, submitted_at,"
    " row_number() OVER (PARTITION BY arxiv_id ORDER BY revision_id) FROM revisions",
    "vectors": "SELECT text_hash, name, revision, prompt, max_length, vector FROM vectors JOIN models USING (model_id)",
    "matched": "SELECT r.arxiv_id, r.version, r.text_hash, g.ranker_version, g.catalogue_version, g.threshold"
    " FROM matched_revisions JOIN revisions r USING (revision_id) JOIN rankings g USING (ranking_id)",
    "matches": "SELECT r.arxiv_id, r.version, r.text_hash, phenomenon_code, round(score, 6), sentence_start,"
    " sentence_end FROM matches JOIN revisions r USING (revision_id)",
    "queue": "SELECT c.arxiv_id, c.phenomenon_code, round(m.score, 6), r.version,"
    " substr(r.abstract, sentence_start + 1, sentence_end - sentence_start), (SELECT group_concat(kind) FROM"
    " (SELECT kind FROM decisions d WHERE d.candidate_id = c.candidate_id ORDER BY decision_id)),"
    " a.draw, a.stratum, a.probability, a.place FROM candidates c LEFT JOIN matches m USING (match_id)"
    " LEFT JOIN revisions r USING (revision_id) LEFT JOIN audits a USING (candidate_id)",
    "decisions": "SELECT c.arxiv_id, c.phenomenon_code, d.kind, d.stance, d.note, d.until, d.reviewer, d.sentence,"
    " round(d.score, 6), d.ranker_version, d.catalogue_version, r.version, r.text_hash, u.kind,"
    " row_number() OVER (PARTITION BY d.candidate_id ORDER BY d.decision_id) FROM decisions d"
    " JOIN candidates c USING (candidate_id) JOIN revisions r USING (revision_id)"
    " LEFT JOIN decisions u ON u.decision_id = d.undoes",
    "audit frames": "SELECT stratum, phenomenon_code, drawn_from, waiting FROM audit_frames",
    "audit pool": "SELECT r.arxiv_id, r.version, r.text_hash, phenomenon_code, stratum, size, score, chance"
    " FROM audit_pool JOIN revisions r USING (revision_id)",
    "cursors": "SELECT source, part, position FROM cursors",
    "missing papers": "SELECT arxiv_id, version, datestamp, told_by, settled_as FROM missing_papers",
}

# Each finds nothing in a sound record.
_FAULTS = {
    "a revision stands twice": "SELECT arxiv_id, version, text_hash FROM revisions"
    " GROUP BY arxiv_id, version, text_hash HAVING count(*) > 1",
    "a paper does not stand at its newest revision": "SELECT arxiv_id FROM papers p WHERE revision_id <>"
    " (SELECT max(revision_id) FROM revisions r WHERE r.arxiv_id = p.arxiv_id)",
    "a candidate has no match of its own": "SELECT candidate_id FROM candidates c LEFT JOIN matches m USING (match_id)"
    " LEFT JOIN revisions r USING (revision_id)"
    " WHERE r.arxiv_id IS NOT c.arxiv_id OR m.phenomenon_code IS NOT c.phenomenon_code",
    "a match is below its threshold": "SELECT match_id FROM matches JOIN rankings USING (ranking_id)"
    " WHERE score < threshold AND match_id NOT IN (SELECT match_id FROM audits)",
    "a match is of a revision that does not count as matched": "SELECT match_id FROM matches"
    " WHERE revision_id NOT IN (SELECT revision_id FROM matched_revisions)",
    "a matched revision has no vector": "SELECT revision_id FROM matched_revisions JOIN revisions USING (revision_id)"
    " WHERE text_hash NOT IN (SELECT text_hash FROM vectors)",
    "an acceptance outlived a change": "SELECT c.candidate_id FROM candidates c JOIN papers p USING (arxiv_id)"
    " JOIN revisions r USING (revision_id) JOIN decisions d ON d.decision_id = (SELECT max(decision_id)"
    " FROM decisions x WHERE x.candidate_id = c.candidate_id) JOIN revisions s ON s.revision_id = d.revision_id"
    " WHERE d.kind = 'accept' AND (s.text_hash <> r.text_hash OR p.withdrawn)",
    "a paper has settled without being stored": "SELECT arxiv_id FROM missing_papers"
    " WHERE settled_as IN ('fetched', 'arrived') AND arxiv_id NOT IN (SELECT arxiv_id FROM papers)",
    "the ledger counts other new papers": "SELECT sum(new) FROM runs HAVING sum(new) <> (SELECT count(*) FROM papers)",
    "the ledger counts other changes": "SELECT sum(changed) FROM runs"
    " HAVING sum(changed) <> (SELECT count(*) FROM revisions) - (SELECT count(*) FROM papers)",
    "the ledger counts other matched revisions": "SELECT sum(matched) FROM runs"
    " HAVING sum(matched) <> (SELECT count(*) FROM matched_revisions)",
    "the ledger counts other candidates": "SELECT sum(queued) FROM runs"
    " HAVING sum(queued) <> (SELECT count(*) FROM candidates)",
    "the parts do not add up to their run": "SELECT run_id FROM runs WHERE new <>"
    " coalesce((SELECT sum(new) FROM run_parts p WHERE p.run_id = runs.run_id), 0)",
}


def final_state(path: Path) -> dict[str, list[Row]]:
    """Return what nights lead to, to be compared with `==`; the ledger is left out."""
    return {name: sorted(read(path, sql), key=repr) for name, sql in _STATE.items()}


def find_faults(path: Path, decisions: Sequence[Row], server: ArxivServer, wanted: Sequence[str]) -> list[str]:
    """Return what does not hold in a database, one line each.

    Args:
        decisions: those that were made before, which must all still be there, unchanged.
        server: what the cursors are held against.
        wanted: the categories that are kept.
    """
    with open_store(path) as store:  # this rolls back what a killed process left open
        faults = check(store)
    faults += [f"{fault}: {found[:3]}" for fault, sql in _FAULTS.items() if (found := read(path, sql))]
    if read(path, "SELECT * FROM decisions ORDER BY decision_id")[: len(decisions)] != list(decisions):
        faults.append("decisions that were made before are gone or changed")
    return faults + _find_early_cursors(path, server, wanted)


def _find_early_cursors(path: Path, server: ArxivServer, wanted: Sequence[str]) -> list[str]:
    """Tell which cursors stand beyond what is stored or known to be missing."""
    stored = {row[0]: row[1:] for row in read(path, _STORED)}
    missing = {row[0] for row in read(path, "SELECT arxiv_id FROM missing_papers")}

    def is_lost(paper: MadePaper, *, may_be_missing: bool) -> bool:
        if may_be_missing and paper.arxiv_id in missing:
            return False
        version, datestamp = stored.get(paper.arxiv_id, (0, ""))
        return version < paper.newest.number or (datestamp or "") < paper.datestamp.isoformat()

    return [
        f"the cursor of {source} {part} is at {position} without {paper.arxiv_id}"
        for source, part, position in read(path, "SELECT source, part, position FROM cursors")
        for paper in _told_before(server, source, part, position)
        if not set(wanted).isdisjoint(paper.categories) and is_lost(paper, may_be_missing=source != "oai")
    ]


_STORED = "SELECT arxiv_id, version, datestamp FROM papers JOIN revisions USING (revision_id, arxiv_id)"


def _told_before(server: ArxivServer, source: str, part: str, position: str) -> list[MadePaper]:
    """Return the papers that a list tells of, as it stands now, on the days before a cursor."""
    if source not in ("oai", "identifiers"):
        return []
    first_day = (server.today - timedelta(days=NIGHTS_BEGAN)).isoformat()
    return [
        paper
        for paper in server.papers.values()
        if first_day <= paper.datestamp.isoformat() < position and taxonomy.is_member(paper.categories, part)
    ]


def read(path: Path, sql: str) -> list[Row]:
    """Return the rows of a query, read by SQLite alone."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()
