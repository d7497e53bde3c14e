r"""Full-reference metrics: how far an estimated cube is from the true one.

Images are cubes or arrays (H, W, C); x is the estimate, g the reference, b counts bands and N
pixels. Sums run in float64 over a few rows at a time. Whatever papers do differently is a keyword:
the peak of PSNR, the unit of SAM, the ratio of ERGAS, the eps of quotients. Metrics over windows
stand in :mod:`hsirepro.metrics.structural`.

Cases that other code leaves to chance are defined: NaN or infinite pixels raise
:class:`~hsirepro.errors.PixelError`; a perfect band has infinite PSNR; a denominator that is zero
for a whole band (its mean, its maximum) raises :class:`~hsirepro.errors.ParameterError` that
names the band.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from hsirepro.errors import ParameterError, PixelError, suggest
from hsirepro.metrics.pairs import Image, aligned, blocks, positive

AngleUnit = Literal["degrees", "radians"]


def rmse(estimate: Image, reference: Image) -> float:
    """Root of the mean squared error over all pixels and bands, in the unit of the images.

    Examples
    --------
    >>> rmse(np.full((2, 2, 2), 3.0), np.ones((2, 2, 2)))
    2.0
    """
    error, _ = _band_moments(*aligned(estimate, reference))
    return math.sqrt(error.mean())


def psnr(
    estimate: Image, reference: Image, *, peak: float | Literal["reference-band-max"]
) -> float:
    """Peak signal-to-noise ratio in dB, the mean over bands of 10 log10(peak^2 / mse_b).

    Parameters
    ----------
    estimate, reference : DataArray or ndarray, shape (H, W, C)
    peak : float or "reference-band-max"
        One peak for all bands, such as 1 or 65535, or the maximum of each reference band.

    Returns
    -------
    float
        Infinite if the estimate is perfect in any band.

    Raises
    ------
    ParameterError
        If ``peak`` is not positive, or a reference band has no positive value to serve as peak.
    """
    x, g = aligned(estimate, reference)
    if peak == "reference-band-max":
        peaks = g.max(axis=(0, 1)).astype(np.float64)
        _refuse_bands(peaks <= 0, "has no positive value, so no peak", "give peak as a number")
    else:
        peaks = np.full(g.shape[2], positive("peak", peak))
    error, _ = _band_moments(x, g)
    with np.errstate(divide="ignore"):
        return float(np.mean(10 * np.log10(peaks**2 / error)))


def sam(
    estimate: Image,
    reference: Image,
    *,
    angle_unit: AngleUnit,
    eps: float = 0.0,
    zero_spectra: Literal["count", "skip"] = "count",
) -> float:
    """Spectral angle mapper: mean over pixels of arccos(<x, g> / (|x| |g| + eps)).

    Parameters
    ----------
    estimate, reference : DataArray or ndarray, shape (H, W, C)
    angle_unit : {"degrees", "radians"}
    eps : float
        Added to the product of norms; 0 is the angle itself. A positive value gives even equal
        spectra an angle, the more so the darker they are.
    zero_spectra : {"count", "skip"}
        An all-zero spectrum has no direction. "count": the angle is 0 where both are zero and 90
        degrees where one is. "skip": such pixels are left out of the mean.

    Returns
    -------
    float

    Raises
    ------
    ParameterError
        If an option is unknown or ``eps`` is negative.
    PixelError
        If all pixels are skipped.

    Examples
    --------
    >>> sam(np.array([[[3.0, 0.0]]]), np.array([[[0.0, 2.0]]]), angle_unit="degrees")
    90.0
    """
    if zero_spectra not in ("count", "skip"):
        raise ParameterError(
            f"zero_spectra={zero_spectra!r} is unknown.",
            next_step=suggest(str(zero_spectra), ("count", "skip")),
        )
    angles, dark = _angles(*aligned(estimate, reference), angle_unit, eps)
    if zero_spectra == "skip":
        angles = angles[~dark]
        if not angles.size:
            raise PixelError("Every pixel has an all-zero spectrum; no spectral angle is defined.")
    return float(angles.mean())


def sam_map(
    estimate: Image, reference: Image, *, angle_unit: AngleUnit, eps: float = 0.0
) -> np.ndarray:
    """Spectral angle of each pixel, shape (H, W), float64; see :func:`sam` for zero spectra."""
    return _angles(*aligned(estimate, reference), angle_unit, eps)[0]


def rmse_map(estimate: Image, reference: Image) -> np.ndarray:
    """Root mean squared error over the bands of each pixel, shape (H, W), float64."""
    x, g = aligned(estimate, reference)
    out = np.empty(x.shape[:2])
    for rows, (xb, gb) in blocks(x, g):
        out[rows] = np.sqrt(np.square(xb - gb).mean(axis=2))
    return out


def mrae_map(estimate: Image, reference: Image, *, eps: float) -> np.ndarray:
    """Mean relative absolute error over the bands of each pixel, shape (H, W); see :func:`mrae`."""
    x, g = aligned(estimate, reference)
    offset = positive("eps", eps, or_zero=True)
    out = np.empty(x.shape[:2])
    for rows, (xb, gb) in blocks(x, g):
        scale = np.abs(gb) + offset
        if not scale.all():
            raise ParameterError(
                f"MRAE with eps=0 divides by zero at {int((scale == 0).sum())} values of the "
                f"reference in rows {rows.start} to {rows.stop - 1}.",
                next_step="give an eps above 0, and state it with the number",
            )
        out[rows] = (np.abs(xb - gb) / scale).mean(axis=2)
    return out


def mrae(estimate: Image, reference: Image, *, eps: float) -> float:
    """Mean relative absolute error, the mean over pixels and bands of |x - g| / (|g| + eps).

    Parameters
    ----------
    estimate, reference : DataArray or ndarray, shape (H, W, C)
    eps : float
        In the unit of the images. 0 is the definition of the NTIRE challenges, |x - g| / g; 1 on
        counts is that of INSS and R2HGAN, |x - g| / (g + 1).

    Raises
    ------
    ParameterError
        If ``eps`` is negative, or 0 where the reference has zeros.
    """
    return float(mrae_map(estimate, reference, eps=eps).mean())


def ergas(estimate: Image, reference: Image, *, ratio: float) -> float:
    """Relative global error, 100 / ratio * sqrt(mean over bands of mse_b / mean(g_b)^2).

    Parameters
    ----------
    estimate, reference : DataArray or ndarray, shape (H, W, C)
    ratio : float
        Ground sampling distance of the low- over that of the high-resolution image, such as 4
        (some libraries want its inverse).

    Raises
    ------
    ParameterError
        If ``ratio`` is not positive or a reference band has zero mean.

    References
    ----------
    .. [1] L. Wald, "Quality of high resolution synthesised images: is there a simple
       criterion?", Fusion of Earth Data, 2000.
    """
    scale = 100 / positive("ratio", ratio)
    error, mean = _band_moments(*aligned(estimate, reference))
    _refuse_bands(mean == 0, "has zero mean, which ERGAS divides by", "leave the band out of both")
    return float(scale * np.sqrt(np.mean(error / mean**2)))


def _band_moments(x: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean squared error and reference mean of each band, shape (C,), float64."""
    error, mean = np.zeros(g.shape[2]), np.zeros(g.shape[2])
    for _, (xb, gb) in blocks(x, g):
        mean += gb.sum(axis=(0, 1))
        error += np.square(xb - gb).sum(axis=(0, 1))
    pixels = g.shape[0] * g.shape[1]
    return error / pixels, mean / pixels


