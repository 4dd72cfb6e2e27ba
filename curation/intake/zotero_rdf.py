"""Zotero RDF, as `Export library` writes it with notes.

Items are the nodes with a `z:itemType`; notes are nodes of their own that items refer to, and collections list the
addresses of what they hold.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from lxml import etree

from curation.intake.records import Listed, Reading, make_listed
from db.errors import UsageError
from db.text import clean_line

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_TERMS = "{http://purl.org/dc/terms/}"
_BIB = "{http://purl.org/net/biblio#}"
_PRISM = "{http://prismstandard.org/namespaces/1.2/basic/}"
_Z = "{http://www.zotero.org/namespaces/export#}"
_NO_PAPERS = ("attachment", "note", "annotation")


def parse_rdf(content: bytes, name: str) -> Reading:
    """Return the papers of a Zotero RDF file.

    Raises:
        UsageError: it is not RDF as Zotero writes it.
    """
    root = _parse(content, name)
    notes = {about: _value(node) for node in root.iter(f"{_BIB}Memo") if (about := _about(node))}
    sections = _collections(root)
    entries = [
        _read_item(node, notes, sections.get(_about(node), ()))
        for node in root
        if (kind := node.findtext(f"{_Z}itemType")) is not None and kind.strip() not in _NO_PAPERS
    ]
    if not entries:
        raise UsageError(f"{name} holds no item of Zotero", "export the library as Zotero RDF")
    return Reading(tuple(entries))


def _parse(content: bytes, name: str) -> etree._Element:
    """Read XML without entities, network and mending."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=False, recover=False, load_dtd=False, remove_comments=True,
        remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UsageError(f"{name} is not well-formed XML: {clean_line(str(error))[:160]}") from None
    if root.getroottree().docinfo.doctype:
        raise UsageError(f"{name} has a document type, which Zotero writes none of", "export it anew")
    if root.tag != f"{_RDF}RDF":
        raise UsageError(f"{name} is XML, but not RDF", "export the library as Zotero RDF")
    return root


def _read_item(node: etree._Element, notes: dict[str, str], sections: tuple[str, ...]) -> Listed:
    identifiers = [_value(child) for child in node.findall(f"{_DC}identifier")]
    part_of = [_value(child) for child in node.findall(f"{_TERMS}isPartOf")]
    names = (f"{_PRISM}number", f"{_DC}description", f"{_DC}coverage", f"{_DC}source")
    return make_listed(
        f"line {node.sourceline}",
        title=_first(node, f"{_DC}title"),
        bare=[_first(node, f"{_PRISM}number"), _first(node, f"{_Z}archiveID")],
        telling=[*identifiers, _about(node), *(_first(node, tag) for tag in names), *part_of],
        doi=next((text for text in [*identifiers, *part_of] if text.upper().startswith("DOI")), ""),
        key=_first(node, f"{_Z}citationKey"),
        notes=[notes[target] for target in _targets(node, f"{_TERMS}isReferencedBy") if target in notes],
        labels=[_value(child) for child in node.findall(f"{_DC}subject")],
        sections=sections,
    )


def _collections(root: etree._Element) -> dict[str, tuple[str, ...]]:
    """Return the names of the collections that hold each node, with those around them."""
    holders: dict[str, list[str]] = defaultdict(list)
    titles: dict[str, str] = {}
    for node in root.iter(f"{_Z}Collection"):
        titles[_about(node)] = _first(node, f"{_DC}title")
        for held in _targets(node, f"{_TERMS}hasPart"):
            holders[held].append(_about(node))
    return {held: tuple(titles[holder] for holder in _climb(held, holders)) for held in holders}


def _climb(held: str, holders: dict[str, list[str]]) -> list[str]:
    """Return all that hold a node, the outermost first; a loop is gone through once."""
    found: dict[str, None] = {}
    waiting = list(holders.get(held, ()))
    while waiting:
        holder = waiting.pop()
        if holder not in found:
            found[holder] = None
            waiting += holders.get(holder, ())
    return list(reversed(found))


def _about(node: etree._Element) -> str:
    return str(node.get(f"{_RDF}about", ""))


def _targets(node: etree._Element, tag: str) -> Iterator[str]:
    return (target for child in node.findall(tag) if (target := child.get(f"{_RDF}resource")))


def _first(node: etree._Element, tag: str) -> str:
    found = node.find(tag)
    return "" if found is None else _value(found)


def _value(node: etree._Element) -> str:
    """Return the text within a node, however deep: a tag or an address may stand in nodes of its own."""
    return "".join(str(text) for text in node.itertext()).strip()
