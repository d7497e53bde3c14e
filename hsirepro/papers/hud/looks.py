"""What one sees in pictures of tiles, as numbers: blur, noise, and the grid of a generator."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

PERIODS = (2, 4)  # pixels: what upsampling twice leaves behind


class Looks(NamedTuple):
    """Detail and grid of generated tiles, each over that of the real ones."""

    detail: float
    grid: float


def looks_of(generated: np.ndarray, real: np.ndarray, size: int) -> Looks:
    """Compare pictures of tiles with pictures of real ones.

    Parameters
    ----------
    generated, real : ndarray, shape (H, W, 3)
        Tiles side by side, in one false colour.
    size : int
        Rows and columns of a tile; what is left over at the margins is left out.

    Returns
    -------
    Looks
        NaN where the real tiles have none.
    """
    made, true = (_tiles(picture, size) for picture in (generated, real))
    with np.errstate(divide="ignore", invalid="ignore"):
        return Looks(
            float(np.float64(detail(made)) / detail(true)),
            float(np.float64(grid(made)) / grid(true)),
        )


def detail(tiles: np.ndarray) -> float:
    """Return the mean absolute difference of neighbours in tiles, shape (n, h, w).

    Examples
    --------
    >>> detail(np.tile([[0.0, 1.0], [1.0, 0.0]], (3, 4, 4)))
    1.0
    """
    return float(np.mean([np.abs(np.diff(tiles, axis=axis)).mean() for axis in (1, 2)]))


def grid(tiles: np.ndarray) -> float:
    """Return how much of the mean tile, shape (n, h, w), repeats every 2 or 4 pixels.

    The root mean square of the mean tile's parts with these periods, along rows and along columns,
    over the root mean square of the tiles' pixels around their means.

    Examples
    --------
    >>> checks = np.tile([[0.0, 1.0], [1.0, 0.0]], (3, 4, 4))
    >>> round(grid(checks), 3), grid(np.zeros((3, 8, 8)))
    (1.0, 0.0)
    """
    around = tiles - tiles.mean(axis=(1, 2), keepdims=True)
    spread = float(np.sqrt(np.square(around).mean()))
    if spread == 0.0:
        return 0.0
    mean = around.mean(axis=0)
    power = np.abs(np.fft.fft2(mean)) ** 2 / mean.size**2
    rows, columns = (np.abs(np.fft.fftfreq(side)) for side in mean.shape)
    periodic = np.isin(rows, [1 / period for period in PERIODS])[:, None] | np.isin(
        columns, [1 / period for period in PERIODS]
    )
    return float(np.sqrt(power[periodic].sum()) / spread)


def _tiles(picture: np.ndarray, size: int) -> np.ndarray:
    """Cut a picture, shape (H, W, 3), into grey tiles, shape (n, size, size)."""
    grey = np.asarray(picture, dtype=float).mean(axis=2)
    rows, columns = (side // size for side in grey.shape)
    cut = grey[: rows * size, : columns * size].reshape(rows, size, columns, size)
    tiles: np.ndarray = cut.swapaxes(1, 2).reshape(-1, size, size)
    return tiles
