"""Metrics over windows: structural similarity and the universal image quality index.

Both compare local means, variances and covariance, band by band, over windows that lie inside the
image.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from hsirepro.errors import ParameterError, ShapeError, suggest
from hsirepro.metrics.pairs import Image, aligned, positive


def ssim(
    estimate: Image,
    reference: Image,
    *,
    data_range: float,
    window: Literal["gaussian", "uniform"],
) -> float:
    """Structural similarity [1]_, mean over windows and bands.

    Computed by scikit-image with K1 = 0.01 and K2 = 0.03 over windows that lie inside the image.
    Its multichannel form is this mean over bands. Constant bands are defined: the two constants,
    (K data_range)^2, stand in for the missing variance.

    Parameters
    ----------
    estimate, reference : DataArray or ndarray, shape (H, W, C)
    data_range : float
        Span of possible values, such as 1 or 65535. Too large a span brings SSIM close to 1.
    window : {"gaussian", "uniform"}
        11 x 11 Gaussian with sigma 1.5 and population moments, as in [1]_, or 7 x 7 uniform with
        sample moments, the default of scikit-image.

    Raises
    ------
    ParameterError
        If ``data_range`` is not positive or ``window`` is unknown.
    ShapeError
        If the image is smaller than the window.

    References
    ----------
    .. [1] Z. Wang et al., "Image quality assessment: from error visibility to structural
       similarity", IEEE TIP 13(4), 2004.
    """
    from skimage.metrics import structural_similarity

    similarity: Any = structural_similarity  # scikit-image is typed in part

    windows = {
        "gaussian": {"win_size": 11, "gaussian_weights": True, "use_sample_covariance": False},
        "uniform": {"win_size": 7, "use_sample_covariance": True},
    }
    if window not in windows:
        raise ParameterError(f"window={window!r} is unknown.", next_step=suggest(window, windows))
    x, g = aligned(estimate, reference)
    span = positive("data_range", data_range)
    _refuse_small(g, int(windows[window]["win_size"]))
    per_band = [
        similarity(
            g[:, :, b].astype(np.float64),
            x[:, :, b].astype(np.float64),
            data_range=span,
            sigma=1.5,
            **windows[window],
        )
        for b in range(g.shape[2])
    ]
    return float(np.mean(per_band))


def uiqi(estimate: Image, reference: Image, *, block: int) -> float:
    """Universal image quality index [1]_, mean over sliding windows and bands.

    Q = [2 cov(x, g) / (var x + var g)] * [2 mean(x) mean(g) / (mean(x)^2 + mean(g)^2)]

    Either factor is 1 where it would be 0 / 0: two constant windows are compared by their means
    alone, two black ones are equal.

    Parameters
    ----------
    estimate, reference : DataArray or ndarray, shape (H, W, C)
    block : int
        Side of the window in pixels: 8 in [1]_, 32 in most fusion papers.

    Raises
    ------
    ParameterError
        If ``block`` is not a whole number above 1.
    ShapeError
        If the image is smaller than the window.

    References
    ----------
    .. [1] Z. Wang, A. C. Bovik, "A universal image quality index", IEEE SPL 9(3), 2002.
    """
    if isinstance(block, bool) or not isinstance(block, (int, np.integer)) or block < 2:
        raise ParameterError(
            f"block={block!r} is not a window side.", next_step="give a whole number, such as 32"
        )
    x, g = aligned(estimate, reference)
    _refuse_small(g, int(block))
    bands = range(g.shape[2])
    return float(np.mean([_uiqi_band(x[:, :, b], g[:, :, b], int(block)) for b in bands]))


def _uiqi_band(x: np.ndarray, g: np.ndarray, block: int) -> float:
    from scipy.ndimage import uniform_filter

    x, g = x.astype(np.float64), g.astype(np.float64)
    first, last = block // 2, (block - 1) // 2

    def mean(image: np.ndarray) -> np.ndarray:
        """Mean of every window that lies inside the image."""
        H, W = image.shape
        local: np.ndarray = uniform_filter(image, block)
        return local[first : H - last, first : W - last]

    # Moments about a value near the image keep the digits that E[x^2] - E[x]^2 would cancel.
    centre = g.mean()
    dx, dg = x - centre, g - centre
    mx, mg = mean(dx), mean(dg)
    spread = mean(dx * dx) - mx * mx + mean(dg * dg) - mg * mg
    covariance = mean(dx * dg) - mx * mg
    # What is left of a constant window is rounding, not structure.
    rounding = 1e-13 * max(float(np.square(dx).max()), float(np.square(dg).max()))
    structured = spread > rounding
    structure = np.where(structured, 2 * covariance / np.where(structured, spread, 1), 1)
    mx, mg = mx + centre, mg + centre
    power = mx**2 + mg**2
    luminance = np.where(power > 0, 2 * mx * mg / np.where(power > 0, power, 1), 1)
    return float(np.mean(structure * luminance))


def _refuse_small(image: np.ndarray, side: int) -> None:
    H, W = image.shape[:2]
    if min(H, W) < side:
        raise ShapeError(f"An image of {H} x {W} pixels is smaller than a window of {side}.")
