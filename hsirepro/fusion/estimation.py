"""What a fusion method believes of the sensors: their spectral response and point spread.

HyCoNet learns both. The methods it is compared with are told both, and what they are told is part
of the comparison [1]_: the paper estimates the response from the image pair, and assumes a
Gaussian point spread as wide as the ratio, whatever blurred the scene. Here

* the response of an MSI band y comes from a non-negative quadratic programme with an offset [2]_,

      min_{r >= 0, c}  || Z^T r + c - PSF(y) ||^2,

  after which c is taken off the band, or from HySure's regularised least squares, or is given;
* the point spread is assumed, with a full width at half maximum equal to the ratio, or estimated
  as HySure does, or is given.

The paper says that the assumed kernel is as large as the ratio; the toolbox of the review, which
it runs, uses one of twice the size.

References
----------
.. [1] K. Zheng et al., "Coupled convolutional neural network with adaptive response function
   learning for unsupervised hyperspectral super resolution", IEEE TGRS 59(3), 2021, section IV-C.
.. [2] N. Yokoya, N. Mayumi, A. Iwasaki, "Cross-calibration for data fusion of EO-1/Hyperion and
   Terra/ASTER", IEEE J. Sel. Topics Appl. Earth Observ. Remote Sens. 6(2), 2013.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor

from hsirepro.errors import ParameterError, suggest
from hsirepro.optics import PointSpread, SpectralResponse, gaussian_kernel

Response = Literal["estimated", "hysure", "given"]
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
    error : Tensor, shape (l,)
        RMSE of the response's prediction over the mean of each MSI band.
    """

    response: Tensor
    spread: PointSpread
    msi: Tensor
    error: Tensor


def pair_optics(
    hsi: Tensor,
    msi: Tensor,
    *,
    ratio: int,
    srf: SpectralResponse | None = None,
    psf: PointSpread | None = None,
    response: Response = "estimated",
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
        The true ones, used where a setting is ``"given"``.
    response : {"estimated", "hysure", "given"}
        Non-negative quadratic programme, regularised least squares, or ``srf``.
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
    low = known(msi.double())
    if response == "given" and srf is not None:
        matrix, offset = srf.matrix.double(), torch.zeros(len(msi), 1, dtype=torch.float64)
    elif response == "hysure":
        from hsirepro.fusion.hysure_estimation import regularised_response

        matrix = regularised_response(hsi, msi, ratio)
        offset = torch.zeros(len(msi), 1, dtype=torch.float64)
    else:
        matrix, offset = non_negative_response(hsi.flatten(1), low.flatten(1))
    if spread == "hysure":
        from hsirepro.fusion.hysure_estimation import estimated_spread, regularised_response

        # HySure finds the blur with its own response, also where another one is used later.
        own = matrix if response != "estimated" else regularised_response(hsi, msi, ratio)
        known = estimated_spread(hsi, msi, ratio, own)
    residual = matrix @ hsi.flatten(1).double() + offset - low.flatten(1)
    tiny = torch.finfo(torch.float64).tiny
    error = residual.square().mean(dim=1).sqrt() / low.flatten(1).mean(dim=1).clamp_min(tiny)
    corrected = (msi - offset[:, :, None].to(msi.dtype)).clamp_min(0.0)
    return PairOptics(matrix, known, corrected, error)


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


def non_negative_response(pixels: Tensor, bands: Tensor) -> tuple[Tensor, Tensor]:
    """Solve the quadratic programme of the module for every MSI band.

    Parameters
    ----------
    pixels : Tensor, shape (L, N)
        Hyperspectral pixels.
    bands : Tensor, shape (l, N)
        The same pixels in the MSI bands, blurred to the grid of the HSI.

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
    rows = [nnls(r.numpy(), column, maxiter=50 * len(x))[0] for column in target.T]
    response = torch.from_numpy(np.stack(rows))
    return response, middle - response @ centre


def _check(setting: str, value: str, allowed: object, needed: object) -> None:
    options = get_args(allowed)
    if value not in options:
        raise ParameterError(f"{setting} cannot be {value!r}.", hint=suggest(str(value), options))
    if value == "given" and needed is None:
        name = {"response": "srf", "spread": "psf"}[setting]
        raise ParameterError(
            f"{setting}='given', but no {name} was given.",
            next_step=f"pass {name}=..., or take {setting}={options[0]!r}",
        )
