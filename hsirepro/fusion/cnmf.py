"""Coupled non-negative matrix factorisation (CNMF).

Both images are mixtures of the same endmembers W by the same abundances H, one seen through the
point spread, the other through the spectral response R. Each is factorised in turn, and hands
what it knows best to the other:

    HSI    min ||Z - W H_low||^2    over W and H_low      spectra are resolved here
    MSI    min ||Y - R W H||^2      over H                and places here
    HSI    min ||Z - W PSF(H)||^2   over W                the fused image is W H

with everything non-negative [1]_, by multiplicative updates [2]_, under which no objective grows:

    X <- X * (A^T B) / (A^T A X)    lowers    ||B - A X||^2.

A row of constants delta, appended to images and endmembers alike, asks the abundances to sum to
one. Settings are those of the comparative review [3]_, whose variant made the published tables:
one round of the three stages; R W itself is updated only if the MSI has more than 3 bands, and so
is H_low in the last stage; delta depends on the brightness of the MSI, so that the result depends
a little on the scale of the pixels. The number of endmembers is 30 or, if larger, the virtual
dimensionality at a false-alarm rate of 0.05.

References
----------
.. [1] N. Yokoya, T. Yairi, A. Iwasaki, "Coupled nonnegative matrix factorization unmixing for
   hyperspectral and multispectral data fusion", IEEE Trans. Geosci. Remote Sens. 50(2), 2012.
.. [2] D. Lee, H. S. Seung, "Algorithms for non-negative matrix factorization", NIPS, 2000.
.. [3] N. Yokoya, C. Grohnfeldt, J. Chanussot, "Hyperspectral and multispectral data fusion: a
   comparative review of the recent literature", IEEE Geosci. Remote Sens. Mag. 5(2), 2017.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from hsirepro.errors import ParameterError
from hsirepro.fusion.estimation import Response, Spread, pair_optics
from hsirepro.fusion.memory import require_memory
from hsirepro.fusion.outcome import Outcome
from hsirepro.optics import PointSpread, SpectralResponse, upsample
from hsirepro.unmixing import hfc, vca

# No factor falls below it: what is zero could never rise again, and would divide by itself. The
# updates minimise a separable bound, so with a floor they still cannot raise the objective.
FLOOR = 1e-12
CHUNK = 4096  # pixels; their 30 abundances take 0.5 MB
_TINY = torch.finfo(torch.float32).tiny


def cnmf(
    hsi: Tensor,
    msi: Tensor,
    *,
    ratio: int,
    srf: SpectralResponse | None = None,
    psf: PointSpread | None = None,
    seed: int = 0,
    progress: bool = False,
    endmembers: int | None = None,
    iterations: int = 200,
    tolerance: float = 1e-8,
    response: Response = "hysure",
    spread: Spread = "assumed",
    **unused: object,
) -> Outcome:
    """Fuse one pair; holds the image whole, as one set of abundance maps.

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
        For the endmembers that it starts from.
    progress : bool
        Show a bar.
    endmembers : int, optional
        How many; by the rule of the module if not given. At most L and h * w.
    iterations : int
        Updates of each pass. A stage has two: over one factor (three times as long in the first
        stage), then over both.
    tolerance : float
        Relative change of the objective at which a pass ends. As in the toolbox, the pass over
        nothing but the abundances of the MSI does not look at it.
    response : {"hysure", "covered", "estimated", "given"}
        Spectral response; see :func:`~hsirepro.fusion.estimation.pair_optics`.
    spread : {"assumed", "review", "hysure", "given"}
        Point spread; see :func:`~hsirepro.fusion.estimation.pair_optics`.
    **unused
        ``device`` of the fusion contract: not needed.

    Returns
    -------
    Outcome
        Image of shape (L, h * ratio, w * ratio). Curves ``objective`` (mean square of the
        residual) and ``stage`` (1, 2, 3) by ``iteration``; learned ``endmembers`` (L, p).

    Raises
    ------
    ParameterError
        If there are to be no endmembers.
    ResourceError
        If the maps do not fit the free memory.
    """
    p = _count(hsi, endmembers)
    require_memory(
        "cnmf",
        4 * msi[0].numel() * (p + max(2 * p, len(hsi)) + 4 * len(msi)),
        "the abundance maps and the fused image: both images see the maps of the whole scene.",
    )
    optics = pair_optics(hsi, msi, ratio=ratio, srf=srf, psf=psf, response=response, spread=spread)
    Z, Y = hsi.flatten(1).double().clamp_min(0.0), optics.msi.flatten(1)
    # How hard the sum to one is asked for, as in the toolbox of the review.
    delta = 2.0 * float(Y.mean() / 0.7455) ** 0.5 / len(Y) ** 3
    few, rest = len(Y) <= 3, iterations - 1
    bar = tqdm(total=8 * iterations, desc="CNMF", disable=not progress)

    # The HSI alone. Endmembers are rows here, so that both factors are (p, ...).
    W = vca(Z, p, seed=seed)[0].T.clamp_min(FLOOR).contiguous()
    H_low = torch.full((p, Z.shape[1]), 1.0 / p, dtype=torch.float64)
    curve = _factorise(Z, W, H_low, delta, 3 * iterations, tolerance, bar, shares=True)
    curve += _factorise(Z, W, H_low, delta, rest, tolerance, bar, spectra=True, shares=True)
    curves = [curve]

    # The MSI: endmembers seen through its bands, abundances interpolated.
    maps = upsample(H_low.float().reshape(p, *hsi.shape[1:]), ratio)
    H = maps.flatten(1).clamp_min_(FLOOR)  # shares its memory with the maps
    W_msi = (W @ optics.response.T).clamp_min(FLOOR).float()
    alone = iterations + rest if few else iterations
    curve = _sharpen(Y, W_msi, H, delta, alone, bar)
    if not few:
        curve += _sharpen_both(Y, W_msi, H, delta, rest, tolerance, bar)
    curves.append(curve)

    # The HSI again, with abundances that know their places.
    H_low = optics.spread(maps).flatten(1).double().clamp_min_(FLOOR)
    curve = _factorise(Z, W, H_low, delta, iterations, tolerance, bar, spectra=True)
    curve += _factorise(Z, W, H_low, delta, rest, tolerance, bar, spectra=True, shares=not few)
    curves.append(curve)
    bar.close()
    return Outcome(
        (W.T.float() @ H).reshape(len(hsi), *msi.shape[1:]),
        curves=_labelled(curves),
        learned={"endmembers": W.T.contiguous()},
        settings={
            "endmembers": p,
            "iterations": iterations,
            "tolerance": tolerance,
            "response": response,
            "spread": spread,
            "sum_to_one_weight": delta,
        },
    )


def _count(hsi: Tensor, wished: int | None) -> int:
    """Return the number of endmembers: as wished or by the rule, within what there can be."""
    bands, pixels = len(hsi), hsi[0].numel()
    if wished is None:
        wished = max(min(30, bands), hfc(hsi, false_alarm=0.05))
    elif wished < 1:
        raise ParameterError(
            f"CNMF cannot mix {wished} endmembers.", next_step="ask for 1 or more, or None"
        )
    return min(wished, bands, pixels)


def _factorise(
    Z: Tensor,
    W: Tensor,
    H: Tensor,
    delta: float,
    limit: int,
    tolerance: float,
    bar: Any,
    *,
    spectra: bool = False,
    shares: bool = False,
) -> list[float]:
    """Fit W^T H, shapes (p, L) and (p, n), to the HSI (L, n), in place, and return the costs."""
    squares, ones = float(Z.square().sum()), delta**2 * Z.shape[1]
    costs: list[float] = []
    for k in range(limit):
        if spectra:
            if k == 0 or shares:
                aim_W, gram_W = H @ Z.T, H @ H.T
                row = delta**2 * float((H.sum(dim=0) - 1.0).square().sum())
            cost = squares + row + _lower(W, aim_W, gram_W)
        if shares:
            if k == 0 or spectra:
                aim_H, gram_H = W @ Z + delta**2, W @ W.T + delta**2
            cost = squares + ones + _lower(H, aim_H, gram_H)
        costs.append(max(cost, 0.0) / Z.numel())  # a perfect fit leaves rounding
        bar.update()
        if k and costs[-2] - costs[-1] <= tolerance * costs[-2]:
            break
    return costs


def _lower(x: Tensor, aim: Tensor, gram: Tensor) -> float:
    """Update ``x`` once, and return what the objective was before, less the squared data."""
    slope = gram @ x
    cost = float((x * slope).sum() - 2.0 * (x * aim).sum())
    x.mul_(aim / slope.clamp_min_(_TINY)).clamp_min_(FLOOR)
    return cost


def _sharpen(Y: Tensor, W: Tensor, H: Tensor, delta: float, updates: int, bar: Any) -> list[float]:
    """Fit the abundances (p, N) of the MSI (l, N) to W (p, l): pixels do not know each other."""
    costs = np.zeros(updates)
    for part in range(0, H.shape[1], CHUNK):
        y, a, aim, h = _chunk(Y, W, H, delta, part)
        for k in range(updates):
            costs[k] += _lower_thin(h, a, y, aim)
        H[:, part : part + CHUNK] = h
        bar.update(updates * h.shape[1] / H.shape[1])
    return list(costs / Y.numel())


def _sharpen_both(
    Y: Tensor, W: Tensor, H: Tensor, delta: float, limit: int, tolerance: float, bar: Any
) -> list[float]:
    """Fit abundances (p, N) and endmembers (p, l) of the MSI in turn, in place."""
    costs: list[float] = []
    aim, gram = H @ Y.T, H @ H.T
    for k in range(limit):
        _lower(W, aim, gram)
        cost = 0.0
        aim, gram = torch.zeros_like(aim), torch.zeros_like(gram)
        for part in range(0, H.shape[1], CHUNK):
            y, a, aim_h, h = _chunk(Y, W, H, delta, part)
            cost += _lower_thin(h, a, y, aim_h)
            H[:, part : part + CHUNK] = h
            aim += h @ y[:-1].T
            gram += h @ h.T
        costs.append(cost / Y.numel())
        bar.update()
        if k and costs[-2] - costs[-1] <= tolerance * costs[-2]:
            break
    return costs


def _chunk(
    Y: Tensor, W: Tensor, H: Tensor, delta: float, start: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return pixels and endmembers with the row of constants, A^T B, and a copy of abundances."""
    part = slice(start, start + CHUNK)
    y, a = (F.pad(x, pad, value=delta) for x, pad in ((Y[:, part], (0, 0, 0, 1)), (W, (0, 1))))
    return y, a, a @ y, H[:, part].contiguous()


def _lower_thin(h: Tensor, a: Tensor, y: Tensor, aim: Tensor) -> float:
    """Update as :func:`_lower`, by two thin products instead of one with the Gram matrix."""
    mixed = a.T @ h
    slope = (a @ mixed).clamp_min_(_TINY)
    h.mul_(aim).div_(slope).clamp_min_(FLOOR)
    return float((mixed - y).square().sum())


def _labelled(stages: list[list[float]]) -> dict[str, np.ndarray]:
    objective = np.concatenate(stages)
    return {
        "iteration": np.arange(1, len(objective) + 1),
        "objective": objective,
        "stage": np.repeat([1, 2, 3], [len(stage) for stage in stages]),
    }
