"""HyCoNet, IEEE TGRS 2021: its tables as data, and the run that fills one cell."""

from hsirepro.papers.hyconet.experiments import (
    PARAMETERS,
    PROFILES,
    PUBLISHED_NAMES,
    TABLES,
    VARIANTS,
    keys,
    table_of,
)
from hsirepro.papers.hyconet.run import Prepared, prepare, run_cell, scene_label

__all__ = [
    "PARAMETERS",
    "PROFILES",
    "PUBLISHED_NAMES",
    "TABLES",
    "VARIANTS",
    "Prepared",
    "keys",
    "prepare",
    "run_cell",
    "scene_label",
    "table_of",
]
