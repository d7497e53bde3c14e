"""HUD, hyperspectral image generation: its tables as data, and the run that fills one cell."""

from hsirepro.papers.hud.experiments import (
    DATASETS,
    NULLS,
    PARAMETERS,
    PROFILES,
    PUBLISHED_NAMES,
    STAND_INS,
    TABLE,
    TABLE_METHODS,
    VARIANTS,
    condition_of,
    keys,
    scene_of,
    settings_of,
)
from hsirepro.papers.hud.plan import asked, planned, scenes_here
from hsirepro.papers.hud.run import Prepared, prepare, run_cell, scene_label
from hsirepro.papers.hud.unmixing import FINDERS, REFERENCED, UNMIXING, unmixing_keys

__all__ = [
    "DATASETS",
    "FINDERS",
    "NULLS",
    "PARAMETERS",
    "PROFILES",
    "PUBLISHED_NAMES",
    "REFERENCED",
    "STAND_INS",
    "TABLE",
    "TABLE_METHODS",
    "UNMIXING",
    "VARIANTS",
    "Prepared",
    "asked",
    "condition_of",
    "keys",
    "planned",
    "prepare",
    "run_cell",
    "scene_label",
    "scene_of",
    "scenes_here",
    "settings_of",
    "unmixing_keys",
]
