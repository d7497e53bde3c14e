"""What an image pair says of its two cameras, where nobody can tell.

Both images see the same ground, so an MSI band y, blurred to the grid of the HSI Z, is a mixture
of HSI bands,

    PSF_sigma(y) = Z^T r + c,        r >= 0.                Yokoya et al. (2013) [1]_

For a given width sigma the best r and c follow from non-negative least squares, and what they
leave unexplained tells how good the width is: too narrow and too wide a blur both fit worse. So
sigma is the width that leaves least, r the spectral response, sum(r) the gain and c the offset
between the units of the two images. Noise moves gain and offset a little, and in opposite ways, so
they are 1 and 0 unless that fits clearly worse: then the two images have different units.

HyCoNet asks for less than r: for the bands that :mod:`.coverage` makes of it. Then r is fitted
again within them, to see what that costs.

References
----------
.. [1] N. Yokoya, N. Mayumi, A. Iwasaki, "Cross-calibration for data fusion of EO-1/Hyperion and
   Terra/ASTER", IEEE J. Sel. Topics Appl. Earth Observ. Remote Sens. 6(2), 2013.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.optimize import minimize_scalar, nnls
from torch import Tensor

from hsirepro.fusion.estimation import non_negative_response
from hsirepro.optics import PointSpread, SpectralResponse, gaussian_kernel
from hsirepro.papers.hyconet.own_pair.coverage import (
    Array,
    Coverage,
    check_explained,
    estimated_coverage,
)
from hsirepro.papers.hyconet.own_pair.pair import OwnPair
from hsirepro.scenes.cube import to_tensor

PIXELS = 4096  # HSI pixels are enough for a few hundred unknowns; more are thinned out
NARROWEST = 0.25  # MSI pixels: on a finer grid than this no blur can be told from none
# Gain 1 and offset 0 may leave half as much again unexplained, or 0.1 % of the MSI's
# standard deviation, before the two images are taken to have different units.
WORSE, LEAST = 1.5, 1e-3


@dataclass(frozen=True)
class Sensors:
    """What a pair says of its cameras.

    Parameters
    ----------
    spread : PointSpread
        From the grid of the MSI to that of the HSI.
    sigma : float
        Its width, MSI pixels.
    widths : mapping of str to (ndarray, ndarray)
        Width in MSI pixels, and the share of the MSI's standard deviation that it leaves
        unexplained, for each window of the Gaussian that was tried; empty if sigma was given.
    raw : ndarray, shape (l, L)
        Response from all HSI bands, rows of sum 1 unless they are 0.
    coverage : list of (int, int)
        First and last HSI band (inclusive, 0-based) under each MSI band.
    response : SpectralResponse
        Fitted within the coverage.
    same_units : bool
        Whether the MSI needs neither gain nor offset.
    gain, offset : ndarray, shape (l,)
        MSI value = gain * response of the HSI + offset; 1 and 0 for the same units.
    unexplained : ndarray, shape (l,)
        Share of each MSI band's standard deviation that the fit within the coverage leaves.
    """

    spread: PointSpread
    sigma: float
    widths: Mapping[str, tuple[Array, Array]]
    raw: Array
    coverage: Coverage
    response: SpectralResponse
    same_units: bool
    gain: Array
    offset: Array
    unexplained: Array

    @property
    def cover(self) -> SpectralResponse:
        """A response that is flat over the coverage: all that HyCoNet is told."""
        flat = np.zeros(self.response.matrix.shape)
        for row, (first, last) in zip(flat, self.coverage, strict=True):
            row[first : last + 1] = 1.0
        return SpectralResponse(flat, self.response.names, self.response.wavelengths)


def estimate_sensors(
    pair: OwnPair, *, sigma: float = 0.0, coverage: Coverage | None = None
) -> Sensors:
    """Estimate point spread, spectral response, gain and offset from an image pair.

    Parameters
    ----------
    pair : OwnPair
    sigma : float
        Width of the point spread in MSI pixels, where it is known; 0 estimates it.
    coverage : list of (int, int), optional
        Which HSI bands each MSI band covers, where that is known; see
        :func:`coverage_from_file`.

    Returns
    -------
    Sensors

    Raises
    ------
    WavelengthError
        If no mixture of HSI bands explains an MSI band.

    Examples
    --------
    >>> from hsirepro.papers.hyconet.own_pair import open_pair
    >>> pair = open_pair("planted")
    >>> round(estimate_sensors(pair).sigma, 2)
    0.5
    """
    pixels = to_tensor(pair.hsi).flatten(1)
    kept = torch.linspace(0, pixels.shape[1] - 1, min(PIXELS, pixels.shape[1])).long()
    pixels, msi = pixels[:, kept].double(), to_tensor(pair.msi)

    def left(spread: PointSpread) -> float:
        low = spread(msi).flatten(1)[:, kept].double()
        fits = _fit(pixels, low, coverage)
        return float(_unexplained(pixels, low, *fits).pow(2).mean().sqrt())

    r = pair.ratio
    if sigma:
        spread, widths = PointSpread(gaussian_kernel(r, sigma), r), {}
    else:
        windows = {"cut to one block": r, "cut to two blocks": 2 * r - r % 2}
        found = {name: _best_width(left, r, side) for name, side in windows.items()}
        widths = {name: (grid, errors) for name, (grid, errors, _) in found.items()}
        best = min(found, key=lambda name: float(found[name][1].min()))
        sigma = found[best][2]
        spread = PointSpread(gaussian_kernel(windows[best], sigma), r)
    low = spread(msi).flatten(1)[:, kept].double()
    raw = non_negative_response(pixels, low)[0].numpy()
    nm = pair.hsi.wavelength.values
    covered = coverage or estimated_coverage(raw, nm, pair.names)
    fitted, offset = _fit(pixels, low, covered)
    check_explained(fitted.sum(dim=1).numpy(), pair.names)
    unexplained = _unexplained(pixels, low, fitted, offset)
    plain = _fit(pixels, low, covered, same_units=True)
    left_plain = _unexplained(pixels, low, *plain)
    same_units = bool((left_plain <= (WORSE * unexplained).clamp_min(LEAST)).all())
    if same_units:
        (fitted, offset), unexplained = plain, left_plain
    total = raw.sum(axis=1, keepdims=True)
    return Sensors(
        spread,
        float(sigma),
        widths,
        np.divide(raw, total, out=np.zeros_like(raw), where=total > 0),
        covered,
        SpectralResponse(fitted, pair.names, nm),
        same_units,
        fitted.sum(dim=1).numpy(),
        offset.flatten().numpy(),
        unexplained.numpy(),
    )


def calibrated(pair: OwnPair, sensors: Sensors) -> OwnPair:
    """Put the MSI on the scale of the HSI: less the offset, over the gain, not negative."""
    offset = sensors.offset.astype(np.float32)
    msi = ((pair.msi - offset) / sensors.gain.astype(np.float32)).clip(min=0.0)
    units = {name: pair.hsi.attrs[name] for name in ("units",) if name in pair.hsi.attrs}
    return replace(pair, msi=msi.assign_attrs({**pair.msi.attrs, **units}))


def _best_width(
    left: Callable[[PointSpread], float], ratio: int, side: int
) -> tuple[Array, Array, float]:
    """Try widths from almost nothing to the ratio, then look closely around the best."""

    def error(log_sigma: float) -> float:
        kernel = gaussian_kernel(side, float(np.exp(log_sigma)))
        return left(PointSpread(kernel, ratio))

    grid = np.linspace(np.log(NARROWEST), np.log(ratio), 9)
    errors = np.array([error(point) for point in grid])
    at = int(errors.argmin())
    limits = float(grid[max(at - 1, 0)]), float(grid[min(at + 1, len(grid) - 1)])
    close = minimize_scalar(error, bounds=limits, method="bounded", options={"maxiter": 12})
    points = np.append(np.exp(grid), np.exp(close.x))
    values = np.append(errors, close.fun)
    order = np.argsort(points)
    return points[order], values[order], float(points[values.argmin()])


def _fit(
    pixels: Tensor, low: Tensor, coverage: Coverage | None, *, same_units: bool = False
) -> tuple[Tensor, Tensor]:
    """Fit the response of every MSI band, on the covered bands alone if they are known."""
    solve = _weights_of_sum_one if same_units else non_negative_response
    if coverage is None:
        return solve(pixels, low)
    response = torch.zeros(len(low), len(pixels), dtype=torch.float64)
    offset = torch.zeros(len(low), 1, dtype=torch.float64)
    for band, (first, last) in enumerate(coverage):
        part = slice(first, last + 1)
        row, offset[band] = solve(pixels[part], low[band : band + 1])
        response[band, part] = row[0]
    return response, offset


def _weights_of_sum_one(pixels: Tensor, low: Tensor) -> tuple[Tensor, Tensor]:
    """Fit as :func:`non_negative_response`, with rows of sum 1 and no offset."""
    # One more equation, sum(r) = 1, heavier than all pixels together.
    heavy = 1e4 * pixels.square().sum().sqrt().clamp_min(torch.finfo(torch.float64).tiny)
    ones = torch.ones(len(pixels), 1, dtype=torch.float64)
    q, r = torch.linalg.qr(torch.cat([pixels, heavy * ones], dim=1).T)
    aim = torch.cat([low, heavy * torch.ones(len(low), 1, dtype=torch.float64)], dim=1)
    rows = [nnls(r.numpy(), target, maxiter=50 * len(pixels))[0] for target in (aim @ q).numpy()]
    response = torch.from_numpy(np.stack(rows))
    response = response / response.sum(dim=1, keepdim=True)
    return response, torch.zeros(len(low), 1, dtype=torch.float64)


def _unexplained(pixels: Tensor, low: Tensor, response: Tensor, offset: Tensor) -> Tensor:
    """Return the share of each band's standard deviation that the fit leaves, shape (l,)."""
    residual = response @ pixels + offset - low
    spread = (low - low.mean(dim=1, keepdim=True)).square().mean(dim=1).sqrt()
    tiny = torch.finfo(torch.float64).tiny
    return residual.square().mean(dim=1).sqrt() / spread.clamp_min(tiny)
