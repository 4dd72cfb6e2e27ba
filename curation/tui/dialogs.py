"""The small questions: which stance, until when, which note, whether to leave; and the list of keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from curation.tui import present
from curation.tui.keys import key_words
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
        Binding("s", "answer('supports')", "supports the claim"),
        Binding("c", "answer('contradicts')", "contradicts it"),
        Binding("f", "answer('qualifies')", "qualifies it: holds within limits"),
        Binding("m", "answer('mentions')", "mentions it"),
        Binding("escape,q", "cancel", "cancel"),  # q leaves everywhere else
    ]

    def compose(self) -> ComposeResult:
        """Ask, with a key for each answer."""
        with Vertical(classes="dialog"):
            yield Static(Content.styled("Accept: how does it bear on the claim?", present.HEADING), markup=False)
            yield Static(present.help_text(key_words(self.BINDINGS)), markup=False, classes="answers")

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

    def __init__(self, notes: int) -> None:
        count = "A note waits" if notes == 1 else f"{notes} notes wait"
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

    def __init__(self, keys: Sequence[present.Part]) -> None:
        super().__init__()
        self._keys = keys

    def compose(self) -> ComposeResult:
        """Show the keys, to scroll where they are too many."""
        with VerticalScroll(classes="dialog", id="help"):
            yield Static(Content.styled("Keys", present.HEADING), markup=False)
            yield Static(present.help_text(self._keys), markup=False)

    def action_close(self) -> None:
        """Go back to the papers."""
        self.dismiss(None)
