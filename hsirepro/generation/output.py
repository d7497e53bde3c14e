"""Generated tiles in a file, with their abundances, in the units of the scene they are like."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from torch import Tensor

from hsirepro.atomic import PARTIAL
from hsirepro.errors import ParameterError
from hsirepro.generation.model import Samples
from hsirepro.scenes.cube import has_wavelengths
from hsirepro.scenes.writing import check_output, storable

SUFFIXES = (".nc", ".hdr")
KEPT = ("units", "sensor", "source")  # attributes of the scene that hold for its tiles


def tiles_dataset(
    samples: Samples,
    cube: xr.DataArray,
    *,
    units: str,
    scale: float = 1.0,
    endmembers: Tensor | None = None,
    **attrs: str | float,
) -> xr.Dataset:
    """Return generated tiles as labelled arrays.

    Parameters
    ----------
    samples : Samples
    cube : DataArray, dims (y, x, wavelength)
        The scene that the model was fitted to.
    units : str
        Of the tiles once multiplied by ``scale``.
    scale : float
        What 1 is in the scene's units.
    endmembers : Tensor, shape (L, p), optional
        Spectra that the abundances mix.
    **attrs
        How the tiles were made, such as ``method`` and ``seed``.

    Returns
    -------
    xarray.Dataset
        ``tiles``, dims (tile, y, x, wavelength), float32; where they are known ``abundances``,
        dims (tile, y, x, endmember), and ``endmembers``, dims (endmember, wavelength).
    """
    kept = {name: cube.attrs[name] for name in KEPT if storable(cube.attrs.get(name))}
    tiles = scale * samples.tiles.permute(0, 2, 3, 1).numpy()
    arrays: dict[str, tuple[tuple[str, ...], np.ndarray, dict[str, Any]]] = {
        "tiles": (("tile", "y", "x", "wavelength"), tiles, {**kept, "units": units})
    }
    if samples.abundances is not None:
        shares = samples.abundances.permute(0, 2, 3, 1).numpy()
        arrays["abundances"] = (("tile", "y", "x", "endmember"), shares, {"units": "1"})
    if endmembers is not None:
        spectra = scale * endmembers.T.numpy()
        arrays["endmembers"] = (("endmember", "wavelength"), spectra, {"units": units})
    return xr.Dataset(arrays, {"wavelength": cube.wavelength}, attrs)


def write_tiles(dataset: xr.Dataset, path: Path) -> list[Path]:
    """Write tiles, each file whole or not at all, and never over another.

    Parameters
    ----------
    dataset : Dataset
        As :func:`tiles_dataset` makes it.
    path : Path
        A name in ``.nc`` takes everything. One in ``.hdr`` takes an ENVI image of all tiles, laid
        out row by row in a square, and ``-abundances.hdr`` another of their abundances.

    Returns
    -------
    list of Path
        The files, the one that was asked for first.

    Raises
    ------
    ParameterError
        If one of them is there already or cannot be written.
    """
    if path.suffix == ".nc":
        check_output(str(path), SUFFIXES)
        with tempfile.TemporaryDirectory(dir=path.absolute().parent, suffix=PARTIAL) as folder:
            partial = Path(folder) / path.name
            coded = {str(name): {"zlib": True} for name in dataset.data_vars}
            dataset.to_netcdf(partial, engine="h5netcdf", encoding=coded)
            os.replace(partial, path)
        return [path]
    written = []
    for name, target in envi_files(path).items():
        if name in dataset:
            check_output(str(target), SUFFIXES)
            written += _write_envi(dataset[name], target, dataset.attrs)
    return written


def envi_files(path: Path) -> dict[str, Path]:
    """Return which header holds what, where tiles are written as ENVI.

    Examples
    --------
    >>> str(envi_files(Path("drawn.hdr"))["abundances"])
    'drawn-abundances.hdr'
    """
    return {"tiles": path, "abundances": path.with_name(f"{path.stem}-abundances.hdr")}


def check_tiles_output(output: str) -> Path | None:
    """Return where tiles go, after checking that every file can be written; None for "".

    Raises
    ------
    ParameterError
        As :func:`~hsirepro.scenes.writing.check_output`.
    """
    path = check_output(output, SUFFIXES)
    if path is not None and path.suffix == ".hdr":
        for header in envi_files(path).values():
            check_output(str(header), SUFFIXES)
            _check_raster(header)
    return path


def _check_raster(header: Path) -> None:
    raster = header.with_suffix(".img")
    if raster.exists():
        raise ParameterError(
            f"The file {str(raster)!r} is there already, and is not overwritten.",
            next_step="give another name, or move the file away",
        )


def _write_envi(maps: xr.DataArray, header: Path, attrs: dict[str, object]) -> list[Path]:
    from spectral.io import envi  # only who writes ENVI needs it

    _check_raster(header)
    metadata: dict[str, object] = {
        "description": "; ".join(f"{name} {value}" for name, value in attrs.items())
    }
    if "wavelength" in maps.dims and has_wavelengths(maps):
        metadata |= {"wavelength": list(maps.wavelength.values), "wavelength units": "Nanometers"}
    if "endmember" in maps.dims:
        metadata["band names"] = [f"endmember {i + 1}" for i in range(maps.sizes["endmember"])]
    square = laid_out(maps.values)
    with tempfile.TemporaryDirectory(dir=header.absolute().parent, suffix=PARTIAL) as folder:
        partial = Path(folder) / header.name
        envi.save_image(
            str(partial), square, dtype=np.float32, interleave="bsq", ext=".img", metadata=metadata
        )
        made = [header.with_suffix(".img"), header]  # the header last: with it the image is there
        for target in made:
            os.replace(partial.with_name(target.name), target)
    return [header, header.with_suffix(".img")]


def laid_out(tiles: np.ndarray) -> np.ndarray:
    """Lay tiles, shape (n, h, w, C), out in a square, row by row; what is left over stays 0.

    Examples
    --------
    >>> laid_out(np.ones((5, 2, 3, 4))).shape
    (4, 9, 4)
    """
    count, height, width, channels = tiles.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    square = np.zeros((rows * height, columns * width, channels), tiles.dtype)
    for number, tile in enumerate(tiles):
        top, left = (number // columns) * height, (number % columns) * width
        square[top : top + height, left : left + width] = tile
    return square
