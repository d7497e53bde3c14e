"""Non-negative dictionary learning: spectra of which all pixels are sparse mixtures.

Over atoms of length at most 1 and codes a, both not negative,

    minimise  sum_n |a_n|_1    subject to    || z_n - D a_n ||^2 <= e    for every pixel z,

online, from one batch of pixels after the other [1]_. Atoms start as pixels of the image; one
that no code uses stays what it is. Codes of a pixel are kept, and go on from where they were when
it comes up again: after some visits they are exact, at a few steps each.

References
----------
.. [1] J. Mairal, F. Bach, J. Ponce, G. Sapiro, "Online learning for matrix factorization and
   sparse coding", J. Mach. Learn. Res. 11, 2010.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

BATCH = 256  # pixels
STEPS = 20  # of coding a batch, each time it comes up
_TINY = torch.finfo(torch.float32).tiny


def learn_dictionary(
    pixels: Tensor,
    count: int,
    *,
    error: float,
    iterations: int,
    seed: int = 0,
    progress: bool = False,
) -> tuple[Tensor, np.ndarray]:
    """Learn atoms that code all pixels sparsely, from one batch of them after the other.

    Each batch is coded on the atoms so far. Two matrices, A = sum a a^T and B = sum z a^T, with
    older batches fading as the square of their age, hold all that the atoms depend on:

        d_k <- max(0, d_k + (B_k - D A_k) / A_kk),    then scaled to a length of at most 1.

    Parameters
    ----------
    pixels : Tensor, shape (L, N)
        Not negative, of order 1.
    count : int
        Atoms K; at most N are learned.
    error : float
        e, for pixels of the scale at hand.
    iterations : int
        Batches; 0 returns pixels, scaled to length 1.
    seed : int
        Draws the first atoms and the batches.
    progress : bool
        Show a bar.

    Returns
    -------
    atoms : Tensor, shape (L, K), float64
    sparsity : ndarray, shape (iterations,)
        Mean of |a|_1 over each batch.
    """
    rows = pixels.T.float()
    generator = torch.Generator().manual_seed(seed)
    first = torch.randperm(len(rows), generator=generator)[:count]
    D = F.normalize(rows[first], dim=1, eps=_TINY)
    codes = rows.new_zeros(len(rows), len(D))
    price = rows.new_full((len(rows), 1), max(error, _TINY) ** 0.5)
    A, B = D.new_zeros(len(D), len(D)), torch.zeros_like(D)
    sparsity = []
    order = first[:0]
    for iteration in tqdm(range(iterations), desc="dictionary", disable=not progress):
        if not len(order):
            order = torch.randperm(len(rows), generator=generator)
        batch, order = order[:BATCH], order[BATCH:]
        a, price[batch] = sparse_codes(D, rows[batch], codes[batch], price[batch], error, STEPS)
        codes[batch] = a
        sparsity.append(float(a.sum(dim=1).mean()))
        fading = (iteration / (iteration + 1)) ** 2
        A = fading * A + a.T @ a / len(a)
        B = fading * B + a.T @ rows[batch] / len(a)
        used = A.diagonal() > 1e-12 * A.diagonal().max()
        for k in used.nonzero().flatten().tolist():
            atom = (D[k] + (B[k] - A[k] @ D) / A[k, k]).clamp_min(0.0)
            D[k] = atom / atom.norm().clamp_min(1.0)
    return D.T.double(), np.array(sparsity)


def sparse_codes(
    D: Tensor, pixels: Tensor, codes: Tensor, price: Tensor, error: float, steps: int
) -> tuple[Tensor, Tensor]:
    """Improve the sparse codes of pixels by accelerated projected gradients.

    With a price p per unit of |a|_1, the code of a pixel z lowers

        || z - D a ||^2 / 2 + p |a|_1    over a >= 0,

    and p is adapted until the squared error is the one that is allowed: a higher price leaves
    a larger error, and while atoms do not change in number the two are proportional.

    Parameters
    ----------
    D : Tensor, shape (K, L)
        Atoms as rows.
    pixels : Tensor, shape (n, L)
    codes : Tensor, shape (n, K)
        To start from.
    price : Tensor, shape (n, 1)
        To start from.
    error : float
        Squared error that a code may leave.
    steps : int

    Returns
    -------
    codes : Tensor, shape (n, K)
    price : Tensor, shape (n, 1)
    """
    gram, aligned = D @ D.T, pixels @ D.T
    rate = 1.0 / torch.linalg.eigvalsh(gram)[-1].clamp_min(_TINY)
    ahead, momentum = codes, torch.ones_like(price)
    for step in range(steps):
        new = (ahead - rate * (ahead @ gram - aligned + price)).clamp_min(0.0)
        # Momentum that points uphill is dropped, for each pixel by itself.
        uphill = ((ahead - new) * (new - codes)).sum(dim=1, keepdim=True) > 0
        momentum = momentum.masked_fill(uphill, 1.0)
        following = (1.0 + (1.0 + 4.0 * momentum.square()).sqrt()) / 2.0
        ahead = new + (momentum - 1.0) / following * (new - codes)
        codes, momentum = new, following
        if step % 10 == 9:
            left = (pixels - codes @ D).square().sum(dim=1, keepdim=True)
            change = (error / left.clamp_min(_TINY)).sqrt().clamp(0.5, 2.0)
            price = (price * change).clamp(1e-6, 1e6)
    return codes, price
