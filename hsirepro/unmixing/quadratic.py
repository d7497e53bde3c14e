"""Exact abundances: the small quadratic programme of a pixel, solved face by face.

With the Gram matrix G = E^T E of the endmembers and c = E^T y, abundances a solve

    min_a  1/2 a^T G a - c^T a    subject to  a >= 0  and, if asked,  1^T a = 1.

Were it known which entries F are positive, a linear system would give them, the multiplier nu of
the sum to one, and the slopes of the others. All of them are affine in c,

    z = T_F [c; 1]    with  z_i = a_i  for i in F  and  z_i = (G a - c + nu 1)_i  elsewhere,

and the solution is on the face F that has no negative z. Two ways lead to it, for all pixels of a
chunk at once:

* Principal pivoting [1]_, [2]_: every i with negative z changes sides; after some rounds only the
  last one does, which ends for any positive definite matrix, by Murty's rule. (With the sum to
  one, a is proportional to the solution for G - c 1^T - 1 c^T + (y^T y + 1) 1 1^T, which is
  positive definite, and c = 1.) The p endmembers have 2^p faces. Where these are few, their T_F
  make a table, and a round is one look-up and one product of a matrix and a vector.
* The active set [3]_: solve on the positive entries; step back to where the first of them reaches
  zero and drop it, or take in the entry whose slope is most negative, until there is none. Each
  step lowers the objective, so it needs neither a table nor a good condition of G.

References
----------
.. [1] K. Murty, "Note on a Bard-type scheme for solving the complementarity problem",
   Opsearch 11, 1974.
.. [2] J. Judice, F. Pires, "A block principal pivoting algorithm for large-scale strictly monotone
   linear complementarity problems", Computers & Operations Research 21(5), 1994.
.. [3] C. Lawson, R. Hanson, "Solving least squares problems", Prentice-Hall, 1974, chapter 23.
"""

from __future__ import annotations

import torch
from torch import Tensor

MOST_TABULATED = 12  # endmembers; their 4096 faces take 5 MB
JOINT = 6  # rounds in which all negative entries change sides
ROUNDS = 60
_RIDGE = 1e-12  # endmembers may repeat each other
_ZERO = 1e-12  # what of z, relative to 1 + max |c|, is not negative yet
_PROVEN = 1e-11  # residual of the conditions of optimality, relative to the same
_TINY = torch.finfo(torch.float64).tiny


def face_maps(gram: Tensor, sum_to_one: bool) -> Tensor:
    """Return T_F of every face, shape (2^p, p, p + 1); bit i of the index says that i is in F."""
    p = len(gram)
    inside = _members(p)
    both = inside[:, :, None] * inside[:, None, :]
    systems = _ridged(gram) * both + torch.diag_embed(1.0 - inside)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky_ex(systems).L) * both
    if sum_to_one:
        ones = inverse.sum(dim=2)
        total = ones.sum(dim=1, keepdim=True)
        total = torch.where(total == 0, 1.0, total)  # of the face without entries
        offset = ones / total
        inverse = inverse - ones[:, :, None] * offset[:, None, :]
        slopes = gram @ inverse + offset[:, None, :]
        constant = offset @ gram - 1.0 / total
    else:
        offset = constant = torch.zeros_like(inside)
        slopes = gram @ inverse
    outside = 1.0 - inside
    slopes = slopes - torch.eye(p, dtype=gram.dtype)
    return torch.cat(
        [inverse + outside[:, :, None] * slopes, (offset + outside * constant)[:, :, None]], dim=2
    )


def pivot(maps: Tensor, target: Tensor, guess: Tensor, sum_to_one: bool) -> Tensor:
    """Go from face to face until no entry of z is negative.

    Parameters
    ----------
    maps : Tensor, shape (2^p, p, p + 1)
        From :func:`face_maps`.
    target : Tensor, shape (p, n)
        c of every pixel.
    guess : Tensor, shape (p, n)
        Positive where the entry is thought to be in F.
    sum_to_one : bool
        As it was for ``maps``.

    Returns
    -------
    Tensor, shape (p, n)
        Not negative; exact if :func:`optimal` says so.
    """
    p, number = target.shape
    bits = 2.0 ** torch.arange(p)
    scale = 1.0 + target.abs().amax(dim=0)
    c = (torch.cat([target, torch.ones_like(target[:1])]) / scale).T.contiguous()
    face = (bits @ (guess > 0).float()).long()
    todo, last_z, last_face = torch.arange(number), c.new_empty(number, p), face
    for number_of_round in range(ROUNDS):
        z = torch.bmm(maps.index_select(0, face), c[:, :, None]).squeeze(2)
        if number_of_round:
            last_z.index_copy_(0, todo, z)
            last_face.index_copy_(0, todo, face)
        else:
            last_z = z
        negative = z < -_ZERO
        if number_of_round >= JOINT:
            negative &= negative.flip(1).cumsum(dim=1).flip(1) == 1
        change = (negative.float() @ bits).long()
        again = change.nonzero().squeeze(1)
        if not len(again):
            break
        todo, c = todo.index_select(0, again), c.index_select(0, again)
        face = (face ^ change).index_select(0, again)
    a = (last_z.clamp_min_(0.0) * _members(p).index_select(0, last_face)).T
    return a / a.sum(dim=0) if sum_to_one else a * scale


def optimal(gram: Tensor, target: Tensor, a: Tensor, sum_to_one: bool) -> Tensor:
    """Tell in which pixels no entry can change to lower the objective, shape (n,)."""
    slope = gram @ a - target
    highest, lowest = slope.where(a > 0, -torch.inf).amax(dim=0), slope.amin(dim=0)
    if not sum_to_one:
        # Nothing may be below zero; and above it, in what is positive, neither.
        highest, lowest = highest.clamp_min(0.0), lowest.clamp_max(0.0)
    return highest - lowest <= _PROVEN * (1.0 + target.abs().amax(dim=0))


def active_set(gram: Tensor, target: Tensor, start: Tensor, sum_to_one: bool) -> Tensor:
    """Descend from any ``start`` to the exact solution; shapes (p, p), (p, n), (p, n)."""
    p = len(gram)
    start = start.to(target.dtype).nan_to_num(0.0, 0.0, 0.0).clamp_min(0.0)
    if sum_to_one:  # scaled, not projected: it keeps which entries are positive
        start = torch.where(start.sum(dim=0) > 0, start, 1.0)
        start = start / start.sum(dim=0)
    gram = _ridged(gram)
    c, a = target.T, start.T.clone()
    positive = a > 0
    todo = torch.arange(len(a))
    for _ in range(5 * p):  # far more than it takes; each lowers the objective
        x, inside = a[todo], positive[todo]
        goal, slope = _equality(gram, c[todo], inside, sum_to_one)
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
    """Solve with the entries outside held at zero; return solution and slopes, (n, p)."""
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


def _members(p: int) -> Tensor:
    """Return which entries each face has, shape (2^p, p), as zeros and ones."""
    return ((torch.arange(2**p)[:, None] >> torch.arange(p)) & 1).double()


def _ridged(gram: Tensor) -> Tensor:
    return gram + _RIDGE * torch.eye(len(gram), dtype=gram.dtype)
