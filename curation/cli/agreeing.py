"""How far reviewers agree, for `bmp queue stats`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from curation.cli.context import rounded, write_table

if TYPE_CHECKING:
    from curation.agreement import Agreement, Agreements, Report

UNDEFINED = "undefined"


def describe_agreement(report: Report) -> dict[str, Any]:
    """Return `reviewers`, `total` and, by code, `phenomena`, each with `verdict` and `stance`; null is undefined."""
    return {
        "reviewers": list(report.reviewers),
        "total": _both(report.total),
        "phenomena": {code: _both(part) for code, part in report.phenomena.items()},
    }


def _both(part: Agreements) -> dict[str, Any]:
    return {"verdict": _one(part.verdicts), "stance": _one(part.stances)}


def _one(told: Agreement) -> dict[str, Any]:
    return {
        "candidates": told.candidates,
        "observed": rounded(told.observed),
        "alpha": rounded(told.alpha),
        "pairs": [
            {
                "reviewers": list(pair.reviewers),
                "candidates": pair.candidates,
                "observed": rounded(pair.observed),
                "kappa": rounded(pair.kappa),
            }
            for pair in told.pairs
        ],
    }


def write_agreement(report: Report) -> None:
    """Write for people how far reviewers agree; of one reviewer alone there is nothing to tell."""
    if len(report.reviewers) < 2:
        return
    if not report.total.verdicts.candidates:
        click.echo(
            f"\n{len(report.reviewers)} reviewers, and no candidate that two of them decided: no agreement to tell."
        )
        return
    click.echo(
        "\nThe agreement of reviewers, by each one's newest decision: Cohen's kappa for two, Krippendorff's alpha for"
        " all. 1 is full\nagreement, 0 is chance; where all said the same, chance can get nothing wrong: undefined."
    )
    parts = [*report.phenomena.items(), *([("all", report.total)] if len(report.phenomena) > 1 else [])]
    rows = [
        (code, on, *cells)
        for code, part in parts
        for on, told in (("decision", part.verdicts), ("stance", part.stances))
        for cells in _cells(told)
    ]
    write_table(rows, ("phenomenon", "on", "reviewers", "candidates", "equal", "kappa", "alpha"))


def _cells(told: Agreement) -> Iterator[tuple[Any, ...]]:
    for pair in told.pairs:
        yield " and ".join(pair.reviewers), pair.candidates, f"{pair.observed:.0%}", _figure(pair.kappa), ""
    if told.observed is not None:
        yield "all", told.candidates, f"{told.observed:.0%}", "", _figure(told.alpha)


def _figure(value: float | None) -> str:
    return UNDEFINED if value is None else f"{value:.2f}"
