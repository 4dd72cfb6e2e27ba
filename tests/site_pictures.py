"""Makes the pictures of the site for the documents: `PYTHONPATH=tests:. python -m site_pictures docs/pictures`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from sample_knowledge import FEATURED, fill_with_years

from curation.export.write import write_site
from db.store import open_store

NAMES = ("chromium", "chromium-browser", "google-chrome")
DESK, PHONE = (1280, 900), (360, 740)


def find_chromium() -> str | None:
    """Return the system's Chromium, None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def _leave_alone(page: Page) -> None:
    page.locator("h1").wait_for()


def _search(page: Page) -> None:
    page.get_by_role("combobox").fill("generalis")
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("ArrowDown")


# Name, page, size, colours, pixels for each, and what is done before.
PICTURES: tuple[tuple[str, str, tuple[int, int], str, float, Callable[[Page], None]], ...] = (
    ("site-overview", "index.html", DESK, "light", 1, _leave_alone),
    ("site-phenomenon", f"phenomena/{FEATURED}.html", DESK, "light", 1, _leave_alone),
    ("site-search", "index.html", DESK, "dark", 1, _search),
    ("site-phone", f"phenomena/{FEATURED}.html", PHONE, "dark", 2, _leave_alone),
)


def make_pictures(folder: Path) -> None:
    """Write the pictures as PNG."""
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        site = Path(place) / "site"
        with open_store(Path(place) / "years.db", create=True) as store:
            fill_with_years(store, hostile=False)
            write_site(store, site)
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        for name, path, (width, height), scheme, scale, prepare in PICTURES:
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=scheme,  # type: ignore[arg-type]
                device_scale_factor=scale,
            )
            page = context.new_page()
            page.goto(f"{site.as_uri()}/{path}")
            prepare(page)
            page.screenshot(path=folder / f"{name}.png")
            context.close()
        browser.close()


if __name__ == "__main__":
    make_pictures(Path(sys.argv[1]))
