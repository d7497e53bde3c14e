"""How many endmembers a scene has room for.

Virtual dimensionality by Harsanyi, Farrand and Chang (HFC): a signal has a mean, white noise has
none. So the k-th eigenvalue of the correlation matrix, rho_k, exceeds that of the covariance
matrix, lambda_k, only where there is signal. Each k is a test at the false-alarm probability P,

    rho_k - lambda_k > -Phi^-1(P) sqrt(2 (rho_k^2 + lambda_k^2) / N),

and the number of tests passed is the number of spectrally distinct sources [1]_, [2]_. It needs
neither a noise estimate nor a model of the mixture; noise that is not white misleads it.

References
----------
.. [1] J. Harsanyi, W. Farrand, C.-I Chang, "Determining the number and identity of spectral
   endmembers: an integrated approach using Neyman-Pearson eigenthresholding and iterative
   constrained RMS error minimization", 9th Thematic Conf. Geologic Remote Sensing, 1993.
.. [2] C.-I Chang, Q. Du, "Estimation of number of spectrally distinct signal sources in
   hyperspectral imagery", IEEE Trans. Geosci. Remote Sens. 42(3), 2004.
"""

from __future__ import annotations

from statistics import NormalDist

import torch
from torch import Tensor

from hsirepro.errors import ParameterError


def hfc(image: Tensor, false_alarm: float = 1e-3) -> int:
    """Count the spectrally distinct sources of an image.

    Parameters
    ----------
    image : Tensor, shape (L, N) or (L, H, W)
    false_alarm : float
        Probability P that pure noise is taken for a source, in each test.

    Returns
    -------
    int
        0 to L.

    Raises
    ------
    ParameterError
        If ``false_alarm`` is not between 0 and 1.

    Examples
    --------
    >>> brightness = torch.linspace(0.5, 1.0, 400)
    >>> hfc(torch.tensor([0.2, 0.4, 0.3])[:, None] * brightness)
    1
    """
    if not 0.0 < false_alarm < 1.0:
        raise ParameterError(
            f"false_alarm={false_alarm} is not a probability between 0 and 1.",
            next_step="give a small one, such as 1e-3",
        )
    pixels = image.flatten(1).double()
    correlation, covariance = (
        torch.linalg.eigvalsh(x @ x.T / x.shape[1]).flip(0) for x in (pixels, _centred(pixels))
    )
    deviation = (2.0 * (correlation.square() + covariance.square()) / pixels.shape[1]).sqrt()
    threshold = -NormalDist().inv_cdf(false_alarm) * deviation
    rounding = 1e-12 * correlation[0]  # of the matrices; no signal
    return int((correlation - covariance > torch.maximum(threshold, rounding)).sum())


def most_endmembers(pixels: Tensor, tolerance: float = 1e-6) -> int:
    """Return the most corners that a simplex around the pixels can have.

    It is one more than the directions in which pixels differ, and at most the number of bands.

    Parameters
    ----------
    pixels : Tensor, shape (L, N)
    tolerance : float
        Smallest standard deviation that counts as a difference, relative to the root mean square
        of the pixels. The default is a few times the rounding of float32.

    Returns
    -------
    int
        1 (all pixels are equal) to min(L, N).

    Examples
    --------
    >>> grey = torch.linspace(0.5, 1.0, 100).expand(4, 100)
    >>> most_endmembers(grey), most_endmembers(torch.ones(4, 100))
    (2, 1)
    """
    x = pixels.double()
    variance = torch.linalg.eigvalsh(_centred(x) @ _centred(x).T / x.shape[1])
    power = x.square().sum(dim=0).mean()
    directions = int((variance > tolerance**2 * power).sum())
    bands, number = x.shape
    return min(directions + 1, bands, number)


def _centred(pixels: Tensor) -> Tensor:
    return pixels - pixels.mean(dim=1, keepdim=True)
