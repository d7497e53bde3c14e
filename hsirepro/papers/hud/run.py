"""Fill one cell of HUD's tables: open, fit, draw, judge, record."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import xarray as xr

from hsirepro.errors import ParameterError, WavelengthError
from hsirepro.generation import METHODS, Patches
from hsirepro.papers.hud.damages import damage_record
from hsirepro.papers.hud.experiments import (
    DAMAGED,
    HALVES,
    PROFILES,
    SAMPLERS,
    VARIANTS,
    scene_of,
    settings_of,
)
from hsirepro.papers.hud.recording import Judge, record_of
from hsirepro.papers.hud.studies import halves_of, halves_scores, sampler_record
from hsirepro.papers.hud.unmixing import UNMIXING, run_unmixing
from hsirepro.papers.names import record_name
from hsirepro.records import Meter, Record, RecordKey, provenance
from hsirepro.scenes import open_scene, wavelengths_nm
from hsirepro.scenes.clean import cleaned
from hsirepro.scenes.cube import to_tensor
from hsirepro.scenes.labels import open_labels
from hsirepro.scenes.window import cut
from hsirepro.training import check_device

BRIGHT = 99.9  # percentile of a scene's values that becomes 1


@dataclass(frozen=True)
class Prepared:
    """A scene, ready to be cut into tiles.

    Parameters
    ----------
    cube : DataArray, dims (y, x, wavelength)
        Without bad and black bands, not negative, over the 99.9th percentile of its values.
    scale : float
        That percentile.
    units : str
        Those of the scene.
    labels : ndarray of int, shape (H, W), optional
        Classes of the pixels, where they are known.
    part : str
        What was cut out of the scene; empty text for all of it.
    notes : tuple of str
        What was done to the scene when it was opened, one sentence each.
    """

    cube: xr.DataArray
    scale: float
    units: str = ""
    labels: np.ndarray | None = None
    part: str = ""
    notes: tuple[str, ...] = ()

    def patches(self, size: int) -> Patches:
        """Return the tiles of the scene."""
        try:
            nm = wavelengths_nm(self.cube, "naming the bands")
        except WavelengthError:
            nm = None  # methods that need to know them say so
        return Patches([to_tensor(self.cube)], size, nm)


def prepare(scene: str, *, key: str = "", wavelengths: str = "", part: str = "") -> Prepared:
    """Open a scene as HUD's experiments use it.

    Parameters
    ----------
    scene : str
        Catalogue name, or path of a cube.
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
    PixelError
        If the cube holds NaN or infinite pixels, or none above 0.
    ParameterError
        If ``part`` is no part of the cube.
    """
    stored = open_scene(scene, key=key or None, wavelengths=wavelengths or None)
    cube, notes = cleaned(cut(stored, part), scene, "scene")
    scale = float(np.percentile(cube.values, BRIGHT))
    scaled = (cube / max(scale, float(np.finfo(np.float32).tiny))).assign_attrs(
        {**cube.attrs, "units": f"fraction of the {BRIGHT}th percentile"}
    )
    labels = open_labels(scene)
    if labels is not None and part:
        grid = xr.DataArray(labels[:, :, None], dims=("y", "x", "wavelength"))
        labels = cut(grid, part).values[:, :, 0]
    return Prepared(scaled, scale, str(cube.attrs["units"]), labels, part, tuple(notes))


_prepared = lru_cache(maxsize=1)(prepare)


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
        Which cell; see :func:`~hsirepro.papers.hud.experiments.keys`.
    prepared : Prepared, optional
        The scene, where it is not the catalogue scene of ``key``.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    checkpoint : Path, optional
        Where training keeps its state, and resumes from. The classifier that judges all methods
        of a scene is kept beside.
    progress : bool
        Show a bar with loss and time left.
    pictures : bool, optional
        Whether the record holds tiles in false colour; by default those of the first seed.

    Returns
    -------
    Record
        See :func:`~hsirepro.papers.hud.recording.record_of`, or for the table of samplers
        :func:`~hsirepro.papers.hud.studies.sampler_record`.
    """
    check_device(device)
    if key.table == UNMIXING:
        return run_unmixing(key)
    profile = PROFILES[key.profile]
    ready = prepared or _prepared(key.scene)
    if key.table == DAMAGED:
        return damage_record(key, _judge(key, ready, checkpoint, device), profile.count)
    patches, halves = ready.patches(profile.size), None
    if key.table == HALVES:
        halves = halves_of(patches.images[0], profile.size)
        patches = Patches([halves.seen], profile.size, patches.wavelength)
    endmembers = endmembers_of(key.condition) or scene_of(key.scene).endmembers
    with Meter() as meter:
        fitted = METHODS[VARIANTS[key.method].method](
            patches,
            seed=key.seed,
            device=device,
            progress=progress,
            checkpoint=checkpoint,
            **settings_of(key.method, key.profile, endmembers),
        )
        started = time.perf_counter()
        drawn = key.table != SAMPLERS  # which draws for itself
        samples = fitted.model.sample(profile.count, seed=key.seed) if drawn else None
        drawing_s = time.perf_counter() - started
    sources = provenance(
        seed=key.seed,
        data_sha256=str(ready.cube.attrs["sha256"]),
        wall_time_s=fitted.earlier_s + meter.wall_time_s,
        peak_memory_mb=meter.peak_memory_mb,
        device=device,
    )
    judge = _judge(key, ready, checkpoint, device)  # once nothing can be refused any more
    if samples is None:
        return sampler_record(key, fitted, judge, sources, profile.count)
    tiles = samples.tiles
    scores = halves_scores(tiles, judge, halves) if halves else judge.scores(tiles)
    return record_of(
        key,
        fitted,
        samples,
        judge,
        scores | {"seconds per tile": drawing_s / profile.count},
        sources,
        pictures=key.seed == 0 if pictures is None else pictures,
    )


def _judge(key: RecordKey, ready: Prepared, checkpoint: Path | None, device: str) -> Judge:
    """Return the judge of a scene, whose network all cells of its table share."""
    profile = PROFILES[key.profile]
    return Judge(
        ready.cube,
        ready.labels,
        size=profile.size,
        clusters=max(2, scene_of(key.scene).endmembers),
        iterations=profile.judging,
        folder=checkpoint.parent.parent if checkpoint else None,
        device=device,
    )


def endmembers_of(condition: str) -> int:
    """Return the number of endmembers of a record condition; 0 where it is the scene's.

    Raises
    ------
    ParameterError
        If ``condition`` is not ``tiles=NUMBER`` or ``tiles=NUMBER,endmembers=NUMBER``.

    Examples
    --------
    >>> endmembers_of("tiles=32"), endmembers_of("tiles=32,endmembers=4")
    (0, 4)
    """
    match = re.fullmatch(r"tiles=[0-9]+(?:,endmembers=([0-9]+))?", condition)
    if match is None:
        raise ParameterError(
            f"HUD has no condition {condition!r}.", next_step="write it as tiles=32"
        )
    return int(match[1] or 0)
