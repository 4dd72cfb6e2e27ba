"""A webhook on loopback that keeps what is posted to it and answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Hook:
    """What was posted, with which headers; `statuses` are given one after the other, the last one for ever."""

    statuses: Sequence[int] = (200,)
    headers: Sequence[tuple[str, str]] = ()
    hangs: bool = False
    posted: list[Any] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def webhook(hook: Hook) -> Iterator[Hook]:
    """Run the webhook."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            hook.agents.append(self.headers["User-Agent"])
            hook.paths.append(self.path)
            if hook.hangs:
                ended.wait()
                return
            self.send_response(hook.statuses[min(len(hook.posted), len(hook.statuses)) - 1])
            for name, value in hook.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        hook.url = f"http://127.0.0.1:{server.server_address[1]}/secret-path"
        try:
            yield hook
        finally:
            ended.set()
            server.shutdown()
            thread.join()