def _angles(
    x: np.ndarray, g: np.ndarray, angle_unit: AngleUnit, eps: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the angle of each pixel and where a spectrum is all zero, both (H, W)."""
    if angle_unit not in ("degrees", "radians"):
        raise ParameterError(
            f"angle_unit={angle_unit!r} is unknown.",
            next_step=suggest(str(angle_unit), ("degrees", "radians")),
        )
    offset = positive("eps", eps, or_zero=True)
    angle = np.empty(x.shape[:2])
    dark = np.empty(x.shape[:2], dtype=bool)
    for rows, (xb, gb) in blocks(x, g):
        x_lit, g_lit = xb.any(axis=2), gb.any(axis=2)
        product = np.linalg.norm(xb, axis=2) * np.linalg.norm(gb, axis=2) + offset
        cosine = (xb * gb).sum(axis=2) / np.where(product > 0, product, 1)
        cosine = np.where(x_lit | g_lit, cosine, 1.0)
        angle[rows] = np.arccos(np.clip(cosine, -1, 1))
        dark[rows] = ~(x_lit & g_lit)
    return (np.degrees(angle) if angle_unit == "degrees" else angle), dark


def _refuse_bands(bad: np.ndarray, why: str, advice: str) -> None:
    if bad.any():
        bands = ", ".join(str(band) for band in np.flatnonzero(bad)[:8])
        raise ParameterError(f"Reference band {bands} {why}.", next_step=advice)
