"""Plays every fault of the stand-in through the command line, and prints what came of it as a table in Markdown.

PYTHONPATH=tests python tests/bench/fault_table.py > faults.md
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from bmp import Result
from fault_nights import CELLS, Cell, Outcome, play, render_table
from tiny_model import make_tiny_model

from curation.cli import main


def run_bmp(*words: object) -> Result:
    """Run `bmp` in this process."""
    code = 0
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        try:
            main([str(word) for word in words])
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Result(code, out.getvalue(), err.getvalue())


def play_all(folder: Path) -> Iterator[tuple[Cell, Outcome]]:
    """Play the cells one by one, each on a database of its own."""
    import torch

    torch.set_num_threads(1)
    model = make_tiny_model(folder / "tiny")
    for number, cell in enumerate(CELLS):
        os.environ["BMP_DB"] = str(folder / f"{number}.db")
        yield cell, play(cell, run_bmp, model)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        os.environ |= {"XDG_DATA_HOME": made, "XDG_CONFIG_HOME": made}
        for line in render_table(play_all(Path(made))):
            print(line, flush=True)
