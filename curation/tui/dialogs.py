"""The small questions: which stance, until when, which note, whether to leave; and the list of keys."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from curation.review import SCORE_HIDDEN
from curation.tui import present
from curation.tui.keys import key_words
from curation.tui.spans import Span, SpanPicker
from db.errors import UsageError
from db.records import Stance
from db.store import Row
from db.text import clean_line
from db.times import require_date

SNOOZE_DAYS = 7
LONGEST_SNOOZE_DAYS = 3650
NOTE_LENGTH = 2000

CANCEL: BindingType = Binding("escape", "cancel", "cancel")


class SafeInput(Input):
    """A line to write in that drops what could move the cursor, also when it is pasted."""

    def insert_text_at_cursor(self, text: str) -> None:
        """Insert the text without control, bidi and zero-width characters."""
        super().insert_text_at_cursor(clean_input(text))

    def replace(self, text: str, start: int, end: int) -> None:
        """Replace a part by the text without such characters."""
        super().replace(clean_input(text), start, end)


def clean_input(text: str) -> str:
    """Clean a piece of a line; a blank at either end stays, for the piece may be a single key."""
    cleaned = clean_line(text)
    before, after = text[:1].isspace() * " ", text[-1:].isspace() * " "
    return f"{before}{cleaned}{after}" if cleaned else before


class StanceDialog(ModalScreen[Stance | None]):
    """Asks how the paper bears on the claim."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "answer('supports')", "supports the claim", id="supports"),
        Binding("c", "answer('contradicts')", "contradicts it", id="contradicts"),
        Binding("f", "answer('qualifies')", "qualifies it: holds within limits", id="qualifies"),
        Binding("m", "answer('mentions')", "mentions it", id="mentions"),
        Binding("escape,q", "cancel", "cancel"),  # q leaves everywhere else
    ]

    def __init__(self, keys: Mapping[str, str]) -> None:
        super().__init__()
        bound = [one for one in self.BINDINGS if isinstance(one, Binding)]
        self._bound = [replace(one, key=keys.get(one.id or "", one.key)) for one in bound]

    def compose(self) -> ComposeResult:
        """Ask, with a key for each answer."""
        with Vertical(classes="dialog"):
            yield Static(Content.styled("Accept: how does it bear on the claim?", present.HEADING), markup=False)
            yield Static(present.help_text(key_words(self._bound)), markup=False, classes="answers")

    def action_answer(self, stance: str) -> None:
        """Answer with a stance."""
        self.dismiss(Stance(stance))

    def action_cancel(self) -> None:
        """Decide nothing."""
        self.dismiss(None)


class SnoozeDialog(ModalScreen[date | None]):
    """Asks until when, as a number of days or a date."""

    BINDINGS: ClassVar[list[BindingType]] = [CANCEL]

    def __init__(self, today: date) -> None:
        super().__init__()
        self._today = today

    def compose(self) -> ComposeResult:
        """Ask, with a week as the answer at hand."""
        with Vertical(classes="dialog"):
            yield Static(Content.styled("Snooze: for how many days, or until when?", present.HEADING), markup=False)
            yield SafeInput(str(SNOOZE_DAYS), max_length=10, select_on_focus=True)
            yield Static(self._meaning(str(SNOOZE_DAYS)), markup=False, id="meaning")

    @on(Input.Changed)
    def _explain(self, event: Input.Changed) -> None:
        self.query_one("#meaning", Static).update(self._meaning(event.value))

    @on(Input.Submitted)
    def _answer(self, event: Input.Submitted) -> None:
        try:
            self.dismiss(snooze_until(event.value, self._today))
        except UsageError as error:
            self.query_one("#meaning", Static).update(Content.styled(clean_line(str(error)), present.FLAG))

    def action_cancel(self) -> None:
        """Decide nothing."""
        self.dismiss(None)

    def _meaning(self, text: str) -> Content:
        try:
            said = f"comes back on {snooze_until(text, self._today):%A, %Y-%m-%d}. Esc cancels"
        except UsageError:
            said = "a number of days, or a date as 2026-12-31"
        return Content.styled(said, present.MUTED)


def snooze_until(text: str, today: date) -> date:
    """Read a number of days from today, or a date after it.

    Raises:
        UsageError: the text is neither, or not in the future.
    """
    text = text.strip()
    if text.isascii() and text.isdecimal():
        days = int(text)
        if not 1 <= days <= LONGEST_SNOOZE_DAYS:
            raise UsageError(f"{days} days do not do", f"say 1 to {LONGEST_SNOOZE_DAYS}")
        return today + timedelta(days=days)
    until = require_date(text)
    if until <= today:
        raise UsageError(f"{until} is not in the future", f"say a day after {today}")
    return until


