"""Who is let in by the server of the review, and how it ends what it started; in this process, on loopback."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientWebSocketResponse, WSServerHandshakeError
from aiohttp.test_utils import TestClient, TestServer

from curation.serve.guard import LOOPBACK_NAMES, Guard
from curation.serve.server import ReviewServer

TOKEN = "a-token-of-some-length-0123"
STUBBORN = (sys.executable, "-c", "import signal, time; signal.signal(2, signal.SIG_IGN); time.sleep(60)")


@asynccontextmanager
async def client_of(guard: Guard, **options: float) -> AsyncIterator[TestClient]:
    """Give a client of a server behind the guard, whose visitors get a process that listens to nobody."""
    server = ReviewServer(STUBBORN, guard, **options)
    async with TestClient(TestServer(await server.make_app(), host="127.0.0.1")) as client:
        yield client


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:9000", 200),  # another port: a tunnel
        ("LOCALHOST", 200),
        ("[::1]:8000", 200),
        ("evil.example", 403),
        ("evil.example:8000", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.", 403),
        ("127.0.0.2", 403),
        ("[::1", 403),
        ("", 403),
    ],
)
async def test_a_request_under_another_name_is_refused(host: str, status: int) -> None:
    async with client_of(Guard(LOOPBACK_NAMES, None)) as client:
        for path in ("/", "/static/css/xterm.css", "/page/page.css"):
            async with client.get(path, headers={"Host": host}) as answer:
                assert answer.status == status, path
                assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://127.0.0.1:1", "http://localhost", "null", "", "file://", "chrome-extension://a"],
)
async def test_a_page_of_another_site_gets_no_connection(origin: str) -> None:
    async with client_of(Guard(LOOPBACK_NAMES, None)) as client:
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.ws_connect("/ws", headers={"Origin": origin})
        assert refused.value.status == 403
        async with client.get("/", headers={"Origin": origin}) as answer:
            assert answer.status == 403


async def test_a_connection_that_names_no_site_is_refused() -> None:
    async with client_of(Guard(LOOPBACK_NAMES, None)) as client:
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.ws_connect("/ws")
        assert refused.value.status == 403


async def test_without_the_token_nothing_is_shown() -> None:
    async with client_of(Guard(None, TOKEN)) as client:
        for path in ("/", "/ws", "/static/js/textual.js", "/page/page.css", "/download/x", "/nowhere"):
            for cookie in (None, "", TOKEN[:-1], TOKEN + "x", "ü"):
                headers = {} if cookie is None else {"Cookie": f"bmp_token={cookie}"}
                async with client.get(path, headers=headers) as answer:
                    assert answer.status == 403, (path, cookie)
                    assert "locked" in await answer.text()


@pytest.mark.parametrize("said", ["", "x", TOKEN[:-1], TOKEN.upper(), "%ff", "ü"])
async def test_a_wrong_token_gives_no_cookie(said: str) -> None:
    async with client_of(Guard(None, TOKEN)) as client:
        answer = await client.get(f"/?token={said}", allow_redirects=False)
        assert answer.status == 403
        assert "Set-Cookie" not in answer.headers


async def test_the_first_visit_leaves_the_token_in_a_cookie_and_not_in_the_address() -> None:
    async with client_of(Guard(LOOPBACK_NAMES, TOKEN, cookie="bmp_token_8000")) as client:
        async with client.get(f"/?token={TOKEN}", allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "./")
            cookie = answer.headers["Set-Cookie"]
            assert cookie.startswith(f"bmp_token_8000={TOKEN};")
            assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Secure" not in cookie
            assert TOKEN not in await answer.text()
        async with client.get("/", headers={"Cookie": f"bmp_token_8000={TOKEN}"}) as answer:
            assert answer.status == 200
            assert TOKEN not in await answer.text()


async def test_behind_a_proxy_its_address_counts() -> None:
    guard = Guard(LOOPBACK_NAMES | {"bmp.example"}, TOKEN, public_url="https://bmp.example")
    async with client_of(guard, grace_seconds=0.1) as client:
        async with client.get(f"/?token={TOKEN}", allow_redirects=False) as answer:
            assert "Secure" in answer.headers["Set-Cookie"]
        known = {"Cookie": f"bmp_token={TOKEN}", "Origin": "https://bmp.example"}
        websocket = await client.ws_connect("/ws", headers=known)
        await websocket.close()
        with pytest.raises(WSServerHandshakeError):
            await client.ws_connect("/ws", headers=known | {"Origin": "https://evil.example"})


async def test_there_are_no_more_visitors_than_allowed_and_a_process_that_does_not_end_is_ended() -> None:
    async with client_of(Guard(LOOPBACK_NAMES, None), most_visitors=1, grace_seconds=0.1) as client:
        origin = {"Origin": str(client.make_url("/")).rstrip("/")}
        first = await client.ws_connect("/ws", headers=origin)
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.ws_connect("/ws", headers=origin)
        assert refused.value.status == 503
        await first.close()
        async with asyncio.timeout(20):
            while (second := await connection(client, origin)) is None:
                await asyncio.sleep(0.05)
        await second.close()


async def connection(client: TestClient, headers: dict[str, str]) -> ClientWebSocketResponse | None:
    """Connect, if there is room."""
    try:
        return await client.ws_connect("/ws", headers=headers)
    except WSServerHandshakeError:
        return None
