"""Figures of what a method learned and how: kernels, responses, curves, accuracy by band."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from hsirepro.errors import ParameterError, ShapeError, suggest
from hsirepro.report.figures import _check_same_shape
from hsirepro.report.style import (
    LINES,
    MAP,
    bad_bands,
    book_style,
    new_figure,
    palette,
    spectrum_with_gaps,
)
from hsirepro.scenes.cube import wavelengths_nm

# Blue, green, vermilion first: the order of the visible bands of most multispectral sensors.
BAND_COLOURS = (0, 2, 3, 4, 1, 5, 9, 7, 6, 8)
LEARNED: dict[str, Any] = {"linestyle": "-", "linewidth": 4, "alpha": 0.4}
TRUE: dict[str, Any] = {"linestyle": "--", "linewidth": 1.5}
METRICS = ("PSNR", "RMSE")


@book_style
def plot_psf(learned: ArrayLike, truth: ArrayLike) -> Figure:
    """Draw a learned point spread function beside the true one, on one scale.

    Parameters
    ----------
    learned, truth : array_like, shape (k, k)
        Kernels on the grid of the fine image.

    Returns
    -------
    matplotlib.figure.Figure
        The title says how well they agree: the correlation of the weights and the sum of their
        absolute differences (L1).

    Raises
    ------
    ShapeError
        If the kernels are not two images of one size.
    """
    kernels = {"Learned": np.asarray(learned, float), "True": np.asarray(truth, float)}
    shapes = [kernel.shape for kernel in kernels.values()]
    if shapes[0] != shapes[1] or len(shapes[0]) != 2:
        raise ShapeError(
            "Two kernels of one size are needed to compare them.",
            learned=str(shapes[0]),
            truth=str(shapes[1]),
        )
    correlation, distance = _agreement(*kernels.values())
    low = min(0.0, *(float(kernel.min()) for kernel in kernels.values()))
    high = max(float(kernel.max()) for kernel in kernels.values())
    figure = new_figure(3.4)
    panels = figure.subplots(1, 2)
    for axes, (name, kernel) in zip(panels, kernels.items(), strict=True):
        image = axes.imshow(kernel, cmap=MAP, vmin=low, vmax=high, interpolation="nearest")
        axes.set_title(f"{name} PSF")
        axes.set_xlabel("Column (fine pixel)")
        axes.set_ylabel("Row (fine pixel)")
        # A kernel has few pixels: count them in whole numbers.
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.yaxis.get_major_locator().set_params(integer=True)
    figure.colorbar(image, ax=panels, label="Weight (unitless)")
    figure.suptitle(f"Correlation {correlation}, L1 distance {distance:.3g}", fontsize=10)
    return figure


@book_style
def plot_srf(
    learned: ArrayLike,
    truth: ArrayLike,
    wavelengths: ArrayLike,
    names: Sequence[str] | None = None,
) -> Figure:
    """Draw learned spectral responses (broad, pale) under the true ones (dashed).

    Parameters
    ----------
    learned, truth : array_like, shape (l, L)
        Weight of each of L hyperspectral bands in each of l multispectral bands.
    wavelengths : array_like, shape (L,)
        Band centres in nm.
    names : sequence of l str, optional
        Names of the multispectral bands; numbered from 1 by default.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError
        If the shapes do not fit each other.
    """
    found, true = np.asarray(learned, float), np.asarray(truth, float)
    centres = np.asarray(wavelengths, float).reshape(-1)
    labels = list(names) if names is not None else [f"band {i + 1}" for i in range(len(true))]
    if found.ndim != 2 or found.shape != true.shape or true.shape != (len(labels), len(centres)):
        raise ShapeError(
            "Responses, wavelengths and names do not fit each other.",
            learned=str(found.shape),
            truth=str(true.shape),
            wavelengths=str(len(centres)),
            names=str(len(labels)),
        )
    figure = new_figure(3.0)
    axes = figure.subplots()
    handles = []
    for i, name in enumerate(labels):
        colour = palette()[BAND_COLOURS[i % len(BAND_COLOURS)]]
        # The truth lies on a broad, pale line, so both are seen where they agree.
        axes.plot(*spectrum_with_gaps(centres, found[i]), color=colour, **LEARNED)
        axes.plot(*spectrum_with_gaps(centres, true[i]), color=colour, **TRUE)
        handles.append(Line2D([], [], color=colour, label=name))
    handles.append(Line2D([], [], color="black", label="learned", **LEARNED))
    handles.append(Line2D([], [], color="black", label="true", **TRUE))
    axes.set_xlabel("Wavelength (nm)")
    axes.set_ylabel("Weight (unitless)")
    axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


@book_style
def plot_curves(curves: Mapping[str, ArrayLike]) -> Figure:
    """Draw losses (log axis) and PSNR (dB) against the iteration.

    Parameters
    ----------
    curves : mapping of str to array_like, shape (n,)
        Name to values; ``"iteration"`` holds the iteration of every value. Names with ``psnr`` in
        them go to a panel of their own. Losses that are not positive have no place on a log axis
        and leave a gap.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ParameterError
        If there is no ``"iteration"``, or no curve besides it.
    ShapeError
        If a curve does not have one value per iteration.
    """
    lines = {name: np.asarray(values, float).reshape(-1) for name, values in curves.items()}
    iterations = lines.pop("iteration", None)
    if iterations is None or not lines:
        raise ParameterError(
            f"Curves {sorted(curves)} cannot be drawn.",
            next_step="give 'iteration' and at least one curve besides",
        )
    for name, values in lines.items():
        if len(values) != len(iterations):
            raise ShapeError(
                f"Curve {name!r} has {len(values)} values for {len(iterations)} iterations."
            )
    accuracy = {name: values for name, values in lines.items() if "psnr" in name.lower()}
    losses = {name: values for name, values in lines.items() if name not in accuracy}
    panels = [panel for panel in (losses, accuracy) if panel]
    figure = new_figure(2.5 * len(panels))
    grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, panel in zip(grid, panels, strict=True):
        _draw_curves(axes, iterations, panel, loss=panel is losses)
    grid[-1].set_xlabel("Iteration")
    return figure


@book_style
def plot_metric_by_band(
    reference: xr.DataArray, estimates: Mapping[str, xr.DataArray], metric: str = "PSNR"
) -> Figure:
    """Draw the accuracy of every band against its wavelength.

    Parameters
    ----------
    reference : xarray.DataArray, dims (y, x, wavelength)
        The true cube, with wavelengths.
    estimates : mapping of str to xarray.DataArray
        Method name to its cube, on the grid and bands of ``reference``.
    metric : {"PSNR", "RMSE"}
        PSNR in dB with the largest value of each reference band as its peak, or RMSE in the
        units of the cube.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ParameterError
        If ``metric`` is unknown.
    ShapeError
        If an estimate does not have the shape of ``reference``.
    WavelengthError
        If the reference has no wavelengths.
    """
    if metric not in METRICS:
        raise ParameterError(
            f"There is no metric {metric!r} by band.", next_step=suggest(metric, METRICS)
        )
    _check_same_shape(reference, estimates)
    centres = wavelengths_nm(reference, "A plot by band")
    figure = new_figure(3.0)
    axes = figure.subplots()
    for i, (name, estimate) in enumerate(estimates.items()):
        values = _by_band(estimate, reference, metric)
        line = spectrum_with_gaps(centres, values, bad_bands(reference))
        axes.plot(*line, LINES[i % len(LINES)], color=palette()[i % 10], label=name)
    _label_bands(axes, reference, metric)
    return figure


def _draw_curves(
    axes: Axes, iterations: np.ndarray, curves: Mapping[str, np.ndarray], *, loss: bool
) -> None:
    for i, (name, values) in enumerate(curves.items()):
        shown = np.where(values > 0, values, np.nan) if loss else values
        axes.plot(iterations, shown, LINES[i % len(LINES)], color=palette()[i % 10], label=name)
    axes.set_ylabel("Loss (unitless, log scale)" if loss else "PSNR (dB)")
    if loss:
        axes.set_yscale("log")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def _label_bands(axes: Axes, reference: xr.DataArray, metric: str) -> None:
    units = reference.attrs.get("units", "unknown units")
    axes.set_xlabel("Wavelength (nm)")
    axes.set_ylabel("PSNR (dB)" if metric == "PSNR" else f"RMSE ({units})")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def _by_band(estimate: xr.DataArray, reference: xr.DataArray, metric: str) -> np.ndarray:
    truth = np.asarray(reference.values, dtype=float)
    error = np.sqrt(((np.asarray(estimate.values, float) - truth) ** 2).mean(axis=(0, 1)))
    if metric == "RMSE":
        return np.asarray(error)
    peak = truth.max(axis=(0, 1))
    # A band without error, or without signal, has no finite PSNR: its place stays empty.
    fine = (error > 0) & (peak > 0)
    ratio = np.divide(peak, error, out=np.full_like(peak, np.nan), where=fine)
    return np.asarray(20 * np.log10(ratio))


def _agreement(learned: np.ndarray, truth: np.ndarray) -> tuple[str, float]:
    flat = learned.std() == 0 or truth.std() == 0
    correlation = "undefined" if flat else f"{np.corrcoef(learned.flat, truth.flat)[0, 1]:.3f}"
    return correlation, float(np.abs(learned - truth).sum())
