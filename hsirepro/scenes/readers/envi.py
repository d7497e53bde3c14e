"""ENVI rasters: a text header (``.hdr``) and a file of plain numbers beside it.

The header is parsed and the data mapped by the ``spectral`` library. What is done with it:

- ``interleave`` bsq, bil and bip, and both byte orders, come out as (H, W, C); gzip is unpacked.
- ``wavelength`` with ``wavelength units`` becomes nm; without units, numbers below 25 are µm. If
  there is no ``wavelength``, band names that hold exactly one length each are used (HyMap).
- ``bbl`` becomes ``bad_bands``, ``reflectance scale factor`` divides, ``data ignore value``
  becomes NaN. ``data gain values`` are not applied, as ENVI itself does not when it displays.
"""

from __future__ import annotations

import gzip
import tempfile
import warnings
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hsirepro.errors import FormatError
from hsirepro.scenes.readers.stored import (
    Array,
    Stored,
    is_numeric,
    missing_library,
    refuse_key,
    unreadable,
)
from hsirepro.scenes.wavelengths import guess_nm, named_nm, unit_factor

DATA_EXTENSIONS = ("", ".img", ".dat", ".bsq", ".bil", ".bip", ".raw")
Header = Mapping[str, Any]


def read_envi(path: Path, key: str | None = None) -> Stored:
    """Read an ENVI cube, given its header or its data file.

    Parameters
    ----------
    path : Path
        ``x.hdr``, or the data beside it (``x``, ``x.img``, ``x.bsq.gz`` ...).
    key : None
        An ENVI raster holds one cube, so there is nothing to choose.

    Raises
    ------
    FormatError
        If one of the two files is missing, or they do not fit each other.
    """
    try:
        from spectral.io import envi
        from spectral.utilities.errors import SpyException
    except ImportError as problem:
        raise missing_library(path, "spectral") from problem

    header_path, data_path = _pair(path)
    refuse_key(path, key)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # header keys in capitals, which are fine
        try:
            header = envi.read_envi_header(str(header_path))
            envi.check_compatibility(header)
            params = envi.gen_params(header)
            bands, itemsize = params.nbands, np.dtype(params.dtype).itemsize
            expected = params.offset + params.nrows * params.ncols * bands * itemsize
        except (SpyException, KeyError, ValueError) as problem:
            raise unreadable(header_path, "an ENVI header", f"{problem!r}") from problem
        _check_kind(header_path, header, np.dtype(params.dtype))
        values = _values(header_path, data_path, expected, header)
    scale = _number(header_path, header, "reflectance scale factor")
    return Stored(
        values,
        wavelengths=_wavelengths(header_path, header, bands),
        bad_bands=_bad_bands(header_path, header, bands),
        divisor=scale or 1.0,
        ignore=_number(header_path, header, "data ignore value"),
        units="reflectance" if scale else "unknown",
        attrs=_attributes(header),
        pixel_file=data_path,
    )


def _pair(path: Path) -> tuple[Path, Path]:
    """Return header and data file, whichever of them ``path`` is."""
    beside = {p.name.lower(): p for p in path.parent.iterdir() if p.is_file()}
    name = path.name.lower()
    if name.endswith(".hdr"):
        stem = name.removesuffix(".hdr")
        wanted = [stem + ext + gz for gz in ("", ".gz") for ext in DATA_EXTENSIONS]
        found = [beside[n] for n in wanted if n in beside]
        if len(found) == 1:
            return path, found[0]
        several = ", ".join(p.name for p in found)
        raise FormatError(
            f"The ENVI header '{path.name}' has "
            + ("more than one data file." if found else "no data file."),
            looked_in=str(path.parent),
            found=several or "none of " + ", ".join(wanted[: len(DATA_EXTENSIONS)]),
            next_step="open the right data file by its own path"
            if found
            else f"put the data file beside it, as {path.stem}.img",
        )
    plain = name.removesuffix(".gz")
    wanted = [f"{plain}.hdr", f"{plain.rsplit('.', 1)[0]}.hdr"]
    headers = [beside[n] for n in wanted if n in beside]
    if headers:
        return headers[0], path
    raise FormatError(
        f"'{path.name}' looks like ENVI data, but there is no header beside it.",
        looked_in=str(path.parent),
        found=f"neither {wanted[0]} nor {wanted[1]}",
        next_step="put its .hdr there, or convert the cube to a format that describes itself",
    )


