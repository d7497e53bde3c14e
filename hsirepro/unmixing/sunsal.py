"""Abundances by constrained sparse regression: SUnSAL, and fully constrained least squares (FCLS).

With known endmembers E, the abundances A of the pixels Y are those of

    min_A  1/2 ||E A - Y||^2 + lambda ||A||_1    subject to  A >= 0  and, if asked,  1^T A = 1.

SUnSAL [1]_ splits A from its non-negative copy U, with scaled multipliers D and a penalty mu:

    A = argmin 1/2 ||E A - Y||^2 + mu/2 ||A - U - D||^2, with the sum to one if asked
    U = max(A - D - lambda / mu, 0)
    D = D - (A - U)

An iteration is a matrix, the same for all pixels, on V = U - D and U = max(V, 0); A is
over-relaxed [3]_ and mu starts from the curvatures of the problem [4]_. Pixels go in chunks, and a
chunk shares one mu that keeps the residuals ||A - U|| and mu ||dU|| in balance. A few iterations
find most of what is zero, but where endmembers resemble each other thousands would not settle the
rest. :mod:`~hsirepro.unmixing.quadratic` therefore finishes the exact solution from there.

The sum to one makes ||A||_1 constant: lambda matters only without it. With neither, the problem is
that of non-negatively constrained least squares (NCLS); with the sum to one, of FCLS [2]_.

References
----------
.. [1] J. Bioucas-Dias, M. Figueiredo, "Alternating direction algorithms for constrained sparse
   regression: application to hyperspectral unmixing", WHISPERS, 2010.
.. [2] D. Heinz, C.-I Chang, "Fully constrained least squares linear spectral mixture analysis
   method for material quantification in hyperspectral imagery", IEEE Trans. Geosci. Remote
   Sens. 39(3), 2001.
.. [3] J. Eckstein, D. Bertsekas, "On the Douglas-Rachford splitting method and the proximal point
   algorithm for maximal monotone operators", Math. Programming 55, 1992.
.. [4] E. Ghadimi, A. Teixeira, I. Shames, M. Johansson, "Optimal parameter selection for the
   alternating direction method of multipliers (ADMM): quadratic problems", IEEE Trans. Autom.
   Control 60(3), 2015.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from hsirepro.errors import ParameterError, ShapeError
from hsirepro.unmixing.quadratic import MOST_TABULATED, active_set, face_maps, optimal, pivot
from hsirepro.unmixing.simplex import project_simplex

# Pixels of a chunk, and iterations of the splitting before the exact solution takes over: where
# faces are tabulated (the maps of 9 endmembers take 6 MB), and where systems are solved (those of
# 30 take 7 MB), which costs much more than an iteration.
TABULATED_CHUNK, TABULATED_WARM_UP = 8192, 20
CHUNK, WARM_UP = 1024, 50
BALANCE = 10  # iterations between looks at the residuals
RELAXATION = 1.6  # of the splitting
LEAST_MU = 1e-4
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


def ncls(pixels: Tensor, endmembers: Tensor) -> Tensor:
    """Return the least-squares abundances that are not negative; their sum is free.

    It absorbs the illumination: a pixel half as bright has half the abundances.

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
    >>> ncls(corners @ torch.tensor([[0.1], [0.4]]), corners).round(decimals=6)
    tensor([[0.1000],
            [0.4000]], dtype=torch.float64)
    """
    return sunsal(pixels, endmembers, sum_to_one=False)


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
        Finish face by face. Otherwise the splitting goes on alone.
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

    def target(part: Tensor) -> Tensor:
        """Return E^T y - lambda, which is all that the problem needs to know of a pixel."""
        return (E.T @ part.double() - sparsity) / unit

    if exact:
        return _exact(pixels, gram, target, sum_to_one, tolerance)
    parts = [
        _split(gram, target(part), sum_to_one, tolerance, iterations)
        for part in torch.split(pixels, CHUNK, dim=1)
    ]
    a = torch.cat(parts, dim=1)
    return project_simplex(a) if sum_to_one else a


def _exact(
    pixels: Tensor,
    gram: Tensor,
    target: Callable[[Tensor], Tensor],
    sum_to_one: bool,
    tolerance: float,
) -> Tensor:
    """Split for a first guess, for which single precision will do, and solve from there."""
    p, number = len(gram), pixels.shape[1]
    # A table of more faces than there are pixels would not pay.
    tabulated = p <= MOST_TABULATED and 2**p <= number
    maps = face_maps(gram, sum_to_one) if tabulated else None
    chunk, warm_up = (TABULATED_CHUNK, TABULATED_WARM_UP) if tabulated else (CHUNK, WARM_UP)
    abundances = torch.empty(p, number, dtype=gram.dtype)
    rest: list[Tensor] = []
    for first in range(0, number, chunk):
        here = slice(first, first + chunk)
        c = target(pixels[:, here])
        guess = _split(gram, c.float(), sum_to_one, tolerance, warm_up)
        if maps is None:
            abundances[:, here] = active_set(gram, c, guess, sum_to_one)
            continue
        a = pivot(maps, c, guess, sum_to_one)
        rest.append(first + (~optimal(gram, c, a, sum_to_one)).nonzero().squeeze(1))
        abundances[:, here] = a
    # What the table did not settle to the last digits, or at all.
    for there in torch.split(torch.cat(rest), CHUNK) if rest else ():
        c, start = target(pixels[:, there]), abundances[:, there]
        abundances[:, there] = active_set(gram, c, start, sum_to_one)
    return abundances


def _split(
    gram: Tensor, target: Tensor, sum_to_one: bool, tolerance: float, iterations: int
) -> Tensor:
    """Alternate between the smooth problem and the non-negative copy; shapes (p, p), (p, n)."""
    values, vectors = torch.linalg.eigh(gram)
    # Half the geometric mean of the extreme curvatures.
    mu = max(0.5 * float((values[0].clamp_min(0.0) * values[-1]).sqrt()), LEAST_MU)
    onto_v, onto_u, constant = _iteration(values, vectors, target, mu, sum_to_one)
    v, size = torch.zeros_like(target), max(target.numel(), 1) ** 0.5
    for k in range(1, iterations + 1):
        before, u = v, v.clamp_min(0.0)
        v = torch.addmm(constant, onto_v, before).addmm_(onto_u, u)
        if k % BALANCE or k == iterations:
            continue
        a, moved = (v - before) / RELAXATION + u, v.clamp_min(0.0) - u
        primal, dual = float((a - u - moved).norm()) / size, mu * float(moved.norm()) / size
        if max(primal, dual) < tolerance:
            break
        factor = 2.0 if primal > 10.0 * dual else 0.5 if dual > 10.0 * primal else 1.0
        if factor != 1.0:
            mu, v = mu * factor, v.clamp_min(0.0) + v.clamp_max(0.0) / factor
            onto_v, onto_u, constant = _iteration(values, vectors, target, mu, sum_to_one)
    return v.clamp_min(0.0)


def _iteration(
    values: Tensor, vectors: Tensor, target: Tensor, mu: float, sum_to_one: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the matrices and the constant that make the next V out of V and U = max(V, 0).

    With V = U - D one of U and D is zero in every entry, so that U + D = 2 U - V.
    """
    inverse = vectors / (values + mu) @ vectors.T
    offset = torch.zeros_like(inverse[:, :1])
    if sum_to_one:
        ones = inverse.sum(dim=1, keepdim=True)
        offset = ones / ones.sum()
        inverse = inverse - ones @ offset.T
    same = torch.eye(len(inverse), dtype=inverse.dtype)
    smooth, onto_v, onto_u, offset = (
        (RELAXATION * x).to(target.dtype)
        for x in (inverse, same / RELAXATION - mu * inverse, 2.0 * mu * inverse - same, offset)
    )
    return onto_v, onto_u, torch.addmm(offset, smooth, target)
