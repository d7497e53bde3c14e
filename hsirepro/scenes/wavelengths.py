"""Band centres: what may be one, in which unit, and how users and files write them down."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsirepro.errors import WavelengthError

Wavelengths = Sequence[float] | NDArray[Any] | str | os.PathLike[str]

_NANOMETRES = {"nm": 1.0, "um": 1e3, "µm": 1e3, "μm": 1e3, "m": 1e9}


def unit_factor(unit: str) -> float | None:
    """Return what turns ``unit`` into nm, or ``None`` if it is not a known length.

    Examples
    --------
    >>> unit_factor("Micrometers"), unit_factor("nm"), unit_factor("Index")
    (1000.0, 1.0, None)
    """
    text = unit.strip().lower()
    if text.startswith(("nanomet", "micromet", "micron")):
        text = "nm" if text.startswith("nano") else "um"
    return _NANOMETRES.get(text)


def guess_nm(values: Any) -> NDArray[Any] | None:
    """Return a vector of band centres in nm if it can only be one, else ``None``.

    Spectra of imaging spectrometers lie between 250 nm and 20 µm, so numbers below 25 are µm and
    those above 250 are nm. Nearly all steps must go up: overlapping spectrometers step back.

    Examples
    --------
    >>> guess_nm([0.4, 0.5, 0.6])
    array([400., 500., 600.])
    >>> guess_nm([1, 2, 3]) is None
    True
    """
    vector = np.asarray(values, dtype=np.float64).reshape(-1)
    if len(vector) < 2 or not np.isfinite(vector).all():
        return None
    if (np.diff(vector) > 0).mean() < 0.9:
        return None
    if vector.min() >= 250 and vector.max() <= 20000:
        return vector
    if vector.min() >= 0.25 and vector.max() <= 20 and not (vector == vector.round()).all():
        return vector * 1e3
    return None


def only_wavelengths(vectors: Iterable[Any], bands: int) -> NDArray[Any] | None:
    """Return the one vector of length ``bands`` that can be band centres, in nm."""
    found = [guess_nm(v) for v in vectors if np.asarray(v).size == bands]
    centres = [v for v in found if v is not None]
    return centres[0] if len(centres) == 1 else None


_NAMED = re.compile(
    r"([0-9]+(?:\.[0-9]+)?)\s*(nanomet[a-z]*|micromet[a-z]*|microns?|nm|um|µm|μm)\b", re.IGNORECASE
)


def named_nm(names: Sequence[str]) -> NDArray[Any] | None:
    """Return band centres in nm from band names, if each holds exactly one length.

    Examples
    --------
    >>> named_nm(["band 1 (0.4554 Micrometers)", "band 2 (0.4694 Micrometers)"])
    array([455.4, 469.4])
    """
    matches = [_NAMED.findall(name) for name in names]
    if not matches or any(len(match) != 1 for match in matches):
        return None
    return np.array([float(m[0][0]) * (unit_factor(m[0][1]) or 1.0) for m in matches])


def given_wavelengths(given: Wavelengths) -> NDArray[Any]:
    """Return the user's band centres in nm, read from a text file if a path is given.

    Parameters
    ----------
    given : sequence of float, or path
        Values in nm, or a text file with one per line (its first column).

    Returns
    -------
    ndarray, shape (C,)

    Raises
    ------
    WavelengthError
        If they are not positive numbers, or look like micrometres.

    Examples
    --------
    >>> given_wavelengths([450, 550])
    array([450., 550.])
    """
    source = "wavelengths=..."
    if isinstance(given, str | os.PathLike):
        source, values = os.fspath(given), _first_column(Path(given))
    else:
        values = np.asarray(given, dtype=np.float64).reshape(-1)
    if not len(values) or not np.isfinite(values).all() or values.min() <= 0:
        raise WavelengthError("Wavelengths must be positive numbers.", source=source)
    if values.max() < 30:
        raise WavelengthError(
            f"Wavelengths of {values.min():g} to {values.max():g} look like micrometres.",
            source=source,
            next_step="give them in nm (multiply by 1000)",
        )
    return values


def _first_column(path: Path) -> NDArray[Any]:
    """Read the first number of each line; lines that start with anything else are headings."""
    if not path.is_file():
        raise WavelengthError(f"The wavelength file {str(path)!r} does not exist.")
    values = []
    for line in path.read_text("utf-8", errors="replace").splitlines():
        cells = line.replace(",", " ").replace(";", " ").split()
        try:
            values.append(float(cells[0]))
        except (IndexError, ValueError):
            continue
    return np.array(values, dtype=np.float64)
