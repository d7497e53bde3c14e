"""HDF5 files, those of MATLAB v7.3 among them.

A generic HDF5 file does not say which axis is spectral. If exactly one axis is as long as a vector
of band centres in the file, that axis is; otherwise the last one is, as stored. MATLAB v7.3 marks
its arrays with ``MATLAB_class`` and stores their axes reversed.

Attributes of the cube are decoded as in NetCDF: ``_FillValue`` and ``missing_value`` become NaN,
``scale_factor`` multiplies and ``add_offset`` is added. Those of NEON are known too:
``Data_Ignore_Value`` becomes NaN, and ``Scale_Factor``, in capitals, divides. Even map coordinates
such as x and y, or lon and lat, are kept where they fit columns and rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hsirepro.scenes.readers.place import X_NAMES, Y_NAMES, named
from hsirepro.scenes.readers.stored import (
    Array,
    Stored,
    choose,
    impossible_scale,
    is_numeric,
    refuse_complex,
    unreadable,
    usable_scale,
    wrong_axis,
)
from hsirepro.scenes.wavelengths import (
    Vector,
    agreed,
    band_centres,
    only_wavelengths,
    other_axis,
)


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
            arrays = _arrays(file)
            refuse_complex(path, arrays, key)
            datasets = {n: d for n, d in arrays.items() if is_numeric(d.dtype)}
            name = choose(path, {n: _shape(d) for n, d in datasets.items()}, key)
            values = datasets[name][()]
            others = [
                Vector(n, d[()], _text(d.attrs, "units"))
                for n, d in datasets.items()
                if n != name and _is_vector(d.shape)
            ]
            matlab = _is_matlab(datasets[name])
            said = _said(path, name, datasets[name].attrs)
            crs = _crs(file, datasets[name])
    except (OSError, RuntimeError, KeyError) as problem:
        raise unreadable(path, "an HDF5 file", problem) from problem
    if matlab:
        # A view: the float32 copy is made once, when the cube is decoded.
        values, centres = values.T, only_wavelengths(others, values.shape[0])
        if centres is None and key is None:
            wrong_axis(path, other_axis(others, values.shape))
    else:
        values, centres = _spectral_last(values, others)
    stored = said.stored(values, centres)
    if values.ndim != 3:
        return stored
    vectors = [(v.name, v.values) for v in others]
    return replace(
        stored,
        attrs={"crs": crs} if crs else {},
        x=named(vectors, X_NAMES, values.shape[1]),
        y=named(vectors, Y_NAMES, values.shape[0]),
    )


def _crs(file: h5py.File, cube: h5py.Dataset) -> str:
    """Return the text of the coordinate system: of a CF grid mapping, or an attribute."""
    grid = _text(cube.attrs, "grid_mapping")
    attrs = file[grid].attrs if grid and grid in file else cube.attrs
    return next(filter(None, (_text(attrs, n) for n in ("crs_wkt", "spatial_ref", "crs"))), "")


def _is_matlab(dataset: h5py.Dataset) -> bool:
    return "MATLAB_class" in dataset.attrs


def _shape(dataset: h5py.Dataset) -> tuple[int, ...]:
    """Return the shape as the user knows it: MATLAB's axes are stored reversed."""
    shape: tuple[int, ...] = dataset.shape
    return shape[::-1] if _is_matlab(dataset) else shape


def _is_vector(shape: tuple[int, ...]) -> bool:
    return sum(size > 1 for size in shape) == 1


def _arrays(file: h5py.File) -> dict[str, Any]:
    """Return the datasets of ``file`` by path, leaving out MATLAB's own bookkeeping."""
    found: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset) or name.startswith("#"):
            return
        if item.attrs.get("MATLAB_class", b"double") not in (b"char", b"cell", b"struct"):
            found[name] = item

    file.visititems(visit)
    return found


def _spectral_last(values: Any, others: list[Vector]) -> tuple[Any, Array | None]:
    """Move the axis that is as long as the file's band centres to the end."""
    fitting = band_centres(v for v in others if v.values.size in values.shape)
    lengths = {len(centres) for centres in fitting}
    axes = [axis for axis, size in enumerate(values.shape) if size in lengths]
    centres = agreed(fitting) if len(axes) == 1 else None
    if centres is None:
        return values, None
    return np.moveaxis(values, axes[0], -1), centres


@dataclass(frozen=True)
class _Said:
    """What the attributes of a cube say about its values."""

    ignore: tuple[float, ...]
    gain: float
    offset: float
    divisor: float
    units: str

    def stored(self, values: Any, centres: Array | None) -> Stored:
        plain = self.gain == 1.0 and self.offset == 0.0
        bands = values.shape[-1]
        return Stored(
            values,
            wavelengths=centres,
            divisor=self.divisor,
            gain=None if plain else np.full(bands, self.gain),
            offset=None if plain else np.full(bands, self.offset),
            ignore=self.ignore,
            units=self.units or "unknown",
        )


def _said(path: Path, name: str, attrs: Any) -> _Said:
    """Read the attributes of the cube; older NEON files write spaces for underscores."""
    known = {str(attr).replace(" ", "_"): attr for attr in attrs}

    def numbers(attribute: str) -> list[float]:
        if attribute not in known:
            return []
        values = np.asarray(attrs[known[attribute]]).reshape(-1)
        return [float(v) for v in values] if is_numeric(values.dtype) else []

    def scale(attribute: str) -> float:
        values = numbers(attribute) or [1.0]
        # CF's factor may turn the sign around; by NEON's the pixels are divided.
        size = abs(values[0]) if attribute == "scale_factor" else values[0]
        if len(values) > 1 or not usable_scale(size):
            listed = ", ".join(f"{value:g}" for value in values)
            raise impossible_scale(path, f"attribute {attribute} of {name}", listed)
        return values[0]

    ignore = ("_FillValue", "missing_value", "Data_Ignore_Value", "data_ignore_value")
    offset = numbers("add_offset")
    return _Said(
        ignore=tuple(value for attribute in ignore for value in numbers(attribute)),
        gain=scale("scale_factor"),
        offset=offset[0] if offset else 0.0,
        divisor=scale("Scale_Factor"),
        units=_text(attrs, "units"),
    )


def _text(attrs: Any, name: str) -> str:
    """Return an attribute as text, whatever the case of its name; empty if there is none."""
    for attribute in attrs:
        if attribute.lower() == name:
            value = attrs[attribute]
            value = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
            return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return ""
