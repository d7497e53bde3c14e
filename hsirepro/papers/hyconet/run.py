"""Fill one cell of HyCoNet's tables: open, degrade, fuse, score, record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import xarray as xr

from hsirepro.fusion import ITERATIVE, PRESETS, fuse
from hsirepro.optics import Degraded, degrade, landsat8_oli
from hsirepro.papers.hyconet.experiments import (
    PROFILES,
    TABLES,
    Variant,
    ratio_of,
    sigma_of,
)
from hsirepro.papers.hyconet.recording import record_of, watcher
from hsirepro.papers.hyconet.studies import (
    DRAWN,
    STAND_INS,
    STUDIES,
    plan_of,
    variant_of,
)
from hsirepro.papers.names import record_name
from hsirepro.records import Meter, Record, RecordKey, provenance
from hsirepro.scenes import CATALOGUE, open_scene, wavelengths_nm
from hsirepro.scenes.clean import cleaned
from hsirepro.scenes.window import cut

# The one baseline that takes longer than a moment on the planted scene.
USDN_SMOKE: Mapping[str, object] = {
    "hsi_iterations": 200,
    "fit_iterations": 100,
    "msi_iterations": 50,
}


@dataclass(frozen=True)
class Prepared:
    """A scene, degraded by Wald's protocol as the paper does.

    Parameters
    ----------
    cube : DataArray
        The scene, scaled to a maximum of 1.
    pair : Degraded
        HSI, MSI, truth and the operators between them.
    part : str
        What was cut out of the scene; empty text for all of it.
    notes : tuple of str
        What was done to the scene when it was opened, one sentence each.
    """

    cube: xr.DataArray
    pair: Degraded
    part: str = ""
    notes: tuple[str, ...] = ()


def prepare(
    scene: str,
    sigma: float,
    *,
    table: str,
    ratio: int = 0,
    key: str = "",
    wavelengths: str = "",
    part: str = "",
) -> Prepared:
    """Open a scene, take the paper's crop and bands where they are known, and degrade it.

    Parameters
    ----------
    scene : str
        Catalogue name, or path of a cube.
    sigma : float
        Width of the Gaussian point spread, MSI pixels.
    table : str
        Whose ratio and MSI bands are used.
    ratio : int
        Replaces the table's ratio, unless 0.
    key : str
        Variable inside a file of one's own.
    wavelengths : str
        Text file with band centres in nm, one per line.
    part : str
        Rows and columns to use, as :func:`~hsirepro.scenes.window.cut` reads them.

    Returns
    -------
    Prepared

    Raises
    ------
    SceneNotFound, FormatError
        If the scene cannot be opened.
    WavelengthError
        If the cube does not know its wavelengths, or does not reach an MSI band.
    PixelError
        If the cube holds NaN or infinite pixels, or none above 0.
    ParameterError
        If ``part`` is no part of the cube.
    """
    plan = TABLES[table]
    known = CATALOGUE[scene].paper if scene in CATALOGUE else {}
    stored = open_scene(
        scene,
        key=key or None,
        wavelengths=wavelengths or None,
        paper="hyconet" if "hyconet" in known else None,
    )
    # Reflectance is not negative; sensor offsets are. The paper's divisor is not stated.
    cube, notes = cleaned(cut(stored, part), scene, "scene")
    nm = wavelengths_nm(cube, "simulating Landsat 8 OLI bands")
    scaled = (cube / max(float(cube.max()), float(np.finfo(np.float32).tiny))).assign_attrs(
        {**cube.attrs, "units": "fraction of maximum"}
    )
    srf = landsat8_oli(nm, plan.msi_bands)
    pair = degrade(scaled, ratio=ratio or plan.ratio, sigma=sigma, srf=srf)
    return Prepared(scaled, pair, part, tuple(notes))


@lru_cache(maxsize=1)
def _prepared(scene: str, condition: str, table: str) -> Prepared:
    return prepare(scene, sigma_of(condition), table=table, ratio=ratio_of(condition))


def scene_label(scene: str, prepared: Prepared) -> str:
    """Return the name under which records of ``scene`` are kept."""
    return record_name(scene, prepared.cube, prepared.part)


def run_cell(
    key: RecordKey,
    prepared: Prepared | None = None,
    *,
    device: str = "cpu",
    checkpoint: Path | None = None,
    progress: bool = False,
    pictures: bool | None = None,
) -> Record:
    """Compute one cell and return its record, not yet written.

    Parameters
    ----------
    key : RecordKey
        Which cell; see :func:`~hsirepro.papers.hyconet.experiments.keys` and
        :func:`~hsirepro.papers.hyconet.studies.study_keys`.
    prepared : Prepared, optional
        The degraded scene, where it is not the catalogue scene of ``key``.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    checkpoint : Path, optional
        Where training keeps its state, and resumes from.
    progress : bool
        Show a bar with loss and time left.
    pictures : bool, optional
        Whether the record holds images and error maps; by default where a figure of the book
        shows them, so that the record store stays small.

    Returns
    -------
    Record
        See :func:`~hsirepro.papers.hyconet.recording.record_of`.
    """
    variant = variant_of(key)
    ready = prepared or _prepared(key.scene, key.condition, plan_of(key))
    settings = {**variant.settings, **_length(variant, key)}
    pair = ready.pair
    if variant.method == "hyconet":
        settings |= {"checkpoint": checkpoint, "watch": watcher(pair)}
    if variant.method in ITERATIVE:
        settings |= {"progress": progress}
    with Meter() as meter:
        fused = fuse(
            variant.method,
            pair.hsi,
            pair.msi,
            ratio=pair.ratio,
            srf=pair.srf,
            psf=pair.psf,
            seed=key.seed,
            device=device,
            scale=1.0,
            **settings,
        )
    sources = provenance(
        seed=key.seed,
        data_sha256=str(ready.cube.attrs["sha256"]),
        wall_time_s=fused.earlier_s + meter.wall_time_s,
        peak_memory_mb=meter.peak_memory_mb,
        device=device,
    )
    shown = _has_figure(key) if pictures is None else pictures
    return record_of(key, pair, fused, sources, pictures=shown)


def _has_figure(key: RecordKey) -> bool:
    """Tell whether Figs. 10-13, or a reader who calls for the planted scene, see this cell."""
    shown = key.scene in DRAWN or key.scene not in STAND_INS
    return shown and key.table in TABLES and key.seed == 0 and sigma_of(key.condition) == 0.5


def _length(variant: Variant, key: RecordKey) -> Mapping[str, object]:
    """Shorten training to the profile, with the same share of it at a constant rate."""
    if variant.method != "hyconet":
        return USDN_SMOKE if (variant.method, key.profile) == ("usdn", "smoke") else {}
    whole, profile = PRESETS[str(variant.settings["preset"])], PROFILES[key.profile]
    iterations = profile.iterations
    if key.table in STUDIES and profile.in_study is not None:
        iterations = profile.in_study
    hold = round(whole.hold * iterations / whole.iterations)
    return {"iterations": iterations, "hold": hold}
