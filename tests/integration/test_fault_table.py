"""Every fault of the stand-in through the real command line: no night lies, none hurries, and none loses a paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bmp import Bmp
from fault_nights import CELLS, EXIT_CODES, Cell, Outcome, find_hurry, play
from loopback.faults import Forbidden

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def kept_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the variables that a cell sets taken back after it."""
    for name in ("OAI_URL", "API_URL", "RSS_URL", "DELAY_SECONDS", "MAX_WAIT_SECONDS", "READ_TIMEOUT_SECONDS"):
        monkeypatch.setenv(f"BMP_ARXIV_{name}", "")
    monkeypatch.setenv("BMP_CONTACT", "")
    monkeypatch.setenv("BMP_MODEL", "")
    monkeypatch.setenv("BMP_QUEUE_THRESHOLD", "")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Keep torch from sharing out work that is too little to share: on a busy machine that costs seconds a night."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_a_night_with_a_fault_tells_it_and_the_next_one_has_every_paper(cell: Cell, bmp: Bmp, tiny_model: Path) -> None:
    outcome = play(cell, bmp, tiny_model)
    assert outcome.state in cell.states, outcome.night.err
    assert outcome.night.code == EXIT_CODES[outcome.state]
    assert bool(outcome.night.json["error"]) == (outcome.state in ("partial", "failed"))
    assert "Traceback" not in outcome.night.err + outcome.next_night.err
    _require_politeness(cell, outcome)
    if outcome.state == "complete" and not cell.hides:
        assert not outcome.missing
    assert (outcome.next_night.code, outcome.next_night.json["status"]) == (0, "complete"), outcome.next_night.err
    assert not outcome.lost


def _require_politeness(cell: Cell, outcome: Outcome) -> None:
    assert outcome.max_concurrent <= 1
    assert not find_hurry(outcome.log)
    refused = [entry.number for entry in outcome.log if entry.status == 403]
    assert bool(refused) == isinstance(cell.fault, Forbidden)
    assert not refused or refused == [len(outcome.log)], "a refusal was followed by a request"
