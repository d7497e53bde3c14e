"""Planted truth: a simulated aerial scene of which everything is known.

Pixel p of the scene is

    y_p = l_p * t * (1 + sum_k g_pk b_k) * mix(a_p, E) + n_p,

with the illumination l_p (relief, roof slopes, shadows), the solar and atmospheric factor t (C,),
smooth spectral variability sum_k g_pk b_k (C,), abundances a_p (M,) on the simplex, endmembers
E (M, C) and white Gaussian sensor noise n_p. All products are band by band. The mixing is one of

    linear      mix(a, E) = sum_m a_m e_m
    bilinear    mix(a, E) = sum_m a_m e_m + sum_{i<j} a_i a_j e_i e_j       Fan et al. [1]_

where the second sum is light that two materials of a pixel scattered in turn. What INSS means by
further reflections can be planted as well: :mod:`hsirepro.scenes.reflections`. Every term is
returned, so that a method can be judged against what was planted. Blurring and band averaging
are no part of a scene: their truth comes from :mod:`hsirepro.optics`, which degrades a scene with
a point spread function and a spectral response that it returns.

References
----------
.. [1] W. Fan, B. Hu, J. Miller, M. Li, "Comparative study between a new nonlinear model and
   common linear model for analysing laboratory simulated-forest hyperspectral data",
   Int. J. Remote Sens. 30(11), 2009.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from hsirepro.errors import ParameterError, ShapeError, suggest
from hsirepro.scenes.cube import make_cube
from hsirepro.scenes.layout import FINE, GroundPlan, correlated_noise, ground_plan
from hsirepro.scenes.materials import (
    DEFAULT_MATERIALS,
    MATERIALS,
    bells,
    check_wavelengths,
    endmember_spectra,
)
from hsirepro.scenes.reflections import reflections

MIXINGS = ("linear", "bilinear")
ROLES = ("field", "ground", "road", "roof", "water", "tree", "car")
BASIS = 4
"""Number of smooth functions that carry the spectral variability."""

# Absorption of the air at a slant path: (optical depth, nm, nm). O2 B and A, H2O, CO2.
_AIR = (
    (0.18, 687.0, 4.0),
    (0.80, 761.0, 4.5),
    (0.12, 723.0, 7.0),
    (0.15, 822.0, 9.0),
    (1.10, 940.0, 17.0),
    (1.30, 1133.0, 20.0),
    (5.00, 1385.0, 32.0),
    (5.00, 1880.0, 48.0),
    (0.55, 2008.0, 12.0),
    (0.35, 2062.0, 12.0),
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """What was planted: every term of the equation but the noise.

    Attributes
    ----------
    endmembers : ndarray, shape (M, C)
        Reflectance of the materials.
    abundances : ndarray, shape (H, W, M)
        Share of each material, non-negative, summing to one.
    atmosphere : ndarray, shape (C,)
        Solar and atmospheric factor; ones for a scene in reflectance.
    illumination : ndarray, shape (H, W)
        Light on each pixel, 1 on level ground in the sun.
    variability : ndarray, shape (H, W, K)
        Weights of the spectral variability; constant over an object but for a fine grain.
    variability_basis : ndarray, shape (K, C)
        Smooth functions that the weights multiply.
    materials : tuple of str
        Names of the M materials.
    mixing : str
        ``"linear"`` or ``"bilinear"``.
    order : int
        Highest number of reflections.
    """

    endmembers: Floats
    abundances: Floats
    atmosphere: Floats
    illumination: Floats
    variability: Floats
    variability_basis: Floats
    materials: tuple[str, ...]
    mixing: str
    order: int

    @property
    def labels(self) -> NDArray[np.intp]:
        """Index of the material that covers most of each pixel, shape (H, W)."""
        return np.asarray(self.abundances.argmax(axis=2))

    def clean(self) -> Floats:
        """Compute the scene without noise by the equation, float64, shape (H, W, C)."""
        lit = mix(self.abundances, self.endmembers, self.mixing)
        lit *= reflections(self.abundances, self.endmembers, self.order)
        lit *= 1.0 + self.variability @ self.variability_basis
        lit *= self.illumination[:, :, None]
        lit *= self.atmosphere
        return lit


@dataclass(frozen=True)
class PlantedScene(Truth):
    """A simulated scene with its truth.

    Attributes
    ----------
    cube : xarray.DataArray, dims (y, x, wavelength)
        What the sensor saw: reflectance, or relative radiance under an atmosphere.
    """

    cube: xr.DataArray


def mix(abundances: Floats, endmembers: Floats, mixing: str) -> Floats:
    """Mix endmembers (M, C) by abundances (..., M), linearly or bilinearly; returns (..., C).

    Examples
    --------
    >>> E = np.array([[0.2, 0.4], [0.6, 0.8]])
    >>> mix(np.array([0.5, 0.5]), E, "bilinear") - mix(np.array([0.5, 0.5]), E, "linear")
    array([0.03, 0.08])
    """
    linear = np.asarray(abundances @ endmembers)
    if mixing == "linear":
        return linear
    # sum_{i<j} u_i u_j = ((sum_i u_i)^2 - sum_i u_i^2) / 2 spares the loop over pairs.
    return linear + 0.5 * (linear**2 - abundances**2 @ endmembers**2)


def solar_atmosphere(wavelengths: ArrayLike) -> Floats:
    """Sunlight after its way through the air: the factor from reflectance to relative radiance.

    Planck's law at 5778 K, scaled to 1 at its peak, times Rayleigh scattering with an optical
    depth of 0.1 at 550 nm and Gaussian absorption bands of O2 (687, 761 nm), H2O (723, 822, 940,
    1133, 1385, 1880 nm) and CO2 (2008, 2062 nm). Depths are those of a moderately humid day as
    seen at about 10 nm resolution, chosen by eye; this stands in for no radiative transfer code.

    Parameters
    ----------
    wavelengths : array_like, shape (C,)
        Band centres in nm, within 350-2500.

    Returns
    -------
    ndarray, shape (C,)
        Between 0 and 1.

    Examples
    --------
    >>> beside, inside = solar_atmosphere([745, 761])
    >>> bool(inside < 0.5 * beside)
    True
    """
    nm = check_wavelengths(wavelengths)
    second_radiation_constant, temperature = 1.438777e7, 5778.0  # nm K, K
    at_peak = 4.965114  # hc / (lam k T) where Planck's law peaks (Wien)
    x = second_radiation_constant / (nm * temperature)
    planck = (x / at_peak) ** 5 * np.expm1(at_peak) / np.expm1(x)
    return np.asarray(planck * np.exp(-0.1 * (550.0 / nm) ** 4 - bells(nm, _AIR)))


def _abundances(plan: GroundPlan, count: int, rng: np.random.Generator) -> Floats:
    """Average the fine plan over each pixel, then perturb it; shape (H, W, M), on the simplex."""
    rows, cols = plan.rows, plan.cols
    blocks = plan.labels.reshape(rows, FINE, cols, FINE)
    share = np.stack([(blocks == m).mean(axis=(1, 3)) for m in range(count)], axis=2)
    # A little of everything lies everywhere; the shares vary in patches and from pixel to pixel.
    share = 0.985 * share + 0.015 / count
    for m in range(count):
        patches = correlated_noise(rows, cols, 2.0, rng)
        share[:, :, m] *= np.exp(0.25 * patches + 0.25 * rng.standard_normal((rows, cols)))
    return np.asarray(share / share.sum(axis=2, keepdims=True))


def _illumination(plan: GroundPlan, rng: np.random.Generator) -> Floats:
    """Light per pixel: roofs and shadows of the plan, rolling relief, a fine grain; (H, W)."""
    rows, cols = plan.rows, plan.cols
    light = plan.light.reshape(rows, FINE, cols, FINE).mean(axis=(1, 3))
    relief = 0.05 * correlated_noise(rows, cols, min(rows, cols) / 8, rng)
    grain = 0.03 * correlated_noise(rows, cols, 1.0, rng)
    grain += 0.02 * rng.standard_normal((rows, cols))
    return np.asarray(light * np.clip(1.0 + relief + grain, 0.7, 1.3))


def _variability(plan: GroundPlan, strength: float, rng: np.random.Generator) -> Floats:
    """Weights of the smooth functions, drawn per object with a fine grain; (H, W, BASIS)."""
    centre = plan.objects[FINE // 2 :: FINE, FINE // 2 :: FINE]
    weights = rng.standard_normal((plan.count + 1, BASIS))[centre]
    weights += 0.3 * rng.standard_normal(weights.shape)
    return np.asarray(strength * weights / math.sqrt(BASIS))


def _variability_basis(wavelengths: Floats) -> Floats:
    """Cosines of falling period over 350-2500 nm, denser where the eye and silicon see."""
    position = np.log(wavelengths / 350.0) / np.log(2500.0 / 350.0)  # 0 to 1
    orders = 2.0 * np.arange(1, BASIS + 1)[:, None]
    return np.asarray(math.sqrt(2.0) * np.cos(np.pi * orders * position))


def _noisy(clean: Floats, snr_db: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Add white noise with 10 log10(mean(clean^2) / sigma^2) = snr_db; inf adds none."""
    values = clean.astype(np.float32)
    if math.isinf(snr_db):
        return values
    sigma = math.sqrt(float(np.mean(clean**2)) / 10.0 ** (snr_db / 10.0))
    values += np.float32(sigma) * rng.standard_normal(clean.shape, dtype=np.float32)
    return values


