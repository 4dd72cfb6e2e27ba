"""Whatever text stands in the database, every export of it is read by others as what it is."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import rispy
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from markdown_it import MarkdownIt
from pybtex.database import parse_bytes

from curation.evidence import Evidence
from curation.export.atom_feed import render_atom
from curation.export.bibtex_text import render_bibtex
from curation.export.csv_text import render_csv
from curation.export.json_text import render_json
from curation.export.knowledge import Entry, Knowledge
from curation.export.markdown_text import render_markdown
from curation.export.ris_text import render_ris
from curation.export.sqlite_file import render_sqlite
from curation.figures import find_figures, suggest_maturity
from curation.moves import Move, MoveKind, Moves
from db.records import Aspect, Phenomenon, Stance, Status
from db.text import clean_line, clean_paragraphs

GRAMMAR = etree.RelaxNG(etree.parse(Path(__file__).parents[1] / "integration" / "atom.rng"))
PIECES = (
    "<b>",
    "]]>",
    "&#0;",
    "\\",
    "{",
    "}",
    "$",
    "%",
    "@misc{",
    "](",
    "`",
    "*",
    "# ",
    "TY  - ",
    "ER  - ",
    "=",
    "\n",
    "|",
)
TEXTS = st.lists(st.one_of(st.text(max_size=8), st.sampled_from(PIECES)), max_size=6).map("".join)
LINES = TEXTS.map(clean_line)
TAGS = {"html", "body", "h1", "h2", "h3", "h4", "p", "a", "ul", "li", "blockquote", "strong", "em"}


def _know(title: str, line: str, note: str) -> Knowledge:
    piece = _piece(line, note)
    figures = find_figures([piece])
    entry = Entry(Phenomenon("W2.2", Aspect.WHAT, line, title, line), (piece,), (), figures, suggest_maturity(figures))
    moves = (
        Move(MoveKind.ADDED, "W2.2", title, piece.decided_at, line, piece, note=note),
        Move(MoveKind.REWORDED, "W2.2", title, piece.decided_at, line, before=line, after=title),
    )
    retired = replace(entry.phenomenon, code="W9.1", retired=True, superseded_by=("W2.2",))
    return Knowledge((entry,), (retired,), piece.decided_at, (Moves("2026-11-01", "2026-12-01", moves),))


def _piece(line: str, note: str) -> Evidence:
    return Evidence(
        phenomenon="W2.2",
        arxiv_id="2611.00001",
        version=1,
        title=line,
        authors=("Ada Byron", line),
        categories=("cs.LG",),
        doi=line,
        published="2026-11-01",
        withdrawn=False,
        stance=Stance.SUPPORTS,
        sentence=line or None,
        note=note or None,
        reviewer=line,
        decided_at="2026-11-24T06:30:00Z",
        score=0.5,
        ranker_version=line or None,
        status=Status.ACCEPTED,
    )


@given(title=LINES, line=LINES, note=TEXTS.map(clean_paragraphs))
def test_any_text_comes_out_as_text(title: str, line: str, note: str) -> None:
    knowledge = _know(title, line, note)

    feed = etree.fromstring(render_atom(knowledge).encode())
    assert GRAMMAR.validate(feed), GRAMMAR.error_log
    assert len(feed.findall("{*}entry")) == 2

    (record,) = rispy.loads(render_ris(knowledge))
    assert record.get("title", "") == line
    assert "unknown_tag" not in record

    (row,) = csv.DictReader(io.StringIO(render_csv(knowledge), newline=""))
    assert row["title"].removeprefix("'") == line.removeprefix("'")
    assert not row["title"].startswith(("=", "+", "-", "@"))

    assert json.loads(render_json(knowledge))["phenomena"][0]["evidence"][0]["title"] == line
    assert render_sqlite(knowledge).startswith(b"SQLite format 3\x00")

    (entry,) = parse_bytes(render_bibtex(knowledge).encode(), "bibtex").entries.values()
    assert entry.fields["eprint"] == "2611.00001"

    page = etree.fromstring(MarkdownIt("commonmark").render(render_markdown(knowledge)), etree.HTMLParser())
    assert {node.tag for node in page.iter()} <= TAGS
    links = {node.get("href") for node in page.iter("a")} - {None}
    assert links == {"#what", "#p-w2.2", "#moved", "#retired", "https://arxiv.org/abs/2611.00001v1"}
