"""The stand-in's feeds are arXiv's in form and in what they leave out; the newer faults do what they say."""

from __future__ import annotations

import gzip
import inspect
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from loopback import faults, taxonomy
from loopback.papers import MadePaper, make_papers
from loopback.rss import MOST_ITEMS
from loopback.server import ArxivServer
from lxml import etree

TODAY = date(2026, 11, 24)
RECORDED = Path(__file__).parents[3] / "shared" / "data" / "arxiv" / "rss"
OAI = "{http://www.openarchives.org/OAI/2.0/}"
ARXIV = "{http://arxiv.org/schemas/atom}"
HEADERS = {"verb": "ListIdentifiers", "metadataPrefix": "arXivRaw"}
RECORDS = {"verb": "ListRecords", "metadataPrefix": "arXivRaw"}


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=5, verify=False, trust_env=False) as opened:
        yield opened


def channel_of(client: httpx.Client, server: ArxivServer, feed: str) -> etree._Element:
    answer = client.get(f"{server.rss_url}/{feed}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/rss+xml")
    channel = etree.fromstring(answer.content).find("channel")
    assert channel is not None
    return channel


def items_of(client: httpx.Client, server: ArxivServer, feed: str) -> list[tuple[str, str]]:
    """Return the kind and the name of every item."""
    items = channel_of(client, server, feed).iter("item")
    return [(item.findtext(f"{ARXIV}announce_type") or "", name_of(item)) for item in items]


def name_of(item: etree._Element) -> str:
    return (item.findtext("guid") or "").removeprefix("oai:arXiv.org:")


def one(categories: str, *, versions: int = 1, number: int = 1) -> MadePaper:
    """Make a paper that is announced today in so many versions."""
    paper = make_papers(1, day=TODAY, categories=[categories], start=number)[0]
    paper = replace(paper, versions=paper.versions[:1], modified=TODAY)
    for _ in range(versions - 1):
        paper = paper.revised(datetime(2026, 11, 24, 1, tzinfo=UTC))
    return paper


def outline(element: etree._Element) -> list[Any]:
    """Return tags and attribute names, and what is below; neighbours with one tag count once."""
    inside: list[Any] = []
    for child in element:
        told = outline(child)
        if not inside or inside[-1] != told:
            inside.append(told)
    return [element.tag, sorted(element.attrib), inside]


def recorded_channel(name: str) -> etree._Element:
    if not (RECORDED / name).exists():
        pytest.skip("the recorded feeds are not here")
    channel = etree.parse(RECORDED / name).getroot().find("channel")
    assert channel is not None
    return channel


@pytest.mark.parametrize("category", ["cs.AI", "cs.CL", "cs.LG"])
def test_a_feed_has_the_elements_of_the_recorded_one_in_their_order(client: httpx.Client, category: str) -> None:
    recorded = recorded_channel(f"distill__rss_{category}.xml")
    plain = replace(one(f"{category} cs.NE"), doi=None, journal_ref=None)
    with ArxivServer([plain], today=date(2026, 4, 27)) as server:
        server.put(replace(plain, modified=server.today))
        made = channel_of(client, server, category)
    assert outline(made) == outline(recorded)
    for path in ("title", "link", "description", "docs", "language", "managingEditor", "pubDate", "item/pubDate"):
        assert made.findtext(path) == recorded.findtext(path)
    told, said = (channel.findtext("item/description") or "" for channel in (made, recorded))
    number = len("2604.21935")
    assert told[len("arXiv:") + number :].startswith("v1 Announce Type: new \nAbstract: ")
    assert said[len("arXiv:") + number :].startswith("v1 Announce Type: new \nAbstract: ")


def test_the_optional_elements_stand_where_the_specification_has_them(client: httpx.Client) -> None:
    with ArxivServer([replace(one("cs.LG"), doi="10.1/x", journal_ref="J. 1")]) as server:
        tags = [child.tag for child in next(channel_of(client, server, "cs.LG").iter("item"))]
    assert tags[-4:-1] == ["{http://purl.org/dc/elements/1.1/}rights", f"{ARXIV}DOI", f"{ARXIV}journal_reference"]


