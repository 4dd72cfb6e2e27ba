"""The plots, drawn by matplotlib as SVG: this is its only door.

What has a meaning is drawn in a colour that nobody sees, one of `INKS`; the page puts its own in its place, for light
and dark.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from curation.figures import Year
from db.records import Stance

WIDTH, HEIGHT = 340, 190  # pixels, so that a phone shows a plot as it is
_INK, _FAINT = "#010101", "#010102"
_EDGES = {stance: f"#0102{number:02x}" for number, stance in enumerate(Stance)}
_FACES = {stance: f"#0103{number:02x}" for number, stance in enumerate(Stance)}
INKS = (
    {_INK: "ink", _FAINT: "faint"}
    | {ink: stance.value for stance, ink in _EDGES.items()}
    | {ink: f"face-{stance.value}" for stance, ink in _FACES.items()}
)
_STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that room is measured alike everywhere
    "font.size": 11,
    "svg.fonttype": "none",
    "svg.hashsalt": "bmp",
    "text.color": _INK,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
}
_PLAIN: Any = {"Date": None, "Creator": None, "Format": None, "Type": None}
_MANY_YEARS = 10


def draw_years(years: Sequence[Year]) -> bytes:
    """Return years as stacked columns, what supports at the bottom; there is one year or more."""
    with _drawing() as (axes, drawn):
        bottoms = [0] * len(years)
        for stance in Stance:
            heights = [year.counts[stance] for year in years]
            _draw_columns(axes, [year.year for year in years], heights, bottoms, stance)
            bottoms = [bottom + height for bottom, height in zip(bottoms, heights, strict=True)]
        first, last = years[0].year, years[-1].year
        around = max(0.0, (6 - len(years)) / 2)  # few years do not become broad columns
        axes.set_xlim(first - 0.6 - around, last + 0.6 + around)
        axes.set_ylim(0, max(4, max(bottoms)) * 1.06)
        step = 1 if len(years) <= _MANY_YEARS else 2 if len(years) <= 2 * _MANY_YEARS else 5
        axes.set_xticks([year for year in range(first, last + 1) if (last - year) % step == 0])
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.grid(axis="y", color=_FAINT, linewidth=1)
    return drawn()


def _draw_columns(
    axes: Axes, years: Sequence[int], heights: Sequence[int], bottoms: Sequence[int], how: Stance
) -> None:
    there = [place for place, height in enumerate(heights) if height]
    years, heights, bottoms = ([values[place] for place in there] for values in (years, heights, bottoms))
    axes.bar(years, heights, 0.72, bottom=bottoms, color=_FACES[how], edgecolor=_EDGES[how], linewidth=1, zorder=2)


@contextmanager
def _drawing() -> Iterator[tuple[Axes, Callable[[], bytes]]]:
    """Give axes without a frame, and what returns the drawing once it is made."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72), dpi=72)
        axes = figure.add_axes((0.075, 0.13, 0.915, 0.84))
        figure.patch.set_visible(False)
        axes.patch.set_visible(False)
        axes.tick_params(length=0, pad=5)
        for spine in axes.spines.values():
            spine.set_visible(False)

        def save() -> bytes:
            out = io.BytesIO()
            with matplotlib.rc_context(_STYLE):
                figure.savefig(out, format="svg", metadata=_PLAIN)
            return out.getvalue()

        yield axes, save
