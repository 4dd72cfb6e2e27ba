"""What the measurements of speed share: a command run as a process, rounds side by side, a row of a table."""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BMP = (sys.executable, "-m", "curation")


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure beside its yardstick; both are texts with their units.

    Attributes:
        ratio: measured over yardstick, where both are of one kind.
        goal: what was set out to be reached.
    """

    name: str
    measured: str
    yardstick: str = ""
    ratio: float | None = None
    goal: str = ""


@dataclass(frozen=True)
class Options:
    """How large the measurements are, and where real papers lie.

    Attributes:
        quick: everything smaller and fewer rounds.
        data: the folder of real papers; where it is absent, the bundled sample stands in.
        rounds: how often each measurement is taken.
    """

    quick: bool = False
    data: Path = ROOT.parent / "shared" / "data"
    rounds: int = 5


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: exit code, seconds by the clock and of the processor, the most memory, what it wrote."""

    code: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    out: str
    err: str


def run_process(words: Sequence[str], environment: Mapping[str, str] | None = None) -> Ended:
    """Run a command to its end. Memory is that of the process itself, without children of its own.

    Raises:
        RuntimeError: it ended with another code than 0.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began = time.perf_counter()
        process = subprocess.Popen(words, stdout=out, stderr=err, cwd=ROOT, env={**os.environ, **(environment or {})})
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read())
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {process.returncode}: {texts[1][-500:]}")
    return Ended(process.returncode, seconds, usage.ru_utime + usage.ru_stime, to_mb(usage), texts[0], texts[1])


def to_mb(usage: resource.struct_rusage) -> float:
    """Return the peak memory of a process in MB; macOS counts in bytes where Linux counts in KiB."""
    return usage.ru_maxrss / (1 if sys.platform == "darwin" else 1 / 1024) / 2**20


def interleave(rounds: int, *measurements: Callable[[], float]) -> list[list[float]]:
    """Take each measurement in turn, round after round, so that all are disturbed alike."""
    taken: list[list[float]] = [[] for _ in measurements]
    for _ in range(rounds):
        for values, measure in zip(taken, measurements, strict=True):
            values.append(measure())
    return taken


def median_ratio(measured: Sequence[float], yardstick: Sequence[float]) -> float:
    """Return the median of the rounds' ratios."""
    return statistics.median(one / other for one, other in zip(measured, yardstick, strict=True))


def render(title: str, rows: Sequence[Row]) -> str:
    """Return rows as a table in Markdown."""
    lines = [f"## {title}", "", "| what | measured | beside | ratio | goal |", "|---|---|---|---|---|"]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
        lines.append(f"| {row.name} | {row.measured} | {row.yardstick} | {ratio} | {row.goal} |")
    return "\n".join([*lines, ""])


def print_rows(title: str, rows: Sequence[Row]) -> None:
    """Write a table on stdout."""
    print(render(title, rows), flush=True)


def parser_of(text: str | None) -> argparse.ArgumentParser:
    """Return a parser of the options that all measurements share."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="everything smaller, fewer rounds")
    parser.add_argument("--data", type=Path, default=Options.data, help="the folder of real papers")
    parser.add_argument("--rounds", type=int, help="how often each measurement is taken")
    return parser


def options_from(parsed: argparse.Namespace) -> Options:
    """Return the options that were given."""
    return Options(parsed.quick, parsed.data, parsed.rounds or (3 if parsed.quick else 5))
