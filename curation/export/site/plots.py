"""The plots, drawn by matplotlib as SVG: this is its only door.

What has a meaning is drawn in a colour that nobody sees, one of `INKS`; the page puts its own in its place, for light
and dark.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from matplotlib import style
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
    with style.context(["default", _STYLE]):  # whatever the user's own style is
        figure, axes = _make_axes()
        bottoms = [0] * len(years)
        for stance in Stance:
            heights = [year.counts[stance] for year in years]
            _draw_columns(axes, [year.year for year in years], heights, bottoms, stance)
            bottoms = [bottom + height for bottom, height in zip(bottoms, heights, strict=True)]
        _set_scales(axes, years[0].year, years[-1].year, max(bottoms))
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata=_PLAIN)
    return out.getvalue()


def _make_axes() -> tuple[Figure, Axes]:
    """Return a drawing and its axes, without a frame."""
    figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72), dpi=72)
    axes = figure.add_axes((0.075, 0.13, 0.915, 0.84))
    figure.patch.set_visible(False)
    axes.patch.set_visible(False)
    axes.tick_params(length=0, pad=5)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure, axes


def _draw_columns(
    axes: Axes, years: Sequence[int], heights: Sequence[int], bottoms: Sequence[int], how: Stance
) -> None:
    there = [place for place, height in enumerate(heights) if height]
    years, heights, bottoms = ([values[place] for place in there] for values in (years, heights, bottoms))
    axes.bar(years, heights, 0.72, bottom=bottoms, color=_FACES[how], edgecolor=_EDGES[how], linewidth=1, zorder=2)


def _set_scales(axes: Axes, first: int, last: int, highest: int) -> None:
    count = last - first + 1
    around = max(0.0, (6 - count) / 2)  # few years do not become broad columns
    axes.set_xlim(first - 0.6 - around, last + 0.6 + around)
    axes.set_ylim(0, max(3, highest) * 1.06)
    step = 1 if count <= _MANY_YEARS else 2 if count <= 2 * _MANY_YEARS else 5
    axes.set_xticks([year for year in range(first, last + 1) if (last - year) % step == 0])
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.grid(axis="y", color=_FAINT, linewidth=1)
