"""The page on running it unattended: what its examples name is there, and systemd takes the units as they stand."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import click
import pytest

from curation.cli.root import cli
from db.settings import Settings, load_settings

PAGE = Path(__file__).parents[2] / "docs" / "unattended.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
UNITS = ("bmp-nightly.service", "bmp-nightly.timer", "bmp-failed.service")
CALL = re.compile(r"(?:^|[\s\"/`])bmp (?:--db \S+ )?([a-z]+[ \w./:-]*)", re.MULTILINE)


def blocks(language: str) -> list[str]:
    return [body for name, body in BLOCKS if name == language]


def calls() -> set[str]:
    """Return the words of every call of bmp, in examples and in the text between them."""
    exec_form = [" ".join(shlex.split(one.replace(",", " "))) for one in re.findall(r'\["bmp"(.*?)\]', TEXT)]
    shell = [line for name, body in BLOCKS if name in ("sh", "ini", "cron") for line in body.splitlines()]
    said = re.findall(r"`(bmp [^`]+)`", re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL))
    found = {match.strip().removeprefix("bmp ") for line in (*shell, *said) for match in CALL.findall(line)}
    (command,) = re.findall(r"^CMD \[(.*)\]$", TEXT, re.MULTILINE)
    return found | {one for one in exec_form if one} | {" ".join(shlex.split(command))}


def assert_is_a_command(words: list[str]) -> None:
    command: click.Command = cli
    for word in words:
        if word.startswith("--"):
            options = {name for parameter in command.params for name in parameter.opts}
            assert word.partition("=")[0] in options, f"{word} in bmp {' '.join(words)}"
        elif isinstance(command, click.Group):
            child = command.get_command(click.Context(command), word)
            assert child is not None, f"bmp {' '.join(words)}"
            command = child


def test_every_call_in_it_is_a_command_with_its_options() -> None:
    found = calls()
    assert {"nightly --wait", "digest --send", "status --check", "schedule", "init", "review"} <= found, found
    for call in found:
        assert_is_a_command(call.split())


def test_every_variable_in_it_is_a_setting() -> None:
    known = {f"BMP_{field.name.upper()}" for field in fields(Settings)}
    named = set(re.findall(r"\bBMP_[A-Z_]+\b", TEXT))
    assert {"BMP_DB", "BMP_SMTP_PASSWORD", "BMP_WEBHOOK_URL"} <= named <= known


def test_its_settings_are_read_as_they_stand(tmp_path: Path) -> None:
    (content,) = blocks("toml")
    config = tmp_path / "config.toml"
    config.write_text(content, encoding="utf-8")
    settings = load_settings({"BMP_CONFIG": str(config)})
    assert (settings.smtp_host, settings.mail_to) == ("mail.example.org", ("ada@example.org", "grace@example.org"))


def test_its_table_has_every_setting_that_people_are_told_by_and_their_defaults() -> None:
    told = [field for field in fields(Settings) if field.name.startswith(("smtp_", "mail_", "webhook_"))]
    assert len(told) == 8
    for field in told:
        row = next(line for line in TEXT.splitlines() if line.startswith(f"| `{field.name}` "))
        default = row.split("|")[3].strip().strip("`")
        assert default == str(field.default) or (not field.default and default in ("none", "the first of `mail_to"))


def test_secrets_stand_in_no_unit_and_in_no_image() -> None:
    for body in (*blocks("ini"), *blocks("dockerfile"), *blocks("toml")):
        assert "PASSWORD" not in body.upper() and "WEBHOOK" not in body.upper()


def test_the_timer_is_in_utc_makes_up_for_lost_nights_and_does_not_come_with_all_others() -> None:
    timer = configparser.ConfigParser()
    timer.read_string(blocks("ini")[1])
    assert timer["Timer"]["OnCalendar"].endswith("UTC")
    assert timer["Timer"]["Persistent"] == "true" and timer["Timer"]["RandomizedDelaySec"]
    assert "SuccessExitStatus=130\n" in blocks("ini")[0]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_takes_the_units_as_they_stand(tmp_path: Path) -> None:
    for name, body in zip(UNITS, blocks("ini"), strict=True):
        body = body.replace("/opt/bmp/bin/bmp", sys.executable)  # it looks whether the program is there
        (tmp_path / name).write_text(body, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / name) for name in UNITS)], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
