"""How much is left, for `bmp queue stats`: what the audit says is missed, and how many more are to be screened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import click

from curation.cli.context import rounded, write_table
from db.records import Status, Stratum
from db.text import show_score

if TYPE_CHECKING:
    from datetime import date

    from db.store import Row, Store

RELEVANT = (Status.ACCEPTED, Status.REOPENED)
DECIDED = (*RELEVANT, Status.REJECTED)
ENOUGH_AUDITS = 30  # decided, before the bound says much: with none of 30 relevant it is at 10%
ENOUGH_OF_EACH = 5  # accepted and rejected, before an effort is told
SCORE_RANGES = (0.0, 0.5, 0.7, 0.85, 0.95, 1.01)
SAID_FROM = 5  # phenomena, before it is said which one is scored

_NAMES = {Stratum.NEAR: "best of each paper", Stratum.REST: "all others"}


def gather_remaining(store: Store, *, today: date) -> dict[str, Any]:
    """Return `audits` and `effort`, each with `total` and, by code, `phenomena`; `cut`, `backlog` and `scores`.

    Args:
        today: the day that snoozed candidates are judged by.
    """
    from db.audits import list_frames, list_scored
    from db.decisions import list_scored_verdicts
    from db.matches import count_backlog, find_newest_ranking

    ranking = find_newest_ranking(store)
    verdicts = list_scored_verdicts(store, ranking.way.base_version, ranking.way.model_id) if ranking else []
    scored, frames = list_scored(store, today=today), list_frames(store)
    out_of_fold = _score_out_of_fold(store, scored)
    audits = [row for row in scored if row["stratum"]]
    total = _tell_audits(audits, frames)
    strata = {one.value: _tell_audits(_of(audits, "stratum", one), _of(frames, "stratum", one)) for one in Stratum}
    return {
        "audits": {
            "total": {**total, "strata": strata},
            "phenomena": {
                code: _tell_audits(_of(audits, "phenomenon", code), _of(frames, "phenomenon", code))
                for code in _codes(audits)
            },
        },
        "effort": {
            "total": _tell_effort(scored),
            "phenomena": {
                code: {**_tell_effort(_of(scored, "phenomenon", code)), "out_of_fold": code in out_of_fold}
                for code in _codes(scored)
            },
        },
        "cut": asdict(ranking.cut) if ranking else None,
        "backlog": count_backlog(store, ranking.ranking_id) if ranking else 0,
        "scores": _tell_scores(verdicts),
    }


def gather_effort(store: Store, phenomenon: str, *, today: date) -> dict[str, Any]:
    """Return the effort for one phenomenon: `recalls`, with what each takes, and what it rests on.

    Args:
        today: the day that snoozed candidates are judged by.
    """
    from db.audits import list_scored

    scored = _of(list_scored(store, today=today), "phenomenon", phenomenon)
    _score_out_of_fold(store, scored)
    return _tell_effort(scored)


def _tell_scores(verdicts: Sequence[Row]) -> list[dict[str, Any]]:
    """Return for each range of scores how many were decided and accepted, and what the scores led to expect."""
    told = []
    for low, high in pairwise(SCORE_RANGES):
        some = [row for row in verdicts if low <= row["score"] < high]
        if some:
            expected = sum(row["score"] for row in some) / len(some)
            accepted = sum(row["accepted"] for row in some)
            shares = {"decided": len(some), "accepted": accepted, "expected": rounded(expected)}
            told.append({"from": low, "to": min(high, 1.0), **shares})
    return told


def _score_out_of_fold(store: Store, scored: Sequence[Row]) -> list[str]:
    """Put in place of decided candidates' scores those of a ranker that did not learn from them; tell for which codes.

    It is done for the phenomena whose effort can be told. Where none has been matched, and for papers that are not at
    hand, the scores stay.
    """
    from crawler.rerank import QueueRanker
    from curation.cli.context import say

    codes = [code for code in _codes(scored) if _has_enough(_of(scored, "phenomenon", code))]
    ranker = QueueRanker.make(store) if codes else None
    if ranker is None:
        return []
    codes = [code for code in codes if code in ranker.codes]
    if len(codes) > SAID_FROM:
        ranker.read_claims()
    for number, code in enumerate(codes, 1):
        if len(codes) > SAID_FROM:
            say(f"Scoring what was decided for {code}, as if it waited still ({number} of {len(codes)}).")
        found = ranker.score_held_out(code)
        for row in _of(scored, "phenomenon", code):
            if row["status"] in DECIDED:
                row["score"] = found.get(row["arxiv_id"], row["score"])
    return codes


def _has_enough(scored: Sequence[Row]) -> bool:
    relevant = [_is_relevant(row) for row in scored if row["status"] in DECIDED]
    return min(sum(relevant), len(relevant) - sum(relevant)) >= ENOUGH_OF_EACH


def _codes(rows: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(row["phenomenon"] for row in rows))


def _of(rows: Iterable[Row], name: str, value: str) -> list[Row]:
    return [row for row in rows if row[name] == value]


def _tell_audits(audits: Sequence[Row], frames: Sequence[Row]) -> dict[str, Any]:
    """Return the counts, the estimated miss rate and its bound; the rate is None where nothing can be estimated."""
    from crawler.ranking.missed import Sampled, estimate_miss_rate

    decided = [row for row in audits if row["status"] in DECIDED]
    strata = []
    for stratum in Stratum:
        mine = _of(decided, "stratum", stratum)
        size = sum(frame["size"] for frame in _of(frames, "stratum", stratum))
        strata.append(Sampled(size, [row["probability"] for row in mine], [_is_relevant(row) for row in mine]))
    estimate = estimate_miss_rate(strata)
    return {
        "drawn": len(audits),
        "decided": len(decided),
        "relevant": sum(_is_relevant(row) for row in decided),
        "pairs": sum(stratum.size for stratum in strata),
        "miss_rate": None if estimate is None else rounded(estimate.rate),
        "at_most": None if estimate is None else rounded(estimate.upper),
        "enough": len(decided) >= ENOUGH_AUDITS,
    }


def _is_relevant(row: Row) -> bool:
    return row["status"] in RELEVANT


def _tell_effort(scored: Sequence[Row]) -> dict[str, Any]:
    """Return how many were accepted and rejected and, where these are enough, what each recall takes.

    `more` is what is left to screen: candidates that wait, and for each audit the pairs that it stands for.
    """
    from crawler.ranking.effort import effort_table

    decided = [row for row in scored if row["status"] in DECIDED]
    relevant = [_is_relevant(row) for row in decided]
    accepted = sum(relevant)
    told: dict[str, Any] = {"accepted": accepted, "rejected": len(decided) - accepted, "recalls": []}
    if not _has_enough(scored):
        return told
    for effort in effort_table([row["score"] for row in decided], relevant, [_weight(row) for row in decided]):
        above = [row for row in scored if row["score"] >= effort.score]
        done = sum(row["status"] in DECIDED for row in above)
        more = max(0, round(sum(_weight(row) for row in above) - done))
        values = {name: round(value, 6) for name, value in asdict(effort).items()}
        told["recalls"].append({**values, "more": more})
    return told


def _weight(row: Row) -> float:
    return 1.0 if row["probability"] is None else 1 / row["probability"]


def write_remaining(told: dict[str, Any]) -> None:
    """Write what `gather_remaining` told, for people."""
    _write_cut(told["cut"], told["backlog"])
    _write_scores(told["scores"])
    _write_audits(told["audits"])
    _write_effort(told["effort"])


def _write_cut(cut: dict[str, Any] | None, backlog: int) -> None:
    if cut is None:
        return
    why = ""
    if cut["precision"] is not None:
        why = f", so that {cut['precision']:g} of it is expected to be right: {cut['decided']} decisions told of that"
    click.echo(f"\nQueued is what scores {cut['threshold']:g} or more{why}.")
    if backlog:
        click.echo(f"{backlog} more passed than the budget lets in; they wait, and count in nothing below.")


def _write_scores(told: Sequence[dict[str, Any]]) -> None:
    if not told:
        return
    click.echo("\nHow often a score was right: what was decided, by the score on which it was.")
    rows = []
    for one in reversed(told):
        share = one["accepted"] / one["decided"]
        scores = f"{one['from']:.2f} to {one['to']:.2f}"
        rows.append((scores, one["decided"], f"{share:.2f}", show_score(one["expected"])))
    write_table(rows, ("score", "decided", "accepted", "mean score"))


def _write_audits(audits: dict[str, Any]) -> None:
    total = audits["total"]
    if not total["drawn"]:
        click.echo("\nNothing that was not queued has been drawn for an audit, so that nothing tells what is missed.")
        return
    click.echo(f"\nThe audit: a random sample of the {total['pairs']} pairs that were scored and not queued.")
    rows = [(code, *_audit_cells(row)) for code, row in audits["phenomena"].items()]
    rows += [(_NAMES[Stratum(name)], *_audit_cells(row)) for name, row in total["strata"].items()]
    headers = ("phenomenon", "drawn", "decided", "relevant", "missed", "at most (95%)")
    write_table([*rows, ("all", *_audit_cells(total))], headers)
    if not total["enough"]:
        click.echo(
            f"Only {total['decided']} of them are decided, too few to say anything yet: the bound is wide."
            f" From {ENOUGH_AUDITS} on it means something."
        )


def _audit_cells(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["drawn"], row["decided"], row["relevant"], _percent(row["miss_rate"]), _percent(row["at_most"])


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.2%}"


def _write_effort(effort: dict[str, Any]) -> None:
    telling = sum(bool(part["recalls"]) for part in effort["phenomena"].values())
    parts = [*effort["phenomena"].items(), ("all", effort["total"] if telling > 1 else {"recalls": []})]
    rows = [
        (code, f"{one['recall']:.0%}", show_score(one["score"]), one["more"], _percent(one["share"]))
        for code, part in parts
        for one in part["recalls"]
    ]
    if rows:
        click.echo(
            "\nThe effort: how many more to screen, best first, to find so much of what is relevant."
            " It rests on what is decided, scored\nas if it waited still (out of fold); what lies further down counts"
            " only by its audits, and where\nnone is decided, nothing is known of it. The share is that of what was"
            " decided, audits with what they stand for."
        )
        write_table(rows, ("phenomenon", "recall", "down to score", "more to screen", "share of decided"))
    short = [code for code, part in parts[:-1] if not part["recalls"]]
    if short or not rows:
        need = f"{ENOUGH_OF_EACH} accepted and {ENOUGH_OF_EACH} rejected"
        told = f"for {len(short)} phenomena" if rows else "for any phenomenon"
        click.echo(f"\nToo little is decided to tell the effort {told}: it takes {need}.")