def _check_size(size: int | tuple[int, int]) -> tuple[int, int]:
    rows, cols = (size, size) if isinstance(size, int) else size
    if min(rows, cols) < 8:
        raise ShapeError(
            f"A planted scene of {rows} x {cols} pixels has no room for its objects.",
            next_step="ask for 8 x 8 pixels or more, such as size=64",
        )
    return rows, cols


def _check_choices(
    materials: Sequence[str], mixing: str, order: int, snr_db: float, variability: float, seed: int
) -> None:
    if seed < 0:
        raise ParameterError(f"seed is {seed}.", next_step="give a whole number from 0")
    if mixing not in MIXINGS:
        raise ParameterError(
            f"{mixing!r} is not a mixing model.", next_step=suggest(mixing, MIXINGS)
        )
    if order < 1:
        raise ParameterError(f"order is {order}.", next_step="give 1 for light reflected once")
    if math.isnan(snr_db) or snr_db == -math.inf:
        raise ParameterError(f"snr_db is {snr_db}.", next_step="give it in dB; math.inf: no noise")
    if not 0.0 <= variability <= 0.2:
        raise ParameterError(
            f"variability is {variability:g}, a relative amplitude from 0 to 0.2.",
            next_step="give 0.03 for 3 %",
        )
    if len(set(materials)) != len(materials) or not materials:
        raise ParameterError(
            f"materials must be distinct names, at least one; these are {list(materials)}.",
            known=", ".join(MATERIALS),
        )


