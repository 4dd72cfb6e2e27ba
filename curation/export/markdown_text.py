"""Markdown: the living catalogue, for reading. How to train and what comes out, with the evidence for and against."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from curation.evidence import Evidence, abs_url
from curation.export.knowledge import Entry, Knowledge
from curation.export.markup import escape_markdown
from db.records import Aspect, Criteria, Stance

_HALVES = {Aspect.HOW: ("How", "How large models are trained."), Aspect.WHAT: ("What", "What large models come to be.")}
_STANCES = {
    Stance.SUPPORTS: "Evidence for",
    Stance.CONTRADICTS: "Evidence against",
    Stance.QUALIFIES: "Evidence that qualifies it",
    Stance.MENTIONS: "Mentioned by",
}
_WORDS = {
    Stance.SUPPORTS: "for",
    Stance.CONTRADICTS: "against",
    Stance.QUALIFIES: "qualifying",
    Stance.MENTIONS: "mentioning",
}
_AUTHORS_SHOWN = 3


def render_markdown(knowledge: Knowledge) -> str:
    """Return the curated database as one Markdown document; text from outside is escaped, links go to arXiv only."""
    lines = [*_introduction(knowledge), *_contents(knowledge)]
    for aspect in _HALVES:
        lines += _half(aspect, _of(knowledge, aspect))
    return "\n".join(lines).rstrip("\n") + "\n"


def _of(knowledge: Knowledge, aspect: Aspect) -> list[Entry]:
    return [entry for entry in knowledge.entries if entry.phenomenon.aspect is aspect]


def _groups(entries: Iterable[Entry]) -> Iterator[tuple[str, list[Entry]]]:
    """Yield each group once, where its first entry stands, with all of its entries."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.phenomenon.group, []).append(entry)
    yield from groups.items()


def _introduction(knowledge: Knowledge) -> list[str]:
    papers = len({piece.arxiv_id for piece in knowledge.evidence})
    changed = knowledge.last_change
    return [
        "# BMPrinciples",
        "",
        "A living catalogue of what is known of large models as they scale: how they are trained, and what they come"
        " to be. Each entry is a claim with the papers that support, contradict or qualify it; a person read each of"
        " them and decided on the revision that is linked."
        f" {_plural(len(knowledge.entries), 'phenomenon', 'phenomena')},"
        f" {_plural(papers, 'paper', 'papers')} as evidence;"
        + (f" last change {changed[:10]}." if changed else " nothing decided yet."),
        "",
    ]


def _plural(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _contents(knowledge: Knowledge) -> list[str]:
    lines = ["## Contents", ""]
    for aspect, (name, _) in _HALVES.items():
        if entries := _of(knowledge, aspect):
            lines.append(f"- [{name}](#{aspect.value})")
        for group, members in _groups(entries):
            lines.append(f"  - {escape_markdown(group)}")
            lines += [f"    - [{_heading(entry)}](#{_anchor(entry)}) ({_balance(entry)})" for entry in members]
    return [*(lines if knowledge.entries else ["The catalogue is empty."]), ""]


def _heading(entry: Entry) -> str:
    return f"{escape_markdown(entry.phenomenon.code)} {escape_markdown(entry.phenomenon.title)}"


def _anchor(entry: Entry) -> str:
    """Return the entry's place in the document; renderers make their own of headings, each in another way."""
    return "p-" + re.sub(r"[^a-z0-9.]+", "-", entry.phenomenon.code.lower())


def _balance(entry: Entry) -> str:
    found = [f"{entry.counts[stance.value]} {word}" for stance, word in _WORDS.items() if entry.counts[stance.value]]
    return ", ".join(found) or "no evidence yet"


def _half(aspect: Aspect, entries: list[Entry]) -> list[str]:
    if not entries:
        return []
    name, subtitle = _HALVES[aspect]
    lines = [f'<a id="{aspect.value}"></a>', "", f"## {name}", "", subtitle, ""]
    for group, members in _groups(entries):
        lines += [f"### {escape_markdown(group)}", ""]
        for entry in members:
            lines += _entry(entry)
    return lines


def _entry(entry: Entry) -> list[str]:
    phenomenon = entry.phenomenon
    lines = [f'<a id="{_anchor(entry)}"></a>', "", f"#### {_heading(entry)}", ""]
    lines += [f"**Claim.** {escape_markdown(phenomenon.statement)}", ""]
    lines += [f"**Maturity:** {phenomenon.maturity.value}", ""]
    lines += _criteria(phenomenon.criteria)
    if phenomenon.references:
        lines += [f"**References:** {', '.join(_reference(arxiv_id) for arxiv_id in phenomenon.references)}", ""]
    for stance, pieces in groupby(entry.evidence, lambda piece: piece.stance):
        lines += [f"**{_STANCES[stance]}**", "", *_pieces(pieces)]
    if not entry.evidence:
        lines += ["No evidence yet.", ""]
    if entry.under_review:
        lines += ["**Under review again**", "", *_pieces(entry.under_review)]
    return lines


def _criteria(criteria: Criteria) -> list[str]:
    lines: list[str] = []
    titled = {
        "What counts": criteria.counts,
        "What does not": criteria.excludes,
        "Decided before": criteria.precedents,
    }
    for title, items in titled.items():
        if items:
            lines += [f"**{title}**", "", *(f"- {escape_markdown(item)}" for item in items), ""]
    return lines


def _reference(arxiv_id: str) -> str:
    url = abs_url(arxiv_id)
    return f"[{arxiv_id}]({url})" if url else escape_markdown(arxiv_id)


def _pieces(pieces: Iterable[Evidence]) -> list[str]:
    return [line for piece in pieces for line in _piece(piece)]


def _piece(piece: Evidence) -> list[str]:
    title = escape_markdown(piece.title)
    linked = f"[{title}]({piece.url})" if piece.url else title
    withdrawn = " **Withdrawn.**" if piece.withdrawn else ""
    lines = [f"- {linked}, {_authors(piece.authors)}, {piece.published}.{withdrawn}", ""]
    if piece.sentence:
        lines += [f"  > {escape_markdown(piece.sentence)}", ""]
    return [*lines, f"  {_decision(piece)}", ""]


def _decision(piece: Evidence) -> str:
    said = f"Decided on v{piece.version} by {escape_markdown(piece.reviewer)} on {piece.decided_at[:10]}"
    if piece.reopened_at:
        said += f" ({piece.stance.value}); re-opened on {piece.reopened_at[:10]}: {escape_markdown(piece.reason or '')}"
    return f"{said}. {escape_markdown(piece.note)}" if piece.note else f"{said}."


def _authors(authors: tuple[str, ...]) -> str:
    shown = ", ".join(escape_markdown(author) for author in authors[:_AUTHORS_SHOWN])
    return f"{shown} et al." if len(authors) > _AUTHORS_SHOWN else shown or "no authors named"