def test_the_kind_is_that_within_the_feed_and_new_papers_come_last(client: httpx.Client) -> None:
    papers = [
        one("cs.LG stat.ML", number=1),
        one("stat.ML cs.LG", number=2),
        one("cs.LG", versions=2, number=3),
        one("stat.ML cs.LG", versions=5, number=4),
        one("cs.LG", versions=6, number=5),
        one("cs.LG", number=6),
    ]
    names = [f"{paper.arxiv_id}v{paper.newest.number}" for paper in papers]
    with ArxivServer(papers) as server:
        alone = items_of(client, server, "cs.LG")
        together = dict(reversed(pair) for pair in items_of(client, server, "stat.ML+cs.LG"))
        archive = items_of(client, server, "stat")
    kinds = ["replace-cross", "replace", "cross", "new", "new"]
    assert alone == list(zip(kinds, [names[i] for i in (3, 2, 1, 5, 0)], strict=True))
    assert (together[names[1]], together[names[3]], len(together)) == ("new", "replace", 5)
    assert [kind for kind, _ in archive] == ["replace", "cross", "new"]


def test_only_what_was_announced_today_is_listed(client: httpx.Client) -> None:
    old = make_papers(1, day=TODAY - timedelta(days=1), categories=["cs.LG"])[0]
    touched = make_papers(1, day=TODAY - timedelta(days=9), categories=["cs.LG"])[0].touched(TODAY)
    fresh = one("cs.LG")
    with ArxivServer([old, touched, fresh, replace(one("cs.LG", number=2), deleted=True)]) as server:
        assert [name for _, name in items_of(client, server, "cs.LG")] == [f"{fresh.arxiv_id}v1"]
        server.put(fresh.touched(TODAY + timedelta(days=1)))
        assert len(items_of(client, server, "cs.LG")) == 1


@pytest.mark.parametrize("day", [date(2026, 11, 28), date(2026, 11, 29), date(2026, 11, 26)])
def test_a_feed_is_empty_at_week_ends_and_on_holidays(client: httpx.Client, day: date) -> None:
    with ArxivServer([replace(one("cs.LG"), modified=day)], today=day) as server:
        server.holidays = {date(2026, 11, 26)}
        channel = channel_of(client, server, "cs.LG")
    assert channel.find("item") is None
    assert [element.text for element in channel.iter("day")] == ["Saturday", "Sunday"]


def test_a_feed_that_is_held_back_says_that_it_is_fresh(client: httpx.Client) -> None:
    yesterday = make_papers(1, day=TODAY - timedelta(days=1), categories=["cs.LG"])[0]
    with ArxivServer([yesterday, one("cs.LG")]) as server:
        server.rss_day = TODAY - timedelta(days=1)
        channel = channel_of(client, server, "cs.LG")
    assert [name_of(item).partition("v")[0] for item in channel.iter("item")] == [yesterday.arxiv_id]
    assert parsedate_to_datetime(channel.findtext("lastBuildDate") or "") == server.now
    assert channel.findtext("pubDate") == "Mon, 23 Nov 2026 00:00:00 -0500"


def test_an_over_full_feed_drops_new_papers(client: httpx.Client) -> None:
    new = make_papers(MOST_ITEMS, day=TODAY, categories=["cs.LG"], start=1)
    papers = [replace(paper, versions=paper.versions[:1]) for paper in new]
    papers += [one("cs.LG", versions=2, number=MOST_ITEMS + 1 + i) for i in range(10)]
    with ArxivServer(papers) as server:
        items = items_of(client, server, "cs.LG")
    assert len(items) == MOST_ITEMS
    assert [kind for kind, _ in items].count("replace") == 10
    assert len({name for _, name in items}) == MOST_ITEMS


@pytest.mark.parametrize("feed", ["cs.XX", "nothing", "cs.LG+", "", "cs.LG+cs.LG.x", "group.LG"])
def test_an_unknown_feed_is_a_bad_request_with_an_empty_feed(client: httpx.Client, feed: str) -> None:
    with ArxivServer([one("cs.LG")]) as server:
        answer = client.get(f"{server.rss_url}/{feed}")
    root = etree.fromstring(answer.content)
    assert (answer.status_code, root.tag, root.find(".//item")) == (400, "rss", None)
    assert (root.findtext("channel/title") or "").startswith("Feed error for query:")


def test_names_are_read_in_any_case_and_with_their_second_names(client: httpx.Client) -> None:
    assert taxonomy.find_categories("cs.lg") == {"cs.LG"}
    assert taxonomy.find_categories("hep-th") == {"hep-th"}
    assert taxonomy.find_categories("cs.IT") == taxonomy.find_categories("math.IT") == {"cs.IT", "math.IT"}
    assert {"math.OC", "math-ph", "cs.NA"} <= taxonomy.find_categories("math") | taxonomy.find_categories("math-ph")
    with ArxivServer([one("math.IT")]) as server:
        assert [kind for kind, _ in items_of(client, server, "CS.it%2Bcs.LG")] == ["new"]


