"""Markdown: awesome lists, and this program's own export. A paper is a link, in a list, a table or a paragraph."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from curation.intake.html import Run, parse_runs
from curation.intake.records import Listed, Reading, join_notes, make_listed
from db.errors import UsageError
from db.text import clean_line, find_arxiv_id

# Words by which lists link to a paper whose title stands before them.
_NO_TITLE = re.compile(
    r"\W*(?:(?:paper|pdf|arxiv|abs(?:tract)?|html|pre-?print|link|here|url|doi|code|project|page|website|blog|repo|github"
    r"|openreview|hugging ?face|video|slides|data|v?\d+)\W*){0,3}",
    re.IGNORECASE,
)
_BARE = re.compile(r"https?://[^\s<>\"]+|arxiv:\s{0,3}[\w./-]+", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://|www\.|arxiv:", re.IGNORECASE)
LONGEST_PIECE = 50_000  # characters of a line or a paragraph
_BEFORE = " \t\n-\u2013\u2014:.,;|()[]*_\u2022\u00b7"  # dashes, brackets and bullets that stand before a text
_AFTER = " \t\n-\u2013\u2014:,;|([*_\u2022\u00b7"


@dataclass(frozen=True, slots=True)
class _Block:
    """A piece of the document that stands for itself.

    Attributes:
        line: where it begins, from 1.
        within: the list items that it stands in, the outermost first; a row of a table counts as one.
    """

    line: int
    runs: tuple[Run, ...]
    headings: tuple[str, ...]
    within: tuple[int, ...]


def parse_markdown(text: str, name: str) -> Reading:
    """Return the papers that a document links to; of an item without an arXiv id, its first link elsewhere.

    What follows a link, up to the next one, and what stands below it in its item, is the list's note on it.

    Raises:
        UsageError: a line or a paragraph is longer than any of a list.
    """
    entries: list[Listed] = []
    notes: list[list[str]] = []
    owner: dict[int, int] = {}  # the entry that the further text of an item belongs to
    for block in _list_blocks(text, name):
        owners = [owner[item] for item in block.within if item in owner]
        found = list(_read_block(block, may_be_elsewhere=not owners))
        if found:
            owner.update((item, len(entries)) for item in block.within[-1:])
        elif owners:
            notes[owners[-1]].append(_said(block.runs))
        for entry, note in found:
            entries.append(entry)
            notes.append([note])
    pairs = zip(entries, notes, strict=True)
    return Reading(tuple(replace(entry, note=join_notes(said)) for entry, said in pairs))


def _list_blocks(text: str, name: str) -> Iterator[_Block]:
    """Yield the document's blocks, a table by rows, each with what it stands under."""
    markdown = _make_parser(text, name)
    walk = _Walk(markdown)
    for number, token in enumerate(markdown.parse(text)):
        yield from walk.take(number, token)


class _Walk:
    """Goes through a document's tokens, and keeps under which headings and in which list items it is."""

    def __init__(self, markdown: MarkdownIt) -> None:
        self._markdown = markdown
        self._headings: list[tuple[int, str]] = []
        self._level = 0  # of the heading that is open
        self._within: list[int] = []
        self._row: list[Run] | None = None
        self._in_head = False
        self._line = 1

    def take(self, number: int, token: Token) -> Iterator[_Block]:
        """Take the next token, and yield the block that it ends, if one."""
        self._line = token.map[0] + 1 if token.map else self._line
        if token.type in ("heading_open", "heading_close"):
            self._level = int(token.tag[1:]) if token.nesting > 0 else 0
        elif token.type in ("thead_open", "thead_close"):
            self._in_head = token.nesting > 0
        elif token.type == "list_item_open":
            self._within.append(number)
        elif token.type == "list_item_close":
            self._within.pop()
        elif token.type == "tr_open":
            self._row = []
        elif token.type == "tr_close":
            row, self._row = self._row, None
            if row and not self._in_head:
                yield self._block(row, number)
        elif token.type in ("inline", "html_block"):
            yield from self._take_text(list(_link(parse_runs(_render(self._markdown, token)))))

    def _take_text(self, runs: list[Run]) -> Iterator[_Block]:
        if self._level:
            above = [heading for heading in self._headings if heading[0] < self._level]
            self._headings = [*above, (self._level, clean_line(_text(runs)))]
        elif self._row is not None:
            self._row += [*runs, Run(" \n")]
        else:
            yield self._block(runs)

    def _block(self, runs: Sequence[Run], *rows: int) -> _Block:
        titles = tuple(title for _, title in self._headings)
        return _Block(self._line, tuple(runs), titles, (*self._within, *rows))


