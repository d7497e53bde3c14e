"""Figures of spectra made from colours, drawn from records: images, spectra, bands, errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from hsirepro.records import Record
from hsirepro.report.checks import Names, check_comparable, labels_of, require
from hsirepro.report.style import (
    MAP,
    book_style,
    line_look,
    new_figure,
    room_for_titles,
    spectrum_with_gaps,
)

PAGE = 7.2  # inches across all pictures
ERRORS = {"rmse": ("RMSE", "counts"), "sam": ("SAM", "degrees"), "mrae": ("MRAE", "unitless")}
PERCENTILE = 98.0  # of a method's errors
NM = "Wavelength (nm)"
SMALL = 7  # points


@book_style
def plot_recovered(
    records: Sequence[Record], names: Names | None = None, errors: Sequence[str] = ("rmse", "sam")
) -> Figure:
    """Draw what each method made of one colour image in false colour, and where it errs.

    Parameters
    ----------
    records : sequence of Record
        Of one set of images, with pictures.
    names : mapping of str to (str or None), optional
        Our method name to the one to show; where it is missing or ``None``, our own.
    errors : sequence of str
        Rows of maps: ``"rmse"`` (counts), ``"sam"`` (degrees), ``"mrae"`` (unitless).

    Returns
    -------
    matplotlib.figure.Figure
        Titles give the MPSNR of the image in dB and the mean of each map. A scale is shared by a
        row, and ends at the median, over the methods, of the 98th percentile of their maps.

    Raises
    ------
    ParameterError
        If there are no records, they are of different images, or one has no pictures.
    """
    check_comparable(records)
    for record in records:
        require(record, "images", ["made", "true", *errors], "pictures")
    first, columns = records[0], len(records) + 1
    shape = first.images["true"].shape
    side = (PAGE - 0.7) / columns * shape[0] / shape[1]
    figure = new_figure((1 + len(errors)) * (side + 0.3) + 0.2)
    room_for_titles(figure)
    grid = figure.subplots(1 + len(errors), columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    grid[0, 0].imshow(first.images["true"], interpolation="nearest")
    grid[0, 0].set_title("truth", fontsize=SMALL)
    image = first.settings["test images"][0]
    for axes, record, label in zip(grid[0, 1:], records, labels_of(records, names), strict=True):
        axes.imshow(record.images["made"], interpolation="nearest")
        told = record.metrics[f"MPSNR of {image}"]
        axes.set_title(f"{label}\n{told:.1f} dB", fontsize=SMALL)
    for row, error in zip(grid[1:], errors, strict=True):
        _error_row(figure, row, records, error)
    return figure


def _error_row(figure: Figure, row: np.ndarray, records: Sequence[Record], error: str) -> None:
    """Draw the maps of one kind of error on one scale, with the scale in the first column."""
    name, unit = ERRORS[error]
    maps = [error_map(record, error) for record in records]
    top = float(np.median([np.percentile(one, PERCENTILE) for one in maps]))
    norm = Normalize(0.0, top or 1.0)
    for axes, one in zip(row[1:], maps, strict=True):
        axes.imshow(one, MAP, norm, interpolation="nearest")
        axes.set_title(f"{one.mean():.3g}", fontsize=SMALL)
    row[0].set_title(f"{name}\n({unit})", fontsize=SMALL, y=0.35)
    bar = figure.colorbar(ScalarMappable(norm, MAP), ax=row[1:], shrink=0.9, aspect=12)
    bar.ax.tick_params(labelsize=SMALL)


def error_map(record: Record, error: str) -> np.ndarray:
    """Return a map of errors in its own unit, shape (H, W), from the levels of a record.

    Parameters
    ----------
    record : Record
    error : {"rmse", "sam", "mrae"}
    """
    white = float(record.settings["picture_scales"][error])
    return record.images[error].astype(float) * white / 255.0


@book_style
def plot_picked_spectra(records: Sequence[Record], names: Names | None = None) -> Figure:
    """Draw the true spectra of six pixels, and what each method made of them.

    Parameters
    ----------
    records : sequence of Record
        Of one set of images.
    names : mapping of str to (str or None), optional

    Returns
    -------
    matplotlib.figure.Figure
        A panel a pixel, its row and column above it; counts against nm. Truth is wide and grey.

    Raises
    ------
    ParameterError
        If there are no records, they are of different images, or one has no such spectra.
    """
    check_comparable(records)
    for record in records:
        require(record, "arrays", ["wavelength", "spectra_true", "spectra_made"], "spectra")
    first = records[0].arrays
    nm, rows = first["wavelength"], (len(first["spectra_true"]) + 2) // 3
    figure = new_figure(2.1 * rows + 0.6)
    room_for_titles(figure)
    grid = figure.subplots(rows, 3, squeeze=False, sharex=True)
    looks = [line_look(i) | {"marker": None} for i in range(len(records))]
    wide = {"color": "0.72", "linewidth": 3.5}
    for i, axes in enumerate(grid.flat[: len(first["spectra_true"])]):
        axes.plot(*spectrum_with_gaps(nm, first["spectra_true"][i]), **wide)
        for record, look in zip(records, looks, strict=True):
            axes.plot(*spectrum_with_gaps(nm, record.arrays["spectra_made"][i]), **look)
        axes.set_title("row {}, column {}".format(*first["picked"][:, i]))
        axes.set_ylim(0.0, 1.35 * float(first["spectra_true"][i].max()))
    for axes in grid[-1]:
        axes.set_xlabel(NM)
    for axes in grid[:, 0]:
        axes.set_ylabel("Counts")
    labels = ["truth", *labels_of(records, names)]
    handles = [Line2D([], [], **look) for look in (wide, *looks)]
    figure.legend(handles, labels, loc="outside lower center", ncols=min(5, len(labels)))
    return figure


@book_style
def plot_band_images(records: Sequence[Record], names: Names | None = None) -> Figure:
    """Draw some bands of the truth and of what each method made, a row a band.

    Parameters
    ----------
    records : sequence of Record
        Of one set of images, with pictures.
    names : mapping of str to (str or None), optional

    Returns
    -------
    matplotlib.figure.Figure
        Every row from 0 to the 99.5th percentile of the truth in that band.

    Raises
    ------
    ParameterError
        If there are no records, they are of different images, or one has no such pictures.
    """
    check_comparable(records)
    for record in records:
        require(record, "images", ["bands_true", "bands_made"], "images of bands")
    first = records[0]
    bands = first.settings["bands_shown"]
    columns = [("truth", first.images["bands_true"])]
    made = [record.images["bands_made"] for record in records]
    columns += list(zip(labels_of(records, names), made, strict=True))
    shape = columns[0][1].shape
    side = PAGE / len(columns) * shape[0] * len(bands) / shape[1]
    figure = new_figure(len(bands) * (side + 0.06) + 0.5)
    room_for_titles(figure)
    grid = figure.subplots(len(bands), len(columns), squeeze=False)
    for column, (label, picture) in zip(grid.T, columns, strict=True):
        column[0].set_title(label, fontsize=SMALL)
        for axes, one in zip(column, np.split(picture, len(bands), axis=1), strict=True):
            axes.imshow(one, "gray", vmin=0, vmax=255, interpolation="nearest")
            _no_ticks(axes)
    for axes, band in zip(grid[:, 0], bands, strict=True):
        axes.set_ylabel(f"{first.arrays['wavelength'][band]:.0f} nm", fontsize=SMALL)
    return figure


@book_style
def plot_error_by_band(records: Sequence[Record], names: Names | None = None) -> Figure:
    """Draw the root mean square error of each band against its wavelength.

    Parameters
    ----------
    records : sequence of Record
        Of one set of images.
    names : mapping of str to (str or None), optional

    Returns
    -------
    matplotlib.figure.Figure
        Counts on a logarithmic axis; dotted lines are the bands that are the input itself.

    Raises
    ------
    ParameterError
        If there are no records, they are of different images, or one has no such errors.
    """
    check_comparable(records)
    for record in records:
        require(record, "arrays", ["wavelength", "rmse_by_band"], "errors by band")
    figure = new_figure(3.4)
    axes = figure.subplots()
    nm = records[0].arrays["wavelength"]
    for band in records[0].settings["given bands"]:
        axes.axvline(nm[band], color="0.6", linestyle=":", linewidth=1.0, zorder=0)
    for i, (record, label) in enumerate(zip(records, labels_of(records, names), strict=True)):
        errors = np.where(record.arrays["rmse_by_band"] > 0, record.arrays["rmse_by_band"], np.nan)
        axes.plot(*spectrum_with_gaps(nm, errors), label=label, **line_look(i))
    axes.set_yscale("log")
    axes.set_xlabel(NM)
    axes.set_ylabel("RMSE (counts)")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), handlelength=3)
    return figure


@book_style
def plot_orders(
    nm: ArrayLike, orders: ArrayLike, label: str = "Share of full scale (unitless)"
) -> Figure:
    """Draw what each number of reflections adds to the spectrum of one pixel.

    Parameters
    ----------
    nm : array_like, shape (L,)
        Wavelengths in nm.
    orders : array_like, shape (K, L)
        What arrives after one reflection, after two ...
    label : str
        What a value is, with its unit.

    Returns
    -------
    matplotlib.figure.Figure
        Left the first order and the sum; right the others, which are far smaller.
    """
    parts = np.asarray(orders, dtype=float)
    figure = new_figure(2.6)
    left, right = figure.subplots(1, 2)
    looks = [line_look(i) | {"marker": None} for i in range(len(parts) + 1)]
    total = {"color": "0.72", "linewidth": 3.5}
    left.plot(*spectrum_with_gaps(nm, parts.sum(axis=0)), label="all", **total)
    left.plot(*spectrum_with_gaps(nm, parts[0]), label="order 1", **looks[0])
    for k, (part, look) in enumerate(zip(parts[1:], looks[1:], strict=False), start=2):
        right.plot(*spectrum_with_gaps(nm, part), label=f"order {k}", **look)
    for axes in (left, right):
        axes.set_xlabel(NM)
        axes.set_ylabel(label)
        axes.legend()
    return figure


def _no_ticks(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
