"""Settings that are mended or refused as they are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from db.errors import SettingsError
from db.settings import OFF, load_settings

ADDRESSES = ("arxiv_oai_url", "arxiv_api_url", "arxiv_rss_url")


def test_a_category_that_is_named_twice_counts_once(tmp_path: Path) -> None:
    assert load_settings({"BMP_CATEGORIES": "cs.LG stat.ML,cs.LG"}).categories == ("cs.LG", "stat.ML")
    config = tmp_path / "config.toml"
    config.write_text('categories = ["cs.LG", "stat.ML", "cs.LG"]\n', encoding="utf-8")
    assert load_settings({"BMP_CONFIG": str(config)}).categories == ("cs.LG", "stat.ML")


@pytest.mark.parametrize("name", ADDRESSES)
@pytest.mark.parametrize(
    "address",
    [
        "http://",
        "https:///oai",
        "http://:8080/oai",
        "http://?x",
        "http://user@",
        "http://[::1/oai",
        "http://example.org:99999/",
        "http://example .org/",
        "http://example.org/\x1b[2J",
        "ftp://example.org/",
        "example.org/oai",
        "on",
    ],
)
def test_an_address_without_scheme_or_host_is_refused_by_name(name: str, address: str) -> None:
    with pytest.raises(SettingsError, match=rf"'{name}' \(BMP_{name.upper()}\) must be an http or https address"):
        load_settings({f"BMP_{name.upper()}": address})


@pytest.mark.parametrize("name", ADDRESSES)
@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:8080/oai", "http://[::1]:8080", "https://mirror.example.org/a?b"]
)
def test_an_address_with_scheme_and_host_is_taken(name: str, address: str) -> None:
    assert getattr(load_settings({f"BMP_{name.upper()}": address}), name) == address


def test_only_the_feeds_can_be_off() -> None:
    assert load_settings({"BMP_ARXIV_RSS_URL": "OFF"}).arxiv_rss_url == OFF
    with pytest.raises(SettingsError, match="arxiv_oai_url"):
        load_settings({"BMP_ARXIV_OAI_URL": "off"})


@pytest.mark.parametrize("value", ["-1", "2.5", "two", "1001", "²"])
def test_a_number_of_audits_is_a_whole_number(value: str) -> None:
    with pytest.raises(SettingsError, match="'audit_per_night'"):
        load_settings({"BMP_AUDIT_PER_NIGHT": value})


@pytest.mark.parametrize("value", ["0", "1", "-0.5", "1.5", "nan", "inf", "four"])
def test_a_wanted_precision_is_a_share(value: str) -> None:
    with pytest.raises(
        SettingsError, match=r"must be a number above 0 and below 1, not .* \(mend or remove it there\)"
    ):
        load_settings({"BMP_QUEUE_PRECISION": value})


def test_two_ways_to_cut_the_queue_are_refused_before_anything_is_done() -> None:
    with pytest.raises(SettingsError, match="queue_threshold and queue_precision are both set"):
        load_settings({"BMP_QUEUE_PRECISION": "0.8", "BMP_QUEUE_THRESHOLD": "0.9"})


def test_the_environments_cut_stands_in_place_of_the_files(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("queue_precision = 0.8\n", encoding="utf-8")
    settings = load_settings({"BMP_CONFIG": str(config), "BMP_QUEUE_THRESHOLD": "0.9"})
    assert (settings.queue_threshold, settings.queue_precision) == (0.9, None)


def test_a_configuration_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="which BMP_CONFIG names"):
        load_settings({"BMP_CONFIG": str(tmp_path / "nope.toml")})


def test_audits_can_be_turned_off() -> None:
    assert load_settings({"BMP_AUDIT_PER_NIGHT": "0"}).audit_per_night == 0
