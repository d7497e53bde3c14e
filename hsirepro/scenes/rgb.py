"""Colour images: PNG, JPEG, TIFF and GeoTIFF in, red, green and blue from 0 to 1 out.

What an image has beside three colours is left out, and said: an alpha channel, a palette. What
cannot be guessed is refused: grey images, and the full scale of 16-bit and floating-point files
that do not fill it.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hsirepro.errors import FormatError, ParameterError, PixelError, SceneNotFound
from hsirepro.scenes.locate import sha256_of
from hsirepro.scenes.readers.stored import missing_library, unreadable

DIMS = ("y", "x", "colour")
COLOURS = ("red", "green", "blue")
RASTERS = (".tif", ".tiff")
LEAST_FILLED = 0.25  # of 16 bits; 12-bit counts in a 16-bit file reach a sixteenth


def open_rgb(
    path: str | os.PathLike[str],
    *,
    bands: Sequence[int] | None = None,
    full_scale: float | None = None,
) -> xr.DataArray:
    """Open a colour image.

    Parameters
    ----------
    path : str or path
        What Pillow reads, or a GeoTIFF.
    bands : sequence of three int, optional
        Which bands of a GeoTIFF are red, green and blue, from 1; the first three by default.
    full_scale : float, optional
        The stored value of full brightness; 255 and 65535 for 8 and 16 bits by default.

    Returns
    -------
    DataArray, dims (y, x, colour), float32
        Attributes ``source``, ``sha256`` and ``notes``: what was left out, one sentence each; and
        ``crs`` and ``transform`` of a GeoTIFF on a map.

    Raises
    ------
    SceneNotFound
        If there is no such file.
    FormatError
        If it is no image, or grey.
    ParameterError
        If bands or the full scale cannot be, or the latter must be given.
    PixelError
        If a pixel is NaN, infinite or without data.
    """
    place = Path(path)
    if not place.is_file():
        raise SceneNotFound(f"There is no colour image {str(place)!r}.")
    raster = place.suffix.lower() in RASTERS or _is_deep_png(place)
    if bands is not None and not raster:
        raise ParameterError(f"{place.name!r} has no bands to choose from; only a GeoTIFF has.")
    values, attrs, notes = _read_raster(place, bands) if raster else _read_picture(place)
    values = _three_colours(values, place, notes)
    if not np.isfinite(values).all():
        wrong = int((~np.isfinite(values)).any(axis=2).sum())
        raise PixelError(
            f"{wrong} of {values[:, :, 0].size} pixels of {place.name!r} are NaN, infinite or "
            "without data.",
            next_step="cut a part without them, or fill them",
        )
    scale = _full_scale(values, full_scale, place)
    image = xr.DataArray((values / scale).astype(np.float32), dims=DIMS, name="rgb")
    return image.assign_coords(colour=list(COLOURS)).assign_attrs(
        {"source": place.name, "sha256": sha256_of(place), "notes": tuple(notes), **attrs}
    )


def _is_deep_png(path: Path) -> bool:
    """Tell whether a PNG has 16 bits, of which Pillow would read no more than the upper eight."""
    with path.open("rb") as stored:
        head = stored.read(25)
    return head[:4] == b"\x89PNG" and head[24:] == bytes([16])


def _read_picture(path: Path) -> tuple[NDArray[Any], dict[str, Any], list[str]]:
    from PIL import Image, UnidentifiedImageError

    notes: list[str] = []
    try:
        with Image.open(path) as image:
            if image.mode != "P":
                return np.asarray(image), {}, notes
            notes.append("The palette was replaced by its colours.")
            plain = image.convert("RGBA" if "transparency" in image.info else "RGB")
            return np.asarray(plain), {}, notes
    except (UnidentifiedImageError, OSError, ValueError) as problem:
        raise unreadable(path, "a colour image", problem) from problem


def _read_raster(
    path: Path, bands: Sequence[int] | None
) -> tuple[NDArray[Any], dict[str, Any], list[str]]:
    try:
        import rasterio
        from rasterio.errors import NotGeoreferencedWarning, RasterioError
    except ImportError as problem:
        raise missing_library(path, "rasterio") from problem
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with rasterio.open(path) as raster:
                chosen = _chosen(bands, raster.count, path)
                stored = raster.read(chosen, masked=True)
                attrs = {}
                if raster.crs is not None:
                    attrs = {"crs": raster.crs.to_string(), "transform": tuple(raster.transform)}
        except (RasterioError, OSError) as problem:
            raise unreadable(path, "a GeoTIFF", problem) from problem
    values = stored.data
    if np.ma.getmaskarray(stored).any():
        values = np.where(np.ma.getmaskarray(stored), np.nan, values.astype(np.float64))
    return np.moveaxis(values, 0, -1), attrs, []


def _chosen(bands: Sequence[int] | None, count: int, path: Path) -> list[int]:
    if bands is None:
        if count > 4:
            raise ParameterError(
                f"{path.name!r} has {count} bands; which are red, green and blue?",
                next_step="give bands=(3, 2, 1), say, counted from 1",
            )
        return list(range(1, count + 1))
    if len(bands) != 3 or not all(1 <= band <= count for band in bands):
        raise ParameterError(
            f"bands={tuple(bands)} are no three of the {count} bands of {path.name!r}.",
            next_step="count them from 1",
        )
    return list(bands)


def _three_colours(values: NDArray[Any], path: Path, notes: list[str]) -> NDArray[Any]:
    """Leave an alpha channel out; refuse what has no three colours."""
    channels = values.shape[2] if values.ndim == 3 else 1
    if channels < 3:
        raise FormatError(
            f"{path.name!r} is grey: it has {channels} channel{'s' * (channels > 1)}, and spectra "
            "are recovered from red, green and blue.",
            next_step="give a colour image",
        )
    if channels == 4:
        clear = int((values[:, :, 3] == 0).sum())
        seen = f"; {clear} pixels are transparent, and count as they are stored" if clear else ""
        notes.append(f"The fourth channel, alpha, was left out{seen}.")
    elif channels > 4:
        raise FormatError(f"{path.name!r} has {channels} channels, not three.")
    return values[:, :, :3]


def _full_scale(values: NDArray[Any], told: float | None, path: Path) -> float:
    if told is not None:
        if not told > 0:
            raise ParameterError(f"full_scale={told:g} is no brightness.", next_step="above 0")
        return told
    top = float(values.max())
    if values.dtype == np.uint8 or (values.dtype.kind == "f" and 1.0 < top <= 255.0):
        return 255.0
    if values.dtype.kind == "f" and top <= 1.0:
        return 1.0
    if values.dtype == np.uint16 and top > LEAST_FILLED * 65535:
        return 65535.0
    raise ParameterError(
        f"{path.name!r} holds values of type {values.dtype} up to {top:g}: their full scale "
        "cannot be told from that.",
        next_step="give it, such as full_scale=4095 for counts of 12 bits",
    )
