"""Coupled spectral unmixing by projected gradient steps (Lanaras et al., ICCV 2015).

Both images are mixtures of the same endmembers E by the same abundances A, with everything
within its physical range,

    min_{E, A}  ||E PSF(A) - Z||^2 + ||R E A - Y||^2
    subject to  0 <= E <= 1,  A >= 0,  1^T A = 1,                      [1]_

with the response R of the MSI to the bands of the HSI. Each image corrects what it resolves:

    E <- clip(E - (E A_low - Z) A_low^T / c, 0, 1)         A_low = PSF(A), c > ||A_low A_low^T||
    A <- project(A - (R E)^T (R E A - Y) / d)              on the simplex, d > ||(R E)^T R E||

Each of the two goes on while a step lowers its residual by 1 % or more, and both in turn until
the sum of the residuals settles. The steps are shorter than the curvature allows, so that a
residual never grows. Endmembers start from SISAL, abundances from least squares at the coarse
scale, interpolated.

Settings are those of the comparative review [2]_, whose variant made the published tables: 30
endmembers, where the authors took 10, and no limit on how many are active in a pixel. Images with
values above 1 are divided by the largest.

References
----------
.. [1] C. Lanaras, E. Baltsavias, K. Schindler, "Hyperspectral super-resolution by coupled
   spectral unmixing", ICCV, 2015.
.. [2] N. Yokoya, C. Grohnfeldt, J. Chanussot, "Hyperspectral and multispectral data fusion: a
   comparative review of the recent literature", IEEE Geosci. Remote Sens. Mag. 5(2), 2017.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from hsirepro.errors import ParameterError
from hsirepro.fusion.estimation import Response, Spread, pair_optics
from hsirepro.fusion.memory import require_memory
from hsirepro.fusion.outcome import Outcome
from hsirepro.optics import PointSpread, SpectralResponse, upsample
from hsirepro.unmixing import fcls, most_endmembers, project_simplex, sisal

INNER = 100  # gradient steps on one factor, at most
GAIN = 1.01  # residual before over after; a step that gains less is the last
SETTLED = 1e-4  # relative change of the summed residuals at which the rounds end
SHORTER = 1.01  # than a step that the curvature just allows
OUTSIDE = 0.006  # price of pixels outside SISAL's simplex
CHUNK = 4096  # pixels; their 30 abundances take 0.5 MB
_TINY = torch.finfo(torch.float32).tiny


def lanaras(
    hsi: Tensor,
    msi: Tensor,
    *,
    ratio: int,
    srf: SpectralResponse | None = None,
    psf: PointSpread | None = None,
    seed: int = 0,
    progress: bool = False,
    endmembers: int = 30,
    iterations: int = 200,
    response: Response = "hysure",
    spread: Spread = "assumed",
    **unused: object,
) -> Outcome:
    """Fuse one pair; holds the image whole, as one set of abundance maps.

    Parameters
    ----------
    hsi : Tensor, shape (L, h, w)
        Low-resolution hyperspectral image, reflectance.
    msi : Tensor, shape (l, h * ratio, w * ratio)
        High-resolution multispectral image, reflectance, co-registered.
    ratio : int
        Ground sampling distance of ``hsi`` over that of ``msi``.
    srf, psf : optional
        Used where ``response`` or ``spread`` is ``"given"``.
    seed : int
        For the endmembers that it starts from.
    progress : bool
        Show a bar.
    endmembers : int
        How many, at most; fewer where the pixels of ``hsi`` differ in fewer directions.
    iterations : int
        Rounds over both factors, at most.
    response : {"hysure", "covered", "estimated", "given"}
        Spectral response; see :func:`~hsirepro.fusion.estimation.pair_optics`.
    spread : {"assumed", "review", "hysure", "given"}
        Point spread; see :func:`~hsirepro.fusion.estimation.pair_optics`.
    **unused
        ``device`` of the fusion contract: not needed.

    Returns
    -------
    Outcome
        Image of shape (L, h * ratio, w * ratio), within [0, max(1, largest pixel)]. Curves
        ``objective`` (sum of the residuals' norms), ``hsi`` and ``msi`` (root mean square
        residuals) by ``iteration``; learned ``endmembers`` (L, p).

    Raises
    ------
    ParameterError
        If there are to be no endmembers.
    ResourceError
        If the maps do not fit the free memory.
    """
    if endmembers < 1:
        raise ParameterError(
            f"Coupled unmixing cannot mix {endmembers} endmembers.", next_step="ask for 1 or more"
        )
    most = min(endmembers, len(hsi))
    require_memory(
        "lanaras",
        4 * msi[0].numel() * (most + max(2 * most, len(hsi)) + 4 * len(msi)),
        "the abundance maps and the fused image: both images see the maps of the whole scene.",
    )
    optics = pair_optics(hsi, msi, ratio=ratio, srf=srf, psf=psf, response=response, spread=spread)
    unit = max(1.0, float(hsi.max()), float(optics.msi.max()))
    Z = hsi.flatten(1).double() / unit
    Y = optics.msi.flatten(1) / unit
    p = min(endmembers, most_endmembers(Z))
    E = sisal(Z, p, seed=seed, outside=OUTSIDE)[0].clamp_(0.0, 1.0)
    maps = upsample(fcls(Z, E).float().reshape(p, *hsi.shape[1:]), ratio)
    A = maps.flatten(1)  # shares its memory with the maps
    for part in _chunks(A):
        A[:, part] = project_simplex(A[:, part])
    course: list[tuple[float, float]] = []
    for _ in tqdm(range(iterations), desc="Coupled unmixing", disable=not progress):
        E, at_low = correct_spectra(E, optics.spread(maps).flatten(1).double(), Z)
        course.append((at_low, correct_shares(A, (optics.response @ E).float(), Y)))
        before, now = (sum(course[k]) for k in (-2, -1)) if len(course) > 1 else (np.inf, 0.0)
        if abs(before - now) <= SETTLED * now:
            break
    residuals = np.array(course)
    return Outcome(
        ((E.float() * unit) @ A).reshape(len(hsi), *msi.shape[1:]),
        curves={
            "iteration": np.arange(1, len(residuals) + 1),
            "objective": residuals.sum(axis=1),
            "hsi": residuals[:, 0] / Z.numel() ** 0.5,
            "msi": residuals[:, 1] / Y.numel() ** 0.5,
        },
        learned={"endmembers": E * unit},
        settings={
            "endmembers": p,
            "iterations": iterations,
            "response": response,
            "spread": spread,
        },
    )


def correct_spectra(E: Tensor, A_low: Tensor, Z: Tensor) -> tuple[Tensor, float]:
    """Step on the endmembers while it pays.

    Parameters
    ----------
    E : Tensor, shape (L, p)
        Within [0, 1].
    A_low : Tensor, shape (p, n)
        Abundances as the HSI sees them.
    Z : Tensor, shape (L, n)
        HSI.

    Returns
    -------
    E : Tensor, shape (L, p)
    left : float
        Norm of the residual.
    """
    gram, aim = A_low @ A_low.T, Z @ A_low.T
    c = SHORTER * gram.norm() + _TINY
    left = float((E @ A_low - Z).norm())
    for _ in range(INNER):
        E = (E - (E @ gram - aim) / c).clamp_(0.0, 1.0)
        before, left = left, float((E @ A_low - Z).norm())
        if before <= GAIN * left:
            break
    return E, left


def correct_shares(A: Tensor, E_msi: Tensor, Y: Tensor) -> float:
    """Step on the abundances while it pays, in place.

    Parameters
    ----------
    A : Tensor, shape (p, N)
        Columns on the simplex.
    E_msi : Tensor, shape (l, p)
        Endmembers as the MSI sees them.
    Y : Tensor, shape (l, N)
        MSI.

    Returns
    -------
    float
        Norm of the residual.
    """
    d = SHORTER * (E_msi @ E_msi.T).norm() + _TINY
    residual = E_msi @ A - Y
    left = float(residual.norm())
    for _ in range(INNER):
        for part in _chunks(A):
            A[:, part] = project_simplex(A[:, part] - E_msi.T @ (residual[:, part] / d))
            residual[:, part] = E_msi @ A[:, part] - Y[:, part]
        before, left = left, float(residual.norm())
        if before <= GAIN * left:
            break
    return left


def _chunks(maps: Tensor) -> list[slice]:
    return [slice(start, start + CHUNK) for start in range(0, maps.shape[1], CHUNK)]
