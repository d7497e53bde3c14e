"""Figures of unmixing and of generated tiles: endmembers, maps, mosaics, densities of spectra."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from hsirepro.errors import ParameterError
from hsirepro.records import Record
from hsirepro.report.checks import require
from hsirepro.report.style import (
    MAP,
    book_style,
    line_look,
    new_figure,
    palette,
    room_for_titles,
    spectrum_with_gaps,
    units_label,
)
from hsirepro.scenes.cube import has_wavelengths

PER_ROW = 5


@book_style
def plot_endmembers(endmembers: ArrayLike, cube: xr.DataArray) -> Figure:
    """Draw the spectra of endmembers.

    Parameters
    ----------
    endmembers : array_like, shape (L, p)
        In the units of ``cube``.
    cube : DataArray
        The scene they are of: its wavelengths and units.

    Returns
    -------
    matplotlib.figure.Figure
    """
    spectra = np.asarray(endmembers, dtype=float).T
    figure = new_figure(3.0)
    axes = figure.subplots()
    for number, spectrum in enumerate(spectra):
        axes.plot(
            *spectrum_with_gaps(cube.wavelength.values, spectrum),
            label=str(number + 1),
            **line_look(number),
        )
    axes.set(xlabel=_band_label(cube), ylabel=units_label(cube).replace("Pixel value", "Value"))
    axes.legend(title="Endmember", loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


@book_style
def plot_matches(record: Record) -> Figure:
    """Draw estimated endmembers over the published ones that they were matched to.

    Parameters
    ----------
    record : Record
        With the arrays ``endmembers`` and ``reference``, shape (L, p), each column of unit length,
        ``angles``, shape (p,), and ``wavelength``, shape (L,), nm or band numbers; the setting
        ``materials`` names the columns.

    Returns
    -------
    matplotlib.figure.Figure
    """
    require(record, "arrays", ["endmembers", "reference", "angles", "wavelength"], "endmembers")
    arrays, names = record.arrays, list(record.settings["materials"])
    nm = arrays["wavelength"]
    figure = new_figure(2.6)
    room_for_titles(figure)
    grid = figure.subplots(1, len(names), squeeze=False, sharey=True)[0]
    for i, (axes, name) in enumerate(zip(grid, names, strict=True)):
        for spectra, dashes, label in (
            (arrays["reference"], "--", "published"),
            (arrays["endmembers"], "-", "found"),
        ):
            axes.plot(
                *spectrum_with_gaps(nm, spectra[:, i]),
                linestyle=dashes,
                color=palette()[0 if label == "found" else 1],
                linewidth=1.2,
                label=label,
            )
        axes.set_title(f"{name}, {arrays['angles'][i]:.1f}°")
        axes.set_xlabel(_axis_of(nm))
    grid[0].set_ylabel(f"{record.key.scene}\nunit spectrum (unitless)")
    grid[-1].legend()
    return figure


@book_style
def plot_maps(
    maps: ArrayLike,
    titles: Sequence[str],
    label: str,
    limits: tuple[float, float] | None = None,
    columns: int = PER_ROW,
) -> Figure:
    """Draw maps side by side on one scale.

    Parameters
    ----------
    maps : array_like, shape (n, H, W)
    titles : sequence of str
        One a map.
    label : str
        What a value is, with its unit.
    limits : (float, float), optional
        Of the scale; those of the values by default.
    columns : int
        Maps side by side, at most.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ParameterError
        If there are no maps, or not as many titles.
    """
    stack = np.asarray(maps, dtype=float)
    if not len(stack) or len(stack) != len(titles):
        raise ParameterError(f"{len(stack)} maps cannot have {len(titles)} titles.")
    low, high = limits or (float(stack.min()), float(stack.max()))
    norm = Normalize(low, high if high > low else low + 1.0)
    columns = min(columns, len(stack))
    rows = math.ceil(len(stack) / columns)
    shape = stack.shape[1] / stack.shape[2]
    figure = new_figure(rows * (7.2 / columns * shape + 0.35) + 0.8)
    room_for_titles(figure)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, one, title in zip(grid.flat, stack, titles, strict=False):
        axes.imshow(one, MAP, norm, interpolation="nearest")
        axes.set_title(title)
    figure.colorbar(
        ScalarMappable(norm, MAP), ax=grid, location="bottom", shrink=0.6, aspect=40, label=label
    )
    return figure


@book_style
def plot_mosaics(pictures: Mapping[str, ArrayLike], size: int = 0) -> Figure:
    """Draw mosaics of tiles in false colour, each under its name.

    Parameters
    ----------
    pictures : mapping of str to array_like, shape (H, W, 3), uint8
    size : int
        Rows and columns of a tile, to draw lines between tiles; 0 draws none.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ParameterError
        If there is nothing to draw.
    """
    if not pictures:
        raise ParameterError("There are no tiles to draw.", next_step="hsirepro run hud ...")
    columns = min(4, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    figure = new_figure(rows * (7.3 / columns + 0.35))
    room_for_titles(figure)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (name, picture) in zip(grid.flat, pictures.items(), strict=False):
        shown = np.asarray(picture)
        axes.imshow(shown, interpolation="nearest")
        axes.set_title(name)
        for draw, side in ((axes.axhline, shown.shape[0]), (axes.axvline, shown.shape[1])):
            for between in range(size, side, size) if size else ():
                draw(between - 0.5, color="white", linewidth=1.0)
    return figure


@book_style
def plot_densities(densities: Mapping[str, ArrayLike], wavelength: ArrayLike, top: float) -> Figure:
    """Draw where the spectra of tiles lie: how often each value occurs at each wavelength.

    Parameters
    ----------
    densities : mapping of str to array_like, shape (L, levels)
        Shares of pixels, in 1/65535, over equal levels from 0 to ``top``.
    wavelength : array_like, shape (L,)
        Band centres in nm, or band numbers.
    top : float
        Upper end of the highest level.

    Returns
    -------
    matplotlib.figure.Figure
        All panels share one logarithmic scale.

    Raises
    ------
    ParameterError
        If there is nothing to draw.
    """
    if not densities:
        raise ParameterError("There are no spectra to draw.", next_step="hsirepro run hud ...")
    order = np.argsort(np.asarray(wavelength, dtype=float), kind="stable")
    nm = np.asarray(wavelength, dtype=float)[order]
    columns = min(4, len(densities))
    rows = math.ceil(len(densities) / columns)
    figure = new_figure(rows * 1.9 + 0.9)
    room_for_titles(figure)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    norm = LogNorm(1e-3, 1.0)
    for axes, (name, shares) in zip(grid.flat, densities.items(), strict=False):
        _draw_density(axes, np.asarray(shares, dtype=float)[order] / 65535, nm, top, norm)
        axes.set_title(name)
    for axes in grid.flat[len(densities) :]:
        axes.set_axis_off()
    for axes in grid.flat[max(0, len(densities) - columns) : len(densities)]:
        axes.set_xlabel(_axis_of(nm))  # the lowest of its column
        axes.tick_params(labelbottom=True)
    figure.supylabel("Value (99.9th percentile = 1)", fontsize="medium")
    figure.colorbar(
        ScalarMappable(norm, MAP),
        ax=grid,
        location="bottom",
        shrink=0.6,
        aspect=40,
        extend="min",
        label="Share of the pixels of a band (log scale)",
    )
    return figure


@book_style
def plot_trade_off(points: Mapping[str, Sequence[tuple[float, float]]], nulls: set[str]) -> Figure:
    """Draw methods by point fidelity and block diversity, a marker per run.

    Parameters
    ----------
    points : mapping of str to sequence of (fidelity, diversity)
        One sequence a method, one pair a seed.
    nulls : set of str
        Methods that are null models: drawn hollow.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = new_figure(3.4)
    axes = figure.subplots()
    for number, (name, pairs) in enumerate(points.items()):
        look = line_look(number)
        colour = look["color"]
        axes.plot(
            *zip(*pairs, strict=True),
            linestyle="",
            marker=look["marker"],
            markersize=7,
            color=colour,
            markerfacecolor="none" if name in nulls else colour,
            label=name,
        )
    low = min([*axes.get_xlim(), *axes.get_ylim()])
    axes.plot([low, 1], [low, 1], color=palette()[7], linewidth=0.8, linestyle=":")
    axes.set(xlabel="Point fidelity (cosine)", ylabel="Block diversity (cosine; lower: newer)")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _draw_density(
    axes: Axes, shares: np.ndarray, nm: np.ndarray, top: float, norm: LogNorm
) -> None:
    levels = np.linspace(0.0, top, shares.shape[1] + 1)
    middles = (nm[1:] + nm[:-1]) / 2
    edges = np.concatenate([[nm[0]], middles, [nm[-1]]])
    axes.pcolormesh(edges, levels, np.maximum(shares.T, 1e-6), norm=norm, cmap=MAP, rasterized=True)
    axes.set_facecolor("0.5")


def _axis_of(centres: np.ndarray) -> str:
    """Tell band centres in nm from band numbers, which is what a record holds without them."""
    return "Wavelength (nm)" if centres.max() > len(centres) else "Band"


def _band_label(cube: xr.DataArray) -> str:
    return "Wavelength (nm)" if has_wavelengths(cube) else "Band"
