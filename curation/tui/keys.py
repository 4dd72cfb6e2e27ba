"""The keys of the review, and how keys are named where they are listed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from textual.binding import Binding, BindingType
from textual.keys import KEY_NAME_REPLACEMENTS, Keys, _character_to_key

from curation.tui.present import Part
from db.errors import SettingsError
from db.text import clean_line

# The short words are for the line at the foot, in the order in which it has room for them; the tooltips for the list.
REVIEW_KEYS = (
    Binding("s", "accept('supports')", "supports", tooltip="accept: the paper supports the claim", id="supports"),
    Binding("c", "accept('contradicts')", "contradicts", tooltip="accept: it contradicts the claim", id="contradicts"),
    Binding(
        "f", "accept('qualifies')", "qualifies", tooltip="accept: it qualifies the claim, sets limits", id="qualifies"
    ),
    Binding("m", "accept('mentions')", "mentions", tooltip="accept: it mentions the claim", id="mentions"),
    Binding("r", "reject", "reject", tooltip="reject: it is no evidence for this claim", id="reject"),
    Binding("u", "undo", "undo", tooltip="take back your newest decision; asks if it is old", id="undo"),
    Binding("b", "maybe", "maybe", tooltip="put aside as maybe", id="maybe"),
    Binding("z", "snooze", "snooze", tooltip="snooze for some days, or until a date", id="snooze"),
    Binding("n", "note", "note", tooltip="write a note, kept with your decision", id="note"),
    Binding("o", "open", "open", tooltip="open the paper in the browser", id="open"),
    Binding("slash", "filter", "filter", tooltip="show only what has these words", id="filter"),
    Binding("a", "ask_stance", "accept", tooltip="accept, and be asked for the stance", id="accept"),
    Binding("U", "redo", "redo", tooltip="make the decision again that you took back", id="redo"),
    Binding("p", "open('pdf')", "pdf", tooltip="open its PDF", id="pdf"),
    Binding("d", "reassign", "other", tooltip="it belongs to another phenomenon; opens it there", id="reassign"),
    Binding("e", "mark", "sentence", tooltip="choose the sentence that is the evidence", id="sentence"),
    Binding("y", "copy_bibtex", "bibtex", tooltip="copy its BibTeX entry", id="bibtex"),
    Binding(
        "v",
        "ask_view",
        "view",
        tooltip="show what waits, was decided, or is in conflict",
        id="view",
    ),
    Binding("S", "sort", "sort", tooltip="best first, by phenomenon, or newest first", id="sort"),
    Binding("P", "only", "only", tooltip="only this phenomenon, or all again", id="only"),
    Binding("i", "progress", "progress", tooltip="what is done, how fast, and what is left", id="progress"),
    Binding("j,down", "move(1)", "next", tooltip="next paper", id="next"),
    Binding("k,up", "move(-1)", "previous", tooltip="previous paper", id="previous"),
    Binding("g,home", "first", "first", tooltip="first paper", id="first"),
    Binding("G,end", "last", "last", tooltip="last paper", id="last"),
    Binding("enter", "zoom", "read", tooltip="hide the list to read, or show it again", id="read"),
    Binding("space,pagedown", "page(1)", "page", tooltip="read on in the abstract", id="page"),
    Binding("backspace,pageup", "page(-1)", "back", tooltip="read back", id="page-back"),
    Binding("tab", "app.focus_next", "pane", tooltip="next pane; arrows then scroll it", id="pane"),
    Binding("escape", "back", "back", tooltip="show all papers again", id="back"),
    Binding("R", "reload", "reload", tooltip="read the queue anew", id="reload"),
    Binding("t", "toggle_theme", "theme", tooltip="dark or light", id="theme"),
    Binding("q", "leave", "quit", tooltip="leave; all decisions are kept already", id="quit"),
    Binding("question_mark", "help", "keys", tooltip="this list", id="help"),
)


def key_words(
    bindings: Sequence[BindingType], describe: Callable[[Binding], str] = lambda binding: binding.description
) -> list[Part]:
    """Return each binding as its key and its words."""
    return [(_key_name(binding), describe(binding)) for binding in bindings if isinstance(binding, Binding)]


def _key_name(binding: Binding) -> str:
    names = {"escape": "esc", "question_mark": "?", "slash": "/", "pagedown": "pgdn", "pageup": "pgup"}
    return binding.key_display or " ".join(names.get(key, key) for key in binding.key.split(","))


def remap(keys: Sequence[str], bindings: Sequence[Binding] = REVIEW_KEYS) -> tuple[Binding, ...]:
    """Return the bindings with keys changed as the setting `keys` says.

    Args:
        keys: `name=key`, where the name is a binding's id and several keys stand between commas.

    Raises:
        SettingsError: a name or a key is unknown, or two bindings come to have the same key.
    """
    wanted = dict(item.split("=", 1) for item in keys)
    names = {binding.id for binding in bindings}
    if unknown := [name for name in wanted if name not in names]:
        known = ", ".join(sorted(name for name in names if name))
        raise SettingsError(
            f"setting 'keys': there is no '{clean_line(unknown[0])}' to have a key", f"known are: {known}"
        )
    mapped = tuple(replace(one, key=_check_keys(wanted[one.id])) if one.id in wanted else one for one in bindings)
    owners: dict[str, str] = {}
    for binding in mapped:
        for key in binding.key.split(","):
            name = _full_name(key)
            if name in owners:
                raise SettingsError(
                    f"setting 'keys': {key} is the key of both {owners[name]} and {binding.id}",
                    "give one of them another",
                )
            owners[name] = str(binding.id)
    return mapped


def _check_keys(text: str) -> str:
    for key in text.split(","):
        *modifiers, name = key.split("+") if key != "+" else [key]
        if not set(modifiers) <= {"ctrl", "alt", "shift"} or not _is_key(name):
            raise SettingsError(
                f"setting 'keys': '{clean_line(key)}' is no key", "such as x, X, f5, ctrl+z, space, or left,h for two"
            )
    return text


def _is_key(name: str) -> bool:
    if len(name) == 1:
        return name.isprintable() and not name.isspace()
    return name in _NAMED_KEYS


def _full_name(key: str) -> str:
    return _character_to_key(key) if len(key) == 1 else key


_NAMED_KEYS = {key.value for key in Keys} | set(KEY_NAME_REPLACEMENTS.values()) | {"question_mark", "exclamation_mark"}
