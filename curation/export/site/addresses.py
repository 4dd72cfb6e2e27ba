"""Where things stand on the site: the files, and the places in them."""

from __future__ import annotations

import re

from db.errors import ExportError
from db.text import clean_line, hash_text, parse_arxiv_id

SEARCH_INDEX = "static/search-index.js"
STYLE = "static/site.css"
SCRIPT = "static/site.js"

_CODE = re.compile(r"[A-Za-z]+[0-9]+(?:\.[0-9]+)*")


def page_of(code: str) -> str:
    """Return the path of a phenomenon's page.

    Raises:
        ExportError: the code cannot be the name of a file.
    """
    if not _CODE.fullmatch(code):
        raise ExportError(f"the code '{clean_line(code)[:40]}' cannot be a page's name", "codes look like H1 or W2.3")
    return f"phenomena/{code}.html"


def feed_of(code: str) -> str:
    """Return the path of a phenomenon's feed, where there is one."""
    return f"feeds/{code}.atom"


def place_of(arxiv_id: str) -> str:
    """Return the anchor of a paper on the page of a phenomenon; what is no id of arXiv's goes by its hash."""
    known = parse_arxiv_id(arxiv_id) == arxiv_id
    return f"paper-{arxiv_id.replace('/', '-') if known else hash_text(arxiv_id)[:16]}"
