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
    ignore : float or None
        The stored value that means "no data".
    units : str
        What a value means, if the file says it.
    attrs : mapping
        Further attributes of the cube, such as ``gsd_m``.
    pixel_file : Path or None
        The file with the pixels where it is not the one that was named (ENVI headers).
    """

    values: Array
    wavelengths: Array | None = None
    bad_bands: tuple[int, ...] = ()
    divisor: float = 1.0
    gain: Array | None = None
    offset: Array | None = None
    ignore: float | None = None
    units: str = "unknown"
    attrs: Mapping[str, Any] = field(default_factory=dict)
    pixel_file: Path | None = None

    def decoded(self, divisor: float | None = None) -> NDArray[np.float32]:
        """Return the values as float32, no data as NaN, in ``units``.

        The only full-size copy is the float32 one; ``divisor`` replaces the file's own scaling.
        """
        cube = np.array(self.values, dtype=np.float32, order="C")
        if self.ignore is not None and np.isfinite(self.ignore):
            # Compared in the stored type: float32 would blur large no-data values.
            cube[np.asarray(self.values) == self.ignore] = np.nan
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


def missing_library(path: Path, library: str) -> FormatError:
    """Return the error for an optional library that is not installed."""
    return FormatError(
        f"Reading '{path.name}' needs the library {library!r}, which is not installed.",
        file=str(path),
        next_step="pip install 'hsirepro[io]'",
    )
