"""Optics: point spread, spectral response, resampling and noise, as operators with adjoints.

Every operator takes torch tensors (C, H, W) or (B, C, H, W), keeps their dtype and device, and
is differentiable. :func:`degrade` puts them together on a labelled cube.
"""

from hsirepro.optics.degrade import CropWarning, Degraded, add_noise, check_pair, degrade
from hsirepro.optics.planted import PlantedPair, planted_pair
from hsirepro.optics.psf import PointSpread, gaussian_kernel
from hsirepro.optics.resample import downsample, upsample
from hsirepro.optics.responses import (
    ResponseTable,
    camera,
    landsat8_oli,
    read_cameras,
    read_response,
)
from hsirepro.optics.srf import SpectralResponse

__all__ = [
    "CropWarning",
    "Degraded",
    "PlantedPair",
    "PointSpread",
    "ResponseTable",
    "SpectralResponse",
    "add_noise",
    "camera",
    "check_pair",
    "degrade",
    "downsample",
    "gaussian_kernel",
    "landsat8_oli",
    "planted_pair",
    "read_cameras",
    "read_response",
    "upsample",
]
