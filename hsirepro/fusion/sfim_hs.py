"""Smoothing-filter-based intensity modulation for HSI-MSI fusion (SFIM-HS).

A synthetic panchromatic band P_b is regressed on the MSI for every HSI band Z_b [2]_, and its
ratio of fine to coarse detail modulates the band,

    X_b = P_b * up(Z_b) / up(down(P_b)),            Liu (2000), eq. 4

with nearest-neighbour enlargement. Nothing guards the denominator: on dark pixels it passes
through zero, which is where the large ERGAS of this method in the fusion literature comes from.
The method needs neither the spectral response nor the point spread function.

References
----------
.. [1] J. G. Liu, "Smoothing filter-based intensity modulation", Int. J. Remote Sens. 21(18), 2000.
.. [2] N. Yokoya, C. Grohnfeldt, J. Chanussot, "Hyperspectral and multispectral data fusion: a
   comparative review of the recent literature", IEEE Geosci. Remote Sens. Mag. 5(2), 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hsirepro.fusion.outcome import Outcome
from hsirepro.fusion.regression import denoise, predict, regress
from hsirepro.optics import downsample

_BANDS_AT_ONCE = 8  # keeps the working memory small beside the cube itself


def sfim_hs(
    hsi: Tensor,
    msi: Tensor,
    *,
    ratio: int,
    guard: float = 0.0,
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
    guard : float
        Smallest denominator, in the units of the image; 0 divides as published.
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
    fused = torch.empty(len(hsi), *msi.shape[1:], dtype=hsi.dtype)
    for bands in torch.split(torch.arange(len(hsi)), _BANDS_AT_ONCE):
        pan, pan_coarse = (predict(coefficients[bands], image) for image in (msi, coarse))
        if guard > 0:
            pan_coarse = torch.where(pan_coarse.abs() < guard, guard, pan_coarse)
        gain = (hsi[bands] / pan_coarse).repeat_interleave(ratio, 1).repeat_interleave(ratio, 2)
        # 0 / 0: a band that is zero everywhere stays zero.
        fused[bands] = torch.nan_to_num(pan * gain, nan=0.0)
    settings: dict[str, object] = {"guard": guard, "regress_bands": regress_bands}
    return Outcome(denoise(fused) if regress_bands else fused, settings=settings)
