"""The spectral library that a method mixes, at the bands of its images."""

from __future__ import annotations

import warnings

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from hsirepro.errors import ParameterError, PixelError, ShapeError, WavelengthError
from hsirepro.recovery.pairs import Pairs
from hsirepro.scenes.libraries import resample

SAME = 1.0  # nm by which band centres may differ and still be the same bands


def library_of(pairs: Pairs, library: xr.DataArray | None, method: str) -> Tensor:
    """Return a library at the bands of some images.

    Parameters
    ----------
    pairs : Pairs
    library : DataArray, dims (spectrum, wavelength), or None
        Reflectance without gaps. Resampled, with a warning, if its bands are not those of the
        images; bands are taken to be as wide as they lie apart.
    method : str
        Who needs it, for errors.

    Returns
    -------
    Tensor, shape (L, N_g)

    Raises
    ------
    ParameterError
        If there is no library.
    PixelError
        If a spectrum has gaps.
    WavelengthError
        If the library does not cover the images, or its bands are not theirs and the images do
        not know theirs.
    ShapeError
        If the images do not know their wavelengths, and the library has other bands than they.
    """
    if library is None:
        raise ParameterError(
            f"{method} mixes the spectra of a library; none is given.",
            next_step=f"{method.lower()}(pairs, library=inss_library()), or your own from "
            "hsirepro.scenes.libraries.make_library",
        )
    found = _at_bands(library, pairs, method)
    if not np.isfinite(found.values).all():
        gaps = int((~np.isfinite(found.values)).any(axis=1).sum())
        raise PixelError(
            f"{gaps} of {len(found)} spectra of the library have deleted channels.",
            next_step="leave them out with hsirepro.scenes.libraries.complete",
        )
    return torch.from_numpy(found.values.T.astype(np.float32)).contiguous()


def _at_bands(library: xr.DataArray, pairs: Pairs, method: str) -> xr.DataArray:
    own = library.wavelength.values
    nm = pairs.wavelength
    if nm is None:
        if len(own) != pairs.bands:
            raise ShapeError(
                f"The library has {len(own)} bands and the images {pairs.bands}, whose "
                "wavelengths are not known.",
                next_step="Pairs(rgb, hsi, wavelength=...), in nm: then it is resampled",
            )
        return library
    if len(own) == len(nm) and np.abs(own - nm).max() <= SAME:
        return library
    low, high = own.min() - SAME, own.max() + SAME
    outside = nm[(nm < low) | (nm > high)]
    if len(outside):
        raise WavelengthError(
            f"{len(outside)} bands of the images lie outside the library, the first at "
            f"{outside[0]:.0f} nm.",
            library=f"{own.min():.0f} to {own.max():.0f} nm",
            next_step="leave these bands out of the images, or take another library",
        )
    warnings.warn(
        f"{method}: the library of {len(own)} bands is resampled to the {len(nm)} of the images.",
        stacklevel=3,
    )
    return resample(library, np.clip(nm, own.min(), own.max()), _spacing(nm))


def _spacing(nm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far bands lie apart, whatever gaps and steps back there are between them."""
    steps = np.abs(np.diff(nm))
    usual = float(np.median(steps))
    widths: NDArray[np.float64] = np.clip(np.append(steps, usual), 0.5 * usual, 2.0 * usual)
    return widths
