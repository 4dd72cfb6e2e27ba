"""A command line in a process of its own that can be killed, or be shown a sick disk by strace.

Processes are forked from one that has everything imported, for a start takes longer than a night. It is started with
`python tests/crash_process.py` and told by lines of JSON on stdin what to run.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from fakes import HashEmbedder

from curation.cli import main

PAUSE = "CRASH_PAUSE_AT_ENCODE"  # the number of the call of the model at which the process waits to be killed
PAUSED = "the model waits"
KILLED = -signal.SIGKILL
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.002
ROOT = Path(__file__).parents[1]
CALLS = ("pwrite64", "fdatasync", "fsync", "ftruncate", "unlink")
_CALL = re.compile(r"^(?:\d+ +)?(\w+)\(", re.MULTILINE)
_HEAVY = (
    *("curation.cli.night", "curation.cli.telling", "curation.cli.wiring", "curation.cli.queue"),
    *("crawler.nightly", "crawler.sources.query", "crawler.sources.rss", "crawler.sources.identifiers"),
)


# A model that knows nothing


class HashModel:
    """What the program uses of `SentenceTransformer`, around a fake."""

    max_seq_length = 64

    def __init__(self, *_: Any, **__: Any) -> None:
        self._fake = HashEmbedder(before_encode=_pause)

    def get_embedding_dimension(self) -> int:
        """Return the length of the vectors."""
        return self._fake.identity.dimensions

    def encode(self, texts: Sequence[str], **_: Any) -> Any:
        """Return unit vectors made of the texts' hashes."""
        return self._fake.encode(texts)


def _pause(call: int) -> None:
    if os.environ.get(PAUSE) == str(call):
        print(PAUSED, file=sys.stderr, flush=True)
        time.sleep(PATIENCE_SECONDS)


@contextmanager
def without_libraries() -> Iterator[None]:
    """Let the fake stand in `sys.modules` in place of sentence-transformers."""
    names = ("sentence_transformers", "transformers", "transformers.utils")
    kept = {name: sys.modules.pop(name, None) for name in names}
    sys.modules.update({name: ModuleType(name) for name in names})
    vars(sys.modules[names[0]])["SentenceTransformer"] = HashModel
    vars(sys.modules[names[2]])["logging"] = SimpleNamespace(disable_progress_bar=lambda: None)
    try:
        yield
    finally:
        for name, module in kept.items():
            del sys.modules[name]
            if module is not None:
                sys.modules[name] = module


# The side of the tests


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: its exit code, or the signal that killed it with a minus, and what it said on stderr."""

    code: int
    err: str


class Running:
    """A process at work; its number stays its own until it is waited for."""

    def __init__(self, pid: int, said: Path, wait: Callable[[], int]) -> None:
        self.pid = pid
        self._said = said
        self._wait = wait

    @property
    def err(self) -> str:
        """What it said on stderr by now."""
        return self._said.read_text(encoding="utf-8")

    def await_word(self, word: str) -> None:
        """Wait until it says a word on stderr."""
        until = time.monotonic() + PATIENCE_SECONDS
        while word not in self.err:
            assert time.monotonic() < until, f"it never said '{word}'"
            time.sleep(LOOK_SECONDS)

    def kill(self) -> None:
        """Kill it at once, if it has not ended."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> Ended:
        """Wait for its end."""
        return Ended(self._wait(), self.err)


class Mother:
    """The process that others are forked from, one after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self, said: Path, environment: dict[str, str], words: Sequence[str], *, traced: bool) -> Running:
        """Start `bmp` with these words; a traced one waits for its tracer.

        Args:
            said: the file that gets its stderr.
        """
        said.write_text("")
        order = {"said": str(said), "environment": environment, "words": list(words), "traced": traced}
        return Running(self._ask(json.dumps(order)), said, lambda: self._ask("wait"))

    def _ask(self, line: str) -> int:
        assert self._process.stdin is not None and self._process.stdout is not None
        print(line, file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())


@contextmanager
def mother() -> Iterator[Mother]:
    """Give a process to fork from."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    process = subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"},
    )
    with process:
        yield Mother(process)


@dataclass(frozen=True, slots=True)
class Strace:
    """strace on the calls that change a database's files; `inject` are its faults, as `pwrite64:error=EIO:when=3`."""

    path: Path
    log: Path
    inject: tuple[str, ...] = ()

    @contextmanager
    def attached_to(self, pid: int) -> Iterator[None]:
        """Trace a process, and wait until strace is done with it."""
        with subprocess.Popen([*self.words(), "-p", str(pid)], stderr=subprocess.DEVNULL):
            yield

    def words(self) -> list[str]:
        """Return the command line, up to what is traced."""
        files = [word for suffix in ("", "-journal", "-wal") for word in ("-P", f"{self.path}{suffix}")]
        faults = [word for one in self.inject for word in ("-e", f"inject={one}")]
        return ["strace", "-f", "-qq", "-o", str(self.log), *files, "-e", f"trace={','.join(CALLS)}", *faults]

    def count_calls(self) -> dict[str, int]:
        """Return how often each call was made."""
        seen = _CALL.findall(self.log.read_text())
        return {call: count for call in CALLS if (count := seen.count(call))}


def strace_works(folder: Path) -> bool:
    """Tell whether strace is here, may trace, and can make a write fail."""
    if shutil.which("strace") is None:
        return False
    probe = Strace(folder / "probe", folder / "probe.log", ("pwrite64:error=ENOSPC:when=1",))
    code = f"import os; os.pwrite(os.open({str(probe.path)!r}, os.O_CREAT | os.O_RDWR), b'x', 0)"
    ended = subprocess.run([*probe.words(), sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return "No space left" in ended.stderr


# The side of the mother


def _serve() -> None:
    for name in _HEAVY:
        importlib.import_module(name)
    for line in sys.stdin:
        order = json.loads(line)
        if (pid := os.fork()) == 0:
            _become(order)
        print(pid, flush=True)
        sys.stdin.readline()  # until then a process that has ended keeps its number
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(order: dict[str, Any]) -> None:
    """Be the process that was ordered."""
    for descriptor, name in ((0, os.devnull), (1, os.devnull), (2, order["said"])):
        os.dup2(os.open(name, os.O_RDWR), descriptor)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BMP_")}
    os.environ.clear()
    os.environ.update(kept | order["environment"])
    until = time.monotonic() + PATIENCE_SECONDS
    while order["traced"] and "TracerPid:\t0\n" in Path("/proc/self/status").read_text():
        assert time.monotonic() < until, "no tracer has come"
        time.sleep(LOOK_SECONDS)
    with without_libraries():
        main(order["words"])


if __name__ == "__main__":
    _serve()
