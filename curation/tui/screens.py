"""The review: the queue, the paper, the claim, and a key for every decision."""

from __future__ import annotations

import sqlite3
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
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
    MarkDialog,
    NoteDialog,
    ProgressDialog,
    ReassignDialog,
    SafeInput,
    SnoozeDialog,
    StanceDialog,
    UndoDialog,
    ViewDialog,
)
from curation.tui.keys import REVIEW_KEYS, key_words
from curation.tui.spans import Span, SpanPicker
from curation.tui.widgets import Line, QueueList, TextPane
from db.errors import BmpError
from db.records import Stance, Verdict
from db.store import Row
from db.text import clean_line
from db.times import Clock

WIDE_COLUMNS = 110


@dataclass(frozen=True, slots=True)
class Tools:
    """What other rooms of the program do for the screen.

    Attributes:
        split_sentences: gives the spans of an abstract's sentences.
        render_bibtex: gives a paper's entry, of a row as `Review.show` gives it.
        tell_effort: tells for a code what each recall takes (`recall`, `more`); called in a thread of its own.
    """

    split_sentences: Callable[[str], Sequence[Span]] = lambda abstract: ()
    render_bibtex: Callable[[Row], str] | None = None
    tell_effort: Callable[[str], Sequence[Row]] | None = None


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
        keys: Sequence[Binding] = REVIEW_KEYS,
        entries: Sequence[present.Part] = (),
        tools: Tools | None = None,
    ) -> None:
        super().__init__()
        self._desk = desk
        self._keys = keys
        self._entries = entries
        self._tools = tools or Tools()
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
            keys = {str(one.id): one.key for one in self._keys}
            self.app.push_screen(StanceDialog(keys), self._accept_as)

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
            self.app.push_screen(UndoDialog(earlier), lambda wanted: self._undo_now(wanted, earlier))

    def _undo_now(self, wanted: bool | None, earlier: Row) -> None:
        if wanted:
            self._attempt(lambda: self._undo(earlier))
            self._show_all()

    def _redo(self) -> None:
        row = self._desk.redo()
        self._learn(row["phenomenon"])
        event = row["history"][-1]
        self._said = f"{present.verdict_text(event['kind'], event['stance'], event['until'])} again - u undoes"

    def action_reassign(self) -> None:
        """Ask which other phenomenon the open paper belongs to."""
        if row := self._desk.read():
            elsewhere = {other["phenomenon"] for other in row["others"]}
            others = [entry for entry in self._entries if entry[0] != row["phenomenon"]]
            self.app.push_screen(ReassignDialog(others, elsewhere), self._reassign)

    def _reassign(self, code: str | None) -> None:
        before = self._desk.chosen
        if code is not None and before is not None and self._attempt(lambda: self._reassign_to(code)):
            self._learn(before["phenomenon"])
            self.query_one(QueueList).focus()
            self._show_all()

    def _reassign_to(self, code: str) -> None:
        other = self._desk.reassign(code)
        chosen = self._desk.chosen
        opened = chosen is not None and chosen["id"] == other["id"]
        where = "decide it there now" if opened else f"there it is {other['status']}"
        self._said = f"rejected, for it belongs to {code}: {where} - u undoes"

    def action_mark(self) -> None:
        """Let the sentence be chosen that is the evidence."""
        row = self._desk.read()
        if row is None or not row["abstract"]:
            return
        spans = self._tools.split_sentences(row["abstract"])
        picker = SpanPicker(row["abstract"], spans, _lit_span(self._with_mark(row)))
        self.app.push_screen(MarkDialog(picker, lambda span: self._show_body(row, span)), self._keep_mark)

    def _keep_mark(self, sentence: str | None) -> None:
        if sentence is not None:
            self._desk.mark(sentence)
            self._said = "sentence chosen, kept with your decision"
        self._show_all()

    def action_copy_bibtex(self) -> None:
        """Copy the open paper's BibTeX entry."""
        row = self._desk.read()
        if row is None or self._tools.render_bibtex is None:
            return
        entry = self._tools.render_bibtex(row)
        if self.app.is_web:  # a browser hands its clipboard to nobody's terminal
            self._said = f"no clipboard here: bmp queue show {row['id']} --bibtex"
        else:
            self.app.copy_to_clipboard(entry)
            self._said = f"copied {entry[: entry.index(',')]} as BibTeX"
        self._show_foot()

    def action_ask_view(self) -> None:
        """Ask which candidates to show."""
        self.app.push_screen(ViewDialog(), self._show_view)

    def _show_view(self, view: str | None) -> None:
        if view is not None and self._attempt(lambda: self._desk.show_view(view)):
            self._said = ""
        self._show_all()

    def action_sort(self) -> None:
        """Go to the next order."""
        self._desk.sort()
        said = {"best": "best first", "phenomenon": "by phenomenon", "newest": "newest first"}
        self._said = said[self._desk.order]
        self._show_all()

    def action_only(self) -> None:
        """Show this phenomenon alone, or all again."""
        self._attempt(self._desk.toggle_only)
        self._said = f"only {self._desk.phenomenon}" if self._desk.phenomenon else "all phenomena"
        self._show_all()

    def action_progress(self) -> None:
        """Tell how the session goes; what is left is worked out beside it."""
        desk, row = self._desk, self._desk.chosen
        left = Content(f"{len(desk.rows)} in view. ")
        if row and self._tools.tell_effort:
            left = left.append(
                Content.styled(f"What is left for {row['phenomenon']} is being worked out ...", present.MUTED)
            )
        dialog = ProgressDialog(present.progress_text(desk.progress, decided=len(desk.decided)), left)
        self.app.push_screen(dialog)
        if row and self._tools.tell_effort:
            code, tell = row["phenomenon"], self._tools.tell_effort
            self.run_worker(lambda: self._tell_left(dialog, code, tell), thread=True, exclusive=True)

    def _tell_left(self, dialog: ProgressDialog, code: str, tell: Callable[[str], Sequence[Row]]) -> None:
        """Work out what is left, in a thread of its own."""
        try:
            told = present.left_text(code, tell(code), rate=self._desk.progress.rate)
        except Exception as error:  # a fault in counting must not end a session
            told = Content(clean_line(f"What is left cannot be told: {error}"))
        self._call_here(self._hear_left, dialog, told)

    def _hear_left(self, dialog: ProgressDialog, told: Content) -> None:
        if dialog.is_attached:
            dialog.tell_left(told)

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

    def _undo(self, expected: Row | None = None) -> None:
        row = self._desk.undo(expected)
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
        words = key_words(self._keys, lambda key: key.tooltip)
        self.app.push_screen(HelpDialog(words, scores_hidden=self._desk.hides_scores))

    def action_leave(self) -> None:
        """Leave, or ask first if a note or a sentence would be lost."""
        if self._desk.unkept:
            self.app.push_screen(LeaveDialog(self._desk.unkept), self._leave)
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
        self.app.clear_notifications()  # the newest says what matters
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
        row = self._with_mark(row)
        self._show_body(row, _lit_span(row))
        self._show_claim(row)

    def _show_body(self, row: Row, span: Span | None) -> None:
        """Show the abstract with a span of it lit."""
        start, end = span or (None, None)
        lit = {**row, "sentence_start": start, "sentence_end": end}
        body = present.paper_body(lit, self._keywords.get(row["phenomenon"], ()))
        self.query_one("#abstract", TextPane).show(body, from_start=row["difference"] is not None)

    def _with_mark(self, row: Row) -> Row:
        """Return the row with the sentence that was chosen for it, if any was."""
        sentence = self._desk.marks.get(row["id"], "")
        start = row["abstract"].find(sentence) if sentence else -1
        if start < 0:
            return row
        return {**row, "sentence": sentence, "sentence_start": start, "sentence_end": start + len(sentence)}

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
            waiting=desk.waiting,
            words=desk.words,
            phenomenon=desk.phenomenon,
            decided=len(desk.decided),
            view=desk.view,
        )
        self.query_one("#advice", Static).update(advice)

    def _show_foot(self) -> None:
        desk = self._desk
        place = f"{desk.index + 1} of {len(desk.rows)}" if desk.rows else "0 of 0"
        view = "" if desk.view == "waiting" else desk.view
        scope = [view, desk.phenomenon or "", f"“{desk.words}”" if desk.words else ""]
        status = present.status_line(
            reviewer=desk.reviewer,
            place=place,
            decided=len(desk.decided),
            scope=" ".join(part for part in scope if part),
            said=self._said,
            rate=desk.progress.rate,
        )
        self.query_one("#status", Line).update(status)
        words = [(key.split()[0], word) for key, word in key_words(self._keys)]
        keys = present.key_line(words, max(0, self.size.width - 2))
        self.query_one("#keys", Line).update(keys)


def _lit_span(row: Row) -> Span | None:
    return None if row["sentence_start"] is None else (row["sentence_start"], row["sentence_end"])
