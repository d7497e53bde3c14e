"""Wald's protocol: make the two images that a sensor pair would have seen, and keep the truth.

    Z = A X + n_h      low-resolution hyperspectral image: blur, then one sample per block
    Y = R X + n_m      high-resolution multispectral image: spectral response per pixel

The fusion of Z and Y is then scored against X itself [1]_.

References
----------
.. [1] L. Wald, T. Ranchin, M. Mangolini, "Fusion of satellite images of different spatial
   resolutions: assessing the quality of resulting images", PE&RS 63(6), 1997.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from hsirepro.errors import ParameterError, ShapeError, WavelengthError
from hsirepro.optics.checks import check_number, check_ratio
from hsirepro.optics.psf import PointSpread, gaussian_kernel
from hsirepro.optics.srf import SpectralResponse
from hsirepro.scenes.cube import check_finite, from_tensor, make_cube, to_tensor, wavelengths_nm

_BANDS_AT_ONCE = 16  # keeps the blur's working memory small beside the cube itself
_SAME_GSD = 0.02  # share by which nominal sampling distances may differ
_SAME_NM = 0.1  # band centres closer than this are the same band


class CropWarning(UserWarning):
    """An image was cropped because the ratio does not divide it."""


@dataclass(frozen=True)
class Degraded:
    """A simulated pair of images, the truth, and the operators that tie them together.

    Attributes
    ----------
    hsi : DataArray, shape (H / ratio, W / ratio, L)
        Low-resolution hyperspectral image.
    msi : DataArray, shape (H, W, l)
        High-resolution multispectral image; its wavelengths are the centroids of the response.
    truth : DataArray, shape (H, W, L)
        The scene, cropped to a multiple of ``ratio``.
    ratio : int
    psf : PointSpread
    srf : SpectralResponse
    """

    hsi: xr.DataArray
    msi: xr.DataArray
    truth: xr.DataArray
    ratio: int
    psf: PointSpread
    srf: SpectralResponse


def degrade(
    cube: xr.DataArray,
    *,
    ratio: int,
    srf: SpectralResponse,
    psf: PointSpread | None = None,
    sigma: float | None = None,
    snr_hsi: float | None = None,
    snr_msi: float | None = None,
    seed: int = 0,
) -> Degraded:
    """Simulate a hyperspectral and a multispectral image of one scene.

    If ``ratio`` does not divide the scene, its centre is used, the odd pixel going to the end,
    and a :class:`CropWarning` says so.

    Parameters
    ----------
    cube : DataArray, shape (H, W, L)
        The scene, with wavelengths and without NaN.
    ratio : int
        Ground sampling distance of the hyperspectral over that of the multispectral image.
    srf : SpectralResponse
        Built for the wavelengths of ``cube``.
    psf : PointSpread, optional
        Point spread with ``stride == ratio``; give either this or ``sigma``.
    sigma : float, optional
        Standard deviation of HyCoNet's block Gaussian, in high-resolution pixels.
    snr_hsi, snr_msi : float, optional
        Signal-to-noise ratio per band in dB; noise-free if not given.
    seed : int
        Seed of the noise. The two images draw from independent streams.

    Returns
    -------
    Degraded

    Raises
    ------
    ParameterError
        If ``ratio``, ``sigma`` or an SNR is impossible, or ``psf`` and ``sigma`` are both given or
        both missing.
    PixelError
        If the scene holds NaN or infinite pixels.
    ShapeError
        If the scene is smaller than ``ratio``, or ``srf`` is for another number of bands.
    WavelengthError
        If the scene has no wavelengths, or ``srf`` is for other ones.

    Examples
    --------
    >>> from hsirepro.optics import landsat8_oli
    >>> scene = make_cube(np.full((8, 12, 31), 0.3), np.arange(400, 701, 10))
    >>> pair = degrade(scene, ratio=4, srf=landsat8_oli(scene.wavelength), sigma=0.5)
    >>> pair.hsi.shape, pair.msi.shape
    ((2, 3, 31), (8, 12, 3))
    """
    ratio = check_ratio(ratio)
    psf = _point_spread(psf, sigma, ratio)
    _check_response(srf, cube)
    truth = _centre_crop(cube, ratio)
    check_finite(truth)
    x = to_tensor(truth)
    blurred = torch.cat([psf(bands) for bands in torch.split(x, _BANDS_AT_ONCE)])
    hsi = _with_grid(from_tensor(blurred, truth), truth, ratio)
    hsi.attrs["bad_bands"] = list(truth.attrs.get("bad_bands", ()))
    msi = _with_grid(_msi_cube(srf(x), truth, srf), truth, 1)
    if snr_hsi is not None:
        hsi = add_noise(hsi, snr_hsi, (seed, 0))
    if snr_msi is not None:
        msi = add_noise(msi, snr_msi, (seed, 1))
    return Degraded(hsi, msi, truth, ratio, psf, srf)


def add_noise(cube: xr.DataArray, snr_db: float, seed: int | Sequence[int]) -> xr.DataArray:
    """Add white Gaussian noise at a signal-to-noise ratio per band.

    The variance in band b is mean(x_b^2) / 10^(snr_db / 10); an all-zero band stays zero.

    Parameters
    ----------
    cube : DataArray, shape (H, W, C)
    snr_db : float
        Ratio of signal power to noise power in dB.
    seed : int or sequence of int
        Seed of NumPy's generator: same seed, same noise.

    Returns
    -------
    DataArray, shape (H, W, C)
        With ``snr_db`` among its attributes.

    Raises
    ------
    ParameterError
        If ``snr_db`` is not a finite number.
    """
    level = check_number("snr_db", snr_db, "dB", positive=False)
    rng = np.random.default_rng(seed)
    noisy = cube.copy(deep=True)
    values = noisy.transpose("y", "x", "wavelength").values
    for band in range(values.shape[2]):
        image = values[:, :, band]
        power = float(np.mean(np.square(image, dtype=np.float64)))
        std = np.float32(np.sqrt(power / 10 ** (level / 10)))
        image += std * rng.standard_normal(image.shape, dtype=np.float32)
    noisy.attrs["snr_db"] = level
    return noisy


def check_pair(hsi: xr.DataArray, msi: xr.DataArray, ratio: int) -> None:
    """Stop unless the two images show the same ground at sampling distances 1 : ``ratio``.

    Sizes are always compared; sampling distances where both are known, with 2 % of tolerance;
    extents and directions where both images carry ``x`` or ``y`` coordinates, with half a
    low-resolution pixel of tolerance.

    Raises
    ------
    ParameterError
        If ``ratio`` is not a whole number above 1.
    ShapeError
        If the images do not overlap pixel for pixel, or their sampling distances do not fit.
    """
    r = check_ratio(ratio)
    needed = tuple(hsi.sizes[axis] * r for axis in ("y", "x"))
    given = tuple(msi.sizes[axis] for axis in ("y", "x"))
    if needed != given:
        raise ShapeError(
            f"HSI and MSI do not overlap: at ratio {r} an HSI of {hsi.sizes['y']} x "
            f"{hsi.sizes['x']} pixels needs an MSI of {needed[0]} x {needed[1]}, this one has "
            f"{given[0]} x {given[1]}.",
            next_step="crop both to the same ground, or correct the ratio",
        )
    _check_sampling(hsi, msi, r)
    for axis in ("y", "x"):
        if axis not in hsi.coords or axis not in msi.coords:
            continue
        _check_direction(hsi[axis].values, msi[axis].values, axis)
        low, high = _extent(hsi[axis].values), _extent(msi[axis].values)
        tolerance = abs(low[1] - low[0]) / hsi.sizes[axis] / 2
        if max(abs(low[0] - high[0]), abs(low[1] - high[1])) > tolerance:
            apart = low[1] <= high[0] or high[1] <= low[0]
            raise ShapeError(
                f"HSI and MSI {'do not overlap' if apart else 'overlap only in part'} along "
                f"{axis}.",
                hsi=f"{axis} from {low[0]:.10g} to {low[1]:.10g}",
                msi=f"{axis} from {high[0]:.10g} to {high[1]:.10g}",
                next_step="crop both to the same ground, or drop coordinates that are not metres",
            )


def _check_sampling(hsi: xr.DataArray, msi: xr.DataArray, ratio: int) -> None:
    if "gsd_m" not in hsi.attrs or "gsd_m" not in msi.attrs:
        return
    coarse, fine = float(hsi.attrs["gsd_m"]), float(msi.attrs["gsd_m"])
    if abs(coarse - ratio * fine) > _SAME_GSD * abs(coarse):
        raise ShapeError(
            f"The sampling distances of HSI and MSI are not {ratio} : 1.",
            hsi=f"{coarse:g} m",
            msi=f"{fine:g} m",
            next_step="correct the ratio, or gsd_m of the image where it is wrong",
        )


def _check_direction(low: np.ndarray, high: np.ndarray, axis: str) -> None:
    if (low[-1] - low[0]) * (high[-1] - high[0]) < 0:
        raise ShapeError(
            f"HSI and MSI run in opposite directions along {axis}.",
            hsi=f"{axis} from {low[0]:.10g} to {low[-1]:.10g}",
            msi=f"{axis} from {high[0]:.10g} to {high[-1]:.10g}",
            next_step=f"turn one of them around: cube.isel({axis}=slice(None, None, -1))",
        )


def _extent(centres: np.ndarray) -> tuple[float, float]:
    """Outer limits of a row of pixels, from their centres."""
    first, last = float(min(centres[0], centres[-1])), float(max(centres[0], centres[-1]))
    half = (last - first) / (len(centres) - 1) / 2 if len(centres) > 1 else 0.0
    return first - half, last + half


def _point_spread(psf: PointSpread | None, sigma: float | None, ratio: int) -> PointSpread:
    if (psf is None) == (sigma is None):
        raise ParameterError(
            f"degrade() takes either psf or sigma, {'neither' if psf is None else 'both'} given.",
            next_step="sigma=0.5 for a block Gaussian, or psf=PointSpread(kernel, stride=ratio)",
        )
    if psf is None:
        assert sigma is not None
        return PointSpread(gaussian_kernel(ratio, sigma), ratio)
    if psf.stride != ratio:
        raise ParameterError(
            f"The point spread samples every {psf.stride} pixels, but ratio={ratio}.",
            next_step=f"PointSpread(kernel, stride={ratio})",
        )
    return psf


def _check_response(srf: SpectralResponse, cube: xr.DataArray) -> None:
    centres = wavelengths_nm(cube, "A spectral response")
    if len(centres) != len(srf.wavelengths):
        raise ShapeError(
            f"The spectral response is for {len(srf.wavelengths)} bands, the cube has "
            f"{len(centres)}.",
            next_step="build it from this cube: landsat8_oli(cube.wavelength)",
        )
    apart = np.abs(centres - srf.wavelengths)
    if apart.max() > _SAME_NM:
        band = int(apart.argmax())
        raise WavelengthError(
            f"The spectral response is for other wavelengths: its band {band} lies at "
            f"{srf.wavelengths[band]:g} nm, that of the cube at {centres[band]:g} nm.",
            next_step="build it from this cube: landsat8_oli(cube.wavelength)",
        )


def _centre_crop(cube: xr.DataArray, ratio: int) -> xr.DataArray:
    """Crop to a multiple of ``ratio``, half of the remainder from each side."""
    H, W = cube.sizes["y"], cube.sizes["x"]
    height, width = H // ratio * ratio, W // ratio * ratio
    if not height or not width:
        raise ShapeError(
            f"A scene of {H} x {W} pixels is smaller than one low-resolution pixel at ratio "
            f"{ratio}."
        )
    if (height, width) == (H, W):
        return cube
    top, left = (H - height) // 2, (W - width) // 2
    warnings.warn(
        f"{H} x {W} pixels are not divisible by ratio {ratio}: using the central {height} x "
        f"{width}, from row {top}, column {left}.",
        CropWarning,
        stacklevel=3,
    )
    return cube.isel(y=slice(top, top + height), x=slice(left, left + width))


def _msi_cube(y: Tensor, truth: xr.DataArray, srf: SpectralResponse) -> xr.DataArray:
    kept = {k: v for k, v in truth.attrs.items() if k not in ("bad_bands", "sensor")}
    return make_cube(
        y.permute(1, 2, 0).numpy(),
        srf.centres,
        sensor=f"simulated: {', '.join(srf.names)}",
        band_names=list(srf.names),
        **kept,
    )


def _with_grid(image: xr.DataArray, truth: xr.DataArray, ratio: int) -> xr.DataArray:
    """Carry pixel coordinates and sampling distance over to an image of the same ground."""
    for axis in (axis for axis in ("y", "x") if axis in truth.coords):
        centres = truth[axis].values.reshape(-1, ratio).mean(axis=1)
        image = image.assign_coords({axis: (axis, centres, truth[axis].attrs)})
    if "gsd_m" in truth.attrs:
        image.attrs["gsd_m"] = truth.attrs["gsd_m"] * ratio
    return image
