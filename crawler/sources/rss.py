"""arXiv's RSS feeds as a cross-check: the ids that were announced today, one feed a category.

Specification: https://info.arxiv.org/help/rss_specifications.html. A feed is no source of papers: it holds one day, and
where it is over-full it drops the new ones first, so that it can only add to what the harvest brought.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from crawler.sources.crosscheck import ToldPage
from crawler.sources.oai import Getter
from crawler.sources.xml import parse_strictly
from db.errors import AnswerError
from db.missing import Told
from db.text import parse_arxiv_id

_VERSION = re.compile(r"(?<=[0-9])v([1-9][0-9]{0,3})$")


class RssFeed:
    """The feed of one category."""

    name = "rss"

    def __init__(self, client: Getter, url: str, category: str) -> None:
        self._client = client
        self._url = f"{url.rstrip('/')}/{category}"
        self.part = category

    def is_due(self, cursor: str | None, *, paged: bool, today: date) -> bool:
        """Tell that the feed is read every night."""
        return True

    def start(self, cursor: str | None, harvested_from: str | None) -> str:
        """Return nothing: a feed has one day, the present one."""
        return ""

    def asked(self, start: str) -> str:
        """Return the request in words."""
        return f"ids announced today in {self.part}"

    def pages(self, start: str) -> Iterator[ToldPage]:
        """Yield the feed.

        Raises:
            SourceError: it cannot be had.
        """
        yield self._client.get(self._url, {}, parse_feed)


def parse_feed(body: bytes) -> ToldPage:
    """Read an RSS feed of arXiv's.

    Raises:
        AnswerError: the body is none.
    """
    root = parse_strictly(body)
    channel = root.find("channel")
    if root.tag != "rss" or channel is None:
        raise AnswerError("the answer is not an RSS feed")
    told = [_told((item.findtext("guid") or "").strip()) for item in channel.findall("item")]
    return ToldPage(tuple(one for one in told if one is not None), malformed=told.count(None))


def _told(guid: str) -> Told | None:
    """Read a guid such as `oai:arXiv.org:2604.21935v1`."""
    arxiv_id, version = parse_arxiv_id(guid), _VERSION.search(guid)
    return None if arxiv_id is None else Told(arxiv_id, int(version[1]) if version else None)
