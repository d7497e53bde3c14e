"""At which wavelengths each method errs, drawn from records."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from hsirepro.errors import ParameterError, ShapeError, suggest
from hsirepro.records import Record
from hsirepro.report.checks import Names, check_comparable, labels_of, require
from hsirepro.report.style import (
    GAP_STEPS,
    book_style,
    line_look,
    new_figure,
    spectrum_with_gaps,
)

COVERED = 0.01  # of the largest weight of an MSI band: below it, the band sees next to nothing
SHADE = "0.88"
LOWEST = 2.0  # percentile of all values: what lies more than DEEP below is not shown
DEEP = 3.0  # dB


@book_style
def plot_psnr_by_band(
    records: Sequence[Record], names: Names | None = None, highlight: str | None = None
) -> Figure:
    """Draw the PSNR of every band against its wavelength, over the reach of the MSI bands.

    Parameters
    ----------
    records : sequence of Record
        Of one scene and condition, with the arrays ``psnr_by_band`` (dB),
        ``wavelength`` (nm) and ``true_srf`` (MSI bands, bands).
    names : mapping of str to (str or None), optional
        Our method name to the one to show; where it is missing or ``None``, our own.
    highlight : str, optional
        Our name of the method to draw in black; none by default.

    Returns
    -------
    matplotlib.figure.Figure
        Lines break where bands are missing. Grey: wavelengths at which an MSI band has more than
        1 % of its largest weight. A method that fails in some bands does not squeeze the others:
        the axis then ends below almost all values, and the figure says who leaves it.

    Raises
    ------
    ParameterError
        If there are no records, if they mix scenes or conditions, if one has no PSNR by
        band, or if no record is of the method to highlight.
    ShapeError
        If a record does not have one PSNR per band.
    """
    check_comparable(records)
    methods = [record.key.method for record in records]
    if highlight is not None and highlight not in methods:
        raise ParameterError(
            f"No record is of the method {highlight!r}.", next_step=suggest(highlight, methods)
        )
    for record in records:
        require(record, "arrays", ["psnr_by_band", "wavelength", "true_srf"], "PSNR by band")
        _check_bands(record)
    figure = new_figure(3.8)
    axes = figure.subplots()
    first = records[0].arrays
    for low, high in covered(first["wavelength"], first["true_srf"]):
        axes.axvspan(low, high, color=SHADE, linewidth=0, zorder=0)
    for i, (record, label) in enumerate(zip(records, labels_of(records, names), strict=True)):
        line = spectrum_with_gaps(record.arrays["wavelength"], record.arrays["psnr_by_band"])
        look = line_look(i)
        if record.key.method == highlight:
            look = {"color": "black", "linewidth": 2.2, "zorder": 3}
        axes.plot(*line, label=label, **look)
    axes.set_xlabel("Wavelength (nm)")
    axes.set_ylabel("PSNR (dB)")
    _leave_out_the_depths(axes, records, labels_of(records, names))
    handles, _ = axes.get_legend_handles_labels()
    handles.append(Patch(facecolor=SHADE, label="seen by the MSI"))
    axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1, 0.5), handlelength=3)
    return figure


def _leave_out_the_depths(axes: Axes, records: Sequence[Record], labels: Sequence[str]) -> None:
    """End the axis where only a few bands of a method that fails lie below, and name it."""
    values = [record.arrays["psnr_by_band"] for record in records]
    every = np.concatenate(values)
    every = every[np.isfinite(every)]
    if not every.size:
        return
    bottom = float(np.percentile(every, LOWEST)) - 1.0
    if every.min() > bottom - DEEP:
        return
    axes.set_ylim(bottom=bottom)
    deep = [label for label, one in zip(labels, values, strict=True) if np.nanmin(one) < bottom]
    note = f"below the axis, down to {every.min():.0f} dB: {', '.join(deep)}"
    axes.text(0.02, 0.02, note, transform=axes.transAxes, fontsize=8, backgroundcolor="white")


def covered(wavelengths: np.ndarray, responses: np.ndarray) -> list[tuple[float, float]]:
    """Return the ranges of wavelength that the MSI bands see, in nm and in order.

    Parameters
    ----------
    wavelengths : ndarray, shape (L,)
        Band centres in nm, in any order.
    responses : ndarray, shape (l, L)
        Weight of each hyperspectral band in each MSI band.

    Returns
    -------
    list of (float, float)
        From half a band before the first band to half a band behind the last one. A range ends
        where bands are missing.

    Examples
    --------
    >>> covered(np.array([400, 410, 420, 430]), np.array([[0, 1, 0.5, 0.001]]))
    [(405.0, 425.0)]
    """
    order = np.argsort(wavelengths, kind="stable")
    centres = np.asarray(wavelengths, dtype=float)[order]
    steps = np.diff(centres)
    step = float(np.median(steps)) if steps.size else 0.0
    largest = responses.max(axis=1, keepdims=True)
    seen = (responses > COVERED * largest).any(axis=0)[order]
    # A range ends at a band that is not seen, and at a hole in the spectrum.
    ends = ~(seen[:-1] & seen[1:]) | (steps > GAP_STEPS * step)
    ranges = np.split(np.arange(len(centres)), np.flatnonzero(ends) + 1)
    return [
        (float(centres[part[0]] - step / 2), float(centres[part[-1]] + step / 2))
        for part in ranges
        if seen[part[0]]
    ]


def _check_bands(record: Record) -> None:
    shapes = {name: record.arrays[name].shape for name in ("psnr_by_band", "wavelength")}
    bands = record.arrays["true_srf"].shape[-1:]
    if set(shapes.values()) != {bands}:
        raise ShapeError(
            f"The record {record.key} does not have one PSNR per band.",
            **{name: str(shape) for name, shape in shapes.items()},
            true_srf=str(record.arrays["true_srf"].shape),
        )
