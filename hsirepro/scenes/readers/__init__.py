"""One reader per file format; :func:`read` chooses by the extension."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from hsirepro.errors import FormatError, HsireproError, ResourceError
from hsirepro.scenes.readers.stored import Stored, unreadable

_ENVI = (".hdr", ".img", ".dat", ".bsq", ".bil", ".bip", ".raw", ".gz", "")
EXTENSIONS: dict[str, str] = {
    ".mat": "matlab:read_matlab",
    ".npy": "arrays:read_npy",
    ".npz": "arrays:read_npz",
    ".nc": "netcdf:read_netcdf",
    ".nc4": "netcdf:read_netcdf",
    ".h5": "hdf5:read_hdf5",
    ".hdf5": "hdf5:read_hdf5",
    ".he5": "hdf5:read_hdf5",
    ".tif": "geotiff:read_geotiff",
    ".tiff": "geotiff:read_geotiff",
    **dict.fromkeys(_ENVI, "envi:read_envi"),
}
"""Extension in lower case -> module and function; modules are imported when first used."""


def read(path: Path, key: str | None = None) -> Stored:
    """Read the cube in ``path``.

    Parameters
    ----------
    path : Path
        The file; for ENVI the header or the data.
    key : str, optional
        Variable inside the file, for formats that hold several.

    Raises
    ------
    FormatError
        If the extension is not known, or the file cannot be read.
    ResourceError
        If the cube does not fit into the memory.
    """
    extension = path.suffix.lower()
    if extension not in EXTENSIONS:
        raise FormatError(
            f"The extension {extension!r} of '{path.name}' is not one that can be read.",
            file=str(path),
            readable=" ".join(sorted(e for e in EXTENSIONS if e)),
            next_step="convert the cube to one of these",
        )
    module, function = EXTENSIONS[extension].split(":")
    reader = getattr(import_module(f"hsirepro.scenes.readers.{module}"), function)
    try:
        stored: Stored = reader(path, key)
    except HsireproError:
        raise
    except MemoryError as problem:
        raise ResourceError(
            f"'{path.name}' does not fit into the free memory, or is damaged.",
            file=f"{path} ({path.stat().st_size} bytes)",
            next_step="compare its size with the source, or cut out a part of the scene",
        ) from problem
    except Exception as problem:
        # On damaged files the libraries raise what they please, from IndexError to TokenError.
        raise unreadable(path, "a cube", f"{type(problem).__name__}: {problem}") from problem
    return stored
