"""Records and documents of OAI-PMH in arXiv's form; arXivRaw is the one format that is rendered."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

from loopback import taxonomy
from loopback.papers import MadePaper, MadeVersion

ID_PREFIX = "oai:arXiv.org:"
FORMATS = {
    "oai_dc": ("http://www.openarchives.org/OAI/2.0/oai_dc.xsd", "http://www.openarchives.org/OAI/2.0/oai_dc/"),
    "arXiv": ("http://arxiv.org/OAI/arXiv.xsd", "http://arxiv.org/OAI/arXiv/"),
    "arXivOld": ("http://arxiv.org/OAI/arXivOld.xsd", "http://arxiv.org/OAI/arXivOld/"),
    "arXivRaw": ("http://arxiv.org/OAI/arXivRaw.xsd", "http://arxiv.org/OAI/arXivRaw/"),
}
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_ALWAYS = {"id", "submitter", "title", "authors", "categories"}


def render_document(attributes: Mapping[str, str], inside: str, *, now: datetime, base_url: str) -> str:
    """Return a whole answer: the clock, the request with its attributes, and what was asked for."""
    told = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"
         xmlns:xsi="{_XSI}"
         xsi:schemaLocation="http://www.openarchives.org/OAI/2.0/ http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd">
    <responseDate>{zulu(now)}</responseDate>
    <request{told}>{escape(base_url)}</request>
{inside}
</OAI-PMH>
"""


def zulu(moment: datetime) -> str:
    """Write a moment as OAI-PMH does."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def render_header(paper: MadePaper) -> str:
    """Render a header; its sets are those of all categories of the paper."""
    status = ' status="deleted"' if paper.deleted else ""
    sets = "".join(f"<setSpec>{spec}</setSpec>" for spec in taxonomy.sets_of(paper.categories))
    identifier = f"<identifier>{ID_PREFIX}{escape(paper.arxiv_id)}</identifier>"
    return f"        <header{status}>{identifier}<datestamp>{paper.datestamp}</datestamp>{sets}</header>\n"


def render_record(paper: MadePaper) -> str:
    """Render a record in arXivRaw; a deleted one is a header alone."""
    metadata = "" if paper.deleted else f"        <metadata>\n{_render_raw(paper)}        </metadata>\n"
    return f"        <record>\n{render_header(paper)}{metadata}        </record>\n"


def _render_raw(paper: MadePaper) -> str:
    """Render arXivRaw: the order is the schema's, and most of what is empty is left out."""
    schema, namespace = FORMATS["arXivRaw"]
    fields = [
        ("id", paper.arxiv_id),
        ("submitter", paper.authors[0] if paper.authors else "arXiv Admin"),
        ("versions", "".join(map(_render_version, paper.versions))),
        ("title", fold(paper.title)),
        ("authors", join_authors(paper.authors)),
        ("categories", " ".join(paper.categories)),
        ("comments", fold(paper.comments or "")),
        ("journal-ref", paper.journal_ref or ""),
        ("doi", paper.doi or ""),
        ("license", paper.license or ""),
        ("abstract", f"  {textwrap.fill(paper.abstract, 79, break_on_hyphens=False)}\n" if paper.abstract else ""),
    ]
    inside = "".join(
        value if name == "versions" else f"            <{name}>{escape(value)}</{name}>\n"
        for name, value in fields
        if value or name in _ALWAYS
    )
    where = f'xmlns="{namespace}" xmlns:xsi="{_XSI}" xsi:schemaLocation="{namespace} {schema}"'
    return f"        <arXivRaw {where}>\n{inside}        </arXivRaw>\n"


def _render_version(version: MadeVersion) -> str:
    source_type = f"<source_type>{escape(version.source_type)}</source_type>" if version.source_type else ""
    submitted = version.submitted.astimezone(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    inside = f"<date>{submitted}</date><size>{version.size_kilobytes}kb</size>{source_type}"
    return f'            <version version="v{version.number}">{inside}</version>\n'


def join_authors(authors: Sequence[str]) -> str:
    """Return the authors as one line, as arXiv keeps them: commas, and an "and" before the last."""
    return " and ".join([", ".join(authors[:-1]), authors[-1]]) if len(authors) > 1 else "".join(authors)


def fold(text: str) -> str:
    """Break a title or a comment as arXiv's database does: later lines begin with two blanks."""
    return textwrap.fill(text, 76, subsequent_indent="  ", break_on_hyphens=False)
