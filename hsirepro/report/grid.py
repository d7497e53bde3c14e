"""A figure of a metric over a grid of two settings."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from hsirepro.errors import ParameterError, suggest
from hsirepro.report.studies import NOT_RECORDED, decimals
from hsirepro.report.style import MAP, book_style, new_figure, palette
from hsirepro.report.tables import ARROWS, DASH

BEST: dict[str, Any] = {"fill": False, "edgecolor": palette()[3], "linewidth": 3}
HATCH: dict[str, Any] = {"facecolor": "white", "edgecolor": "0.75", "hatch": "////", "linewidth": 0}


@book_style
def plot_grid(
    values: Mapping[tuple[float, float], float],
    *,
    x: str,
    y: str,
    label: str,
    better: str = "higher",
) -> Figure:
    """Draw what a metric becomes on a grid of two settings, with the value in every cell.

    Parameters
    ----------
    values : mapping of (float, float) to float
        The metric at each point ``(x, y)``. A point that is absent or NaN is hatched. The steps
        of the grid may have any size; cells are drawn equally large.
    x, y : str
        Names of the settings, with units.
    label : str
        Name of the metric, with its unit.
    better : {"higher", "lower"}
        Which value is framed as the best, where the grid is whole.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ParameterError
        If there is no point, or ``better`` is neither.
    """
    if better not in ARROWS:
        raise ParameterError(f"{better!r} is not a direction.", next_step=suggest(better, ARROWS))
    if not values:
        raise ParameterError(
            "There is no point of the grid to draw.", next_step="values={(x, y): value, ...}"
        )
    columns, rows = (sorted({point[axis] for point in values}) for axis in (0, 1))
    table = np.array([[values.get((a, b), np.nan) for a in columns] for b in rows], dtype=float)
    known = table[np.isfinite(table)]
    figure = new_figure(1.6 + 0.5 * len(rows))
    axes = figure.subplots()
    norm = Normalize(*(known.min(), known.max()) if known.size else (0, 1))
    axes.imshow(table, MAP, norm, origin="lower", aspect="auto", interpolation="nearest")
    for row, column in product(range(len(rows)), range(len(columns))):
        _write_cell(axes, row, column, table[row, column], norm, decimals(known))
    handles = []
    if known.size == table.size:  # of a grid with holes nobody knows the best point
        best = known.max() if better == "higher" else known.min()
        for row, column in np.argwhere(table == best):
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, clip_on=False, **BEST))
        handles.append(Patch(**BEST, label="best"))
    if known.size:
        figure.colorbar(ScalarMappable(norm, MAP), ax=axes, label=label)
    if known.size < table.size:
        handles.append(Patch(**HATCH, label=f"{DASH} {NOT_RECORDED}"))
    axes.set_xticks(range(len(columns)), [f"{value:g}" for value in columns])
    axes.set_yticks(range(len(rows)), [f"{value:g}" for value in rows])
    axes.set(xlabel=x, ylabel=y)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _write_cell(
    axes: Axes, row: int, column: int, value: float, norm: Normalize, digits: int
) -> None:
    look: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 9}
    if np.isnan(value):
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **HATCH))
        axes.text(column, row, DASH, **look)
        return
    red, green, blue, _ = mpl.colormaps[MAP](norm(value))
    bright = 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.5
    axes.text(column, row, f"{value:.{digits}f}", color="black" if bright else "white", **look)
