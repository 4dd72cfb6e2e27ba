"""The site in a real browser, from files: open to everybody, nothing asked of the net, and keys drive the search."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sample_knowledge import FEATURED, HOSTILE, RETIRED, fill_with_years
from site_pictures import find_chromium

from curation.export.write import write_site
from db.store import open_store
from db.text import clean_line

pytestmark = pytest.mark.slow

SIZES = {"phone": (360, 740), "desk": (1280, 900)}
PAGES = (
    "index.html",
    "moved.html",
    "about.html",
    "use.html",
    f"phenomena/{FEATURED}.html",
    "phenomena/W1.4.html",
    "phenomena/H1.3.html",
    f"phenomena/{RETIRED.code}.html",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    with open_store(folder / "years.db", create=True) as store:
        fill_with_years(store)
        write_site(store, folder / "site")
    return folder / "site"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = find_chromium()
    if found is None:
        pytest.skip("no Chromium is installed")
    with sync_playwright() as playwright:
        # A sandbox needs rights that a container often lacks; what is opened here is our own.
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


class Visitor:
    """A page in a browser, and all that went wrong on it or left it."""

    def __init__(self, page: Page, site: Path) -> None:
        self.page = page
        self.site = site
        self.faults: list[str] = []
        page.on("console", lambda message: self.faults.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("requestfailed", lambda request: self.faults.append(f"failed: {request.url}"))
        page.on("request", lambda request: self._note(request.url))

    def _note(self, url: str) -> None:
        if not url.startswith(self.site.as_uri()):
            self.faults.append(f"asked: {url}")

    def go(self, path: str) -> None:
        self.page.goto(f"{self.site.as_uri()}/{path}")

    @property
    def path(self) -> str:
        return self.page.url.removeprefix(f"{self.site.as_uri()}/")


@pytest.fixture
def visit(browser: Browser, site: Path, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """Give a page; parametrised indirectly by size and colour scheme or other options of a browser's context."""
    options: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}, **getattr(request, "param", {})}
    context = browser.new_context(**options)
    visitor = Visitor(context.new_page(), site)
    yield visitor
    context.close()
    assert visitor.faults == []


def _looks() -> list[Any]:
    return [
        pytest.param({"viewport": {"width": width, "height": height}, "color_scheme": scheme}, id=f"{name}-{scheme}")
        for name, (width, height) in SIZES.items()
        for scheme in ("light", "dark")
    ]


def _find_violations(page: Page) -> list[dict[str, Any]]:
    """Return what axe finds, whatever its impact. Fetching style sheets itself is what the policy forbids it."""
    found: list[dict[str, Any]] = Axe().run(page, options={"preload": False}).response["violations"]
    return found


@pytest.mark.parametrize("visit", _looks(), indirect=True)
def test_axe_finds_nothing_and_nothing_runs_out_of_the_screen(visit: Visitor) -> None:
    for path in PAGES:
        visit.go(path)
        for folded in visit.page.locator("details").all():
            folded.evaluate("element => { element.open = true; }")
        found = _find_violations(visit.page)
        told = [(one["id"], one["impact"], [node["html"] for node in one["nodes"]][:3]) for one in found]
        assert told == [], path
        wide = visit.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide == 0, path


@pytest.mark.parametrize("visit", _looks(), indirect=True)
def test_axe_finds_nothing_in_the_open_search(visit: Visitor) -> None:
    visit.go("index.html")
    visit.page.get_by_role("combobox").fill("loss")
    visit.page.get_by_role("option").first.wait_for()
    visit.page.keyboard.press("ArrowDown")
    assert [one["id"] for one in _find_violations(visit.page)] == []


def test_the_search_is_driven_by_keys(visit: Visitor) -> None:
    visit.go("about.html")
    field = visit.page.get_by_role("combobox")
    visit.page.keyboard.press("/")
    expect(field).to_be_focused()
    expect(field).to_have_value("")
    visit.page.keyboard.type("grok")
    options = visit.page.get_by_role("option")
    expect(options.first).to_contain_text("W2.2 Generalisation long after memorisation (grokking)")
    expect(field).to_have_attribute("aria-expanded", "true")
    expect(visit.page.get_by_role("status")).to_contain_text("1 phenomenon, 0 papers")
    visit.page.keyboard.press("ArrowDown")
    expect(field).to_have_attribute("aria-activedescendant", "option-0")
    expect(options.first).to_have_attribute("aria-selected", "true")
    visit.page.keyboard.press("Escape")
    expect(visit.page.get_by_role("listbox")).to_be_hidden()
    visit.page.keyboard.press("ArrowDown")
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_url("**/phenomena/W2.2.html")
    visit.page.keyboard.press("/")
    visit.page.keyboard.press("Escape")
    expect(field).not_to_be_focused()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("h1.2", "H1.2 A compute budget"),
        ("LATE  generalis", "Late generalisation without weight decay"),
        ("2210.9", "Late generalisation without weight decay"),
        ("budget split", "H1.2 A compute budget"),
        ("漢", "gnirts desrever a bell"),
        ("</script>", "</script><script>alert(1)</script>"),
    ],
)
def test_the_search_finds_by_code_words_in_any_order_beginnings_and_ids(visit: Visitor, words: str, found: str) -> None:
    visit.go("index.html")
    visit.page.get_by_role("combobox").fill(words)
    expect(visit.page.get_by_role("option").filter(has_text=found).first).to_be_visible()


