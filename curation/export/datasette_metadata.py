"""The metadata beside the SQLite export, by which Datasette tells what the tables mean (docs.datasette.io)."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from curation.export.beside import Beside, sign_description
from curation.export.knowledge import Knowledge


def describe_sqlite(knowledge: Knowledge, target: Path, data: bytes) -> Beside:
    """Return the `NAME.metadata.json` beside `NAME.db`; Datasette knows a database by its file's name."""
    metadata = read_metadata()
    database = metadata.pop("database")
    if knowledge.last_change:
        metadata["description"] += f" Last change {knowledge.last_change[:10]}."
    metadata["databases"] = {target.stem: database}
    return sign_description(target.with_name(f"{target.stem}.metadata.json"), metadata)


def read_metadata() -> dict[str, Any]:
    """Return the metadata, with what is said of the one database under `database`."""
    text = files("curation").joinpath("export/data/datasette.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
