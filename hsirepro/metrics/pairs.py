"""Two images that are to be compared: same shape, same bands, finite, read in blocks of rows."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import xarray as xr

from hsirepro.errors import ParameterError, PixelError, ShapeError, WavelengthError
from hsirepro.scenes.cube import DIMS, has_wavelengths

Image = xr.DataArray | np.ndarray
_BLOCK_BYTES = 16 * 2**20  # float64 working copy of one block of rows
_SAME_NM = 0.1  # band centres closer than this are the same band


def aligned(estimate: Image, reference: Image) -> tuple[np.ndarray, np.ndarray]:
    """Return both images as arrays (H, W, C) with the same meaning of every element.

    Cubes are aligned by the names of their axes; arrays have to be (H, W, C) already.

    Raises
    ------
    ParameterError
        If an image is neither a cube nor a numeric NumPy array.
    ShapeError
        If an image does not have three axes, is empty, or the two differ in shape.
    WavelengthError
        If both know their wavelengths and these differ.
    PixelError
        If an image holds NaN or infinite pixels: no metric is defined then.
    """
    e, r = _array(estimate, "estimate"), _array(reference, "reference")
    if e.shape != r.shape:
        raise ShapeError(
            f"Estimate {e.shape} and reference {r.shape} differ in shape (rows, columns, bands).",
            next_step="compare with the truth that degrade() returns: it is cropped to the ratio",
        )
    _check_same_bands(estimate, reference)
    _check_finite(e, "estimate")
    _check_finite(r, "reference")
    return e, r


def blocks(*images: np.ndarray) -> Iterator[tuple[slice, tuple[np.ndarray, ...]]]:
    """Yield float64 copies of a few rows at a time, so that memory does not grow with the scene."""
    H, W, C = images[0].shape
    rows = max(1, _BLOCK_BYTES // (8 * W * C))
    for start in range(0, H, rows):
        part = slice(start, min(start + rows, H))
        yield part, tuple(image[part].astype(np.float64) for image in images)


def positive(name: str, value: float, *, or_zero: bool = False) -> float:
    """Return ``value`` as a float, or raise ParameterError if it is not above (or at) 0."""
    least = "at least 0" if or_zero else "above 0"
    good = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not good or not math.isfinite(value) or value < 0 or (value == 0 and not or_zero):
        raise ParameterError(f"{name}={value!r} has to be a finite number {least}.")
    return float(value)


def _array(image: Image, role: str) -> np.ndarray:
    if isinstance(image, xr.DataArray):
        if set(image.dims) != set(DIMS):
            raise ShapeError(
                f"The {role} has axes {image.dims}, a cube has {DIMS}.",
                next_step="label it with make_cube(values, wavelength)",
            )
        image = image.transpose(*DIMS).values
    if not isinstance(image, np.ndarray) or image.dtype.kind not in "fiu":
        raise ParameterError(
            f"The {role} is a {type(image).__name__}, not a cube or a real-valued NumPy array.",
            next_step="from_tensor(tensor, like=cube) labels a torch tensor (C, H, W)",
        )
    if image.ndim != 3 or not image.size:
        raise ShapeError(
            f"The {role} has shape {image.shape}; metrics need (rows, columns, bands), not empty."
        )
    return image


def _check_same_bands(estimate: Image, reference: Image) -> None:
    if not isinstance(estimate, xr.DataArray) or not isinstance(reference, xr.DataArray):
        return
    if not has_wavelengths(estimate) or not has_wavelengths(reference):
        return
    e, r = estimate.wavelength.values, reference.wavelength.values
    apart = np.abs(e - r)
    if apart.max() > _SAME_NM:
        band = int(apart.argmax())
        raise WavelengthError(
            f"Estimate and reference have other bands: band {band} lies at {e[band]:g} nm and "
            f"{r[band]:g} nm.",
            next_step="select the same bands in both",
        )


def _check_finite(image: np.ndarray, role: str) -> None:
    finite = np.isfinite(image)
    if finite.all():
        return
    row, column, band = (int(i) for i in np.argwhere(~finite)[0])
    raise PixelError(
        f"The {role} holds {finite.size - int(finite.sum())} NaN or infinite values; no metric is "
        "defined.",
        first_at=f"row {row}, column {column}, band {band}",
        next_step="mask or fill them in both images before comparing",
    )
