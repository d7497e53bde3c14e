"""Band centres: what may be one, in which unit, and how users and files write them down."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
    those above 250 are nm. All steps go down, or nearly all go up: overlapping spectrometers step
    back.

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
    steps = np.diff(vector)
    if (steps > 0).mean() < 0.9 and not (steps < 0).all():
        return None
    if vector.min() >= 250 and vector.max() <= 20000:
        return vector
    if vector.min() >= 0.25 and vector.max() <= 20 and not (vector == vector.round()).all():
        return vector * 1e3
    return None


@dataclass(frozen=True)
class Vector:
    """A vector of a file that may be its band centres.

    Parameters
    ----------
    name : str
        As the file names it, with or without the groups it lies in.
    values : array_like, shape (C,)
    unit : str
        Empty where the file does not say it.
    """

    name: str
    values: Any
    unit: str = ""

    @property
    def words(self) -> set[str]:
        """The words of the name, in lower case."""
        return set(re.split(r"[^a-z]+", self.name.rsplit("/", 1)[-1].lower()))

    @property
    def spectral(self) -> bool:
        """Whether the name says that these are band centres."""
        return is_spectral(self.name) and not self.words & _PLACES

    @property
    def centres(self) -> NDArray[Any] | None:
        """The values in nm if they can be band centres, by the unit where there is one."""
        if self.unit.strip().lower() in _NO_UNIT:
            return guess_nm(self.values)
        factor = unit_factor(self.unit)
        if factor is None or np.asarray(self.values).dtype.kind not in "iuf":
            return None
        nm = np.asarray(self.values, dtype=np.float64).reshape(-1) * factor
        return guess_nm(nm) if len(nm) and nm.min() >= 250 else None

    @property
    def guessable(self) -> bool:
        """Whether the values may be tried: not a place or a width, nor in metres or degrees."""
        unit = self.unit.strip().lower()
        short = unit in _NO_UNIT or unit_factor(unit) in (1.0, 1e3)  # a unit of light, if any
        return short and not self.words & _PLACES and not _WIDTH.search(self.name)


_NO_UNIT = ("", "unknown")
_SPECTRAL = re.compile(r"band|wave|spectr|lambda|channel|^wl|^cent(er|re)s?$", re.IGNORECASE)
_WIDTH = re.compile(r"fwhm|width|resolution", re.IGNORECASE)
_PLACES = {"lat", "lon", "latitude", "longitude", "x", "y", "easting", "northing", "time"}
_AGREE_NM = 0.6  # µm with three decimals and nm are the same vector


def is_spectral(name: str) -> bool:
    """Tell whether a dimension or vector is named as spectral ones are.

    Examples
    --------
    >>> is_spectral("group/Wavelength"), is_spectral("lon"), is_spectral("bandwidth")
    (True, False, False)
    """
    last = name.rsplit("/", 1)[-1]
    return _SPECTRAL.search(last) is not None and _WIDTH.search(last) is None


def band_centres(vectors: Iterable[Vector]) -> list[NDArray[Any]]:
    """Return the vectors that can be band centres, in nm.

    Those with a spectral name win. Only where there is none the others are tried, and never
    those that a name or a unit makes places or times: 11.5 to 11.6 is a town, not the infrared.
    """
    given = list(vectors)
    named = [v.centres for v in given if v.spectral]
    found = [c for c in named if c is not None]
    if found:
        return found
    return [c for v in given if v.guessable and (c := v.centres) is not None]


def agreed(centres: Sequence[NDArray[Any]]) -> NDArray[Any] | None:
    """Return the first of several vectors of one length if they are all the same one.

    Files often hold their wavelengths twice, in nm and in µm.
    """
    if not centres:
        return None
    same = all(np.abs(other - centres[0]).max() <= _AGREE_NM for other in centres[1:])
    return centres[0] if same else None


def only_wavelengths(vectors: Iterable[Vector], bands: int) -> NDArray[Any] | None:
    """Return the band centres in nm among the vectors of length ``bands``, if one is agreed."""
    return agreed(band_centres(v for v in vectors if np.asarray(v.values).size == bands))


def other_axis(vectors: Iterable[Vector], shape: Sequence[int]) -> tuple[int, int] | None:
    """Return length and axis (from 1) of band centres that fit not the last axis but another.

    Only vectors with a spectral name count: what is no more than a guess is no reason to stop.
    """
    lengths = [len(c) for v in vectors if v.spectral and (c := v.centres) is not None]
    if shape[-1] in lengths:
        return None
    return next(((n, list(shape).index(n) + 1) for n in lengths if n in shape), None)


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
        values = _numbers(given)
    if not len(values) or not np.isfinite(values).all() or values.min() <= 0:
        raise WavelengthError("Wavelengths must be positive numbers.", source=source)
    if values.max() < 30:
        raise WavelengthError(
            f"Wavelengths of {values.min():g} to {values.max():g} look like micrometres.",
            source=source,
            next_step="give them in nm (multiply by 1000)",
        )
    return values


def _numbers(given: Any) -> NDArray[Any]:
    try:
        return np.asarray(given, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError, OverflowError) as problem:
        raise WavelengthError(
            "Wavelengths must be positive numbers.",
            source="wavelengths=...",
            found=str(problem),
            next_step="give one number in nm per stored band, or a text file with one per line",
        ) from problem


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
