"""Metrics: full-reference measures with explicit definitions, and the choice of each paper.

Generated images have no reference: what is said of them stands in ``distribution`` and
``features``, and of maps of classes in ``classification``; both are imported when they are first
used, as they load torch or scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hsirepro.metrics.full_reference import (
    ergas,
    mrae,
    mrae_map,
    psnr,
    rmse,
    rmse_map,
    sam,
    sam_map,
)
from hsirepro.metrics.presets import BETTER, PRESETS, UNITS, Measure, Preset, evaluate
from hsirepro.metrics.structural import ssim, uiqi

if TYPE_CHECKING:
    from hsirepro.metrics.classification import classification_scores, confusion
    from hsirepro.metrics.classifier import TileClassifier, train_classifier
    from hsirepro.metrics.clusters import kmeans_labels
    from hsirepro.metrics.distribution import (
        block_diversity,
        block_matches,
        diversity_over_fidelity,
        point_fidelity,
        point_fidelity_map,
    )
    from hsirepro.metrics.features import frechet_distance, inception_score, precision_recall

_HOMES = {
    "classification_scores": "classification",
    "confusion": "classification",
    "TileClassifier": "classifier",
    "kmeans_labels": "clusters",
    "train_classifier": "classifier",
    "block_diversity": "distribution",
    "block_matches": "distribution",
    "diversity_over_fidelity": "distribution",
    "point_fidelity": "distribution",
    "point_fidelity_map": "distribution",
    "frechet_distance": "features",
    "inception_score": "features",
    "precision_recall": "features",
}

__all__ = [
    "BETTER",
    "PRESETS",
    "UNITS",
    "Measure",
    "Preset",
    "TileClassifier",
    "block_diversity",
    "block_matches",
    "classification_scores",
    "confusion",
    "diversity_over_fidelity",
    "ergas",
    "evaluate",
    "frechet_distance",
    "inception_score",
    "kmeans_labels",
    "mrae",
    "mrae_map",
    "point_fidelity",
    "point_fidelity_map",
    "precision_recall",
    "psnr",
    "rmse",
    "rmse_map",
    "sam",
    "sam_map",
    "ssim",
    "train_classifier",
    "uiqi",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
