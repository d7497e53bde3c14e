"""HyCoNet, IEEE TGRS 2021: its tables and figures as data, and the run that fills one cell."""

from hsirepro.papers.hyconet.compared import (
    LOSS_TERMS,
    recorded_variants,
    sparsity_note,
    study_findings,
    study_notes,
    sum_to_one_note,
)
from hsirepro.papers.hyconet.experiments import (
    PARAMETERS,
    PROFILES,
    PUBLISHED_NAMES,
    SIGMAS,
    TABLE_METHODS,
    TABLES,
    VARIANTS,
    condition_of,
    keys,
    ratio_of,
    sigma_of,
    table_of,
)
from hsirepro.papers.hyconet.plan import asked, planned, scenes_here
from hsirepro.papers.hyconet.run import Prepared, prepare, run_cell, scene_label
from hsirepro.papers.hyconet.studies import (
    STUDIES,
    cells,
    study_keys,
)

__all__ = [
    "LOSS_TERMS",
    "PARAMETERS",
    "PROFILES",
    "PUBLISHED_NAMES",
    "SIGMAS",
    "STUDIES",
    "TABLES",
    "TABLE_METHODS",
    "VARIANTS",
    "Prepared",
    "asked",
    "cells",
    "condition_of",
    "keys",
    "planned",
    "prepare",
    "ratio_of",
    "recorded_variants",
    "run_cell",
    "scene_label",
    "scenes_here",
    "sigma_of",
    "sparsity_note",
    "study_findings",
    "study_keys",
    "study_notes",
    "sum_to_one_note",
    "table_of",
]