class NoteDialog(ModalScreen[str | None]):
    """Asks for a note on the paper."""

    BINDINGS: ClassVar[list[BindingType]] = [CANCEL]

    def __init__(self, note: str) -> None:
        super().__init__()
        self._note = note

    def compose(self) -> ComposeResult:
        """Ask, with the note written so far."""
        with Vertical(classes="dialog"):
            yield Static(Content.styled("Note, kept with your decision on this paper", present.HEADING), markup=False)
            yield SafeInput(clean_line(self._note), max_length=NOTE_LENGTH, select_on_focus=False)
            yield Static(Content.styled("enter keeps it, esc leaves all as it was", present.MUTED), markup=False)

    @on(Input.Submitted)
    def _answer(self, event: Input.Submitted) -> None:
        self.dismiss(clean_line(event.value))

    def action_cancel(self) -> None:
        """Leave the note as it was."""
        self.dismiss(None)


class ReassignDialog(ModalScreen[str | None]):
    """Asks which other phenomenon the paper belongs to.

    Args:
        entries: code and title of each.
        elsewhere: the codes that the paper is a candidate for already.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        CANCEL,
        Binding("down", "move(1)", "down"),
        Binding("up", "move(-1)", "up"),
    ]

    def __init__(self, entries: Sequence[present.Part], elsewhere: Collection[str]) -> None:
        super().__init__()
        self._entries = entries
        self._elsewhere = elsewhere

    def compose(self) -> ComposeResult:
        """Ask, with all that there are."""
        with Vertical(classes="dialog", id="reassign"):
            yield Static(Content.styled("To which phenomenon does it belong?", present.HEADING), markup=False)
            yield SafeInput(placeholder="words of its code or title", max_length=100)
            yield OptionList(*self._options(""), markup=False)
            yield Static(Content.styled("enter takes it, esc leaves all as it was", present.MUTED), markup=False)

    def _options(self, words: str) -> list[Option]:
        wanted = words.casefold().split()
        return [
            Option(present.entry_line(code, title, marked=code in self._elsewhere), id=code)
            for code, title in self._entries
            if all(word in f"{code} {title}".casefold() for word in wanted)
        ]

    @on(Input.Changed)
    def _search(self, event: Input.Changed) -> None:
        found = self.query_one(OptionList)
        found.clear_options()
        found.add_options(self._options(event.value))
        found.highlighted = 0 if found.option_count else None

    @on(Input.Submitted)
    def _answer(self) -> None:
        found = self.query_one(OptionList)
        if found.option_count:
            self.dismiss(found.get_option_at_index(found.highlighted or 0).id)

    @on(OptionList.OptionSelected)
    def _click(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)

    def action_move(self, steps: int) -> None:
        """Go down or up in the list."""
        found = self.query_one(OptionList)
        if found.option_count:
            found.highlighted = max(0, min((found.highlighted or 0) + steps, found.option_count - 1))

    def action_cancel(self) -> None:
        """Decide nothing."""
        self.dismiss(None)


class MarkDialog(ModalScreen[str | None]):
    """Moves the lit span in the abstract, which stays in view; ends with its text, or None to leave all as it was.

    Args:
        picker: the span.
        show: called with each span that it comes to.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l,down,j", "go(1)", "next sentence"),
        Binding("left,h,up,k", "go(-1)", "previous"),
        Binding("left_square_bracket", "start(-1)", "start earlier", key_display="["),
        Binding("right_square_bracket", "start(1)", "start later", key_display="]"),
        Binding("left_curly_bracket", "end(-1)", "end earlier", key_display="{"),
        Binding("right_curly_bracket", "end(1)", "end later", key_display="}"),
        Binding("enter", "keep", "keep it"),
        Binding("escape,q", "cancel", "as it was", key_display="esc"),
    ]

    def __init__(self, picker: SpanPicker, show: Callable[[Span | None], None]) -> None:
        super().__init__()
        self._picker = picker
        self._show = show

    def compose(self) -> ComposeResult:
        """Say which keys there are, below the abstract."""
        with Vertical(classes="strip"):
            words = [("→ ←", "sentence"), ("[ ]", "start"), ("{ }", "end"), ("enter", "keeps"), ("esc", "as it was")]
            yield Static(present.key_line(words, 76), markup=False)

    def on_mount(self) -> None:
        """Light where the span begins."""
        self._show(self._picker.span)

    def action_go(self, steps: int) -> None:
        """Go to another sentence."""
        self._picker.go(steps)
        self._show(self._picker.span)

    def action_start(self, words: int) -> None:
        """Move the start."""
        self._picker.move_start(words)
        self._show(self._picker.span)

    def action_end(self, words: int) -> None:
        """Move the end."""
        self._picker.move_end(words)
        self._show(self._picker.span)

    def action_keep(self) -> None:
        """Keep the span."""
        self.dismiss(self._picker.text or None)

    def action_cancel(self) -> None:
        """Leave all as it was."""
        self.dismiss(None)


