"""The stand-in of arXiv behaves as arXiv's own code does, and its faults do what they say."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import arxiv
import httpx
import pytest
from loopback import faults
from loopback.papers import MadePaper, MadeVersion, make_papers
from loopback.server import ArxivServer
from lxml import etree

TODAY = date(2026, 11, 24)
RECORDED = Path(__file__).parents[3] / "shared" / "data" / "arxiv"
OAI = "{http://www.openarchives.org/OAI/2.0/}"
RAW = "{http://arxiv.org/OAI/arXivRaw/}"
ATOM = "{http://www.w3.org/2005/Atom}"
LIST = {"verb": "ListRecords", "metadataPrefix": "arXivRaw"}


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    # Certificates take longer to load than most of these tests to run, and there are none on loopback.
    with httpx.Client(timeout=5, headers={"User-Agent": "tests/1"}, verify=False, trust_env=False) as opened:
        yield opened


def ask(client: httpx.Client, server: ArxivServer, **arguments: str) -> etree._Element:
    named = {name.rstrip("_"): value for name, value in arguments.items()}
    answer = client.get(server.oai_url, params=named)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/xml")
    return etree.fromstring(answer.content)


def error_of(root: etree._Element) -> str | None:
    error = root.find(f"{OAI}error")
    return None if error is None else error.get("code")


def token_of(root: etree._Element) -> str | None:
    """The token's text, "" for the empty token that ends a list, None where there is no token."""
    token = root.find(f".//{OAI}resumptionToken")
    return None if token is None else token.text or ""


def ids_of(root: etree._Element) -> list[str]:
    return [(element.text or "").removeprefix("oai:arXiv.org:") for element in root.iter(f"{OAI}identifier")]


def harvest(client: httpx.Client, server: ArxivServer, *, limit: int = 50, **arguments: str) -> list[str]:
    """Follow the tokens to the end and return the ids of all pages."""
    root = ask(client, server, **(LIST | arguments))
    found = ids_of(root)
    while token := token_of(root):
        assert len(server.log) < limit
        root = ask(client, server, verb=arguments.get("verb", "ListRecords"), resumptionToken=token)
        found += ids_of(root)
    assert error_of(root) is None
    return found


# OAI-PMH: lists


@pytest.mark.parametrize(("days", "page_size"), [(1, 10), (4, 10), (4, 3), (25, 10), (2, 25), (5, 24), (5, 1)])
def test_paging_to_the_end_gives_every_record_once(client: httpx.Client, days: int, page_size: int) -> None:
    papers = make_papers(25, day=TODAY - timedelta(days=30), days=days)
    with ArxivServer(reversed(papers), page_size=page_size) as server:
        assert harvest(client, server) == [paper.arxiv_id for paper in papers]


def test_identifiers_have_pages_of_their_own_size(client: httpx.Client) -> None:
    papers = make_papers(7, day=TODAY)
    with ArxivServer(papers, page_size=2, identifiers_page_size=6) as server:
        assert len(harvest(client, server, verb="ListIdentifiers")) == 7
        assert len(server.log) == 2


def test_a_single_page_has_no_token_and_the_last_of_several_an_empty_one(client: httpx.Client) -> None:
    with ArxivServer(make_papers(4, day=TODAY), page_size=4) as server:
        assert token_of(ask(client, server, **LIST)) is None
        server.page_size = 3
        first = ask(client, server, **LIST)
        token = first.find(f".//{OAI}resumptionToken")
        assert token is not None and token.text is not None
        assert dict(token.attrib) == {"expirationDate": "2026-11-25T00:00:00Z"}
        assert token_of(ask(client, server, verb="ListRecords", resumptionToken=token.text)) == ""


def test_a_token_is_the_query_itself_with_an_offset(client: httpx.Client) -> None:
    with ArxivServer(make_papers(4, day=TODAY, categories=["cs.LG"]), page_size=3) as server:
        token = token_of(ask(client, server, **LIST, from_="2026-11-20", set="cs:cs:LG"))
    assert token == (
        "verb%3DListRecords%26metadataPrefix%3DarXivRaw%26from%3D2026-11-20%26set%3Dcs%253Acs%253ALG%26skip%3D3"
    )


def test_a_token_goes_on_from_the_last_day_of_the_page(client: httpx.Client) -> None:
    papers = make_papers(6, day=TODAY - timedelta(days=1), days=2)
    with ArxivServer(papers, page_size=4) as server:
        token = token_of(ask(client, server, **LIST, from_="2026-11-20"))
    assert token is not None and token.endswith("%26from%3D2026-11-24%26skip%3D1")


def test_a_token_that_is_sent_unquoted_is_understood_as_well(client: httpx.Client) -> None:
    with ArxivServer(make_papers(4, day=TODAY, categories=["cs.LG"]), page_size=3) as server:
        token = token_of(ask(client, server, **LIST, set="cs:cs:LG"))
        answer = client.get(f"{server.oai_url}?verb=ListRecords&resumptionToken={token}")
    assert len(ids_of(etree.fromstring(answer.content))) == 1


