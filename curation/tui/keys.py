"""The keys of the review, and how keys are named where they are listed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.binding import Binding, BindingType

from curation.tui.present import Part

# The short words are for the line at the foot, in the order in which it has room for them; the tooltips for the list.
REVIEW_KEYS = (
    Binding("s", "accept('supports')", "supports", tooltip="accept: the paper supports the claim"),
    Binding("c", "accept('contradicts')", "contradicts", tooltip="accept: it contradicts the claim"),
    Binding("f", "accept('qualifies')", "qualifies", tooltip="accept: it qualifies the claim, sets limits"),
    Binding("m", "accept('mentions')", "mentions", tooltip="accept: it mentions the claim"),
    Binding("r", "reject", "reject", tooltip="reject: it is no evidence for this claim"),
    Binding("u", "undo", "undo", tooltip="take back your newest decision; asks if it is old"),
    Binding("b", "maybe", "maybe", tooltip="put aside as maybe"),
    Binding("z", "snooze", "snooze", tooltip="snooze for some days, or until a date"),
    Binding("n", "note", "note", tooltip="write a note, kept with your decision"),
    Binding("o", "open", "open", tooltip="open the paper in the browser"),
    Binding("slash", "filter", "filter", tooltip="show only what has these words"),
    Binding("a", "ask_stance", "accept", tooltip="accept, and be asked for the stance"),
    Binding("U", "redo", "redo", tooltip="make the decision again that you took back"),
    Binding("p", "open('pdf')", "pdf", tooltip="open its PDF"),
    Binding("j,down", "move(1)", "next", tooltip="next paper"),
    Binding("k,up", "move(-1)", "previous", tooltip="previous paper"),
    Binding("g,home", "first", "first", tooltip="first paper"),
    Binding("G,end", "last", "last", tooltip="last paper"),
    Binding("enter", "zoom", "read", tooltip="hide the list to read, or show it again"),
    Binding("space,pagedown", "page(1)", "page", tooltip="read on in the abstract"),
    Binding("backspace,pageup", "page(-1)", "back", tooltip="read back"),
    Binding("tab", "app.focus_next", "pane", tooltip="next pane; arrows then scroll it"),
    Binding("escape", "back", "back", tooltip="show all papers again"),
    Binding("R", "reload", "reload", tooltip="read the queue anew"),
    Binding("t", "toggle_theme", "theme", tooltip="dark or light"),
    Binding("q", "leave", "quit", tooltip="leave; all decisions are kept already"),
    Binding("question_mark", "help", "keys", tooltip="this list"),
)


def key_words(
    bindings: Sequence[BindingType], describe: Callable[[Binding], str] = lambda binding: binding.description
) -> list[Part]:
    """Return each binding as its key and its words."""
    return [(_key_name(binding), describe(binding)) for binding in bindings if isinstance(binding, Binding)]


def _key_name(binding: Binding) -> str:
    names = {"escape": "esc", "question_mark": "?", "slash": "/", "pagedown": "pgdn", "pageup": "pgup"}
    return binding.key_display or " ".join(names.get(key, key) for key in binding.key.split(","))
