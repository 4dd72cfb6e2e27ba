"""Who is let in: the right host, the right site, and, where one is needed, the token."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

# xterm.js writes style elements of its own; scripts come from this server alone, and nothing from anywhere else.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " font-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True, slots=True)
class Guard:
    """The rules of the door.

    Args:
        hosts: the names that the server may be called by, without port; None takes any, which needs a token.
        token: what a visitor must know; None lets in everyone who gets here.
        cookie: the name under which a browser keeps the token. Cookies are shared by all ports of a host.
        public_url: where a proxy shows the server to the world.
    """

    hosts: frozenset[str] | None
    token: str | None = field(repr=False)
    cookie: str = "bmp_token"
    public_url: str | None = None

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a request through, or answer it with what is wrong."""
        if not self._is_host_ours(request.host):
            raise web.HTTPForbidden(text="This server is not known by that name.\n")
        if self._is_foreign(request):
            raise web.HTTPForbidden(text="This server answers its own page only, and no other site.\n")
        if self.token is None:
            return await handler(request)
        if "token" in request.query:
            return self._first_visit(request.query["token"])
        if not self._is_token(request.cookies.get(self.cookie, "")):
            raise web.HTTPForbidden(
                text="This review is locked. Open the address that `bmp review --serve` told: it ends in the token.\n"
            )
        return await handler(request)

    def _is_host_ours(self, host: str) -> bool:
        """Tell whether a page of another name, made to point here (DNS rebinding), is not the one that asks."""
        if self.hosts is None:
            return True
        try:
            return urlsplit(f"//{host}").hostname in self.hosts
        except ValueError:
            return False

    def _is_foreign(self, request: web.Request) -> bool:
        """Tell whether another site's page asks; only a WebSocket must say where it is from, as browsers do."""
        origin = request.headers.get("Origin")
        if origin is None:
            return request.headers.get("Upgrade") is not None
        if self.public_url is not None and origin.lower() == self.public_url:
            return False
        scheme, _, rest = origin.lower().partition("://")
        return scheme not in ("http", "https") or rest != request.host.lower()

    def _first_visit(self, token: str) -> web.Response:
        """Give the browser the token to keep, and lead it to the address without it."""
        if not self._is_token(token):
            raise web.HTTPForbidden(
                text="That is not the token. The one that counts was printed when the server started.\n"
            )
        response = web.Response(status=303, headers={"Location": "./"})
        secure = self.public_url is not None and self.public_url.startswith("https:")
        response.set_cookie(self.cookie, token, httponly=True, samesite="Strict", secure=secure)
        return response

    def _is_token(self, words: str) -> bool:
        return self.token is not None and hmac.compare_digest(words.encode(errors="replace"), self.token.encode())


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Forbid to store, frame or leak what is answered, whatever it is."""
    response.headers.update(HEADERS)
