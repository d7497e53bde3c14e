"""INSS, spectra from colours: its library, its tables as data, and the run that fills one cell."""

from hsirepro.papers.inss.claims import decided
from hsirepro.papers.inss.classification import CLASSIFIED, CLASSIFIERS, CONDITIONS
from hsirepro.papers.inss.embedding import EMBEDDED, FEATURES
from hsirepro.papers.inss.experiments import (
    ABLATED,
    ABLATIONS,
    COLLECTIONS,
    COMPARED,
    METHODS_COMPARED,
    PARAMETERS,
    PROFILES,
    STAND_INS,
    STARTED,
    STARTS,
    asked,
    keys,
    planned,
    scenes_here,
    settings_of,
)
from hsirepro.papers.inss.labelled import LABELLED, STANDING_IN, Labelled, open_labelled
from hsirepro.papers.inss.library import inss_library, title_hash
from hsirepro.papers.inss.run import network_for, run_cell, trained
from hsirepro.papers.inss.scenes import DATASETS, Dataset, open_dataset

__all__ = [
    "ABLATED",
    "ABLATIONS",
    "CLASSIFIED",
    "CLASSIFIERS",
    "COLLECTIONS",
    "COMPARED",
    "CONDITIONS",
    "DATASETS",
    "EMBEDDED",
    "FEATURES",
    "LABELLED",
    "METHODS_COMPARED",
    "PARAMETERS",
    "PROFILES",
    "STANDING_IN",
    "STAND_INS",
    "STARTED",
    "STARTS",
    "Dataset",
    "Labelled",
    "asked",
    "decided",
    "inss_library",
    "keys",
    "network_for",
    "open_dataset",
    "open_labelled",
    "planned",
    "run_cell",
    "scenes_here",
    "settings_of",
    "title_hash",
    "trained",
]