def _roles(materials: Sequence[str]) -> dict[str, list[int]]:
    """Say which materials serve as fields, roads ...; fields take whatever there is."""
    roles = {r: [m for m, n in enumerate(materials) if r in MATERIALS[n].roles] for r in ROLES}
    roles["field"] = roles["field"] or list(range(len(materials)))
    return roles


def simulate(
    *,
    size: int | tuple[int, int] = 64,
    wavelengths: ArrayLike | None = None,
    materials: Sequence[str] = DEFAULT_MATERIALS,
    mixing: str = "linear",
    order: int = 1,
    snr_db: float = 40.0,
    variability: float = 0.03,
    atmosphere: bool = False,
    seed: int = 0,
) -> PlantedScene:
    """Simulate an aerial scene, half town and half fields, and return it with its truth.

    Parameters
    ----------
    size : int or (int, int)
        Rows and columns, pixels.
    wavelengths : array_like, shape (C,), optional
        Band centres in nm, within 350-2500. Default: 60 bands over 430-860 nm, as ROSIS sees.
    materials : sequence of str
        Names from :data:`hsirepro.scenes.materials.MATERIALS`. A layer of the scene (river,
        roads, roofs, trees ...) that finds no material for it is left out.
    mixing : {"linear", "bilinear"}
        How the materials of a pixel add up; see the module.
    order : int
        Highest number of reflections, see :mod:`hsirepro.scenes.reflections`; 1 adds none.
    snr_db : float
        Mean square of the clean cube over the noise variance, dB; ``math.inf`` for no noise.
        The noise is white: one variance for all bands.
    variability : float
        Standard deviation of the smooth spectral variability between objects, relative.
    atmosphere : bool
        Multiply by :func:`solar_atmosphere`, which makes the cube a relative radiance.
    seed : int
        Same seed, same bytes. Layout, spectra and noise draw from separate streams, so that the
        same seed lays out the same ground whatever the wavelengths, mixing, order and noise.

    Returns
    -------
    PlantedScene

    Raises
    ------
    ParameterError
        If a material or mixing is unknown, or a number is impossible.
    ShapeError
        If the scene is smaller than 8 x 8 pixels.
    WavelengthError
        If a wavelength lies outside 350-2500 nm.

    Examples
    --------
    >>> scene = simulate(size=(16, 24), seed=1)
    >>> scene.cube.shape, scene.abundances.shape, scene.endmembers.shape
    ((16, 24, 60), (16, 24, 10), (10, 60))
    """
    rows, cols = _check_size(size)
    _check_choices(materials, mixing, order, snr_db, variability, seed)
    nm = check_wavelengths(np.linspace(430.0, 860.0, 60) if wavelengths is None else wavelengths)
    endmembers = endmember_spectra(materials, nm)
    streams = np.random.SeedSequence(seed).spawn(3)
    layout, spectra, noise = (np.random.default_rng(stream) for stream in streams)
    plan = ground_plan(rows, cols, _roles(materials), layout)
    truth = Truth(
        endmembers=endmembers,
        abundances=_abundances(plan, len(materials), layout),
        atmosphere=solar_atmosphere(nm) if atmosphere else np.ones(len(nm)),
        illumination=_illumination(plan, layout),
        variability=_variability(plan, variability, spectra),
        variability_basis=_variability_basis(nm),
        materials=tuple(materials),
        mixing=mixing,
        order=order,
    )
    values = _noisy(truth.clean(), snr_db, noise)
    cube = make_cube(
        values,
        nm,
        units="relative radiance" if atmosphere else "reflectance",
        sensor="simulated",
        source="planted",
        sha256=hashlib.sha256(values.astype("<f4").tobytes()).hexdigest(),
        seed=seed,
        snr_db=snr_db,
        mixing=mixing,
    )
    return PlantedScene(**vars(truth), cube=cube)
