"""A folder takes the place of the one before at once, and nothing of anybody else's is replaced."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curation.export.folder import MARKER, write_folder
from db.errors import ExportError

FILES = {"index.html": b"<p>", "a/b/c.html": b"c", "empty": b""}
ROOT = Path(__file__).resolve().parents[2]


def _read(folder: Path) -> dict[str, bytes]:
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name != MARKER}


def test_what_was_written_before_and_is_not_any_more_vanishes(tmp_path: Path) -> None:
    target = tmp_path / "site"
    write_folder(target, FILES)
    assert _read(target) == FILES
    write_folder(target, {"index.html": b"new"})
    assert _read(target) == {"index.html": b"new"}
    assert sorted(path.name for path in target.iterdir()) == [MARKER, "index.html"]
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_where_folders_cannot_change_places_the_old_one_goes_first(tmp_path: Path) -> None:
    write_folder(tmp_path / "site", FILES)
    write_folder(tmp_path / "site", {"index.html": b"new"}, exchange=lambda one, other: False)
    assert _read(tmp_path / "site") == {"index.html": b"new"}
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    write_folder(tmp_path / "site", FILES)
    assert _read(tmp_path / "site") == FILES


def test_a_folder_with_anything_else_in_it_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").write_bytes(b"years of work")
    with pytest.raises(ExportError, match=r"holds thesis\.tex"):
        write_folder(foreign, FILES)
    site = tmp_path / "site"
    write_folder(site, FILES)
    for path in ("CNAME", "a/b/mine", ".git"):
        (site / path).mkdir()
        with pytest.raises(ExportError, match=f"holds {path}"):
            write_folder(site, {})
        (site / path).rmdir()
    (site / "index.html").unlink()
    (site / "index.html").symlink_to(foreign / "thesis.tex")
    with pytest.raises(ExportError, match=r"holds index\.html"):
        write_folder(site, FILES)
    assert (foreign / "thesis.tex").read_bytes() == b"years of work"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["foreign", "site"]


def test_what_a_desktop_leaves_is_no_hindrance(tmp_path: Path) -> None:
    write_folder(tmp_path / "site", FILES)
    (tmp_path / "site" / "a" / ".DS_Store").write_bytes(b"x")
    write_folder(tmp_path / "site", FILES)
    assert _read(tmp_path / "site") == FILES


def test_links_files_and_places_without_a_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").write_bytes(b"x")
    for name, reason in (
        ("link", "is a link"), ("dangling", "is a link"), ("file", "is not a folder"), ("no/where", "no folder"),
    ):  # fmt: skip
        with pytest.raises(ExportError, match=reason):
            write_folder(tmp_path / name, FILES)
    assert not list((tmp_path / "real").iterdir())


def test_what_a_kill_left_is_removed_and_what_another_writes_is_not(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    left, written = (tmp_path / f".site.{token}.bmp-part" for token in ("0a", "0b"))
    for folder in (left, written, tmp_path / ".site.mine"):
        (folder / "a").mkdir(parents=True)
    descriptor = os.open(written, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    write_folder(tmp_path / "site", FILES)
    os.close(descriptor)
    assert _read(tmp_path / "site") == FILES
    assert sorted(path.name for path in tmp_path.iterdir()) == [".site.0b.bmp-part", ".site.mine", "site"]


def test_two_that_write_at_once_do_not_mix(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "site"), "12"]
    writers = [subprocess.Popen([*command, name], cwd=ROOT, stdout=subprocess.DEVNULL) for name in ("1", "2")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    found = _read(tmp_path / "site")
    assert len(found) == 20 and len(set(found.values())) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


WRITER = """
import sys
from pathlib import Path
from curation.export.folder import write_folder
place, turns, name = sys.argv[1:]
for turn in range(int(turns)):
    content = f"{name}{turn:06}".encode()
    write_folder(Path(place), {f"{number}/page.html": content for number in range(20)})
    print(turn, flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="it cannot let two folders change places")
def test_a_reader_always_finds_a_folder_and_a_kill_leaves_a_whole_one(tmp_path: Path) -> None:
    target = tmp_path / "site"
    for pause in (0.05, 0.11, 0.17, 0.23):
        command = [sys.executable, "-c", WRITER, str(target), "99999", "0"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            until = time.monotonic() + pause
            while time.monotonic() < until:
                assert (target / "7" / "page.html").read_bytes().isdigit()
            writer.send_signal(signal.SIGKILL)
        turns = set(_read(target).values())
        assert len(_read(target)) == 20 and len(turns) == 1
    write_folder(target, FILES)
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
