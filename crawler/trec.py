"""TREC's text formats: qrels (labels) and run files (rankings); and the topics file that may stand beside them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crawler.ranking.claims import Claim
from db.errors import UsageError
from db.text import clean_line, parse_arxiv_id

DOUBTFUL = -1  # a label that leaves a paper out of its topic's ranking
Qrels = Mapping[str, Mapping[str, int]]

_QRELS_LINE = "topic 0 paper label"
_RUN_LINE = "topic Q0 paper rank score tag"


@dataclass(frozen=True, slots=True)
class RunFile:
    """A ranking that was read from a file: paper ids by topic, best first."""

    tag: str
    rankings: Mapping[str, list[str]]


def parse_qrels(text: str, name: str) -> Qrels:
    """Return the labels by topic and paper: above zero is relevant, zero is not, below zero is doubtful.

    Papers are arXiv ids, with or without version; other ids are kept as they are.

    Args:
        name: what messages call the file.

    Raises:
        UsageError: a line does not hold, or two lines contradict each other; names the line.
    """
    qrels: dict[str, dict[str, int]] = {}
    for number, (topic, _, paper, label) in _read_lines(text, name, _QRELS_LINE):
        if not re.fullmatch(r"[+-]?\d{1,9}", label, re.ASCII):
            raise _fault(name, number, f"the label '{clean_line(label)[:20]}' is not a whole number", _QRELS_LINE)
        labels, paper_id = qrels.setdefault(topic, {}), _paper_id(paper)
        if labels.setdefault(paper_id, int(label)) != int(label):
            raise UsageError(f"{name}, line {number}: {paper_id} has two labels for {topic}", "leave one of them")
    if not qrels:
        raise UsageError(f"{name} has no labels", f"a line is: {_QRELS_LINE}")
    return qrels


def parse_run(text: str, name: str) -> RunFile:
    """Return the rankings of a run file, by score; equal scores go by id, as everywhere here. The rank is not read.

    A paper that comes twice in a topic, perhaps in two versions, keeps its better place.

    Args:
        name: what messages call the file.

    Raises:
        UsageError: a line does not hold; names it.
    """
    scored: dict[str, list[tuple[float, str]]] = {}
    tag = ""
    for number, fields in _read_lines(text, name, _RUN_LINE):
        topic, _, paper, _, score, tag = fields
        scored.setdefault(topic, []).append((-_parse_score(score, name, number), _paper_id(paper)))
    if not scored:
        raise UsageError(f"{name} has no ranking", f"a line is: {_RUN_LINE}")
    return RunFile(
        tag, {topic: list(dict.fromkeys(paper for _, paper in sorted(rows))) for topic, rows in scored.items()}
    )


def _parse_score(text: str, name: str, number: int) -> float:
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise _fault(name, number, f"the score '{clean_line(text)[:20]}' is not a number", _RUN_LINE)
    return score


def _read_lines(text: str, name: str, form: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the fields of each line that is not blank."""
    wanted = len(form.split())
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        fields = line.split()
        if fields and len(fields) != wanted:
            raise _fault(name, number, f"it has {len(fields)} fields, not {wanted}", form)
        if fields:
            yield number, fields


def _fault(name: str, number: int, fault: str, form: str) -> UsageError:
    return UsageError(f"{name}, line {number}: {fault}", f"a line is: {form}")


def _paper_id(text: str) -> str:
    return parse_arxiv_id(text) or clean_line(text)


def parse_topics(text: str, name: str) -> dict[str, Claim]:
    """Return the claims of a JSON object {topic: {"title", "claim", "keywords"}}; only the claim must be there.

    Args:
        name: what messages call the file.

    Raises:
        UsageError: it is not such an object; names the topic.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} is not JSON: {clean_line(str(error))[:80]}") from None
    if not isinstance(content, dict):
        raise UsageError(f"{name} is not a JSON object", 'write {"topic": {"title": "", "claim": "", "keywords": []}}')
    return {topic: _parse_topic(topic, entry, name) for topic, entry in content.items()}


def _parse_topic(topic: str, entry: Any, name: str) -> Claim:
    fields = entry if isinstance(entry, dict) else {}
    claim, keywords = fields.get("claim"), fields.get("keywords", [])
    title = fields.get("title", claim)
    keywords_hold = isinstance(keywords, list) and all(isinstance(keyword, str) for keyword in keywords)
    if not (isinstance(claim, str) and clean_line(claim) and isinstance(title, str) and keywords_hold):
        raise UsageError(
            f"{name}: topic '{clean_line(topic)[:40]}' does not hold",
            "it needs a claim in words, and may have a title and a list of keywords",
        )
    return Claim(topic, clean_line(title), clean_line(claim), tuple(clean_line(keyword) for keyword in keywords))


def run_tag(ranker_version: str) -> str:
    """Return what a run file of ours calls its ranker."""
    return re.sub(r"[^\w.-]", "-", f"bmp-{ranker_version}")


def run_lines(topic: str, ranking: Sequence[tuple[str, float]], tag: str) -> list[str]:
    """Return the lines of a run file, without their ends, for papers with their scores, best first.

    trec_eval reads scores as 32-bit floats, orders by them and reverses equal ones. So each is written as such a float,
    and where it would not be below the one before, as the next lower number: the order is read as it is written.
    """
    lines, last = [], np.float32(np.inf)
    for number, (paper, score) in enumerate(ranking, 1):
        last = min(np.float32(score), np.nextafter(last, np.float32(-np.inf)))
        lines.append(f"{topic} Q0 {paper} {number} {float(last)!r} {tag}")
    return lines
