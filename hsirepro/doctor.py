"""What this machine has: versions, devices, data folders. Shown by ``hsirepro doctor``."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterator

import hsirepro

NEEDED = ("torch", "lightning", "numpy", "scipy", "xarray", "h5py", "scikit-image", "pooch")
OPTIONAL = {
    "spectral": "ENVI files: pip install 'hsirepro[io]'",
    "rasterio": "GeoTIFF files: pip install 'hsirepro[io]'",
    "jupyter-book": "the book: pip install 'hsirepro[book]'",
    "papermill": "running chapters: pip install 'hsirepro[book]'",
    "snakemake": "sweeps on a cluster: pip install 'hsirepro[sweep]'",
}


def report() -> Iterator[str]:
    """Yield the lines of the report, problems marked with ``!``."""
    python = f"Python {platform.python_version()}, {platform.system()}"
    yield f"hsirepro {hsirepro.__version__}, {python}"
    yield from _packages()
    yield from _devices()
    yield from _data()


def _packages() -> Iterator[str]:
    for name in (*NEEDED, *OPTIONAL):
        try:
            yield f"  {name:<14} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            yield f"! {name:<14} missing; {OPTIONAL.get(name, 'needed: pip install hsirepro')}"


def _devices() -> Iterator[str]:
    import torch

    yield f"  {'processors':<14} {os.cpu_count()}, {torch.get_num_threads()} threads used"
    if torch.cuda.is_available():
        yield f"  {'GPU':<14} {torch.cuda.get_device_name()}"
    else:
        yield f"  {'GPU':<14} none: device='cpu' is the one to use"


def _data() -> Iterator[str]:
    from hsirepro.records import default_root
    from hsirepro.scenes.locate import cache_folder, data_folders, scene_table

    for folder in data_folders():
        mark, note = (" ", "") if folder.is_dir() else ("!", ": there is no such folder")
        yield f"{mark} {'HSIREPRO_DATA':<14} {folder}{note}"
    if not data_folders():
        yield f"! {'HSIREPRO_DATA':<14} not set: only 'planted' and fetched scenes can be opened"
    yield f"  {'cache':<14} {cache_folder()}"
    rows = scene_table()
    here = sum(row.here for row in rows)
    yield f"  {'scenes':<14} {here} of {len(rows)} are here; 'planted' always is"
    yield f"  {'records':<14} {default_root()}"
