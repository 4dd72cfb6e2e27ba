"""Atom (RFC 4287): what moved, as a feed for the whole catalogue or for one entry."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from urllib.parse import quote

from lxml import etree
from lxml.builder import ElementMaker

from curation.export.knowledge import Knowledge
from curation.export.moves_text import list_details, name_move
from curation.moves import Move

LONGEST = 200  # entries, the newest
NEVER = "1970-01-01T00:00:00Z"  # `updated` has to be there in a feed in which nothing moved yet

# RFC 4151 asks for a name that the minter owns; the program owns none, and nobody can be given one that ends so (RFC
# 2606). The ids hang on what moved, not on where the feed is found.
_TAG = "tag:bmprinciples.invalid,2026:"
_KIND_SCHEME, _STANCE_SCHEME, _CODE_SCHEME = (f"{_TAG}{name}" for name in ("kind", "stance", "phenomenon"))

_NAMESPACE = "http://www.w3.org/2005/Atom"
_ATOM = ElementMaker(namespace=_NAMESPACE, nsmap={None: _NAMESPACE})
_NOT_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production 2

Dated = tuple[str, Move]  # the first day of its month, and the move


def render_atom(knowledge: Knowledge, code: str | None = None, url: str | None = None) -> str:
    """Return what moved, newest first and the newest 200, as an Atom feed.

    A move's id names its month, kind, entry and paper: where a month's evidence changes again, the same entry of the
    feed is updated. The feed is as new as its newest move; with none it bears 1970, which is never.

    Args:
        code: only what moved with this entry, which may be a retired one.
        url: where the feed will be found.

    Raises:
        KeyError: there is no such entry.
    """
    moves = _newest(knowledge, code)
    feed = _ATOM.feed(
        _ATOM.id(_TAG + (f"phenomenon/{quote(code)}" if code else "catalogue")),
        _text("title", _name_feed(knowledge, code)),
        _text("subtitle", "What moved in a living catalogue of what is known of large models as they scale."),
        _ATOM.updated(moves[0][1].at if moves else NEVER),
        _ATOM.author(_ATOM.name("BMPrinciples")),
        _ATOM.generator("BMPrinciples"),
    )
    if url:
        feed.append(_ATOM.link(rel="self", type="application/atom+xml", href=_clean(url)))
    feed.extend(_entry(month, move) for month, move in moves)
    text = etree.tostring(feed, encoding="unicode", pretty_print=True)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}'


def _newest(knowledge: Knowledge, code: str | None) -> list[Dated]:
    found = [
        (month.since, move)
        for month in knowledge.months
        for move in month.moves
        if code is None or move.phenomenon == code
    ]
    found.sort(key=lambda dated: _name_entry(*dated))
    return sorted(found, key=lambda dated: dated[1].at, reverse=True)[:LONGEST]


def _name_feed(knowledge: Knowledge, code: str | None) -> str:
    if code is None:
        return "BMPrinciples"
    known = [*(entry.phenomenon for entry in knowledge.entries), *knowledge.retired]
    title = {phenomenon.code: phenomenon.title for phenomenon in known}[code]
    return f"BMPrinciples: {code} {title}"


def _name_entry(month: str, move: Move) -> str:
    """Return the id of a move, a tag URI; within a month there is one move of a kind for an entry and paper."""
    paper = (move.evidence.arxiv_id,) if move.evidence else ()
    return _TAG + "/".join(quote(part) for part in ("move", month[:7], move.kind.name.lower(), move.phenomenon, *paper))


def _entry(month: str, move: Move) -> etree._Element:
    piece = move.evidence
    title = f"{move.phenomenon} {move.title}: {name_move(move)}"
    entry = _ATOM.entry(
        _ATOM.id(_name_entry(month, move)),
        _text("title", f"{title}: {piece.title}" if piece else title),
        _ATOM.updated(move.at),
        _ATOM.author(_ATOM.name(_clean(move.by) or "unknown")),
        _ATOM.category(term=move.phenomenon, scheme=_CODE_SCHEME, label=_clean(move.title)),
        _ATOM.category(term=move.kind.value, scheme=_KIND_SCHEME),
    )
    if piece:
        entry.append(_ATOM.category(term=piece.stance.value, scheme=_STANCE_SCHEME))
        if piece.url:
            entry.append(_ATOM.link(rel="alternate", type="text/html", href=piece.url))
    entry.append(_ATOM.content("".join(_content(move)), type="html"))
    return entry


def _content(move: Move) -> Iterable[str]:
    """Yield HTML in which everything from outside is escaped."""
    piece = move.evidence
    yield f"<p>{_html(move.phenomenon)} {_html(move.title)}: {_html(name_move(move))}.</p>"
    if piece:
        title = f'<a href="{_html(piece.url)}">{_html(piece.title)}</a>' if piece.url else _html(piece.title)
        yield f"<p>{title} (arXiv:{_html(piece.arxiv_id)}, v{piece.version}), {_html(', '.join(piece.authors))}.</p>"
    for word, text in list_details(move):
        yield f"<p>{word}:</p><blockquote><p>{_html(text)}</p></blockquote>"
    yield f"<p>By {_html(move.by)} on {move.at[:10]}.</p>"


def _html(text: str) -> str:
    return escape(_clean(text)).replace("\n", "<br>")


def _text(name: str, text: str) -> etree._Element:
    return _ATOM(name, _clean(text), type="text")


def _clean(text: str) -> str:
    """Return the text without what XML cannot hold, the two last characters of the first plane among them."""
    return _NOT_XML.sub("", text)