def test_the_headers_tell_how_long_a_feed_holds(client: httpx.Client) -> None:
    with ArxivServer([one("cs.LG")]) as server:
        first, again = (client.get(f"{server.rss_url}/cs.LG").headers for _ in range(2))
    assert first["Cache-Control"] == "max-age=5400"  # from 03:30 UTC to midnight in New York
    assert first["ETag"] == again["ETag"] != ""


# Faults on a feed


def test_faults_spoil_a_feed_as_they_spoil_a_list(client: httpx.Client) -> None:
    with ArxivServer([one("cs.LG", number=i) for i in (1, 2, 3)]) as server:
        url = f"{server.rss_url}/cs.LG"
        for fault in (faults.Truncated(), faults.IllegalControlCharacter(), faults.EntityBomb(), faults.HtmlPage()):
            server.play(fault, on=len(server.log) + 1)
            content = client.get(url).content
            with pytest.raises(etree.XMLSyntaxError):
                etree.fromstring(content, etree.XMLParser(resolve_entities=True))
        server.play(faults.EntityBomb(levels=2))
        expanded = etree.fromstring(client.get(url).content, etree.XMLParser(resolve_entities=True))
        assert (expanded.findtext("channel/title") or "").startswith("ha" * 100)
        server.play(faults.WrongRoot())
        assert etree.fromstring(client.get(url).content).tag == "status"
        server.play(faults.EmptyBody())
        assert client.get(url).content == b""
        server.play(faults.Oversized(100_000))
        assert len(etree.fromstring(client.get(url).content).findall("channel/item")) == 3
        server.play(faults.Reset())
        with pytest.raises(httpx.TransportError):
            client.get(url)


def test_a_malformed_item_is_one_of_a_good_feed(client: httpx.Client) -> None:
    with ArxivServer([one("cs.LG", number=i) for i in (1, 2, 3)]) as server:
        server.play(faults.MalformedRecord("no_id", index=1))
        items = list(channel_of(client, server, "cs.LG").iter("item"))
        assert [item.find("guid") is None for item in items] == [False, True, False]
        assert [b"2611." in etree.tostring(item.find("description")) for item in items] == [True, False, True]
        server.play(faults.MalformedRecord("missing_title", index=2))
        channel = channel_of(client, server, "cs.LG")
        assert channel.find("title") is not None and len(channel.findall("item/title")) == 2
        server.play(faults.MalformedRecord("bad_date"))
        dates = [item.findtext("pubDate") for item in channel_of(client, server, "cs.LG").iter("item")]
    assert dates.count("the day before yesterday") == 1


@pytest.mark.parametrize(
    "fault",
    [faults.RepeatedToken(), faults.BadToken(), faults.EndlessTokens(), faults.StaleNoRecords(), faults.WrongClock()],
    ids=repr,
)
def test_faults_of_lists_leave_feeds_and_the_query_api_alone(client: httpx.Client, fault: faults.Fault) -> None:
    with ArxivServer([one("cs.LG")]) as server:
        for url in (f"{server.rss_url}/cs.LG", f"{server.api_url}?id_list=2611.69001"):
            good = client.get(url).content
            server.play(fault)
            assert client.get(url).content == good


# Headers alone


def test_a_list_of_headers_has_deleted_ones_and_sets_and_its_own_page_size(client: httpx.Client) -> None:
    papers = [one("cs.LG math.OC", number=1), replace(one("cs.LG", number=2), deleted=True), one("hep-th", number=3)]
    with ArxivServer(papers, identifiers_page_size=2) as server:
        root = etree.fromstring(client.get(server.oai_url, params=HEADERS).content)
        token = root.findtext(f".//{OAI}resumptionToken") or ""
        resumed = {"verb": "ListIdentifiers", "resumptionToken": token}
        last = etree.fromstring(client.get(server.oai_url, params=resumed).content)
        wrong = client.get(server.oai_url, params={**resumed, "verb": "ListRecords"}).content
    headers = root.findall(f"{OAI}ListIdentifiers/{OAI}header")
    assert [header.get("status") for header in headers] == [None, "deleted"]
    assert [spec.text for spec in headers[0].iter(f"{OAI}setSpec")] == ["cs:cs:LG", "math:math:OC"]
    assert "skip%3D2" in token and "ListIdentifiers" in token
    assert len(last.findall(f".//{OAI}header")) == 1
    assert last.find(f".//{OAI}resumptionToken") is not None and not last.findtext(f".//{OAI}resumptionToken")
    assert b"badResumptionToken" in wrong
    assert inspect.signature(ArxivServer).parameters["identifiers_page_size"].default == 20_000


