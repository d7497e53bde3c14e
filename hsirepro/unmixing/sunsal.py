"""Abundances by constrained sparse regression: SUnSAL, and fully constrained least squares (FCLS).

With known endmembers E, the abundances A of the pixels Y are those of

    min_A  1/2 ||E A - Y||^2 + lambda ||A||_1    subject to  A >= 0  and, if asked,  1^T A = 1.

SUnSAL [1]_ splits A from its non-negative copy U, with scaled multipliers D and a penalty mu:

    A = argmin 1/2 ||E A - Y||^2 + mu/2 ||A - U - D||^2, with the sum to one if asked
    U = max(A - D - lambda / mu, 0)
    D = D - (A - U)

Pixels are independent: they go in chunks that fit the cache, and a chunk shares one mu that keeps
the residuals ||A - U|| and mu ||dU|| in balance. A few iterations find most of what is zero, but
where endmembers resemble each other thousands would not settle the rest. An active-set method
[2]_ therefore finishes the exact solution from there: solve on the positive entries; step back to
where the first of them reaches zero and drop it, or take in the entry whose gradient is most
negative, until there is none. All pixels of a chunk do so at once.

The sum to one makes ||A||_1 constant: lambda matters only without it.

References
----------
.. [1] J. Bioucas-Dias, M. Figueiredo, "Alternating direction algorithms for constrained sparse
   regression: application to hyperspectral unmixing", WHISPERS, 2010.
.. [2] C. Lawson, R. Hanson, "Solving least squares problems", Prentice-Hall, 1974, chapter 23.
.. [3] D. Heinz, C.-I Chang, "Fully constrained least squares linear spectral mixture analysis
   method for material quantification in hyperspectral imagery", IEEE Trans. Geosci. Remote
   Sens. 39(3), 2001.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hsirepro.errors import ParameterError, ShapeError
from hsirepro.unmixing.simplex import project_simplex

CHUNK = 1024  # pixels; the systems of 30 endmembers take 7 MB
WARM_UP = 50  # iterations of the splitting before the active set takes over
BALANCE = 10  # iterations between looks at the residuals
_TINY = torch.finfo(torch.float64).tiny


def fcls(pixels: Tensor, endmembers: Tensor) -> Tensor:
    """Return the fully constrained least-squares abundances: not negative, with sum one.

    Parameters
    ----------
    pixels : Tensor, shape (L, N)
    endmembers : Tensor, shape (L, p)

    Returns
    -------
    Tensor, shape (p, N), float64

    Examples
    --------
    >>> corners = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    >>> pixels = corners @ torch.tensor([[0.2, 1.0], [0.8, 0.0]])
    >>> fcls(pixels, corners).round(decimals=6)
    tensor([[0.2000, 1.0000],
            [0.8000, 0.0000]], dtype=torch.float64)
    """
    return sunsal(pixels, endmembers)


def sunsal(
    pixels: Tensor,
    endmembers: Tensor,
    *,
    sum_to_one: bool = True,
    sparsity: float = 0.0,
    exact: bool = True,
    tolerance: float = 1e-6,
    iterations: int = 500,
) -> Tensor:
    """Return the abundances of every pixel.

    Parameters
    ----------
    pixels : Tensor, shape (L, N)
    endmembers : Tensor, shape (L, p)
        In the units of ``pixels``.
    sum_to_one : bool
        Force the abundances of a pixel to sum to 1.
    sparsity : float
        Weight lambda of the sum of the abundances, in the squared unit of the pixels. Without
        the sum to one only.
    exact : bool
        Finish with the active set. Otherwise the splitting goes on alone.
    tolerance : float
        Root mean square of both residuals at which the splitting stops.
    iterations : int
        At most so many of the splitting, where it goes on alone.

    Returns
    -------
    Tensor, shape (p, N), float64
        Not negative to the last digit; sums to 1 to rounding if asked.

    Raises
    ------
    ShapeError
        If the bands of the two do not agree.
    ParameterError
        If ``sparsity`` is negative, or asked for together with the sum to one.
    """
    if endmembers.shape[0] != pixels.shape[0]:
        raise ShapeError(
            f"Endmembers of {endmembers.shape[0]} bands cannot explain pixels of "
            f"{pixels.shape[0]}.",
            next_step="give both with bands as rows: (L, p) and (L, N)",
        )
    if sparsity < 0 or (sparsity > 0 and sum_to_one):
        raise ParameterError(
            f"sparsity={sparsity} with sum_to_one={sum_to_one} has no meaning.",
            next_step="give 0 or more, and sum_to_one=False: shares of one sum to one anyway",
        )
    E = endmembers.double()
    # Without a unit: the mean energy of an endmember becomes 1.
    unit = E.square().sum(dim=0).mean().clamp_min(_TINY)
    gram = E.T @ E / unit
    parts = []
    for part in torch.split(pixels, CHUNK, dim=1):
        # E^T y - lambda is all that the problem needs to know of a pixel.
        target = (E.T @ part.double() - sparsity) / unit
        a = _split(gram, target, sum_to_one, tolerance, WARM_UP if exact else iterations)
        if exact:
            if sum_to_one:  # scaled, not projected: it keeps which entries are positive
                a = torch.where(a.sum(dim=0) > 0, a, 1.0)
                a = a / a.sum(dim=0)
            a = _finish(gram, target, a, sum_to_one)
        elif sum_to_one:
            a = project_simplex(a)
        parts.append(a)
    return torch.cat(parts, dim=1)


def _split(
    gram: Tensor, target: Tensor, sum_to_one: bool, tolerance: float, iterations: int
) -> Tensor:
    """Alternate between the smooth problem and the non-negative copy; shapes (p, p), (p, n)."""
    values, vectors = torch.linalg.eigh(gram)
    mu = 0.1
    step, offset = _smooth(values, vectors, mu, sum_to_one)
    u, d = torch.zeros_like(target), torch.zeros_like(target)
    size = u.numel() ** 0.5
    for k in range(1, iterations + 1):
        a = step @ (target + mu * (u + d)) + offset
        before, u = u, (a - d).clamp_min_(0.0)
        d = d - a + u
        if k % BALANCE:
            continue
        primal, dual = float((a - u).norm()) / size, mu * float((u - before).norm()) / size
        if max(primal, dual) < tolerance:
            break
        factor = 2.0 if primal > 10.0 * dual else 0.5 if dual > 10.0 * primal else 1.0
        if factor != 1.0:
            mu, d = mu * factor, d / factor
            step, offset = _smooth(values, vectors, mu, sum_to_one)
    return u


def _smooth(values: Tensor, vectors: Tensor, mu: float, sum_to_one: bool) -> tuple[Tensor, Tensor]:
    """Return the matrix and offset of the first step: the same for all pixels."""
    inverse = vectors / (values + mu) @ vectors.T
    if not sum_to_one:
        return inverse, torch.zeros_like(inverse[:, :1])
    ones = inverse.sum(dim=1, keepdim=True)
    total = ones.sum()
    return inverse - ones @ ones.T / total, ones / total


def _finish(gram: Tensor, target: Tensor, start: Tensor, sum_to_one: bool) -> Tensor:
    """Go from a feasible start to the exact solution, pixels as rows; shapes (p, p), (p, n)."""
    p = len(gram)
    ridged = gram + 1e-12 * torch.eye(p, dtype=gram.dtype)  # endmembers may repeat each other
    c, a = target.T, start.T.clone()
    positive = a > 0
    todo = torch.arange(len(a))
    for _ in range(5 * p):  # far more than it takes; each lowers the objective
        x, inside = a[todo], positive[todo]
        goal, slope = _equality(ridged, c[todo], inside, sum_to_one)
        # Step back to where the first positive entry reaches zero.
        falling = inside & (goal < 0)
        share = torch.where(falling, x / (x - goal), torch.inf)
        reach = share.amin(dim=1, keepdim=True).clamp(max=1.0)
        stopped = falling.any(dim=1)
        dropped = falling & (share <= reach)
        x = torch.where(stopped[:, None], x + reach * (goal - x), goal)
        a[todo] = torch.where(dropped, 0.0, x)
        # Or take in the entry that lowers the objective most.
        lowest, entry = torch.where(inside, torch.inf, slope).min(dim=1)
        wanting = lowest < -1e-12 * (1.0 + c[todo].abs().amax(dim=1))
        takes = ~stopped & wanting
        inside = inside & ~dropped
        inside[takes, entry[takes]] = True
        positive[todo] = inside
        todo = todo[stopped | takes]
        if not len(todo):
            break
    return a.T


def _equality(gram: Tensor, c: Tensor, inside: Tensor, sum_to_one: bool) -> tuple[Tensor, Tensor]:
    """Solve with the entries outside held at zero; return solution and gradient, (n, p)."""
    mask = inside.to(gram.dtype)
    systems = gram * mask[:, :, None] * mask[:, None, :] + torch.diag_embed(1.0 - mask)
    factor = torch.linalg.cholesky_ex(systems).L
    right = torch.stack([c * mask, mask], dim=2)
    free, ones = torch.cholesky_solve(right, factor).unbind(dim=2)
    if not sum_to_one:
        return free, free @ gram - c
    # The multiplier that brings the sum to one.
    multiplier = (free.sum(dim=1) - 1.0) / ones.sum(dim=1).clamp_min(_TINY)
    goal = free - multiplier[:, None] * ones
    return goal, goal @ gram - c + multiplier[:, None]
