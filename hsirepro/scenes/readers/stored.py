"""What a reader hands over: the cube as the file stores it, and what the file says about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsirepro.errors import FormatError

Array = NDArray[Any]


@dataclass(frozen=True)
class Stored:
    """A cube as one file stores it.

    Parameters
    ----------
    values : ndarray, shape (H, W, C)
        In the type of the file (a matrix of bands x pixels for 2-D scenes of the catalogue).
    wavelengths : ndarray, shape (C,), or None
        Band centres in nm, if the file knows them.
    bad_bands : tuple of int
        0-based.
    divisor : float
        ``values / divisor`` is in ``units``.
    gain, offset : ndarray, shape (C,), or None
        Per-band calibration: ``values * gain + offset``.
    ignore : tuple of float
        The stored values that mean "no data".
    units : str
        What a value means, if the file says it.
    attrs : mapping
        Further attributes of the cube, such as ``gsd_m`` and ``crs``.
    x, y : ndarray, shape (W,) and (H,), or None
        Pixel centres in the units of the file's map.
    pixel_file : Path or None
        The file with the pixels where it is not the one that was named (ENVI headers).
    """

    values: Array
    wavelengths: Array | None = None
    bad_bands: tuple[int, ...] = ()
    divisor: float = 1.0
    gain: Array | None = None
    offset: Array | None = None
    ignore: tuple[float, ...] = ()
    units: str = "unknown"
    attrs: Mapping[str, Any] = field(default_factory=dict)
    pixel_file: Path | None = None
    x: Array | None = None
    y: Array | None = None

    def decoded(self, divisor: float | None = None) -> NDArray[np.float32]:
        """Return the values as float32, no data as NaN, in ``units``.

        The only full-size copy is the float32 one; ``divisor`` replaces the file's own scaling.
        """
        cube = np.array(self.values, dtype=np.float32, order="C")
        for value in filter(np.isfinite, self.ignore):
            # Compared in the stored type: float32 would blur large no-data values.
            cube[np.asarray(self.values) == value] = np.nan
        if divisor is None and self.gain is not None and self.offset is not None:
            cube *= self.gain.astype(np.float32)
            cube += self.offset.astype(np.float32)
        scale = self.divisor if divisor is None else divisor
        if scale != 1.0:
            cube /= np.float32(scale)
        return cube


Reader = Callable[[Path, "str | None"], Stored]


def is_numeric(dtype: np.dtype[Any]) -> bool:
    """Tell whether ``dtype`` can hold pixel values: real numbers or booleans."""
    return dtype.kind in "iufb"


def choose(path: Path, shapes: Mapping[str, tuple[int, ...]], key: str | None) -> str:
    """Choose the variable that holds the cube.

    Parameters
    ----------
    path : Path
        For the error text.
    shapes : mapping
        Numeric variables of the file and their shapes.
    key : str or None
        The user's choice; ``None`` takes the only three-dimensional one.

    Raises
    ------
    FormatError
        If ``key`` is not there, or if there is no or more than one candidate; lists them.
    """
    listed = ", ".join(f"{n} {' x '.join(map(str, s))}" for n, s in shapes.items()) or "nothing"
    if key is not None:
        if key not in shapes:
            raise FormatError(
                f"'{path.name}' has no numeric array {key!r}.",
                file=str(path),
                found=listed,
                next_step="give one of these as key=...",
            )
        return key
    cubes = [name for name, shape in shapes.items() if len(shape) == 3]
    if len(cubes) == 1:
        return cubes[0]
    many = "more than one array" if cubes else "no array"
    raise FormatError(
        f"'{path.name}' holds {many} with three axes, so the cube is not plain.",
        file=str(path),
        found=listed,
        next_step=f"say which: open_scene(..., key={(cubes or ['NAME'])[0]!r})"
        if cubes
        else "store the cube as rows x columns x bands",
    )


def refuse_complex(path: Path, arrays: Mapping[str, Any], key: str | None) -> None:
    """Raise :class:`FormatError` if the cube among ``arrays`` holds complex numbers.

    Parameters
    ----------
    path : Path
        For the error text.
    arrays : mapping
        All arrays of the file, or anything with their ``dtype`` and ``shape``.
    key : str or None
        The user's choice; without it a cube of real numbers goes before a complex one.
    """
    cubes = [n for n, a in arrays.items() if len(a.shape) == 3 or n == key]
    real = [name for name in cubes if is_numeric(arrays[name].dtype)]
    for name in cubes:
        if _is_complex(arrays[name].dtype) and (name == key or (key is None and not real)):
            raise complex_values(path, f"{name} has type {arrays[name].dtype}")


def _is_complex(dtype: np.dtype[Any]) -> bool:
    return dtype.kind == "c" or dtype.names == ("real", "imag")  # the latter is MATLAB v7.3's


def complex_values(path: Path, found: str) -> FormatError:
    """Return the error for a cube of complex numbers."""
    return FormatError(
        f"'{path.name}' holds complex numbers; pixels are real numbers.",
        file=str(path),
        found=found,
        next_step="store the magnitude, abs(cube), or the real part",
    )


def wrong_axis(path: Path, fit: tuple[int, int] | None) -> None:
    """Raise :class:`FormatError` if the band centres of a file fit another axis than the last.

    Parameters
    ----------
    path : Path
        For the error text.
    fit : tuple of int, or None
        Number of centres and the axis they fit, counted from 1.
    """
    if fit is not None:
        raise FormatError(
            f"The wavelengths of '{path.name}' do not fit the last axis of the cube.",
            file=str(path),
            found=f"its {fit[0]} centres fit axis {fit[1]}",
            next_step="store the cube as rows x columns x bands",
        )


def refuse_key(path: Path, key: str | None) -> None:
    """Raise :class:`FormatError` if a key is given for a format without variables."""
    if key is not None:
        raise FormatError(
            f"key={key!r} was given, but '{path.name}' holds one array without a name.",
            file=str(path),
            next_step="leave key out",
        )


def unreadable(path: Path, what: str, problem: BaseException | str) -> FormatError:
    """Return the error for a file that breaks off or is not what its name says."""
    text = str(problem).strip().splitlines()
    return FormatError(
        f"'{path.name}' cannot be read as {what}: it is truncated, damaged or of another kind.",
        file=f"{path} ({path.stat().st_size} bytes)",
        found=text[0] if text else type(problem).__name__,
        next_step="copy or download it again, and compare its size with the source",
    )


def usable_scale(value: float) -> bool:
    """Tell whether float32 pixels can be divided by ``value``: finite and above 0 there too.

    Examples
    --------
    >>> usable_scale(1e4), usable_scale(0.0), usable_scale(1e-50), usable_scale(10**400)
    (True, False, False, False)
    """
    try:
        value = float(value)
    except OverflowError:
        return False
    limits = np.finfo(np.float32)
    # Normal numbers only: training sets the processor to flush the others to zero.
    return float(limits.tiny) <= value <= float(limits.max)


def impossible_scale(path: Path, field: str, found: str) -> FormatError:
    """Return the error for a scale factor by which no pixel can be scaled."""
    return FormatError(
        f"The {field} of '{path.name}' is no scale: it must be finite and above 0.",
        file=str(path),
        found=found,
        next_step="correct the file",
    )


def missing_library(path: Path, library: str) -> FormatError:
    """Return the error for an optional library that is not installed."""
    return FormatError(
        f"Reading '{path.name}' needs the library {library!r}, which is not installed.",
        file=str(path),
        next_step="pip install 'hsirepro[io]'",
    )
