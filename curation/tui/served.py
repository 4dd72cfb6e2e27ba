"""What stands in for a terminal when the app is served to a browser."""

from __future__ import annotations

from textual import messages
from textual.drivers.web_driver import WebDriver


class ServedDriver(WebDriver):
    """Textual's driver for the web, which also ends the app when the server has gone."""

    def run_input_thread(self) -> None:
        """Take input until there can be no more, then end the app."""
        super().run_input_thread()
        self._app.post_message(messages.ExitApp())
