"""The door to the terminal: makes the app from its parts and runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from textual.app import App

from curation.review import Review
from curation.tui.beside import OpenRerank
from curation.tui.browser import open_in_browser
from curation.tui.desk import Desk
from curation.tui.keys import remap
from curation.tui.screens import WIDE_COLUMNS, ReviewScreen, Tools
from curation.tui.themes import DARK, LIGHT
from db.errors import BmpError
from db.phenomena import find_phenomenon, list_phenomena
from db.store import Store
from db.times import Clock, now_utc


class ReviewApp(App[int]):
    """The review. It ends with the number of decisions made.

    Args:
        review: the queue in the hands of one reviewer.
        open_url: what opens a paper's page on this desktop; may raise OSError or webbrowser.Error.
        phenomenon: only what waits for this code.
        keywords: words to underline, by phenomenon.
        clock: tells the day that a snooze is counted from.
        open_rerank: opens what ranks anew what waits, for use in another thread; without it the order stays.
        entries: the catalogue in its order, code and title of each.
        keys: which keys are others than usual, as the setting `keys` has them.
        tools: what other rooms of the program do for the screen.

    Raises:
        SettingsError: the keys do not hold.
    """

    TITLE = "bmp review"
    CSS_PATH = "app.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE_COLUMNS, "-wide")]  # noqa: RUF012  # declared so by textual
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self,
        review: Review,
        *,
        open_url: Callable[[str], None],
        phenomenon: str | None = None,
        keywords: Mapping[str, Sequence[str]] | None = None,
        clock: Clock = now_utc,
        open_rerank: OpenRerank | None = None,
        entries: Sequence[tuple[str, str]] = (),
        keys: Sequence[str] = (),
        tools: Tools | None = None,
    ) -> None:
        super().__init__()
        bindings = remap(keys)
        self.set_keymap({str(one.id): one.key for one in bindings})
        for theme in (DARK, LIGHT):
            self.register_theme(theme)
        self.theme = DARK.name  # before the style sheet is read, which names its variables
        self.desk = Desk(review, phenomenon=phenomenon, codes=[code for code, _ in entries])
        self._open_here = open_url
        self._review_screen = ReviewScreen(
            self.desk,
            keywords=keywords or {},
            open_url=self.open_url,
            clock=clock,
            open_rerank=open_rerank,
            keys=bindings,
            entries=entries,
            tools=tools,
        )

    def on_mount(self) -> None:
        """Show the papers."""
        self.push_screen(self._review_screen)

    def open_url(self, url: str, *, new_tab: bool = True) -> None:
        """Open an address where the reviewer sits: in the visitor's browser, or on this desktop."""
        if self.is_web:
            super().open_url(url, new_tab=new_tab)
        else:
            self._open_here(url)


def run_review(
    store: Store,
    review: Review,
    *,
    phenomenon: str | None,
    open_rerank: OpenRerank | None = None,
    keys: Sequence[str] = (),
    tools: Tools | None = None,
) -> int:
    """Run the review in this terminal and return how many decisions were made in it.

    Raises:
        UsageError: there is no such phenomenon.
        SettingsError: the keys do not hold.
        BmpError: the screen failed; every decision made until then is kept.
    """
    if phenomenon is not None:
        find_phenomenon(store, phenomenon)
    catalogue = list_phenomena(store)
    app = ReviewApp(
        review,
        open_url=open_in_browser,
        phenomenon=phenomenon,
        keywords={entry.code: entry.keywords for entry in catalogue},
        open_rerank=open_rerank,
        entries=[(entry.code, entry.title) for entry in catalogue],
        keys=keys,
        tools=tools,
    )
    app.run()
    if app.return_code:
        raise BmpError("the screen failed", "every decision you made is kept; `bmp review` goes on from there")
    return len(app.desk.decided)
