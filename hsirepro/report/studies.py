"""Figures of studies: what changes when one setting of a method does.

A study is a set of variants of one method, a record each (or one per seed). Which variants there
are, and what they are called, is given by whoever draws: this room knows records, not papers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from hsirepro.errors import ParameterError, ShapeError, suggest
from hsirepro.metrics import BETTER, PRESETS
from hsirepro.records import Record
from hsirepro.report.checks import require
from hsirepro.report.style import book_style, line_look, new_figure, palette
from hsirepro.report.tables import ARROWS, DASH
from hsirepro.report.tables import UNITS as WORDS

UNITS: Mapping[str, str] = PRESETS["hyconet"].units
NOT_RECORDED = "not recorded"


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
    axes.xaxis.set_major_locator(MaxNLocator(4))  # long decimals of near values do not touch
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
