"""Opens an address in a graphical browser, and in no other: a text browser would draw over the screen."""

from __future__ import annotations

import webbrowser


def open_in_browser(url: str) -> None:
    """Open the address in the desktop's browser.

    Raises:
        webbrowser.Error: there is none, or only one that runs in the terminal.
    """
    browser = webbrowser.get()
    text_only = isinstance(browser, webbrowser.GenericBrowser) and not isinstance(browser, webbrowser.BackgroundBrowser)
    if text_only or not browser.open(url):
        raise webbrowser.Error("no graphical browser here")
