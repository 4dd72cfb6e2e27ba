"""Decisions: an append-only log, from which the state of every candidate is derived.

An event keeps which events it follows, as a commit keeps its parents, so that the logs of two databases join without
a server. What is in force is the newest by `place`: by turn, among those made side by side by time.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from datetime import date

from db.errors import DecisionError
from db.phenomena import find_catalogue_version
from db.records import Stance, Verdict
from db.store import Row, Store
from db.text import hash_text

SYSTEM_REVIEWER = "bmp"

# Why an acceptance was re-opened, as the history tells it.
WITHDRAWN = "v{version} was withdrawn"
TEXT_CHANGED = "v{version} changed the title or the abstract"

# The decision in force on a candidate: the newest one that is neither an undo nor undone.
EFFECTIVE_DECISIONS = """
    SELECT candidate_id, decision_id, max(place) AS place FROM decisions AS d
    WHERE kind <> 'undo' AND NOT EXISTS (SELECT 1 FROM decisions AS u WHERE u.undoes = d.decision_id)
    GROUP BY candidate_id
"""

# The same of the candidate `:id` alone.
_EFFECTIVE_OF_ONE = EFFECTIVE_DECISIONS.replace("WHERE", "WHERE candidate_id = :id AND", 1)

# Whether `:mine` sees an event (of a table's alias): the own ones, and what re-opened an own acceptance. Without a
# name everybody sees all.
_SEES = """(:mine IS NULL OR {0}.reviewer = :mine OR ({0}.kind = 'reopen' AND 'accept' = (
    SELECT own.kind FROM decisions AS own WHERE own.candidate_id = {0}.candidate_id AND own.reviewer = :mine
        AND own.kind <> 'undo' AND own.place < {0}.place AND NOT EXISTS (
            SELECT 1 FROM decisions AS back WHERE back.undoes = own.decision_id AND back.reviewer = :mine)
    ORDER BY own.place DESC LIMIT 1)))"""


def _in_force(sees: str) -> str:
    """Return what selects the decision in force on one candidate (of the table `c`): the newest that no undo took back.

    Args:
        sees: which events count, a condition on the alias {0}.
    """
    return f"""(
    SELECT s.decision_id FROM decisions AS s
    WHERE s.candidate_id = c.candidate_id AND s.kind <> 'undo' AND {sees.format("s")} AND NOT EXISTS (
        SELECT 1 FROM decisions AS u WHERE u.undoes = s.decision_id AND {sees.format("u")})
    ORDER BY s.place DESC LIMIT 1
)"""


DECISION_IN_FORCE = _in_force("1")  # where few candidates are asked for, the others' decisions need not be looked at
SEEN_DECISION = _in_force(_SEES)  # by what `:mine` sees

# The newest acceptance before the decision `d`, of a re-opened candidate, by what `:mine` sees.
_SEEN_ACCEPTANCE = f"""(
    SELECT x.decision_id FROM decisions AS x
    WHERE x.candidate_id = d.candidate_id AND x.kind = 'accept' AND x.place < d.place AND {_SEES.format("x")}
        AND NOT EXISTS (SELECT 1 FROM decisions AS y WHERE y.undoes = x.decision_id AND {_SEES.format("y")})
    ORDER BY x.place DESC LIMIT 1
)"""

# The acceptance that each accepted or re-opened candidate rests on. For a re-opened one it is the newest acceptance
# before the re-opening that was not undone: what was decided stays on record until somebody decides anew.
STANDING_ACCEPTANCES = f"""
    SELECT d.candidate_id, d.kind, d.note AS reason, d.decided_at AS changed_at, d.paper_withdrawn,
        CASE d.kind WHEN 'accept' THEN d.decision_id ELSE (
            SELECT a.decision_id FROM decisions a
            WHERE a.candidate_id = d.candidate_id AND a.kind = 'accept' AND a.place < d.place
                AND NOT EXISTS (SELECT 1 FROM decisions u WHERE u.undoes = a.decision_id)
            ORDER BY a.place DESC LIMIT 1
        ) END AS acceptance_id
    FROM ({EFFECTIVE_DECISIONS}) e JOIN decisions d USING (decision_id)
    WHERE d.kind IN ('accept', 'reopen')