def test_a_found_paper_opens_in_its_place(visit: Visitor) -> None:
    visit.go("phenomena/H1.2.html")
    visit.page.get_by_role("combobox").fill("late generalisation without")
    visit.page.get_by_role("option").click()
    visit.page.wait_for_url("**/phenomena/W2.2.html#paper-*")
    target = visit.page.locator("article:target")
    expect(target).to_be_in_viewport()
    expect(target).to_contain_text("Late generalisation without weight decay")


def test_what_nothing_has_is_said(visit: Visitor) -> None:
    visit.go("index.html")
    visit.page.get_by_role("combobox").fill("qqqq")
    expect(visit.page.get_by_role("status").filter(has_text="Nothing found")).to_be_attached()
    visit.page.keyboard.press("Enter")
    assert visit.path == "index.html"


def test_the_overview_is_sieved_and_ordered(visit: Visitor) -> None:
    visit.go("index.html")
    rows = visit.page.locator(".rows > li:visible")
    everything = rows.count()
    first = rows.first.inner_text()
    visit.page.get_by_label("contested", exact=True).check()
    assert 0 < rows.count() < everything
    assert set(rows.evaluate_all("rows => rows.map(row => row.dataset.maturity)")) == {"contested"}
    visit.page.get_by_label("all", exact=True).check()
    visit.page.get_by_label("contested first").check()
    kinds = rows.evaluate_all("rows => rows.map(row => row.dataset.maturity === 'contested')")
    assert len(kinds) == everything and kinds == sorted(kinds, reverse=True)
    visit.page.get_by_label("most papers").check()
    papers = rows.evaluate_all("rows => rows.map(row => Number(row.dataset.papers))")
    assert papers == sorted(papers, reverse=True)
    visit.page.get_by_label("by subject").check()
    assert (rows.count(), rows.first.inner_text()) == (everything, first)


@pytest.mark.parametrize("visit", [{"java_script_enabled": False}], indirect=True, ids=["no script"])
def test_without_scripts_all_but_search_and_sieve_is_there(visit: Visitor) -> None:
    visit.go("index.html")
    expect(visit.page.locator(".search")).to_be_hidden()
    expect(visit.page.locator("#sieve")).to_be_hidden()
    visit.page.get_by_role("link", name="Generalisation long after memorisation").click()
    assert visit.path == "phenomena/W2.2.html"
    visit.page.get_by_role("link", name="What moved").click()
    assert visit.path == "moved.html"


def test_every_stance_has_a_colour_and_a_pattern_of_its_own_in_light_and_dark(visit: Visitor) -> None:
    visit.go(f"phenomena/{FEATURED}.html")
    looks = set()
    for scheme in ("light", "dark"):
        visit.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        looks.add(
            visit.page.evaluate(
                "['supports', 'contradicts', 'qualifies'].map(one =>"
                " getComputedStyle(document.querySelector(`#face-${one} .fill-${one}`)).fill).join()"
            )
        )
    assert len(looks) == 2 and all(len(set(look.split("rgb"))) == 4 for look in looks)


def test_hostile_titles_run_nothing(visit: Visitor) -> None:
    visit.page.on("dialog", lambda dialog: visit.faults.append(dialog.message))
    visit.go(f"phenomena/{FEATURED}.html")
    titles = [clean_line(title) for title in visit.page.locator("article h3").all_inner_texts()]
    assert {clean_line(title) for title in HOSTILE} <= set(titles)
    visit.page.get_by_role("combobox").fill("say onerror")
    visit.page.get_by_role("combobox").fill("img")
    expect(visit.page.get_by_role("option").first).to_contain_text("<img src=//evil.example/x onerror=alert(1)>")
