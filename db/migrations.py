"""The schema, step by step. A step that has shipped is never edited, renamed or moved; it imports nothing of ours."""

from __future__ import annotations

from db.library import Database, Migrations

migrations = Migrations("bmprinciples")


def step_names(steps: Migrations = migrations) -> list[str]:
    """Return the names of all steps, in order; by default of those this program knows."""
    return [step.name for step in steps._migrations]  # the library has no public list


@migrations()
def m0001_first_schema(db: Database) -> None:
    """Papers and revisions, vectors, catalogue, matches, queue, decisions, ledger."""
    _execute_all(db, _FIRST_SCHEMA)


@migrations()
def m0002_ledger_by_part(db: Database) -> None:
    """The ledger by source and part, papers known to be missing, records that could not be read, digests sent."""
    _execute_all(db, _LEDGER_BY_PART)


@migrations()
def m0003_what_was_known_when(db: Database) -> None:
    """When a missing paper was last asked for and first seen; whether a paper was withdrawn when it was decided on."""
    _execute_all(db, _WHAT_WAS_KNOWN_WHEN)


@migrations()
def m0004_audits(db: Database) -> None:
    """The random sample of what was not queued: what it is drawn from, what waits for the draw, what was drawn."""
    _execute_all(db, _AUDITS)


@migrations()
def m0005_reasons(db: Database) -> None:
    """What raised a match's score, as it was known when the match was made."""
    _execute_all(db, _REASONS)


@migrations()
def m0006_learning_beside_the_review(db: Database) -> None:
    """Words of papers at hand; scores of what waits after later decisions; the precision a threshold stands for."""
    _execute_all(db, _LEARNING_BESIDE_THE_REVIEW)


@migrations()
def m0007_cuts_by_decisions(db: Database) -> None:
    """Keep how many decisions the cut for a wanted precision rests on."""
    _execute_all(db, "ALTER TABLE rankings ADD COLUMN decided INTEGER NOT NULL DEFAULT 0;;")


@migrations()
def m0008_decisions_that_merge(db: Database) -> None:
    """Give each event of the log its turn and the events it was made on, so that logs of several databases join."""
    _execute_all(db, _DECISIONS_THAT_MERGE)


@migrations()
def m0009_catalogue_with_a_history(db: Database) -> None:
    """Let entries be retired, never removed; keep every change to the catalogue, append-only."""
    _execute_all(db, _CATALOGUE_WITH_A_HISTORY)


@migrations()
def m0010_proposals(db: Database) -> None:
    """Papers that fit no entry, clustered, as proposals for new ones; what became of each proposal."""
    _execute_all(db, _PROPOSALS)


@migrations()
def m0011_engines(db: Database) -> None:
    """Tell the vectors of different engines apart; keep them in half the space."""
    db.conn.create_function("to_half", 1, _to_half, deterministic=True)
    _execute_all(db, _ENGINES)


def _to_half(content: bytes) -> bytes:
    """Return little-endian float32 numbers as float16 ones."""
    import numpy as np

    return np.frombuffer(content, dtype="<f4").astype("<f2").tobytes()


@migrations()
def m0012_ways_through_millions(db: Database) -> None:
    """Indexes by which a night finds what is left to do, and the queue its first page, without reading all papers."""
    _execute_all(db, _WAYS_THROUGH_MILLIONS)


@migrations()
def m0013_sifts(db: Database) -> None:
    """Keep how far old papers were sifted for those that can reach the queue."""
    _execute_all(db, _SIFTS)


@migrations()
def m0014_named_papers(db: Database) -> None:
    """Keep which papers a person asked for: no cascade passes them over."""
    _execute_all(db, _NAMED_PAPERS)


def _execute_all(db: Database, statements: str) -> None:
    for statement in statements.split(";;"):
        if statement.strip():
            db.execute(statement)


