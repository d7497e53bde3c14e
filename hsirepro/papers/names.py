"""Under which name the records of a scene are kept."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import xarray as xr

from hsirepro.scenes import CATALOGUE


def record_name(scene: str, cube: xr.DataArray, part: str = "") -> str:
    """Return the name under which records of ``scene`` are kept.

    A cube of one's own, or a part of a scene, goes by its name and the head of a hash of the
    file and of what was opened, pixels and wavelengths: no path of a machine gets into a record,
    and two variables of one file are two scenes.

    Parameters
    ----------
    scene : str
        Catalogue name, or path.
    cube : DataArray
        What was opened.
    part : str
        What was cut out of it; empty text for all.
    """
    if scene in CATALOGUE and not part:
        return scene
    digest = hashlib.sha256(str(cube.attrs["sha256"]).encode())
    digest.update(np.ascontiguousarray(cube.values).tobytes())
    digest.update(np.ascontiguousarray(cube.wavelength.values).tobytes())
    return f"{Path(scene).stem}-{digest.hexdigest()[:8]}"
