"""The site: whole, the same bytes from the same database, nothing from outside, and every text stays text."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import html5lib
import pytest
from bmp import Bmp
from conftest import LOADED
from hypothesis import given
from hypothesis import strategies as st
from lxml import html
from sample_knowledge import FEATURED, HOSTILE, RETIRED, fill_with_years

from curation.export.knowledge import Knowledge, load_knowledge
from curation.export.site.addresses import page_of, place_of
from curation.export.site.pages import link_ids, name_authors
from curation.export.site.render import render_site
from curation.export.site.search import render_index
from curation.export.write import write_site
from db.errors import ExportError, UsageError
from db.records import Aspect, Phenomenon, Stance
from db.store import open_store
from db.text import clean_line
from db.upkeep import save_phenomena

DOWNLOADS = {
    "catalogue.json": b"{}",
    "catalogue.md": b"# x",
    "catalogue.db": b"x",
    "feed.atom": b"<feed/>",
    f"feeds/{FEATURED}.atom": b"<feed/>",
}
ARXIV = re.compile(r"https://arxiv\.org/abs/[a-z\d./-]+")


def _know(path: Path, *, backwards: bool = False) -> Knowledge:
    with open_store(path, create=True) as store:
        fill_with_years(store, backwards=backwards, claims=12)
        return load_knowledge(store)


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    return _know(tmp_path_factory.mktemp("site") / "years.db")


@pytest.fixture(scope="module")
def site(knowledge: Knowledge) -> dict[str, bytes]:
    return render_site(knowledge, DOWNLOADS)


@cache
def _parse(page: bytes) -> html.HtmlElement:
    return html.document_fromstring(page.decode("utf-8"))


def _pages(site: dict[str, bytes]) -> Iterator[tuple[str, html.HtmlElement]]:
    for path, content in site.items():
        if path.endswith(".html"):
            yield path, _parse(content)


def _text(page: html.HtmlElement) -> str:
    return clean_line(page.text_content())


def test_every_entry_has_a_page_and_so_has_every_retired_one(knowledge: Knowledge, site: dict[str, bytes]) -> None:
    codes = [entry.phenomenon.code for entry in knowledge.entries] + [one.code for one in knowledge.retired]
    assert RETIRED.code in codes
    assert {page_of(code) for code in codes} == {path for path in site if path.startswith("phenomena/")}
    assert {"index.html", "moved.html", "about.html", "use.html", *DOWNLOADS} <= site.keys()


def test_the_same_knowledge_gives_the_same_bytes_in_whatever_order_it_came(
    site: dict[str, bytes], tmp_path: Path
) -> None:
    other = _know(tmp_path / "backwards.db", backwards=True)
    assert render_site(other, DOWNLOADS) == site


def test_every_page_is_well_formed_and_no_id_stands_twice(site: dict[str, bytes]) -> None:
    for path, page in _pages(site):
        html5lib.HTMLParser(strict=True).parse(site[path].decode("utf-8"))
        ids = page.xpath("//@id")
        assert len(ids) == len(set(ids)), path
        assert len(page.xpath("//h1")) == 1, path


def test_every_link_leads_to_a_page_and_place_that_is_there_or_to_arxiv(site: dict[str, bytes]) -> None:
    seen = 0
    for path, page in _pages(site):
        for element in page.xpath("//*[@href]"):
            href = element.get("href")
            if href.startswith("https:"):
                assert ARXIV.fullmatch(href) and element.get("rel") == "noopener", (path, href)
                continue
            where, _, place = href.partition("#")
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), where)) if where else path
            assert target in site, (path, href)
            assert not place or _parse(site[target]).xpath("//*[@id=$place]", place=place), (path, href)
            seen += 1
    assert seen > 500


def test_nothing_comes_from_outside_and_nothing_needs_what_the_policy_forbids(site: dict[str, bytes]) -> None:
    for path, page in _pages(site):
        [policy] = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
        assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self';")
        assert [script.get("src").removeprefix("../") for script in page.xpath("//script")] == ["static/site.js"], path
        assert not page.xpath("//style | //*[@style] | //img | //iframe | //object | //embed | //base"), path
        assert not page.xpath("//@*[starts-with(name(), 'on')]"), path
        assert not page.xpath("//@src[contains(., ':')]"), path
    assert b"url(" not in site["static/site.css"] and b"@import" not in site["static/site.css"]


def test_every_picture_says_in_words_what_it_shows(site: dict[str, bytes]) -> None:
    for path, page in _pages(site):
        for picture in page.xpath("//*[local-name()='svg'][not(@aria-hidden)]"):
            assert picture.get("role") == "img", path
            named = picture.get("aria-labelledby", "").split()
            words = [page.xpath("string(//*[@id=$name])", name=name) for name in named] or [picture.get("aria-label")]
            assert all(words), path


def test_every_pattern_and_clip_that_a_picture_points_at_is_on_its_page(site: dict[str, bytes]) -> None:
    seen = 0
    for path, page in _pages(site):
        pointed = re.findall(r"url\(#([^)]*)\)", site[path].decode("utf-8"))
        assert set(pointed) <= set(page.xpath("//@id")), path
        seen += len(pointed)
    assert seen > 100


def test_a_page_tells_the_figures_of_its_claim(knowledge: Knowledge, site: dict[str, bytes]) -> None:
    entry = next(entry for entry in knowledge.entries if entry.phenomenon.code == FEATURED)
    page = _parse(site[page_of(FEATURED)])
    counts = page.xpath("//div[@class='balance']//tbody/tr/td[1]/text()")
    assert counts == [str(count) for count in entry.figures.papers.values()]
    years = page.xpath("//figure//tbody/tr")
    assert [[cell.text_content() for cell in row] for row in years] == [
        [str(year.year), *map(str, year.counts.values())] for year in entry.figures.timeline
    ]
    assert entry.figures.share is not None
    assert f"{entry.figures.share.value:.0%} support the claim" in _text(page)
    assert entry.suggested.reason in _text(page)


def test_a_page_has_each_paper_with_its_sentence_decision_and_other_claims(
    knowledge: Knowledge, site: dict[str, bytes]
) -> None:
    for entry in knowledge.entries:
        page = _parse(site[page_of(entry.phenomenon.code)])
        for piece in (*entry.evidence, *entry.under_review):
            [paper] = page.xpath("//article[@id=$place]", place=place_of(piece.arxiv_id))
            told = _text(paper)
            assert paper.xpath("string(h3/a/@href)") == piece.url
            assert paper.xpath("string(h3)").strip() == piece.title
            for part in (piece.sentence, piece.published, f"Decided by {piece.reviewer} on {piece.decided_at[:10]}"):
                assert part is None or part in told
            section = paper.xpath("string(ancestor::section[1]/@id)")
            assert section == ("under-review" if piece.reason else piece.stance.value)
    carried = _parse(site[page_of(FEATURED)]).xpath("//article//a[contains(@href, 'W2.11.html#paper-')]")
    assert len(carried) == len(HOSTILE)


def test_of_a_great_many_authors_the_first_are_named_and_the_others_counted() -> None:
    names = [f"Author {number}" for number in range(200)]
    assert name_authors(names[:12]) == ", ".join(names[:12])
    assert name_authors(names) == f"{', '.join(names[:10])} and 190 more"
    assert name_authors([]) == "no authors named"


def test_what_waits_to_be_settled_is_told_with_both_sides_and_reasons(site: dict[str, bytes]) -> None:
    review = _text(_parse(site[page_of(FEATURED)]).get_element_by_id("under-review"))
    assert "v9 changed the title or the abstract" in review and "v9 was withdrawn" in review
    conflict = _text(_parse(site[page_of("W1.4")]).get_element_by_id("conflicts"))
    assert re.search(r"qualifies, grace on .*as grace reads it.*contradicts, ben on .*as ben reads it", conflict)


def test_a_retired_entry_leads_to_what_took_its_place(site: dict[str, bytes]) -> None:
    page = _parse(site[page_of(RETIRED.code)])
    links = page.xpath("//main//ul[@class='links']//a/@href")
    assert links == ["../phenomena/W2.2.html", "../phenomena/W2.11.html"]


def test_what_moved_is_told_month_by_month_the_newest_open(knowledge: Knowledge, site: dict[str, bytes]) -> None:
    page = _parse(site["moved.html"])
    months = page.xpath("//*[@class='month']")
    assert [month.get("id") for month in months] == [f"m{one.since[:7]}" for one in knowledge.months]
    assert [month.tag for month in months] == ["section"] + ["details"] * (len(months) - 1)
    assert [len(month.xpath(".//ul/li")) for month in months] == [len(one.moves) for one in knowledge.months]


def test_what_moved_long_ago_has_a_page_for_each_month_where_it_is_much(knowledge: Knowledge) -> None:
    many = replace(knowledge, months=tuple(replace(one, moves=one.moves * 20) for one in knowledge.months))
    made = render_site(many, {})
    newest, *others = many.months
    assert len(_parse(made["moved.html"]).xpath("//section[@class='month']//li")) == len(newest.moves)
    alone = {f"moved/{one.since[:7]}.html": len(one.moves) for one in others}
    told = {path: len(_parse(made[path]).xpath("//main//li")) for path in made if path.startswith("moved/")}
    assert told and told.items() <= alone.items()
    assert sum(len(one.moves) for one in many.months) == sum(told.values()) + len(
        _parse(made["moved.html"]).xpath("//main//li")
    )


def test_hostile_text_stays_text(site: dict[str, bytes]) -> None:
    page = _parse(site[page_of(FEATURED)])
    titles = [clean_line(heading.text_content()) for heading in page.xpath("//article/h3")]
    assert {clean_line(title) for title in HOSTILE} <= set(titles)
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]|\xe2\x80[\xaa-\xae\xa8\xa9]", site[page_of(FEATURED)])
    assert b"7 * 7" in site[page_of(FEATURED)]


def test_the_index_has_every_phenomenon_and_paper_and_ends_no_script(
    knowledge: Knowledge, site: dict[str, bytes]
) -> None:
    script = site["static/search-index.js"]
    index = _read_index(script.decode("ascii"))
    assert [row[0] for row in index["phenomena"]] == [entry.phenomenon.code for entry in knowledge.entries]
    known = {piece.arxiv_id for entry in knowledge.entries for piece in (*entry.evidence, *entry.under_review)}
    assert sorted(row[0] for row in index["papers"]) == sorted(known)
    for row in index["papers"]:
        path, _, place = row[3].partition("#")
        assert _parse(site[path]).get_element_by_id(place) is not None


def _read_index(script: str) -> dict[str, list[list[str]]]:
    start, end = "globalThis.BMP_INDEX=", ";\n"
    assert script.startswith(start) and script.endswith(end) and script.count("\n") == 1 and "<" not in script
    content: dict[str, list[list[str]]] = json.loads(script[len(start) : -len(end)])
    return content


@given(st.text(), st.lists(st.text(), max_size=3))
def test_any_text_comes_through_the_index(knowledge: Knowledge, title: str, authors: list[str]) -> None:
    entry = next(entry for entry in knowledge.entries if entry.evidence)
    piece = replace(entry.evidence[0], title=title, authors=tuple(authors))
    entry = replace(entry, evidence=(piece,), under_review=())
    script = render_index(replace(knowledge, entries=(entry,)))
    assert script.isascii()
    assert _read_index(script)["papers"][0][1:3] == [title, ", ".join(authors)]


@pytest.mark.parametrize(
    ("text", "linked"),
    [
        ("2410.21676 qualifies: as 2001.08361 did.", ["2410.21676", "2001.08361"]),
        ("a loss of 2000.1234567 or 12001.08361 or 2001.08361.5, in 2013.99999", []),
        ("(2001.08361)", ["2001.08361"]),
    ],
)
def test_ids_in_criteria_are_linked_and_other_numbers_are_not(text: str, linked: list[str]) -> None:
    parts = link_ids(text)
    assert "".join(part.text for part in parts) == text
    assert [part.href for part in parts if part.href] == [f"https://arxiv.org/abs/{one}" for one in linked]


@given(st.text() | st.sampled_from(("2001.08361", "hep-th/9901001", "hep-th-9901001")))
def test_no_two_papers_have_one_place_and_a_place_needs_no_quoting(arxiv_id: str) -> None:
    place = place_of(arxiv_id)
    assert re.fullmatch(r"[\w.-]+", place, re.ASCII)
    assert place not in {place_of(other) for other in ("2001.08361", "hep-th/9901001") if other != arxiv_id}


def test_the_files_and_feeds_that_are_there_are_linked_and_no_others(site: dict[str, bytes]) -> None:
    files = _parse(site["use.html"]).xpath("//ul[@class='files']//a/@href")
    assert files == ["catalogue.md", "catalogue.json", "catalogue.db", "feed.atom"]
    for path, page in _pages(site):
        feeds = page.xpath("//link[@type='application/atom+xml']/@href")
        root = "../" * path.count("/")
        own = [f"../feeds/{FEATURED}.atom"] if path == page_of(FEATURED) else []
        assert feeds == [f"{root}feed.atom", *own], path


def test_a_catalogue_without_evidence_and_an_empty_one_have_a_site(tmp_path: Path) -> None:
    with open_store(tmp_path / "empty.db", create=True) as store:
        assert "The catalogue is empty" in _text(_parse(render_site(load_knowledge(store), {})["index.html"]))
        entry = Phenomenon("H1", Aspect.HOW, "g", "Alone", "One claim.", references=("no id",))
        with store.transaction():
            save_phenomena(store, [entry], LOADED)
        made = render_site(load_knowledge(store), {})
    page = _parse(made["phenomena/H1.html"])
    assert "No evidence yet" in _text(page) and not page.xpath("//figure")
    assert "no id" in _text(page)


@pytest.mark.parametrize("code", ["../H1", "H1/..", "", "H 1", ".", "H1.html\0"])
def test_a_code_that_is_no_file_name_is_refused(code: str) -> None:
    with pytest.raises(ExportError, match="cannot be a page's name"):
        page_of(code)


def test_the_command_writes_the_site_with_the_other_exports_in_it(bmp: Bmp, tmp_path: Path) -> None:
    assert bmp("init").code == 0
    told = bmp("export", "site", "-o", tmp_path / "site")
    assert (told.code, told.out) == (0, "")
    assert "Wrote" in told.err
    there = {path.name for path in (tmp_path / "site").iterdir()}
    assert {"index.html", "static", "phenomena", "catalogue.json", "catalogue.db", "catalogue.bib"} <= there
    assert (tmp_path / "site" / "catalogue.json").read_text(encoding="utf-8") == bmp("export", "json").out
    assert bmp("export", "site").code == 2
    assert bmp("export", "site", "-o", "-").code == 2


def test_the_database_is_never_replaced_by_a_site(tmp_path: Path) -> None:
    target = tmp_path / "site"
    with open_store(tmp_path / "a.db", create=True) as store:
        write_site(store, target)
        with pytest.raises(UsageError, match="-o"):
            write_site(store, None)
        for place in (tmp_path / "a.db", tmp_path):
            with pytest.raises(ExportError, match="database itself"):
                write_site(store, place)
    (tmp_path / "a.db").replace(target / "catalogue.db")  # a name that the list of the site has
    with open_store(target / "catalogue.db") as store, pytest.raises(ExportError, match="database itself"):
        write_site(store, target)


def test_stances_stand_apart_without_colour(site: dict[str, bytes]) -> None:
    patterns = _parse(site["index.html"]).xpath("//*[local-name()='pattern']")
    assert {pattern.get("id") for pattern in patterns} == {f"face-{stance.value}" for stance in Stance}
    drawn = {
        html.tostring(pattern).split(b">", 1)[1].replace(pattern.get("id")[5:].encode(), b"") for pattern in patterns
    }
    assert len(drawn) >= 3
