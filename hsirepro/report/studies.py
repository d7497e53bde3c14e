"""Figures of studies: what changes when one setting of a method does.

A study is a set of variants of one method, a record each (or one per seed). Which variants there
are, and what they are called, is given by whoever draws: this room knows records, not papers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from hsirepro.errors import ParameterError, ShapeError, suggest
from hsirepro.metrics import BETTER, PRESETS
from hsirepro.records import Record
from hsirepro.report.diagnostics import _agreement
from hsirepro.report.errormaps import MRAE_LEVEL, line_look, require
from hsirepro.report.figures import MAP_PERCENTILE
from hsirepro.report.style import MAP, book_style, new_figure, palette
from hsirepro.report.tables import ARROWS, DASH
from hsirepro.report.tables import UNITS as WORDS

UNITS: Mapping[str, str] = PRESETS["hyconet"].units
ABUNDANCES = ("$A$", "$A_h^a$", "$A_h^b$")
SUM_ERRORS = ("sum_error_a", "sum_error_a_h_a", "sum_error_a_h_b")
SUM_LEVEL = MRAE_LEVEL
"""One grey level of the maps of |1 - sum of abundances|, unitless."""
NOT_RECORDED = "not recorded"
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
        Which value is framed as the best.

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
    if known.size:
        best = np.nanmax(table) if better == "higher" else np.nanmin(table)
        for row, column in np.argwhere(table == best):
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, clip_on=False, **BEST))
        handles.append(Patch(**BEST, label="best"))
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


@book_style
def plot_variants(
    groups: Mapping[str, Sequence[Record]],
    metrics: Sequence[str] = ("mPSNR",),
    units: Mapping[str, str] = UNITS,
) -> Figure:
    """Draw metrics of variants below each other: a dot per seed, a bar at the mean.

    Parameters
    ----------
    groups : mapping of str to sequence of Record
        Name of a variant to its records, one per seed, in the order of the rows. One without
        records gets a dash.
    metrics : sequence of str
        A panel each, side by side.
    units : mapping of str to str
        Unit of each metric: ``"dB"``, ``"degree"`` or none, as in ``PRESETS[paper].units``.

    Returns
    -------
    matplotlib.figure.Figure
        Right of each panel stands the mean, with the sample standard deviation over the seeds
        where there are several.

    Raises
    ------
    ParameterError
        If there is no variant or no metric, or a metric has no unit in ``units``.
    """
    labels = _labels(metrics, units)
    if not groups:
        raise ParameterError(
            "There is no variant to draw.", next_step="groups={'full': [record], ...}"
        )
    figure = new_figure(1.1 + 0.28 * len(groups))
    panels = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        _draw_rows(axes, [_values(records, metric) for records in groups.values()])
        better = f"\n{ARROWS[BETTER[metric]]}" if metric in BETTER else ""
        axes.set_xlabel(labels[metric] + better)
    panels[0].set_yticks(range(len(groups)), list(groups))
    panels[0].set_ylim(len(groups) - 0.5, -0.5)
    handles = [
        Line2D([], [], marker="o", linestyle="", color=palette()[0], label="one seed"),
        Line2D([], [], marker="|", linestyle="", color="black", ms=11, mew=2, label="mean"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


@book_style
def plot_convergence(
    groups: Mapping[str, Record],
    curve: str = "mPSNR",
    *,
    log_x: bool = False,
    units: Mapping[str, str] = UNITS,
) -> Figure:
    """Draw a curve of several variants against the iteration.

    Parameters
    ----------
    groups : mapping of str to Record
        Name of a variant to its record, with the curves ``iteration`` and ``curve``.
    curve : str
        A metric of ``units``; any other curve is taken for a loss and gets a log axis, on which
        values that are not positive leave a gap.
    log_x : bool
        Whether iterations stand on a log axis, too, which shows the beginning.
    units : mapping of str to str
        As in :func:`plot_variants`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ParameterError
        If there is no record, or one lacks the curve.
    ShapeError
        If a curve does not have one value per iteration.
    """
    if not groups:
        raise ParameterError("There are no records to draw.", next_step="hsirepro run ...")
    loss = curve not in units
    figure = new_figure(3.2)
    axes = figure.subplots()
    for i, (name, record) in enumerate(groups.items()):
        require(record, "curves", ["iteration", curve], f"curve {curve!r}")
        iterations, values = record.curves["iteration"], record.curves[curve]
        if iterations.shape != values.shape:
            raise ShapeError(
                f"Curve {curve!r} of {record.key} has {values.size} values for "
                f"{iterations.size} iterations."
            )
        shown = np.where(values > 0, values, np.nan) if loss else values
        axes.plot(iterations, shown, label=name, **line_look(i))
    axes.set_xlabel("Iteration (log scale)" if log_x else "Iteration")
    axes.set_ylabel(f"Loss {curve} (unitless, log scale)" if loss else _label(curve, units))
    if log_x:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yscale("log" if loss else "linear")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), handlelength=3)
    return figure


@book_style
def plot_against(
    series: Mapping[str, Mapping[float, Sequence[Record]]],
    metrics: Sequence[str] = ("mPSNR", "mSAM"),
    xlabel: str = "Number of endmembers",
    units: Mapping[str, str] = UNITS,
) -> Figure:
    """Draw metrics against a setting: the mean over seeds, and a bar from least to largest.

    Parameters
    ----------
    series : mapping of str to (mapping of float to sequence of Record)
        Name of a line, such as a scene, to the records at each value of the setting. A value
        without records leaves a gap.
    metrics : sequence of str
        A panel each, side by side.
    xlabel : str
        Name of the setting, with its unit if it has one.
    units : mapping of str to str
        As in :func:`plot_variants`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ParameterError
        If there is no line or no metric, or a metric has no unit in ``units``.
    """
    labels = _labels(metrics, units)
    if not series:
        raise ParameterError(
            "There is no line to draw.", next_step="series={scene: {5: [record], ...}, ...}"
        )
    figure = new_figure(3.4)
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        for i, (name, points) in enumerate(series.items()):
            look = line_look(i) | {"markevery": None}
            label = name if any(points.values()) else f"{name} ({NOT_RECORDED})"
            _draw_means(axes, points, metric, label=label, **look)
        axes.set(xlabel=xlabel, ylabel=labels[metric])
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, handlelength=3)
    return figure


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


def decimals(values: Iterable[float]) -> int:
    """Return how many decimals show three digits of the largest value, and at least two.

    Examples
    --------
    >>> decimals([37.2, 8.1]), decimals([0.0123, 0.004]), decimals([])
    (2, 4, 2)
    """
    sizes = [abs(value) for value in values if value and math.isfinite(value)]
    return max(2, 2 - math.floor(math.log10(max(sizes)))) if sizes else 2


def _label(metric: str, units: Mapping[str, str]) -> str:
    return f"{metric} ({WORDS.get(units[metric], units[metric])})"


def _labels(metrics: Sequence[str], units: Mapping[str, str]) -> dict[str, str]:
    if not metrics:
        raise ParameterError("There is no metric to draw.", next_step='metrics=("mPSNR", "mSAM")')
    for metric in metrics:
        if metric not in units:
            raise ParameterError(
                f"The unit of metric {metric!r} is not known.",
                hint=suggest(metric, units),
                next_step=f"units={{{metric!r}: ''}} draws it as unitless",
            )
    return {metric: _label(metric, units) for metric in metrics}


def _values(records: Sequence[Record], metric: str) -> np.ndarray:
    """Return a metric of every record that has it."""
    return np.array([r.metrics[metric] for r in records if metric in r.metrics], dtype=float)


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


def _draw_rows(axes: Axes, rows: Sequence[np.ndarray]) -> None:
    """Draw the values of each row as dots, their mean as a bar, and write it to the right."""
    digits = decimals([value for values in rows for value in values])
    beside = axes.get_yaxis_transform()
    for row, values in enumerate(rows):
        text = DASH
        if values.size:
            mean = values.mean()
            axes.plot(values, np.full(values.size, row), "o", color=palette()[0], ms=5, alpha=0.6)
            axes.plot(mean, row, "|", color="black", ms=13, mew=2)
            spread = f" ± {values.std(ddof=1):.{digits}f}" if values.size > 1 else ""
            text = f"{mean:.{digits}f}{spread}"
        else:
            note: dict[str, Any] = {"color": "0.4", "fontsize": 8, "backgroundcolor": "white"}
            axes.text(0.03, row, NOT_RECORDED, va="center", transform=beside, **note)
        axes.text(1.03, row, text, va="center", fontsize=8, transform=beside)
        axes.axhline(row, color="0.9", linewidth=0.6, zorder=0)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.08)
    if not any(values.size for values in rows):
        axes.set_xticks([])


def _draw_means(
    axes: Axes, points: Mapping[float, Sequence[Record]], metric: str, **look: Any
) -> None:
    places = sorted(points)
    samples = [_values(points[place], metric) for place in places]
    low, mean, high = (
        np.array([summary(sample) if sample.size else np.nan for sample in samples])
        for summary in (np.min, np.mean, np.max)
    )
    bars = np.stack([mean - low, high - mean])
    axes.errorbar(places, mean, bars, capsize=2.5, elinewidth=1, **look)


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
