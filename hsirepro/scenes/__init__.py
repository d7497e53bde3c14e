"""Scenes: the catalogue, the readers, the simulator, and the cube that all rooms share.

>>> from hsirepro.scenes import open_scene
>>> cube = open_scene("planted")          # or "houston-2018-crop", or "my/cube.hdr"

Names are imported when they are first used, so that listing the catalogue loads neither xarray
nor torch. ``locate`` and ``simulate`` are modules here: their functions of the same name come from
``hsirepro.scenes.locate`` and ``hsirepro.scenes.simulate``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hsirepro.scenes.catalogue import CATALOGUE, PaperChoice, SceneEntry, SceneFile
    from hsirepro.scenes.cube import (
        check_finite,
        drop_bad_bands,
        from_tensor,
        has_wavelengths,
        make_cube,
        to_tensor,
        wavelengths_nm,
    )
    from hsirepro.scenes.locate import data_folders, fetch, scene_table, verify
    from hsirepro.scenes.open import open_scene
    from hsirepro.scenes.references import Reference, reference_unmixing
    from hsirepro.scenes.simulate import PlantedScene

_HOMES = {
    "CATALOGUE": "catalogue",
    "PaperChoice": "catalogue",
    "SceneEntry": "catalogue",
    "SceneFile": "catalogue",
    "check_finite": "cube",
    "drop_bad_bands": "cube",
    "from_tensor": "cube",
    "has_wavelengths": "cube",
    "make_cube": "cube",
    "to_tensor": "cube",
    "wavelengths_nm": "cube",
    "data_folders": "locate",
    "fetch": "locate",
    "scene_table": "locate",
    "verify": "locate",
    "open_scene": "open",
    "Reference": "references",
    "reference_unmixing": "references",
    "PlantedScene": "simulate",
}

__all__ = [  # noqa: RUF022 - in the order of _HOMES
    "CATALOGUE",
    "PaperChoice",
    "SceneEntry",
    "SceneFile",
    "check_finite",
    "drop_bad_bands",
    "from_tensor",
    "has_wavelengths",
    "make_cube",
    "to_tensor",
    "wavelengths_nm",
    "data_folders",
    "fetch",
    "scene_table",
    "verify",
    "open_scene",
    "Reference",
    "reference_unmixing",
    "PlantedScene",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
