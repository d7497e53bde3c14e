"""A part of a scene, given as text: "0:256, 100:356" is rows 0 to 255 and columns 100 to 355."""

from __future__ import annotations

import re

import xarray as xr

from hsirepro.errors import ParameterError

_WINDOW = re.compile(r"\s*(\d+)\s*:\s*(\d+)\s*,\s*(\d+)\s*:\s*(\d+)\s*")
_EXAMPLE = "first:last,first:last, rows then columns, such as 0:256,100:356"


def cut(cube: xr.DataArray, window: str, times: int = 1) -> xr.DataArray:
    """Return the pixels of ``cube`` inside a window.

    Parameters
    ----------
    cube : DataArray, dims (y, x, wavelength)
    window : str
        ``first:last,first:last``: rows, then columns, from 0, the last one not included. Empty
        text is the whole cube.
    times : int
        Pixels of ``cube`` per pixel that ``window`` counts, along each side.

    Raises
    ------
    ParameterError
        If the text is not a window, or it reaches out of the cube.

    Examples
    --------
    >>> import numpy as np
    >>> from hsirepro.scenes import make_cube
    >>> cube = make_cube(np.zeros((20, 30, 2)), [500, 600], units="reflectance", gsd_m=1.0)
    >>> cut(cube, "2:6, 10:13").shape, cut(cube, "1:3,5:6", times=4).shape
    ((4, 3, 2), (8, 4, 2))
    """
    if not window.strip():
        return cube
    found = _WINDOW.fullmatch(window)
    if not found:
        raise ParameterError(f"{window!r} is not a window.", next_step=f"write {_EXAMPLE}")
    top, bottom, left, right = (times * int(number) for number in found.groups())
    rows, columns = cube.sizes["y"], cube.sizes["x"]
    if not (top < bottom <= rows and left < right <= columns):
        raise ParameterError(
            f"The window {window!r} does not lie inside the image.",
            image=f"rows 0:{rows // times}, columns 0:{columns // times}",
            next_step=f"write {_EXAMPLE}",
        )
    return cube.isel(y=slice(top, bottom), x=slice(left, right))
