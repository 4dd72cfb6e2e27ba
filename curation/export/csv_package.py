"""The Data Package beside the CSV: what the columns mean, for programs (https://datapackage.org, version 2)."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from curation.export.beside import Beside, sign_description
from curation.export.knowledge import Knowledge

_PROFILES = "https://datapackage.org/profiles/2.0"
_ABOUT = (
    "One row for each piece of evidence: a paper, a claim about large models as they scale, and how the paper bears on"
    " it, by the word of a person who read it. A text that a spreadsheet would take for a formula has a ' in front."
)
_ARXIV = {"title": "arXiv", "path": "https://arxiv.org/"}
_LICENSE = {
    "name": "CC0-1.0",
    "path": "https://creativecommons.org/publicdomain/zero/1.0/",
    "title": "CC0 1.0, under which arXiv gives away its metadata: ids, titles, authors, dates, sentences of abstracts",
}


def describe_csv(knowledge: Knowledge, target: Path, data: bytes) -> Beside:
    """Return the `datapackage.json` beside a CSV export, with a full Table Schema and the file's hash."""
    resource = {
        "name": "evidence",
        "path": target.name,
        "type": "table",
        "title": "Evidence",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "bytes": len(data),
        "hash": f"sha256:{hashlib.sha256(data).hexdigest()}",
        "dialect": {"delimiter": ",", "lineTerminator": "\r\n", "quoteChar": '"', "doubleQuote": True},
        "schema": read_table_schema(),
    }
    package: dict[str, Any] = {
        "$schema": f"{_PROFILES}/datapackage.json",
        "name": "bmprinciples-evidence",
        "title": "BMPrinciples: the evidence",
        "description": _ABOUT,
        "licenses": [_LICENSE],
        "sources": [_ARXIV],
        "keywords": ["scaling laws", "language models", "living review"],
        "resources": [resource],
    }
    if knowledge.last_change:
        package["created"] = knowledge.last_change
    return sign_description(target.with_name("datapackage.json"), package)


def read_table_schema() -> dict[str, Any]:
    """Return the Table Schema of the CSV export."""
    text = files("curation").joinpath("export/data/evidence.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
