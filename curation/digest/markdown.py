"""A digest as Markdown, in which nothing from outside is markup."""

from __future__ import annotations

from curation.digest.outline import Item, Outline, Section
from curation.export.markup import escape_markdown


def render_markdown(outline: Outline) -> str:
    """Return the digest as one Markdown document; texts from outside are escaped, links lead to arXiv only."""
    lines = [f"# {outline.title}", "", f"{outline.span}.", "", outline.summary, ""]
    for section in outline.sections:
        lines += _section(section)
    return "\n".join(lines).rstrip("\n") + "\n"


def _section(section: Section) -> list[str]:
    lines = [f"## {section.heading}", ""]
    for group in section.groups:
        if group.heading:
            lines += [f"### {escape_markdown(group.heading)}", ""]
        for item in group.items:
            lines += _item(item)
        lines += [""] if lines[-1] else []
    return [*lines, *([section.more, ""] if section.more else [])]


def _item(item: Item) -> list[str]:
    title = escape_markdown(item.title)
    head = f"[{title}]({item.url})" if item.url else title
    if item.label:
        head = f"**{escape_markdown(item.label)}** {head}"
    lines = [f"- {head}"]
    if item.quote:
        lines += ["", f"  > {escape_markdown(item.quote)}", ""]
    for detail in item.details:
        lines += [*([""] if lines[-1] else []), f"  {escape_markdown(detail)}", ""]
    return lines