_FIRST_SCHEMA = """
CREATE TABLE runs (
    run_id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('nightly', 'backfill', 'fetch', 'demo')),
    status TEXT NOT NULL CHECK (status IN ('running', 'complete', 'quiet', 'partial', 'failed')),
    source TEXT NOT NULL,
    categories TEXT NOT NULL,
    since TEXT,
    started_at TEXT NOT NULL,
    finished_at TEXT,
    promised INTEGER,
    received INTEGER NOT NULL DEFAULT 0,
    new INTEGER NOT NULL DEFAULT 0,
    changed INTEGER NOT NULL DEFAULT 0,
    withdrawn INTEGER NOT NULL DEFAULT 0,
    malformed INTEGER NOT NULL DEFAULT 0,
    embedded INTEGER NOT NULL DEFAULT 0,
    matched INTEGER NOT NULL DEFAULT 0,
    queued INTEGER NOT NULL DEFAULT 0,
    harvest_seconds REAL NOT NULL DEFAULT 0,
    embed_seconds REAL NOT NULL DEFAULT 0,
    match_seconds REAL NOT NULL DEFAULT 0,
    program_version TEXT NOT NULL,
    model TEXT,
    ranker_version TEXT,
    error TEXT
) STRICT;;

CREATE TABLE cursors (
    source TEXT NOT NULL,
    part TEXT NOT NULL,
    position TEXT NOT NULL,
    run_id INTEGER NOT NULL REFERENCES runs (run_id),
    PRIMARY KEY (source, part)
) STRICT;;

CREATE TABLE malformed_records (
    malformed_id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL REFERENCES runs (run_id),
    identifier TEXT,
    reason TEXT NOT NULL,
    raw BLOB NOT NULL
) STRICT;;

CREATE TABLE papers (
    arxiv_id TEXT PRIMARY KEY,
    revision_id INTEGER NOT NULL REFERENCES revisions (revision_id) DEFERRABLE INITIALLY DEFERRED,
    authors TEXT NOT NULL CHECK (json_valid(authors)),
    categories TEXT NOT NULL,
    published_at TEXT NOT NULL,
    datestamp TEXT,
    comments TEXT,
    journal_ref TEXT,
    doi TEXT,
    license TEXT,
    withdrawn INTEGER NOT NULL DEFAULT 0 CHECK (withdrawn IN (0, 1)),
    run_id INTEGER NOT NULL REFERENCES runs (run_id)
) STRICT;;

CREATE TABLE revisions (
    revision_id INTEGER PRIMARY KEY,
    arxiv_id TEXT NOT NULL REFERENCES papers (arxiv_id) DEFERRABLE INITIALLY DEFERRED,
    version INTEGER NOT NULL CHECK (version >= 1),
    title TEXT NOT NULL,
    abstract TEXT NOT NULL,
    text_hash TEXT NOT NULL CHECK (length(text_hash) = 64),
    submitted_at TEXT NOT NULL,
    run_id INTEGER NOT NULL REFERENCES runs (run_id)
) STRICT;;
CREATE INDEX revisions_of_paper ON revisions (arxiv_id, revision_id);;
CREATE INDEX revisions_by_text ON revisions (text_hash);;

CREATE TABLE models (
    model_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    revision TEXT NOT NULL,
    prompt TEXT NOT NULL,
    max_length INTEGER NOT NULL,
    dimensions INTEGER NOT NULL CHECK (dimensions > 0),
    UNIQUE (name, revision, prompt, max_length)
) STRICT;;

CREATE TABLE vectors (
    text_hash TEXT NOT NULL CHECK (length(text_hash) = 64),
    model_id INTEGER NOT NULL REFERENCES models (model_id),
    vector BLOB NOT NULL CHECK (length(vector) > 0 AND length(vector) % 4 = 0),
    PRIMARY KEY (text_hash, model_id)
) STRICT;;

CREATE TABLE phenomena (
    code TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    aspect TEXT NOT NULL CHECK (aspect IN ('how', 'what')),
    group_name TEXT NOT NULL,
    title TEXT NOT NULL,
    statement TEXT NOT NULL,
    keywords TEXT NOT NULL CHECK (json_valid(keywords)),
    reference_ids TEXT NOT NULL CHECK (json_valid(reference_ids)),
    criteria TEXT NOT NULL CHECK (json_valid(criteria)),
    maturity TEXT NOT NULL CHECK (maturity IN ('observed', 'replicated', 'contested', 'established'))
) STRICT;;

CREATE TABLE rankings (
    ranking_id INTEGER PRIMARY KEY,
    ranker_version TEXT NOT NULL,
    model_id INTEGER NOT NULL REFERENCES models (model_id),
    catalogue_version TEXT NOT NULL,
    threshold REAL NOT NULL,
    UNIQUE (ranker_version, model_id, catalogue_version, threshold)
) STRICT;;

CREATE TABLE matched_revisions (
    revision_id INTEGER PRIMARY KEY REFERENCES revisions (revision_id),
    ranking_id INTEGER NOT NULL REFERENCES rankings (ranking_id),
    run_id INTEGER NOT NULL REFERENCES runs (run_id)
) STRICT;;

CREATE TABLE matches (
    match_id INTEGER PRIMARY KEY,
    revision_id INTEGER NOT NULL REFERENCES revisions (revision_id),
    phenomenon_code TEXT NOT NULL REFERENCES phenomena (code),
    ranking_id INTEGER NOT NULL REFERENCES rankings (ranking_id),
    score REAL NOT NULL CHECK (score BETWEEN 0 AND 1),
    sentence_start INTEGER,
    sentence_end INTEGER,
    UNIQUE (revision_id, phenomenon_code, ranking_id),
    CHECK ((sentence_start IS NULL) = (sentence_end IS NULL))
) STRICT;;

CREATE TABLE candidates (
    candidate_id INTEGER PRIMARY KEY AUTOINCREMENT,
    arxiv_id TEXT NOT NULL REFERENCES papers (arxiv_id),
    phenomenon_code TEXT NOT NULL REFERENCES phenomena (code),
    match_id INTEGER REFERENCES matches (match_id),
    run_id INTEGER REFERENCES runs (run_id),
    queued_at TEXT NOT NULL,
    UNIQUE (arxiv_id, phenomenon_code)
) STRICT;;
CREATE INDEX candidates_of_phenomenon ON candidates (phenomenon_code);;

CREATE TABLE decisions (
    decision_id INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE DEFAULT (lower(hex(randomblob(16)))),
    candidate_id INTEGER NOT NULL REFERENCES candidates (candidate_id),
    kind TEXT NOT NULL CHECK (kind IN ('accept', 'reject', 'maybe', 'snooze', 'undo', 'reopen')),
    stance TEXT CHECK (stance IN ('supports', 'contradicts', 'qualifies', 'mentions')),
    note TEXT,
    until TEXT,
    undoes INTEGER UNIQUE REFERENCES decisions (decision_id),
    revision_id INTEGER NOT NULL REFERENCES revisions (revision_id),
    sentence TEXT,
    score REAL,
    ranker_version TEXT,
    catalogue_version TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    decided_at TEXT NOT NULL,
    CHECK ((kind = 'accept') = (stance IS NOT NULL)),
    CHECK ((kind = 'snooze') = (until IS NOT NULL)),
    CHECK ((kind = 'undo') = (undoes IS NOT NULL))
) STRICT;;
CREATE INDEX decisions_of_candidate ON decisions (candidate_id, decision_id);;

CREATE TRIGGER decisions_are_never_changed BEFORE UPDATE ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;;
CREATE TRIGGER decisions_are_never_deleted BEFORE DELETE ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;;
"""

