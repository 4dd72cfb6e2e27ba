"""The end of the Markdown document: what moved in the newest month, and the entries that were retired."""

from __future__ import annotations

from curation.export.knowledge import Knowledge
from curation.export.markup import escape_markdown, name_anchor
from curation.export.moves_text import list_details, name_move
from curation.moves import Move


def render_moves(knowledge: Knowledge) -> list[str]:
    """Return the section on the newest month in which anything moved, as lines; none if nothing did."""
    if not knowledge.months or not knowledge.months[0].moves:
        return []
    newest = knowledge.months[0]
    codes = {entry.phenomenon.code for entry in knowledge.entries}
    lines = ['<a id="moved"></a>', "", f"## What moved in {newest.since[:7]}", ""]
    for move in newest.moves:
        lines += render_move(move, linked=move.phenomenon in codes)
    return lines


def render_move(move: Move, *, linked: bool = False) -> list[str]:
    """Return a move as an item of a list, as lines.

    Args:
        linked: the entry that it is about stands in the same document.
    """
    name = f"{escape_markdown(move.phenomenon)} {escape_markdown(move.title)}"
    entry = f"[{name}](#{name_anchor(move.phenomenon)})" if linked else name
    line = f"- {move.at[:10]}, {entry}: {escape_markdown(name_move(move))}"
    if move.evidence:
        title = escape_markdown(move.evidence.title)
        line += f": [{title}]({move.evidence.url})" if move.evidence.url else f": {title}"
    details = [f"  {word}: {escape_markdown(text)}" for word, text in list_details(move) if word != "Sentence"]
    return [f"{line}, by {escape_markdown(move.by)}.", "", *(line for detail in details for line in (detail, ""))]


def render_retired(knowledge: Knowledge) -> list[str]:
    """Return the section on retired entries with what took their place, as lines; none if there are none."""
    if not knowledge.retired:
        return []
    lines = [
        '<a id="retired"></a>',
        "",
        "## Retired",
        "",
        "Codes that are not given again, and what took their place.",
        "",
    ]
    codes = {entry.phenomenon.code for entry in knowledge.entries}
    for one in knowledge.retired:
        others = [
            f"[{escape_markdown(code)}](#{name_anchor(code)})" if code in codes else escape_markdown(code)
            for code in one.superseded_by
        ]
        lines.append(f"- {escape_markdown(one.code)} {escape_markdown(one.title)}: {', '.join(others) or 'nothing'}.")
    return [*lines, ""]
