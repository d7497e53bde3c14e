"""Label maps: the class of each pixel, where somebody has drawn one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hsirepro.errors import FormatError
from hsirepro.scenes.catalogue import CATALOGUE
from hsirepro.scenes.locate import find


def open_labels(scene: str) -> NDArray[np.int64] | None:
    """Return the label map of a scene of the catalogue, if it has one that is here.

    Parameters
    ----------
    scene : str
        Catalogue name; any other name has no labels.

    Returns
    -------
    ndarray of int, shape (H, W), or None
        0 where a pixel has no class.

    Raises
    ------
    FormatError
        If the file does not hold exactly one map of the scene's size.
    """
    if scene not in CATALOGUE:
        return None
    entry = CATALOGUE[scene]
    # The first file is the whole map; others split it into training and test pixels.
    files = [f for f in entry.files if f.role == "labels" and f.path.endswith(".mat")]
    place = find(files[0]) if files else None
    if place is None:
        return None
    from scipy.io import loadmat

    size = tuple(entry.shape[:2])
    maps = [
        value
        for name, value in loadmat(place).items()
        if not name.startswith("__") and np.shape(value) == size
    ]
    if len(maps) != 1:
        raise FormatError(
            f"{place.name} holds {len(maps)} maps of {size[0]} x {size[1]} pixels, not one.",
            scene=scene,
            next_step="compare the file with the catalogue: hsirepro scenes verify",
        )
    return np.asarray(maps[0], dtype=np.int64)
