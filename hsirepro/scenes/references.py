"""Reference unmixings: the endmembers and abundances that were published with a scene.

Nobody measured them on the ground: they are estimates that others compare with. The variables of
the file, and the order of its materials, stand in the catalogue. Abundances that are stored as
materials x pixels have their pixels in column-major (MATLAB) order, as the cubes beside them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsirepro.errors import FormatError, SceneNotFound
from hsirepro.scenes.catalogue import CATALOGUE, ReferenceKeys, SceneEntry, SceneFile
from hsirepro.scenes.locate import check_hash, locate
from hsirepro.scenes.readers import read

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reference:
    """A published unmixing of a scene of L bands, with p materials.

    Attributes
    ----------
    endmembers : ndarray, shape (L, p), float64
        In the unit of the publication, which need not be that of the cube, and for Samson each
        in a unit of its own: compare their angles.
    abundances : ndarray, shape (p, H, W), float64
        Not negative, with sum 1; ``abundances[:, y, x]`` are those of pixel (y, x) of the cube.
    names : tuple of str
        The p materials.
    """

    endmembers: Floats
    abundances: Floats
    names: tuple[str, ...]


def reference_unmixing(scene: str, *, download: bool = True) -> Reference:
    """Return the published endmembers and abundances of a scene of the catalogue.

    Parameters
    ----------
    scene : str
        Catalogue name.
    download : bool
        Whether a missing file may be downloaded.

    Raises
    ------
    SceneNotFound
        If the catalogue knows no such scene or no reference of it, or the file cannot be had.
    HashMismatch
        If the file is not the one that the catalogue describes.
    FormatError
        If the file does not hold what the catalogue says.

    Examples
    --------
    >>> reference_unmixing("planted")
    Traceback (most recent call last):
    hsirepro.errors.SceneNotFound: The catalogue has no reference unmixing of 'planted'.
      ...
    """
    entry = CATALOGUE[scene]
    keys = entry.reference
    if keys is None:
        known = ", ".join(name for name, other in CATALOGUE.items() if other.reference)
        raise SceneNotFound(
            f"The catalogue has no reference unmixing of {scene!r}.",
            known_of=known,
            next_step="take one of these; a planted scene carries its own truth",
        )
    file = _file(entry)
    path = locate(scene, download=download, files=(file,))[0]
    check_hash(file, path)
    endmembers, abundances = (
        read(path, key).values.astype(np.float64) for key in (keys.endmembers, keys.abundances)
    )
    return _arranged(endmembers, abundances, entry, keys, path)


def _file(entry: SceneEntry) -> SceneFile:
    """Return the file of role "reference", or that of the cube."""
    apart = [file for file in entry.files if file.role == "reference"]
    return (apart or [file for file in entry.files if file.role == "cube"])[0]


def _arranged(
    endmembers: Floats, abundances: Floats, entry: SceneEntry, keys: ReferenceKeys, path: Path
) -> Reference:
    """Bring both to the shapes of :class:`Reference`, and check them against the scene."""
    rows, cols, bands = entry.shape
    count = len(keys.names)
    if endmembers.shape == (count, bands):
        endmembers = endmembers.T
    if abundances.shape == (rows, cols, count):
        abundances = np.moveaxis(abundances, 2, 0)
    elif abundances.shape == (count, rows * cols):
        abundances = abundances.reshape(count, rows, cols, order="F")
    if endmembers.shape != (bands, count) or abundances.shape != (count, rows, cols):
        raise FormatError(
            f"'{path.name}' does not hold {count} materials of {entry.name!r}.",
            file=str(path),
            found=f"{keys.endmembers} {endmembers.shape}, {keys.abundances} {abundances.shape}",
            expected=f"endmembers ({bands}, {count}), abundances ({count}, {rows}, {cols})",
        )
    sums = abundances.sum(axis=0)
    if abundances.min() < -1e-6 or np.abs(sums - 1.0).max() > 1e-6:
        raise FormatError(
            f"The abundances in '{path.name}' are no shares of one.",
            file=str(path),
            found=f"values from {abundances.min():.3g}, sums {sums.min():.3g} to {sums.max():.3g}",
        )
    return Reference(np.ascontiguousarray(endmembers), np.ascontiguousarray(abundances), keys.names)
