"""GeoTIFF cubes through rasterio.

Band centres are taken from GDAL's ``CENTRAL_WAVELENGTH_UM``, a ``wavelength`` tag (with
``wavelength_units``), or band descriptions that hold exactly one length each. The no-data value
becomes NaN; per-band scale and offset are applied. Maps with north up give coordinates.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from hsirepro.scenes.readers.place import centres
from hsirepro.scenes.readers.stored import (
    Array,
    Stored,
    complex_values,
    is_numeric,
    missing_library,
    refuse_key,
    unreadable,
)
from hsirepro.scenes.wavelengths import guess_nm, named_nm, unit_factor


def read_geotiff(path: Path, key: str | None = None) -> Stored:
    """Read a GeoTIFF with one band per wavelength.

    Parameters
    ----------
    path : Path
        The file.
    key : None
        A GeoTIFF holds one cube, so there is nothing to choose.

    Raises
    ------
    FormatError
        If the file is damaged, or its pixels are not real numbers.
    """
    try:
        import rasterio
        from rasterio.errors import NotGeoreferencedWarning, RasterioError
    except ImportError as problem:
        raise missing_library(path, "rasterio") from problem

    refuse_key(path, key)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with rasterio.open(path) as raster:
                complex_bands = [kind for kind in raster.dtypes if kind.startswith("complex")]
                if complex_bands:
                    raise complex_values(path, f"type {complex_bands[0]}")
                values = raster.read()
                stored = _described(raster, np.moveaxis(values, 0, -1))
        except (RasterioError, OSError, ValueError) as problem:
            raise unreadable(path, "a GeoTIFF", problem) from problem
    if not is_numeric(values.dtype):
        raise unreadable(path, "a cube of real numbers", f"type {values.dtype}")
    return stored


def _described(raster: Any, values: Array) -> Stored:
    """Return ``values`` with what the tags of ``raster`` say about them."""
    scales, offsets = np.array(raster.scales), np.array(raster.offsets)
    plain = bool((scales == 1).all() and (offsets == 0).all())
    attrs: dict[str, Any] = {}
    if raster.crs is not None:
        attrs["crs"] = raster.crs.to_string()
    if raster.crs is not None and raster.crs.is_projected:
        attrs["gsd_m"] = float(raster.res[0] * raster.crs.linear_units_factor[1])
    place = raster.transform
    north_up = place.b == place.d == 0 and place.a > 0 > place.e  # not so without a map either
    return Stored(
        values,
        wavelengths=_wavelengths(raster),
        gain=None if plain else scales,
        offset=None if plain else offsets,
        ignore=() if raster.nodata is None else (float(raster.nodata),),
        attrs=attrs,
        x=centres(place.c, place.a, raster.width) if north_up else None,
        y=centres(place.f, place.e, raster.height) if north_up else None,
    )


def _wavelengths(raster: Any) -> Array | None:
    """Return the band centres in nm if every band has one."""
    numbers = range(1, raster.count + 1)
    central = [raster.tags(n, ns="IMAGERY").get("CENTRAL_WAVELENGTH_UM") for n in numbers]
    if all(central):
        return np.array([float(text) for text in central]) * 1e3
    tags = [{k.lower(): v for k, v in raster.tags(n).items()} for n in numbers]
    if all("wavelength" in tag for tag in tags):
        values = np.array([float(tag["wavelength"]) for tag in tags])
        unit = tags[0].get("wavelength_units", tags[0].get("wavelength_unit", ""))
        factor = unit_factor(unit)
        return guess_nm(values) if factor is None else values * factor
    return named_nm([text or "" for text in raster.descriptions])
