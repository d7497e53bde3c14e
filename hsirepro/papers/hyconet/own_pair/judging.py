"""What can be measured of a fused cube X without a truth.

* **Reduced resolution** (Wald's protocol [1]_). Both images are degraded once more by the ratio,
  and fused; the given HSI is then the truth.
* **Consistency.** X must lead back to what was given: PSF(X) = Z and SRF(X) = Y. That is
  necessary and not sufficient: :func:`hidden_change` makes another cube that leads back to the
  same two images.

References
----------
.. [1] L. Wald, T. Ranchin, M. Mangolini, "Fusion of satellite images of different spatial
   resolutions: assessing the quality of resulting images", PE&RS 63(6), 1997.
"""

from __future__ import annotations

import numpy as np
import torch
import xarray as xr
from scipy.sparse.linalg import LinearOperator, cg

from hsirepro.errors import ShapeError
from hsirepro.metrics import psnr, rmse
from hsirepro.optics import PointSpread, SpectralResponse
from hsirepro.papers.hyconet.own_pair.pair import OwnPair
from hsirepro.scenes.cube import from_tensor, make_cube, to_tensor

FEWEST = 3  # rows or columns of an HSI that can still be fused and scored


def reduced(pair: OwnPair, spread: PointSpread) -> OwnPair:
    """Degrade both images once more by the ratio; the given HSI becomes the truth.

    Rows and columns of the HSI that the ratio does not divide are left out at the end.

    Parameters
    ----------
    pair : OwnPair
    spread : PointSpread
        What blurs both images; its stride is the ratio.

    Returns
    -------
    OwnPair
        HSI of (h // ratio, w // ratio) pixels, MSI of the truth's size.

    Raises
    ------
    ShapeError
        If the degraded HSI would have less than 3 rows or columns.
    """
    ratio = pair.ratio
    rows, columns = (pair.hsi.sizes[axis] // ratio for axis in ("y", "x"))
    if min(rows, columns) < FEWEST:
        raise ShapeError(
            f"The HSI is too small to be degraded once more: at ratio {ratio} its "
            f"{pair.hsi.sizes['y']} x {pair.hsi.sizes['x']} pixels become {rows} x {columns}.",
            needed=f"{FEWEST * ratio} x {FEWEST * ratio} pixels or more",
            next_step="give a larger cut-out of both images, if there is one",
        )
    truth = pair.hsi.isel(y=slice(rows * ratio), x=slice(columns * ratio))
    sharp = pair.msi.isel(y=slice(rows * ratio**2), x=slice(columns * ratio**2))
    low, msi = (from_tensor(spread(to_tensor(cube)), cube) for cube in (truth, sharp))
    return OwnPair(low, msi, ratio, pair.names, truth=truth, psf=spread)


def consistency(
    cube: xr.DataArray, pair: OwnPair, spread: PointSpread, response: SpectralResponse
) -> dict[str, float]:
    """Measure how well a fused cube leads back to the two images it came from.

    Parameters
    ----------
    cube : DataArray, shape (h * ratio, w * ratio, L)
    pair : OwnPair
        In the units of ``cube``; see :func:`~hsirepro.papers.hyconet.own_pair.calibrated`.
    spread, response : PointSpread, SpectralResponse
        What is believed of the two cameras.

    Returns
    -------
    dict of str to float
        ``HSI RMSE`` and ``MSI RMSE`` in the units of the HSI; ``HSI PSNR`` and ``MSI PSNR`` in dB
        against the maximum of each band, infinite where a band is met exactly.
    """
    x = to_tensor(cube)
    scores = {}
    for name, image, made in (("HSI", pair.hsi, spread(x)), ("MSI", pair.msi, response(x))):
        back = from_tensor(made, image)
        scores[f"{name} RMSE"] = rmse(back, image)
        scores[f"{name} PSNR"] = psnr(back, image, peak="reference-band-max")
    return scores


def hidden_change(
    cube: xr.DataArray, spread: PointSpread, response: SpectralResponse, seed: int = 0
) -> xr.DataArray:
    """Return a change of RMSE 1 that neither camera sees: PSF(change) = 0 and SRF(change) = 0.

    It is an image that the PSF blurs to nothing, times a spectrum that the SRF weights to nothing.

    Parameters
    ----------
    cube : DataArray, shape (H, W, L)
        Whose size and wavelengths the change has.
    spread, response : PointSpread, SpectralResponse
        Of the two cameras.
    seed : int
        Of the image and the spectrum, which are random.
    """
    rng = np.random.default_rng(seed)
    H, W, L = cube.shape
    image = torch.from_numpy(rng.standard_normal((H, W)))
    blurred = spread(image)
    size = blurred.numel()

    def twice(low: np.ndarray) -> np.ndarray:
        back = spread.adjoint(torch.from_numpy(low).reshape(blurred.shape), (H, W))
        return np.asarray(spread(back)).reshape(-1)

    # The nearest image that is blurred to nothing: image - A^T (A A^T)^-1 A image.
    normal = LinearOperator((size, size), matvec=twice, dtype=np.float64)
    weights = cg(normal, blurred.numpy().reshape(-1), rtol=1e-10, maxiter=500)[0]
    image = image - spread.adjoint(torch.from_numpy(weights).reshape(blurred.shape), (H, W))
    # Smooth, so that it looks like a spectrum: a few slow waves over the bands.
    waves = np.cos(np.pi * np.outer(np.arange(1, 7), np.arange(L) + 0.5) / L)
    spectrum = rng.standard_normal(6) @ waves
    R = response.matrix.double().numpy()
    spectrum = spectrum - np.linalg.pinv(R) @ (R @ spectrum)
    pattern = (image / image.square().mean().sqrt()).float().numpy()
    spectrum = (spectrum / np.sqrt(np.mean(spectrum**2))).astype(np.float32)
    return make_cube(pattern[:, :, None] * spectrum, cube.wavelength.values)
