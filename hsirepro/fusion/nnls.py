"""Non-negative least squares of many pixels on one matrix, all pixels at once.

For every pixel y the active-set method of Lawson and Hanson [1]_ solves

    min_{x >= 0}  || A x - y ||^2.

From x = 0 it lets in the column with the steepest descent A^T (y - A x), solves least squares on
the columns that are in, walks back to the boundary where a coefficient would turn negative, and
lets that column out. At most m columns of an m x K matrix are ever in, so with the few bands of a
multispectral image each step is one small triangular problem per pixel, and pixels step together.

Where K > m the minimum is shared by many x. The path decides which of them is found, and it is
the path of the reference, so that one of at most m columns is.

References
----------
.. [1] C. L. Lawson, R. J. Hanson, "Solving least squares problems", Prentice-Hall, 1974, ch. 23.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def nnls(matrix: Tensor, targets: Tensor, allowed: Tensor | None = None) -> Tensor:
    """Return the non-negative coefficients of every target.

    Parameters
    ----------
    matrix : Tensor, shape (m, K)
        A.
    targets : Tensor, shape (N, m)
        One right-hand side per row.
    allowed : Tensor of bool, shape (N, K), optional
        Columns that each target may use; all of them by default.

    Returns
    -------
    Tensor, shape (N, K), float64
        At most m of a row are not 0.

    Examples
    --------
    >>> nnls(torch.eye(2), torch.tensor([[3.0, -1.0]])).tolist()
    [[3.0, 0.0]]
    """
    A, Y = matrix.double(), targets.double()
    n, (m, K) = len(Y), A.shape
    slots = min(m, K)
    inside = torch.full((n, slots), K)  # the columns that are in; K stands for a free slot
    x = torch.zeros(n, slots, dtype=torch.float64)
    # Up to here a descent may be what rounding leaves of zero.
    noise = 10 * m * torch.finfo(torch.float64).eps * Y.norm(dim=1, keepdim=True)
    length = F.pad(A.norm(dim=0), (0, 1))
    padded = torch.cat([A.T, A.new_zeros(1, m)])  # a free slot is a column of zeros
    open_pixels = torch.arange(n)
    settled = torch.ones(n, dtype=torch.bool)  # x solves least squares on the columns that are in
    for _ in range(10 * (K + m)):  # rounding could make two sets take turns
        if not len(open_pixels):
            break
        own, values, y = inside[open_pixels], x[open_pixels], Y[open_pixels]
        entering = settled[open_pixels]
        residual = y - torch.einsum("nsm,ns->nm", padded[own], values)
        descent = F.pad(residual @ A, (0, 1))
        descent.masked_fill_(descent <= noise[open_pixels] * length, 0.0)
        if allowed is not None:
            descent[:, :K].masked_fill_(~allowed[open_pixels], 0.0)
        steepest, column = descent.scatter_(1, own, 0.0).max(dim=1)
        free, slot = (own == K).max(dim=1)
        entering_now = entering & free & (steepest > 0)
        done = entering & ~entering_now
        row = entering_now.nonzero().flatten()
        own[row, slot[row]] = column[row]
        solution = _least_squares(padded[own], y, own == K)
        # A column that enters gets a positive coefficient, unless it depends on those that are in
        # by all but rounding: then there is nothing left to gain.
        refused = row[~((solution[row, slot[row]] > 0) & solution[row].isfinite().all(dim=1))]
        own[refused, slot[refused]] = K
        done[refused] = True
        negative = (solution <= 0) & (own < K)
        ratio = torch.where(negative, values / (values - solution), torch.inf)
        step = ratio.amin(dim=1, keepdim=True).clamp(max=1.0)
        moved = values + step * (solution - values)
        leaving = negative & (ratio <= step)
        kept = ~done[:, None]
        x[open_pixels] = torch.where(kept, moved.masked_fill(leaving, 0.0), values)
        inside[open_pixels] = torch.where(kept, own.masked_fill(leaving, K), inside[open_pixels])
        settled[open_pixels] = ~negative.any(dim=1)
        open_pixels = open_pixels[~done]
    return x.new_zeros(n, K + 1).scatter_(1, inside, x)[:, :K]


def _least_squares(columns: Tensor, y: Tensor, free: Tensor) -> Tensor:
    """Solve least squares on columns, shape (n, s, m); a free slot, (n, s), gets 0."""
    # A row of its own makes the column of a free slot independent of all others.
    square = torch.cat([columns.mT, torch.diag_embed(free.to(columns.dtype))], dim=1)
    target = torch.cat([y, y.new_zeros(free.shape)], dim=1)
    q, r = torch.linalg.qr(square)
    solved: Tensor = torch.linalg.solve_triangular(r, q.mT @ target[:, :, None], upper=True)
    return solved[:, :, 0]
