"""Where the pixels lie: coordinates of their centres in the units of the file's map."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from hsirepro.scenes.readers.stored import Array

X_NAMES = ("x", "easting", "lon", "longitude")
Y_NAMES = ("y", "northing", "lat", "latitude")


def centres(edge: float, step: float, pixels: int) -> Array:
    """Return the pixel centres of a row that begins at ``edge``.

    Examples
    --------
    >>> centres(500.0, -10.0, 3)
    array([495., 485., 475.])
    """
    return edge + step * (np.arange(pixels) + 0.5)


def named(vectors: Iterable[tuple[str, Any]], names: Sequence[str], pixels: int) -> Array | None:
    """Return the map coordinate among named vectors, for an axis of ``pixels`` pixels.

    Metres go before degrees. A name that several vectors bear, such as one in each group of an
    HDF5 file, tells nothing, nor does a vector that only counts pixels or has uneven steps.
    """
    given = [(name.rsplit("/", 1)[-1].lower(), np.asarray(v).reshape(-1)) for name, v in vectors]
    for wanted in names:
        found = [v for name, v in given if name == wanted and v.size == pixels]
        if len(found) == 1 and _is_place(found[0]):
            return np.asarray(found[0], dtype=np.float64)
    return None


def _is_place(vector: Array) -> bool:
    if vector.dtype.kind not in "iuf" or vector.size < 2:
        return False
    fine = float(np.finfo(vector.dtype).eps) if vector.dtype.kind == "f" else 0.0
    values = vector.astype(np.float64)
    steps = np.diff(values)
    if not np.isfinite(values).all() or not (np.sign(steps) == np.sign(steps[0])).all():
        return False
    rounding = 4 * fine * float(np.abs(values).max())
    even = np.allclose(steps, steps.mean(), rtol=0.01, atol=rounding)
    counts = np.array_equal(values, np.arange(len(values)) + values[0]) and values[0] in (0, 1)
    return even and bool(steps.mean()) and not counts
