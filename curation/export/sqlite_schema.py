"""The tables and views of the SQLite export."""

from __future__ import annotations

LAYOUT = """
PRAGMA encoding = 'UTF-8';
PRAGMA page_size = 4096;
PRAGMA auto_vacuum = NONE;
PRAGMA journal_mode = OFF;
PRAGMA foreign_keys = ON;
"""

SCHEMA = """
CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT
) STRICT;

CREATE TABLE phenomena (
    code TEXT NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL UNIQUE,
    aspect TEXT NOT NULL CHECK (aspect IN ('how', 'what')),
    group_name TEXT NOT NULL,
    title TEXT NOT NULL,
    statement TEXT NOT NULL,
    keywords TEXT NOT NULL CHECK (json_valid(keywords)),
    criteria TEXT NOT NULL CHECK (json_valid(criteria)),
    maturity TEXT NOT NULL CHECK (maturity IN ('observed', 'replicated', 'contested', 'established'))
) STRICT;

CREATE TABLE phenomenon_references (
    phenomenon_code TEXT NOT NULL REFERENCES phenomena (code),
    position INTEGER NOT NULL,
    arxiv_id TEXT NOT NULL,
    url TEXT,
    PRIMARY KEY (phenomenon_code, position)
) STRICT;

CREATE TABLE papers (
    arxiv_id TEXT NOT NULL PRIMARY KEY,
    title TEXT NOT NULL,
    authors TEXT NOT NULL CHECK (json_valid(authors)),
    categories TEXT NOT NULL,
    published TEXT NOT NULL,
    doi TEXT,
    withdrawn INTEGER NOT NULL CHECK (withdrawn IN (0, 1)),
    url TEXT
) STRICT;

CREATE TABLE evidence (
    phenomenon_code TEXT NOT NULL REFERENCES phenomena (code),
    arxiv_id TEXT NOT NULL REFERENCES papers (arxiv_id),
    version INTEGER NOT NULL CHECK (version >= 1),
    title TEXT NOT NULL,
    stance TEXT NOT NULL CHECK (stance IN ('supports', 'contradicts', 'qualifies', 'mentions')),
    sentence TEXT,
    note TEXT,
    reviewer TEXT NOT NULL,
    decided_at TEXT NOT NULL,
    score REAL,
    ranker_version TEXT,
    url TEXT,
    PRIMARY KEY (phenomenon_code, arxiv_id)
) STRICT;
CREATE INDEX evidence_of_paper ON evidence (arxiv_id);
CREATE INDEX evidence_by_stance ON evidence (phenomenon_code, stance);

CREATE TABLE under_review (
    phenomenon_code TEXT NOT NULL REFERENCES phenomena (code),
    arxiv_id TEXT NOT NULL REFERENCES papers (arxiv_id),
    version INTEGER NOT NULL CHECK (version >= 1),
    title TEXT NOT NULL,
    stance TEXT NOT NULL CHECK (stance IN ('supports', 'contradicts', 'qualifies', 'mentions')),
    sentence TEXT,
    note TEXT,
    reviewer TEXT NOT NULL,
    decided_at TEXT NOT NULL,
    score REAL,
    ranker_version TEXT,
    url TEXT,
    reason TEXT NOT NULL,
    reopened_at TEXT NOT NULL,
    PRIMARY KEY (phenomenon_code, arxiv_id)
) STRICT;
CREATE INDEX under_review_of_paper ON under_review (arxiv_id);

CREATE TABLE figures (
    phenomenon_code TEXT NOT NULL PRIMARY KEY REFERENCES phenomena (code),
    supports INTEGER NOT NULL,
    contradicts INTEGER NOT NULL,
    qualifies INTEGER NOT NULL,
    mentions INTEGER NOT NULL,
    groups_supporting INTEGER NOT NULL,
    groups_contradicting INTEGER NOT NULL,
    groups_qualifying INTEGER NOT NULL,
    groups_mentioning INTEGER NOT NULL,
    independent_groups INTEGER NOT NULL,
    share REAL,
    share_low REAL,
    share_high REAL,
    share_groups INTEGER NOT NULL,
    first_supported TEXT,
    newest_support TEXT,
    suggested_maturity TEXT NOT NULL
        CHECK (suggested_maturity IN ('observed', 'replicated', 'contested', 'established')),
    suggested_because TEXT NOT NULL,
    reworded_at TEXT
) STRICT;

CREATE TABLE timeline (
    phenomenon_code TEXT NOT NULL REFERENCES phenomena (code),
    year INTEGER NOT NULL,
    supports INTEGER NOT NULL,
    contradicts INTEGER NOT NULL,
    qualifies INTEGER NOT NULL,
    mentions INTEGER NOT NULL,
    PRIMARY KEY (phenomenon_code, year)
) STRICT;

CREATE TABLE conflicts (
    phenomenon_code TEXT NOT NULL REFERENCES phenomena (code),
    arxiv_id TEXT NOT NULL,
    title TEXT NOT NULL,
    url TEXT,
    PRIMARY KEY (phenomenon_code, arxiv_id)
) STRICT;

CREATE TABLE conflict_sides (
    phenomenon_code TEXT NOT NULL,
    arxiv_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('accept', 'reject', 'maybe', 'snooze')),
    stance TEXT CHECK (stance IN ('supports', 'contradicts', 'qualifies', 'mentions')),
    reviewer TEXT NOT NULL,
    decided_at TEXT NOT NULL,
    note TEXT,
    PRIMARY KEY (phenomenon_code, arxiv_id, position),
    FOREIGN KEY (phenomenon_code, arxiv_id) REFERENCES conflicts (phenomenon_code, arxiv_id)
) STRICT;

CREATE TABLE maturity_history (
    phenomenon_code TEXT NOT NULL REFERENCES phenomena (code),
    position INTEGER NOT NULL,
    maturity TEXT NOT NULL CHECK (maturity IN ('observed', 'replicated', 'contested', 'established')),
    set_at TEXT NOT NULL,
    set_by TEXT NOT NULL,
    note TEXT,
    PRIMARY KEY (phenomenon_code, position)
) STRICT;

CREATE TABLE retired_phenomena (
    code TEXT NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL UNIQUE,
    aspect TEXT NOT NULL CHECK (aspect IN ('how', 'what')),
    group_name TEXT NOT NULL,
    title TEXT NOT NULL,
    statement TEXT NOT NULL,
    maturity TEXT NOT NULL CHECK (maturity IN ('observed', 'replicated', 'contested', 'established')),
    superseded_by TEXT NOT NULL CHECK (json_valid(superseded_by))
) STRICT;

CREATE TABLE moves (
    move_id INTEGER NOT NULL PRIMARY KEY,
    month TEXT NOT NULL,
    kind TEXT NOT NULL,
    phenomenon_code TEXT NOT NULL,
    phenomenon TEXT NOT NULL,
    moved_at TEXT NOT NULL,
    moved_by TEXT NOT NULL,
    arxiv_id TEXT,
    version INTEGER,
    title TEXT,
    stance TEXT CHECK (stance IN ('supports', 'contradicts', 'qualifies', 'mentions')),
    before TEXT,
    after TEXT,
    note TEXT,
    url TEXT
) STRICT;
CREATE INDEX moves_of_phenomenon ON moves (phenomenon_code);

CREATE VIRTUAL TABLE evidence_fts USING fts5 (
    title, sentence, note, content="evidence", tokenize = 'porter unicode61'
);
CREATE VIRTUAL TABLE phenomena_fts USING fts5 (
    code, title, statement, keywords, content="phenomena", tokenize = 'porter unicode61'
);

CREATE VIEW evidence_by_phenomenon AS
SELECT h.code, h.aspect, h.group_name, h.title AS phenomenon, h.statement, h.maturity, e.stance, e.arxiv_id, e.version,
    e.title, p.authors, p.published, p.withdrawn, e.sentence, e.note, e.reviewer, e.decided_at, e.url
FROM evidence e JOIN phenomena h ON h.code = e.phenomenon_code JOIN papers p ON p.arxiv_id = e.arxiv_id
ORDER BY h.position, e.rowid;

CREATE VIEW balance AS
SELECT h.code, h.title, h.maturity,
    coalesce(sum(e.stance = 'supports'), 0) AS supports,
    coalesce(sum(e.stance = 'contradicts'), 0) AS contradicts,
    coalesce(sum(e.stance = 'qualifies'), 0) AS qualifies,
    coalesce(sum(e.stance = 'mentions'), 0) AS mentions
FROM phenomena h LEFT JOIN evidence e ON e.phenomenon_code = h.code
GROUP BY h.code ORDER BY h.position;

CREATE VIEW standing AS
SELECT h.code, h.title, h.maturity, f.suggested_maturity, f.suggested_because, f.supports, f.contradicts, f.qualifies,
    f.mentions, f.groups_supporting, f.groups_contradicting, f.independent_groups, f.share, f.share_low, f.share_high,
    f.first_supported, f.newest_support,
    (SELECT count(*) FROM under_review u WHERE u.phenomenon_code = h.code) AS under_review,
    (SELECT count(*) FROM conflicts c WHERE c.phenomenon_code = h.code) AS open_conflicts
FROM phenomena h JOIN figures f ON f.phenomenon_code = h.code
ORDER BY h.position;
"""