def _check_kind(path: Path, header: Header, dtype: np.dtype[Any]) -> None:
    """Refuse what the library would read as something that it is not."""
    interleave = str(header["interleave"]).lower()
    if interleave not in ("bsq", "bil", "bip"):
        raise unreadable(path, "an ENVI header", f"interleave = {interleave}")
    if str(header.get("file type", "")).lower() == "envi spectral library":
        raise unreadable(path, "an ENVI cube", "file type = ENVI Spectral Library")
    if not is_numeric(dtype):
        raise unreadable(path, "a cube of real numbers", f"data type = {header['data type']}")


def _values(header_path: Path, data_path: Path, expected: int, header: Header) -> Array:
    """Return the pixels, shape (H, W, C): mapped, or unpacked if they are compressed."""
    from spectral.io import envi

    if data_path.suffix.lower() != ".gz":
        _check_size(header_path, data_path, expected, data_path.stat().st_size, header)
        mapped: Array = envi.open(str(header_path), str(data_path)).open_memmap()
        return mapped
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "data"
        try:
            with gzip.open(data_path) as stream:
                # One byte more than needed is enough to know that it is too long.
                plain.write_bytes(stream.read(expected + 1))
        except (OSError, EOFError, zlib.error) as problem:
            raise unreadable(data_path, "gzip-ed ENVI data", problem) from problem
        _check_size(header_path, data_path, expected, plain.stat().st_size, header)
        return np.array(envi.open(str(header_path), str(plain)).open_memmap())


def _check_size(header_path: Path, data_path: Path, expected: int, size: int, head: Header) -> None:
    if size == expected:
        return
    shape = " x ".join(str(head[name]) for name in ("lines", "samples", "bands"))
    more = "more than " if size > expected and data_path.suffix.lower() == ".gz" else ""
    raise FormatError(
        f"The data file '{data_path.name}' is too {'short' if size < expected else 'long'} "
        "for its header.",
        header=f"{header_path.name}: {shape} (lines x samples x bands), "
        f"data type {head['data type']}",
        expected=f"{expected} bytes",
        found=f"{more}{min(size, expected) if more else size} bytes",
        next_step="copy the data file again, or correct the header",
    )


def _number(path: Path, header: Header, name: str) -> float | None:
    """Return a header field as a number, or ``None`` if the header does not have it."""
    if name not in header:
        return None
    try:
        return float(header[name])
    except (TypeError, ValueError) as problem:
        raise unreadable(path, "an ENVI header", f"{name} = {header[name]}") from problem


def _numbers(path: Path, header: Header, name: str, bands: int) -> Array:
    """Return a header list as numbers, one per band."""
    field = header[name] if isinstance(header[name], list) else [header[name]]
    field = [text for text in field if text]
    try:
        values = np.array([float(text) for text in field])
    except ValueError as problem:
        raise unreadable(path, "an ENVI header", f"{name}: {problem}") from problem
    if len(values) != bands:
        raise FormatError(
            f"The field '{name}' of '{path.name}' has {len(values)} values for {bands} bands.",
            file=str(path),
            next_step="correct the header",
        )
    return values


def _wavelengths(path: Path, header: Header, bands: int) -> Array | None:
    """Return the band centres in nm, or ``None`` if the header does not know them."""
    if "wavelength" not in header:
        names = header.get("band names", [])
        return named_nm(names) if len(names) == bands else None
    values = _numbers(path, header, "wavelength", bands)
    unit = str(header.get("wavelength units", "")).strip()
    if unit.lower() in ("", "unknown"):
        return guess_nm(values)
    factor = unit_factor(unit)
    return None if factor is None else values * factor


def _bad_bands(path: Path, header: Header, bands: int) -> tuple[int, ...]:
    if "bbl" not in header:
        return ()
    good = _numbers(path, header, "bbl", bands)
    return tuple(int(band) for band in np.flatnonzero(good == 0))


def _attributes(header: Header) -> dict[str, Any]:
    """Return sensor and ground sampling distance where the header names them."""
    attrs: dict[str, Any] = {}
    sensor = str(header.get("sensor type", "")).strip()
    if sensor.lower() not in ("", "unknown"):
        attrs["sensor"] = sensor
    place = header.get("map info", [])
    metric = any(str(p).lower().replace(" ", "") in ("utm", "units=meters") for p in place)
    if metric and len(place) > 6:
        attrs["gsd_m"] = float(place[5])
    return attrs
