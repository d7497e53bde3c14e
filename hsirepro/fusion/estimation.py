"""What a fusion method believes of the sensors: their spectral response and point spread.

HyCoNet learns both, and knows which HSI bands an MSI band covers. The methods it is compared with
are told both, and what they are told is part of the comparison. The response of an MSI band y is

* ``hysure``: HySure's regularised least squares on the covered bands, as the paper says
  ([1]_, section IV-H: its comparison is fair because nobody knows more than the coverage);
* ``estimated``: a non-negative quadratic programme with an offset on all bands [2]_,

      min_{r >= 0, c}  || Z^T r + c - PSF(y) ||^2,

  after which c is taken off the band. So does the toolbox of the review, which the paper runs,
  and the responses that its authors released look like it: not negative, and of no fixed sum;
* ``covered``: the same programme on the covered bands;
* ``given``: the true one.

The point spread is assumed to be a Gaussian with a full width at half maximum equal to the ratio,
whatever blurred the scene; or is estimated as HySure does, or is given. The paper says that the
assumed kernel is as large as the ratio; the toolbox uses one of twice the size.

References
----------
.. [1] K. Zheng et al., "Coupled convolutional neural network with adaptive response function
   learning for unsupervised hyperspectral super resolution", IEEE TGRS 59(3), 2021.
.. [2] N. Yokoya, N. Mayumi, A. Iwasaki, "Cross-calibration for data fusion of EO-1/Hyperion and
   Terra/ASTER", IEEE J. Sel. Topics Appl. Earth Observ. Remote Sens. 6(2), 2013.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor

from hsirepro.errors import ParameterError, suggest
from hsirepro.optics import PointSpread, SpectralResponse, gaussian_kernel

Response = Literal["hysure", "covered", "estimated", "given"]
Spread = Literal["assumed", "review", "hysure", "given"]
FWHM = 2.0 * float(np.sqrt(2.0 * np.log(2.0)))  # full width at half maximum, in sigmas


@dataclass(frozen=True)
class PairOptics:
    """The optics of one image pair, as a method uses them.

    Parameters
    ----------
    response : Tensor, shape (l, L), float64
        From HSI to MSI bands; rows need not sum to 1.
    spread : PointSpread
        From the grid of the MSI to that of the HSI.
    msi : Tensor, shape (l, H, W)
        The MSI, less the offset that the estimate found; not negative.
    """

    response: Tensor
    spread: PointSpread
    msi: Tensor


def pair_optics(
    hsi: Tensor,
    msi: Tensor,
    *,
    ratio: int,
    srf: SpectralResponse | None = None,
    psf: PointSpread | None = None,
    response: Response = "hysure",
    spread: Spread = "assumed",
) -> PairOptics:
    """Return the optics that a method is told, by the names of its settings.

    Parameters
    ----------
    hsi : Tensor, shape (L, h, w)
    msi : Tensor, shape (l, h * ratio, w * ratio)
    ratio : int
        Ground sampling distance of ``hsi`` over that of ``msi``.
    srf, psf : optional
        The true ones, used where a setting is ``"given"``; of ``srf``, the coverage also
        otherwise, where an estimate keeps to it.
    response : {"hysure", "covered", "estimated", "given"}
        See above. Without ``srf`` no coverage is known, and HySure's estimate takes all bands.
    spread : {"assumed", "review", "hysure", "given"}
        Gaussian as wide as the ratio, in a window of the paper's or of the review's size;
        HySure's estimate; or ``psf``.

    Returns
    -------
    PairOptics

    Raises
    ------
    ParameterError
        If a setting is unknown, or asks for something that was not given.
    """
    _check("response", response, Response, srf)
    _check("spread", spread, Spread, psf)
    known = review_spread(ratio) if spread == "review" else assumed_spread(ratio)
    if spread == "given" and psf is not None:
        known = psf
    offset = torch.zeros(len(msi), 1, dtype=torch.float64)
    if response == "given" and srf is not None:
        matrix = srf.matrix.double()
    elif response == "hysure":
        matrix = _hysures_response(hsi, msi, ratio, srf)
    else:
        coverage = srf.coverage if srf is not None and response == "covered" else None
        low = known(msi.double()).flatten(1)
        matrix, offset = non_negative_response(hsi.flatten(1), low, coverage)
    if spread == "hysure":
        from hsirepro.fusion.hysure_estimation import estimated_spread

        # HySure finds the blur with its own response, also where another one is used later.
        own = matrix if response in ("hysure", "given") else _hysures_response(hsi, msi, ratio, srf)
        known = estimated_spread(hsi, msi, ratio, own)
    corrected = (msi - offset[:, :, None].to(msi.dtype)).clamp_min(0.0)
    return PairOptics(matrix, known, corrected)


def _hysures_response(hsi: Tensor, msi: Tensor, ratio: int, srf: SpectralResponse | None) -> Tensor:
    """Return HySure's estimate, on the covered bands where the coverage is known."""
    from hsirepro.fusion.hysure_estimation import regularised_response

    if srf is None:
        return regularised_response(hsi, msi, ratio)
    return regularised_response(hsi, msi, ratio, coverage=srf.coverage, wavelengths=srf.wavelengths)


