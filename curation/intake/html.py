"""HTML as runs of text, each with the address that it leads to, if any: for notes, and for lists in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

_TAG = re.compile(r"</?[a-zA-Z]")
_BLOCKS = frozenset({"p", "br", "div", "li", "ul", "ol", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote"})
_UNSEEN = frozenset({"script", "style"})


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of text, and the address that it links to."""

    text: str
    href: str | None = None


def parse_runs(html: str) -> list[Run]:
    """Return the runs of a piece of HTML, however broken; pictures and what no reader sees are left out.

    It is read by libxml2, which takes time in proportion to its length whatever it holds.
    """
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    parser.feed(b"<html><body>" + html.encode("utf-8", errors="replace"))
    try:
        root = parser.close()
    except etree.XMLSyntaxError:
        return [Run(html)]
    runs: list[Run] = []
    for text, href in _walk(root):
        if runs and href is not None and runs[-1].href == href:
            text = runs.pop().text + text
        runs.append(Run(text, href))
    return runs


def _walk(root: etree._Element) -> Iterator[tuple[str, str | None]]:
    """Yield each piece of text with the address of the link that it stands in."""
    links: list[str | None] = [None]
    unseen = 0
    for event, node in etree.iterwalk(root, events=("start", "end")):
        if event == "start":
            unseen += node.tag in _UNSEEN
            if node.tag == "a":
                links.append(node.get("href"))
            text = ("\n" if node.tag in _BLOCKS else "") + (node.text or "")
        else:
            unseen -= node.tag in _UNSEEN
            if node.tag == "a":
                links.pop()
            text = ("\n" if node.tag in _BLOCKS else "") + (node.tail or "")
        is_link = event == "start" and links[-1] is not None and node.tag == "a"  # it may hold a picture alone
        if (text or is_link) and not unseen:
            yield text, links[-1]


def render_plain(text: str) -> str:
    """Return a note as plain text; one without tags stays as it is."""
    return "".join(run.text for run in parse_runs(text)) if _TAG.search(text) else text
