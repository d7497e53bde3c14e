"""The look that all figures share: size, palettes, spectral axes with gaps.

Lines take seaborn's ``colorblind`` palette and maps take cividis, both of which stay apart under
the common forms of colour blindness and in grey print.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Literal, ParamSpec

import matplotlib as mpl
import matplotlib.style
import numpy as np
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import ArrayLike

WIDTH = 7.5  # inches: the text width of the book
SCREEN_DPI = 144
MAP = "cividis"
MARKERS = "osD^vP*X"
LINES = ("-", "--", ":", "-.")
# Pink and yellow are too pale for thin lines on white, and grey is for shading. Seven colours have
# no divisor in common with four dashes and eight markers: lines of one colour differ in both.
LINE_COLOURS = (0, 1, 2, 3, 4, 5, 9)
# Neighbouring bands further apart than this many usual steps have something missing in between.
GAP_STEPS = 3.0

P = ParamSpec("P")


class BookFigure(Figure):
    """A matplotlib figure that notebooks show without pyplot or a chosen backend.

    Ticks are made late, when a figure is drawn, and read their style then. So it is drawn in the
    book's style, too, whatever the reader's settings are.
    """

    def draw(self, renderer: RendererBase) -> None:
        """Draw in the book's style, whoever asks."""
        with _the_style():
            super().draw(renderer)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        with _the_style():  # which also says how a file is saved
            self.savefig(buffer, format="png", dpi=SCREEN_DPI)
        return buffer.getvalue()


def palette() -> list[tuple[float, float, float]]:
    """Return the ten line colours, as red, green and blue in 0..1."""
    return [tuple(colour) for colour in sns.color_palette("colorblind")]


def line_look(i: int) -> dict[str, Any]:
    """Return colour, dashes and marker of line ``i``; those of 28 lines are all different."""
    return {
        "color": palette()[LINE_COLOURS[i % len(LINE_COLOURS)]],
        "linestyle": LINES[i % len(LINES)],
        "marker": MARKERS[i % len(MARKERS)],
        "markersize": 4,
        # Markers of lines that lie on each other stand beside each other.
        "markevery": (0.03 * (i % 7), 0.21),
        "linewidth": 1.2,
    }


def new_figure(height: float, layout: Literal["constrained"] | None = "constrained") -> BookFigure:
    """Return an empty figure of book width and ``height`` in inches."""
    return BookFigure(figsize=(WIDTH, height), layout=layout)


def room_for_titles(figure: Figure) -> None:
    """Keep pictures with titles further from the edge, where a title would lose its upper end."""
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(h_pad=0.08)  # inches


def book_style(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Give what ``draw`` returns the book's fonts and lines, whatever the reader's settings are."""

    @functools.wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with _the_style():
            return draw(*args, **kwargs)

    return styled


def _the_style() -> AbstractContextManager[None]:
    style: dict[Any, Any] = {
        **sns.axes_style("ticks"),
        **sns.plotting_context("paper"),
        # Seaborn asks for Arial; this one comes with matplotlib, so it looks alike everywhere.
        "font.sans-serif": ["DejaVu Sans"],
        "axes.titlesize": 9,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "legend.frameon": False,
    }
    return mpl.style.context(style, after_reset=True)


def spectrum_with_gaps(
    wavelengths: ArrayLike, values: ArrayLike, bad_bands: ArrayLike = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Order a spectrum by wavelength and open a gap wherever bands are bad or missing.

    Parameters
    ----------
    wavelengths : array_like, shape (C,)
        Band centres in nm, in any order: the spectrometers of AVIRIS overlap.
    values : array_like, shape (C,)
        One value per band.
    bad_bands : array_like of int
        0-based indices of the bands to leave out.

    Returns
    -------
    wavelengths, values : ndarray, shape (N,)
        Ready for ``Axes.plot``, with NaN where the line has to break.

    Examples
    --------
    >>> spectrum_with_gaps([430, 420, 410, 400], [4, 3, 2, 1], bad_bands=[2])[1]
    array([ 1., nan,  3.,  4.])
    """
    x, y = np.array(wavelengths, dtype=float), np.array(values, dtype=float)
    y[np.asarray(bad_bands, dtype=int)] = np.nan
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    steps = np.diff(x)
    if not steps.size:
        return x, y
    holes = np.flatnonzero(steps > GAP_STEPS * np.median(steps))
    middles = (x[holes] + x[holes + 1]) / 2
    return np.insert(x, holes + 1, middles), np.insert(y, holes + 1, np.nan)


def bad_bands(cube: xr.DataArray) -> list[int]:
    """Return the 0-based indices of the bands of ``cube`` that should not be used."""
    return [int(band) for band in cube.attrs.get("bad_bands", ())]


def units_label(cube: xr.DataArray) -> str:
    """Return what a pixel value of ``cube`` means, as an axis label.

    Examples
    --------
    >>> units_label(xr.DataArray(0, attrs={"units": "reflectance"}))
    'Reflectance (unitless)'
    >>> units_label(xr.DataArray(0, attrs={"units": "counts"}))
    'Pixel value (counts)'
    """
    units = str(cube.attrs.get("units", "unknown units"))
    return "Reflectance (unitless)" if units == "reflectance" else f"Pixel value ({units})"


def label_pixels(axes: Axes, *, rows: bool = True) -> None:
    """Name the axes of an image in pixels."""
    axes.set_xlabel("Column (pixel)")
    if rows:
        axes.set_ylabel("Row (pixel)")
