"""The review: the queue, the paper, the claim, and a key for every decision."""

from __future__ import annotations

import sqlite3
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, Static

from curation.review import Decision, undone_event
from curation.tui import present
from curation.tui.beside import Beside, OpenRerank
from curation.tui.desk import Desk
from curation.tui.dialogs import (
    HelpDialog,
    LeaveDialog,
    NoteDialog,
    SafeInput,
    SnoozeDialog,
    StanceDialog,
    UndoDialog,
)
from curation.tui.keys import REVIEW_KEYS, key_words
from curation.tui.widgets import Line, QueueList, TextPane
from db.errors import BmpError
from db.records import Stance, Verdict
from db.store import Row
from db.text import clean_line
from db.times import Clock

WIDE_COLUMNS = 110


class ReviewScreen(Screen[None]):
    """One paper at a time beside the claim it may bear on. A decision is on disk before the next paper is shown."""

    BINDINGS: ClassVar[list[BindingType]] = [*REVIEW_KEYS]

    def __init__(
        self,
        desk: Desk,
        *,
        keywords: Mapping[str, Sequence[str]],
        open_url: Callable[[str], None],
        clock: Clock,
        open_rerank: OpenRerank | None = None,
    ) -> None:
        super().__init__()
        self._desk = desk
        self._beside = Beside(open_rerank, self._hear_scores, self._hear_complaint) if open_rerank else None
        self._keywords = keywords
        self._open_url = open_url
        self._clock = clock
        self._said = ""

    def compose(self) -> ComposeResult:
        """Lay out the list, the paper, the claim, and two lines at the foot."""
        with Container(id="desk"):
            yield QueueList(id="queue")
            with Vertical(id="paper"):
                yield Static(id="head", markup=False)
                yield TextPane(id="abstract")
            yield TextPane(id="claim")
        with Container(id="nothing"):
            yield Static(id="advice", markup=False)
        yield SafeInput(id="words", placeholder="words in title, code or id", max_length=200)
        yield Line(id="status")
        yield Line(id="keys")

    def on_mount(self) -> None:
        """Read the queue and open its best paper."""
        self.query_one("#words").display = False
        self.query_one(QueueList).focus()
        self._attempt(self._desk.reload)
        self._show_all()
        if self._beside:
            self._beside.start()

    def on_unmount(self) -> None:
        """End what goes on beside the screen."""
        if self._beside:
            self._beside.stop()

    def _hear_scores(self, scores: Mapping[int, float]) -> None:
        """Take new scores from the other thread."""
        self._call_here(self._reorder, scores)

    def _hear_complaint(self, message: str) -> None:
        """Take what went wrong in the other thread."""
        self._call_here(self._complain, message)

    def _call_here(self, call: Callable[..., None], *values: object) -> None:
        with suppress(RuntimeError):  # the app has ended meanwhile
            self.app.call_from_thread(call, *values)

    def _reorder(self, scores: Mapping[int, float]) -> None:
        self._desk.reorder(scores)
        self.query_one(QueueList).show(self._desk.rows, self._desk.index)
        row = self._desk.chosen
        if row and row["id"] in scores:
            self._attempt(self._show_claim_anew)

    def on_resize(self, event: events.Resize) -> None:
        """Give the list's rows the height that the width allows."""
        self.query_one(QueueList).set_tall(event.size.width >= WIDE_COLUMNS)
        self._show_foot()

    # Decisions

    def action_accept(self, stance: str) -> None:
        """Accept the open paper as evidence of this stance."""
        self._decide(Decision(Verdict.ACCEPT, stance=Stance(stance)))

    def action_ask_stance(self) -> None:
        """Accept the open paper with a stance that is asked for."""
        if self._desk.chosen:
            self.app.push_screen(StanceDialog(), self._accept_as)

    def action_reject(self) -> None:
        """Reject the open paper."""
        self._decide(Decision(Verdict.REJECT))

    def action_maybe(self) -> None:
        """Put the open paper aside."""
        self._decide(Decision(Verdict.MAYBE))

    def action_snooze(self) -> None:
        """Put the open paper off until a day that is asked for."""
        if self._desk.chosen:
            self.app.push_screen(SnoozeDialog(self._clock().date()), self._snooze_until)

    def action_undo(self) -> None:
        """Take back the newest decision and open its paper; ask first if it was made before this session."""
        self._attempt(self._undo_or_ask)
        self._show_all()

    def action_redo(self) -> None:
        """Make the decision again that was taken back last."""
        self._attempt(self._redo)
        self._show_all()

    def _undo_or_ask(self) -> None:
        earlier = self._desk.undoes_earlier()
        if earlier is None:
            self._undo()
        else:
            self.app.push_screen(UndoDialog(earlier), self._undo_now)

    def _undo_now(self, wanted: bool | None) -> None:
        if wanted:
            self._attempt(self._undo)
            self._show_all()

    def _redo(self) -> None:
        row = self._desk.redo()
        self._learn(row["phenomenon"])
        event = row["history"][-1]
        self._said = f"{present.verdict_text(event['kind'], event['stance'], event['until'])} again - u undoes"

    def action_note(self) -> None:
        """Ask for a note on the open paper."""
        if self._desk.chosen:
            self.app.push_screen(NoteDialog(self._desk.note), self._keep_note)

    def _accept_as(self, stance: Stance | None) -> None:
        if stance is not None:
            self._decide(Decision(Verdict.ACCEPT, stance=stance))

    def _snooze_until(self, until: date | None) -> None:
        if until is not None:
            self._decide(Decision(Verdict.SNOOZE, until=until))

    def _decide(self, decision: Decision) -> None:
        row = self._desk.chosen
        if row and self._attempt(lambda: self._desk.decide(decision)):
            self._learn(row["phenomenon"])
            until = decision.until.isoformat() if decision.until else None
            self._said = f"{present.verdict_text(decision.verdict, decision.stance, until)} - u undoes"
            self.query_one(QueueList).focus()
            self._show_all()

    def _learn(self, phenomenon: str) -> None:
        """Let what waits for a phenomenon be ranked anew; nothing waits for that."""
        if self._beside:
            self._beside.ask(phenomenon)

    def _undo(self) -> None:
        row = self._desk.undo()
        self._learn(row["phenomenon"])
        event = undone_event(row)
        said = f"no longer {present.verdict_text(event['kind'], event['stance'], event['until'])}"
        chosen = self._desk.chosen
        in_view = chosen is not None and chosen["id"] == row["id"]
        where = "" if in_view else f" ({row['arxiv_id']}, {row['phenomenon']}: now {row['status']}, not in this list)"
        self._said = said + where

    def _keep_note(self, note: str | None) -> None:
        if note is not None:
            self._desk.write_note(note)
            self._said = "note written, kept with your decision" if note else "no note"
            self._show_all()

    # Moving about

    def action_move(self, steps: int) -> None:
        """Open the paper so many rows down."""
        self._desk.move(steps)
        self._show_all()

    def action_first(self) -> None:
        """Open the first paper."""
        self._desk.go_to(0)
        self._show_all()

    def action_last(self) -> None:
        """Open the last paper."""
        self._desk.go_to(len(self._desk.rows))
        self._show_all()

    def action_page(self, direction: int) -> None:
        """Scroll the abstract by a page."""
        pane = self.query_one("#abstract", TextPane)
        step = max(1, pane.scrollable_content_region.height - 1)
        pane.scroll_relative(y=direction * step, animate=False)

    def action_zoom(self) -> None:
        """Give the paper the list's room, or give it back."""
        self.toggle_class("-reading")
        self.query_one("#abstract" if self.has_class("-reading") else "#queue").focus()

    @on(QueueList.Chosen)
    def _choose(self, message: QueueList.Chosen) -> None:
        self._desk.go_to(message.index)
        self._show_all()

    def action_filter(self) -> None:
        """Ask for words that the papers in view must have."""
        box = self.query_one("#words", Input)
        box.display = True
        box.focus()

    @on(Input.Changed, "#words")
    def _filter(self, event: Input.Changed) -> None:
        self._desk.filter(event.value)
        self._show_all()

    @on(Input.Submitted, "#words")
    def _end_filter(self) -> None:
        self.query_one("#words").display = False
        self.query_one(QueueList).focus()

    def action_back(self) -> None:
        """Take the filter away, or give the list its room back."""
        self.remove_class("-reading")
        self._desk.filter("")
        self._show_all()
        self._end_filter()

    def action_reload(self) -> None:
        """Read the queue anew: a night or another window may have changed it."""
        if self._attempt(self._desk.reload):
            self._said = "read anew"
        self._show_all()

    # The rest

    def action_open(self, what: str = "abs") -> None:
        """Open the paper's page in the browser, or its PDF."""
        row = self._desk.chosen
        if row is None:
            return
        url = row["url"].replace("/abs/", f"/{what}/")
        try:
            self._open_url(url)
            self._said = f"opened {url}"
        except (webbrowser.Error, OSError):
            self._said = f"no browser here: {url}"
        self._show_foot()

    def action_toggle_theme(self) -> None:
        """Change between dark and light."""
        self.app.theme = "bmp-light" if self.app.current_theme.dark else "bmp-dark"

    def action_help(self) -> None:
        """List every key."""
        self.app.push_screen(HelpDialog(key_words(self.BINDINGS, lambda key: key.tooltip)))

    def action_leave(self) -> None:
        """Leave, or ask first if a note would be lost."""
        if self._desk.notes:
            self.app.push_screen(LeaveDialog(len(self._desk.notes)), self._leave)
        else:
            self._leave(True)

    def _leave(self, wanted: bool | None) -> None:
        if wanted:
            self.app.exit(len(self._desk.decided))

    def _attempt(self, action: Callable[[], None]) -> bool:
        """Do it, or say why it could not be done; tell which."""
        try:
            action()
        except BmpError as error:
            self._complain(str(error))
            return False
        except sqlite3.Error as error:
            self._complain(f"the database: {error} (R reads the queue anew)")
            return False
        return True

    def _complain(self, message: str) -> None:
        self.notify(clean_line(message), severity="error", timeout=8, markup=False)

    # What is shown

    def _show_all(self) -> None:
        desk = self._desk
        self.query_one(QueueList).show(desk.rows, desk.index)
        self.set_class(not desk.rows, "-empty")
        self._attempt(self._show_paper)
        self._show_foot()

    def _show_paper(self) -> None:
        self._clear_paper()
        row = self._desk.read()
        if row is None:
            return
        self.query_one("#head", Static).update(present.paper_head(row))
        body = present.paper_body(row, self._keywords.get(row["phenomenon"], ()))
        self.query_one("#abstract", TextPane).show(body, from_start=row["difference"] is not None)
        self._show_claim(row)

    def _show_claim(self, row: Row) -> None:
        self.query_one("#claim", TextPane).show(present.claim_side(row, note=self._desk.note))

    def _show_claim_anew(self) -> None:
        """Show the claim's side anew, and leave the paper where it is scrolled to."""
        if row := self._desk.read():
            self._show_claim(row)

    def _clear_paper(self) -> None:
        desk = self._desk
        self.query_one("#head", Static).update(Content(""))
        self.query_one("#abstract", TextPane).show(Content(""))
        self.query_one("#claim", TextPane).show(Content(""))
        advice = present.empty_text(
            waiting=desk.waiting, words=desk.words, phenomenon=desk.phenomenon, decided=len(desk.decided)
        )
        self.query_one("#advice", Static).update(advice)

    def _show_foot(self) -> None:
        desk = self._desk
        place = f"{desk.index + 1} of {len(desk.rows)}" if desk.rows else "0 of 0"
        scope = [desk.phenomenon or "", f"“{desk.words}”" if desk.words else ""]
        status = present.status_line(
            reviewer=desk.reviewer,
            place=place,
            decided=len(desk.decided),
            scope=" ".join(part for part in scope if part),
            said=self._said,
        )
        self.query_one("#status", Line).update(status)
        words = [(key.split()[0], word) for key, word in key_words(self.BINDINGS)]
        keys = present.key_line(words, max(0, self.size.width - 2))
        self.query_one("#keys", Line).update(keys)
