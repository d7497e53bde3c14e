"""N-FINDR: the endmembers are the pixels that span the largest simplex.

Pixels are reduced to p - 1 principal components x. With a one on top, p of them form a matrix M
whose determinant is proportional to the volume of their simplex, and by Cramer's rule

    | det(M with column k replaced by [1; x]) / det M |  =  | (M^-1 [1; x])_k |.

So the barycentric coordinates of all pixels say by how much each swap would enlarge the simplex.
The largest is made, and so on until none is above 1: no single swap enlarges the simplex any
more, which is where the sweeps of [1]_ end, too. Nothing is random. It needs the number of
endmembers, and for each a pixel that holds nothing else.

References
----------
.. [1] M. Winter, "N-FINDR: an algorithm for fast autonomous spectral end-member determination in
   hyperspectral data", Proc. SPIE 3753, 1999.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hsirepro.errors import ParameterError

_GAIN = 1.0 + 1e-9  # of a swap that rounding has not made up


def nfindr(pixels: Tensor, count: int) -> Tensor:
    """Find the ``count`` pixels that span the largest simplex.

    Parameters
    ----------
    pixels : Tensor, shape (L, N)
    count : int
        Endmembers p, at most L + 1 and at most N.

    Returns
    -------
    Tensor, shape (p,)
        Indices of distinct pixels. Pixels that span no volume at all are chosen one by one, each
        as far as can be from the plane through those before it.

    Raises
    ------
    ParameterError
        If there are fewer bands or pixels than such a simplex needs.

    Examples
    --------
    >>> pixels = torch.tensor([[0.0, 0.5, 1.0, 0.1, 0.0], [0.0, 0.5, 0.0, 0.2, 1.0]])
    >>> sorted(nfindr(pixels, 3).tolist())
    [0, 2, 4]
    """
    bands, number = pixels.shape
    if not 1 <= count <= min(bands + 1, number):
        raise ParameterError(
            f"N-FINDR cannot find {count} endmembers in {number} pixels of {bands} bands.",
            next_step=f"ask for 1 to {min(bands + 1, number)}",
        )
    x = _reduce(pixels.double(), count - 1)
    corners = _start(x, count)
    homogeneous = torch.cat([torch.ones_like(x[:1]), x]) if count > 1 else x.new_ones(1, number)
    for _ in range(100 * count):  # each swap enlarges the simplex; far fewer are needed
        factor, singular = torch.linalg.inv_ex(homogeneous[:, corners])
        gain = (factor @ homogeneous).abs()
        if int(singular) or not bool(gain.max() > _GAIN):
            break
        corner, pixel = divmod(int(gain.argmax()), number)
        corners[corner] = pixel
    return corners


def _reduce(y: Tensor, dimensions: int) -> Tensor:
    """Return the leading principal components, shape (dimensions, N), each of variance 1."""
    centred = y - y.mean(dim=1, keepdim=True)
    variance, axes = torch.linalg.eigh(centred @ centred.T / y.shape[1])
    first = len(y) - dimensions
    # A direction of rounding errors is not blown up to the size of the others.
    least = 1e-12 * variance[-1].clamp_min(0.0) + torch.finfo(y.dtype).tiny
    scale = torch.maximum(variance[first:], least).sqrt()
    components: Tensor = axes[:, first:].T @ centred / scale[:, None]
    return components


def _start(x: Tensor, count: int) -> Tensor:
    """Choose pixels one by one, each farthest from the plane through those before it."""
    height = x.norm(dim=0)  # the first is farthest from the mean
    corners: list[int] = []
    for _ in range(count):
        height[corners] = -1.0
        corners.append(int(height.argmax()))
        shifted = x - x[:, corners[:1]]
        basis = torch.linalg.qr(shifted[:, corners[1:]]).Q
        height = (shifted - basis @ (basis.T @ shifted)).norm(dim=0)
    return torch.tensor(corners)
