"""Figures of what recorded runs learned: point spread functions and abundances."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hsirepro.errors import ParameterError, ShapeError
from hsirepro.records import Record
from hsirepro.report.checks import require
from hsirepro.report.diagnostics import _agreement
from hsirepro.report.errormaps import MRAE_LEVEL
from hsirepro.report.figures import MAP_PERCENTILE
from hsirepro.report.style import MAP, book_style, line_look, new_figure

ABUNDANCES = ("$A$", "$A_h^a$", "$A_h^b$")
SUM_ERRORS = ("sum_error_a", "sum_error_a_h_a", "sum_error_a_h_b")
SUM_LEVEL = MRAE_LEVEL
"""One grey level of the maps of |1 - sum of abundances|, unitless."""


@book_style
def plot_kernels(records: Sequence[Record]) -> Figure:
    """Draw true point spread functions above the learned ones, a column per record.

    Parameters
    ----------
    records : sequence of Record
        With the arrays ``true_psf`` and ``psf``, shape (k, k), on the grid of the fine image.

    Returns
    -------
    matplotlib.figure.Figure
        Each column has one scale. Its title gives the condition and the correlation of the two
        kernels.

    Raises
    ------
    ParameterError
        If there are no records, or one has learned no kernel.
    ShapeError
        If a learned kernel does not have the shape of the true one.
    """
    if not records:
        raise ParameterError("There are no records to draw.", next_step="hsirepro run ...")
    for record in records:
        require(record, "arrays", ["true_psf", "psf"], "learned PSF")
    scenes = {record.key.scene for record in records}
    # One or two kernels are drawn no larger than three are.
    wide = min(1.0, len(records) / 3)
    figure = new_figure(2 * 6.5 * wide / len(records) + 1.1)
    grid = figure.subplots(2, len(records), squeeze=False)
    for column, record in zip(grid.T, records, strict=True):
        place = f"{record.key.scene}\n" if len(scenes) > 1 else ""
        _draw_kernels(figure, column, record, f"{place}{record.key.condition}", wide)
    for axes, name in zip(grid[:, 0], ("True", "Learned"), strict=True):
        axes.set_ylabel(f"{name}\nRow (fine pixel)")
    for axes in grid[1]:
        axes.set_xlabel("Column (fine pixel)")
    return figure


@book_style
def plot_abundances(record: Record) -> Figure:
    """Draw how abundances are distributed, and where they do not sum to one.

    Parameters
    ----------
    record : Record
        With the array ``abundance_histogram``, shape (3, bins): shares of abundances over
        [0, 1], of A (from the MSI), A_h^a (from the HSI) and A_h^b (A, blurred); and the pictures
        ``sum_error_a``, ``sum_error_a_h_a`` and ``sum_error_a_h_b`` (:data:`SUM_LEVEL` a level).

    Returns
    -------
    matplotlib.figure.Figure
        The maps share one scale, up to the 99th percentile over them; their titles give medians.

    Raises
    ------
    ParameterError
        If the record has no histogram or no maps of abundances.
    ShapeError
        If the histogram does not have three rows.
    """
    require(record, "arrays", ["abundance_histogram"], "histogram of abundances")
    require(record, "images", SUM_ERRORS, "maps of abundances")
    shares = record.arrays["abundance_histogram"]
    if shares.ndim != 2 or len(shares) != len(ABUNDANCES):
        raise ShapeError(
            f"The histogram of {record.key} has shape {shares.shape}, not (3, bins).",
            rows="A, A_h^a, A_h^b",
        )
    figure = new_figure(2.9)
    half, maps = figure.subfigures(1, 2, squeeze=False, width_ratios=(1, 1.7))[0]
    maps.suptitle(f"profile {record.key.profile}, seed {record.key.seed}", fontsize=9)
    left, right = half.subplots(), maps.subplots(1, 3)
    edges = np.linspace(0, 1, shares.shape[1] + 1)
    for i, (name, row) in enumerate(zip(ABUNDANCES, shares, strict=True)):
        look = {k: v for k, v in line_look(i).items() if k in ("color", "linestyle", "linewidth")}
        # An empty bin has no place on a log axis.
        left.stairs(np.where(row > 0, row, np.nan), edges, baseline=None, label=name, **look)
    left.set(xlabel="Abundance (unitless)", ylabel="Share of abundances (log scale)")
    left.set(xlim=(0, 1), yscale="log")
    left.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    errors = [record.images[name] * SUM_LEVEL for name in SUM_ERRORS]
    limit = np.percentile(np.concatenate([one.ravel() for one in errors]), MAP_PERCENTILE)
    norm = Normalize(0, max(float(limit), SUM_LEVEL))
    for axes, name, error in zip(right, ABUNDANCES, errors, strict=True):
        axes.imshow(error, MAP, norm, interpolation="nearest")
        axes.set_title(f"{name}, median {np.median(error):.3f}")
        axes.set_axis_off()
    bar = maps.colorbar(
        ScalarMappable(norm, MAP), ax=right, location="bottom", aspect=40, extend="max"
    )
    bar.set_label("|1 - sum of abundances| (unitless)")
    return figure


def _draw_kernels(
    figure: Figure, column: Sequence[Axes], record: Record, title: str, wide: float
) -> None:
    """Draw the kernels of a record and their bar, over a share ``wide`` of its column."""
    true, learned = record.arrays["true_psf"], record.arrays["psf"]
    if true.shape != learned.shape:
        raise ShapeError(
            f"The learned PSF of {record.key} does not have the shape of the true one.",
            learned=str(learned.shape),
            truth=str(true.shape),
        )
    norm = Normalize(min(0.0, learned.min(), true.min()), max(learned.max(), true.max()))
    for axes, kernel in zip(column, (true, learned), strict=True):
        axes.imshow(kernel, MAP, norm, interpolation="nearest")
        # A kernel has few pixels: count them in whole numbers.
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    column[0].set_title(f"{title}\ncorrelation {_agreement(learned, true)[0]}")
    figure.colorbar(
        ScalarMappable(norm, MAP),
        ax=list(column),
        location="bottom",
        shrink=0.8 * wide,
        label="Weight (unitless)",
    )
