"""What `bmp evaluate` tells: tables for a person, JSON for a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from crawler.evaluation import MEASURES, Result, Scores, average, compare
from curation.cli.context import name_some, write_table
from db.text import clean_line


@dataclass
class Report:
    """What there is to tell: a result a topic, and the lines of a run file where one is wanted."""

    model: str
    ranker: str = ""
    papers: int = 0
    results: list[Result] = field(default_factory=list)
    run_lines: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Other:
    """The other run, without the papers that are not stored, and how many those were."""

    name: str
    tag: str
    rankings: Mapping[str, list[str]]
    not_stored: int


def report_as_json(report: Report, other: Other | None) -> dict[str, Any]:
    """Return all that is told, as JSON's types."""
    told: dict[str, Any] = {
        "ranker": report.ranker,
        "model": report.model,
        "papers": report.papers,
        "topics": [_topic_as_json(result) for result in report.results],
        "mean": average([result.scores for result in report.results]),
        "not_stored": _not_stored(report.results),
    }
    common = _common(report.results)
    if other is not None:
        told["against"] = {
            "file": other.name,
            "tag": other.tag,
            "not_stored": other.not_stored,
            "mean": average(_others(report.results)),
            "difference": {name: {"mean": one.mean, "interval": one.interval} for name, one in compare(common).items()},
            "overlap@100": _mean_overlap(common),
        }
    return told


def _topic_as_json(result: Result) -> dict[str, Any]:
    topic = result.topic
    told: dict[str, Any] = {
        "topic": topic.code,
        "relevant": len(topic.relevant),
        "not_relevant": len(topic.labels) - len(topic.relevant),
        "doubtful": len(topic.doubtful),
        "not_stored": topic.not_stored,
        "measures": result.scores,
    }
    if result.against is not None:
        told |= {"against": result.against, "difference": result.difference, "overlap@100": result.overlap}
    return told


def write_report(report: Report, other: Other | None) -> None:
    """Write a table, one line a topic; with another run also its table, the differences, and what they amount to."""
    click.echo(f"{report.ranker} with {report.model}, {report.papers} papers\n")
    rows = [
        (result.topic.code, len(result.topic.relevant), len(result.topic.not_stored), *_numbers(result.scores))
        for result in report.results
    ]
    mean = average([result.scores for result in report.results])
    write_table([*rows, ("mean", "", "", *_numbers(mean))], ("topic", "relevant", "not stored", *MEASURES))
    missing = _not_stored(report.results)
    if missing:
        click.echo(f"\nNot stored, and so not ranked: {name_some(missing)}.")
    if other is not None:
        common = _common(report.results)
        _write_other(common, other)
        _write_differences(common, f"{report.ranker} less {other.name}")


def _write_other(results: Sequence[Result], other: Other) -> None:
    click.echo(f"\n{clean_line(other.name)} ({clean_line(other.tag)})\n")
    theirs = _others(results)
    rows = [(result.topic.code, *_numbers(one)) for result, one in zip(results, theirs, strict=True)]
    write_table([*rows, ("mean", *_numbers(average(theirs)))], ("topic", *MEASURES))


def _write_differences(results: Sequence[Result], title: str) -> None:
    click.echo(f"\n{clean_line(title)}; overlap: the share of the first 100 papers that both have\n")
    rows = [(result.topic.code, *_numbers(result.difference, "+.3f"), f"{result.overlap:.2f}") for result in results]
    found = compare(results)
    means = _numbers({name: found[name].mean for name in MEASURES}, "+.3f")
    intervals = [found[name].interval for name in MEASURES]
    lows, highs = ([_number(one[end], "+.3f") if one else "-" for one in intervals] for end in (0, 1))
    last = [
        ("mean", *means, f"{_mean_overlap(results):.2f}"),
        ("95% interval from", *lows, ""),
        ("to", *highs, ""),
    ]
    write_table([*rows, *last], ("topic", *MEASURES, "overlap"))


def _numbers(scores: Scores, form: str = ".3f") -> list[str]:
    return [_number(scores[name], form) for name in MEASURES]


def _number(value: float, form: str) -> str:
    return format(round(value, 3) + 0.0, form)  # no -0.000


def _others(results: Sequence[Result]) -> list[Scores]:
    return [result.against for result in results if result.against is not None]


def _common(results: Sequence[Result]) -> list[Result]:
    """Return the results of topics that the other run ranks, as trec_eval averages over the topics of a run."""
    return [result for result in results if result.against is not None]


def _mean_overlap(results: Sequence[Result]) -> float:
    return sum(result.overlap or 0 for result in results) / len(results)


def _not_stored(results: Sequence[Result]) -> list[str]:
    return sorted({paper for result in results for paper in result.topic.not_stored})
