"""Files that results are kept in: checked before the work, written whole after it."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import xarray as xr

from hsirepro.atomic import PARTIAL
from hsirepro.errors import ParameterError

FORMATS = {".nc": "a NetCDF", ".hdr": "an ENVI"}


def check_output(output: str, suffixes: Sequence[str] = (".nc",)) -> Path | None:
    """Return where a result goes, after checking that it can be written; None for "".

    Parameters
    ----------
    output : str
    suffixes : sequence of str
        How the name may end.

    Raises
    ------
    ParameterError
        If the name ends otherwise, the file is there already, or its folder is missing or cannot
        be written.
    """
    if not output:
        return None
    path = Path(output)
    if path.suffix not in suffixes:
        kinds = " or ".join(FORMATS[suffix] for suffix in suffixes)
        raise ParameterError(
            f"output={output!r} is no name of {kinds} file.",
            next_step=f"let it end in {' or '.join(suffixes)}",
        )
    if path.exists():
        raise ParameterError(
            f"The output file {output!r} is there already, and is not overwritten.",
            next_step="give another name, or move the file away",
        )
    folder = path.absolute().parent
    if not folder.is_dir():
        raise ParameterError(
            f"The folder of the output file {output!r} does not exist.",
            looked_for=str(folder),
            next_step="make the folder, or give another one",
        )
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        raise ParameterError(
            f"The folder of the output file {output!r} cannot be written.",
            folder=str(folder),
            reason=problem.strerror or str(problem),
            next_step="give a folder of your own",
        ) from problem
    return path


def write_cube(cube: xr.DataArray, path: Path, **attrs: str | float) -> None:
    """Write a cube as NetCDF, whole or not at all, and never over another file.

    Parameters
    ----------
    cube : DataArray, dims (y, x, wavelength)
    path : Path
        As checked by :func:`check_output`, which is done once more.
    **attrs
        Added to the attributes of the cube, such as ``made_by``.

    Raises
    ------
    ParameterError
        As :func:`check_output`.
    """
    check_output(str(path))
    kept = {name: value for name, value in cube.attrs.items() if storable(value)}
    named = cube.rename("cube").assign_attrs()
    named.attrs = {**kept, **attrs}
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        named.to_netcdf(partial, engine="h5netcdf", encoding={"cube": {"zlib": True}})
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def storable(value: object) -> bool:
    """Tell whether NetCDF can hold an attribute: texts, numbers, and lists of either."""
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, Iterable) and not isinstance(value, str | Mapping):
        items = list(value)
        return bool(items) and all(isinstance(item, str | int | float) for item in items)
    return isinstance(value, str | int | float)
