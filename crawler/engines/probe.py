"""The texts that settings are tried on: abstracts of the bundled sample, as long as real ones are."""

from __future__ import annotations

from importlib.resources import files
from itertools import cycle, islice
from xml.etree import ElementTree

SAMPLE = ("cs-1.xml", "cs-2.xml", "stat-1.xml")
_RECORD, _TITLE, _ABSTRACT = (f"{{http://arxiv.org/OAI/arXivRaw/}}{name}" for name in ("arXivRaw", "title", "abstract"))


def probe_texts(number: int) -> list[str]:
    """Return so many texts; more than the sample has come from its start again."""
    texts = []
    for name in SAMPLE:
        root = ElementTree.fromstring(files("crawler").joinpath("data/sample", name).read_bytes())
        for record in root.iter(_RECORD):
            texts.append(f"{record.findtext(_TITLE, '')}. {record.findtext(_ABSTRACT, '')}".strip())
    return list(islice(cycle(texts), number))
