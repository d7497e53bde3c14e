"""Tables of spectral response: Landsat 8 OLI, 28 cameras, and the user's own."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from hsirepro.errors import FormatError, ParameterError, SceneNotFound, suggest
from hsirepro.optics.srf import SpectralResponse
from hsirepro.scenes.locate import data_folders

CAMERA_FILE = "camspec_database.txt"
_CAMERA_NM = np.arange(400.0, 721.0, 10.0)
_OLI_FILE = Path(__file__).parent / "data" / "landsat8_oli.csv"


@dataclass(frozen=True)
class ResponseTable:
    """Relative response of some bands against wavelength.

    Attributes
    ----------
    names : tuple of str, length l
    wavelengths : ndarray, shape (n,), nm, increasing
    values : ndarray, shape (n, l), relative response
    """

    names: tuple[str, ...]
    wavelengths: np.ndarray
    values: np.ndarray

    def on(self, wavelengths: ArrayLike, bands: Sequence[str] | None = None) -> SpectralResponse:
        """Sample the table at the band centres of a cube.

        Parameters
        ----------
        wavelengths : array_like, shape (L,)
            Band centres in nm.
        bands : sequence of str, optional
            Which bands, in which order; all of them if not given.

        Raises
        ------
        ParameterError
            If a band is not in the table.
        WavelengthError
            If the cube does not cover a band.
        """
        chosen = self.names if bands is None else tuple(bands)
        for band in chosen:
            if band not in self.names:
                raise ParameterError(
                    f"Band {band!r} is not in this response table.",
                    next_step=suggest(str(band), self.names),
                )
        columns = [self.names.index(band) for band in chosen]
        return SpectralResponse.from_table(
            self.wavelengths, self.values[:, columns], wavelengths, chosen
        )


def landsat8_oli(
    wavelengths: ArrayLike, bands: Sequence[str] = ("blue", "green", "red")
) -> SpectralResponse:
    """Spectral response of the Landsat 8 Operational Land Imager on the bands of a cube.

    Parameters
    ----------
    wavelengths : array_like, shape (L,)
        Band centres of the cube in nm.
    bands : sequence of str
        Any of coastal, blue, green, red, nir, swir1, swir2, pan.

    Raises
    ------
    ParameterError
        If a band is unknown.
    WavelengthError
        If the cube does not cover a band.

    Examples
    --------
    >>> landsat8_oli(range(400, 701, 10)).centres.round().tolist()
    [485.0, 562.0, 655.0]
    """
    return read_response(_OLI_FILE).on(wavelengths, bands)


def camera(name: str, wavelengths: ArrayLike) -> SpectralResponse:
    """Red, green and blue response of one of 28 cameras on the bands of a cube.

    The database of Jiang et al. [1]_ is free for research and not part of this package; it is
    looked for in the folders of ``HSIREPRO_DATA`` and in their ``responses`` sub-folders.

    Parameters
    ----------
    name : str
        Name as in the database, such as ``"Nikon D700"``; case does not matter.
    wavelengths : array_like, shape (L,)
        Band centres of the cube in nm.

    Raises
    ------
    SceneNotFound
        If the database is not on this machine.
    FormatError
        If the file is not that database.
    ParameterError
        If the camera is unknown.
    WavelengthError
        If the cube does not cover a band.

    References
    ----------
    .. [1] J. Jiang et al., "What is the space of spectral sensitivity functions for digital color
       cameras?", WACV 2013.
    """
    cameras = read_cameras(_find_cameras())
    found = {known.lower(): known for known in cameras}.get(str(name).strip().lower())
    if found is None:
        raise ParameterError(
            f"Camera {name!r} is not in {CAMERA_FILE}.", next_step=suggest(str(name), cameras)
        )
    return cameras[found].on(wavelengths)


def read_cameras(path: str | os.PathLike[str]) -> dict[str, ResponseTable]:
    """Read the camera database: a name line, then rows R, G, B of 33 values (400-720 nm).

    Raises
    ------
    FormatError
        If no camera with three rows is found.
    """
    rows: dict[str, list[list[float]]] = {}
    name = ""
    for line in Path(path).read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split()
        try:
            numbers = [float(word) for word in words]
        except ValueError:
            name = line.strip()
            continue
        if len(numbers) == len(_CAMERA_NM):
            rows.setdefault(name, []).append(numbers)
    cameras = {
        name: ResponseTable(("red", "green", "blue"), _CAMERA_NM, np.array(curves).T)
        for name, curves in rows.items()
        if len(curves) == 3
    }
    if not cameras:
        raise FormatError(
            f"'{path}' holds no camera.",
            expected=f"a name line, then three rows (R, G, B) of {len(_CAMERA_NM)} numbers",
        )
    return cameras


def _find_cameras() -> Path:
    folders = data_folders()
    for folder in folders:
        for path in (folder / "responses" / CAMERA_FILE, folder / CAMERA_FILE):
            if path.is_file():
                return path
    looked = ", ".join(str(folder / "responses") for folder in folders)
    raise SceneNotFound(
        f"The camera database '{CAMERA_FILE}' is not on this machine.",
        looked_in=f"HSIREPRO_DATA={looked}" if looked else "nowhere: HSIREPRO_DATA is not set",
        get_it="http://www.gujinwei.org/research/camspec/" + CAMERA_FILE,
        next_step="put it in a folder 'responses' and name its parent in HSIREPRO_DATA",
        meanwhile="landsat8_oli(...) always works; read_response(path) reads your own table",
    )


def read_response(path: str | os.PathLike[str]) -> ResponseTable:
    """Read a response table: a header of names, then wavelength in nm and one column per band.

    Columns are separated by commas, semicolons or tabs; lines that start with ``#`` are comments.

    Raises
    ------
    FormatError
        If the file is missing, or is not such a table.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(
            f"The response table '{file}' cannot be read.", reason=str(error)
        ) from error
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) < 3:
        raise FormatError(f"The response table '{file}' has no rows.", expected=_EXPECTED)
    separator = next((mark for mark in "\t;" if mark in lines[0]), ",")
    header, *rows = csv.reader(lines, delimiter=separator)
    names = tuple(name.strip() for name in header[1:])
    if not names or len(set(names)) < len(names) or not all(names):
        raise FormatError(
            f"The response table '{file}' needs a header that names each band once.",
            found=separator.join(header)[:80],
            expected=_EXPECTED,
        )
    numbers = np.array([_numbers(file, row, len(header)) for row in rows])
    nm = numbers[:, 0]
    if (np.diff(nm) <= 0).any():
        at = nm[1:][np.diff(nm) <= 0][0]
        raise FormatError(
            f"The wavelengths in '{file}' do not increase at {at:g} nm.", expected=_EXPECTED
        )
    return ResponseTable(names, nm, numbers[:, 1:])


_EXPECTED = "a header 'nm,blue,green', then rows such as '450,0.9,0.1' by increasing wavelength"


def _numbers(file: Path, row: list[str], width: int) -> list[float]:
    try:
        values = [float(cell) for cell in row]
    except ValueError:
        values = []
    if len(values) != width or not np.isfinite(values).all():
        raise FormatError(
            f"A row of the response table '{file}' is not {width} finite numbers.",
            row=", ".join(row)[:80],
            expected=_EXPECTED,
        )
    return values