_LEDGER_BY_PART = """
ALTER TABLE runs ADD COLUMN reconcile_seconds REAL NOT NULL DEFAULT 0;;
ALTER TABLE runs ADD COLUMN fetched INTEGER NOT NULL DEFAULT 0;;
ALTER TABLE runs ADD COLUMN model_revision TEXT;;
ALTER TABLE runs ADD COLUMN refused INTEGER NOT NULL DEFAULT 0 CHECK (refused IN (0, 1));;
ALTER TABLE runs ADD COLUMN note TEXT;;

CREATE TABLE run_parts (
    run_id INTEGER NOT NULL REFERENCES runs (run_id),
    source TEXT NOT NULL,
    part TEXT NOT NULL,
    asked TEXT NOT NULL,
    promised INTEGER,
    received INTEGER NOT NULL DEFAULT 0,
    new INTEGER NOT NULL DEFAULT 0,
    changed INTEGER NOT NULL DEFAULT 0,
    withdrawn INTEGER NOT NULL DEFAULT 0,
    malformed INTEGER NOT NULL DEFAULT 0,
    missing INTEGER NOT NULL DEFAULT 0,
    pages INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0,
    cursor_before TEXT,
    cursor_after TEXT,
    error TEXT,
    bad_answer BLOB,
    PRIMARY KEY (run_id, source, part)
) STRICT;;

ALTER TABLE malformed_records ADD COLUMN source TEXT;;
ALTER TABLE malformed_records ADD COLUMN part TEXT;;
ALTER TABLE malformed_records ADD COLUMN size_bytes INTEGER;;
ALTER TABLE malformed_records ADD COLUMN fingerprint TEXT;;
CREATE INDEX malformed_by_fingerprint ON malformed_records (fingerprint);;

CREATE TABLE missing_papers (
    arxiv_id TEXT PRIMARY KEY,
    version INTEGER,
    datestamp TEXT,
    fingerprint TEXT,
    told_by TEXT NOT NULL CHECK (told_by IN ('rss', 'identifiers', 'malformed')),
    run_id INTEGER NOT NULL REFERENCES runs (run_id),
    found_at TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    settled_as TEXT CHECK (settled_as IN ('fetched', 'arrived', 'not wanted')),
    settled_at TEXT,
    settled_run_id INTEGER REFERENCES runs (run_id),
    CHECK ((settled_as IS NULL) = (settled_at IS NULL))
) STRICT;;

CREATE TABLE digests (
    digest_id INTEGER PRIMARY KEY,
    since TEXT NOT NULL,
    until TEXT NOT NULL,
    sent_to TEXT NOT NULL,
    sent_at TEXT NOT NULL
) STRICT;;
"""

