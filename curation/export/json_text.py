"""JSON: the lossless format, for other programs."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from curation.evidence import Evidence
from curation.export.knowledge import Conflict, Entry, Knowledge, Step
from curation.figures import LEVEL, Figures, Share
from curation.moves import Move, Moves
from db.records import Phenomenon

FORMAT_VERSION = 1
INTERVAL = "wilson"  # the method of the share's interval


def read_schema() -> str:
    """Return the JSON Schema (draft 2020-12) of what `render_json` returns."""
    return files("curation").joinpath("export/data/catalogue.schema.json").read_text(encoding="utf-8")


def render_json(knowledge: Knowledge) -> str:
    """Return the curated database as JSON.

    Lists stand in the catalogue's order and the evidence's; `under_review` holds what was accepted once and
    re-opened since, which is in neither `evidence` nor `counts`. `figures` leave withdrawn papers out, `counts` do not.
    """
    document = {
        "format": "bmprinciples",
        "format_version": FORMAT_VERSION,
        "last_change": knowledge.last_change,
        "phenomena": [_entry(entry) for entry in knowledge.entries],
        "retired": [
            {**_phenomenon(one), "maturity": one.maturity.value, "superseded_by": one.superseded_by}
            for one in knowledge.retired
        ],
        "months": [_month(moves) for moves in knowledge.months],
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        **_phenomenon(entry.phenomenon),
        "maturity": entry.phenomenon.maturity.value,
        "suggested_maturity": {"maturity": entry.suggested.maturity.value, "reason": entry.suggested.reason},
        "maturity_history": [_step(step) for step in entry.maturity_history],
        "reworded_at": entry.reworded_at,
        "evidence": [_evidence(piece) for piece in entry.evidence],
        "counts": entry.counts,
        "figures": _figures(entry.figures),
        "under_review": [_reopened(piece) for piece in entry.under_review],
        "conflicts": [_conflict(conflict) for conflict in entry.conflicts],
    }


def _phenomenon(phenomenon: Phenomenon) -> dict[str, Any]:
    return {
        "code": phenomenon.code,
        "aspect": phenomenon.aspect.value,
        "group": phenomenon.group,
        "title": phenomenon.title,
        "statement": phenomenon.statement,
        "keywords": phenomenon.keywords,
        "references": phenomenon.references,
        "criteria": {
            "counts": phenomenon.criteria.counts,
            "excludes": phenomenon.criteria.excludes,
            "precedents": phenomenon.criteria.precedents,
        },
    }


def _step(step: Step) -> dict[str, Any]:
    return {"maturity": step.maturity.value, "at": step.at, "by": step.by, "note": step.note}


def _evidence(piece: Evidence) -> dict[str, Any]:
    return {
        "arxiv_id": piece.arxiv_id,
        "version": piece.version,
        "title": piece.title,
        "authors": piece.authors,
        "categories": piece.categories,
        "doi": piece.doi,
        "published": piece.published,
        "url": piece.url,
        "stance": piece.stance.value,
        "sentence": piece.sentence,
        "note": piece.note,
        "reviewer": piece.reviewer,
        "decided_at": piece.decided_at,
        "score": piece.score,
        "ranker_version": piece.ranker_version,
        "withdrawn": piece.withdrawn,
        "status": piece.status.value,
    }


def _reopened(piece: Evidence) -> dict[str, Any]:
    return {**_evidence(piece), "reason": piece.reason, "reopened_at": piece.reopened_at}


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "papers": figures.papers,
        "groups": figures.groups,
        "independent": figures.independent,
        "share": _share(figures.share),
        "first_supported": figures.first_supported,
        "newest_support": figures.newest_support,
        "timeline": [{"year": year.year, **year.counts} for year in figures.timeline],
    }


def _share(share: Share | None) -> dict[str, Any] | None:
    if share is None:
        return None
    return {
        "value": share.value,
        "low": share.low,
        "high": share.high,
        "level": LEVEL,
        "method": INTERVAL,
        "groups": share.groups,
    }


def _conflict(conflict: Conflict) -> dict[str, Any]:
    sides = [
        {
            "kind": side.kind,
            "stance": side.stance,
            "reviewer": side.reviewer,
            "decided_at": side.decided_at,
            "note": side.note,
        }
        for side in conflict.sides
    ]
    return {"arxiv_id": conflict.arxiv_id, "title": conflict.title, "sides": sides}


def _month(moves: Moves) -> dict[str, Any]:
    return {
        "since": moves.since,
        "until": moves.until,
        "loaded": moves.loaded,
        "moves": [tell_move(move) for move in moves.moves],
    }


def tell_move(move: Move) -> dict[str, Any]:
    """Return a move as plain values; the paper is None where the entry itself moved."""
    piece = move.evidence
    paper = piece and {
        "arxiv_id": piece.arxiv_id,
        "version": piece.version,
        "title": piece.title,
        "url": piece.url,
        "stance": piece.stance.value,
    }
    return {
        "kind": move.kind.value,
        "phenomenon": move.phenomenon,
        "title": move.title,
        "at": move.at,
        "by": move.by,
        "paper": paper,
        "before": move.before,
        "after": move.after,
        "note": move.note,
    }
