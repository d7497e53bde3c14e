"""One reader per file format; :func:`read` chooses by the extension."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from hsirepro.errors import FormatError
from hsirepro.scenes.readers.stored import Stored

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
    stored: Stored = reader(path, key)
    return stored
