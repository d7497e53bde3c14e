"""NetCDF cubes through xarray, EMIT-like files with their band table in a group among them.

The spectral dimension is known by its name, or because it carries band centres; the other two are
rows and columns in stored order. Fill values, ``scale_factor`` and ``add_offset`` are decoded by
xarray, fill values to NaN. Even map coordinates such as x and y, or lon and lat, are kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from hsirepro.errors import FormatError
from hsirepro.scenes.readers.place import X_NAMES, Y_NAMES, named
from hsirepro.scenes.readers.stored import (
    Array,
    Stored,
    choose,
    is_numeric,
    unreadable,
)
from hsirepro.scenes.wavelengths import (
    Vector,
    band_centres,
    is_spectral,
    only_wavelengths,
    unit_factor,
)

BAND_GROUP = "sensor_band_parameters"
"""Group in which EMIT keeps ``wavelengths`` and ``good_wavelengths``."""


def read_netcdf(path: Path, key: str | None = None) -> Stored:
    """Read the cube of a NetCDF file (classic or NetCDF-4).

    Parameters
    ----------
    path : Path
        The file.
    key : str, optional
        Variable that holds the cube; needed if more than one has three dimensions.

    Raises
    ------
    FormatError
        If the file is damaged, the cube is not plain, or no dimension can be the spectral one.
    """
    with path.open("rb") as stream:
        engine = "scipy" if stream.read(3) == b"CDF" else "h5netcdf"
    try:
        if engine == "h5netcdf":
            h5py.File(path, "r").close()  # on damaged files it fails more cleanly than h5netcdf
        with xr.open_dataset(path, engine=engine, decode_times=False) as dataset:
            shapes = {
                str(name): tuple(variable.shape)
                for name, variable in dataset.data_vars.items()
                if is_numeric(variable.dtype)
            }
            cube = dataset[choose(path, shapes, key)]
            spectral = _spectral_dimension(path, dataset, cube)
            values = cube.transpose(..., spectral).values
            table = _band_group(path, engine)
            centres = _coordinate(dataset, spectral, values.shape[-1])
            y, x = _place(dataset, [dim for dim in cube.dims if dim != spectral])
            crs = _crs(dataset, cube)
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise unreadable(path, "a NetCDF file", problem) from problem
    if centres is None and "wavelengths" in table:
        centres = only_wavelengths([Vector("wavelengths", table["wavelengths"])], values.shape[-1])
    good = np.asarray(table.get("good_wavelengths", np.ones(values.shape[-1])))
    bad = np.flatnonzero(good == 0) if good.size == values.shape[-1] else np.array([], int)
    units = str(cube.attrs.get("units", "unknown"))
    return Stored(
        values,
        wavelengths=centres,
        bad_bands=tuple(int(band) for band in bad),
        units=units,
        attrs={"crs": crs} if crs else {},
        x=x,
        y=y,
    )


def _spectral_dimension(path: Path, dataset: xr.Dataset, cube: xr.DataArray) -> Any:
    """Return the one dimension that is named like a spectral one or carries band centres."""
    along = {dim: _along(dataset, dim) for dim in cube.dims}
    named = [dim for dim in along if is_spectral(str(dim))]
    carry = [dim for dim in along if band_centres(v for v in along[dim] if v.spectral)]
    guess = [dim for dim in along if band_centres(v for v in along[dim] if v.name == str(dim))]
    # The first way of telling that finds any decides.
    found = next((dims for dims in (named, carry, guess) if dims), [])
    if len(found) == 1:
        return found[0]
    raise FormatError(
        f"No single dimension of {cube.name!r} in '{path.name}' can be the spectral one.",
        file=str(path),
        found=", ".join(f"{dim}: {size}" for dim, size in cube.sizes.items()),
        next_step="name it 'wavelength' or 'band', or give it its band centres as a coordinate",
    )


def _along(dataset: xr.Dataset, dim: Any) -> list[Vector]:
    """Return the vectors along ``dim``, its own coordinate among them."""
    return [
        Vector(str(name), variable.values, str(variable.attrs.get("units", "")))
        for name, variable in dataset.variables.items()
        if variable.dims == (dim,) and is_numeric(variable.dtype)
    ]


def _coordinate(dataset: xr.Dataset, dim: Any, bands: int) -> Array | None:
    """Return the band centres along ``dim`` in nm: its own coordinate, or one named for it."""
    along = _along(dataset, dim)
    named = [v for v in along if v.name == str(dim) or v.name.lower().startswith("wavelength")]
    for vector in named:
        factor = unit_factor(vector.unit)
        if factor is not None:
            return np.asarray(vector.values, dtype=np.float64) * factor
    return only_wavelengths(along, bands)


def _place(dataset: xr.Dataset, plane: list[Any]) -> tuple[Array | None, Array | None]:
    """Return the map coordinates along rows and columns, where the file has them."""
    if len(plane) != 2:
        return None, None
    rows, columns = ([(v.name, v.values) for v in _along(dataset, dim)] for dim in plane)
    height, width = (dataset.sizes[dim] for dim in plane)
    return named(rows, Y_NAMES, height), named(columns, X_NAMES, width)


def _crs(dataset: xr.Dataset, cube: xr.DataArray) -> str:
    """Return the text of the coordinate system: of the CF grid mapping, or an attribute."""
    said = {**cube.encoding, **cube.attrs}
    grid = dataset.variables.get(str(said.get("grid_mapping", "")))
    attrs = {} if grid is None else grid.attrs
    return str(attrs.get("crs_wkt", attrs.get("spatial_ref", cube.attrs.get("crs", ""))))


def _band_group(path: Path, engine: str) -> dict[str, Array]:
    """Return the variables of EMIT's band table, or nothing if the file has none."""
    if engine == "scipy":
        return {}
    with h5py.File(path, "r") as file:
        if BAND_GROUP not in file:
            return {}
        group = file[BAND_GROUP]
        return {name: group[name][()] for name in group if isinstance(group[name], h5py.Dataset)}
