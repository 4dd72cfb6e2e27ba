"""Puts the site together: pages from templates, the search's index, and the files that other exports gave."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from curation import figures as rules
from curation.export.knowledge import Knowledge
from curation.export.site.addresses import SCRIPT, SEARCH_INDEX, STYLE, page_of
from curation.export.site.figures import STANCE_WORDS
from curation.export.site.moved import Month, list_told_months
from curation.export.site.overview import make_overview
from curation.export.site.pages import PhenomenonPages
from curation.export.site.search import render_index
from curation.export.site.uses import find_uses

_STATIC = (STYLE, SCRIPT, "static/icon.svg")
FEED = "feed.atom"
Progress = Callable[[int, int], None]


def render_site(
    knowledge: Knowledge, downloads: Mapping[str, bytes], progress: Progress | None = None
) -> dict[str, bytes]:
    """Return the site as files by their paths; the same knowledge and downloads give the same bytes.

    Args:
        downloads: files by path that are put beside the pages, and linked.
        progress: is told how many pages are made, and of how many.

    Raises:
        ExportError: a code cannot be a page's name.
    """
    own = files("curation.export.site")
    made = {path: own.joinpath(path).read_bytes() for path in _STATIC}
    made[SEARCH_INDEX] = render_index(knowledge).encode("ascii")
    months = list_told_months(knowledge)
    total = len(knowledge.entries) + len(knowledge.retired) + sum(month.href is not None for month in months) + 4
    for number, (path, page) in enumerate(_pages(knowledge, months, downloads), 1):
        made[path] = page.encode("utf-8")
        if progress is not None:
            progress(number, total)
    return {**downloads, **made}


def _pages(knowledge: Knowledge, months: Sequence[Month], downloads: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    environment = make_environment(
        feed=FEED if FEED in downloads else None,
        last_change=(knowledge.last_change or "")[:10] or None,
        stances=STANCE_WORDS,
    )

    def render(path: str, template: str, **values: Any) -> tuple[str, str]:
        root = "../" * path.count("/")
        return path, environment.get_template(template).render(here=path, root=root, **values)

    pages = PhenomenonPages(knowledge, months, downloads)
    yield render("index.html", "index.html", overview=make_overview(knowledge, months))
    yield render("moved.html", "moved.html", months=months)
    for month in months:
        if month.href:
            yield render(month.href, "month.html", month=month)
    yield render("about.html", "about.html", rules=rules)
    yield render("use.html", "use.html", uses=find_uses(downloads))
    for place, entry in enumerate(knowledge.entries):
        yield render(page_of(entry.phenomenon.code), "phenomenon.html", page=pages.make(place))
    for phenomenon in knowledge.retired:
        yield render(page_of(phenomenon.code), "retired.html", page=pages.make_retired(phenomenon))


def make_environment(**shared: Any) -> Environment:
    """Return what renders the templates: all text is escaped, and a name that is not there is an error."""
    environment = Environment(
        loader=PackageLoader("curation.export.site"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(shared)
    return environment
