"""MATLAB files: v5 (and v4) through SciPy, v7.3 through h5py.

A v7.3 file is HDF5, and there MATLAB's column-major arrays appear with their axes reversed: a cube
of (H, W, C) is listed as (C, W, H). Both kinds leave here as (H, W, C).
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from hsirepro.scenes.readers.hdf5 import read_hdf5
from hsirepro.scenes.readers.stored import (
    Stored,
    choose,
    is_numeric,
    refuse_complex,
    unreadable,
    wrong_axis,
)
from hsirepro.scenes.wavelengths import Vector, only_wavelengths, other_axis

# What SciPy raises on files that break off or are not MATLAB's.
_BROKEN: tuple[type[Exception], ...] = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    NotImplementedError,
    OverflowError,
    MemoryError,
    struct.error,
    zlib.error,
)

_NUMERIC = {"double", "single", "logical", "int8", "int16", "int32", "int64"}
_NUMERIC |= {"uint8", "uint16", "uint32", "uint64"}


def read_matlab(path: Path, key: str | None = None) -> Stored:
    """Read the cube of a ``.mat`` file of any version.

    Parameters
    ----------
    path : Path
        The file.
    key : str, optional
        Variable that holds the cube; needed if more than one has three axes.

    Returns
    -------
    Stored
        With wavelengths if a vector of the file can only be the band centres.

    Raises
    ------
    FormatError
        If the file is damaged or the cube is not plain.
    """
    import h5py

    if h5py.is_hdf5(path):
        return read_hdf5(path, key)
    from scipy.io import loadmat, whosmat

    _check_elements(path)
    try:
        shapes = {name: shape for name, shape, kind in whosmat(path) if kind in _NUMERIC}
    except _BROKEN as problem:
        raise unreadable(path, "a MATLAB file", problem) from problem
    name = choose(path, shapes, key)
    vectors = [n for n, shape in shapes.items() if n != name and np.prod(shape) == max(shape)]
    try:
        loaded = loadmat(path, variable_names=[name, *vectors])
    except _BROKEN as problem:
        raise unreadable(path, "a MATLAB file", problem) from problem
    values = loaded[name]
    refuse_complex(path, {name: values}, name)
    if not is_numeric(values.dtype):
        raise unreadable(path, "a cube of real numbers", f"{name} has type {values.dtype}")
    others = [Vector(n, loaded[n]) for n in vectors if is_numeric(loaded[n].dtype)]
    centres = only_wavelengths(others, values.shape[-1])
    if centres is None and key is None:
        wrong_axis(path, other_axis(others, values.shape))
    return Stored(values, wavelengths=centres)


_HEADER = 128  # bytes before the first element of a v5 file
_KINDS = {1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 14, 15, 16, 17, 18}  # types of elements that v5 knows
_MATRIX = 14  # an element that holds elements


def _check_elements(path: Path) -> None:
    """Stop at an element of a v5 file that cannot be one.

    SciPy looks element types up without checking them: a wrong one can end the whole process.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(_HEADER)
        if len(head) < _HEADER or 0 in head[:4]:
            return  # too short, or v4: SciPy says what is wrong
        order = ">" if head[126:] == b"MI" else "<"
        ends, at = [size], _HEADER
        while at < size:
            while at >= ends[-1]:
                ends.pop()
            stream.seek(at)
            kind, length, data = _tag(stream.read(8), order)
            if kind not in _KINDS or at + data + length > ends[-1]:
                found = f"an element of type {kind} and {length} bytes at byte {at}"
                raise unreadable(path, "a MATLAB file", found)
            if kind == _MATRIX:
                ends.append(at + data + length)
                at += data
            elif data == 4:
                at += 8
            else:  # elements are padded to 8 bytes, but not those of the file itself
                at += data + (length if len(ends) == 1 else -(-length // 8) * 8)


def _tag(tag: bytes, order: str) -> tuple[int, int, int]:
    """Return type, length in bytes, and where the data begin, of an element."""
    if len(tag) < 8:
        return 0, 0, 8
    kind, length = struct.unpack(f"{order}II", tag)
    if kind >> 16:  # a small element: its length and up to 4 bytes of data within the tag
        return kind & 0xFFFF, min(kind >> 16, 4), 4
    return kind, length, 8
