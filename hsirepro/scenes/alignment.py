"""Which bands a radiance image kept: its spectra laid along one of which all bands are known.

Many public crops of AVIRIS left bands out and do not say which. Radiance that reaches the sensor
is sunlight, what the atmosphere leaves of it, and the ground; the first two are the same
everywhere but for the amount of haze and vapour, and full of lines. So N stored bands are laid
along the M >= N bands of one known radiance spectrum, in order, such that from one stored band to
the next the logarithm of the radiance steps as that of the reference does:

    cost = sum_i  d_i^2 / v_i + ln (v_i / s^2) + lambda [b_i - b_(i-1) > 1],
    d_i  = ln x_i - ln x_(i-1) - (ln r_(b_i) - ln r_(b_(i-1))),
    v_i  = s^2 (b_i - b_(i-1)) + kappa^2 (tau_(b_i) - tau_(b_(i-1)))^2 + noise.

The ground may differ from that of the reference by a random walk along the bands (s per band), the
optical depth tau by a factor (kappa), and every gap costs lambda. The best of all orders is found
by dynamic programming, as in aligning two recordings of one word [1]_. Reflectance has no lines
left to go by: there the result is bands off, and the lists that come with the data are needed.

References
----------
.. [1] H. Sakoe, S. Chiba, "Dynamic programming algorithm optimization for spoken word
   recognition", IEEE Trans. Acoust., Speech, Signal Process., 26(1), 1978.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hsirepro.errors import ParameterError, PixelError, ShapeError

GROUND = 0.06  # s: change of ln reflectance ratio from band to band
DEPTH = 0.5  # kappa: share by which optical depths differ
GAP = 8.0  # lambda, between bands; half of it at either end, where bands are left out first
FLOOR = 5.0  # counts that noise hides
WORST = 16.0  # of a step's cost: an odd band shall not decide alone

Floats = NDArray[np.float64]


def brightness_groups(image: ArrayLike, groups: int = 4) -> Floats:
    """Return mean spectra of an image's pixels, from the darkest group to the brightest.

    Parameters
    ----------
    image : array_like, shape (H, W, N)
    groups : int

    Returns
    -------
    ndarray, shape (groups, N)

    Examples
    --------
    >>> brightness_groups([[[1.0, 3.0], [5.0, 7.0]]], groups=2).tolist()
    [[1.0, 3.0], [5.0, 7.0]]
    """
    values = np.asarray(image, dtype=np.float64)
    pixels = values.reshape(-1, values.shape[-1])
    order = np.argsort(pixels.mean(axis=1), kind="stable")
    return np.stack([pixels[part].mean(axis=0) for part in np.array_split(order, groups)])


def kept_bands(spectra: ArrayLike, reference: ArrayLike, depth: ArrayLike) -> NDArray[np.int64]:
    """Estimate which bands of a sensor the bands of a radiance image are.

    Parameters
    ----------
    spectra : array_like, shape (k, N)
        Spectra of the image, in counts; see :func:`brightness_groups`.
    reference : array_like, shape (M,)
        A radiance spectrum of the sensor with all its bands, in counts.
    depth : array_like, shape (M,)
        Optical depth of an atmosphere at those bands; see
        :func:`~hsirepro.scenes.solar.optical_depth`.

    Returns
    -------
    ndarray of int, shape (N,)
        Rising, 0-based.

    Raises
    ------
    ShapeError
        If the image has more bands than the sensor, or sizes do not fit.
    PixelError
        If a spectrum holds NaN or infinite values.

    Examples
    --------
    >>> sensor = np.array([900.0, 700, 1000, 400, 1200, 300, 1100, 1000])
    >>> kept_bands(sensor[None, [0, 1, 2, 5, 6, 7]] * 2, sensor, np.zeros(8)).tolist()
    [0, 1, 2, 5, 6, 7]
    """
    image, known = np.atleast_2d(np.asarray(spectra, dtype=np.float64)), np.asarray(reference)
    _check(image, known, np.asarray(depth))
    steps, spread = _reference_steps(known, np.asarray(depth, dtype=np.float64))
    stored, M = image.shape[1], len(known)
    lines, noise = _logarithms(image)
    total = GAP / 2 * (np.arange(M) > 0)  # of the best order that ends at each band
    before = np.zeros((stored, M), dtype=np.int64)
    for band in range(1, stored):
        cost = total[:, None] + np.where(_distance(M) == 1, 0.0, GAP)
        for line, hidden in zip(lines, noise, strict=True):
            variance = spread + hidden[band] + hidden[band - 1]
            off = (line[band] - line[band - 1] - steps) ** 2 / variance
            cost += (np.minimum(off, WORST) + np.log(variance / GROUND**2)) / len(lines)
        cost[_distance(M) < 1] = np.inf
        before[band], total = cost.argmin(axis=0), cost.min(axis=0)
    order = [int(np.argmin(total + GAP / 2 * (np.arange(M) < M - 1)))]
    for band in range(stored - 1, 0, -1):
        order.append(int(before[band, order[-1]]))
    return np.array(order[::-1])


def _reference_steps(known: Floats, depth: Floats) -> tuple[Floats, Floats]:
    """Return by how much ln r steps from each band to each other, and that step's variance."""
    (line,), (noise,) = _logarithms(known[None])
    spread = (
        GROUND**2 * np.maximum(_distance(len(known)), 1)
        + (DEPTH * (depth[None, :] - depth[:, None])) ** 2
        + (noise[None, :] + noise[:, None])
    )
    return line[None, :] - line[:, None], spread


def _logarithms(spectra: Floats) -> tuple[Floats, Floats]:
    """Return ln of spectra no lower than noise, and the variance that noise gives it."""
    raised = np.maximum(spectra, FLOOR)
    return np.log(raised), (FLOOR / raised) ** 2


def _distance(bands: int) -> NDArray[np.int64]:
    """Return how far each band (column) lies behind each other (row)."""
    number = np.arange(bands)
    return number[None, :] - number[:, None]


def _check(image: Floats, known: Floats, depth: Floats) -> None:
    if known.ndim != 1 or depth.shape != known.shape:
        raise ShapeError(
            f"A reference of shape {known.shape} and depths of shape {depth.shape} do not fit.",
            next_step="give one value each per band of the sensor",
        )
    if image.shape[1] < 2:
        raise ParameterError("One band alone cannot be placed.")
    if image.shape[1] > len(known):
        raise ShapeError(
            f"The image has {image.shape[1]} bands, and the sensor only {len(known)}.",
            next_step="take the reference of another sensor",
        )
    if not (np.isfinite(image).all() and np.isfinite(known).all()):
        raise PixelError("A spectrum holds NaN or infinite values.")
