"""Gram-Schmidt adaptive component substitution for HSI-MSI fusion (GSA).

Every HSI band joins the MSI band it is most correlated with. Within a group, the MSI band takes
the place of the intensity I that the group itself can explain,

    I = sum_b alpha_b up(Z_b) + alpha_0
    X_b = up(Z_b) + g_b (Y - I),    g_b = cov(I, up(Z_b)) / var(I)

with alpha from least squares at the coarse scale [1]_, extended to hyperspectral images in [2]_.
The method needs neither the spectral response nor the point spread function.

References
----------
.. [1] B. Aiazzi, S. Baronti, M. Selva, "Improving component substitution pansharpening through
   multivariate regression of MS+Pan data", IEEE Trans. Geosci. Remote Sens. 45(10), 2007.
.. [2] N. Yokoya, C. Grohnfeldt, J. Chanussot, "Hyperspectral and multispectral data fusion: a
   comparative review of the recent literature", IEEE Geosci. Remote Sens. Mag. 5(2), 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hsirepro.fusion.outcome import Outcome
from hsirepro.fusion.regression import PIXELS_AT_ONCE, denoise, predict, regress
from hsirepro.optics import downsample, upsample

_BANDS_AT_ONCE = 8  # keeps the working memory small beside the cube itself


def gsa(
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
    fused = torch.empty(len(hsi), *msi.shape[1:], dtype=hsi.dtype)
    partner = most_correlated(hsi, downsample(msi, ratio, mode="bilinear"))
    for band in torch.unique(partner):
        group = (partner == band).nonzero().flatten()
        substitute(fused, group, hsi[group], msi[band], ratio)
    return Outcome(
        denoise(fused) if regress_bands else fused, settings={"regress_bands": regress_bands}
    )


def most_correlated(bands: Tensor, candidates: Tensor) -> Tensor:
    """Return for each band, shape (L, h, w), the index of the candidate it correlates with most.

    Parameters
    ----------
    bands : Tensor, shape (L, h, w)
    candidates : Tensor, shape (l, h, w)

    Returns
    -------
    Tensor, shape (L,)
        Indices into ``candidates``; a constant band goes to the first.
    """
    a, b = (_standardise(image.flatten(1).double()) for image in (bands, candidates))
    return (a @ b.T).argmax(dim=1)


def substitute(fused: Tensor, bands: Tensor, group: Tensor, sharp: Tensor, ratio: int) -> None:
    """Sharpen a group of HSI bands with one MSI band.

    Parameters
    ----------
    fused : Tensor, shape (L, H, W)
        Where to write the group.
    bands : Tensor, shape (K,)
        Its places in ``fused``.
    group : Tensor, shape (K, h, w)
    sharp : Tensor, shape (H, W)
    ratio : int
    """
    coarse = group - group.mean(dim=(1, 2), keepdim=True)
    offset = fused.new_empty(len(fused), 1, 1)
    # The result is the only image of all bands that is ever held: it grows in place.
    for low, own in zip(*(torch.split(x, _BANDS_AT_ONCE) for x in (group, bands)), strict=True):
        smooth = upsample(low, ratio)
        offset[own] = smooth.mean(dim=(1, 2), keepdim=True)
        fused[own] = smooth - offset[own]
    sharp = sharp - sharp.mean()
    alpha = regress(downsample(sharp[None], ratio).flatten(1), coarse.flatten(1))
    parts = torch.split(fused.flatten(1), PIXELS_AT_ONCE, dim=1)
    intensity = torch.cat([predict(alpha, pixels[bands])[0] for pixels in parts])
    intensity = (intensity - intensity.mean()).reshape(sharp.shape)
    variance = intensity.square().mean()
    for own in torch.split(bands, _BANDS_AT_ONCE):
        smooth = fused[own]
        if variance > 0:  # otherwise nothing in the group explains the MSI band
            gain = (smooth * intensity).mean(dim=(1, 2)) / variance
            smooth = smooth + gain[:, None, None] * (sharp - intensity)
        fused[own] = smooth + offset[own]


def _standardise(rows: Tensor) -> Tensor:
    centred = rows - rows.mean(dim=1, keepdim=True)
    return torch.nn.functional.normalize(centred, dim=1)
