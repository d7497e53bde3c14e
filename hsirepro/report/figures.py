"""Figures of scenes: false colour with spectra, and fused images with their error maps.

Every function returns a matplotlib figure of book width and leaves pyplot alone, so that
``figure`` as the last line of a cell shows it and ``figure.savefig("x.pdf")`` keeps it. A chapter
gives the alternative text of a figure in the metadata of its cell (``mystnb.image.alt``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from hsirepro.errors import ParameterError, ShapeError
from hsirepro.metrics import sam_map
from hsirepro.report.colour import PERCENTILES, RED_GREEN_BLUE, false_colour, stretch_of
from hsirepro.report.style import (
    LINES,
    MAP,
    MARKERS,
    bad_bands,
    book_style,
    label_pixels,
    new_figure,
    palette,
    room_for_titles,
    spectrum_with_gaps,
    units_label,
)
from hsirepro.scenes.cube import wavelengths_nm

PER_ROW = 5  # more images side by side are too small to compare
# The brightest errors of a few pixels would leave the rest of the map dark.
MAP_PERCENTILE = 99.0
ROUNDING = 0.01  # degrees: angles below this are rounding, and are drawn as none

Pixel = tuple[int, int]


@book_style
def plot_scene(
    cube: xr.DataArray,
    pixels: Sequence[Pixel] | None = None,
    nm: Sequence[float] = RED_GREEN_BLUE,
) -> Figure:
    """Draw a scene in false colour beside the spectra of a few of its pixels.

    Parameters
    ----------
    cube : xarray.DataArray, dims (y, x, wavelength)
        A cube with wavelengths.
    pixels : sequence of (row, column), optional
        Pixels to mark, at most 8; by default three along the diagonal.
    nm : sequence of 3 floats
        Wavelengths in nm shown as red, green and blue.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    WavelengthError
        If the cube has no wavelengths, or none near a colour.
    ParameterError
        If a pixel lies outside the image, or there are more than 8.
    """
    marked = _checked_pixels(cube, pixels)
    figure = new_figure(3.4)
    image, spectra = figure.subplots(1, 2, width_ratios=(1, 1.4))
    image.imshow(false_colour(cube, nm), interpolation="nearest")
    image.set_title("False colour, {:g} / {:g} / {:g} nm".format(*nm))
    label_pixels(image)
    for (row, column), marker, colour in zip(marked, MARKERS, palette(), strict=False):
        image.plot(column, row, marker, color=colour, markeredgecolor="white", markersize=8)
        label = f"row {row}, column {column}"
        _draw_spectrum(spectra, cube, (row, column), color=colour, label=label)
        # The same marker on the line links it to the image where colours fail.
        spectra.lines[-1].set(marker=marker, markevery=0.2, markersize=4)
    spectra.set_xlabel("Wavelength (nm)")
    spectra.set_ylabel(units_label(cube))
    _legend_below(figure, spectra)
    return figure


@book_style
def plot_spectra(
    reference: xr.DataArray,
    estimates: Mapping[str, xr.DataArray],
    pixels: Sequence[Pixel] | None = None,
) -> Figure:
    """Draw the true spectrum of a few pixels and what each method made of it.

    Parameters
    ----------
    reference : xarray.DataArray, dims (y, x, wavelength)
        The true cube, with wavelengths.
    estimates : mapping of str to xarray.DataArray
        Method name to its cube, on the grid and bands of ``reference``.
    pixels : sequence of (row, column), optional
        Pixels to draw, at most 8; by default three along the diagonal.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError
        If an estimate does not have the shape of ``reference``.
    WavelengthError, ParameterError
        As in :func:`plot_scene`.
    """
    _check_same_shape(reference, estimates)
    drawn = _checked_pixels(reference, pixels)
    down, across = _grid(len(drawn))
    figure = new_figure(3.0 * down)
    grid = figure.subplots(down, across, sharey=True, squeeze=False)
    for axes, pixel in zip(grid.flat, drawn, strict=False):
        _draw_spectrum(axes, reference, pixel, color="black", label="truth", linewidth=2)
        for i, (name, estimate) in enumerate(estimates.items()):
            look = {"color": palette()[i % 10], "linestyle": LINES[i % len(LINES)]}
            _draw_spectrum(axes, estimate, pixel, label=name, **look)
        axes.set_title("Row {}, column {}".format(*pixel))
        axes.set_xlabel("Wavelength (nm)")
    for axes in grid[:, 0]:
        axes.set_ylabel(units_label(reference))
    for axes in grid.flat[len(drawn) :]:
        axes.remove()
    _legend_below(figure, grid.flat[0])
    return figure


@book_style
def plot_fusion(
    reference: xr.DataArray,
    fused: Mapping[str, xr.DataArray],
    nm: Sequence[float] = RED_GREEN_BLUE,
) -> Figure:
    """Draw fused images beside the reference, and where their spectra are wrong.

    All images share the stretch of the reference, and all maps of the spectral angle (SAM) share
    one scale, so that colours can be compared between methods. A spectrum of zeros has an angle
    of 90 degrees to any other, and of 0 to one of zeros.

    Parameters
    ----------
    reference : xarray.DataArray, dims (y, x, wavelength)
        The true cube, with wavelengths.
    fused : mapping of str to xarray.DataArray
        Method name to its cube, on the grid and bands of ``reference``.
    nm : sequence of 3 floats
        Wavelengths in nm shown as red, green and blue.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError
        If a fused cube does not have the shape of ``reference``.
    ParameterError
        If there is nothing to compare.
    PixelError
        If a cube holds NaN or infinite pixels.
    WavelengthError
        As in :func:`plot_scene`.
    """
    _check_same_shape(reference, fused)
    if not fused:
        raise ParameterError("There is no fused cube to draw.", next_step="fused={'gsa': cube}")
    stretch = stretch_of(reference, nm)
    angles = {name: sam_map(cube, reference, angle_unit="degrees") for name, cube in fused.items()}
    limit = float(np.percentile(list(angles.values()), MAP_PERCENTILE))
    norm = Normalize(0, max(limit, ROUNDING))
    blocks, across = _grid(len(fused) + 1)
    shape = reference.sizes["y"] / reference.sizes["x"]
    figure = new_figure(float(np.clip(2 * shape * 7.0 / across + 0.7, 2.5, 5.5)) * blocks + 0.7)
    room_for_titles(figure)
    grid = figure.subplots(2 * blocks, across, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    _show(grid[0, 0], false_colour(reference, nm, stretch=stretch), "reference")
    note = "Colour in all images:\n{:g} / {:g} / {:g} nm,\n".format(*nm)
    note += "stretched to {:g}–{:g} %\nof the reference".format(*PERCENTILES)
    grid[1, 0].text(
        0.5, 0.5, note, ha="center", va="center", fontsize=8, transform=grid[1, 0].transAxes
    )
    for place, (name, cube) in enumerate(fused.items(), start=1):
        block, column = divmod(place, across)
        upper, lower = grid[2 * block, column], grid[2 * block + 1, column]
        _show(upper, false_colour(cube, nm, stretch=stretch), name)
        _show(lower, angles[name], f"SAM, mean {angles[name].mean():.2f}°", norm=norm, cmap=MAP)
    bar = figure.colorbar(
        ScalarMappable(norm, MAP), ax=grid, location="bottom", shrink=0.6, aspect=40, extend="max"
    )
    bar.set_label("Spectral angle to the reference (degrees)")
    return figure


def _show(axes: Axes, image: np.ndarray, title: str, **options: object) -> None:
    axes.set_axis_on()
    axes.imshow(image, interpolation="nearest", **options)  # type: ignore[arg-type]
    axes.set_title(title)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_spectrum(axes: Axes, cube: xr.DataArray, pixel: Pixel, **look: object) -> None:
    values = cube.values[pixel[0], pixel[1]]
    wavelengths = wavelengths_nm(cube, "A plot of spectra")
    line = spectrum_with_gaps(wavelengths, values, bad_bands(cube))
    axes.plot(*line, **look)  # type: ignore[arg-type]


def _grid(panels: int) -> tuple[int, int]:
    """Return the rows and columns that hold ``panels`` most evenly."""
    rows = math.ceil(panels / PER_ROW)
    return rows, math.ceil(panels / rows)


def _legend_below(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), PER_ROW))


def _checked_pixels(cube: xr.DataArray, pixels: Sequence[Pixel] | None) -> list[Pixel]:
    rows, columns = cube.sizes["y"], cube.sizes["x"]
    if pixels is None:
        return [(rows * part // 4, columns * part // 4) for part in (1, 2, 3)]
    if not 0 < len(pixels) <= len(MARKERS):
        raise ParameterError(
            f"{len(pixels)} pixels were given to draw.",
            next_step=f"pixels=[(row, column), ...] with 1 to {len(MARKERS)} of them",
        )
    for row, column in pixels:
        if not (0 <= row < rows and 0 <= column < columns):
            raise ParameterError(
                f"Pixel (row {row}, column {column}) lies outside the image.",
                image=f"{rows} rows, {columns} columns, counted from 0",
                next_step=f"pixels=[({rows // 2}, {columns // 2})] is its centre",
            )
    return [(int(row), int(column)) for row, column in pixels]


def _check_same_shape(reference: xr.DataArray, others: Mapping[str, xr.DataArray]) -> None:
    for name, cube in others.items():
        if dict(cube.sizes) != dict(reference.sizes):
            raise ShapeError(
                f"The cube of {name!r} does not have the shape of the reference.",
                reference=_size(reference),
                **{name: _size(cube)},
            )


def _size(cube: xr.DataArray) -> str:
    return "{y} x {x} pixels, {wavelength} bands".format(
        **{str(k): n for k, n in cube.sizes.items()}
    )
