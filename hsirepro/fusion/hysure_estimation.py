"""Response and point spread from the image pair alone, as HySure estimates them.

Both images see the same ground, so a band of the MSI, blurred to the HSI, is a mixture of HSI
bands, and a mixture of HSI bands is the MSI, blurred. First the response, with both images
blurred so widely that the point spread between them no longer matters [1]_:

    r_b = (Z Z^T + lambda D^T D)^-1 Z y_b,

with the bands Z of the blurred HSI that y_b covers, the blurred and sampled MSI band y_b, and
first differences D along the bands, but not across a gap in the spectrum. Then the kernel, with
P_n the patch of an MSI band around HSI pixel n:

    k = (sum_bn P_n P_n^T + lambda (D_h^T D_h + D_v^T D_v))^-1 sum_bn P_n (r_b Z)_n,

over the HSI pixels whose patch lies inside the image, with the HSI projected on its leading
singular vectors. Rows of the response and the kernel are divided by their sums; both may be
negative in places. Images are scaled by the largest HSI pixel, for lambda to have a meaning.

The toolbox of the authors blurs the MSI by 9 x 9, with borders that wrap around, and estimates a
kernel of (2r - 1)^2 around one pixel of the block. On blocks of even side both have no centre;
here they get one more pixel, the point spread is estimated around the middle of the block, and
borders are mirrored.

References
----------
.. [1] M. Simões, J. Bioucas-Dias, L. Almeida, J. Chanussot, "A convex formulation for
   hyperspectral image superresolution via subspace-based regularization", IEEE Trans. Geosci.
   Remote Sens. 53(6), 2015, section III.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hsirepro.fusion.estimation import assumed_spread
from hsirepro.optics import PointSpread

_WINDOW = 9  # high-resolution pixels, of the blur that hides the point spread
GAP = 1.5  # median steps between band centres: what is wider is a gap in the spectrum
_TINY = torch.finfo(torch.float64).tiny


def regularised_response(
    hsi: Tensor,
    msi: Tensor,
    ratio: int,
    *,
    coverage: Sequence[tuple[int, int]] | None = None,
    wavelengths: np.ndarray | None = None,
    smoothing: float = 10.0,
) -> Tensor:
    """Estimate the spectral response.

    Parameters
    ----------
    hsi : Tensor, shape (L, h, w)
    msi : Tensor, shape (l, h * ratio, w * ratio)
    ratio : int
        Ground sampling distance of ``hsi`` over that of ``msi``.
    coverage : sequence of (int, int), optional
        First and last HSI band (inclusive) that each MSI band sees; all by default.
    wavelengths : ndarray, shape (L,), optional
        Band centres in nm, which tell the gaps; none by default.
    smoothing : float
        Weight lambda of the differences between neighbouring bands.

    Returns
    -------
    Tensor, shape (l, L), float64
        Rows sum to 1, unless their sum is close to 0 (a black band).
    """
    scale = hsi.max().double().clamp_min(_TINY)
    reach = int(4 / ratio + 0.5)
    low = _mean(2 * reach + 1, stride=1)(hsi.double() / scale).flatten(1)
    bands = _mean(_WINDOW + (ratio + 1) % 2, stride=ratio)(msi.double() / scale).flatten(1)
    D = differences(len(low))
    if wavelengths is not None and len(D):
        steps = np.abs(np.diff(wavelengths))
        D = D[torch.from_numpy(steps <= GAP * np.median(steps))]
    gram, mixed = low @ low.T, bands @ low.T
    response = torch.zeros(len(msi), len(low), dtype=torch.float64)
    for row, right, (first, last) in zip(
        response, mixed, coverage or [(0, len(low) - 1)] * len(msi), strict=True
    ):
        seen = slice(first, last + 1)
        inside = D[:, seen].abs().sum(dim=1) == 2.0  # both neighbours are covered
        smooth = D[inside][:, seen]
        normal = gram[seen, seen] + smoothing * smooth.T @ smooth
        row[seen] = torch.linalg.pinv(normal, hermitian=True) @ right[seen]
    total = response.sum(dim=1, keepdim=True)
    meaningful = total.abs() > 1e-6 * response.abs().sum(dim=1, keepdim=True)
    return response / total.where(meaningful, torch.ones_like(total))


def estimated_spread(
    hsi: Tensor,
    msi: Tensor,
    ratio: int,
    response: Tensor,
    *,
    smoothing: float = 10.0,
    components: int = 30,
) -> PointSpread:
    """Estimate the point spread.

    Parameters
    ----------
    hsi : Tensor, shape (L, h, w)
    msi : Tensor, shape (l, h * ratio, w * ratio)
    ratio : int
        Ground sampling distance of ``hsi`` over that of ``msi``.
    response : Tensor, shape (l, L)
        From HSI to MSI bands.
    smoothing : float
        Weight lambda of the differences between neighbouring taps.
    components : int
        Singular vectors that the HSI is projected on.

    Returns
    -------
    PointSpread
        Kernel of 2 ratio pixels a side (one less for odd ratios), of sum 1; the assumed Gaussian
        where the pair does not determine one, as a black scene or one of two HSI pixels.
    """
    scale = hsi.max().double().clamp_min(_TINY)
    pixels = hsi.double().flatten(1) / scale
    basis = torch.linalg.eigh(pixels @ pixels.T).eigenvectors[:, -components:]
    target = ((response.double() @ basis) @ (basis.T @ pixels)).reshape(-1, *hsi.shape[1:])
    side = 2 * ratio - ratio % 2
    first = -(-((side - ratio) // 2) // ratio)  # HSI pixels next to the border, whose patch
    skip = first * ratio - (side - ratio) // 2  # would reach over it
    D = differences(side)
    eye = torch.eye(side, dtype=torch.float64)
    normal = smoothing * (torch.kron(D.T @ D, eye) + torch.kron(eye, D.T @ D))
    right = torch.zeros(side**2, dtype=torch.float64)
    inner = target[:, first : len(target[0]) - first, first : target.shape[2] - first]
    for band, seen in zip(msi, inner, strict=True) if inner.numel() else ():
        image = band[skip:, skip:].double() / scale
        patches = F.unfold(image[None, None], side, stride=ratio)[0]
        normal += patches @ patches.T
        right += patches @ seen.flatten()
    kernel = torch.linalg.pinv(normal, hermitian=True) @ right
    total = kernel.sum()
    if not total > 1e-6 * kernel.abs().sum():
        return assumed_spread(ratio)
    return PointSpread((kernel / total).reshape(side, side).float(), ratio)


def differences(length: int) -> Tensor:
    """Return the matrix of first differences between neighbours, (length - 1, length)."""
    eye = torch.eye(length, dtype=torch.float64)
    return eye[1:] - eye[:-1]


def _mean(side: int, stride: int) -> PointSpread:
    return PointSpread(torch.full((side, side), 1.0 / side**2, dtype=torch.float64), stride)
