"""A pair of one's own, opened and checked; or simulated, where only an HSI is given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from hsirepro.errors import ParameterError, ShapeError, WavelengthError
from hsirepro.optics import PointSpread, SpectralResponse, check_pair, degrade, landsat8_oli
from hsirepro.scenes import open_scene
from hsirepro.scenes.clean import cleaned
from hsirepro.scenes.cube import has_wavelengths
from hsirepro.scenes.window import cut

OLI = ("blue", "green", "red", "nir", "swir1", "swir2")
LEAST = 4  # HSI pixels
SIMULATED_RATIO, SIMULATED_SIGMA = 4, 0.5  # of a pair that is made here, as in Table II


@dataclass(frozen=True)
class OwnPair:
    """Two images of the same ground, and what is known besides.

    Parameters
    ----------
    hsi : DataArray, shape (h, w, L)
        Bands by increasing wavelength, in nm; no negative pixels.
    msi : DataArray, shape (h * ratio, w * ratio, l)
    ratio : int
        Ground sampling distance of ``hsi`` over that of ``msi``.
    names : tuple of str, length l
        Of the MSI bands.
    notes : tuple of str
        What was done to the images when they were opened, one sentence each.
    truth : DataArray, shape (h * ratio, w * ratio, L), optional
        The scene, where the pair was made from one.
    psf, srf : optional
        What made the pair, where that is known.
    """

    hsi: xr.DataArray
    msi: xr.DataArray
    ratio: int
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    truth: xr.DataArray | None = None
    psf: PointSpread | None = None
    srf: SpectralResponse | None = None


def open_pair(
    hsi: str,
    msi: str = "",
    *,
    ratio: int = 0,
    sigma: float = 0.0,
    hsi_key: str = "",
    msi_key: str = "",
    wavelengths: str = "",
    part: str = "",
) -> OwnPair:
    """Open two images of the same ground, or one and simulate the pair from it.

    Parameters
    ----------
    hsi : str
        Path or catalogue name. Without ``msi`` it is the truth, and is degraded to the pair.
    msi : str
        Path or catalogue name; it need not know its wavelengths.
    ratio : int
        Ground sampling distance of HSI over MSI; 0 takes the sizes' (4 for a simulated pair).
    sigma : float
        Width of the Gaussian point spread of a simulated pair, MSI pixels; 0 takes 0.5.
    hsi_key, msi_key : str
        Variables inside the files, where they hold several.
    wavelengths : str
        Text file with the band centres of the HSI in nm, one per line.
    part : str
        Part of the HSI to use, as :func:`~hsirepro.scenes.window.cut` reads it; the MSI is cut to
        the same ground. What lies outside may hold NaN.

    Returns
    -------
    OwnPair

    Raises
    ------
    SceneNotFound, FormatError
        If a file cannot be opened.
    WavelengthError
        If the HSI has no wavelengths, or covers no band of Landsat 8 OLI to simulate.
    ShapeError
        If the images do not overlap pixel for pixel at a whole ratio.
    PixelError
        If an image holds NaN or infinite pixels, or nothing but zeros.
    ParameterError
        If ``msi_key`` is given without ``msi``, or ``part`` is no part of the HSI.
    """
    if msi_key and not msi:
        raise ParameterError(
            f"msi_key={msi_key!r} names a variable of the MSI, but no MSI was given.",
            next_step="give the file with -p msi",
        )
    whole = open_scene(hsi, key=hsi_key or None, wavelengths=wavelengths or None)
    cube, notes = cleaned(cut(whole, part), hsi)
    if not has_wavelengths(cube):
        raise WavelengthError(
            f"The HSI {hsi!r} has no wavelengths.",
            needed_for="telling which of its bands each MSI band covers",
            next_step="-p wavelengths centres.txt, a text file with one band centre in nm per line",
        )
    cube, more = _sorted(cube)
    if not msi:
        return _simulated(cube, ratio, sigma, (*notes, *more))
    sharp = open_scene(msi, key=msi_key or None)
    if sharp.sizes["wavelength"] >= cube.sizes["wavelength"]:
        raise ShapeError(
            f"The MSI has {sharp.sizes['wavelength']} bands, the HSI {cube.sizes['wavelength']}.",
            next_step="give the image with more bands as hsi, and the sharper one as msi",
        )
    ratio = ratio or _ratio_of_sizes(whole, sharp)
    check_pair(whole, sharp, ratio)
    sharp, remarks = cleaned(cut(sharp, part, times=ratio), msi, "MSI", drop_black=False)
    _check_enough(cube)
    return OwnPair(cube, sharp, ratio, _band_names(sharp), (*notes, *more, *remarks))


def _check_enough(hsi: xr.DataArray) -> None:
    rows, columns = hsi.sizes["y"], hsi.sizes["x"]
    if rows * columns < LEAST:
        raise ShapeError(
            f"An HSI of {rows} x {columns} pixels says next to nothing of its cameras.",
            next_step=f"give one of {LEAST} pixels or more: a larger part, or a smaller ratio",
        )


def _sorted(cube: xr.DataArray) -> tuple[xr.DataArray, list[str]]:
    """Put bands in order: what an MSI band covers is a stretch of wavelengths."""
    if (np.diff(cube.wavelength.values) >= 0).all():
        return cube, []
    ordered = cube.sortby("wavelength")
    return ordered, ["HSI: its bands were put in the order of their wavelengths."]


def _ratio_of_sizes(hsi: xr.DataArray, msi: xr.DataArray) -> int:
    (h, w), (H, W) = ((cube.sizes["y"], cube.sizes["x"]) for cube in (hsi, msi))
    if h * w >= H * W:
        raise ShapeError(
            f"The MSI of {H} x {W} pixels is not sharper than the HSI of {h} x {w}.",
            next_step="give the sharper image as msi, or leave msi out to simulate one",
        )
    if H % h or W % w or H // h != W // w:
        raise ShapeError(
            "The size of the MSI is no whole multiple of that of the HSI.",
            hsi=f"{h} x {w} pixels",
            msi=f"{H} x {W} pixels, {H / h:.4g} times the rows and {W / w:.4g} the columns",
            next_step="crop both to the same ground, or resample the MSI to a whole ratio",
        )
    return H // h


def _band_names(msi: xr.DataArray) -> tuple[str, ...]:
    if has_wavelengths(msi):
        return tuple(f"{centre:.0f} nm" for centre in msi.wavelength.values)
    return tuple(f"band {number + 1}" for number in range(msi.sizes["wavelength"]))


def _simulated(cube: xr.DataArray, ratio: int, sigma: float, notes: tuple[str, ...]) -> OwnPair:
    nm = cube.wavelength.values
    covered = [band for band in OLI if _covers(nm, band)]
    if not covered:
        raise WavelengthError(
            "The HSI covers no band of Landsat 8 OLI, so no MSI can be simulated from it.",
            hsi=f"{nm[0]:g} nm to {nm[-1]:g} nm",
            next_step="give an MSI of your own with -p msi",
        )
    made = degrade(
        cube,
        ratio=ratio or SIMULATED_RATIO,
        sigma=sigma or SIMULATED_SIGMA,
        srf=landsat8_oli(nm, covered),
    )
    _check_enough(made.hsi)
    notes += (
        f"The pair is simulated: ratio {made.ratio}, Gaussian PSF of sigma "
        f"{sigma or SIMULATED_SIGMA:g} MSI pixels, Landsat 8 OLI {', '.join(covered)}.",
    )
    return OwnPair(
        made.hsi, made.msi, made.ratio, tuple(covered), notes, made.truth, made.psf, made.srf
    )


def _covers(nm: np.ndarray, band: str) -> bool:
    try:
        landsat8_oli(nm, [band])
    except WavelengthError:
        return False
    return True
