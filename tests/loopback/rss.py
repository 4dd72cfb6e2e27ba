"""RSS as arXiv's feeds have answered it since February 2024 (https://github.com/arXiv/arxiv-feed).

What a reader should know, and can see here:
- a feed has one day, the day of arXiv's last announcement, and is empty at week-ends and on arXiv's holidays;
- it has 2,000 items at most, and those which are new come last: an over-full feed drops new papers;
- a replacement from the sixth version on is not listed, nor is a change of the record alone;
- the kind of an announcement is that within the feed: "new" in cs.LG is "cross" in stat.ML, and "new" in both together;
- `lastBuildDate` is when the answer was made, and says nothing of how old its batch is;
- an unknown category is HTTP 400 with a feed that has no items.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from email.utils import format_datetime
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from loopback import taxonomy
from loopback.answer import Answer
from loopback.papers import MadePaper
from loopback.records import ID_PREFIX

MOST_ITEMS = 2000
UNLISTED_VERSION = 6
CONTENT_TYPE = "application/rss+xml"
_ADDRESS = "http://rss.arxiv.org/rss/"
_SPACES = (
    'xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/"'
)
_SKIP_DAYS = "    <skipDays>\n      <day>Saturday</day>\n      <day>Sunday</day>\n    </skipDays>\n"

Kind = Literal["new", "cross", "replace", "replace-cross"]
ORDER: tuple[Kind, ...] = ("replace-cross", "replace", "cross", "new")


@dataclass(frozen=True, slots=True)
class Newsroom:
    """What a feed is made from: the papers, the day of the batch, the clock, and the days without announcement."""

    papers: Iterable[MadePaper]
    day: date
    now: datetime
    holidays: Collection[date] = ()


def respond(feed: str, newsroom: Newsroom) -> Answer:
    """Return the feed of a category or an archive, or of several that are joined with a plus."""
    names = feed.split("+")
    unknown = next((name for name in names if not taxonomy.find_categories(name)), None)
    status = 200 if unknown is None else 400
    text = _render_feed(names, newsroom) if unknown is None else _render_error(feed, unknown, newsroom)
    body = text.encode()
    headers = (("ETag", hashlib.sha256(body).hexdigest()), ("Cache-Control", _until_midnight(newsroom.now)))
    return Answer(status, CONTENT_TYPE, body, headers)


def list_items(names: Iterable[str], newsroom: Newsroom) -> list[tuple[Kind, MadePaper]]:
    """Return what a feed shows, in its order, cut at its limit."""
    if newsroom.day.weekday() >= 5 or newsroom.day in newsroom.holidays:
        return []
    wanted = frozenset().union(*map(taxonomy.find_categories, names))
    listed = [(_kind(paper, wanted), paper) for paper in newsroom.papers if _is_listed(paper, wanted, newsroom.day)]
    listed.sort(key=lambda item: item[1].arxiv_id, reverse=True)
    listed.sort(key=lambda item: ORDER.index(item[0]))
    return listed[:MOST_ITEMS]


def _is_listed(paper: MadePaper, wanted: frozenset[str], day: date) -> bool:
    inside = not wanted.isdisjoint(paper.categories)
    return inside and not paper.deleted and paper.announced_on == day and paper.newest.number < UNLISTED_VERSION


def _kind(paper: MadePaper, wanted: frozenset[str]) -> Kind:
    is_primary = paper.categories[0] in wanted
    if paper.newest.number == 1:
        return "new" if is_primary else "cross"
    return "replace" if is_primary else "replace-cross"


# The document


def _render_feed(names: list[str], newsroom: Newsroom) -> str:
    named = ", ".join(names)
    items = "".join(_render_item(kind, paper, newsroom.day) for kind, paper in list_items(names, newsroom))
    return _wrap(
        f"{named} updates on arXiv.org",
        f"{named} updates on the arXiv.org e-print archive.",
        _ADDRESS + "+".join(names),
        newsroom,
        f"{_SKIP_DAYS}{items}",
    )


def _render_error(feed: str, unknown: str, newsroom: Newsroom) -> str:
    link = _ADDRESS + feed
    return _wrap(f"Feed error for query: {link}", f"Bad archive or subject class '{unknown}'.", link, newsroom, "")


def _wrap(title: str, description: str, link: str, newsroom: Newsroom, inside: str) -> str:
    return f"""<?xml version='1.0' encoding='UTF-8'?>
<rss {_SPACES} version="2.0">
  <channel>
    <title>{escape(title)}</title>
    <link>{escape(link)}</link>
    <description>{escape(description)}</description>
    <atom:link href={quoteattr(link)} rel="self" type="{CONTENT_TYPE}"/>
    <docs>http://www.rssboard.org/rss-specification</docs>
    <language>en-us</language>
    <lastBuildDate>{format_datetime(newsroom.now.astimezone(UTC))}</lastBuildDate>
    <managingEditor>rss-help@arxiv.org</managingEditor>
    <pubDate>{format_datetime(_midnight(newsroom.day))}</pubDate>
{inside}  </channel>
</rss>
"""


def _render_item(kind: Kind, paper: MadePaper, day: date) -> str:
    name = f"{paper.arxiv_id}v{paper.newest.number}"
    optional: list[tuple[str, str | None]] = [
        ("dc:rights", paper.license),
        ("arxiv:DOI", paper.doi),
        ("arxiv:journal_reference", paper.journal_ref),
    ]
    lines = [
        f"<title>{escape(paper.title)}</title>",
        f"<link>https://arxiv.org/abs/{escape(paper.arxiv_id)}</link>",
        f"<description>arXiv:{escape(name)} Announce Type: {kind} \nAbstract: {escape(paper.abstract)}</description>",
        f'<guid isPermaLink="false">{ID_PREFIX}{escape(name)}</guid>',
        *(f"<category>{escape(category)}</category>" for category in paper.categories),
        f"<pubDate>{format_datetime(_midnight(day))}</pubDate>",
        f"<arxiv:announce_type>{kind}</arxiv:announce_type>",
        *(f"<{tag}>{escape(text)}</{tag}>" for tag, text in optional if text),
        f"<dc:creator>{escape(', '.join(paper.authors))}</dc:creator>",
    ]
    return "".join(["    <item>\n", *(f"      {line}\n" for line in lines), "    </item>\n"])


# arXiv's day begins at midnight in New York


def _midnight(day: date) -> datetime:
    """Return the beginning of arXiv's day; summer time is from March's second Sunday to November's first."""
    summer = _sunday(day.year, 3, 2) < day <= _sunday(day.year, 11, 1)
    return datetime.combine(day, time(), timezone(timedelta(hours=-4 if summer else -5)))


def _sunday(year: int, month: int, which: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(6 - first.weekday()) % 7 + 7 * (which - 1))


def _until_midnight(now: datetime) -> str:
    midnights = (_midnight(now.date() + timedelta(days=days)) for days in (0, 1, 2))
    return f"max-age={min(int((midnight - now).total_seconds()) for midnight in midnights if midnight > now)}"
