"""Strict reading of XML from outside: no entities, no document type, no mending of what is broken."""

from __future__ import annotations

from lxml import etree

from db.errors import AnswerError
from db.text import clean_line


def parse_strictly(body: bytes) -> etree._Element:
    """Return the root of a document.

    Raises:
        AnswerError: the body is empty, not well-formed, or has a document type, which no answer of arXiv's has.
    """
    if not body.strip():
        raise AnswerError("the answer is empty")
    if body.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        raise AnswerError("the answer is a web page, not the XML that was asked for")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, recover=False, load_dtd=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise AnswerError(f"the answer is not well-formed XML: {clean_line(str(error))[:160]}") from None
    if root.getroottree().docinfo.doctype:
        raise AnswerError("the answer has a document type, which no answer of arXiv's has")
    return root