_WHAT_WAS_KNOWN_WHEN = """
ALTER TABLE missing_papers ADD COLUMN tried_at TEXT;;
ALTER TABLE missing_papers ADD COLUMN seen_at TEXT;;
ALTER TABLE runs ADD COLUMN told_at TEXT;;
UPDATE runs SET told_at = started_at;;
ALTER TABLE decisions ADD COLUMN paper_withdrawn INTEGER NOT NULL DEFAULT 0 CHECK (paper_withdrawn IN (0, 1));;
"""

_AUDITS = """
CREATE TABLE audit_frames (
    stratum TEXT NOT NULL CHECK (stratum IN ('near', 'rest')),
    phenomenon_code TEXT NOT NULL REFERENCES phenomena (code),
    drawn_from INTEGER NOT NULL DEFAULT 0,
    waiting INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (stratum, phenomenon_code)
) STRICT;;

CREATE TABLE audit_pool (
    revision_id INTEGER NOT NULL REFERENCES revisions (revision_id),
    phenomenon_code TEXT NOT NULL REFERENCES phenomena (code),
    stratum TEXT NOT NULL CHECK (stratum IN ('near', 'rest')),
    ranking_id INTEGER NOT NULL REFERENCES rankings (ranking_id),
    size INTEGER NOT NULL CHECK (size > 0),
    score REAL NOT NULL CHECK (score BETWEEN 0 AND 1),
    chance INTEGER NOT NULL CHECK (chance >= 0),
    PRIMARY KEY (revision_id, phenomenon_code)
) STRICT;;

CREATE TABLE audits (
    candidate_id INTEGER PRIMARY KEY REFERENCES candidates (candidate_id),
    match_id INTEGER NOT NULL REFERENCES matches (match_id),
    run_id INTEGER NOT NULL REFERENCES runs (run_id),
    draw INTEGER NOT NULL CHECK (draw > 0),
    stratum TEXT NOT NULL CHECK (stratum IN ('near', 'rest')),
    probability REAL NOT NULL CHECK (probability > 0 AND probability <= 1),
    place REAL NOT NULL
) STRICT;;
"""

_REASONS = """
CREATE TABLE match_reasons (
    match_id INTEGER PRIMARY KEY REFERENCES matches (match_id),
    text_hash TEXT NOT NULL CHECK (length(text_hash) = 64),
    terms TEXT NOT NULL CHECK (json_valid(terms)),
    nearest TEXT NOT NULL CHECK (json_valid(nearest))
) STRICT;;
"""

_LEARNING_BESIDE_THE_REVIEW = """
CREATE TABLE paper_words (
    text_hash TEXT PRIMARY KEY CHECK (length(text_hash) = 64),
    counting INTEGER NOT NULL,
    content BLOB NOT NULL
) STRICT;;

CREATE TABLE standing_scores (
    candidate_id INTEGER PRIMARY KEY REFERENCES candidates (candidate_id),
    match_id INTEGER NOT NULL REFERENCES matches (match_id),
    score REAL NOT NULL CHECK (score BETWEEN 0 AND 1),
    ranker_version TEXT NOT NULL
) STRICT;;

ALTER TABLE rankings ADD COLUMN precision REAL;;
"""

