"""A digest as one HTML document: for mail programs, phones and browsers, light and dark, without outside resources."""

from __future__ import annotations

from html import escape

from curation.digest.outline import Group, Item, Outline, Section

# Where a mail program drops the style sheet, what is left has the program's own colours and is still readable.
_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; padding: 0; background: #ffffff; color: #1d2125; }
a { color: #0b57d0; }
h2 { border-bottom: 1px solid #d5d9de; }
.quote { border-left: 3px solid #c3c9d0; }
.dim { color: #5a6370; }
@media (prefers-color-scheme: dark) {
  body { background: #15181c; color: #e3e6ea; }
  a { color: #8ab4f8; }
  h2 { border-bottom-color: #3a4048; }
  .quote { border-left-color: #4a525c; }
  .dim { color: #a3acb8; }
}
"""
_PAGE = (
    "max-width: 44em; margin: 0 auto; padding: 1em; font: 16px/1.45 system-ui, -apple-system, 'Segoe UI', Roboto,"
    " 'Helvetica Neue', Arial, sans-serif; overflow-wrap: anywhere; word-break: break-word;"
)
_H2 = "font-size: 1.15em; margin: 1.8em 0 0.6em; padding-bottom: 0.2em;"
_H3 = "font-size: 1em; margin: 1.2em 0 0.4em;"
_LIST = "list-style: none; margin: 0; padding: 0;"
_ITEM = "margin: 0 0 0.9em;"
_QUOTE = "margin: 0.25em 0 0; padding-left: 0.7em;"
_DETAIL = "margin: 0.15em 0 0; font-size: 0.9em;"


def render_html(outline: Outline) -> str:
    """Return the digest as an HTML document; texts from outside are escaped, links lead to arXiv only."""
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        '<meta name="supported-color-schemes" content="light dark">',
        f"<title>{_text(outline.subject)}</title>",
        f"<style>{_STYLE}</style>",
        "</head>",
        "<body>",
        f'<div style="{_PAGE}">',
        f'<h1 style="font-size: 1.4em; margin: 0;">{_text(outline.title)}</h1>',
        f'<p class="dim" style="margin: 0.1em 0 0;">{_text(outline.span)}</p>',
        f"<p>{_text(outline.summary)}</p>",
    ]
    for section in outline.sections:
        lines += _section(section)
    return "\n".join([*lines, "</div>", "</body>", "</html>"]) + "\n"


def _section(section: Section) -> list[str]:
    lines = [f'<h2 style="{_H2}">{_text(section.heading)}</h2>']
    for group in section.groups:
        lines += _group(group)
    return [*lines, *([f'<p class="dim">{_text(section.more)}</p>'] if section.more else [])]


def _group(group: Group) -> list[str]:
    heading = [f'<h3 style="{_H3}">{_text(group.heading)}</h3>'] if group.heading else []
    items = [f'<ul style="{_LIST}">', *(_item(item) for item in group.items), "</ul>"] if group.items else []
    return [*heading, *items]


def _item(item: Item) -> str:
    title = f'<a href="{_text(item.url)}">{_text(item.title)}</a>' if item.url else _text(item.title)
    label = f"<strong>{_text(item.label)}</strong> " if item.label else ""
    quote = f'<p class="quote" style="{_QUOTE}">{_text(item.quote)}</p>' if item.quote else ""
    details = "".join(f'<p class="dim" style="{_DETAIL}">{_text(detail)}</p>' for detail in item.details)
    return f'<li style="{_ITEM}">{label}{title}{quote}{details}</li>'


def _text(text: str) -> str:
    return escape(text, quote=True)
