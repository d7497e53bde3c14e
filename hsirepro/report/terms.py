"""Figure of what the terms of a loss weigh when the training ends."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from hsirepro.errors import ParameterError
from hsirepro.records import Record
from hsirepro.report.checks import require
from hsirepro.report.style import book_style, line_look, new_figure


def loss_shares(record: Record, terms: Mapping[str, str]) -> dict[str, float]:
    """Return the share of each term in the loss at the end of the training, 0 to 1.

    Parameters
    ----------
    record : Record
        With a curve for each term.
    terms : mapping of str to str
        Names of the curves, to names for the reader.

    Raises
    ------
    ParameterError
        If the record lacks one of the curves, or their sum is zero.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> record = SimpleNamespace(curves={"a": [9.0, 3.0], "b": [9.0, 1.0]}, key="a run")
    >>> loss_shares(record, {"a": "the first", "b": "the second"})
    {'a': 0.75, 'b': 0.25}
    """
    require(record, "curves", terms, "terms of the loss")
    last = {name: float(record.curves[name][-1]) for name in terms}
    total = sum(last.values())
    if not total:
        raise ParameterError(f"The loss of {record.key} is zero at its end: there are no shares.")
    return {name: value / total for name, value in last.items()}


@book_style
def plot_loss_shares(records: Mapping[str, Record], terms: Mapping[str, str]) -> Figure:
    """Draw the share of each term in the loss at the end, a row per term, a mark per run.

    Parameters
    ----------
    records : mapping of str to Record
        Label of a run to its record.
    terms : mapping of str to str
        As in :func:`loss_shares`, in the order of the rows.

    Returns
    -------
    matplotlib.figure.Figure
        The axis is logarithmic; a term that is switched off has no mark.

    Raises
    ------
    ParameterError
        If there are no records, or one lacks a curve.
    """
    if not records:
        raise ParameterError("There are no records to draw.", next_step="hsirepro run ...")
    figure = new_figure(0.9 + 0.3 * len(terms) + 0.12 * len(records))
    axes = figure.subplots()
    # Marks of a row stand below each other: equal shares do not hide one another.
    offsets = np.linspace(-0.25, 0.25, len(records)) if len(records) > 1 else [0.0]
    for i, (label, record) in enumerate(records.items()):
        shares = loss_shares(record, terms)
        # A log axis has no place for 0.
        values = [share or np.nan for share in shares.values()]
        rows = np.arange(len(terms)) + offsets[i]
        look = {key: line_look(i)[key] for key in ("color", "marker")}
        axes.plot(values, rows, label=label, markersize=5, linestyle="", **look)
    axes.set_yticks(range(len(terms)), list(terms.values()))
    axes.set(ylim=(len(terms) - 0.5, -0.5), xscale="log", xlabel="Share of the loss at the end")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    axes.grid(axis="x", which="major", linewidth=0.5, alpha=0.5)
    figure.legend(loc="outside upper center", ncols=min(len(records), 3))
    return figure
