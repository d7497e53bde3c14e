"""HDF5 files, those of MATLAB v7.3 among them.

A generic HDF5 file does not say which axis is spectral. If exactly one axis is as long as a vector
of band centres in the file, that axis is; otherwise the last one is, as stored. MATLAB v7.3 marks
its arrays with ``MATLAB_class`` and stores their axes reversed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hsirepro.scenes.readers.stored import (
    Stored,
    choose,
    is_numeric,
    unreadable,
)
from hsirepro.scenes.wavelengths import guess_nm, only_wavelengths


def read_hdf5(path: Path, key: str | None = None) -> Stored:
    """Read the cube of an HDF5 file.

    Parameters
    ----------
    path : Path
        The file.
    key : str, optional
        Dataset that holds the cube, as ``group/name``; needed if more than one has three axes.

    Raises
    ------
    FormatError
        If the file is damaged or the cube is not plain.
    """
    try:
        with h5py.File(path, "r") as file:
            datasets = _numeric(file)
            name = choose(path, {n: _shape(d) for n, d in datasets.items()}, key)
            values = datasets[name][()]
            others = [d[()] for n, d in datasets.items() if n != name and _is_vector(d.shape)]
            matlab = _is_matlab(datasets[name])
    except (OSError, RuntimeError, KeyError) as problem:
        raise unreadable(path, "an HDF5 file", problem) from problem
    if matlab:
        # A view: the float32 copy is made once, when the cube is decoded.
        values = values.T
        return Stored(values, wavelengths=only_wavelengths(others, values.shape[-1]))
    return _spectral_last(values, others)


def _is_matlab(dataset: h5py.Dataset) -> bool:
    return "MATLAB_class" in dataset.attrs


def _shape(dataset: h5py.Dataset) -> tuple[int, ...]:
    """Return the shape as the user knows it: MATLAB's axes are stored reversed."""
    shape: tuple[int, ...] = dataset.shape
    return shape[::-1] if _is_matlab(dataset) else shape


def _is_vector(shape: tuple[int, ...]) -> bool:
    return sum(size > 1 for size in shape) == 1


def _numeric(file: h5py.File) -> dict[str, Any]:
    """Return the numeric datasets of ``file`` by path, leaving out MATLAB's own bookkeeping."""
    found: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset) or name.startswith("#"):
            return
        matlab = item.attrs.get("MATLAB_class", b"double")
        if is_numeric(item.dtype) and matlab not in (b"char", b"cell", b"struct"):
            found[name] = item

    file.visititems(visit)
    return found


def _spectral_last(values: Any, others: list[Any]) -> Stored:
    """Move the axis that is as long as the file's band centres to the end."""
    centres = [c for c in (guess_nm(vector) for vector in others) if c is not None]
    fits = [
        (axis, c) for c in centres for axis in range(values.ndim) if len(c) == values.shape[axis]
    ]
    if len(fits) != 1:
        return Stored(values)
    axis, wavelengths = fits[0]
    return Stored(np.moveaxis(values, axis, -1), wavelengths=wavelengths)
