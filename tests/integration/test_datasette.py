"""Datasette itself opens the SQLite export with the metadata beside it: every table, view, query and search answers."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from datasette.app import Datasette
from export_sample import HOSTILE, OLD_ID, fill_everything

from curation.export.datasette_metadata import read_metadata
from curation.export.write import write_export
from db.store import open_store


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the export of everything, with its metadata beside it."""
    folder = tmp_path_factory.mktemp("datasette")
    fill_everything(folder / "record.db")
    with open_store(folder / "record.db") as store:
        assert write_export(store, "sqlite", folder / "catalogue.db", io.BytesIO()) == (
            folder / "catalogue.db",
            folder / "catalogue.metadata.json",
        )
    return folder / "catalogue.db"


@pytest.fixture
def metadata(file: Path) -> dict[str, Any]:
    """Give the metadata as it lies there."""
    content: dict[str, Any] = json.loads(file.with_name("catalogue.metadata.json").read_text(encoding="utf-8"))
    return content


@pytest.fixture
async def datasette(file: Path, metadata: dict[str, Any]) -> AsyncIterator[Datasette]:
    """Give a Datasette that serves the file, in this process."""
    opened = Datasette([str(file)], metadata=metadata)
    await opened.invoke_startup()
    yield opened
    for database in opened.databases.values():
        database.close()
    if opened.executor is not None:
        opened.executor.shutdown()


def _list_columns(file: Path) -> dict[str, list[str]]:
    """Return the columns of each table, the indexes for searching left out."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        names = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
            if "_fts" not in name
        ]
        return {
            name: [column for (column,) in connection.execute("SELECT name FROM pragma_table_info(?)", (name,))]
            for name in names
        }


def test_every_table_and_column_is_described_and_none_else(file: Path) -> None:
    tables = read_metadata()["database"]["tables"]
    for name, columns in _list_columns(file).items():
        assert tables[name]["description"]
        assert list(tables[name]["columns"]) == columns
        named = {tables[name].get(key) for key in ("sort", "sort_desc", "label_column")} - {None}
        assert named | set(tables[name].get("facets", ())) <= set(columns)
    assert set(tables) - set(_list_columns(file)) == {"standing", "balance", "evidence_by_phenomenon"}


async def test_every_table_and_view_answers_with_all_its_rows(datasette: Datasette, file: Path) -> None:
    listed = (await datasette.client.get("/catalogue.json")).json()
    views = [view["name"] for view in listed["views"]]
    names = [*_list_columns(file), *views]
    assert {"standing", "balance", "evidence_by_phenomenon"} == set(views)
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        counts = {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}
    for name in names:
        assert (await datasette.client.get(f"/catalogue/{name}")).status_code == 200
        answer = (await datasette.client.get(f"/catalogue/{name}.json?_size=max&_shape=array")).json()
        assert len(answer) == counts[name] > 0, name


async def test_every_query_answers(datasette: Datasette) -> None:
    listed = (await datasette.client.get("/catalogue.json")).json()["queries"]
    assert {query["name"] for query in listed} == {"contested_claims", "moved_lately", "shared_papers", "evidence_for"}
    rows = {}
    for query in listed:
        assert (await datasette.client.get(f"/catalogue/{query['name']}?code=W2.2")).status_code == 200
        rows[query["name"]] = (
            await datasette.client.get(f"/catalogue/{query['name']}.json?code=W2.2&_shape=array")
        ).json()
    assert [row["code"] for row in rows["contested_claims"]] == ["W2.2"]  # what contradicts W2.1 was withdrawn
    assert rows["moved_lately"][0]["moved_at"] == "2026-12-23T06:30:00Z"
    assert {"2611.00001", "2611.00009"} <= {row["arxiv_id"] for row in rows["shared_papers"]}
    assert all(row["claims"] > 1 for row in rows["shared_papers"])
    assert {row["stance"] for row in rows["evidence_for"]} == {"supports", "contradicts", "qualifies", "mentions"}


@pytest.mark.parametrize(
    ("table", "words", "found"),
    [
        ("evidence", "hyperlink", ["2611.00001", "2611.00001", "2611.00001"]),
        ("evidence", "old", [OLD_ID]),
        ("evidence", "(un* AND", []),
        ("phenomena", "generalising late", []),
        ("phenomena", "grokking", ["W2.2"]),
        ("phenomena", "W2.1", ["W2.1"]),
    ],
)
async def test_a_search_finds(datasette: Datasette, table: str, words: str, found: list[str]) -> None:
    answer = await datasette.client.get(
        f"/catalogue/{table}.json", params={"_search": words, "_shape": "array", "_size": "max"}
    )
    assert answer.status_code == 200
    key = "arxiv_id" if table == "evidence" else "code"
    assert [row[key] for row in answer.json()] == found
    page = await datasette.client.get(f"/catalogue/{table}", params={"_search": words})
    assert page.status_code == 200
    assert 'name="_search"' in page.text


async def test_the_pages_tell_what_the_metadata_says(datasette: Datasette) -> None:
    home = (await datasette.client.get("/")).text
    assert "BMPrinciples" in home
    assert "Last change 2026-12-23." in home
    page = (await datasette.client.get("/catalogue/evidence")).text
    assert "How it bears on the claim: supports, contradicts, qualifies, mentions." in page
    assert "<script>alert(1)" not in page
    assert HOSTILE[0] in page
