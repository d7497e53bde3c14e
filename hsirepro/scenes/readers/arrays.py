"""NumPy files: ``.npy`` with one array, ``.npz`` with several. Pickled objects are refused."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from hsirepro.errors import FormatError
from hsirepro.scenes.readers.stored import (
    Array,
    Stored,
    choose,
    is_numeric,
    refuse_complex,
    refuse_key,
    unreadable,
    wrong_axis,
)
from hsirepro.scenes.wavelengths import Vector, only_wavelengths, other_axis

_BROKEN = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)


def read_npy(path: Path, key: str | None = None) -> Stored:
    """Read a ``.npy`` file that holds a cube of shape (H, W, C); mapped, not loaded.

    Raises
    ------
    FormatError
        If it is damaged, pickled, or not an array of real numbers with three axes.
    """
    refuse_key(path, key)
    _refuse_pickle(path)
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except _BROKEN as problem:
        raise unreadable(path, "a NumPy array", problem) from problem
    refuse_complex(path, {"the array": values}, None)
    shapes = {"the array": values.shape} if is_numeric(values.dtype) else {}
    choose(path, shapes, None)
    return Stored(values)


def read_npz(path: Path, key: str | None = None) -> Stored:
    """Read the cube of a ``.npz`` archive, and its wavelengths if they are plain.

    Raises
    ------
    FormatError
        If it is damaged, pickled, or the cube is not plain.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays: dict[str, Array] = {name: _member(path, archive, name) for name in archive}
    except _BROKEN as problem:
        raise unreadable(path, "a NumPy archive", problem) from problem
    refuse_complex(path, arrays, key)
    numeric = {name: array for name, array in arrays.items() if is_numeric(array.dtype)}
    name = choose(path, {n: a.shape for n, a in numeric.items()}, key)
    values = numeric[name]
    others = [Vector(n, array) for n, array in numeric.items() if n != name]
    centres = only_wavelengths(others, values.shape[-1])
    if centres is None and key is None:
        wrong_axis(path, other_axis(others, values.shape))
    return Stored(values, wavelengths=centres)


def _member(path: Path, archive: Any, name: str) -> Array:
    """Return one array; an array of objects would have to be unpickled, so it is refused."""
    try:
        array: Array = archive[name]
    except ValueError as problem:
        if "pickle" in str(problem):
            raise _pickled(path) from problem
        raise
    return array


def _refuse_pickle(path: Path) -> None:
    """Tell pickles from arrays before NumPy sees them: by the head, or by an object type."""
    with path.open("rb") as stream:
        head = stream.read(256)
    if not head.startswith(b"\x93NUMPY"):
        what = "a pickle" if head.startswith(b"\x80") else f"the file begins with {head[:8]!r}"
        raise unreadable(path, "a NumPy array", what)
    if b"'descr': '|O'" in head:
        raise _pickled(path)


def _pickled(path: Path) -> FormatError:
    return FormatError(
        f"'{path.name}' holds pickled Python objects, which are never loaded: they can run code.",
        file=str(path),
        next_step="save the cube as an array of numbers: np.save(path, cube.astype('float32'))",
    )