"""

# What a ranker's version is without what it had learned (`learned-3+1f3a9c02`), of a column.
BASE_VERSION = "substr({0}, 1, instr({0} || '+', '+') - 1)"

# The state that the decision in force (joined as `d`) implies on the day `:today`.
STATUS = """
    CASE d.kind WHEN 'accept' THEN 'accepted' WHEN 'reject' THEN 'rejected' WHEN 'maybe' THEN 'maybe'
    WHEN 'snooze' THEN CASE WHEN d.until > :today THEN 'snoozed' ELSE 'pending' END
    WHEN 'reopen' THEN 'reopened' ELSE 'pending' END
"""


def append_verdict(
    store: Store,
    candidate_id: int,
    verdict: Verdict,
    *,
    reviewer: str,
    now: str,
    stance: Stance | None = None,
    note: str | None = None,
    until: date | None = None,
    sentence: str | None = None,
    mine: str | None = None,
    elsewhere: bool = False,
    catalogue: str | None = None,
) -> int:
    """Append a person's decision and return its id. Runs inside a transaction.

    Args:
        stance: how the paper bears on the claim; with `accept` only, which needs one.
        until: the day the candidate comes back; with `snooze` only, which needs one.
        now: the moment of the decision, as text.
        sentence: what it rests on, in place of the match's sentence.
        mine: the reviewer, where no other's decisions were seen: then it follows the own ones alone.
        elsewhere: it was made in no database, at its time: it follows nothing that was decided later.
        catalogue: the version of the present catalogue, where many decisions are appended in one transaction.

    Raises:
        DecisionError: the candidate is not there, or stance or date do not go with the verdict.
    """
    if (verdict is Verdict.ACCEPT) != (stance is not None):
        raise DecisionError(
            "a stance goes with accept, and only with it", "supports, contradicts, qualifies or mentions"
        )
    if (verdict is Verdict.SNOOZE) != (until is not None):
        raise DecisionError("a date goes with snooze, and only with it", "say --until 2026-12-31")
    return _append(
        store,
        candidate_id,
        {
            "kind": verdict.value,
            "stance": stance.value if stance else None,
            "note": note or None,
            "until": until.isoformat() if until else None,
            "reviewer": reviewer,
            "decided_at": now,
            **({"sentence": sentence} if sentence else {}),
        },
        mine,
        known_until=now if elsewhere else None,
        catalogue=catalogue,
    )


def append_carried(store: Store, candidate_id: int, acceptance: Row, *, note: str, reviewer: str, now: str) -> int:
    """Append an acceptance of the same paper for another phenomenon and return its id. Runs inside a transaction.

    It rests on the revision and the sentence that the paper was accepted on there; if it was re-opened there, or the
    paper is another by now, it is re-opened at once.

    Args:
        acceptance: the decision that is carried along, a row of `decisions`, with `reopened_for`, why it was re-opened.
    """
    kept = ("kind", "stance", "revision_id", "paper_withdrawn", "sentence")
    event = {name: acceptance[name] for name in kept}
    carried = {"note": note, "reviewer": reviewer, "decided_at": now, "score": None, "ranker_version": None}
    decision_id = _append(store, candidate_id, {**event, **carried})
    if acceptance["reopened_for"]:
        _append_reopening(store, candidate_id, acceptance["reopened_for"], now)
    else:
        reopen_outdated(store, candidate_id, now=now)
    return decision_id


def append_undo(store: Store, candidate_id: int, *, reviewer: str, now: str, mine: str | None = None) -> int:
    """Take back the decision in force on a candidate and return the undo's id. Runs inside a transaction.

    Args:
        mine: the reviewer, where no other's decisions are seen.

    Raises:
        DecisionError: there is nothing to undo, or the newest event is a re-opening, which wants a new decision.
    """
    newest = find_effective(store, candidate_id, mine=mine)
    if store.value("SELECT 1 FROM candidates WHERE candidate_id = ?", (candidate_id,)) is None:
        raise DecisionError(f"there is no candidate {candidate_id}", "`bmp queue list` shows the ids")
    if newest is None:
        raise DecisionError(f"candidate {candidate_id} has no decision to undo", "`bmp queue show` tells its history")
    if newest["kind"] == "reopen":
        raise DecisionError(
            f"candidate {candidate_id} was re-opened since ({newest['note']}), and a re-opening cannot be undone",
            f"decide it anew: `bmp queue decide {candidate_id} accept --stance S`, or reject, maybe, snooze",
        )
    undo = {"kind": "undo", "undoes": newest["decision_id"], "reviewer": reviewer, "decided_at": now}
    undo_id = _append(store, candidate_id, undo, mine)
    reopen_outdated(store, candidate_id, now=now)
    return undo_id


def reopen_outdated(store: Store, candidate_id: int | None = None, *, now: str) -> int:
    """Re-open acceptances in force whose paper is another by now, and return how many. Runs inside a transaction.

    An undo or a merge brings such an acceptance, if its paper changed while another decision was in force.

    Args:
        candidate_id: look at this one only.
    """
    outdated = store.rows(
        "SELECT d.candidate_id, p.withdrawn > d.paper_withdrawn AS newly_withdrawn, r.version"
        f" FROM ({EFFECTIVE_DECISIONS if candidate_id is None else _EFFECTIVE_OF_ONE}) e"
        " JOIN decisions d USING (decision_id)"
        " JOIN candidates c ON c.candidate_id = d.candidate_id JOIN papers p USING (arxiv_id)"
        " JOIN revisions r ON r.revision_id = p.revision_id JOIN revisions s ON s.revision_id = d.revision_id"
        " WHERE d.kind = 'accept'"
        " AND (s.text_hash <> r.text_hash OR p.withdrawn > d.paper_withdrawn)",
        {"id": candidate_id},
    )
    for row in outdated:
        reason = WITHDRAWN if row["newly_withdrawn"] else TEXT_CHANGED
        _append_reopening(store, row["candidate_id"], reason.format(version=row["version"]), now)
    return len(outdated)


def reopen_accepted(store: Store, arxiv_id: str, reason: str, *, now: str) -> int:
    """Re-open the accepted candidates of a paper and return how many. Runs inside a transaction."""
    accepted = store.rows(
        f"SELECT c.candidate_id FROM candidates c JOIN ({EFFECTIVE_DECISIONS}) e USING (candidate_id)"
        " JOIN decisions d ON d.decision_id = e.decision_id WHERE c.arxiv_id = ? AND d.kind = 'accept'",
        (arxiv_id,),
    )
    for row in accepted:
        _append_reopening(store, row["candidate_id"], reason, now)
    return len(accepted)


def _append_reopening(store: Store, candidate_id: int, reason: str, now: str) -> None:
    """Append a re-opening, under the id that every database with the same log gives it."""
    accepted = find_effective(store, candidate_id)
    assert accepted is not None  # it is what is re-opened
    event_id = hash_text(f"reopen {accepted['event_id']}")[:32]
    event = {
        "event_id": event_id,
        "kind": "reopen",
        "note": reason,
        "follows": json.dumps([accepted["event_id"]]),  # what stands beside it stands as it did
        "reviewer": SYSTEM_REVIEWER,
        "decided_at": now,
        "place": f"{accepted['place']} {event_id}",
    }
    _append(store, candidate_id, event)


def _append(
    store: Store,
    candidate_id: int,
    event: Row,
    mine: str | None = None,
    *,
    known_until: str | None = None,
    catalogue: str | None = None,
) -> int:
    seen = store.row(
        "SELECT p.revision_id, p.withdrawn AS paper_withdrawn, coalesce(s.score, m.score) AS score,"
        " coalesce(s.ranker_version, g.ranker_version) AS ranker_version,"
        " substr(r.abstract, m.sentence_start + 1, m.sentence_end - m.sentence_start) AS sentence"
        " FROM candidates c JOIN papers p USING (arxiv_id)"
        " LEFT JOIN matches m ON m.match_id = c.match_id LEFT JOIN revisions r ON r.revision_id = m.revision_id"
        " LEFT JOIN rankings g ON g.ranking_id = m.ranking_id"
        " LEFT JOIN standing_scores s ON (s.candidate_id, s.match_id) = (c.candidate_id, c.match_id)"
        " WHERE c.candidate_id = ?",
        (candidate_id,),
    )
    if seen is None:
        raise DecisionError(f"there is no candidate {candidate_id}", "`bmp queue list` shows the ids")
    heads = find_heads(store, candidate_id, mine=mine, until=known_until)
    turn, event_id = 1 + max((head["turn"] for head in heads), default=0), secrets.token_hex(16)
    made_on = {
        "catalogue_version": catalogue or find_catalogue_version(store),
        "event_id": event_id,
        "turn": turn,
        "follows": json.dumps([head["event_id"] for head in heads]),
        "place": place_of(turn, event["decided_at"], event_id),
    }
    return store.insert("decisions", {"candidate_id": candidate_id, **made_on, **seen, **event})


def place_of(turn: int, decided_at: str, event_id: str) -> str:
    """Return what a decision is ordered by among those on its candidate."""
    return f"{turn:010d} {decided_at} {event_id}"


def find_heads(store: Store, candidate_id: int, *, mine: str | None = None, until: str | None = None) -> list[Row]:
    """Return the events of a candidate that no other follows, by id: where histories went apart, more than one.

    Args:
        mine: look only at what this reviewer sees.
        until: look only at what was decided until this moment, as text.
    """
    known = "(:until IS NULL OR {0}.decided_at <= :until) AND " + _SEES
    return store.rows(
        f"SELECT d.* FROM decisions d WHERE d.candidate_id = :id AND {known.format('d')} AND d.event_id NOT IN ("
        " SELECT j.value FROM decisions f, json_each(f.follows) j"
        f" WHERE f.candidate_id = :id AND {known.format('f')}) ORDER BY d.event_id",
        {"id": candidate_id, "mine": mine, "until": until},
    )


def find_effective(store: Store, candidate_id: int, *, mine: str | None = None) -> Row | None:
    """Return the decision in force on a candidate, or None.

    Args:
        mine: look only at what this reviewer sees.
    """
    return store.row(
        f"SELECT d.* FROM candidates c JOIN decisions d ON d.decision_id = {SEEN_DECISION} WHERE c.candidate_id = :id",
        {"id": candidate_id, "mine": mine},
    )


def find_reopening(store: Store, candidate_id: int, *, mine: str | None = None) -> Row | None:
    """Return what a re-opened candidate was accepted on and what stands now, or None if it is not re-opened.

    The row has `reason`, `withdrawn`, and of both revisions `version`, `title` and `abstract`, with `old_` or `new_`
    before the name.

    Args:
        mine: look only at what this reviewer sees.
    """
    return store.row(
        "SELECT d.note AS reason, p.withdrawn,"
        " o.version AS old_version, o.title AS old_title, o.abstract AS old_abstract,"
        " n.version AS new_version, n.title AS new_title, n.abstract AS new_abstract"
        f" FROM candidates c JOIN decisions d ON d.decision_id = {SEEN_DECISION}"
        f" JOIN decisions a ON a.decision_id = {_SEEN_ACCEPTANCE}"
        " JOIN revisions o ON o.revision_id = a.revision_id JOIN papers p ON p.arxiv_id = c.arxiv_id"
        " JOIN revisions n ON n.revision_id = p.revision_id WHERE c.candidate_id = :id AND d.kind = 'reopen'",
        {"id": candidate_id, "mine": mine},
    )


def list_known(store: Store, phenomenon: str, *, but: int, mine: str | None = None) -> list[Row]:
    """Return what is accepted for a phenomenon, the newest paper first: `id`, `arxiv_id`, `title`, `published`,
    `stance`, `status` (accepted or reopened), `decided_at`.

    A re-opened one has the stance that it was accepted with.

    Args:
        but: leave this candidate out.
        mine: only what this reviewer accepted.
    """
    return store.rows(
        "SELECT c.candidate_id AS id, c.arxiv_id, r.title, substr(p.published_at, 1, 10) AS published,"
        f" coalesce(d.stance, (SELECT stance FROM decisions WHERE decision_id = {_SEEN_ACCEPTANCE})) AS stance,"
        " CASE d.kind WHEN 'accept' THEN 'accepted' ELSE 'reopened' END AS status, d.decided_at"
        f" FROM candidates c JOIN decisions d ON d.decision_id = {SEEN_DECISION}"
        " JOIN papers p USING (arxiv_id) JOIN revisions r ON r.revision_id = p.revision_id"
        " WHERE c.phenomenon_code = :code AND c.candidate_id <> :but AND d.kind IN ('accept', 'reopen')"
        " ORDER BY p.published_at DESC, c.arxiv_id DESC",
        {"code": phenomenon, "but": but, "mine": mine},
    )


def list_verdicts(store: Store, phenomena: Sequence[str]) -> list[Row]:
    """Return the candidates of these phenomena as a ranker learns from them: `phenomenon`, `arxiv_id`, `kind`.

    The kind is `accept` (a re-opened acceptance stands until it is decided anew), `reject`, or `open` for all others.
    """
    return store.rows(
        "SELECT c.phenomenon_code AS phenomenon, c.arxiv_id,"
        " CASE WHEN d.kind IN ('accept', 'reopen') THEN 'accept' WHEN d.kind = 'reject' THEN 'reject' ELSE 'open' END"
        f" AS kind FROM candidates c LEFT JOIN decisions d ON d.decision_id = {DECISION_IN_FORCE}"
        " WHERE c.phenomenon_code IN (SELECT value FROM json_each(?)) ORDER BY c.arxiv_id, c.phenomenon_code",
        (json.dumps(list(phenomena)),),
    )


def list_scored_verdicts(store: Store, ranker_version: str, model_id: int) -> list[Row]:
    """Return the acceptances and rejections in force that were made on a score: `phenomenon`, `arxiv_id`, `accepted`,
    and `score`, as it stood before.

    Second thoughts are left out: their score had learned from the first.

    Args:
        ranker_version: the own version of the scores' ranker, whatever it had learned.
        model_id: of whose vectors the scores were made.
    """
    return store.rows(
        "SELECT c.phenomenon_code AS phenomenon, c.arxiv_id, d.kind = 'accept' AS accepted, d.score"
        f" FROM ({EFFECTIVE_DECISIONS}) e JOIN decisions d USING (decision_id)"
        " JOIN candidates c ON c.candidate_id = d.candidate_id JOIN matches m USING (match_id)"
        " JOIN rankings g USING (ranking_id) WHERE d.kind IN ('accept', 'reject') AND d.score IS NOT NULL"
        f" AND g.model_id = ?2 AND {BASE_VERSION.format('d.ranker_version')} = ?1"
        " AND NOT EXISTS (SELECT 1 FROM decisions p WHERE p.candidate_id = d.candidate_id"
        " AND p.place < d.place AND p.kind IN ('accept', 'reject')) ORDER BY d.decided_at, d.event_id",
        (ranker_version, model_id),
    )


def list_decisions(store: Store, candidate_id: int, *, mine: str | None = None) -> list[Row]:
    """Return a candidate's whole history, oldest first.

    Args:
        mine: only what this reviewer sees.
    """
    return store.rows(
        f"SELECT * FROM decisions d WHERE candidate_id = :id AND {_SEES.format('d')} ORDER BY turn, place",
        {"id": candidate_id, "mine": mine},
    )


def newest_undoable(store: Store, reviewer: str, *, mine: str | None = None) -> int | None:
    """Return the candidate of the decision in force that this reviewer was the last to make, or None.

    Args:
        mine: the reviewer, where no other's decisions are seen.
    """
    found = store.value(
        "SELECT d.candidate_id FROM decisions d JOIN candidates c USING (candidate_id)"
        " WHERE d.reviewer = :reviewer AND d.kind NOT IN ('undo', 'reopen')"
        f" AND d.decision_id = {SEEN_DECISION} ORDER BY d.decision_id DESC LIMIT 1",
        {"reviewer": reviewer, "mine": mine},
    )
    return None if found is None else int(found)


def list_own(store: Store, reviewer: str, candidate_id: int | None = None) -> list[Row]:
    """Return this reviewer's own events in the order in which this database got them.

    Args:
        candidate_id: only those on this candidate.
    """
    return store.rows(
        "SELECT * FROM decisions WHERE reviewer = :reviewer AND (:id IS NULL OR candidate_id = :id)"
        " ORDER BY decision_id",
        {"reviewer": reviewer, "id": candidate_id},
    )


def list_events(store: Store, *, since: str, until: str) -> list[Row]:
    """Return all events of a span, oldest first, each with its candidate, paper, phenomenon and the revision it is on.

    `undone_kind` is what an undo took back; `taken_back` tells that a decision was undone since, `in_force` that the
    event is the one its candidate's state rests on.

    Args:
        since: the first moment of the span, as text.
        until: the first moment after it.
    """
    return store.rows(
        "SELECT d.decision_id, d.candidate_id, d.kind, d.stance, d.note, d.until, d.reviewer, d.decided_at,"
        " c.arxiv_id, r.version, r.title, c.phenomenon_code AS phenomenon, h.title AS phenomenon_title,"
        " u.kind AS undone_kind, u.stance AS undone_stance, e.decision_id IS NOT NULL AS in_force,"
        " EXISTS (SELECT 1 FROM decisions t WHERE t.undoes = d.decision_id) AS taken_back"
        " FROM decisions d JOIN candidates c USING (candidate_id) JOIN revisions r ON r.revision_id = d.revision_id"
        " JOIN phenomena h ON h.code = c.phenomenon_code LEFT JOIN decisions u ON u.decision_id = d.undoes"
        f" LEFT JOIN ({EFFECTIVE_DECISIONS}) e ON e.decision_id = d.decision_id"
        " WHERE d.decided_at >= ? AND d.decided_at < ? AND NOT (d.kind = 'reopen' AND h.retired)"
        " ORDER BY d.decided_at, d.decision_id",
        (since, until),
    )


def list_reviewer_verdicts(store: Store) -> list[Row]:
    """Return each reviewer's own newest verdict on each candidate: what was undone, and the program's own, left out.

    The rows have `candidate_id`, `phenomenon`, `reviewer`, `kind` (accept, reject, maybe) and `stance`.
    """
    return store.rows(
        "SELECT candidate_id, phenomenon_code AS phenomenon, reviewer, kind, stance FROM ("
        "SELECT candidate_id, reviewer, kind, stance, max(place) FROM decisions v"
        " WHERE kind IN ('accept', 'reject', 'maybe') AND reviewer <> ?"
        " AND NOT EXISTS (SELECT 1 FROM decisions u WHERE u.undoes = v.decision_id) GROUP BY candidate_id, reviewer)"
        " JOIN candidates USING (candidate_id) ORDER BY candidate_id, reviewer",
        (SYSTEM_REVIEWER,),
    )
