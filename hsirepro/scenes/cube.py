"""The cube: one labelled hyperspectral image, the currency of every room.

A cube is an :class:`xarray.DataArray` with dims ``("y", "x", "wavelength")``, float32, a
``wavelength`` coordinate in nm and the attributes in :data:`ATTRIBUTES`. Where the file does not
know its wavelengths the coordinate counts bands from 0 and says so in its ``units``; whatever
needs wavelengths then stops with an error instead of guessing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from hsirepro.errors import PixelError, ShapeError, WavelengthError

if TYPE_CHECKING:
    from torch import Tensor

DIMS = ("y", "x", "wavelength")
ATTRIBUTES = ("units", "sensor", "source", "sha256", "bad_bands")


def make_cube(
    values: ArrayLike,
    wavelength: ArrayLike | None,
    *,
    units: str = "reflectance",
    sensor: str = "unknown",
    source: str = "unknown",
    sha256: str = "",
    bad_bands: Iterable[int] = (),
    **attrs: Any,
) -> xr.DataArray:
    """Label an array as a cube.

    Parameters
    ----------
    values : array_like, shape (H, W, C)
        Pixel values; stored as float32.
    wavelength : array_like, shape (C,), or None
        Band centres in nm; ``None`` where they are truly unknown.
    units : str
        What a value means: ``"reflectance"``, ``"counts"``, ``"radiance"`` ...
    sensor, source, sha256 : str
        Where the pixels come from.
    bad_bands : iterable of int
        0-based indices of bands that should not be used.
    **attrs
        Further attributes, such as ``gsd_m``, the ground sampling distance in m.

    Returns
    -------
    xarray.DataArray, dims (y, x, wavelength)

    Raises
    ------
    ShapeError
        If ``values`` is not (H, W, C), or ``wavelength`` does not have C entries.

    Examples
    --------
    >>> cube = make_cube(np.zeros((4, 5, 3)), [450, 550, 650])
    >>> dict(cube.sizes), cube.wavelength.attrs["units"]
    ({'y': 4, 'x': 5, 'wavelength': 3}, 'nm')
    """
    data = np.ascontiguousarray(values, dtype=np.float32)
    if data.ndim != 3:
        raise ShapeError(
            f"A cube has three axes (rows, columns, bands), this array has shape {data.shape}.",
            source=source,
        )
    bands = data.shape[2]
    if wavelength is None:
        centres, unit = np.arange(bands, dtype=np.float64), "band index"
    else:
        centres, unit = np.asarray(wavelength, dtype=np.float64).reshape(-1), "nm"
        if len(centres) != bands:
            raise ShapeError(
                f"{len(centres)} wavelengths were given for {bands} bands.",
                source=source,
                next_step="give one wavelength per stored band, in nm",
            )
    cube = xr.DataArray(
        data,
        dims=DIMS,
        coords={"wavelength": ("wavelength", centres, {"units": unit, "long_name": "wavelength"})},
        attrs={
            "units": units,
            "sensor": sensor,
            "source": source,
            "sha256": sha256,
            "bad_bands": sorted(int(band) for band in bad_bands),
            **attrs,
        },
    )
    return cube


def has_wavelengths(cube: xr.DataArray) -> bool:
    """Tell whether the ``wavelength`` coordinate of ``cube`` is in nm."""
    return bool(cube.wavelength.attrs.get("units") == "nm")


def wavelengths_nm(cube: xr.DataArray, purpose: str) -> np.ndarray:
    """Return the band centres in nm, shape (C,), or stop because ``purpose`` needs them.

    Raises
    ------
    WavelengthError
        If the cube does not know its wavelengths.
    """
    if not has_wavelengths(cube):
        raise WavelengthError(
            f"{purpose} needs wavelengths, and this cube has none.",
            scene=str(cube.attrs.get("source", "unknown")),
            next_step="open_scene(..., wavelengths=[...]) with one value in nm per band",
        )
    return np.asarray(cube.wavelength.values, dtype=np.float64)


def check_finite(cube: xr.DataArray) -> None:
    """Raise :class:`PixelError` if ``cube`` holds NaN or infinite values, saying where."""
    finite = np.isfinite(cube.values)
    if finite.all():
        return
    row, column, band = (int(i) for i in np.argwhere(~finite)[0])
    pixels = int((~finite).any(axis=2).sum())
    raise PixelError(
        f"{pixels} of {finite.shape[0] * finite.shape[1]} pixels hold NaN or infinite values.",
        scene=str(cube.attrs.get("source", "unknown")),
        first_at=f"row {row}, column {column}, band {band}",
        next_step="use a part of the image without them (-p part), or fill them",
    )


def drop_bad_bands(cube: xr.DataArray) -> xr.DataArray:
    """Return ``cube`` without the bands listed in ``attrs["bad_bands"]``."""
    bad = set(cube.attrs.get("bad_bands", ()))
    if not bad:
        return cube
    kept = [band for band in range(cube.sizes["wavelength"]) if band not in bad]
    good = cube.isel(wavelength=kept)
    good.attrs = {**cube.attrs, "bad_bands": []}
    return good


def to_tensor(cube: xr.DataArray) -> Tensor:
    """Return the pixels of ``cube`` as a float32 tensor, shape (C, H, W)."""
    import torch

    values = cube.transpose("wavelength", "y", "x").values
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def from_tensor(tensor: Tensor, like: xr.DataArray, **attrs: Any) -> xr.DataArray:
    """Label a tensor of shape (C, H, W) with the wavelengths and attributes of ``like``.

    Map coordinates of ``like`` are kept along an axis of the same number of pixels.
    """
    values = tensor.detach().cpu().float().permute(1, 2, 0).numpy()
    wavelength = like.wavelength.values if has_wavelengths(like) else None
    kept = {k: v for k, v in like.attrs.items() if k != "bad_bands"}
    return placed_as(make_cube(values, wavelength, **{**kept, **attrs}), like)


def placed_as(cube: xr.DataArray, like: xr.DataArray) -> xr.DataArray:
    """Return ``cube`` with the map coordinates of ``like``, along axes of the same length."""
    axes = [a for a in ("y", "x") if a in like.coords and like.sizes[a] == cube.sizes[a]]
    if axes and "crs" in like.attrs:
        cube = cube.assign_attrs(crs=like.attrs["crs"])
    return cube.assign_coords({axis: like[axis].variable for axis in axes})
