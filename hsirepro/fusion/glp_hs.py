"""Generalised Laplacian pyramid for HSI-MSI fusion (GLP-HS).

Every HSI band Z_b gets the detail of a synthetic panchromatic band P_b, the combination of MSI
bands that predicts Z_b best at the coarse scale. Detail is what a Gaussian low-pass filter
tuned to the modulation transfer function (MTF) of the HSI takes away,

    X_b = up(Z_b) + g_b (P_b - up(PSF(P_b))),    g_b = cov(up(Z_b), Q_b) / var(Q_b)     [1]_

with Q_b = up(PSF(P_b)), the PSF that all methods are told (a Gaussian as wide as the ratio), and an
interpolation ``up`` with 45 taps [2]_. It is the second mode of the review's toolbox [3]_, one
panchromatic band per HSI band. Negative values become 0; the upper limit that the toolbox sets
beside, 2^sqrt(max Z), has no unit and is never reached by reflectances, and is left out. The
method needs neither the spectral response nor the point spread function.

References
----------
.. [1] B. Aiazzi, L. Alparone, S. Baronti, A. Garzelli, M. Selva, "MTF-tailored multiscale fusion
   of high-resolution MS and Pan imagery", Photogramm. Eng. Remote Sens. 72(5), 2006.
.. [2] B. Aiazzi, S. Baronti, M. Selva, L. Alparone, "Bi-cubic interpolation for shift-free
   pan-sharpening", ISPRS J. Photogramm. Remote Sens. 86, 2013.
.. [3] N. Yokoya, C. Grohnfeldt, J. Chanussot, "Hyperspectral and multispectral data fusion: a
   comparative review of the recent literature", IEEE Geosci. Remote Sens. Mag. 5(2), 2017.
"""

from __future__ import annotations

import torch
from scipy.signal import firwin
from torch import Tensor

from hsirepro.fusion.estimation import assumed_spread
from hsirepro.fusion.outcome import Outcome
from hsirepro.fusion.regression import denoise, predict, regress
from hsirepro.optics import downsample

TAPS = 45
_BANDS_AT_ONCE = 8  # keeps the working memory small beside the cube itself


def glp_hs(
    hsi: Tensor,
    msi: Tensor,
    *,
    ratio: int,
    regress_bands: bool = True,
    **unused: object,
) -> Outcome:
    """Fuse one pair; works in tiles of a few bands.

    Parameters
    ----------
    hsi : Tensor, shape (L, h, w)
        Low-resolution hyperspectral image, reflectance.
    msi : Tensor, shape (l, h * ratio, w * ratio)
        High-resolution multispectral image, reflectance, co-registered.
    ratio : int
        Ground sampling distance of ``hsi`` over that of ``msi``.
    regress_bands : bool
        Denoise the result by regression between bands, as the review does.
    **unused
        ``srf``, ``psf``, ``seed`` and ``device`` of the fusion contract: not needed.

    Returns
    -------
    Outcome
        Image of shape (L, h * ratio, w * ratio).
    """
    coarse = downsample(msi, ratio, mode="bilinear")
    coefficients = regress(hsi.flatten(1), coarse.flatten(1))
    spread = assumed_spread(ratio)
    phases = interpolators(hsi.shape[1], ratio), interpolators(hsi.shape[2], ratio)
    fused = torch.empty(len(hsi), *msi.shape[1:], dtype=hsi.dtype)
    for bands in torch.split(torch.arange(len(hsi)), _BANDS_AT_ONCE):
        pan = predict(coefficients[bands], msi)
        smooth = interpolate(spread(pan), *phases)
        large = interpolate(hsi[bands], *phases)
        gain = regression_gain(large, smooth)
        fused[bands] = (large + gain[:, None, None] * (pan - smooth)).clamp_min(0.0)
    return Outcome(
        denoise(fused) if regress_bands else fused, settings={"regress_bands": regress_bands}
    )


def interpolators(length: int, ratio: int) -> Tensor:
    """Return the matrices that enlarge one axis of ``length`` pixels, one per phase.

    Zeros are put between the samples and a low-pass filter of 45 taps, cut off at the coarse
    Nyquist frequency and amplified by ``ratio``, fills them; the image continues periodically.
    An odd ratio puts a sample on the middle pixel of its block. With an even one the middle lies
    between two pixels: there are two phases, half a pixel to either side, to be averaged.

    Parameters
    ----------
    length : int
        Coarse pixels.
    ratio : int

    Returns
    -------
    Tensor, shape (phases, length * ratio, length), float32
        1 phase for odd ratios, 2 for even ones.
    """
    taps = ratio * torch.from_numpy(firwin(TAPS, 1.0 / ratio))
    reach = torch.arange(TAPS) - TAPS // 2
    samples = torch.arange(length)[:, None]
    matrices = []
    for phase in sorted({(ratio - 1) // 2, ratio // 2}):
        rows = (samples * ratio + phase + reach) % (length * ratio)
        matrix = torch.zeros(length * ratio, length, dtype=torch.float64)
        matrix.index_put_((rows, samples.expand_as(rows)), taps.expand(rows.shape), accumulate=True)
        matrices.append(matrix)
    return torch.stack(matrices).float()


def interpolate(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Enlarge images, shape (K, h, w), and average over the phases, shape (K, H, W)."""
    # One matrix product per axis; rows and columns take the same phase, as in the toolbox.
    enlarged = [row @ (images @ column.T) for row, column in zip(rows, columns, strict=True)]
    return torch.stack(enlarged).mean(dim=0)


def regression_gain(large: Tensor, smooth: Tensor) -> Tensor:
    """Return cov(large, smooth) / var(smooth) of images (K, H, W), shape (K,); 0 for var = 0."""
    a, b = (image - image.mean(dim=(1, 2), keepdim=True) for image in (large, smooth))
    variance = b.square().mean(dim=(1, 2))
    covariance = (a * b).mean(dim=(1, 2))
    return torch.where(variance > 0, covariance / variance, torch.zeros_like(variance))
