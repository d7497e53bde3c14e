"""Figures that put metrics of generated tiles to the test: nulls, damages, halves, samplers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from hsirepro.errors import ParameterError
from hsirepro.records import Record
from hsirepro.report.checks import require
from hsirepro.report.style import (
    book_style,
    line_look,
    new_figure,
    palette,
    room_for_titles,
)

PER_ROW = 4
FEW = 2.5  # of a metric's largest value over its smallest, from where a scale is logarithmic


@book_style
def plot_damages(records: Sequence[Record], metrics: Sequence[str]) -> Figure:
    """Draw each metric against the strength of each damage.

    Parameters
    ----------
    records : sequence of Record
        One a damage, with an array ``strength`` and one for each metric.
    metrics : sequence of str
        A panel each.

    Returns
    -------
    matplotlib.figure.Figure
    """
    _some(records)
    for record in records:
        require(record, "arrays", ["strength", *metrics], "damages")
    figure, panels = _panels(len(metrics))
    for axes, metric in zip(panels, metrics, strict=True):
        for number, record in enumerate(records):
            axes.plot(
                record.arrays["strength"],
                record.arrays[metric],
                label=record.key.method,
                **line_look(number),
            )
        axes.set_title(metric)
        if metric.startswith("FID"):
            axes.set_yscale("symlog", linthresh=1.0)
        axes.set_xlabel("Strength (unitless)")
    named = panels[0].get_legend_handles_labels()
    figure.legend(*named, loc="outside lower center", ncols=len(records), fontsize="small")
    return figure


@book_style
def plot_rows(
    values: Mapping[str, Mapping[str, Sequence[float]]], hollow: set[str], logarithmic: set[str]
) -> Figure:
    """Draw every run of every method as a dot, a panel a metric.

    Parameters
    ----------
    values : mapping of str to mapping of str to sequence of float
        By metric, and by method: one value a run.
    hollow : set of str
        Methods that are drawn hollow: the null models.
    logarithmic : set of str
        Metrics whose scale is.

    Returns
    -------
    matplotlib.figure.Figure
    """
    _some(values)
    methods = list(dict.fromkeys(name for rows in values.values() for name in rows))
    figure, panels = _panels(len(values), 0.9 + 0.17 * len(methods), sharey=True)
    colour = palette()[0]
    for axes, (metric, rows) in zip(panels, values.items(), strict=True):
        for place, name in enumerate(methods):
            mine = [value for value in rows.get(name, ()) if math.isfinite(value)]
            axes.plot(
                mine,
                [place] * len(mine),
                linestyle="",
                marker="o",
                color=colour,
                markerfacecolor="none" if name in hollow else colour,
            )
        axes.set_title(metric)
        if metric in logarithmic:
            axes.set_xscale("log")
        axes.grid(axis="y", linewidth=0.4)
    panels[0].set_yticks(range(len(methods)), methods)
    panels[0].invert_yaxis()
    return figure


@book_style
def plot_halves(rows: Mapping[str, tuple[float, float]], real: float) -> Figure:
    """Draw how near the tiles of each method come to the half that was seen, and to the other.

    Parameters
    ----------
    rows : mapping of str to (float, float)
        Block diversity against the seen half and against the other.
    real : float
        That of real tiles of the other half against the seen one.

    Returns
    -------
    matplotlib.figure.Figure
    """
    _some(rows)
    figure = new_figure(1.5 + 0.3 * len(rows))
    axes = figure.subplots()
    for place, (seen, unseen) in enumerate(rows.values()):
        axes.plot([seen, unseen], [place, place], color=palette()[7], linewidth=1.0, zorder=1)
    places = range(len(rows))
    for number, label in enumerate(("half that was seen", "half that was not")):
        look = line_look(number)
        axes.plot(
            [pair[number] for pair in rows.values()],
            places,
            linestyle="",
            marker=look["marker"],
            color=look["color"],
            label=f"tiles against the {label}",
        )
    axes.axvline(
        real,
        color=palette()[3],
        linestyle="--",
        linewidth=1.0,
        label="real tiles of the unseen half against the seen one",
    )
    axes.set_yticks(places, list(rows))
    axes.invert_yaxis()
    axes.set_xlabel("Block diversity (cosine)")
    figure.legend(loc="outside lower center", fontsize="small")
    return figure


@book_style
def plot_samplers(record: Record, metrics: Sequence[str]) -> Figure:
    """Draw each metric against the steps of each sampler, with the spread over draws.

    Parameters
    ----------
    record : Record
        With an array, shape (samplers, draws), for each metric, and the setting ``samplers``, such
        as ``"ddim 50"``.
    metrics : sequence of str
        A panel each.

    Returns
    -------
    matplotlib.figure.Figure
        The sampler of the most steps is a band from its lowest to its highest draw.
    """
    require(record, "arrays", list(metrics), "samplers")
    named = [str(one).rsplit(" ", 1) for one in record.settings["samplers"]]
    solvers = list(dict.fromkeys(solver for solver, _ in named))
    steps = np.array([int(number) for _, number in named])
    most = int(steps.argmax())
    figure, panels = _panels(len(metrics))
    for axes, metric in zip(panels, metrics, strict=True):
        drawn = record.arrays[metric]
        low, high = drawn[most].min(), drawn[most].max()
        label = f"{named[most][0]}, {steps[most]} steps"
        axes.axhspan(low, high, color=palette()[7], alpha=0.4, label=label)
        axes.axhline(drawn[most].mean(), color=palette()[7], linewidth=0.8)
        for number, solver in enumerate(solvers):
            mine = [i for i, (name, _) in enumerate(named) if name == solver and i != most]
            if not mine:
                continue
            mean = drawn[mine].mean(axis=1)
            reach = np.stack([mean - drawn[mine].min(axis=1), drawn[mine].max(axis=1) - mean])
            axes.errorbar(steps[mine], mean, reach, label=solver, capsize=2, **line_look(number))
        axes.set_xscale("log")
        axes.set_xticks(sorted(set(steps.tolist()) - {steps[most]}))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_title(metric)
        axes.set_xlabel("Steps")
        if drawn.min() > 0 and drawn.max() / drawn.min() > FEW:
            axes.set_yscale("log")
    lines, labels = panels[0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside lower center", ncols=len(labels), fontsize="small")
    return figure


def _panels(count: int, height: float = 2.5, *, sharey: bool = False) -> tuple[Figure, list[Axes]]:
    """Return a figure of so many panels, a few in a row, with room for their titles."""
    columns = min(PER_ROW, count)
    rows = math.ceil(count / columns)
    figure = new_figure(rows * height)
    room_for_titles(figure)
    panels = list(figure.subplots(rows, columns, squeeze=False, sharey=sharey).flat)
    for axes in panels:
        axes.locator_params(nbins=4)
        axes.ticklabel_format(useOffset=False)  # cosines differ in their last digits
    for axes in panels[count:]:
        axes.set_axis_off()
    return figure, panels[:count]


def _some(things: Sequence[object] | Mapping[str, object]) -> None:
    if not things:
        raise ParameterError("There is nothing to draw.", next_step="hsirepro run hud ...")
