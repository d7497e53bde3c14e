"""ENVI rasters: a text header (``.hdr``) and a file of plain numbers beside it.

The header is parsed by the ``spectral`` library, which also knows the data types. What is done
with it:

- Headers may be UTF-8, with or without a byte order mark, or Latin-1.
- ``interleave`` bsq, bil and bip, and both byte orders, come out as (H, W, C); gzip is unpacked.
- ``wavelength`` with ``wavelength units`` becomes nm; without units, numbers below 25 are µm. If
  there is no ``wavelength``, band names that hold exactly one length each are used (HyMap).
- ``map info`` without rotation gives coordinates and, in metres, the sampling distance.
- ``bbl`` becomes ``bad_bands``, and ``data ignore value`` becomes NaN. ``data gain values``
  multiply and ``data offset values`` are added, then ``reflectance scale factor`` divides.
"""

from __future__ import annotations

import gzip
import re
import sys
import tempfile
import warnings
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hsirepro.errors import FormatError
from hsirepro.scenes.readers.place import centres
from hsirepro.scenes.readers.stored import (
    Array,
    Stored,
    complex_values,
    impossible_scale,
    is_numeric,
    missing_library,
    refuse_key,
    unreadable,
    usable_scale,
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
    header = _header(header_path)
    try:
        envi.check_compatibility(header)
        params = envi.gen_params(header)
    except (SpyException, KeyError, ValueError, TypeError) as problem:
        raise unreadable(header_path, "an ENVI header", f"{problem!r}") from problem
    _check_kind(header_path, header, params)
    values = _values(header_path, data_path, params, header)
    y, x = _place(header_path, header, values.shape)
    scale = _scale(header_path, header)
    ignore = _number(header_path, header, "data ignore value")
    gain, offset = _calibration(header_path, header, params.nbands)
    return Stored(
        values,
        wavelengths=_wavelengths(header_path, header, params.nbands),
        bad_bands=_bad_bands(header_path, header, params.nbands),
        divisor=scale or 1.0,
        gain=gain,
        offset=offset,
        ignore=() if ignore is None else (ignore,),
        units="reflectance" if scale else "unknown",
        attrs=_attributes(header_path, header),
        pixel_file=data_path,
        x=x,
        y=y,
    )


def _header(path: Path) -> Header:
    """Return the fields of a header, as the library reads them from a copy in UTF-8."""
    from spectral.io import envi
    from spectral.utilities.errors import SpyException

    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names in capitals, which are fine
        copy = Path(folder) / "header.hdr"
        # An ellipsis of Windows-1252 is the end of a line in Latin-1, and of a field after it.
        copy.write_text(text.replace("\x85", "..."), encoding="utf-8")
        try:
            header: Header = envi.read_envi_header(str(copy))
        except (SpyException, KeyError, ValueError, TypeError) as problem:
            open_brace = text.count("{") > text.count("}")
            found = "a brace is never closed" if open_brace else f"{problem!r}"
            raise unreadable(path, "an ENVI header", found) from problem
    return header


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


def _check_kind(path: Path, header: Header, params: Any) -> None:
    """Refuse what would be read as something that it is not."""
    interleave = str(header["interleave"]).lower()
    if interleave not in _AXES:
        raise unreadable(path, "an ENVI header", f"interleave = {interleave}")
    if str(header.get("file type", "")).lower() == "envi spectral library":
        raise unreadable(path, "an ENVI cube", "file type = ENVI Spectral Library")
    for name, number in {
        "samples": params.ncols,
        "lines": params.nrows,
        "bands": params.nbands,
        "header offset": params.offset + 1,
    }.items():
        if number < 1:
            raise unreadable(path, "an ENVI header", f"{name} = {header[name]}")
    dtype = np.dtype(params.dtype)
    if dtype.kind == "c":
        raise complex_values(path, f"data type = {header['data type']}")
    if not is_numeric(dtype):
        raise unreadable(path, "a cube of real numbers", f"data type = {header['data type']}")


_AXES = {"bsq": (1, 2, 0), "bil": (0, 2, 1), "bip": (0, 1, 2)}
"""Where rows, columns and bands stand among the axes of the file."""


def _values(header_path: Path, data_path: Path, params: Any, header: Header) -> Array:
    """Return the pixels, shape (H, W, C): mapped, or unpacked if they are compressed."""
    dtype, axes = np.dtype(params.dtype), _AXES[str(header["interleave"]).lower()]
    shape = np.empty(3, dtype=object)  # of the file; whole numbers of any size
    shape[list(axes)] = params.nrows, params.ncols, params.nbands
    expected = params.offset + params.nrows * params.ncols * params.nbands * dtype.itemsize
    if data_path.suffix.lower() != ".gz":
        _check_size(header_path, data_path, expected, data_path.stat().st_size, header)
        mapped = np.memmap(data_path, dtype, "r", params.offset, tuple(shape))
        return mapped.transpose(axes)
    try:
        with gzip.open(data_path) as stream:
            # One byte more than needed is enough to know that it is too long.
            plain = stream.read(min(expected, sys.maxsize - 1) + 1)
    except (OSError, EOFError, zlib.error) as problem:
        raise unreadable(data_path, "gzip-ed ENVI data", problem) from problem
    _check_size(header_path, data_path, expected, len(plain), header)
    return np.frombuffer(plain, dtype, offset=params.offset).reshape(tuple(shape)).transpose(axes)


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


def _scale(path: Path, header: Header) -> float | None:
    """Return the reflectance scale factor, if the header has one."""
    name = "reflectance scale factor"
    value = _number(path, header, name)
    if value is not None and not usable_scale(value):
        raise impossible_scale(path, f"field '{name}'", f"{name} = {header[name]}")
    return value


def _calibration(path: Path, header: Header, bands: int) -> tuple[Array | None, Array | None]:
    """Return gain and offset per band, or ``None`` twice if the header has neither."""
    names = {"data gain values": np.ones(bands), "data offset values": np.zeros(bands)}
    if not any(name in header for name in names):
        return None, None
    gain, offset = (
        _numbers(path, header, name, bands) if name in header else default
        for name, default in names.items()
    )
    for name, values in zip(names, (gain, offset), strict=True):
        if not np.isfinite(values).all():
            raise unreadable(path, "an ENVI header", f"{name}: not all are finite")
    return gain, offset


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


def _attributes(path: Path, header: Header) -> dict[str, Any]:
    """Return sensor and ground sampling distance where the header names them."""
    attrs: dict[str, Any] = {}
    sensor = str(header.get("sensor type", "")).strip()
    if sensor.lower() not in ("", "unknown"):
        attrs["sensor"] = sensor
    place = header.get("map info", [])
    metric = any(str(p).lower().replace(" ", "") in ("utm", "units=meters") for p in place)
    if metric and len(place) > 6:
        attrs["gsd_m"] = _place_number(path, place, 5)
    if "coordinate system string" in header:
        crs = header["coordinate system string"]
        attrs["crs"] = ",".join(crs) if isinstance(crs, list) else crs
    return attrs


def _place(
    path: Path, header: Header, shape: tuple[int, ...]
) -> tuple[Array, Array] | tuple[None, None]:
    """Return the pixel centres y, x from ``map info``, unless it is turned or names no map."""
    place = header.get("map info", [])
    turned = any(re.fullmatch(r"rotation\s*=.*[1-9].*", p.lower()) for p in place)
    if len(place) < 7 or turned or place[0].lower() in ("arbitrary", "pixel", "none", ""):
        return None, None
    # Pixel (1, 1) is the outer corner of the first one, and northing falls from row to row.
    column, row, easting, northing, width, height = (
        _place_number(path, place, index) for index in range(1, 7)
    )
    if not (np.isfinite([column, row, easting, northing]).all() and width > 0 and height > 0):
        return None, None
    rows = centres(northing + (row - 1) * height, -height, shape[0])
    return rows, centres(easting - (column - 1) * width, width, shape[1])


def _place_number(path: Path, place: Sequence[str], index: int) -> float:
    """Return one entry of ``map info`` as a number."""
    try:
        return float(place[index])
    except ValueError as problem:
        raise unreadable(path, "an ENVI header", f"map info: {place[index]}") from problem
