"""A recovered image in a file, with its abundances, on the map that the colour image lay on."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import xarray as xr
from torch import Tensor

from hsirepro.atomic import PARTIAL
from hsirepro.errors import ParameterError
from hsirepro.recovery.model import Recovered
from hsirepro.scenes.cube import has_wavelengths, make_cube, placed_as
from hsirepro.scenes.writing import check_output

SUFFIXES = (".nc", ".hdr")


def recovered_cube(
    image: Tensor, wavelength: np.ndarray, like: xr.DataArray, *, units: str, **attrs: str
) -> xr.DataArray:
    """Label a recovered image (L, H, W) as a cube, placed on the map as ``like`` is."""
    values = image.permute(1, 2, 0).numpy()
    source = str(like.attrs.get("source", "unknown"))
    return placed_as(
        make_cube(values, wavelength, units=units, source=source).assign_attrs(attrs), like
    )


def check_recovered_output(output: str) -> Path | None:
    """Return where a result goes, after checking every file that it needs; None for "".

    Raises
    ------
    ParameterError
        As :func:`~hsirepro.scenes.writing.check_output`, or if the image of a header is there.
    """
    path = check_output(output, SUFFIXES)
    if path is not None:
        for target in _files(path)[1:]:
            if target.exists():
                raise ParameterError(
                    f"The file {str(target)!r} is there already, and is not overwritten.",
                    next_step="give another name, or move the file away",
                )
    return path


def write_recovered(
    cube: xr.DataArray, made: Recovered, titles: list[str], path: Path
) -> list[Path]:
    """Write a cube and its abundances, each file whole or not at all, and never over another.

    Parameters
    ----------
    cube : DataArray, dims (y, x, wavelength)
        As :func:`recovered_cube` makes it.
    made : Recovered
        Where it has abundances they are written as well.
    titles : list of str
        Of the spectra that abundances are of.
    path : Path
        In ``.nc``: the variables ``cube`` and ``abundances``. In ``.hdr``: an ENVI image, and
        another in ``-abundances.hdr``.

    Returns
    -------
    list of Path
        The one that was asked for first.
    """
    check_recovered_output(str(path))
    shares = None if made.abundances is None else made.abundances.permute(1, 2, 0).numpy()
    with tempfile.TemporaryDirectory(dir=path.absolute().parent, suffix=PARTIAL) as folder:
        partial = Path(folder) / path.name
        if path.suffix == ".nc":
            _write_netcdf(cube, shares, titles, partial)
        else:
            _write_envi(cube, cube.values, {"wavelength": list(cube.wavelength.values)}, partial)
            if shares is not None:
                names = [title.replace(",", " ") for title in titles]
                _write_envi(cube, shares, {"band names": names}, _abundances(partial))
        made_files = [file for file in _files(path) if (Path(folder) / file.name).exists()]
        for target in reversed(made_files):  # the headers last: with them the images are there
            os.replace(Path(folder) / target.name, target)
    return made_files


def _files(path: Path) -> list[Path]:
    if path.suffix == ".nc":
        return [path]
    headers = [path, _abundances(path)]
    return [*headers, *(header.with_suffix(".img") for header in headers)]


def _abundances(path: Path) -> Path:
    return path.with_name(f"{path.stem}-abundances.hdr")


def _write_netcdf(
    cube: xr.DataArray, shares: np.ndarray | None, titles: list[str], path: Path
) -> None:
    plain = {k: v for k, v in cube.attrs.items() if isinstance(v, str | int | float)}
    arrays = {"cube": cube.rename("cube").assign_attrs()}
    arrays["cube"].attrs = plain
    if shares is not None:
        dims = ("y", "x", "spectrum")
        arrays["abundances"] = xr.DataArray(shares, dims=dims, attrs={"units": "1"})
        arrays["abundances"] = arrays["abundances"].assign_coords(title=("spectrum", titles))
    coded = {name: {"zlib": True} for name in arrays}
    xr.Dataset(arrays).to_netcdf(path, engine="h5netcdf", encoding=coded)


def _write_envi(
    cube: xr.DataArray, values: np.ndarray, told: dict[str, object], header: Path
) -> None:
    from spectral.io import envi  # only who writes ENVI needs it

    metadata = {**told, **_map_info(cube), "data units": str(cube.attrs.get("units", "unknown"))}
    if "wavelength" in told and has_wavelengths(cube):
        metadata["wavelength units"] = "Nanometers"
    envi.save_image(
        str(header), values, dtype=np.float32, interleave="bsq", ext=".img", metadata=metadata
    )


def _map_info(cube: xr.DataArray) -> dict[str, object]:
    """Return where the pixels lie, as ENVI's headers say it; nothing where it is not known."""
    if not {"x", "y"} <= set(cube.coords) or min(cube.shape[:2]) < 2:
        return {}
    x, y = (cube[axis].values.astype(float) for axis in ("x", "y"))
    right, down = (x[-1] - x[0]) / (len(x) - 1), (y[0] - y[-1]) / (len(y) - 1)
    corner = [x[0] - right / 2, y[0] + down / 2]
    told: dict[str, object] = {
        "map info": ["Map", 1, 1, *(repr(float(n)) for n in (*corner, right, down))]
    }
    if cube.attrs.get("crs"):
        told["coordinate system string"] = _wkt(str(cube.attrs["crs"]))
    return told


def _wkt(crs: str) -> str:
    """Return a coordinate system as well-known text, which ENVI writes."""
    try:
        from rasterio.crs import CRS
    except ImportError:
        return crs
    return str(CRS.from_string(crs).to_wkt())