def test_the_list_is_sorted_by_the_second_of_modification_before_the_id(client: httpx.Client) -> None:
    early, late = make_papers(2, day=TODAY)
    early = early.touched(datetime(2026, 11, 24, 2, tzinfo=UTC))
    with ArxivServer([early, late], page_size=1) as server:
        assert harvest(client, server) == [late.arxiv_id, early.arxiv_id]


def test_a_record_that_moves_between_two_pages_makes_another_one_vanish(client: httpx.Client) -> None:
    papers = make_papers(6, day=TODAY)
    expected = [paper.arxiv_id for paper in papers]

    def touch_the_first(number: int, server: ArxivServer) -> None:
        if number == 2:
            server.put(papers[0].touched(server.now))

    with ArxivServer(papers, page_size=3, on_request=touch_the_first) as server:
        found = harvest(client, server)
    assert set(expected) - set(found) == {expected[3]}
    assert found.count(expected[0]) == 2


def test_from_counts_its_own_day_and_until_too(client: httpx.Client) -> None:
    papers = make_papers(4, day=date(2026, 11, 20), days=4)
    with ArxivServer(papers) as server:
        assert harvest(client, server, from_="2026-11-22") == [paper.arxiv_id for paper in papers[2:]]
        assert harvest(client, server, from_="2026-11-21", until="2026-11-22") == [p.arxiv_id for p in papers[1:3]]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("cs", [0, 1, 3]),
        ("cs:cs", [0, 1, 3]),
        ("cs:cs:LG", [0, 1]),
        ("stat", [1]),
        ("stat:stat:ML", [1]),
        ("physics:hep-th", [2]),
        ("physics", [2]),
        ("math:math:IT", [3]),
    ],
)
def test_a_set_holds_cross_lists_and_second_names(client: httpx.Client, wanted: str, expected: list[int]) -> None:
    papers = make_papers(4, day=TODAY, categories=["cs.LG", "stat.ML cs.LG", "hep-th", "cs.IT"])
    with ArxivServer(papers) as server:
        assert harvest(client, server, set=wanted) == [papers[i].arxiv_id for i in expected]
        listed = [element.text for element in ask(client, server, verb="ListSets").iter(f"{OAI}setSpec")]
    assert wanted in listed
    assert len(set(listed)) == len(listed)


def test_headers_name_the_sets(client: httpx.Client) -> None:
    with ArxivServer(make_papers(1, day=TODAY, categories=["cs.LG hep-th cs.NA"])) as server:
        sets = [element.text for element in ask(client, server, **LIST).iter(f"{OAI}setSpec")]
    assert sets == ["cs:cs:LG", "physics:hep-th", "cs:cs:NA", "math:math:NA"]


def test_a_deleted_paper_is_a_header_without_metadata(client: httpx.Client) -> None:
    (paper,) = make_papers(1, day=TODAY)
    with ArxivServer([MadePaper(**{name: getattr(paper, name) for name in paper.__slots__} | {"deleted": True})]) as s:
        record = ask(client, s, **LIST).find(f".//{OAI}record")
    assert record is not None and [child.tag for child in record] == [f"{OAI}header"]
    assert record[0].get("status") == "deleted"


# OAI-PMH: errors, dates, single records


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({}, "badVerb"),
        ({"verb": "listRecords"}, "badVerb"),
        ({"verb": "ListRecords"}, "badArgument"),
        (LIST | {"size": "3"}, "badArgument"),
        (LIST | {"from": "2026-11-24T00:00:00Z"}, "badArgument"),
        (LIST | {"from": "2026-02-30"}, "badArgument"),
        (LIST | {"from": "2005-09-15"}, "badArgument"),
        (LIST | {"from": "2026-11-24", "until": "2026-11-23"}, "badArgument"),
        (LIST | {"from": "2026-11-25"}, "badArgument"),
        (LIST | {"until": "2026-11-25"}, "badArgument"),
        (LIST | {"set": "cs:LG"}, "badArgument"),
        (LIST | {"resumptionToken": "skip%3D3"}, "badArgument"),
        (LIST | {"from": "2026-11-23"}, "noRecordsMatch"),
        (LIST | {"set": "physics:hep-th"}, "noRecordsMatch"),
        (LIST | {"metadataPrefix": "oai_dc2"}, "cannotDisseminateFormat"),
        ({"verb": "ListIdentifiers", "metadataPrefix": "oai_dc2"}, "cannotDisseminateFormat"),
        ({"verb": "ListRecords", "resumptionToken": "abc"}, "badResumptionToken"),
        ({"verb": "ListRecords", "resumptionToken": "verb%3DListIdentifiers%26skip%3D2"}, "badResumptionToken"),
        (
            {"verb": "ListRecords", "resumptionToken": "verb%3DListRecords%26metadataPrefix%3DarXivRaw%26skip%3D9"},
            "noRecordsMatch",
        ),
        ({"verb": "GetRecord", "identifier": "oai:arXiv.org:2611.00001"}, "badArgument"),
        (
            {"verb": "GetRecord", "identifier": "oai:arXiv.org:2611.99999", "metadataPrefix": "arXivRaw"},
            "idDoesNotExist",
        ),
        ({"verb": "GetRecord", "identifier": "2611.00001", "metadataPrefix": "arXivRaw"}, "idDoesNotExist"),
        ({"verb": "Identify", "set": "cs"}, "badArgument"),
        ({"verb": "ListSets", "resumptionToken": "abc"}, "badArgument"),
    ],
)
def test_errors_come_with_http_200(client: httpx.Client, arguments: dict[str, str], code: str) -> None:
    with ArxivServer(make_papers(2, day=date(2026, 11, 22), categories=["cs.LG"])) as server:
        assert error_of(ask(client, server, **arguments)) == code


