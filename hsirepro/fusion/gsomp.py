"""Sparse coding on a dictionary of spectra (G-SOMP+), as tabulated and as published.

A dictionary D of non-negative spectra (atoms) is learned from the HSI; seen through the spectral
response R, it codes the MSI, and the codes carry over [1]_:

    D, A   minimise sum_n |a_n|_1   subject to || z_n - D a_n ||^2 <= e    over HSI pixels z
    x_n  = argmin_{x >= 0} || y_n - R D x ||^2                             for each MSI pixel y
    X_n  = D x_n

The MSI has 3 or 6 bands and D has many atoms, so the second problem has a continuum of solutions.
[1]_ narrows it down by a pursuit over patches: pixels of a patch share the atoms that are best
aligned with what is left of all of them; a round lets in 20 atoms, and rounds end when the
residual shrinks by less than 1 %. That is ``g-somp-pursuit``.

``g-somp`` is what made the published tables. The toolbox of the comparative review [2]_ reuses
the name of the number of atoms per round for the number of bands, which is also the number of
atoms: all of them enter in the first round, patches have no effect, and what remains is
non-negative least squares of each pixel on the whole dictionary, by Lawson and Hanson's path.

The dictionary is learned as in ``dictionary.py``, in units of the largest HSI pixel, so that e
has no unit. In the toolbox it has as many atoms as bands and e = 0.01; [1]_ takes 300 and 1e-8.
The response is needed; the point spread only where the response is estimated through it.

References
----------
.. [1] N. Akhtar, F. Shafait, A. Mian, "Sparse spatio-spectral representation for hyperspectral
   image super-resolution", ECCV, 2014.
.. [2] N. Yokoya, C. Grohnfeldt, J. Chanussot, "Hyperspectral and multispectral data fusion: a
   comparative review of the recent literature", IEEE Geosci. Remote Sens. Mag. 5(2), 2017.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from hsirepro.fusion.blocks import from_blocks, to_blocks
from hsirepro.fusion.dictionary import learn_dictionary
from hsirepro.fusion.estimation import Response, Spread, pair_optics
from hsirepro.fusion.nnls import nnls
from hsirepro.fusion.outcome import Outcome
from hsirepro.optics import PointSpread, SpectralResponse, upsample

PIXELS_AT_ONCE = 4096
_TINY = torch.finfo(torch.float32).tiny


def g_somp(
    hsi: Tensor,
    msi: Tensor,
    *,
    ratio: int,
    srf: SpectralResponse | None = None,
    psf: PointSpread | None = None,
    seed: int = 0,
    progress: bool = False,
    atoms: int | None = None,
    error: float = 0.01,
    iterations: int = 300,
    response: Response = "hysure",
    spread: Spread = "assumed",
    **unused: object,
) -> Outcome:
    """Fuse one pair as in the published tables: each pixel on the whole dictionary.

    It works in tiles of some rows.

    Parameters
    ----------
    hsi : Tensor, shape (L, h, w)
        Low-resolution hyperspectral image, reflectance; values below zero count as zero.
    msi : Tensor, shape (l, h * ratio, w * ratio)
        High-resolution multispectral image, reflectance, co-registered.
    ratio : int
        Ground sampling distance of ``hsi`` over that of ``msi``.
    srf, psf : optional
        Used where ``response`` or ``spread`` is ``"given"``.
    seed : int
        Draws the first atoms and the batches.
    progress : bool
        Show a bar.
    atoms : int, optional
        Size of the dictionary; the number of bands if not given, and never above h * w.
    error : float
        e, the squared error that the code of an HSI pixel may leave, where the largest value of
        the HSI is 1.
    iterations : int
        Batches that the dictionary learns from; 0 takes pixels for atoms.
    response : {"hysure", "covered", "estimated", "given"}
        Spectral response; see :func:`~hsirepro.fusion.estimation.pair_optics`.
    spread : {"assumed", "review", "hysure", "given"}
        Point spread; see :func:`~hsirepro.fusion.estimation.pair_optics`.
    **unused
        ``device`` of the fusion contract: not needed.

    Returns
    -------
    Outcome
        Image of shape (L, h * ratio, w * ratio). Curve ``sparsity``, the mean of |a_n|_1 over a
        batch, by ``iteration``; learned ``dictionary`` (L, atoms).
    """

    def code(strip: Tensor, projected: Tensor) -> Tensor:
        return nnls(projected, strip.flatten(1).T).T.reshape(-1, *strip.shape[1:])

    return _fuse(
        hsi,
        msi,
        code,
        rows=max(PIXELS_AT_ONCE // msi.shape[2], 1),
        ratio=ratio,
        srf=srf,
        psf=psf,
        seed=seed,
        progress=progress,
        atoms=atoms,
        error=error,
        iterations=iterations,
        response=response,
        spread=spread,
    )


def g_somp_pursuit(
    hsi: Tensor,
    msi: Tensor,
    *,
    ratio: int,
    srf: SpectralResponse | None = None,
    psf: PointSpread | None = None,
    seed: int = 0,
    progress: bool = False,
    atoms: int | None = None,
    error: float = 0.01,
    iterations: int = 300,
    patch: int = 8,
    atoms_per_round: int = 20,
    shrink: float = 0.99,
    response: Response = "hysure",
    spread: Spread = "assumed",
    **unused: object,
) -> Outcome:
    """Fuse one pair as published: the pixels of a patch choose their atoms together.

    It works in tiles, one row of patches at a time.

    Parameters
    ----------
    patch : int
        Side of a patch, MSI pixels; 8 in the authors' demonstration, 4 in the review. Where it
        does not divide the image, the last patches are filled up with the pixels of the border.
    atoms_per_round : int
        Atoms that enter the support of a patch in each round.
    shrink : float
        Rounds end when the spectral norm of a patch's residual stays above this share of what
        it was.
    hsi, msi, ratio, srf, psf, seed, progress, atoms, error, iterations, response, spread, unused
        As in :func:`g_somp`.

    Returns
    -------
    Outcome
        As in :func:`g_somp`.
    """

    def code(strip: Tensor, projected: Tensor) -> Tensor:
        height, width = strip.shape[1:]
        filled = F.pad(strip, (0, -width % patch, 0, -height % patch), mode="replicate")
        codes = pursue(to_blocks(filled, patch), projected, atoms_per_round, shrink)
        return from_blocks(codes, 1, filled.shape[2] // patch, patch)[:, :height, :width]

    return _fuse(
        hsi,
        msi,
        code,
        rows=patch,
        ratio=ratio,
        srf=srf,
        psf=psf,
        seed=seed,
        progress=progress,
        atoms=atoms,
        error=error,
        iterations=iterations,
        response=response,
        spread=spread,
        patch=patch,
        atoms_per_round=atoms_per_round,
        shrink=shrink,
    )


def pursue(patches: Tensor, projected: Tensor, atoms_per_round: int, shrink: float) -> Tensor:
    """Code patches on atoms that are chosen for all pixels of a patch at once.

    In each round the atoms that are best aligned with the residuals of a patch,

        score_k = sum_n <d_k / |d_k|, r_n / |r_n|>,

    join its support, on which every pixel is solved by non-negative least squares.

    Parameters
    ----------
    patches : Tensor, shape (P, n, l)
        n MSI pixels of each patch.
    projected : Tensor, shape (l, K)
        Atoms, seen through the spectral response.
    atoms_per_round : int
    shrink : float
        See :func:`g_somp_pursuit`.

    Returns
    -------
    Tensor, shape (P, n, K), float64
    """
    y, atoms = patches.double(), projected.double()
    directions = F.normalize(atoms, dim=0, eps=_TINY)
    # Of a pixel that is solved, rounding errors remain, which point nowhere.
    solved, all_solved = 1e-9 * y.norm(dim=2, keepdim=True), 1e-9 * _spectral_norm(y)
    support = torch.zeros(len(y), atoms.shape[1], dtype=torch.bool)
    codes = y.new_zeros(*y.shape[:2], atoms.shape[1])
    residual, left = y.clone(), _spectral_norm(y)
    running = torch.arange(len(y))
    for _ in range(-(-atoms.shape[1] // atoms_per_round)):
        length = residual[running].norm(dim=2, keepdim=True)
        length = torch.where(length > solved[running], length, torch.inf)
        scores = (residual[running] / length).sum(dim=1) @ directions
        best = scores.topk(min(atoms_per_round, atoms.shape[1]), dim=1).indices
        support[running] = support[running].scatter(1, best, True)
        allowed = support[running].repeat_interleave(y.shape[1], dim=0)
        now = nnls(atoms, y[running].flatten(0, 1), allowed)
        codes[running] = now.reshape(len(running), *codes.shape[1:])
        residual[running] = y[running] - codes[running] @ atoms.T
        norm = _spectral_norm(residual[running])
        going_on = (norm <= shrink * left[running]) & (norm > all_solved[running])
        left[running] = norm
        running = running[going_on]
        if not len(running):
            break
    return codes


def _fuse(
    hsi: Tensor,
    msi: Tensor,
    code: Callable[[Tensor, Tensor], Tensor],
    *,
    rows: int,
    ratio: int,
    srf: SpectralResponse | None,
    psf: PointSpread | None,
    seed: int,
    progress: bool,
    atoms: int | None,
    error: float,
    iterations: int,
    response: Response,
    spread: Spread,
    **own: object,
) -> Outcome:
    """Learn, and code the MSI in strips of ``rows`` rows."""
    optics = pair_optics(hsi, msi, ratio=ratio, srf=srf, psf=psf, response=response, spread=spread)
    pixels = hsi.flatten(1).clamp_min(0.0)
    D, sparsity = learn_dictionary(
        pixels / pixels.max().clamp_min(_TINY),
        atoms or len(hsi),
        error=error,
        iterations=iterations,
        seed=seed,
        progress=progress,
    )
    projected = optics.response @ D
    # An MSI that no mixture of the HSI bands follows says nothing about spectra.
    fused = upsample(hsi, ratio)
    if bool(projected.any()):
        for start in tqdm(range(0, msi.shape[1], rows), desc="codes", disable=not progress):
            codes = code(optics.msi[:, start : start + rows], projected)
            fused[:, start : start + rows] = torch.tensordot(D, codes, dims=1)
    return Outcome(
        fused,
        curves={"iteration": np.arange(1.0, len(sparsity) + 1.0), "sparsity": sparsity},
        learned={"dictionary": D.float()},
        settings={
            "atoms": D.shape[1],
            "error": error,
            "iterations": iterations,
            "response": response,
            "spread": spread,
            **own,
        },
    )


def _spectral_norm(rows: Tensor) -> Tensor:
    """Return the largest singular value of matrices, shape (P, n, l)."""
    largest: Tensor = torch.linalg.eigvalsh(rows.mT @ rows)[:, -1]
    return largest.clamp_min(0.0).sqrt()