@pytest.mark.parametrize(("kind", "spoilt"), [("no_id", "identifier"), ("bad_date", "datestamp")])
def test_a_malformed_header_is_one_of_a_good_page(client: httpx.Client, kind: Any, spoilt: str) -> None:
    with ArxivServer([one("cs.LG", number=1), replace(one("cs.LG", number=2), deleted=True)]) as server:
        good = client.get(server.oai_url, params=HEADERS).content
        server.play(faults.MalformedRecord(kind, index=1))
        bad = client.get(server.oai_url, params=HEADERS).content
        whole = client.get(server.oai_url, params=RECORDS).content
    told = [etree.fromstring(text).findall(f".//{OAI}header/{OAI}{spoilt}") for text in (good, bad, whole)]
    days = [element.text for element in told[1]]
    assert (len(told[1]) == 1) if kind == "no_id" else (days == ["2026-11-24", "the day before yesterday"])
    assert len(told[0]) == len(told[2]) == 2


# The newer faults


@pytest.mark.parametrize(
    ("kind", "told"),
    [("missing", None), ("unreadable", "today"), ("past", "1970-01-01T00:00:00Z"), ("future", "2099-12-31T00:00:00Z")],
)
def test_a_wrong_clock_spoils_the_response_date_and_nothing_else(
    client: httpx.Client, kind: Any, told: str | None
) -> None:
    with ArxivServer([one("cs.LG")]) as server:
        good = etree.fromstring(client.get(server.oai_url, params=RECORDS).content)
        server.play(faults.WrongClock(kind))
        bad = etree.fromstring(client.get(server.oai_url, params=RECORDS).content)
    assert bad.findtext(f"{OAI}responseDate") == told
    assert etree.tostring(bad[-1]) == etree.tostring(good[-1])


def test_a_decompression_bomb_is_small_on_the_wire(client: httpx.Client) -> None:
    with ArxivServer([one("cs.LG")]) as server:
        server.play(faults.DecompressionBomb(5_000_000))
        with client.stream("GET", server.oai_url, params=RECORDS) as answer:
            squeezed = b"".join(answer.iter_raw())
        assert answer.headers["Content-Encoding"] == "gzip"
        assert len(squeezed) < 20_000 < 5_000_000 < len(gzip.decompress(squeezed))
        server.play(faults.DecompressionBomb(1000), on=2)
        assert etree.fromstring(client.get(server.oai_url, params=RECORDS).content).tag == f"{OAI}OAI-PMH"


def test_a_redirect_points_elsewhere(client: httpx.Client) -> None:
    with ArxivServer() as server:
        server.play(faults.Redirect())
        server.play(faults.Redirect("https://example.org/", 302))
        first, second = (client.get(server.oai_url) for _ in range(2))
    assert (first.status_code, first.headers["Location"]) == (301, f"{server.oai_url}-moved")
    assert (second.status_code, second.headers["Location"]) == (302, "https://example.org/")


def test_records_that_move_on_every_page_hide_many_and_the_list_ends_well(client: httpx.Client) -> None:
    papers = [one("cs.LG", number=i) for i in range(1, 25)]
    old = [replace(paper, modified=TODAY - timedelta(days=5)) for paper in papers]
    found: list[str | None] = []
    with ArxivServer(old, page_size=8) as server:
        server.play(faults.MovedBetweenPages(3), times=None)
        params = RECORDS
        while True:
            root = etree.fromstring(client.get(server.oai_url, params=params).content)
            found += [element.text for element in root.iter(f"{OAI}identifier")]
            token = root.findtext(f".//{OAI}resumptionToken")
            if not token:
                break
            params = {"verb": "ListRecords", "resumptionToken": token}
        last = root.find(f".//{OAI}resumptionToken")
        never = {paper.arxiv_id for paper in server.papers.values()} - {
            (x or "")[len("oai:arXiv.org:") :] for x in found
        }
        left = [server.papers[arxiv_id] for arxiv_id in never]
    assert last is not None and not last.text
    assert len(never) >= 3
    assert all(paper.datestamp == TODAY - timedelta(days=5) for paper in left)


def test_a_healed_server_plays_nothing_and_has_the_right_time(client: httpx.Client) -> None:
    with ArxivServer(clock_offset=timedelta(days=2)) as server:
        server.play(faults.Forbidden(), times=None)
        server.heal()
        assert client.get(server.oai_url).status_code == 200
        assert server.now == datetime(2026, 11, 24, 3, 30, tzinfo=UTC)


def test_the_log_tells_which_client_left(client: httpx.Client) -> None:
    with ArxivServer([one("cs.LG")]) as server:
        server.play(faults.Hang(60))
        with pytest.raises(httpx.ReadTimeout):
            client.get(server.oai_url, timeout=0.05)
        client.get(server.oai_url)
    assert [entry.hung_up for entry in server.log] == [True, False]
