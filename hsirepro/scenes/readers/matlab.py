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
