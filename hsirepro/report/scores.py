"""Tables of scores: methods by width of the point spread, their places, and two metrics compared.

They take the frame of :func:`hsirepro.papers.hyconet.scores.scores`, which has one run a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from hsirepro.metrics import BETTER
from hsirepro.report import render
from hsirepro.report.runs import RunTable
from hsirepro.report.tables import ARROWS, DASH, UNITS


def widths_table(
    frame: pd.DataFrame,
    scene: str,
    methods: Sequence[str],
    printed: Mapping[str, Mapping[tuple[str, float], float]],
    units: Mapping[str, str],
) -> RunTable:
    """Set every method beside what the paper prints, a column per width and a part per metric.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``scene``, ``sigma``, ``method`` and the metrics.
    scene : str
        The one to show.
    methods : sequence of str
        Rows, in this order.
    printed : mapping of str to (mapping of (str, float) to float)
        By metric, the paper's value by method and width, where it prints one.
    units : mapping of str to str
        Unit of each metric, as in ``PRESETS[paper].units``.
    """
    here = frame[frame.scene == scene]
    sigmas = sorted({sigma for cells in printed.values() for _, sigma in cells} | set(here.sigma))
    bodies = []
    for metric, theirs in printed.items():
        rows = [
            [
                method,
                *(
                    _cell(here, method, sigma, metric, theirs.get((method, sigma)))
                    for sigma in sigmas
                ),
            ]
            for method in methods
        ]
        unit = UNITS.get(units[metric], units[metric])
        bodies.append((f"{metric} ({unit}), {ARROWS[BETTER[metric]]}", rows))
    caption = f"{scene}: ours, and in brackets what the paper prints"
    note = "n counts seeds, where there are several; ± is the sample standard deviation over them."
    header = ["method", *(f"σ = {sigma:g}" for sigma in sigmas)]
    return RunTable(caption, render.Layout(caption, header, bodies, [note]))


def _cell(here: pd.DataFrame, method: str, sigma: float, metric: str, theirs: float | None) -> str:
    values = here[(here.method == method) & (here.sigma == sigma)][metric].dropna()
    text = f"{values.mean():.2f}" if len(values) else DASH
    if len(values) > 1:
        text += f" ± {values.std():.2f}, n = {len(values)}"
    return text if theirs is None else f"{text} ({theirs:.2f})"


def told_table(
    crops: Mapping[str, Mapping[str, Mapping[str, float]]],
    options: Sequence[str],
    others: Mapping[str, float],
    caption: str,
) -> RunTable:
    """Show what methods make of what they are told: a row each, a column per option.

    Parameters
    ----------
    crops : mapping
        By crop, method and option, the mPSNR in dB.
    options : sequence of str
        Columns, in this order.
    others : mapping of str to float
        By crop, the mPSNR of HyCoNet, which is told none of this.
    caption : str
    """

    def row(name: str, values: Mapping[str, float]) -> list[str]:
        return [name, *(f"{values[one]:.2f}" if one in values else DASH for one in options)]

    bodies = []
    for crop, methods in crops.items():
        # What the others are told changes nothing for HyCoNet: the same value in every column.
        ours = dict.fromkeys(options, others[crop]) if crop in others else {}
        rows = [row(name, values) for name, values in methods.items()]
        bodies.append((crop, [*rows, row("hyconet, told none of it", ours)]))
    return RunTable(caption, render.Layout(caption, ["mPSNR (dB)", *options], bodies, []))


def places_table(
    frame: pd.DataFrame, method: str, rivals: Sequence[str], metrics: Sequence[str]
) -> RunTable:
    """Show which place a method takes among its rivals, by each metric; 1 is best.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``scene``, ``sigma``, ``method`` and the metrics.
    method : str
        The one whose places are shown.
    rivals : sequence of str
        Methods that are ranked with it, where they are recorded.
    metrics : sequence of str
        A column each; the first is named where it is not ``method``.
    """
    ranked = frame[frame.method.isin([method, *rivals])]
    bodies: dict[str, list[list[str]]] = {}
    for (scene, sigma), rows in ranked.groupby(["scene", "sigma"], sort=False):
        means = rows.groupby("method")[list(metrics)].mean()
        if method not in means.index:
            continue
        cells = []
        for metric in metrics:
            order = means[metric].sort_values(ascending=BETTER[metric] == "lower").index.tolist()
            first = "" if order[0] == method else f" (1: {order[0]})"
            cells.append(f"{order.index(method) + 1}{first}")
        bodies.setdefault(str(scene), []).append([f"σ = {sigma:g}", *cells, str(len(means))])
    caption = f"Place of {method} by crop and width"
    layout = render.Layout(caption, ["width", *metrics, "methods"], list(bodies.items()), [])
    return RunTable(caption, layout)


def angles_table(
    frame: pd.DataFrame,
    scene: str,
    methods: Sequence[str],
    pair: tuple[str, str],
    sigma: float = 0.5,
) -> RunTable:
    """Set two measures of one thing side by side, and say whether they order methods alike.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``scene``, ``sigma``, ``method`` and the pair, in degrees, less is better.
    scene : str
    methods : sequence of str
        Rows, in this order; those that lack one of the pair are left out.
    pair : (str, str)
        Names of the two columns.
    sigma : float
        Width of the point spread, MSI pixels.
    """
    here = frame[(frame.scene == scene) & (frame.sigma == sigma) & frame.method.isin(methods)]
    here = here.dropna(subset=list(pair))
    means = here.groupby("method")[list(pair)].mean()
    kept = [method for method in methods if method in means.index]
    rows = [[method, *(f"{means[name][method]:.2f}" for name in pair)] for method in kept]
    note = "No record holds both yet."
    if kept:
        orders = [sorted(kept, key=means[name].__getitem__) for name in pair]
        same = sum(a == b for a, b in zip(*orders, strict=True))
        note = (
            f"The best is {orders[0][0]} by the first and {orders[1][0]} by the second; {same} of "
            f"{len(kept)} methods keep their place in the order."
        )
    caption = f"{pair[0]} and {pair[1]} on {scene}, σ = {sigma:g}"
    header = ["method", *(f"{name} (°)" for name in pair)]
    return RunTable(caption, render.Layout(caption, header, [("", rows)], [note]))
