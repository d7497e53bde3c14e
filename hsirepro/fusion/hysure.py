"""Subspace fusion with vector total variation (HySure).

The image is written in endmembers of the HSI, and its maps X are as faithful to both images and
as piecewise smooth as they can be [1]_:

    min_X  1/2 ||Z - E X B M||^2 + beta/2 ||Y - R E X||^2 + tau sum_n ||((X D_h)_n, (X D_v)_n)||_2,

with blur B, decimation M and circular first differences D_h, D_v (pixels are columns). The last
term takes one norm per pixel over both directions and all maps, so that edges of all maps fall
on the same pixels. Nothing asks the maps to be positive or to sum to one: E is a basis.

The alternating direction method of multipliers (ADMM) of ``hysure_admm.py`` solves it.

Response and blur are estimated by :mod:`hsirepro.fusion.hysure_estimation`, or told. The review
[2]_ estimates both so, and then overwrites the response by its own estimate, on all bands; with
``response="estimated"`` so does this. The paper's comparison uses HySure's own, on the covered
bands, and so do the defaults.
Its 30 endmembers are many for 46 bands, and ill-conditioned; the authors took 10. Where
the rank of the HSI is lower, so is their number.

References
----------
.. [1] M. Simões, J. Bioucas-Dias, L. Almeida, J. Chanussot, "A convex formulation for
   hyperspectral image superresolution via subspace-based regularization", IEEE Trans. Geosci.
   Remote Sens. 53(6), 2015.
.. [2] N. Yokoya, C. Grohnfeldt, J. Chanussot, "Hyperspectral and multispectral data fusion: a
   comparative review of the recent literature", IEEE Geosci. Remote Sens. Mag. 5(2), 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hsirepro.fusion.estimation import Response, Spread, pair_optics
from hsirepro.fusion.hysure_admm import MAPS_AT_ONCE, admm
from hsirepro.fusion.memory import require_memory
from hsirepro.fusion.outcome import Outcome
from hsirepro.fusion.sylvester import CircularSpread, principal_directions
from hsirepro.optics import PointSpread, SpectralResponse
from hsirepro.optics.checks import check_number, check_ratio
from hsirepro.unmixing.vca import vca

_RESTARTS = 20  # of VCA


def hysure(
    hsi: Tensor,
    msi: Tensor,
    *,
    ratio: int,
    srf: SpectralResponse | None = None,
    psf: PointSpread | None = None,
    seed: int = 0,
    progress: bool = False,
    response: Response = "hysure",
    spread: Spread = "hysure",
    endmembers: int = 30,
    tau: float = 1e-3,
    beta: float = 1.0,
    mu: float = 0.05,
    iterations: int = 200,
    **unused: object,
) -> Outcome:
    """Fuse one pair; holds the image whole, as four sets of abundance maps.

    Parameters
    ----------
    hsi : Tensor, shape (L, h, w)
        Low-resolution hyperspectral image, reflectance.
    msi : Tensor, shape (l, h * ratio, w * ratio)
        High-resolution multispectral image, reflectance, co-registered.
    ratio : int
        Ground sampling distance of ``hsi`` over that of ``msi``.
    srf, psf : optional
        The true optics, used where ``response`` or ``spread`` is ``"given"``.
    seed : int
        Starts vertex component analysis.
    progress : bool
        Show a bar with the objective and the time left.
    response, spread : str
        What the method believes of the sensors; see
        :func:`~hsirepro.fusion.estimation.pair_optics`.
    endmembers : int
        Columns of E; fewer where the HSI has a lower rank.
    tau : float
        Weight of the vector total variation, with the images scaled by the largest HSI pixel.
    beta : float
        Weight of the MSI.
    mu : float
        Penalty of the ADMM.
    iterations : int
        Sweeps of the ADMM.
    **unused
        ``device`` of the fusion contract: not needed.

    Returns
    -------
    Outcome
        Image of shape (L, h * ratio, w * ratio). ``curves`` holds ``objective`` and
        ``primal_residual`` by ``iteration``; ``learned`` the response, the kernel and the
        endmembers (L, p).

    Raises
    ------
    ParameterError
        If a setting is impossible.
    ResourceError
        If the maps do not fit the free memory.
    """
    settings: dict[str, object] = {
        "response": response,
        "spread": spread,
        "endmembers": endmembers,
        "tau": tau,
        "beta": beta,
        "mu": mu,
        "iterations": iterations,
    }
    for name, whole in (("endmembers", endmembers), ("iterations", iterations)):
        check_ratio(whole, name=name, least=1)
    for name, weight in (("tau", tau), ("beta", beta), ("mu", mu)):
        check_number(name, weight, "units of the objective", positive=True)
    count = min(endmembers, len(hsi))
    # Maps, two multipliers and a step; then spectra of a few maps, and the filters.
    sweep = 4 * count + 4 * MAPS_AT_ONCE + 5
    require_memory(
        "hysure",
        4 * msi[0].numel() * (max(sweep, count + len(hsi)) + 8 * len(msi)),
        "four sets of abundance maps, or one and the fused image: the blur is inverted on whole "
        "maps.",
    )
    optics = pair_optics(hsi, msi, ratio=ratio, srf=srf, psf=psf, response=response, spread=spread)
    scale = float(hsi.max()) or 1.0
    pixels = hsi.double() / scale
    basis, _ = principal_directions(pixels, count)
    coarse = torch.tensordot(basis.T, pixels, dims=1)
    # A signal-to-noise ratio of 0 dB is a flag: VCA then takes p - 1 principal components.
    corners, _ = vca(pixels.flatten(1), basis.shape[1], seed=seed, restarts=_RESTARTS, snr_db=0.0)
    E = basis.T @ corners
    maps, curves = admm(
        coarse,
        optics.msi / scale,
        E,
        optics.response @ basis @ E,
        CircularSpread(optics.spread, msi.shape[1:]),
        tau=tau,
        beta=beta,
        mu=mu,
        iterations=iterations,
        progress=progress,
    )
    spectra = scale * basis @ E
    fused = torch.tensordot(spectra.to(maps.dtype), maps, dims=1)
    learned = {"srf": optics.response, "psf": optics.spread.kernel, "endmembers": spectra}
    return Outcome(fused, curves=curves, learned=learned, settings=settings)