# An event's turn is one more than the highest that was known on its candidate (a Lamport clock); `follows` are the
# events that nothing followed yet when it was made. The newest is the last by `place`: by turn, among equals by time.
# A re-opening stands right behind the acceptance that it re-opens, so that it takes the place of nothing else.
_DECISIONS_THAT_MERGE = """
CREATE TABLE decisions_anew (
    decision_id INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE DEFAULT (lower(hex(randomblob(16)))),
    candidate_id INTEGER NOT NULL REFERENCES candidates (candidate_id),
    kind TEXT NOT NULL CHECK (kind IN ('accept', 'reject', 'maybe', 'snooze', 'undo', 'reopen')),
    stance TEXT CHECK (stance IN ('supports', 'contradicts', 'qualifies', 'mentions')),
    note TEXT,
    until TEXT,
    undoes INTEGER REFERENCES decisions_anew (decision_id),
    turn INTEGER NOT NULL CHECK (turn > 0),
    follows TEXT NOT NULL CHECK (json_valid(follows)),
    revision_id INTEGER NOT NULL REFERENCES revisions (revision_id),
    paper_withdrawn INTEGER NOT NULL DEFAULT 0 CHECK (paper_withdrawn IN (0, 1)),
    sentence TEXT,
    score REAL,
    ranker_version TEXT,
    catalogue_version TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    decided_at TEXT NOT NULL,
    place TEXT NOT NULL UNIQUE,
    CHECK ((kind = 'accept') = (stance IS NOT NULL)),
    CHECK ((kind = 'snooze') = (until IS NOT NULL)),
    CHECK ((kind = 'undo') = (undoes IS NOT NULL))
) STRICT;;

INSERT INTO decisions_anew (decision_id, event_id, candidate_id, kind, stance, note, until, undoes, turn, follows,
    revision_id, paper_withdrawn, sentence, score, ranker_version, catalogue_version, reviewer, decided_at, place)
SELECT decision_id, event_id, candidate_id, kind, stance, note, until, undoes, row_number() OVER log,
    CASE WHEN lag(event_id) OVER log IS NULL THEN '[]' ELSE json_array(lag(event_id) OVER log) END,
    revision_id, paper_withdrawn, sentence, score, ranker_version, catalogue_version, reviewer, decided_at,
    printf('%010d %s %s', row_number() OVER log, decided_at, event_id)
FROM decisions WINDOW log AS (PARTITION BY candidate_id ORDER BY decision_id) ORDER BY decision_id;;

DROP TABLE decisions;;
ALTER TABLE decisions_anew RENAME TO decisions;;
CREATE INDEX decisions_of_candidate ON decisions (candidate_id, place);;
CREATE INDEX decisions_undoing ON decisions (undoes);;

CREATE TRIGGER decisions_are_never_changed BEFORE UPDATE ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;;
CREATE TRIGGER decisions_are_never_deleted BEFORE DELETE ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;;
"""

_CATALOGUE_WITH_A_HISTORY = """
ALTER TABLE phenomena ADD COLUMN retired INTEGER NOT NULL DEFAULT 0 CHECK (retired IN (0, 1));;
ALTER TABLE phenomena ADD COLUMN superseded_by TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(superseded_by));;

CREATE TABLE catalogue_changes (
    change_id INTEGER PRIMARY KEY AUTOINCREMENT,
    code TEXT NOT NULL REFERENCES phenomena (code),
    kind TEXT NOT NULL CHECK (kind IN ('load', 'add', 'edit', 'import', 'merge', 'split')),
    before TEXT CHECK (before IS NULL OR json_valid(before)),
    after TEXT NOT NULL CHECK (json_valid(after)),
    note TEXT,
    author TEXT NOT NULL,
    changed_at TEXT NOT NULL
) STRICT;;
CREATE INDEX catalogue_changes_of_entry ON catalogue_changes (code, change_id);;

CREATE TRIGGER catalogue_changes_are_never_changed BEFORE UPDATE ON catalogue_changes
BEGIN SELECT RAISE(ABORT, 'the catalogue''s history is append-only'); END;;
CREATE TRIGGER catalogue_changes_are_never_deleted BEFORE DELETE ON catalogue_changes
BEGIN SELECT RAISE(ABORT, 'the catalogue''s history is append-only'); END;;
"""

