"""JSON: the lossless format, for other programs."""

from __future__ import annotations

import json
from typing import Any

from curation.evidence import Evidence
from curation.export.knowledge import Entry, Knowledge

FORMAT_VERSION = 1


def render_json(knowledge: Knowledge) -> str:
    """Return the curated database as JSON.

    Lists stand in the catalogue's order and the evidence's; `under_review` holds what was accepted once and
    re-opened since, which is in neither `evidence` nor `counts`.
    """
    document = {
        "format": "bmprinciples",
        "format_version": FORMAT_VERSION,
        "last_change": knowledge.last_change,
        "phenomena": [_entry(entry) for entry in knowledge.entries],
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def _entry(entry: Entry) -> dict[str, Any]:
    phenomenon = entry.phenomenon
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
        "maturity": phenomenon.maturity.value,
        "evidence": [_evidence(piece) for piece in entry.evidence],
        "counts": entry.counts,
        "under_review": [_reopened(piece) for piece in entry.under_review],
    }


def _evidence(piece: Evidence) -> dict[str, Any]:
    return {
        "arxiv_id": piece.arxiv_id,
        "version": piece.version,
        "title": piece.title,
        "authors": piece.authors,
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
