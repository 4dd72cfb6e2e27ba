"""The bundled sample: a made day of papers, answered to the same requests that a real night sends."""

from __future__ import annotations

from datetime import UTC, date, datetime
from importlib.resources import files
from urllib.parse import parse_qs, unquote

import httpx

SAMPLE_URL = "https://sample.invalid/oai"  # RFC 2606: a name that never resolves
SAMPLE_DAY = date(2026, 11, 20)
SAMPLE_CLOCK = datetime(2026, 11, 21, 3, 30, tzinfo=UTC)

_FIRST_PAGES = {"cs": "cs-1.xml", "stat": "stat-1.xml"}
_SECOND_PAGE = "cs-2.xml"


def sample_transport() -> httpx.BaseTransport:
    """Return a transport for an HTTP client that answers from the bundled files and touches no network."""
    return httpx.MockTransport(_answer)


def _answer(request: httpx.Request) -> httpx.Response:
    params = dict(request.url.params)
    if "resumptionToken" in params:
        asked_set = parse_qs(unquote(params["resumptionToken"])).get("set", [""])[0]
        name = _SECOND_PAGE if asked_set == "cs" else None
    else:
        name = _FIRST_PAGES.get(params.get("set", ""))
    if name is None:
        return httpx.Response(404)
    return httpx.Response(200, content=files("crawler").joinpath("data/sample", name).read_bytes())
