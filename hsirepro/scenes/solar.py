"""The Sun at the ground: the reference spectra of ASTM G173, at the bands of a sensor.

They tell where the atmosphere takes light, so that a curve that a method calls the atmosphere can
be held against them.

References
----------
.. [1] ASTM G173-03, "Standard tables for reference solar spectral irradiances: direct normal and
   hemispherical on 37 degree tilted surface".
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from hsirepro.errors import FormatError, SceneNotFound
from hsirepro.scenes.libraries import make_library, resample
from hsirepro.scenes.locate import data_folders

SOLAR_FILE = "astmg173.csv"
SPECTRA = ("extraterrestrial", "global", "direct")
FULL_ABSORPTION = 12.0  # optical depth beyond which nothing is left to tell depths apart


def solar_spectra() -> xr.DataArray:
    """Return the irradiances of ASTM G173 as a library, W m^-2 nm^-1.

    Returns
    -------
    DataArray, dims (spectrum, wavelength)
        ``extraterrestrial``; ``global`` on a surface tilted by 37 degrees; ``direct`` with the
        light around the Sun. 280 to 4000 nm.

    Raises
    ------
    SceneNotFound
        If the table is not on this machine.
    FormatError
        If the file is not that table.
    """
    path = _find()
    rows = [line.split(",")[:4] for line in path.read_text("latin-1").splitlines()[2:]]
    try:
        table = np.array([[float(cell) for cell in row] for row in rows if len(row) == 4])
        nm, values = table[:, 0], table[:, 1:].T
    except (ValueError, IndexError) as error:
        raise FormatError(
            f"{path.name!r} is not the table of ASTM G173: {error}.",
            expected="two head lines, then nm and three irradiances in each line",
        ) from error
    # The table gives points, which are taken to be as wide as they lie apart.
    spectra = make_library(values, SPECTRA, nm, np.gradient(nm))
    spectra.attrs["units"] = "W m-2 nm-1"
    return spectra.rename("irradiance")


def optical_depth(wavelength: ArrayLike, fwhm: ArrayLike) -> NDArray[np.float64]:
    """Return the optical depth of the atmosphere of ASTM G173 at the bands of a sensor.

        tau = ln (extraterrestrial / direct),

    of the irradiances that a band takes in, for an air mass of 1.5; at most 12.

    Parameters
    ----------
    wavelength, fwhm : array_like, shape (L,)
        Band centres and widths in nm.

    Returns
    -------
    ndarray, shape (L,)

    Raises
    ------
    SceneNotFound
        If the table is not on this machine.
    WavelengthError
        If a band lies outside the table.
    """
    seen = resample(solar_spectra(), wavelength, fwhm).values
    left = seen[SPECTRA.index("direct")] / seen[SPECTRA.index("extraterrestrial")]
    depth: NDArray[np.float64] = -np.log(np.maximum(left, np.exp(-FULL_ABSORPTION)))
    return depth


def _find() -> Path:
    folders = data_folders()
    for folder in folders:
        for path in (folder / "responses" / SOLAR_FILE, folder / SOLAR_FILE):
            if path.is_file():
                return path
    raise SceneNotFound(
        f"The solar spectra of ASTM G173, {SOLAR_FILE!r}, are not on this machine.",
        looked_in=", ".join(str(folder / "responses") for folder in folders) or "HSIREPRO_DATA",
        next_step="save the table of NREL as CSV (nm, extraterrestrial, global, direct) under that "
        "name in a folder 'responses', and name its parent in HSIREPRO_DATA",
    )
