"""The version of the catalogue, as read from entries and as read from the database."""

from __future__ import annotations

from pathlib import Path

from tui.sample_queue import fill_with_sample

from db.phenomena import catalogue_version, find_catalogue_version, list_phenomena
from db.store import open_store


def test_the_version_read_from_the_database_is_that_of_its_entries_and_changes_with_a_claim(tmp_path: Path) -> None:
    with open_store(tmp_path / "a.db", create=True) as store:
        fill_with_sample(store)
        before = find_catalogue_version(store)
        assert before == catalogue_version(list_phenomena(store))
        store.connection.execute("UPDATE phenomena SET statement = 'Été “changed”.' WHERE position = 0")
        assert find_catalogue_version(store) == catalogue_version(list_phenomena(store)) != before
