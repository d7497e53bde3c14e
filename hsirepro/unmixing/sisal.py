"""Simplex identification by split augmented Lagrangian (SISAL): endmembers without pure pixels.

The endmembers are the corners of the smallest simplex that holds the pixels, or most of them.
Let y be a pixel's p - 1 whitened principal components with a 1 appended, and Q the inverse of
the matrix of endmembers in the same coordinates. Then Q Y are abundances, the volume is
1 / |det Q| up to a constant, and pixels may lie outside for a price tau:

    min_Q  -log|det Q| + tau sum max(-Q Y, 0)    subject to  1^T Q = (0 ... 0 1).

The constraint makes abundances sum to one. The first term is replaced by its tangent at the last
Q plus a trace c of curvature; what is left is convex, and is solved by splitting Z from Q Y, with
scaled multipliers D and a penalty mu. With R = mu (Z + D) Y^T + c Q_last + Q_last^-T and
K = mu Y Y^T + c, which is diagonal in these coordinates,

    Q = (R - 1 nu^T) K^-1,        nu such that the constraint holds
    Z = V + min(max(-V, 0), tau / mu)  with  V = Q Y - D
    D = D - (Q Y - Z).

Each step is halved until the objective does not grow. The start is VCA's simplex, blown up about
its centre. The method needs the number of endmembers, and pixels near all faces of the simplex.

References
----------
.. [1] J. Bioucas-Dias, "A variable splitting augmented Lagrangian approach to linear spectral
   unmixing", WHISPERS, 2009.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hsirepro.errors import ParameterError
from hsirepro.unmixing.dimension import most_endmembers
from hsirepro.unmixing.vca import vca

INNER = 4  # rounds of the splitting per tangent
HALVINGS = 30
CURVATURE = 1e-6


def sisal(
    pixels: Tensor,
    count: int,
    *,
    seed: int | torch.Generator = 0,
    outside: float = 1.0,
    iterations: int = 80,
) -> tuple[Tensor, Tensor]:
    """Find the smallest simplex around the pixels.

    Parameters
    ----------
    pixels : Tensor, shape (L, N)
    count : int
        Endmembers p, at most :func:`~hsirepro.unmixing.dimension.most_endmembers`.
    seed : int or torch.Generator
        For VCA, which starts it.
    outside : float
        Price tau of one unit of negative abundance in one pixel. Small prices leave outliers
        outside.
    iterations : int
        Tangents taken.

    Returns
    -------
    endmembers : Tensor, shape (L, p), float64
        They may leave the physical range.
    objective : Tensor, shape (iterations + 1,), float64
        By iteration, from the start on; it does not grow.

    Raises
    ------
    ParameterError
        If the pixels differ in too few directions, or ``outside`` is not positive.

    Examples
    --------
    >>> corners = torch.tensor([[1.0, 0.0, 0.2], [0.1, 0.9, 0.1], [0.0, 0.3, 0.7]])
    >>> shares = torch.cartesian_prod(torch.arange(9.0), torch.arange(9.0)) / 10
    >>> shares = torch.cat([shares, 1 - shares.sum(1, keepdim=True)], 1).T
    >>> mixed = shares[:, ((shares > -0.01) & (shares < 0.85)).all(dim=0)]  # nothing pure
    >>> found, _ = sisal(corners @ mixed, 3)
    >>> bool(torch.cdist(found.T, corners.T.double()).amin(dim=0).max() < 0.01)
    True
    """
    if outside <= 0:
        raise ParameterError(
            f"outside={outside} lets every pixel leave the simplex for nothing.",
            next_step="give a price above 0, such as 1.0",
        )
    room = most_endmembers(pixels)
    if not 1 <= count <= room:
        raise ParameterError(
            f"SISAL cannot find {count} endmembers: these pixels leave room for {room}.",
            next_step=f"ask for 1 to {room}",
        )
    # The projection of VCA that keeps the principal components, as here.
    _, indices = vca(pixels, count, seed=seed, snr_db=float("-inf"))
    mean, axes, y = _coordinates(pixels.double(), count)
    corners = y[:, indices]
    corners = 2.0 * corners - corners.mean(dim=1, keepdim=True)
    Q, objective = _shrink(y, torch.linalg.inv(corners), outside, iterations)
    return mean + axes @ torch.linalg.inv(Q)[:-1], objective


def _coordinates(pixels: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the mean (L, 1), axes (L, p - 1) of length sigma, and the coordinates (p, N)."""
    mean = pixels.mean(dim=1, keepdim=True)
    centred = pixels - mean
    values, vectors = torch.linalg.eigh(centred @ centred.T / pixels.shape[1])
    used = slice(len(pixels) - count + 1, None)
    sigma, vectors = values[used].clamp_min(0.0).sqrt(), vectors[:, used]
    y = vectors.T @ centred / sigma[:, None]
    return mean, vectors * sigma, torch.cat([y, torch.ones_like(pixels[:1])])


def _shrink(y: Tensor, Q: Tensor, price: float, iterations: int) -> tuple[Tensor, Tensor]:
    """Minimise the objective from a feasible ``Q``; return it with the objective's course."""
    p, number = y.shape
    mu = 1000.0 * p / number
    K = mu * y.square().sum(dim=1) + CURVATURE
    row = torch.zeros(p, dtype=y.dtype)
    row[-1] = 1.0
    Z, D = (Q @ y).clamp_min(0.0), torch.zeros_like(y)
    course = [_objective(Q, y, price)]
    for _ in range(iterations):
        pull = CURVATURE * Q + torch.linalg.inv(Q).T
        for _ in range(INNER):
            R = mu * (Z + D) @ y.T + pull
            # sum(Q) = row gives nu = (sum(R) - row K) / p.
            step = (R - (R.sum(dim=0) - row * K) / p) / K
            abundances = step @ y
            V = abundances - D
            Z = V + (-V).clamp(0.0, price / mu)
            D = D - abundances + Z
        value = _objective(step, y, price)
        for _ in range(HALVINGS):
            if value <= course[-1]:
                break
            step = 0.5 * (step + Q)
            value = _objective(step, y, price)
        if value <= course[-1]:
            Q = step
        course.append(min(value, course[-1]))
    return Q, torch.tensor(course, dtype=y.dtype)


def _objective(Q: Tensor, y: Tensor, price: float) -> float:
    outside = (-(Q @ y)).clamp_min_(0.0).sum()
    return float(price * outside - torch.linalg.slogdet(Q).logabsdet)
