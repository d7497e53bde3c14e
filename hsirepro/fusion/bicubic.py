"""Bicubic interpolation: what the hyperspectral image knows without any help.

It uses neither the multispectral image nor the responses; a fusion method has to beat it.

References
----------
.. [1] R. Keys, "Cubic convolution interpolation for digital image processing", IEEE Trans.
   Acoust. Speech Signal Process. 29(6), 1981.
"""

from __future__ import annotations

from torch import Tensor

from hsirepro.fusion.outcome import Outcome
from hsirepro.optics import upsample


def bicubic(hsi: Tensor, msi: Tensor, *, ratio: int, **unused: object) -> Outcome:
    """Interpolate every band of ``hsi`` to the grid of ``msi``; works in tiles of a few bands.

    Parameters
    ----------
    hsi : Tensor, shape (L, h, w)
        Low-resolution hyperspectral image.
    msi : Tensor, shape (l, h * ratio, w * ratio)
        Not used.
    ratio : int
        Ground sampling distance of ``hsi`` over that of ``msi``.
    **unused
        ``srf``, ``psf``, ``seed`` and ``device`` of the fusion contract: not needed.

    Returns
    -------
    Outcome
        Image of shape (L, h * ratio, w * ratio).
    """
    return Outcome(upsample(hsi, ratio))
