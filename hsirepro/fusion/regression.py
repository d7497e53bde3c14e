"""Least squares between images, shared by the methods of the comparative review [1]_.

References
----------
.. [1] N. Yokoya, C. Grohnfeldt, J. Chanussot, "Hyperspectral and multispectral data fusion: a
   comparative review of the recent literature", IEEE Geosci. Remote Sens. Mag. 5(2), 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor

PIXELS_AT_ONCE = 2**16  # of a denoised image; 52 MB for 100 bands in float64


def regress(target: Tensor, predictors: Tensor) -> Tensor:
    """Return least-squares coefficients with an intercept.

    Parameters
    ----------
    target : Tensor, shape (K, N)
        K images as rows of pixels.
    predictors : Tensor, shape (P, N)
        P images as rows of pixels; may be collinear.

    Returns
    -------
    Tensor, shape (K, P + 1)
        The last column is the intercept.
    """
    ones = torch.ones_like(predictors[:1])
    design = torch.cat([predictors, ones]).double()
    # The pseudo-inverse gives the smallest of the solutions where predictors are collinear.
    inverse = torch.linalg.pinv(design @ design.T, hermitian=True)
    coefficients: Tensor = target.double() @ design.T @ inverse
    return coefficients.to(target.dtype)


def predict(coefficients: Tensor, predictors: Tensor) -> Tensor:
    """Return the images, shape (K, ...), that ``coefficients`` make of ``predictors``, (P, ...)."""
    image: Tensor = torch.tensordot(coefficients[:, :-1], predictors, dims=1)
    return image + coefficients[:, -1].reshape(-1, *[1] * (predictors.ndim - 1))


def denoise(image: Tensor) -> Tensor:
    """Replace every band by its least-squares prediction from all the other bands.

    The toolbox of [1]_ does so after its pan-sharpening methods, without an intercept. The
    coefficients of band b are -P[:, b] / P[b, b], with P the inverse of the Gram matrix.

    Beside image and result, it holds ``PIXELS_AT_ONCE`` pixels in float64. A band alone has no
    others, and is returned as it is.

    Parameters
    ----------
    image : Tensor, shape (L, H, W)

    Returns
    -------
    Tensor, shape (L, H, W)
    """
    if len(image) == 1:
        return image.clone()
    pixels = image.flatten(1)
    gram = torch.zeros(len(image), len(image), dtype=torch.float64)
    for part in torch.split(pixels, PIXELS_AT_ONCE, dim=1):
        exact = part.double()
        gram += exact @ exact.T
    # A trace of ridge keeps the inverse finite where bands repeat each other exactly.
    ridge = 1e-10 * gram.diagonal().mean() + torch.finfo(torch.float64).tiny
    inverse = torch.linalg.inv(gram + ridge * torch.eye(len(gram), dtype=gram.dtype))
    weights = -inverse / inverse.diagonal()[:, None]
    weights.fill_diagonal_(0.0)
    predicted = torch.empty_like(pixels)
    parts = (torch.split(x, PIXELS_AT_ONCE, dim=1) for x in (pixels, predicted))
    for seen, told in zip(*parts, strict=True):
        told.copy_(weights @ seen.double())
    return predicted.reshape(image.shape)
