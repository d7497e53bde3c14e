"""Figures of classifiers: the class of every pixel, and pixels of classes in a plane."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hsirepro.errors import ParameterError
from hsirepro.records import Record
from hsirepro.report.checks import labels_of, require
from hsirepro.report.style import MARKERS, book_style, new_figure, palette, room_for_titles

ACROSS = 4  # panels side by side; many maps are larger, three


@book_style
def plot_class_maps(records: Sequence[Record], names: Mapping[str, str] | None = None) -> Figure:
    """Draw the labels of a scene, and the class that each classifier gave every pixel.

    Parameters
    ----------
    records : sequence of Record
        Of one scene, with the pictures ``classes`` and ``labels``.
    names : mapping of str to str, optional
        What to call a method.

    Raises
    ------
    ParameterError
        If there are no records, or one has no such pictures.
    """
    if not records:
        raise ParameterError("There are no maps to draw.", next_step="hsirepro run inss ...")
    for record in records:
        require(record, "images", ["classes", "labels"], "maps of classes")
    labels = records[0].images["labels"]
    maps = {"Labels": labels}
    titles = labels_of(records, names)
    for title, record in zip(titles, records, strict=True):
        title = title.replace(" + ", "\n+ ")
        maps[f"{title}\nOA {record.metrics['OA']:.1f} %"] = record.images["classes"]
    across = len(maps) if len(maps) <= ACROSS else ACROSS - 1
    down = math.ceil(len(maps) / across)
    figure = new_figure(7.5 / across * down * labels.shape[0] / labels.shape[1] + 0.5 * down + 0.5)
    room_for_titles(figure)
    grid = figure.subplots(down, across, squeeze=False)
    classes = [int(n) for n in np.unique(labels) if n]
    for axes, (title, classes_map) in zip(grid.flat, maps.items(), strict=False):
        _draw_classes(axes, np.asarray(classes_map), classes)
        axes.set_title(title)
    for axes in grid.flat:
        axes.set_axis_off()
    called = records[0].settings["names"]
    handles = [
        Line2D([], [], marker="s", linestyle="", color=_colour(n), label=called[n - 1])
        for n in classes
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(6, len(handles)))
    return figure


@book_style
def plot_planes(records: Sequence[Record], names: Mapping[str, str] | None = None) -> Figure:
    """Draw embedded pixels, coloured by class, a panel for each thing that was embedded.

    Parameters
    ----------
    records : sequence of Record
        Of one scene, with the arrays ``plane`` and ``label``.
    names : mapping of str to str, optional
        What to call a row.

    Raises
    ------
    ParameterError
        If there are no records, or one has no such arrays.
    """
    if not records:
        raise ParameterError("There are no planes to draw.", next_step="hsirepro run inss ...")
    for record in records:
        require(record, "arrays", ["plane", "label"], "embedded pixels")
    across = min(ACROSS, len(records))
    down = math.ceil(len(records) / across)
    figure = new_figure(7.5 / across * down + 0.4 * down + 0.6)
    room_for_titles(figure)
    grid = figure.subplots(down, across, squeeze=False)
    classes = sorted({int(n) for r in records for n in r.arrays["label"]})
    for axes, record, title in zip(grid.flat, records, labels_of(records, names), strict=False):
        for n in classes:
            some = record.arrays["plane"][record.arrays["label"] == n]
            look = {"color": _colour(n), "markersize": 2.2, "markeredgewidth": 0}
            axes.plot(*some.T, MARKERS[n % len(MARKERS)], **look)
        axes.set_title(f"{title}\nsilhouette {record.metrics['silhouette']:+.2f}")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_box_aspect(1)
    for axes in grid.flat[len(records) :]:
        axes.remove()
    called = records[0].settings["names"]
    handles = [
        Line2D(
            [],
            [],
            marker=MARKERS[n % len(MARKERS)],
            linestyle="",
            color=_colour(n),
            label=called[n - 1],
        )
        for n in classes
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(6, len(handles)))
    return figure


def _draw_classes(axes: Axes, values: np.ndarray, classes: Sequence[int]) -> None:
    """Draw a map of classes; white where a pixel has none."""
    shown = np.zeros(values.shape, dtype=int)
    for i, label in enumerate(classes):
        shown[values == label] = i + 1
    colours = [(1.0, 1.0, 1.0), *(_colour(label) for label in classes)]
    axes.imshow(
        shown, cmap=ListedColormap(colours), vmin=0, vmax=len(classes), interpolation="nearest"
    )


def _colour(label: int) -> tuple[float, float, float]:
    """Return the colour of a class in all figures: ten that stay apart, then darker ones."""
    further: list[tuple[float, float, float]] = [tuple(c) for c in sns.color_palette("dark", 10)]
    colours = [*palette(), *further]
    return colours[(label - 1) % len(colours)]
