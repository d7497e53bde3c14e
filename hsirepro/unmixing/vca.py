"""Vertex component analysis (VCA): endmembers that are pixels of the scene.

Under the linear model all pixels lie in a simplex whose corners are the endmembers. A linear
functional takes its largest value at a corner, so one pass after the other

    f  random, orthogonal to the corners found so far,
    n* = argmax_n |f^T x_n|,

adds the pixel n* as a corner, where x are the pixels Y after a projection that suits the
signal-to-noise ratio (SNR):

    SNR > 15 + 10 log10(p) dB    x = U^T y / (u^T y)       p singular vectors, u = U U^T mean(y);
    else                         x = [V^T (y - mean); c]   p - 1 principal components, c = max |.|.

The first puts pixels of unequal brightness on one hyperplane; the second drops more of the noise.
In both the p corners span a volume proportional to |det [x_1 ... x_p]|; of several random starts
the one with the largest volume is kept. It needs the number of endmembers, and at least one
pixel per endmember that holds nothing else.

References
----------
.. [1] J. Nascimento, J. Bioucas-Dias, "Vertex component analysis: a fast algorithm to unmix
   hyperspectral data", IEEE Trans. Geosci. Remote Sens. 43(4), 2005.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from hsirepro.errors import ParameterError

_TINY = torch.finfo(torch.float64).tiny


def vca(
    pixels: Tensor,
    count: int,
    *,
    seed: int | torch.Generator = 0,
    restarts: int = 1,
    snr_db: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Find ``count`` corners of the cloud of pixels.

    Parameters
    ----------
    pixels : Tensor, shape (L, N)
    count : int
        Endmembers p, at most L and at most N.
    seed : int or torch.Generator
        Draws the random directions.
    restarts : int
        Random starts, of which the one with the largest simplex is kept.
    snr_db : float, optional
        Decides between the two projections, dB; estimated from the pixels if not given.

    Returns
    -------
    endmembers : Tensor, shape (L, p), float64
        The chosen pixels, denoised: projected on the p (or p - 1) directions in use.
    indices : Tensor, shape (p,)
        Which pixels they are, all distinct.

    Raises
    ------
    ParameterError
        If there are fewer bands or pixels than endmembers, or nothing to start.

    Examples
    --------
    >>> corners = torch.tensor([[1.0, 0.0, 0.2], [0.1, 0.9, 0.1], [0.0, 0.3, 0.7]])
    >>> pixels = torch.cat([corners, corners.mean(dim=1, keepdim=True).repeat(1, 5)], dim=1)
    >>> sorted(vca(pixels, 3)[1].tolist())
    [0, 1, 2]
    """
    bands, number = pixels.shape
    if not 1 <= count <= min(bands, number):
        raise ParameterError(
            f"VCA cannot find {count} endmembers in {number} pixels of {bands} bands.",
            next_step=f"ask for 1 to {min(bands, number)}",
        )
    if restarts < 1:
        raise ParameterError(f"restarts={restarts} leaves VCA without a start.")
    generator = torch.Generator().manual_seed(seed) if isinstance(seed, int) else seed
    y = pixels.double()
    if snr_db is None:
        snr_db = estimate_snr(y, count)
    project = _projective if snr_db > 15.0 + 10.0 * math.log10(count) else _affine
    x, denoised = project(y, count)
    best, volume = None, -math.inf
    for _ in range(restarts):
        indices = _corners(x, generator)
        log_volume = float(torch.linalg.slogdet(x[:, indices]).logabsdet)
        if best is None or log_volume > volume:
            best, volume = indices, log_volume
    assert best is not None
    return denoised[:, best], best


def estimate_snr(pixels: Tensor, count: int) -> float:
    """Return the signal-to-noise ratio in dB if the signal has ``count`` dimensions.

    The power inside the mean and the leading ``count`` principal components, P_x, holds the
    share count / L of the white noise beside the signal; the rest of the power is noise.

    Parameters
    ----------
    pixels : Tensor, shape (L, N)
    count : int
        Endmembers p, at most L.

    Returns
    -------
    float
        ``inf`` where nothing lies outside, ``-inf`` where there is no signal.
    """
    y = pixels.double()
    mean = y.mean(dim=1)
    spread = torch.linalg.eigvalsh(_covariance(y, mean)).flip(0).clamp_min(0.0)
    inside = float(spread[:count].sum() + mean.square().sum())
    noise = float(spread[count:].sum())
    signal = inside - count / len(y) * (inside + noise)
    if signal <= 0:
        return -math.inf
    return math.inf if noise <= 0 else 10.0 * math.log10(signal / noise)


def _projective(y: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Project on the p leading singular vectors, and divide each pixel by its brightness."""
    basis = torch.linalg.eigh(y @ y.T / y.shape[1]).eigenvectors[:, -count:]
    inside = basis.T @ y
    mean = inside.mean(dim=1)
    brightness = mean @ inside
    # A black pixel has no direction: it stays at the origin, where no functional chooses it.
    lit = brightness > 1e-6 * mean @ mean
    return torch.where(lit, inside / brightness.where(lit, _one(y)), 0.0 * inside), basis @ inside


def _affine(y: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Project on the mean and p - 1 principal components, and add a constant coordinate."""
    mean = y.mean(dim=1)
    basis = torch.linalg.eigh(_covariance(y, mean)).eigenvectors[:, len(y) - count + 1 :]
    inside = basis.T @ (y - mean[:, None])
    reach = inside.norm(dim=0).max().clamp_min(_TINY)
    x = torch.cat([inside, reach.expand(1, y.shape[1])])
    return x, basis @ inside + mean[:, None]


def _corners(x: Tensor, generator: torch.Generator) -> Tensor:
    """Return one pixel per dimension of ``x``, shape (p, N), each at an extreme of the rest."""
    p, number = x.shape
    found = x.new_zeros(p, 0)  # orthonormal basis of the corners so far
    free = torch.ones(number, dtype=torch.bool)
    indices: list[int] = []
    for _ in range(p):
        direction = torch.randn(p, generator=generator, dtype=x.dtype)
        if not indices:  # the first looks across the hyperplane's own axis
            direction = direction - _axis(x) * (_axis(x) @ direction)
        for _ in range(2):  # twice is enough for orthogonality to machine precision
            direction = direction - found @ (found.T @ direction)
        height = (direction @ x).abs()
        indices.append(int(height.where(free, -_one(x)).argmax()))
        free[indices[-1]] = False
        found = torch.linalg.qr(x[:, indices]).Q
    return torch.tensor(indices)


def _axis(x: Tensor) -> Tensor:
    """Return the unit vector along the mean of the projected pixels."""
    return torch.nn.functional.normalize(x.mean(dim=1), dim=0)


def _covariance(y: Tensor, mean: Tensor) -> Tensor:
    centred = y - mean[:, None]
    return centred @ centred.T / y.shape[1]


def _one(like: Tensor) -> Tensor:
    return torch.ones((), dtype=like.dtype)
