"""Runs all measurements of speed side by side against their yardsticks, and writes one table.

    make bench [BENCH_ARGS="--quick"]
    python tests/bench/run_all.py [--quick] [--only interactive] [--output build/bench.md]

Each part is a module of this folder with `measure(options) -> list[Row]`; what is not there is told as absent. What a
part needs and this machine has not (an extra, real papers) is told in its place, and the others go on.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from common import ROOT, Options, Row, options_from, parser_of, render

PARTS = {
    "speed": "The night",
    "engines": "The model's engines",
    "scale": "Matching and the queue at scale",
    "backfill": "Backfill",
    "interactive": "Interactive",
}


def measure_part(name: str, options: Options) -> list[Row]:
    """Return the rows of a part, or one that says why there are none."""
    try:
        part = importlib.import_module(name)
    except ModuleNotFoundError as error:
        return [Row(name, f"absent: there is no module {error.name}")]
    try:
        rows: list[Row] = part.measure(options)
    except Exception as error:  # one part that fails is no reason to lose the others
        return [Row(name, f"failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}")]
    return rows


def describe_machine() -> str:
    """Return in a line what it was measured on."""
    processor = next(
        (
            line.partition(":")[2].strip()
            for line in _read(Path("/proc/cpuinfo")).splitlines()
            if line.startswith("model name")
        ),
        platform.processor() or platform.machine(),
    )
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
    return f"{processor}, {os.cpu_count()} processors, Python {platform.python_version()}; load at the end {load}"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def main() -> None:
    """Run the parts, and write the table on stdout and into the file."""
    parser = parser_of(__doc__)
    parser.add_argument("--only", action="append", choices=list(PARTS), help="this part; may be repeated")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "bench.md")
    parsed = parser.parse_args()
    options, tables = options_from(parsed), []
    for name, title in PARTS.items():
        if parsed.only and name not in parsed.only:
            continue
        print(f"Measuring: {title} ...", file=sys.stderr, flush=True)
        began = time.perf_counter()
        # A process of its own: what a part leaves in memory would count as the peak of the next one's children.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            tables.append(render(title, pool.submit(measure_part, name, options).result()))
        print(f"  {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    text = "\n".join(["# How fast", "", describe_machine(), "", *tables])
    parsed.output.parent.mkdir(parents=True, exist_ok=True)
    parsed.output.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
