"""Analytic reflectance spectra of everyday surface materials, 350-2500 nm.

Every material is a smooth closed formula instead of a library file, so that it can be evaluated
at the bands of any sensor and carries no licence:

    r(lam) = [base + sum_s h_s S((lam - c_s) / w_s) + sum_p h_p G((lam - c_p) / w_p)]
             * exp(-sum_d d_d G((lam - c_d) / w_d))

with the logistic step S(t) = 1 / (1 + exp(-t)) and the bell G(t) = exp(-t^2 / 2). Steps and peaks
draw the continuum; the exponential draws absorption bands as Beer and Lambert would. Positions of
the features are textbook values: chlorophyll at 430-480 and 670 nm, the red edge near 715 nm,
liquid water at 970, 1200, 1450 and 1940 nm, iron oxides near 530 and 870 nm, clay (Al-OH) at
2200 nm, cellulose at 2100 nm, carbonate at 2340 nm. Heights and widths are chosen by eye to lie
near published library spectra; they stand for kinds of surface, not for measured samples.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hsirepro.errors import ParameterError, WavelengthError, suggest

WAVELENGTH_RANGE = (350.0, 2500.0)
"""Shortest and longest wavelength, nm, at which the formulas hold."""

Feature = tuple[float, float, float]


@dataclass(frozen=True)
class Material:
    """One surface material: the terms of the formula above.

    Parameters
    ----------
    roles : tuple of str
        Where a scene may use it: ``field``, ``ground``, ``road``, ``roof``, ``water``, ``tree``.
    base : float
        Reflectance far below the first step.
    steps, peaks : tuple of (height, centre nm, width nm)
        Terms of the continuum, in reflectance; a negative height goes down.
    bands : tuple of (depth, centre nm, width nm)
        Absorption bands, depth in optical thickness.
    """

    roles: tuple[str, ...]
    base: float
    steps: tuple[Feature, ...] = ()
    peaks: tuple[Feature, ...] = ()
    bands: tuple[Feature, ...] = ()

    def reflectance(self, wavelength: NDArray[np.float64]) -> NDArray[np.float64]:
        """Evaluate the formula at ``wavelength`` (C,) in nm; returns (C,), between 0 and 1."""
        level = np.full(wavelength.shape, self.base)
        for height, centre, width in self.steps:
            level += height / (1.0 + np.exp(-(wavelength - centre) / width))
        return (level + bells(wavelength, self.peaks)) * np.exp(-bells(wavelength, self.bands))


def bells(wavelength: NDArray[np.float64], features: Iterable[Feature]) -> NDArray[np.float64]:
    """Sum Gaussian bells ``(height, centre nm, standard deviation nm)`` at ``wavelength``."""
    total = np.zeros(wavelength.shape)
    for height, centre, width in features:
        total += height * np.exp(-0.5 * ((wavelength - centre) / width) ** 2)
    return total


def _leaf_water(amount: float) -> tuple[Feature, ...]:
    """Liquid-water bands of leaves; ``amount`` 1 is a fresh, dense canopy."""
    bands = ((0.14, 970.0, 24.0), (0.26, 1200.0, 38.0), (1.35, 1450.0, 62.0), (1.9, 1940.0, 85.0))
    return (*((amount * d, c, w) for d, c, w in bands), (amount * 1.6, 2600.0, 210.0))


def _chlorophyll(amount: float) -> tuple[Feature, ...]:
    return (
        (0.55 * amount, 440.0, 35.0),
        (0.35 * amount, 480.0, 22.0),
        (0.95 * amount, 672.0, 22.0),
    )


MATERIALS: dict[str, Material] = {
    "vegetation": Material(
        roles=("field", "ground"),
        base=0.055,
        steps=((0.42, 716.0, 11.0), (0.05, 780.0, 25.0), (-0.20, 1380.0, 60.0)),
        peaks=((0.065, 552.0, 30.0),),
        bands=(*_chlorophyll(1.0), *_leaf_water(1.0)),
    ),
    "tree": Material(
        roles=("tree", "field"),
        base=0.032,
        steps=((0.21, 720.0, 13.0), (0.095, 800.0, 38.0), (-0.14, 1380.0, 70.0)),
        peaks=((0.026, 549.0, 27.0),),
        bands=(*_chlorophyll(0.9), *_leaf_water(1.15)),
    ),
    "dry_grass": Material(
        roles=("field", "ground"),
        base=0.03,
        steps=((0.17, 575.0, 62.0), (0.19, 830.0, 130.0), (-0.14, 1950.0, 180.0)),
        bands=((0.10, 672.0, 20.0), *_leaf_water(0.22), (0.13, 2100.0, 45.0), (0.1, 2300.0, 35.0)),
    ),
    "soil": Material(
        roles=("field", "ground"),
        base=0.03,
        steps=((0.14, 570.0, 48.0), (0.22, 960.0, 260.0), (-0.10, 2330.0, 90.0)),
        bands=(
            (0.14, 500.0, 40.0),  # ferric iron
            (0.10, 880.0, 55.0),  # ferric iron
            (0.16, 1415.0, 22.0),
            (0.30, 1915.0, 32.0),
            (0.20, 2205.0, 20.0),  # clay
        ),
    ),
    "water": Material(
        roles=("water",),
        base=0.045,
        steps=((-0.028, 595.0, 18.0), (-0.0145, 725.0, 22.0)),
        peaks=((0.030, 545.0, 48.0), (0.006, 812.0, 18.0)),
    ),
    "asphalt": Material(
        roles=("road", "ground"),
        base=0.062,
        steps=((0.030, 560.0, 90.0), (0.035, 1100.0, 300.0)),
        bands=((0.06, 2310.0, 25.0),),
    ),
    "concrete": Material(
        roles=("road", "roof", "ground"),
        base=0.12,
        steps=((0.20, 470.0, 70.0), (0.07, 900.0, 220.0)),
        bands=((0.10, 1420.0, 28.0), (0.22, 1930.0, 40.0), (0.18, 2340.0, 32.0)),
    ),
    "red_tile": Material(
        roles=("roof",),
        base=0.055,
        steps=((0.20, 584.0, 13.0), (0.075, 745.0, 28.0), (0.10, 1150.0, 160.0)),
        bands=((0.22, 525.0, 26.0), (0.20, 868.0, 55.0), (0.12, 1920.0, 32.0)),
    ),
    "metal_roof": Material(
        roles=("roof", "car"),
        base=0.40,
        steps=((0.14, 430.0, 30.0), (0.16, 1150.0, 260.0)),
        bands=((0.12, 1000.0, 150.0),),
    ),
    "blue_paint": Material(
        roles=("roof", "car"),
        base=0.07,
        steps=((0.20, 792.0, 26.0), (0.15, 1080.0, 110.0), (-0.12, 1640.0, 90.0)),
        peaks=((0.24, 465.0, 34.0),),
        bands=((0.40, 615.0, 55.0), (0.30, 1720.0, 22.0), (0.45, 2310.0, 40.0)),
    ),
    "snow": Material(
        roles=("field",),
        base=0.95,
        steps=(
            (-0.25, 1000.0, 90.0),
            (-0.30, 1290.0, 60.0),
            (-0.10, 1450.0, 30.0),
            (-0.22, 1900.0, 50.0),
        ),
        peaks=((0.05, 1830.0, 55.0), (0.04, 2240.0, 60.0)),
        bands=(
            (0.22, 1030.0, 30.0),
            (0.45, 1270.0, 45.0),
            (1.7, 1510.0, 90.0),
            (1.5, 2020.0, 95.0),
        ),
    ),
}

DEFAULT_MATERIALS = tuple(name for name in MATERIALS if name != "snow")
"""The materials of a planted scene unless others are asked for."""


def check_wavelengths(wavelengths: ArrayLike) -> NDArray[np.float64]:
    """Return ``wavelengths`` as float64 (C,), in nm.

    Raises
    ------
    WavelengthError
        If there are none, or one lies outside 350-2500 nm; micrometres are recognised.
    """
    nm = np.asarray(wavelengths, dtype=np.float64).reshape(-1)
    low, high = WAVELENGTH_RANGE
    outside = nm[~((nm >= low) & (nm <= high))]
    if nm.size and not outside.size:
        return nm
    if not nm.size:
        raise WavelengthError("No wavelengths were given.", next_step="give at least one, in nm")
    in_micrometres = bool(np.all((nm >= low / 1000.0) & (nm <= high / 1000.0)))
    raise WavelengthError(
        f"{outside.size} of {nm.size} wavelengths lie outside {low:.0f}-{high:.0f} nm, "
        f"the first is {outside[0]:g}.",
        next_step="multiply by 1000: these look like micrometres"
        if in_micrometres
        else f"keep the bands between {low:.0f} and {high:.0f} nm",
    )


def endmember_spectra(materials: Iterable[str], wavelengths: ArrayLike) -> NDArray[np.float64]:
    """Evaluate the reflectance of materials at a sensor's bands.

    Parameters
    ----------
    materials : iterable of str
        Names from :data:`MATERIALS`.
    wavelengths : array_like, shape (C,)
        Band centres in nm, within 350-2500.

    Returns
    -------
    ndarray, shape (M, C)
        Reflectance, 0 to 1.

    Raises
    ------
    ParameterError
        If a material is unknown.
    WavelengthError
        If a wavelength is out of range.

    Examples
    --------
    >>> red, nir = endmember_spectra(["vegetation"], [670, 800])[0]
    >>> bool(nir > 4 * red)
    True
    """
    nm = check_wavelengths(wavelengths)
    names = list(materials)
    for name in names:
        if name not in MATERIALS:
            raise ParameterError(
                f"{name!r} is not a material of the simulator.", next_step=suggest(name, MATERIALS)
            )
    return np.stack([MATERIALS[name].reflectance(nm) for name in names])
