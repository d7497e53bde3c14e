"""What is done to an image before it is worked on, and said aloud."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hsirepro.errors import PixelError
from hsirepro.scenes.cube import check_finite, drop_bad_bands


def cleaned(
    stored: xr.DataArray, scene: str, name: str = "HSI", *, drop_black: bool = True
) -> tuple[xr.DataArray, list[str]]:
    """Return an image without its bad and black bands and its negative pixels.

    Parameters
    ----------
    stored : DataArray, dims (y, x, wavelength)
    scene : str
        Its name or path, for errors.
    name : str
        What it is, for notes and errors.
    drop_black : bool
        Whether a band without any pixel above 0 is left out, or refused.

    Returns
    -------
    cube : DataArray
    notes : list of str
        What was done, one sentence each.

    Raises
    ------
    PixelError
        If there is a pixel that is NaN or infinite, or none above 0; or a black band that may
        not be left out.
    """
    cube = drop_bad_bands(stored)
    check_finite(cube)
    notes = []
    bad = stored.sizes["wavelength"] - cube.sizes["wavelength"]
    if bad:
        notes.append(f"{name}: bands left out because the file lists them as bad: {bad}.")
    black = np.flatnonzero(cube.max(("y", "x")).values <= 0)
    if len(black) == cube.sizes["wavelength"]:
        raise PixelError(
            f"The {name} {scene!r} has no pixel above 0.",
            next_step="check the file's scale factor and no-data value, or give another file",
        )
    if len(black) and not drop_black:
        raise PixelError(
            f"Band {black[0] + 1} of the {name} {scene!r} has no pixel above 0.",
            next_step="leave the band out of the file",
        )
    if len(black):
        cube = cube.isel(wavelength=np.setdiff1d(np.arange(cube.sizes["wavelength"]), black))
        notes.append(f"{name}: bands left out because no pixel is above 0: {len(black)}.")
    negative = float((cube < 0).mean())
    if negative:
        notes.append(f"{name}: {100 * negative:.2g} % of its values are negative, and became 0.")
    return cube.clip(min=0.0).assign_attrs(cube.attrs), notes