def test_a_repeated_argument_is_bad(client: httpx.Client) -> None:
    with ArxivServer() as server:
        answer = client.get(f"{server.oai_url}?verb=Identify&verb=Identify")
    assert error_of(etree.fromstring(answer.content)) == "badArgument"


def test_until_today_is_allowed_and_so_is_the_earliest_from(client: httpx.Client) -> None:
    with ArxivServer(make_papers(2, day=TODAY)) as server:
        assert len(harvest(client, server, from_="2005-09-16", until="2026-11-24")) == 2


def test_the_clock_is_that_of_the_server(client: httpx.Client) -> None:
    with ArxivServer(make_papers(1, day=TODAY), clock_offset=timedelta(hours=-4)) as server:
        root = ask(client, server, **LIST)
        assert root.findtext(f"{OAI}responseDate") == "2026-11-23T23:30:00Z"
        assert error_of(root) == "noRecordsMatch"
        server.clock_offset = timedelta(0)
        assert len(ids_of(ask(client, server, **LIST))) == 1


def test_identify_and_formats_say_what_arxiv_says(client: httpx.Client) -> None:
    with ArxivServer() as server:
        identify = ask(client, server, verb="Identify")
        assert identify.findtext(f".//{OAI}earliestDatestamp") == "2005-09-16"
        assert identify.findtext(f".//{OAI}granularity") == "YYYY-MM-DD"
        assert identify.findtext(f".//{OAI}baseURL") == server.oai_url
        formats = ask(client, server, verb="ListMetadataFormats", identifier="oai:arXiv.org:2611.00001")
    prefixes = [element.text for element in formats.iter(f"{OAI}metadataPrefix")]
    assert prefixes == ["oai_dc", "arXiv", "arXivOld", "arXivRaw"]


def test_arguments_may_come_as_a_form(client: httpx.Client) -> None:
    with ArxivServer(make_papers(3, day=TODAY)) as server:
        answer = client.post(server.oai_url, data=LIST)
    assert len(ids_of(etree.fromstring(answer.content))) == 3


def outline(element: etree._Element) -> list[Any]:
    """The names and attribute names of an element and all below it, in order."""
    return [element.tag, sorted(element.attrib), [outline(child) for child in element]]


def test_a_record_has_the_elements_of_the_recorded_one_in_their_order(client: httpx.Client) -> None:
    path = RECORDED / "oai" / "fatcat__arxivraw_1810.09584.xml"
    if not path.exists():
        pytest.skip("the recorded answers are not here")
    recorded = etree.parse(path).getroot()
    raw = recorded.find(f".//{RAW}arXivRaw")
    assert raw is not None
    fields = {etree.QName(child).localname: child.text or "" for child in raw}
    paper = MadePaper(
        arxiv_id="1810.09584",
        versions=(
            MadeVersion(1, datetime(2018, 10, 22, 22, 41, 50, tzinfo=UTC), "D", 401),
            MadeVersion(2, datetime(2019, 1, 13, 11, 17, 9, tzinfo=UTC), "D", 669),
        ),
        title=fields["title"],
        abstract=" ".join(fields["abstract"].split()),
        authors=tuple(re.split(", | and ", fields["authors"])),
        categories=("cond-mat.stat-mech", "physics.bio-ph"),
        comments=fields["comments"],
        modified=date(2019, 1, 15),
        journal_ref=fields["journal-ref"],
        doi=fields["doi"],
    )
    with ArxivServer([paper]) as server:
        made = ask(client, server, verb="GetRecord", identifier="oai:arXiv.org:1810.09584", metadataPrefix="arXivRaw")
    assert outline(made) == outline(recorded)
    made_raw = made.find(f".//{RAW}arXivRaw")
    assert made_raw is not None
    for old, new in zip(raw, made_raw, strict=True):
        if etree.QName(old).localname not in ("submitter", "categories"):
            assert " ".join("".join(map(str, old.itertext())).split()) == " ".join(
                "".join(map(str, new.itertext())).split()
            )


