"""Hyperspectral signal identification by minimum error (HySime): the signal subspace of an image.

Bands resemble each other, white noise does not: what a band holds that no linear combination of
the other bands explains is taken for its noise [1]_. With the correlation matrix of the pixels,
R = Y Y^T / N, all L regressions come from one inverse P = R^-1,

    noise = W Y,    W_ij = P_ij / P_ii,

so R_x = (1 - W) R (1 - W)^T is the correlation of the signal and R_n = diag(W R W^T) that of the
noise. Only the diagonal is kept: noise of different bands is independent, while the residuals of
regressions on one another are not. An eigenvector e of R_x belongs to the subspace if leaving it
out costs more of the signal than keeping it costs in noise,

    -e^T R e + 2 e^T R_n e < 0,

which means a power of signal above that of noise. It needs many more pixels than bands, noise that
is independent from band to band, and no threshold. Materials that differ by less than the noise
are not counted, and on real images whatever bands do not share is noise, whatever many of them
share is signal: nonlinear mixing and variable illumination count, too.

References
----------
.. [1] J. Bioucas-Dias, J. Nascimento, "Hyperspectral subspace identification", IEEE Trans. Geosci.
   Remote Sens. 46(8), 2008.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hsirepro.errors import ParameterError

CHUNK = 8192  # pixels; 13 MB for 200 bands in float64
_FLOOR = 1e-12  # power of the noise, relative to that of the pixels: the rounding of float32


def hysime(image: Tensor) -> tuple[int, Tensor]:
    """Count the dimensions of the signal, and return a basis of them.

    Parameters
    ----------
    image : Tensor, shape (L, N) or (L, H, W)

    Returns
    -------
    count : int
        0 to L. One per endmember where all of them stand out of the noise.
    basis : Tensor, shape (L, count), float64
        Orthonormal columns, the one of most signal first.

    Raises
    ------
    ParameterError
        If there are fewer than two bands, or not more pixels than bands.

    Examples
    --------
    >>> spectra = torch.rand(50, 4, generator=torch.Generator().manual_seed(0))
    >>> shares = torch.rand(4, 2000, generator=torch.Generator().manual_seed(1))
    >>> noise = torch.randn(50, 2000, generator=torch.Generator().manual_seed(2))
    >>> count, basis = hysime(spectra @ shares + 0.01 * noise)
    >>> count, basis.shape
    (4, torch.Size([50, 4]))
    """
    correlation = _correlation(image)
    W = _regressions(correlation)
    signal = torch.eye(len(W), dtype=W.dtype) - W
    directions = torch.linalg.eigh(signal @ correlation @ signal.T).eigenvectors.flip(1)
    noise = (W @ correlation * W).sum(dim=1) + _floor(correlation)
    power = (correlation @ directions * directions).sum(dim=0)
    cost = 2.0 * noise @ directions.square() - power
    return int((cost < 0).sum()), directions[:, cost < 0]


def estimate_noise(image: Tensor) -> Tensor:
    """Return what the other bands do not explain of each band, by least squares.

    Parameters
    ----------
    image : Tensor, shape (L, N) or (L, H, W)

    Returns
    -------
    Tensor, float64
        As ``image``. The noise of the bands that explain a band is part of its residual, which
        matters where they are noisier; with few pixels, a share L / N of the noise is explained.

    Raises
    ------
    ParameterError
        If there are fewer than two bands, or not more pixels than bands.

    Examples
    --------
    >>> signal = torch.rand(4, 1, 1) * torch.rand(30, 40)
    >>> noise = 0.01 * torch.randn(4, 30, 40)
    >>> bool(0.005 < estimate_noise(signal + noise).std() < 0.015)
    True
    """
    W = _regressions(_correlation(image))
    parts = [W @ part.double() for part in torch.split(image.flatten(1), CHUNK, dim=1)]
    return torch.cat(parts, dim=1).reshape(image.shape)


def _correlation(image: Tensor) -> Tensor:
    """Return Y Y^T / N, shape (L, L), chunk by chunk."""
    pixels = image.flatten(1)
    bands, number = pixels.shape
    if bands < 2 or number <= bands:
        raise ParameterError(
            f"{number} pixels of {bands} bands do not tell noise from signal: each band is "
            "regressed on all the others.",
            next_step="give at least 2 bands and more pixels than bands, ten times as many if "
            "there are",
        )
    correlation = torch.zeros(bands, bands, dtype=torch.float64)
    for part in torch.split(pixels, CHUNK, dim=1):
        y = part.double()
        correlation.addmm_(y, y.T)
    return correlation / number


def _regressions(correlation: Tensor) -> Tensor:
    """Return W, whose row i times a pixel is the residual of band i."""
    ridge = _floor(correlation) * torch.eye(len(correlation), dtype=correlation.dtype)
    precision: Tensor = torch.linalg.inv(correlation + ridge)
    rows: Tensor = precision / precision.diagonal()[:, None]
    return rows


def _floor(correlation: Tensor) -> Tensor:
    floor: Tensor = _FLOOR * correlation.diagonal().mean() + torch.finfo(correlation.dtype).tiny
    return floor
