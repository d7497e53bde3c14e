"""What one sees in pictures of tiles, as numbers: blur, noise, and a frame around each tile."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

INSIDE = 4  # pixels from the border, from where a tile is its inside


class Looks(NamedTuple):
    """Detail and frame of generated tiles, each over that of the real ones."""

    detail: float
    frame: float


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
            float(np.float64(frame(made)) / frame(true)),
        )


def detail(tiles: np.ndarray) -> float:
    """Return the mean absolute difference of neighbours in tiles, shape (n, h, w).

    Examples
    --------
    >>> detail(np.tile([[0.0, 1.0], [1.0, 0.0]], (3, 4, 4)))
    1.0
    """
    return float(np.mean([np.abs(np.diff(tiles, axis=axis)).mean() for axis in (1, 2)]))


def frame(tiles: np.ndarray) -> float:
    """Return how much the border of tiles, shape (n, h, w), stands off from what is beside it.

    The mean absolute difference of the outermost pixels and their neighbours inwards, over that of
    neighbours inside: about 1 for what has no border, be it a scene or noise. Convolutions that
    see zeros beyond the border leave a frame, and frames of tiles side by side look like a grid.

    Examples
    --------
    >>> noise = np.random.default_rng(0).random((400, 16, 16))
    >>> framed = noise.copy()
    >>> framed[:, [0, -1]] += 2.0
    >>> round(frame(noise), 1), frame(framed) > 2
    (1.0, True)
    """
    inside = detail(tiles[:, INSIDE:-INSIDE, INSIDE:-INSIDE])
    jumps = [
        np.abs(side[:, 0] - side[:, 1]).mean()
        for turned in (tiles, tiles.swapaxes(1, 2))
        for side in (turned, turned[:, ::-1])
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.mean(jumps) / np.float64(inside))


def _tiles(picture: np.ndarray, size: int) -> np.ndarray:
    """Cut a picture, shape (H, W, 3), into grey tiles, shape (n, size, size)."""
    grey = np.asarray(picture, dtype=float).mean(axis=2)
    rows, columns = (side // size for side in grey.shape)
    cut = grey[: rows * size, : columns * size].reshape(rows, size, columns, size)
    tiles: np.ndarray = cut.swapaxes(1, 2).reshape(-1, size, size)
    return tiles