class ViewDialog(ModalScreen[str | None]):
    """Asks which candidates to show."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "answer('waiting')", "what waits for a decision"),
        Binding("b", "answer('maybe')", "put aside as maybe"),
        Binding("z", "answer('snoozed')", "snoozed"),
        Binding("a", "answer('accepted')", "accepted"),
        Binding("r", "answer('rejected')", "rejected"),
        Binding("x", "answer('conflicts')", "in conflict: decided differently by two reviewers"),
        Binding("escape,q,v", "cancel", "cancel"),
    ]

    def compose(self) -> ComposeResult:
        """Ask, with a key for each answer."""
        with Vertical(classes="dialog"):
            yield Static(Content.styled("Show which candidates?", present.HEADING), markup=False)
            yield Static(present.help_text(key_words(self.BINDINGS)), markup=False, classes="answers")

    def action_answer(self, view: str) -> None:
        """Answer."""
        self.dismiss(view)

    def action_cancel(self) -> None:
        """Change nothing."""
        self.dismiss(None)


class ProgressDialog(ModalScreen[None]):
    """Tells how the session goes, and what is left once that is worked out."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,i,q,enter", "close", "close")]

    def __init__(self, told: Content, left: Content) -> None:
        super().__init__()
        self._told, self._left = told, left

    def compose(self) -> ComposeResult:
        """Show both."""
        with VerticalScroll(classes="dialog", id="progress"):
            yield Static(Content.styled("How it goes", present.HEADING), markup=False)
            yield Static(self._told, markup=False, classes="answers")
            yield Static(self._left, markup=False, classes="answers", id="left")

    def tell_left(self, left: Content) -> None:
        """Show what is left."""
        self.query_one("#left", Static).update(left)

    def action_close(self) -> None:
        """Go back to the papers."""
        self.dismiss(None)


class YesNoDialog(ModalScreen[bool]):
    """Asks a question whose answers are the keys of the dialog."""

    def __init__(self, heading: str, detail: str = "") -> None:
        super().__init__()
        self._heading, self._detail = heading, detail

    def compose(self) -> ComposeResult:
        """Ask, with a key for each answer."""
        with Vertical(classes="dialog"):
            yield Static(Content.styled(self._heading, present.HEADING), markup=False)
            if self._detail:
                yield Static(Content(present.plain(self._detail)), markup=False)
            yield Static(present.help_text(key_words(self.BINDINGS)), markup=False, classes="answers")

    def action_answer(self, yes: bool) -> None:
        """Answer."""
        self.dismiss(yes)


class LeaveDialog(YesNoDialog):
    """Asks whether to leave although notes were written that no decision keeps yet."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,y", "answer(True)", "leave without them", key_display="q y"),
        Binding("escape,n", "answer(False)", "stay", key_display="esc n"),
    ]

    def __init__(self, kept: int) -> None:
        count = "A note or a sentence waits" if kept == 1 else f"{kept} notes and sentences wait"
        super().__init__(f"{count} for a decision to be kept with")


class UndoDialog(YesNoDialog):
    """Asks whether to take back a decision that was made before this session."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u,y", "answer(True)", "take it back", key_display="u y"),
        Binding("escape,n,q", "answer(False)", "leave it", key_display="esc n"),
    ]

    def __init__(self, event: Row) -> None:
        said = f"{event['arxiv_id']} for {event['phenomenon']}: {present.event_text(event)}"
        super().__init__("Your newest decision is of an earlier session", said)


class HelpDialog(ModalScreen[None]):
    """Lists every key."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q,enter", "close", "close")]

    def __init__(self, keys: Sequence[present.Part], *, scores_hidden: bool) -> None:
        super().__init__()
        self._keys = keys
        self._scores_hidden = scores_hidden

    def compose(self) -> ComposeResult:
        """Show the keys, to scroll where they are too many."""
        with VerticalScroll(classes="dialog", id="help"):
            yield Static(Content.styled("Keys", present.HEADING), markup=False)
            yield Static(present.help_text(self._keys), markup=False)
            if self._scores_hidden:
                yield Static(Content.styled(f"\n{SCORE_HIDDEN.capitalize()}.", present.MUTED), markup=False)

    def action_close(self) -> None:
        """Go back to the papers."""
        self.dismiss(None)
