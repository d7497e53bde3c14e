"""Metrics: full-reference measures with explicit definitions, and the choice of each paper."""

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

__all__ = [
    "BETTER",
    "PRESETS",
    "UNITS",
    "Measure",
    "Preset",
    "ergas",
    "evaluate",
    "mrae",
    "mrae_map",
    "psnr",
    "rmse",
    "rmse_map",
    "sam",
    "sam_map",
    "ssim",
    "uiqi",
]