def test_a_withdrawal_is_a_version_with_the_flag_i(client: httpx.Client) -> None:
    (paper,) = make_papers(1, day=date(2026, 11, 20))
    gone = paper.revised(datetime(2026, 11, 21, tzinfo=UTC), title="New").withdrawn(datetime(2026, 11, 22, tzinfo=UTC))
    with ArxivServer([gone]) as server:
        root = ask(client, server, **LIST, from_="2026-11-22")
    last = root.findall(f".//{RAW}version")[-1]
    assert last.get("version") == f"v{paper.newest.number + 2}"
    assert last.findtext(f"{RAW}source_type") == "I"
    assert root.findtext(f".//{RAW}title") == "New"


# The query API


def entries_of(client: httpx.Client, server: ArxivServer, **arguments: Any) -> list[str]:
    answer = client.get(server.api_url, params=arguments)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/atom+xml")
    found = etree.fromstring(answer.content).iterfind(f"{ATOM}entry/{ATOM}id")
    return [(element.text or "").rpartition("/")[2] for element in found]


@pytest.fixture
def library() -> list[MadePaper]:
    return make_papers(6, day=date(2026, 11, 2), days=6, categories=["cs.LG", "cs.CL cs.LG", "hep-th"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("cat:cs.LG", [0, 1, 3, 4]),
        ("cat:cs.*", [0, 1, 3, 4]),
        ("cat:cs.CL OR cat:hep-th", [1, 2, 4, 5]),
        ("cat:cs.LG AND cat:cs.CL", [1, 4]),
        ("cat:cs.LG ANDNOT cat:cs.CL", [0, 3]),
        ("(cat:cs.CL OR cat:hep-th) AND submittedDate:[202611030000 TO 202611052359]", [2, 4]),
        ("lastUpdatedDate:[20261105000000 TO 20261108000000]", [4, 5]),
        ("all:6001 OR 3004", [3]),
        ('ti:"3005" cat:nothing', [4]),
    ],
)
def test_queries_find_what_they_say(
    client: httpx.Client, library: list[MadePaper], query: str, expected: list[int]
) -> None:
    at = datetime(2026, 11, 2, 12, tzinfo=UTC)
    dated = [
        MadePaper(
            **{name: getattr(paper, name) for name in paper.__slots__}
            | {"versions": (MadeVersion(1, at + timedelta(days=i - 1), "", 1),)}
        )
        for i, paper in enumerate(library)
    ]
    with ArxivServer(dated) as server:
        found = entries_of(client, server, search_query=query, sortBy="submittedDate", sortOrder="ascending")
    assert found == [f"{dated[i].arxiv_id}v1" for i in expected]


def test_ids_give_the_newest_version_unless_one_is_named_and_unknown_ones_nothing(client: httpx.Client) -> None:
    (paper,) = make_papers(1, day=TODAY)
    paper = paper.revised(datetime(2026, 11, 24, 1, tzinfo=UTC))
    number = paper.newest.number
    with ArxivServer([paper]) as server:
        assert entries_of(client, server, id_list=f"{paper.arxiv_id},2611.99999") == [f"{paper.arxiv_id}v{number}"]
        assert entries_of(client, server, id_list=f"{paper.arxiv_id}v1") == [f"{paper.arxiv_id}v1"]
        assert entries_of(client, server, id_list=f"{paper.arxiv_id}v{number + 1}") == []


def test_no_range_of_dates_finds_a_revision(client: httpx.Client) -> None:
    (paper,) = make_papers(1, day=date(2026, 11, 3), categories=["cs.LG"])
    revised = paper.revised(datetime(2026, 11, 20, tzinfo=UTC))
    with ArxivServer([revised]) as server:
        for field in ("submittedDate", "lastUpdatedDate"):
            assert entries_of(client, server, search_query=f"{field}:[202611190000 TO 202611210000]") == []
            assert len(entries_of(client, server, search_query=f"{field}:[202609010000 TO 202611040000]")) == 1


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        ({"id_list": "abc"}, 400, "incorrect id format for abc"),
        ({"search_query": "cat:cs.LG", "max_results": "-1"}, 400, "max_results must be non-negative"),
        ({"search_query": "cat:cs.LG", "start": "x"}, 400, "start must be an integer"),
        ({"search_query": "(cat:cs.LG"}, 400, "Cannot parse query: parenthesis does not close"),
        ({"search_query": ""}, 400, "Either a search_query or id_list must be specified"),
        ({"search_query": "cat:cs.LG", "start": "10000", "max_results": "100"}, 500, "The server encountered"),
        ({"search_query": "cat:cs.LG", "max_results": "0"}, 500, "The server encountered"),
    ],
)
def test_an_error_of_the_api_is_an_entry(
    client: httpx.Client, arguments: dict[str, str], status: int, sentence: str
) -> None:
    with ArxivServer() as server:
        answer = client.get(server.api_url, params=arguments)
    root = etree.fromstring(answer.content)
    assert (answer.status_code, root.findtext(f"{ATOM}entry/{ATOM}title")) == (status, "Error")
    assert (root.findtext(f"{ATOM}entry/{ATOM}summary") or "").startswith(sentence)


