"""Show a cube in colour: three bands chosen by wavelength, stretched to what a screen can show.

By default red, green and blue are the bands nearest to 650, 550 and 450 nm, so a scene looks
roughly as the eye would see it whichever sensor took it. Images to be compared have to share one
stretch, or their differences are stretched away: take :func:`stretch_of` the reference for all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from hsirepro.errors import ParameterError, ShapeError, WavelengthError
from hsirepro.report.style import bad_bands
from hsirepro.scenes.cube import wavelengths_nm

RED_GREEN_BLUE = (650.0, 550.0, 450.0)  # nm
PERCENTILES = (2.0, 98.0)
TOLERANCE = 40.0  # nm: further off, a band no longer stands for its colour


def false_colour(
    cube: xr.DataArray,
    nm: Sequence[float] = RED_GREEN_BLUE,
    percentiles: tuple[float, float] = PERCENTILES,
    stretch: np.ndarray | None = None,
) -> np.ndarray:
    """Return ``cube`` as a colour image.

    Parameters
    ----------
    cube : xarray.DataArray, dims (y, x, wavelength)
        A cube with wavelengths.
    nm : sequence of 3 floats
        Wavelengths in nm to show as red, green and blue; the nearest good band is taken.
    percentiles : (float, float)
        Percentiles of each band that become black and full colour.
    stretch : ndarray, shape (3, 2), optional
        Values that become black and full colour per channel, from :func:`stretch_of`; takes the
        place of ``percentiles``.

    Returns
    -------
    ndarray, shape (H, W, 3), uint8
        NaN pixels and constant bands are black.

    Raises
    ------
    WavelengthError
        If the cube has no wavelengths, or no good band within 40 nm of a colour.
    ParameterError
        If ``nm`` or ``percentiles`` cannot be used.
    ShapeError
        If ``stretch`` is not (3, 2).

    Examples
    --------
    >>> from hsirepro.scenes.cube import make_cube
    >>> pixels = np.linspace(0, 1, 24).reshape(2, 4, 3)
    >>> false_colour(make_cube(pixels, [450, 550, 650])).shape
    (2, 4, 3)
    """
    if stretch is None:
        stretch = stretch_of(cube, nm, percentiles)
    limits = np.asarray(stretch, dtype=float)
    if limits.shape != (3, 2):
        raise ShapeError(
            f"A stretch has shape (3, 2), this one {limits.shape}.",
            next_step="stretch=stretch_of(reference)",
        )
    low, high = limits.T
    span = np.where(high > low, high - low, np.inf)
    scaled = (_three_bands(cube, nm) - low) / span
    return np.asarray(np.rint(255 * np.clip(np.nan_to_num(scaled), 0, 1)), dtype=np.uint8)


def stretch_of(
    cube: xr.DataArray,
    nm: Sequence[float] = RED_GREEN_BLUE,
    percentiles: tuple[float, float] = PERCENTILES,
) -> np.ndarray:
    """Return the values of ``cube`` that become black and full colour, per channel.

    Parameters
    ----------
    cube, nm, percentiles
        As in :func:`false_colour`.

    Returns
    -------
    ndarray, shape (3, 2)
        Low and high value of red, green and blue, in the units of the cube.

    Raises
    ------
    WavelengthError, ParameterError
        As in :func:`false_colour`.
    """
    low, high = percentiles
    if not 0 <= low < high <= 100:
        raise ParameterError(
            f"percentiles={percentiles} is not a range within 0 to 100.",
            next_step=f"percentiles={PERCENTILES} suits most scenes",
        )
    bands = _three_bands(cube, nm)
    # A band without one finite value has no percentiles; it is drawn black.
    bands = np.where(np.isfinite(bands).any(axis=(0, 1)), bands, 0)
    bands = np.where(np.isfinite(bands), bands, np.nan)
    return np.asarray(np.nanpercentile(bands, percentiles, axis=(0, 1)).T)


def colour_bands(cube: xr.DataArray, nm: Sequence[float] = RED_GREEN_BLUE) -> list[int]:
    """Return the 0-based indices of the good bands nearest to the three wavelengths ``nm``.

    Raises
    ------
    WavelengthError, ParameterError
        As in :func:`false_colour`.

    Examples
    --------
    >>> from hsirepro.scenes.cube import make_cube
    >>> colour_bands(make_cube(np.zeros((1, 1, 4)), [455, 550, 552, 640], bad_bands=[1]))
    [3, 2, 0]
    """
    if len(nm) != 3:
        raise ParameterError(
            f"False colour needs three wavelengths in nm, not {len(nm)}.",
            next_step=f"nm={RED_GREEN_BLUE} is true colour, nm=(850, 650, 550) colour infrared",
        )
    wavelengths = wavelengths_nm(cube, "False colour")
    good = np.setdiff1d(np.arange(len(wavelengths)), bad_bands(cube))
    if not good.size:
        raise WavelengthError("False colour needs a good band, and this cube lists all as bad.")
    chosen = [int(good[np.abs(wavelengths[good] - colour).argmin()]) for colour in nm]
    for colour, band in zip(nm, chosen, strict=True):
        if abs(wavelengths[band] - colour) > TOLERANCE:
            _stop(wavelengths[good], colour, float(wavelengths[band]))
    return chosen


def _three_bands(cube: xr.DataArray, nm: Sequence[float]) -> np.ndarray:
    bands = cube.transpose("y", "x", "wavelength").isel(wavelength=colour_bands(cube, nm))
    return np.asarray(bands.values, dtype=float)


def _stop(good: np.ndarray, colour: float, nearest: float) -> None:
    centres = np.sort(good)
    picks = centres[[round(part * (len(centres) - 1)) for part in (0.8, 0.5, 0.2)]]
    raise WavelengthError(
        f"No good band lies within {TOLERANCE:.0f} nm of {colour:g} nm; "
        f"the nearest is at {nearest:g} nm.",
        good_bands=f"{len(centres)}, {centres[0]:g} to {centres[-1]:g} nm",
        next_step="nm=({:.0f}, {:.0f}, {:.0f}) shows what this cube has".format(*picks),
    )
