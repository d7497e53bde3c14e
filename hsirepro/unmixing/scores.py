"""How far an unmixing is from a reference: spectral angles, and errors of the abundances.

Endmembers come in any order. Each one of the reference gets a partner such that the sum of the
angles is smallest, an assignment problem that is solved exactly [1]_; abundances are compared
after the same match.

References
----------
.. [1] D. Crouse, "On implementing 2D rectangular assignment algorithms", IEEE Trans. Aerosp.
   Electron. Syst. 52(4), 2016. (The algorithm of SciPy.)
"""

from __future__ import annotations

import torch
from torch import Tensor

from hsirepro.errors import PixelError, ShapeError


def match_endmembers(estimated: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """Find the partner of each reference endmember.

    Parameters
    ----------
    estimated : Tensor, shape (L, q)
    reference : Tensor, shape (L, p)
        At most q; what is left of ``estimated`` has no partner. The units need not agree.

    Returns
    -------
    order : Tensor, shape (p,)
        ``estimated[:, order]`` stands in the order of ``reference``.
    angles : Tensor, shape (p,), float64
        Between partners, degrees. A black spectrum is at 90 degrees to all but a black one.

    Raises
    ------
    ShapeError
        If the bands do not agree, or there are fewer endmembers than in the reference.
    PixelError
        If a spectrum is not finite.

    Examples
    --------
    >>> reference = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> order, angles = match_endmembers(torch.tensor([[1.0, 3.0], [1.0, 0.0]]), reference)
    >>> order.tolist(), angles.round(decimals=3).tolist()
    ([1, 0], [0.0, 45.0])
    """
    from scipy.optimize import linear_sum_assignment

    if estimated.shape[0] != reference.shape[0] or estimated.shape[1] < reference.shape[1]:
        raise ShapeError(
            f"{estimated.shape[1]} endmembers of {estimated.shape[0]} bands cannot be matched to "
            f"{reference.shape[1]} of {reference.shape[0]} bands.",
            next_step="give both as (bands, endmembers), at least as many as in the reference",
        )
    if not (torch.isfinite(estimated).all() and torch.isfinite(reference).all()):
        raise PixelError("Endmembers that are not finite have no spectral angle.")
    u, v = (torch.nn.functional.normalize(x.double(), dim=0).T for x in (reference, estimated))
    # Unlike the arccosine, exact for small angles.
    apart, across = (
        torch.cdist(u, w, compute_mode="donot_use_mm_for_euclid_dist") for w in (v, -v)
    )
    degrees = torch.rad2deg(2.0 * torch.atan2(apart, across))
    rows, columns = (torch.from_numpy(x) for x in linear_sum_assignment(degrees.numpy()))
    return columns, degrees[rows, columns]


def abundance_rmse(estimated: Tensor, reference: Tensor, order: Tensor) -> Tensor:
    """Root mean squared error of the abundances of each reference endmember.

    Parameters
    ----------
    estimated : Tensor, shape (q, N) or (q, H, W)
    reference : Tensor, shape (p, N) or (p, H, W)
    order : Tensor, shape (p,)
        From :func:`match_endmembers`.

    Returns
    -------
    Tensor, shape (p,), float64
        The error over all of them is ``result.square().mean().sqrt()``.

    Raises
    ------
    ShapeError
        If the pixels do not agree.

    Examples
    --------
    >>> shares = torch.tensor([[0.5, 1.0], [0.5, 0.0]])
    >>> abundance_rmse(shares.flip(0), shares, torch.tensor([1, 0]))
    tensor([0., 0.], dtype=torch.float64)
    """
    if estimated.shape[1:] != reference.shape[1:] or len(order) != len(reference):
        raise ShapeError(
            f"Abundances {tuple(estimated.shape)}, of which {len(order)} are matched, cannot be "
            f"compared with {tuple(reference.shape)}.",
            next_step="give both of the same pixels, and the order of their endmembers",
        )
    error = estimated[order].double() - reference.double()
    return error.flatten(1).square().mean(dim=1).sqrt()