def test_the_last_page_before_the_ten_thousandth_result_is_served(client: httpx.Client) -> None:
    with ArxivServer() as server:
        assert entries_of(client, server, search_query="all:x", start=9900, max_results=100) == []


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("arxivpy__id_abc_s0_m100_b79c8dcf6bc3.http400.xml", {"id_list": "abc"}),
        ("arxivpy__id_0000.0000_s0_m100_8b51d9633a68.http200.xml", {"id_list": "0000.0000"}),
    ],
)
def test_a_feed_has_the_elements_of_the_recorded_one_in_their_order(
    client: httpx.Client, name: str, arguments: dict[str, str]
) -> None:
    path = RECORDED / "atom_api" / name
    if not path.exists():
        pytest.skip("the recorded answers are not here")
    with ArxivServer() as server:
        answer = client.get(server.api_url, params=arguments)
    assert str(answer.status_code) in name
    assert outline(etree.fromstring(answer.content)) == outline(etree.parse(path).getroot())


def test_an_entry_has_the_elements_of_the_recorded_one_in_their_order(client: httpx.Client) -> None:
    path = RECORDED / "atom_api" / "malkreide__arxiv_feed_2026-08-07.xml"
    if not path.exists():
        pytest.skip("the recorded answers are not here")
    recorded = etree.parse(path).getroot().find(f"{ATOM}entry")
    assert recorded is not None and recorded.find("{http://arxiv.org/schemas/atom}doi") is not None
    (paper,) = make_papers(1, day=TODAY)
    changes = {
        "authors": tuple("AB"[: len(recorded.findall(f"{ATOM}author"))]),
        "categories": ("cs.LG",) * len(recorded.findall(f"{ATOM}category")),
        **{"comments": "c", "journal_ref": "j", "doi": "d"},
    }
    paper = MadePaper(**{name: getattr(paper, name) for name in paper.__slots__} | changes)
    with ArxivServer([paper]) as server:
        answer = client.get(server.api_url, params={"id_list": paper.arxiv_id})
    made = etree.fromstring(answer.content).find(f"{ATOM}entry")
    assert made is not None
    assert outline(made) == outline(recorded)


def arxiv_client(server: ArxivServer, *, page_size: int = 100, retries: int = 0) -> arxiv.Client:
    opened = arxiv.Client(page_size=page_size, delay_seconds=0, num_retries=retries)
    opened.query_url_format = f"{server.api_url}?{{}}"
    return opened


def test_the_arxiv_package_reads_it_page_by_page() -> None:
    papers = make_papers(25, day=TODAY, categories=["cs.LG cs.CL"])
    with ArxivServer(papers) as server:
        client = arxiv_client(server, page_size=10)
        found = list(client.results(arxiv.Search("cat:cs.CL", max_results=None)))
        client._session.close()
    assert [result.get_short_id().partition("v")[0] for result in found] == [paper.arxiv_id for paper in papers]
    for result, paper in zip(found, papers, strict=True):
        assert (result.title, result.summary) == (paper.title, paper.abstract)
        assert [author.name for author in result.authors] == list(paper.authors)
        assert (result.categories, result.primary_category) == (["cs.LG", "cs.CL"], "cs.LG")
        assert (result.comment, result.journal_ref, result.doi) == (paper.comments, paper.journal_ref, paper.doi)
        assert (result.published, result.updated) == (paper.versions[0].submitted, paper.newest.submitted)
        assert result.pdf_url == f"https://arxiv.org/pdf/{result.get_short_id()}"
    assert [entry.path for entry in server.log] == ["/api/query"] * 3


def test_the_arxiv_package_sees_a_malformed_id_as_http_400() -> None:
    with ArxivServer() as server:
        client = arxiv_client(server)
        with pytest.raises(arxiv.HTTPError) as caught:
            list(client.results(arxiv.Search(id_list=["abc"])))
        client._session.close()
    assert caught.value.status == 400


# Faults


def test_a_fault_is_played_at_its_request_and_as_often_as_planned(client: httpx.Client) -> None:
    with ArxivServer(make_papers(1, day=TODAY)) as server:
        server.play(faults.Unavailable(), on=2, times=2)
        server.play(faults.TooMany(), on=lambda number, path, query: path == "/api/query" and "ti" in query, times=None)
        statuses = [client.get(server.oai_url, params=LIST).status_code for _ in range(5)]
        api = [client.get(server.api_url, params={"search_query": q}).status_code for q in ("ti:x", "au:x", "ti:y")]
    assert statuses == [200, 503, 503, 200, 200]
    assert api == [429, 200, 429]
    assert [entry.status for entry in server.log] == [*statuses, *api]