_PROPOSALS = """
CREATE TABLE proposals (
    proposal_id INTEGER PRIMARY KEY AUTOINCREMENT,
    proposal_key TEXT NOT NULL UNIQUE,
    made_at TEXT NOT NULL,
    terms TEXT NOT NULL CHECK (json_valid(terms)),
    figures TEXT NOT NULL CHECK (json_valid(figures)),
    growth TEXT NOT NULL CHECK (json_valid(growth)),
    place INTEGER NOT NULL,
    status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'accepted', 'dismissed')),
    settled_by TEXT,
    settled_at TEXT,
    phenomenon_code TEXT REFERENCES phenomena (code),
    CHECK ((status = 'open') = (settled_at IS NULL)),
    CHECK ((settled_at IS NULL) = (settled_by IS NULL)),
    CHECK ((status = 'accepted') = (phenomenon_code IS NOT NULL))
) STRICT;;

CREATE TABLE proposal_members (
    proposal_id INTEGER NOT NULL REFERENCES proposals (proposal_id) ON DELETE CASCADE,
    arxiv_id TEXT NOT NULL REFERENCES papers (arxiv_id),
    closeness REAL NOT NULL,
    PRIMARY KEY (proposal_id, arxiv_id)
) STRICT;;
"""

# Vectors of before are torch's in float32: nothing else was there.
_ENGINES = """
CREATE TABLE engines (
    engine_id INTEGER PRIMARY KEY,
    model_id INTEGER NOT NULL REFERENCES models (model_id),
    name TEXT NOT NULL,
    least_cosine REAL,
    UNIQUE (model_id, name)
) STRICT;;

INSERT INTO engines (model_id, name)
SELECT model_id, 'torch float32' FROM models WHERE model_id IN (SELECT model_id FROM vectors);;

CREATE TABLE vectors_anew (
    text_hash TEXT NOT NULL CHECK (length(text_hash) = 64),
    model_id INTEGER NOT NULL REFERENCES models (model_id),
    engine_id INTEGER NOT NULL REFERENCES engines (engine_id),
    vector BLOB NOT NULL CHECK (length(vector) > 0 AND length(vector) % 2 = 0),
    PRIMARY KEY (text_hash, model_id)
) STRICT;;

INSERT INTO vectors_anew (text_hash, model_id, engine_id, vector)
SELECT text_hash, model_id, engine_id, to_half(vector) FROM vectors JOIN engines USING (model_id);;

DROP TABLE vectors;;
ALTER TABLE vectors_anew RENAME TO vectors;;
"""

_WAYS_THROUGH_MILLIONS = """
CREATE INDEX papers_by_revision ON papers (revision_id, withdrawn);;
CREATE INDEX papers_newest ON papers (published_at, arxiv_id) WHERE NOT withdrawn;;
CREATE INDEX matched_in_run ON matched_revisions (run_id, ranking_id);;
CREATE INDEX matches_of_ranking ON matches (ranking_id);;
CREATE INDEX matches_by_score ON matches (score);;
CREATE INDEX candidates_of_match ON candidates (match_id);;
CREATE INDEX candidates_by_time ON candidates (queued_at);;
CREATE INDEX standing_by_score ON standing_scores (score);;
CREATE INDEX decisions_that_may_bring_back ON decisions (candidate_id) WHERE kind IN ('undo', 'snooze', 'reopen');;
"""

_SIFTS = """
CREATE TABLE sifts (
    ranker_version TEXT NOT NULL,
    model_id INTEGER NOT NULL REFERENCES models (model_id),
    catalogue_version TEXT NOT NULL,
    threshold REAL NOT NULL,
    horizon INTEGER NOT NULL CHECK (horizon >= 0),
    done INTEGER NOT NULL CHECK (done BETWEEN 0 AND horizon),
    PRIMARY KEY (ranker_version, model_id, catalogue_version, threshold)
) STRICT;;
"""

_NAMED_PAPERS = """
CREATE TABLE named_papers (
    arxiv_id TEXT PRIMARY KEY REFERENCES papers (arxiv_id)
) STRICT;;
"""
