"""Figures of an image pair without a truth: what it says of its cameras, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from hsirepro.errors import ParameterError, ShapeError, WavelengthError
from hsirepro.report.colour import RED_GREEN_BLUE, colour_bands, false_colour, stretch_of
from hsirepro.report.diagnostics import BAND_COLOURS, LEARNED
from hsirepro.report.figures import PER_ROW, Pixel, _grid
from hsirepro.report.style import (
    LINES,
    bad_bands,
    book_style,
    label_pixels,
    new_figure,
    palette,
    spectrum_with_gaps,
    units_label,
)
from hsirepro.scenes.cube import wavelengths_nm


def colours_for(cube: xr.DataArray) -> tuple[float, float, float]:
    """Return three wavelengths in nm to show ``cube`` in: red, green, blue where it has them.

    Examples
    --------
    >>> from hsirepro.scenes.cube import make_cube
    >>> colours_for(make_cube(np.zeros((1, 1, 6)), [1500, 1600, 1700, 2000, 2100, 2200]))
    (2100.0, 1700.0, 1600.0)
    """
    try:
        colour_bands(cube, RED_GREEN_BLUE)
    except WavelengthError:
        nm = np.sort(wavelengths_nm(cube, "False colour"))
        picks = (nm[round(part * (len(nm) - 1))] for part in (0.8, 0.5, 0.2))
        red, green, blue = (float(np.rint(pick)) for pick in picks)
        return red, green, blue
    return RED_GREEN_BLUE


@book_style
def plot_coverage(
    response: ArrayLike,
    coverage: Sequence[tuple[int, int]],
    wavelengths: ArrayLike,
    names: Sequence[str],
    other: tuple[str, ArrayLike] | None = None,
) -> Figure:
    """Draw estimated spectral responses, and below them what each band is said to cover.

    Parameters
    ----------
    response : array_like, shape (l, L)
        Weight of each HSI band in each MSI band.
    coverage : sequence of (int, int)
        First and last HSI band (inclusive, 0-based) of each MSI band.
    wavelengths : array_like, shape (L,)
        Increasing band centres of the HSI in nm.
    names : sequence of l str
        Of the MSI bands.
    other : (str, array_like), optional
        Label and weights of another response, drawn broad and pale below the first.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError
        If the four do not fit each other.
    """
    rows, nm = np.asarray(response, float), np.asarray(wavelengths, float).reshape(-1)
    if rows.shape != (len(names), len(nm)) or len(coverage) != len(names):
        raise ShapeError(
            "Responses, coverage, wavelengths and names do not fit each other.",
            response=str(rows.shape),
            coverage=str(len(coverage)),
            wavelengths=str(len(nm)),
            names=str(len(names)),
        )
    figure = new_figure(3.0 + 0.12 * len(names))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(5, 1 + 0.4 * len(names)))
    half = np.gradient(nm) / 2 if len(nm) > 1 else np.ones(1)
    for i, name in enumerate(names):
        colour = palette()[BAND_COLOURS[i % len(BAND_COLOURS)]]
        if other is not None:
            pale = spectrum_with_gaps(nm, np.asarray(other[1], float)[i])
            above.plot(*pale, color=colour, **LEARNED)
        line = spectrum_with_gaps(nm, rows[i])
        above.plot(*line, color=colour, linestyle=LINES[i % len(LINES)], label=name)
        first, last = coverage[i]
        low, high = nm[first] - half[first], nm[last] + half[last]
        below.barh(i, high - low, left=low, height=0.7, color=colour, alpha=0.7)
    if other is not None:
        above.plot([], [], color="black", label=other[0], **LEARNED)
    above.set_ylabel("Weight (unitless)")
    below.set_yticks(range(len(names)), names)
    below.invert_yaxis()
    below.set_xlabel("Wavelength (nm)")
    below.set_ylabel("Covers")
    above.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


@book_style
def plot_widths(
    widths: Mapping[str, tuple[ArrayLike, ArrayLike]], best: float, truth: float | None = None
) -> Figure:
    """Draw how much of the MSI each width of the point spread leaves unexplained.

    Parameters
    ----------
    widths : mapping of str to (array_like, array_like)
        Window of the Gaussian to its widths in MSI pixels, and the share of the MSI's standard
        deviation that each leaves unexplained.
    best : float
        The width taken.
    truth : float, optional
        The true width, where it is known.

    Returns
    -------
    matplotlib.figure.Figure
    """
    if not widths:
        raise ParameterError("There is no width to draw: it was given, not estimated.")
    figure = new_figure(2.8)
    axes = figure.subplots()
    for i, (name, (sigma, share)) in enumerate(widths.items()):
        percent = 100 * np.asarray(share, float)
        look = {"color": palette()[i], "linestyle": LINES[i], "marker": "os"[i % 2]}
        axes.plot(np.asarray(sigma, float), percent, label=name, markersize=4, **look)  # type: ignore[arg-type]
    axes.axvline(best, color="black", linewidth=1, label=f"taken: {best:.2f}")
    if truth is not None:
        axes.axvline(truth, color="black", linewidth=3, alpha=0.25, label=f"true: {truth:.2f}")
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("PSF sigma (MSI pixels)")
    axes.set_ylabel("Unexplained (% of\nthe MSI's variation)")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


@book_style
def plot_pair(
    hsi: xr.DataArray,
    msi: xr.DataArray,
    centres: ArrayLike,
    fused: Mapping[str, xr.DataArray],
) -> Figure:
    """Draw HSI, MSI and fused cubes in false colour; fused cubes have the stretch of the HSI.

    Parameters
    ----------
    hsi : DataArray, shape (h, w, L)
    msi : DataArray, shape (H, W, l)
        In the units of ``hsi``.
    centres : array_like, shape (l,)
        Where the MSI bands lie, nm; the three nearest to the colours are shown, or one in grey
        where there are no three.
    fused : mapping of str to DataArray, shape (H, W, L)
        Method name to its cube.

    Returns
    -------
    matplotlib.figure.Figure
    """
    nm = colours_for(hsi)
    stretch = stretch_of(hsi, nm)
    images = {"HSI": false_colour(hsi, nm, stretch=stretch), "MSI": _msi_colour(msi, centres, nm)}
    images |= {name: false_colour(cube, nm, stretch=stretch) for name, cube in fused.items()}
    down, across = _grid(len(images))
    shape = hsi.sizes["y"] / hsi.sizes["x"]
    figure = new_figure(float(np.clip(shape * 5.6 / across + 0.9, 1.8, 6.0)) * down + 0.2)
    grid = figure.subplots(down, across, squeeze=False)
    for place, (axes, (name, image)) in enumerate(zip(grid.flat, images.items(), strict=False)):
        axes.imshow(image, interpolation="nearest")
        axes.set_title(name)
        label_pixels(axes, rows=place % across == 0)
        for axis in (axes.xaxis, axes.yaxis):
            axis.get_major_locator().set_params(integer=True)
    for axes in grid.flat[len(images) :]:
        axes.remove()
    figure.suptitle("Red, green, blue: {:.0f}, {:.0f}, {:.0f} nm".format(*nm), fontsize=9)
    return figure


@book_style
def plot_pair_spectra(
    hsi: xr.DataArray,
    msi: xr.DataArray,
    centres: ArrayLike,
    fused: Mapping[str, xr.DataArray],
    ratio: int,
    pixels: Sequence[Pixel] | None = None,
) -> Figure:
    """Draw spectra of HSI pixels, and of one fused pixel inside each.

    Parameters
    ----------
    hsi, msi, centres, fused
        As in :func:`plot_pair`.
    ratio : int
        MSI pixels along the side of an HSI pixel.
    pixels : sequence of (row, column), optional
        Pixels of the HSI; by default three along the diagonal.

    Returns
    -------
    matplotlib.figure.Figure
        The MSI values of the same small pixel are drawn as dots at ``centres``.
    """
    nm, dots = wavelengths_nm(hsi, "A plot of spectra"), np.asarray(centres, float).reshape(-1)
    rows, columns = hsi.sizes["y"], hsi.sizes["x"]
    drawn = pixels or [(rows * part // 4, columns * part // 4) for part in (1, 2, 3)]
    down, across = _grid(len(drawn))
    figure = new_figure(3.0 * down)
    grid = figure.subplots(down, across, sharey=True, squeeze=False)
    for axes, (row, column) in zip(grid.flat, drawn, strict=False):
        inside = row * ratio + ratio // 2, column * ratio + ratio // 2
        coarse = spectrum_with_gaps(nm, hsi.values[row, column], bad_bands(hsi))
        axes.plot(*coarse, label="HSI pixel", **{**LEARNED, "color": "black", "alpha": 0.25})
        for i, (name, cube) in enumerate(fused.items()):
            line = spectrum_with_gaps(nm, cube.values[inside], bad_bands(hsi))
            look = {"color": palette()[i % 10], "linestyle": LINES[i % len(LINES)]}
            axes.plot(*line, label=f"{name}, one pixel in it", **look)
        axes.plot(dots, msi.values[inside], "D", color="black", markersize=4, label="MSI pixel")
        axes.set_title(f"HSI row {row}, column {column}")
        axes.set_xlabel("Wavelength (nm)")
    for axes in grid[:, 0]:
        axes.set_ylabel(units_label(hsi))
    for axes in grid.flat[len(drawn) :]:
        axes.remove()
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), PER_ROW))
    return figure


def _msi_colour(msi: xr.DataArray, centres: ArrayLike, nm: Sequence[float]) -> np.ndarray:
    """Return the MSI as (H, W, 3): its bands nearest to the colours, or the first in grey."""
    at = np.asarray(centres, float).reshape(-1)
    chosen = [int(np.abs(at - colour).argmin()) for colour in nm]
    if len(set(chosen)) < 3:
        chosen = [0, 0, 0]
    bands = msi.values[:, :, chosen].astype(float)
    low, high = np.percentile(bands, (2, 98), axis=(0, 1))
    scaled = (bands - low) / np.where(high > low, high - low, np.inf)
    return np.asarray(np.rint(255 * scaled.clip(0, 1)), dtype=np.uint8)