@pytest.mark.parametrize("fault", [faults.Unavailable, faults.TooMany])
def test_retry_after_is_seconds_or_a_date(
    client: httpx.Client, fault: type[faults.Unavailable] | type[faults.TooMany]
) -> None:
    moment = datetime(2026, 11, 24, 3, 31, tzinfo=UTC)
    with ArxivServer() as server:
        for value in (None, 7, moment):
            server.play(fault(value))
        answers = [client.get(server.oai_url).headers.get("Retry-After") for _ in range(3)]
    assert answers[:2] == [None, "7"]
    assert parsedate_to_datetime(answers[2]) == moment


@pytest.mark.parametrize(
    ("fault", "status", "content_type", "body"),
    [
        (faults.Forbidden(), 403, "text/html", "denied"),
        (faults.ServerError(), 500, "text/html", "broke"),
        (faults.ServerError(502), 502, "text/html", "broke"),
        (faults.HtmlPage(), 200, "text/html; charset=utf-8", "<!DOCTYPE html>"),
        (faults.PlainText(), 200, "text/plain", "Rate exceeded."),
        (faults.WrongRoot(), 200, "text/xml", "<status>"),
        (faults.EmptyBody(), 200, "text/xml", ""),
    ],
)
def test_what_is_sent_in_place_of_data(
    client: httpx.Client, fault: faults.Fault, status: int, content_type: str, body: str
) -> None:
    with ArxivServer(make_papers(1, day=TODAY)) as server:
        server.play(fault)
        answer = client.get(server.oai_url, params=LIST)
        assert len(ids_of(ask(client, server, **LIST))) == 1
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, content_type)
    assert body in answer.text
    assert bool(answer.text) == bool(body)


def test_a_reset_comes_in_the_middle_of_the_body() -> None:
    with ArxivServer(make_papers(50, day=TODAY)) as server:
        server.play(faults.Reset())
        with socket.create_connection((httpx.URL(server.url).host, httpx.URL(server.url).port or 0)) as raw:
            raw.sendall(b"GET /oai?verb=ListRecords&metadataPrefix=arXivRaw HTTP/1.1\r\nHost: x\r\n\r\n")
            received = b""
            with pytest.raises(ConnectionResetError):
                while piece := raw.recv(1000):
                    received += piece
    assert received.startswith(b"HTTP/1.1 200")
    assert server.log[0].status == 200


def test_httpx_calls_a_reset_an_error_of_reading(client: httpx.Client) -> None:
    with ArxivServer(make_papers(50, day=TODAY)) as server:
        server.play(faults.Reset())
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            client.get(server.oai_url, params=LIST)
        assert len(harvest(client, server)) == 50


def test_a_hang_outlasts_the_patience_of_the_client_and_no_more(client: httpx.Client) -> None:
    with ArxivServer(make_papers(1, day=TODAY)) as server:
        server.play(faults.Hang(60))
        server.play(faults.Hang(0.2), on=2)
        with pytest.raises(httpx.ReadTimeout):
            client.get(server.oai_url, params=LIST, timeout=0.1)
        assert len(ids_of(ask(client, server, **LIST))) == 1
    assert server.log[1].ended_at is not None
    assert server.log[1].ended_at - server.log[1].began_at >= 0.2
    assert server.max_concurrent == 1


def test_the_server_ends_at_once_even_while_it_hangs() -> None:
    outcome: list[Exception] = []

    def wait_for_it(url: str) -> None:
        try:
            httpx.get(url, params=LIST, timeout=60, verify=False)
        except httpx.TransportError as error:
            outcome.append(error)

    with ArxivServer(make_papers(9, day=TODAY)) as server:
        server.play(faults.Hang(600), on=lambda number, *_: number % 2 == 0, times=None)
        server.play(faults.Drip(1), times=None)
        waiting = [threading.Thread(target=wait_for_it, args=(server.oai_url,)) for _ in range(4)]
        for thread in waiting:
            thread.start()
        while len(server.log) < 4:
            time.sleep(0.005)
        began = time.monotonic()
    for thread in waiting:
        thread.join()
    assert time.monotonic() - began < 2
    assert len(outcome) == 4


def test_a_drip_keeps_its_pace_and_ends_well(client: httpx.Client) -> None:
    with ArxivServer(make_papers(1, day=TODAY)) as server:
        server.play(faults.Drip(10_000))
        began = time.monotonic()
        answer = client.get(server.oai_url, params=LIST, timeout=0.5)
        took = time.monotonic() - began
    assert len(ids_of(etree.fromstring(answer.content))) == 1
    assert took >= 0.9 * len(answer.content) / 10_000


