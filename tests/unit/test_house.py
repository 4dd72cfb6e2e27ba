"""The house's own rules: what must not be imported, what must be documented, what must agree."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from tui.sample_queue import fill_with_sample, review_of

from curation.cli.root import COMMANDS, cli
from db.store import open_store

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "sentence_transformers", "transformers", "openvino", "sklearn", "scipy", "apscheduler", "arxiv",
         "ir_measures", "ray")  # fmt: skip
MODEL = {"torch", "sentence_transformers", "transformers", "openvino", "sklearn", "scipy"}
NUMBERS = {"numpy", "pandas"}  # sqlite_utils would load both (db/library.py)


def _modules_after(*words: str, db: Path) -> set[str]:
    """Return the modules loaded by a call of `bmp` in a process of its own."""
    code = (
        "import sys\nfrom curation.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--db", str(db), *words], capture_output=True, text=True, cwd=ROOT, check=True
    )
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("init",),
        ("queue", "list"),
        ("export", "markdown"),
        ("export", "site", "-o", "SITE"),
        ("phenomena", "list"),
        ("status",),
    ],
    ids=" ".join,
)
def test_commands_that_do_not_embed_load_no_model_and_no_scheduler(words: tuple[str, ...], tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    if words != ("--help",):
        _modules_after("init", db=db)
    loaded = _modules_after(*(str(tmp_path / "site") if word == "SITE" else word for word in words), db=db)
    assert not loaded & set(HEAVY)
    assert ("matplotlib" in loaded) == ("site" in words)


def _words_of_all_commands(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(command, click.Group):
        return [path]
    context = click.Context(command)
    children = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
    return [path] + [
        words for name, child in children if child for words in _words_of_all_commands(child, (*path, name))
    ]


# Each prints what it loaded of the model; one process serves many calls, for nothing is ever unloaded.
_MANY = """
import contextlib, json, os, sys
from curation.cli import main
none = open(os.devnull, "w")
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(none), contextlib.redirect_stderr(none):
        try:
            main(words)
        except SystemExit as ended:
            code = ended.code
    print(json.dumps([words, code, sorted(set(sys.modules) & set(json.loads(sys.argv[2])))]))
