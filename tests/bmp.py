"""Calls the command line as a user does, in this process: words in, exit code and both streams out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from curation.cli import main


@dataclass(frozen=True, slots=True)
class Result:
    """How a call ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return stdout read as JSON."""
        return json.loads(self.out)


Bmp = Callable[..., Result]


def make_bmp(capsys: pytest.CaptureFixture[str]) -> Bmp:
    """Return a function that runs `bmp` with the given words."""

    def run(*words: object) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        out, err = capsys.readouterr()
        return Result(int(ended.value.code or 0), out, err)

    return run
