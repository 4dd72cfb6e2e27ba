"""Markdown: the living catalogue, for reading. How to train and what comes out, with the evidence for and against."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from curation.evidence import Evidence, abs_url
from curation.export.knowledge import Conflict, Entry, Knowledge, Side
from curation.export.markdown_moves import render_moves, render_retired
from curation.export.markup import escape_markdown, name_anchor
from curation.figures import LEVEL, Figures, Share
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
_LEGEND = (
    "How to read it: *maturity* is what a person set, observed, replicated, contested or established; where the rules"
    " suggest another one, that stands beside it. Papers that share authors are one *group*, for they are no"
    " independent word. The *share* is that of the groups for the claim among those for or against it, with its"
    f" {LEVEL:.0%} interval (Wilson): the wider it is, the less is known. Withdrawn papers are shown and not counted."
)


def render_markdown(knowledge: Knowledge) -> str:
    """Return the curated database as one Markdown document; text from outside is escaped, links go to arXiv only."""
    lines = [*_introduction(knowledge), *_contents(knowledge)]
    for aspect in _HALVES:
        lines += _half(aspect, _of(knowledge, aspect))
    lines += [*render_moves(knowledge), *render_retired(knowledge)]
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
        *([_LEGEND, ""] if papers else []),
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
            lines += [
                f"    - [{_heading(entry)}](#{name_anchor(entry.phenomenon.code)}) ({_balance(entry)})"
                for entry in members
            ]
    if knowledge.months and knowledge.months[0].moves:
        lines.append("- [What moved](#moved)")
    if knowledge.retired:
        lines.append("- [Retired](#retired)")
    return [*(lines if knowledge.entries else ["The catalogue is empty."]), ""]


def _heading(entry: Entry) -> str:
    return f"{escape_markdown(entry.phenomenon.code)} {escape_markdown(entry.phenomenon.title)}"


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
    lines = [f'<a id="{name_anchor(entry.phenomenon.code)}"></a>', "", f"#### {_heading(entry)}", ""]
    lines += [f"**Claim.** {escape_markdown(phenomenon.statement)}", ""]
    lines += [f"**Maturity:** {_maturity(entry)}", ""]
    if entry.evidence:
        lines += [f"**How it stands:** {_standing(entry.figures)}", ""]
    if entry.reworded_at:
        lines += [f"**Reworded** on {entry.reworded_at[:10]}.", ""]
    lines += _criteria(phenomenon.criteria)
    if phenomenon.references:
        lines += [f"**References:** {', '.join(_reference(arxiv_id) for arxiv_id in phenomenon.references)}", ""]
    for stance, pieces in groupby(entry.evidence, lambda piece: piece.stance):
        lines += [f"**{_STANCES[stance]}**", "", *_pieces(pieces)]
    if not entry.evidence:
        lines += ["No evidence yet.", ""]
    if entry.under_review:
        lines += ["**Under review again**", "", *_pieces(entry.under_review)]
    if entry.conflicts:
        lines += ["**Decided differently, not yet settled**", "", *map(_conflict, entry.conflicts), ""]
    return lines


def _maturity(entry: Entry) -> str:
    """Return the maturity, the suggested one where it differs, and in one line how it came to be."""
    said = entry.phenomenon.maturity.value
    if entry.evidence and entry.suggested.maturity is not entry.phenomenon.maturity:
        said += f"; the evidence suggests {entry.suggested.maturity.value} ({entry.suggested.reason})"
    steps = [
        f"{step.maturity.value} on {step.at[:10]} by {escape_markdown(step.by)}"
        + (f" ({escape_markdown(step.note)})" if step.note else "")
        for step in entry.maturity_history
    ]
    return f"{said}. Set: {', then '.join(steps)}." if steps else f"{said}."


def _standing(figures: Figures) -> str:
    """Return the balance of papers and groups, the share, and since when the claim is supported."""
    papers = [
        f"{figures.papers[stance.value]} {word}" for stance, word in _WORDS.items() if figures.papers[stance.value]
    ]
    told = [
        f"papers: {', '.join(papers) or 'none that stands'}",
        f"{_plural(figures.independent, 'independent group', 'independent groups')},"
        f" {figures.groups[Stance.SUPPORTS]} for, {figures.groups[Stance.CONTRADICTS]} against",
    ]
    if figures.share:
        told.append(_share(figures.share))
    if figures.first_supported:
        told.append(f"supported since {figures.first_supported}, last {figures.newest_support}")
    return "; ".join(told) + "."


def _share(share: Share) -> str:
    return f"share {share.value:.0%} ({share.low:.0%} to {share.high:.0%})"


def _conflict(conflict: Conflict) -> str:
    title, url = escape_markdown(conflict.title), abs_url(conflict.arxiv_id)
    linked = f"[{title}]({url})" if url else title
    return f"- {linked}: {'; '.join(_side(side) for side in conflict.sides)}."


def _side(side: Side) -> str:
    stance = f" ({side.stance})" if side.stance else ""
    note = f", {escape_markdown(side.note)}" if side.note else ""
    return f"{side.kind}{stance} by {escape_markdown(side.reviewer)} on {side.decided_at[:10]}{note}"


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
