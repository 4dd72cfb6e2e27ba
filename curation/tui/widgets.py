"""The parts of the screen: they show what they are given and know nothing of the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Static

from curation.tui import present
from db.store import Row

TALL_ROW = 3  # two lines and a blank one
FLAT_ROW = 1


class QueueList(ScrollView, can_focus=True, inherit_bindings=False):
    """The waiting papers. Only the lines in view are drawn, so its length costs nothing."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"queue-list--chosen"}

    class Chosen(Message):
        """A row was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._rows: Sequence[Row] = ()
        self._index = 0
        self._row_height = FLAT_ROW

    @property
    def page_rows(self) -> int:
        """Return how many rows are in view."""
        return max(1, self.scrollable_content_region.height // self._row_height)

    def show(self, rows: Sequence[Row], index: int) -> None:
        """Show these rows with one of them chosen."""
        self._rows, self._index = rows, index
        self._fit()

    def set_tall(self, tall: bool) -> None:
        """Give each row three lines, or one."""
        self._row_height = TALL_ROW if tall else FLAT_ROW
        self._fit()

    def on_resize(self) -> None:
        """Keep the chosen row in view when the room changes."""
        self._fit()

    def on_click(self, event: events.Click) -> None:
        """Choose the row under the pointer."""
        index = (event.y + self.scroll_offset.y) // self._row_height
        if index < len(self._rows):
            self.post_message(self.Chosen(index))

    def render_line(self, y: int) -> Strip:
        """Draw one line of the list."""
        width = self.scrollable_content_region.width
        index, part = divmod(y + self.scroll_offset.y, self._row_height)
        if index >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        tall = self._row_height == TALL_ROW
        lines = present.queue_lines(self._rows[index], tall=tall)
        text = lines[part] if part < len(lines) else Content("")
        return self._strip(text, width, chosen=index == self._index and part < len(lines))

    def _strip(self, text: Content, width: int, *, chosen: bool) -> Strip:
        style = self.get_visual_style("queue-list--chosen") if chosen else self.visual_style
        mark = "▌" if chosen else " "
        body = text.truncate(max(0, width - 3), ellipsis=True).render_segments(style)
        strip = Strip([Segment(f"{mark} ", style.rich_style), *body])
        return strip.adjust_cell_length(width, style.rich_style)

    def _fit(self) -> None:
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._rows) * self._row_height)
        top, height = self._index * self._row_height, self.scrollable_content_region.height
        middle = max(0, top - (height - self._row_height) // 2)
        if not self.scroll_offset.y <= top <= self.scroll_offset.y + height - self._row_height:
            self.scroll_to(y=middle, animate=False)
        self.refresh()


class TextPane(VerticalScroll):
    """A text that may be longer than its room. It opens where its evidence can be seen, or at its start."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._content = Content("")
        self._from_start = False

    def compose(self) -> ComposeResult:
        """Hold one text."""
        yield Static(markup=False)

    def show(self, content: Content, *, from_start: bool = False) -> None:
        """Show a text from where its evidence can be seen; from its start if it has none, or if that matters more."""
        self._content, self._from_start = content, from_start
        self.query_one(Static).update(content)
        self.call_after_refresh(self._reveal)

    def on_resize(self) -> None:
        """Find the evidence again when the lines break elsewhere."""
        self.call_after_refresh(self._reveal)

    def _reveal(self) -> None:
        width, height = self.scrollable_content_region.size
        lit = [
            number
            for number, line in enumerate(self._content.wrap(max(1, width)))
            if any(span.style == present.EVIDENCE for span in line.spans)
        ]
        hidden = bool(lit) and lit[-1] >= height and not self._from_start
        self.scroll_to(y=max(0, lit[0] - 1) if hidden else 0, animate=False)


class Line(Static):
    """One line of text at the foot of the screen."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, markup=False)