def test_an_oversized_answer_is_well_formed_and_has_no_length(client: httpx.Client) -> None:
    with ArxivServer(make_papers(3, day=TODAY)) as server:
        server.play(faults.Oversized(1_000_000))
        answer = client.get(server.oai_url, params=LIST)
        assert "Content-Length" not in answer.headers
        assert 1_000_000 < len(answer.content) < 1_100_000
        assert len(ids_of(etree.fromstring(answer.content))) == 3
        server.play(faults.Oversized(10**12))
        with client.stream("GET", server.oai_url, params=LIST) as stream:
            assert len(next(stream.iter_bytes())) > 0
        assert len(harvest(client, server)) == 3


def test_a_truncated_answer_is_whole_for_http_and_not_for_xml(client: httpx.Client) -> None:
    with ArxivServer(make_papers(3, day=TODAY)) as server:
        server.play(faults.Truncated())
        answer = client.get(server.oai_url, params=LIST)
    assert answer.headers["Content-Length"] == str(len(answer.content))
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(answer.content)


@pytest.mark.parametrize("path", ["oai", "api"])
def test_an_entity_bomb_grows_tenfold_with_every_level(client: httpx.Client, path: str) -> None:
    with ArxivServer(make_papers(3, day=TODAY)) as server:
        url, arguments = (server.oai_url, LIST) if path == "oai" else (server.api_url, {"search_query": "cat:cs.*"})
        server.play(faults.EntityBomb(levels=2))
        small = etree.fromstring(client.get(url, params=arguments).content, etree.XMLParser(resolve_entities=True))
        server.play(faults.EntityBomb())
        bomb = client.get(url, params=arguments).content
    assert "".join(map(str, small.itertext())).count("ha" * 100) == 1
    with pytest.raises(etree.XMLSyntaxError, match=r"(?i)entit|amplification"):
        etree.fromstring(bomb, etree.XMLParser(resolve_entities=True))


