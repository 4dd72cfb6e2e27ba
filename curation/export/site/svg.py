"""Makes a drawing part of a page: no style of its own, ids of its own, and words in the place of the picture.

Pages forbid styles within the text, so that each becomes an attribute, or a class where it has a meaning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lxml import etree

_SVG = "{http://www.w3.org/2000/svg}"
_DROPPED = {f"{_SVG}metadata", f"{_SVG}style"}
_NEEDED = {"clipPath", "pattern"}
_POINTS_AT = re.compile(r"url\(#(?!face-)(\w+)\)")
_NAMESPACES = re.compile(r' xmlns(?::\w+)?="[^"]*"')


def make_inline(drawing: bytes, name: str, title: str, description: str, inks: Mapping[str, str]) -> str:
    """Return a drawing as an element of a page.

    Args:
        name: what its ids begin with; another one for each drawing of a page.
        title: what it shows.
        description: what there is to see, in words.
        inks: what takes the place of a colour: a class, or one of the page's patterns where it begins with `face-`.
    """
    root = etree.fromstring(drawing, etree.XMLParser(resolve_entities=False, no_network=True))
    for element in list(root.iter()):
        if not isinstance(element.tag, str) or element.tag in _DROPPED:
            element.getparent().remove(element)
        else:
            _dress(element, name, inks)
    _describe(root, name, title, description)
    return _NAMESPACES.sub("", etree.tostring(root, encoding="unicode"))


def _dress(element: etree._Element, name: str, inks: Mapping[str, str]) -> None:
    attributes = element.attrib
    identity = attributes.pop("id", None)
    if identity and etree.QName(element).localname in _NEEDED:
        attributes["id"] = f"{name}-{identity}"
    for key, value in _read_style(attributes.pop("style", "")).items():
        if key != "font-family":  # the page's own
            attributes[key] = value
    if inks.get(attributes.get("fill", ""), "").startswith("face-"):
        attributes["fill"] = f"url(#{inks[attributes['fill']]})"  # the page's own patterns
    classes = [f"{key}-{inks[attributes.pop(key)]}" for key in ("fill", "stroke") if attributes.get(key) in inks]
    if classes:
        attributes["class"] = " ".join(classes)
    for key, value in attributes.items():
        attributes[key] = _POINTS_AT.sub(rf"url(#{name}-\1)", " ".join(value.split()))
    if attributes.get("transform", "").startswith("rotate(-0 "):
        del attributes["transform"]
    for text in ("text", "tail"):
        if (getattr(element, text) or "x").isspace():
            setattr(element, text, None)


def _read_style(style: str) -> dict[str, str]:
    pairs = (part.split(":", 1) for part in style.split(";") if ":" in part)
    return {key.strip(): value.strip() for key, value in pairs}


def _describe(root: etree._Element, name: str, title: str, description: str) -> None:
    _, _, width, height = root.attrib["viewBox"].split()
    root.attrib.update({"width": width, "height": height, "role": "img"})
    root.attrib["aria-labelledby"] = f"{name}-title {name}-description"
    root.attrib["class"] = "plot"
    root.attrib.pop("version", None)
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        words = etree.Element(f"{_SVG}{tag}", id=f"{name}-{'title' if tag == 'title' else 'description'}")
        words.text = text
        root.insert(place, words)
