"""Progress in a log says how much time is left."""

from __future__ import annotations

import io

import pytest

from curation.cli.progress import ProgressDisplay, show_duration


def test_the_time_left_goes_by_the_pace_since_the_stage_began() -> None:
    now, said = [0.0], io.StringIO()
    with ProgressDisplay(said, lambda: now[0]) as display:
        for at, done in ((0.0, 400), (5.0, 450), (20.0, 500), (60.0, 1000)):
            now[0] = at
            display("read", done * 1_000_000, 1_000_000_000)
    assert said.getvalue().splitlines() == [
        "read: 400.0 MB of 1000.0 MB",
        "read: 500.0 MB of 1000.0 MB, about 2 min left",
        "read: 1000.0 MB of 1000.0 MB",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (59, "59 s"), (61, "1 min"), (3_599, "1 h 0 min"), (11_100, "3 h 5 min"), (190_000, "2 d 4 h")],
)
def test_a_time_is_told_in_the_units_that_matter(seconds: float, words: str) -> None:
    assert show_duration(seconds) == words