def test_an_external_entity_names_a_file_of_the_reader(client: httpx.Client, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("told to nobody")
    with ArxivServer(make_papers(1, day=TODAY)) as server:
        server.play(faults.ExternalEntity(secret.as_uri()))
        content = client.get(server.oai_url, params=LIST).content
    careless = etree.fromstring(content, etree.XMLParser(resolve_entities=True, load_dtd=True))
    assert (careless.findtext(f".//{RAW}title") or "").startswith("told to nobody")


def test_a_control_character_makes_the_xml_unreadable(client: httpx.Client) -> None:
    with ArxivServer(make_papers(1, day=TODAY)) as server:
        server.play(faults.IllegalControlCharacter())
        content = client.get(server.oai_url, params=LIST).content
    assert content.count(b"\x1b") == 1
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(content)


def test_a_malformed_record_is_one_of_a_good_page(client: httpx.Client) -> None:
    with ArxivServer(make_papers(3, day=TODAY)) as server:
        server.play(faults.MalformedRecord("missing_title", index=1))
        titles = [raw.find(f"{RAW}title") is None for raw in ask(client, server, **LIST).iter(f"{RAW}arXivRaw")]
        server.play(faults.MalformedRecord("bad_date", index=2))
        dates = [version.findtext(f"{RAW}date") for version in ask(client, server, **LIST).iter(f"{RAW}version")]
        server.play(faults.MalformedRecord("no_id"))
        root = ask(client, server, **LIST)
        assert len(ids_of(root)) == 2 and len(root.findall(f".//{RAW}id")) == 2
        assert len(root.findall(f".//{OAI}record")) == 3
    assert titles == [False, True, False]
    assert [date_ is not None and date_.endswith("GMT") for date_ in dates].count(False) in (1, 2)
    assert dates[0] != dates[-1] == "the day before yesterday"


def test_a_malformed_entry_is_one_of_a_good_feed(client: httpx.Client) -> None:
    with ArxivServer(make_papers(3, day=TODAY, categories=["cs.LG"])) as server:
        server.play(faults.MalformedRecord("no_id"))
        assert len(entries_of(client, server, search_query="cat:cs.LG")) == 2


def test_a_repeated_token_leads_in_a_circle(client: httpx.Client) -> None:
    with ArxivServer(make_papers(9, day=TODAY), page_size=3) as server:
        server.play(faults.RepeatedToken(), on=2, times=2)
        first = token_of(ask(client, server, **LIST)) or ""
        second = ask(client, server, verb="ListRecords", resumptionToken=first)
        third = ask(client, server, verb="ListRecords", resumptionToken=token_of(second) or "")
        assert token_of(second) == token_of(third) == first
        assert ids_of(second) == ids_of(third)
        server.play(faults.RepeatedToken())
        start = ask(client, server, **LIST)
        again = ask(client, server, verb="ListRecords", resumptionToken=token_of(start) or "")
        assert ids_of(again) == ids_of(start)


def test_a_bad_token_is_refused_though_the_server_gave_it(client: httpx.Client) -> None:
    with ArxivServer(make_papers(4, day=TODAY), page_size=3) as server:
        token = token_of(ask(client, server, **LIST)) or ""
        server.play(faults.BadToken())
        assert error_of(ask(client, server, verb="ListRecords", resumptionToken=token)) == "badResumptionToken"
        assert error_of(ask(client, server, verb="ListRecords", resumptionToken=token)) is None


def test_endless_tokens_are_new_and_the_records_are_not(client: httpx.Client) -> None:
    with ArxivServer(make_papers(5, day=TODAY), page_size=3) as server:
        server.play(faults.EndlessTokens(), times=None)
        pages = [ask(client, server, **LIST)]
        for _ in range(10):
            pages.append(ask(client, server, verb="ListRecords", resumptionToken=token_of(pages[-1]) or ""))
    assert len({token_of(page) for page in pages}) == 11
    assert {tuple(ids_of(page)) for page in pages} == {tuple(ids_of(pages[0]))}
    assert len(ids_of(pages[0])) == 3


@pytest.mark.parametrize("day", [TODAY, TODAY - timedelta(days=3)])
def test_records_moved_between_pages_hide_as_many_others(client: httpx.Client, day: date) -> None:
    papers = make_papers(9, day=day)
    with ArxivServer(papers, page_size=5) as server:
        server.play(faults.MovedBetweenPages(2))
        found = harvest(client, server)
    assert {paper.arxiv_id for paper in papers} - set(found) == {papers[5].arxiv_id, papers[6].arxiv_id}


def test_a_stale_nothing_is_dated_before_now(client: httpx.Client) -> None:
    with ArxivServer(make_papers(1, day=TODAY)) as server:
        server.play(faults.StaleNoRecords())
        root = ask(client, server, **LIST)
        assert error_of(root) == "noRecordsMatch"
        assert root.findtext(f"{OAI}responseDate") == "2026-11-24T00:30:00Z"
        assert len(harvest(client, server)) == 1


# The server itself


def test_the_log_has_who_asked_what_and_when(client: httpx.Client) -> None:
    with ArxivServer() as server:
        before = time.monotonic()
        client.get(server.oai_url, params={"verb": "Identify"})
        (entry,) = server.log
        assert (entry.number, entry.path, entry.query) == (1, "/oai", "verb=Identify")
        assert (entry.user_agent, entry.status) == ("tests/1", 200)
        assert entry.ended_at is not None
        assert before <= entry.began_at <= entry.ended_at <= time.monotonic()
        assert client.get(f"{server.url}/elsewhere").status_code == 404


def test_requests_in_flight_are_counted(client: httpx.Client) -> None:
    with ArxivServer(make_papers(1, day=TODAY)) as server:
        for _ in range(20):
            ask(client, server, **LIST)
            assert server.log[-1].ended_at is not None
            httpx.get(server.oai_url, verify=False)
        assert server.max_concurrent == 1
        server.play(faults.Hang(0.3), times=3)
        together = [
            threading.Thread(target=httpx.get, args=(server.oai_url,), kwargs={"verify": False}) for _ in range(3)
        ]
        for thread in together:
            thread.start()
        for thread in together:
            thread.join()
        assert server.max_concurrent == 3


def test_a_client_that_has_hung_up_is_no_longer_in_flight(client: httpx.Client) -> None:
    with ArxivServer() as server:
        server.play(faults.Hang(60), times=None)
        for i in range(10):
            with pytest.raises(httpx.ReadTimeout):
                client.get(server.oai_url, timeout=0.03 + 0.003 * i)
        assert server.max_concurrent == 1
        assert all(entry.status is None for entry in server.log)


def test_an_error_of_the_stand_in_fails_the_test_that_uses_it(client: httpx.Client) -> None:
    def break_it(number: int, server: ArxivServer) -> None:
        raise LookupError("a mistake in the test")

    with (
        pytest.raises(LookupError, match="a mistake"),
        ArxivServer(on_request=break_it) as server,
        pytest.raises(httpx.TransportError),
    ):
        client.get(server.oai_url)


def test_made_papers_are_the_same_for_the_same_arguments_and_all_different() -> None:
    papers = make_papers(300, day=TODAY, days=3, seed=4)
    assert papers == make_papers(300, day=TODAY, days=3, seed=4)
    assert len({paper.arxiv_id for paper in papers}) == 300
    assert len({paper.title for paper in papers}) == len({paper.abstract for paper in papers}) == 300
    assert all(re.fullmatch(r"2611\.\d{5}", paper.arxiv_id) for paper in papers)
    assert [sum(paper.datestamp == TODAY + timedelta(days=i) for paper in papers) for i in range(3)] == [100] * 3
    assert {len(paper.versions) for paper in papers} == {1, 2}


def test_too_many_made_papers_are_refused() -> None:
    with pytest.raises(ValueError, match="five digits"):
        make_papers(10_000, day=date(2026, 11, 30), start=90_001)