def _make_parser(text: str, name: str) -> MarkdownIt:
    """Return a parser of Markdown with tables; it takes time by the square of a paragraph's length."""

    def refuse_long(state: StateCore) -> None:
        _refuse_long((token.content, token.map[0] + 1 if token.map else 1) for token in state.tokens)

    def _refuse_long(pieces: Iterable[tuple[str, int]]) -> None:
        for piece, line in pieces:
            if len(piece) > LONGEST_PIECE:
                raise UsageError(f"{name}, line {line}: more than {LONGEST_PIECE} characters", "is it a list?")

    _refuse_long((line, number) for number, line in enumerate(text.split("\n"), 1))
    markdown = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    markdown.core.ruler.before("inline", "refuse_long", refuse_long)
    return markdown


def _render(markdown: MarkdownIt, token: Token) -> str:
    if token.type == "html_block":
        return token.content
    return str(markdown.renderer.render([token], markdown.options, {}))


def _link(runs: Sequence[Run]) -> Iterator[Run]:
    """Yield runs in which addresses and ids that stand bare in a text are links as well."""
    for run in runs:
        at = 0
        for found in _BARE.finditer(run.text) if run.href is None else ():
            yield from (Run(run.text[at : found.start()]), Run(found[0], found[0]))
            at = found.end()
        if at < len(run.text) or not at:
            yield Run(run.text[at:], run.href)


def _text(runs: Sequence[Run]) -> str:
    return "".join(run.text for run in runs)


def _read_block(block: _Block, *, may_be_elsewhere: bool) -> Iterator[tuple[Listed, str]]:
    """Yield the papers of a block, each with the text that follows it."""
    mentions = _find_mentions(block.runs)
    if not mentions:
        elsewhere = _find_elsewhere(block.runs) if may_be_elsewhere and block.within else None
        mentions = [] if elsewhere is None else [(elsewhere, "")]
    ends = [*(at for at, _ in mentions), len(block.runs)][1:]
    for (at, arxiv_id), end in zip(mentions, ends, strict=True):
        hrefs = [run.href or "" for run in block.runs[at:end]]
        entry = make_listed(
            f"line {block.line}",
            title=_title(block.runs, at, first=at == mentions[0][0]),
            bare=[arxiv_id],
            telling=[] if arxiv_id else hrefs,
            sections=block.headings,
        )
        yield entry, _said(block.runs[at + 1 : end])


def _find_mentions(runs: Sequence[Run]) -> list[tuple[int, str]]:
    """Return the arXiv ids of a block with their runs, each id once."""
    found: dict[str, int] = {}
    for at, run in enumerate(runs):
        if run.href and (arxiv_id := find_arxiv_id(run.href) or find_arxiv_id(run.text)):
            found.setdefault(arxiv_id, at)
    return [(at, arxiv_id) for arxiv_id, at in found.items()]


def _find_elsewhere(runs: Sequence[Run]) -> int | None:
    """Return the first link that leads out of the document and has a text."""
    leads = (at for at, run in enumerate(runs) if (run.href or "").lower().startswith(("http://", "https://")))
    return next((at for at in leads if runs[at].text.strip()), None)


def _title(runs: Sequence[Run], at: int, *, first: bool) -> str:
    """Return what a link says, or the text before it where it says no more than `pdf`."""
    said = clean_line(runs[at].text)
    if runs[at].href and not _NO_TITLE.fullmatch(said) and not _ADDRESS.search(said):
        return said
    before = _trim(clean_line(_text(runs[:at]))) if first else ""
    return before if not _NO_TITLE.fullmatch(before) else ""


def _said(runs: Sequence[Run]) -> str:
    """Return the text of runs without links that say no more than `code`, and without what stood around those."""
    kept = [run.text for run in runs if not (run.href and _NO_TITLE.fullmatch(clean_line(run.text)))]
    return _trim(re.sub(r"\[\s*\]|\(\s*\)", "", "".join(kept)))


def _trim(text: str) -> str:
    return text.lstrip(_BEFORE).rstrip(_AFTER)