"""


def _call_many(calls: list[tuple[str, ...]]) -> list[tuple[list[str], int, list[str]]]:
    """Return for each call its words, its exit code, and what of the model or for numbers is loaded by then."""
    done = subprocess.run(
        [sys.executable, "-c", _MANY, json.dumps(calls), json.dumps(sorted(MODEL | NUMBERS))],
        capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def test_the_help_of_no_command_loads_the_model() -> None:
    answers = _call_many([(*words, "--help") for words in _words_of_all_commands(cli)])
    assert len(answers) > 40
    assert [(words, code, loaded) for words, code, loaded in answers if code or loaded] == []


def test_no_command_that_does_not_embed_loads_the_model(tmp_path: Path) -> None:
    db, reviewed, csv = tmp_path / "a.db", tmp_path / "reviewed.db", tmp_path / "decisions.csv"
    with open_store(reviewed, create=True) as store:
        fill_with_sample(store)
        first = review_of(store).waiting()[0]
        accepted = str(first["id"])
    formats = ("markdown", "json", "csv", "bibtex", "ris", "atom", "sqlite", "site")
    calls = [
        ("status",), ("status", "--json"), ("runs", "list"), ("runs", "show", "1"), ("config", "path"),
        ("queue", "list"), ("queue", "list", "--json"), ("queue", "show", accepted),
        ("queue", "show", accepted, "--bibtex"),
        ("queue", "decide", accepted, "accept"), ("queue", "undo"), ("queue", "redo"), ("queue", "conflicts"),
        ("queue", "export", str(csv)), ("queue", "import", str(csv)),
        ("phenomena", "list"), ("phenomena", "show", first["phenomenon"]), ("phenomena", "dump"),
        ("digest",), ("db", "path"), ("db", "check"), ("db", "backup"),
        *(("export", one, "-o", str(tmp_path / one)) for one in formats),
        ("config", "show"),  # it tells of the engine, which works on arrays
        ("queue", "stats"),  # its bounds need scipy, as ranking does
    ]  # fmt: skip
    answers = _call_many([("--db", str(db), "init"), *(("--db", str(reviewed), *words) for words in calls)])
    assert [(words[2:], code) for words, code, _ in answers if code] == []
    site = next(place for place, (words, _, _) in enumerate(answers) if "site" in words)
    assert [(words[2:], loaded) for words, _, loaded in answers[:site] if loaded] == []
    assert set(answers[site][2]) <= {"numpy"}  # its plots are made of numbers
    assert set(answers[-1][2]) <= {"numpy", "scipy"}


def test_bringing_in_a_list_of_stored_papers_loads_none_of_these_either(tmp_path: Path) -> None:
    db, file = tmp_path / "a.db", tmp_path / "list.bib"
    file.write_text("@misc{a, eprint={2611.00001}, title={A {TeX} title}}", encoding="utf-8")
    _modules_after("init", db=db)
    loaded = _modules_after("import-evidence", "W2.2", str(file), "--no-fetch", db=db)
    assert "bibtexparser" in loaded
    assert not loaded & {*HEAVY, "httpx", "markdown_it", "rispy"}


def test_the_app_loads_no_model() -> None:
    code = "import sys, curation.tui.app; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    loaded = set(done.stdout.split())
    assert "textual" in loaded
    assert not loaded & set(HEAVY)


def test_help_loads_neither_the_app_nor_numpy(tmp_path: Path) -> None:
    assert not _modules_after("--help", db=tmp_path / "a.db") & {"textual", "numpy", "httpx", "lxml", "sqlite_utils"}


def _walk(command: click.Command, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], click.Command]]:
    found = [(path, command)]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            found += _walk(child, (*path, name))
    return found


def test_every_command_and_option_has_help() -> None:
    for path, command in _walk(cli, ()):
        assert command.help, f"bmp {' '.join(path)} has no help"


def test_every_command_stands_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").replace("\\|", "|")
    commands = re.search(r"## Commands\n(.*?)\n## ", readme, re.DOTALL)
    assert commands
    for path, command in _walk(cli, ()):
        if len(path) == 1:
            assert f"`bmp {path[0]}" in commands[1], f"bmp {path[0]} is not in the README"
        elif len(path) == 2:
            row = next(line for line in commands[1].splitlines() if f"`bmp {path[0]} " in line)
            assert path[1] in row, f"bmp {' '.join(path)} is not in the README"
        assert command.name


def test_the_short_help_of_the_root_agrees_with_the_commands() -> None:
    for name, (_, line) in COMMANDS.items():
        assert line.endswith("."), name


def test_every_setting_stands_in_the_readme() -> None:
    from dataclasses import fields

    from db.settings import Settings

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for field in fields(Settings):
        assert f"BMP_{field.name.upper()}" in readme, f"the setting {field.name} is not in the README"


def test_every_key_of_the_review_stands_in_the_readme() -> None:
    from curation.tui.keys import REVIEW_KEYS

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    keys = readme[readme.index("<!-- keys -->") : readme.index("<!-- /keys -->")]
    for binding in REVIEW_KEYS:
        assert f"| {binding.tooltip} |" in keys, f"the key {binding.key} is not in the README"


def test_the_changelog_has_the_version_of_the_package() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    released = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert released[0] == version


def test_every_dependency_has_its_reason_in_the_manual() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    manual = (ROOT / "docs" / "manual.md").read_text(encoding="utf-8")
    extras = [one for name in ("offline", "ray") for one in project["optional-dependencies"][name]]
    for requirement in [*project["dependencies"], *extras]:
        name = re.split(r"[<>=\[]", requirement)[0]
        assert f"\n| {name}" in manual, f"{name} has no reason in the manual"


def test_the_constraints_name_every_direct_dependency_exactly() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").split("\n") if "==" in line
    )
    names = {name.lower().replace("_", "-") for name in pinned}
    extras = [requirement for extra in project["optional-dependencies"].values() for requirement in extra]
    for requirement in [*project["dependencies"], *extras]:
        name = re.split(r"[<>=\[]", requirement)[0].lower().replace("_", "-")
        assert name in names, f"{name} is not in constraints.txt"
    assert pinned["torch"] == "2.13.0"
