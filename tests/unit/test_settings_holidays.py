"""The setting for days on which arXiv announces nothing beside its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from db.errors import SettingsError
from db.settings import load_settings


def from_file(tmp_path: Path, line: str) -> tuple[str, ...]:
    """Return the setting as a file with that line gives it."""
    config = tmp_path / "config.toml"
    config.write_text(line + "\n", encoding="utf-8")
    return load_settings({"BMP_CONFIG": str(config)}).arxiv_holidays


def test_there_are_none_by_default() -> None:
    assert load_settings({}).arxiv_holidays == ()


@pytest.mark.parametrize(
    "text", ["2026-12-30 2026-12-24", "2026-12-30,2026-12-24", " 2026-12-24, 2026-12-30,2026-12-24"]
)
def test_a_variable_holds_dates_between_blanks_or_commas(text: str) -> None:
    assert load_settings({"BMP_ARXIV_HOLIDAYS": text}).arxiv_holidays == ("2026-12-24", "2026-12-30")


def test_a_file_holds_dates_as_text_or_as_tomls_own(tmp_path: Path) -> None:
    assert from_file(tmp_path, 'arxiv_holidays = ["2026-12-30", 2026-12-24]') == ("2026-12-24", "2026-12-30")
    assert from_file(tmp_path, "arxiv_holidays = []") == ()


@pytest.mark.parametrize("text", ["soon", "2026-02-30", "24.12.2026", "2026-12-24;2026-12-30", "2026-12-24T20:00"])
def test_what_is_no_date_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(SettingsError, match=r"'arxiv_holidays' \(BMP_ARXIV_HOLIDAYS\) must be a list of dates such as"):
        load_settings({"BMP_ARXIV_HOLIDAYS": text})


@pytest.mark.parametrize("value", ["5", "true", "2026-12-24", "[5]", "[2026-12-24T20:00:00]", '{"2026-12-24" = 1}'])
def test_what_is_no_list_of_dates_is_refused_in_a_file(tmp_path: Path, value: str) -> None:
    with pytest.raises(SettingsError, match="must be a list of dates such as 2026-12-24"):
        from_file(tmp_path, f"arxiv_holidays = {value}")