def assumed_spread(ratio: int) -> PointSpread:
    """Return the Gaussian that the paper assumes: a window of the ratio's size.

    Its width is not printed; as in the review [2]_, the full width at half maximum is ``ratio``.

    Examples
    --------
    >>> assumed_spread(4), assumed_spread(5)
    (PointSpread(4 x 4, stride=4), PointSpread(5 x 5, stride=5))
    """
    return PointSpread(gaussian_kernel(ratio, ratio / FWHM), ratio)


def review_spread(ratio: int) -> PointSpread:
    """Return the same Gaussian in the window of the review's toolbox, which overlaps.

    It is 2 ratio wide (one less for odd ratios, to stay centred), with mirrored borders; the
    toolbox cuts the window to one block there.

    Examples
    --------
    >>> review_spread(4), review_spread(5)
    (PointSpread(8 x 8, stride=4), PointSpread(9 x 9, stride=5))
    """
    return PointSpread(gaussian_kernel(2 * ratio - ratio % 2, ratio / FWHM), ratio)


def non_negative_response(
    pixels: Tensor, bands: Tensor, coverage: Sequence[tuple[int, int]] | None = None
) -> tuple[Tensor, Tensor]:
    """Solve the quadratic programme of the module for every MSI band.

    Parameters
    ----------
    pixels : Tensor, shape (L, N)
        Hyperspectral pixels.
    bands : Tensor, shape (l, N)
        The same pixels in the MSI bands, blurred to the grid of the HSI.
    coverage : sequence of (int, int), optional
        First and last HSI band (inclusive) that each MSI band may see; all by default.

    Returns
    -------
    response : Tensor, shape (l, L), float64
        Not negative, not normalised.
    offset : Tensor, shape (l, 1), float64
    """
    x = pixels.double()
    centre, middle = x.mean(dim=1, keepdim=True), bands.double().mean(dim=1, keepdim=True)
    # The offset is free, so it is the difference of the means: centring takes it out of the
    # programme, and QR leaves L equations of the N.
    q, r = torch.linalg.qr((x - centre).T)
    target = (q.T @ (bands.double() - middle).T).numpy()
    response = torch.zeros(len(bands), len(x), dtype=torch.float64)
    ranges = coverage or [(0, len(x) - 1)] * len(bands)
    for row, column, (first, last) in zip(response, target.T, ranges, strict=True):
        seen = slice(first, last + 1)
        row[seen] = torch.from_numpy(nnls(r[:, seen].numpy(), column, maxiter=50 * len(x))[0])
    return response, middle - response @ centre


def _check(setting: str, value: str, allowed: object, needed: object) -> None:
    options = get_args(allowed)
    if value not in options:
        raise ParameterError(f"{setting} cannot be {value!r}.", hint=suggest(str(value), options))
    if value in ("given", "covered") and needed is None:
        name = {"response": "srf", "spread": "psf"}[setting]
        raise ParameterError(
            f"{setting}={value!r}, but no {name} was given.",
            next_step=f"pass {name}=..., or take {setting}={options[0]!r}",
        )
