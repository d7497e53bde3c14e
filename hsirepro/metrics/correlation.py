r"""The place of a scene that a tile resembles most, over all positions.

With tile b of shape (L, h, w) and the block of the scene x at position q,

    similarity(q) = sum_l sum_p b_l(p) x_l(p + q) / (|b| |x_q|),

the numerator is a sum over bands of correlations of two images, and a correlation is a product of
Fourier transforms. The scene is cut into windows that overlap by a tile, so that no sum wraps
around. At each frequency the sum over bands, for all tiles and windows at once, is one matrix
product. Only a set of tiles, windows and bands is held at a time.

Divided by their norms beforehand, pixels all count alike: |b|^2 is then the number of pixels and
the similarity the mean of their cosines. All-zero spectra get a band of their own for that, in
which they agree with each other and with nothing else.

Sums run in float64 and are right to 1e-13 of the energy of tile and window, so a block may be 1e-6
as bright as the window around it and the similarity is still right to 1e-6.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Reading = Literal["pixelwise", "block"]
READINGS = ("pixelwise", "block")

_WINDOW = 128  # least side of a window, where the scene has as many pixels
_HELD = 2**25  # bytes of the spectra of one set of tiles times one set of windows


def nearest_places(tiles: Tensor, scene: Tensor, reading: Reading) -> tuple[Tensor, Tensor, Tensor]:
    """Find the most similar block of the scene for each tile.

    Parameters
    ----------
    tiles : Tensor, shape (n, L, h, w)
    scene : Tensor, shape (L, H, W)
        At least as large as a tile.
    reading : {"pixelwise", "block"}
        Mean of the cosines of pixels, or cosine of the flattened blocks.

    Returns
    -------
    similarity : Tensor, shape (n,), float64
    row, column : Tensor, shape (n,)
        Of the block's upper left pixel; one of them where several are equal.
    """
    n, _, h, w = tiles.shape
    _, H, W = scene.shape
    window = (min(H, max(_WINDOW, 4 * h)), min(W, max(_WINDOW, 4 * w)))
    corners = [(y, x) for y in _starts(H, window[0], h) for x in _starts(W, window[1], w)]
    at_once = max(1, math.isqrt(_HELD // (16 * window[0] * (window[1] // 2 + 1))))
    theirs = _prepare(scene[None], reading, tiles.device)
    norms = theirs.energy[0].unfold(0, h, 1).sum(dim=-1).unfold(1, w, 1).sum(dim=-1).sqrt()

    similarity = torch.full((n,), -math.inf, dtype=torch.float64, device=tiles.device)
    row, column = (torch.zeros(n, dtype=torch.int64, device=tiles.device) for _ in range(2))
    for some in _parts(n, at_once):
        mine = _prepare(tiles[some], reading, tiles.device)
        norm = mine.energy.sum(dim=(1, 2)).sqrt()
        for these in _parts(len(corners), at_once):
            products = _products(mine, theirs, corners[these], window)
            inside = products[:, :, : window[0] - h + 1, : window[1] - w + 1]
            for block, (y, x) in zip(inside.unbind(1), corners[these], strict=True):
                place = norms[y : y + block.shape[1], x : x + block.shape[2]]
                best, where = _cosines(block, norm, place).flatten(1).max(dim=1)
                better = best > similarity[some]
                similarity[some] = best.where(better, similarity[some])
                row[some] = (y + where // block.shape[2]).where(better, row[some])
                column[some] = (x + where % block.shape[2]).where(better, column[some])
    return similarity, row, column


class _Prepared(NamedTuple):
    """Images of which only some bands are converted at a time."""

    images: Tensor  # (n, L, h, w), as given
    divisor: Tensor  # (n, h, w), of each pixel
    energy: Tensor  # (n, h, w), squared norm of each pixel after the division
    dark: Tensor  # (n, 1 or 0, h, w), the band of the all-zero spectra

    @property
    def bands(self) -> int:
        """Number of bands, that of the all-zero spectra included."""
        return self.images.shape[1] + self.dark.shape[1]

    def part(self, bands: slice, rows: slice, columns: slice) -> Tensor:
        """Return some bands of a window, float64."""
        values = self.images[:, bands, rows, columns].to(self.divisor)
        values = values / self.divisor[:, None, rows, columns]
        if bands.stop <= self.images.shape[1]:
            return values
        return torch.cat([values, self.dark[:, :, rows, columns]], dim=1)


def _prepare(images: Tensor, reading: Reading, device: torch.device) -> _Prepared:
    energy = torch.zeros(len(images), *images.shape[2:], dtype=torch.float64, device=device)
    for band in images.unbind(1):
        energy += band.to(energy).square()
    one = torch.ones_like(energy)
    if reading == "block":
        return _Prepared(images, one, energy, energy[:, None][:, :0])
    norm = energy.sqrt()
    return _Prepared(images, norm.where(norm > 0, one), one, (norm == 0).double()[:, None])


def _products(
    mine: _Prepared, theirs: _Prepared, corners: list[tuple[int, int]], window: tuple[int, int]
) -> Tensor:
    """Correlate all tiles with the windows at ``corners``, shape (tiles, windows, *window)."""
    frequencies = window[0] * (window[1] // 2 + 1)
    total = torch.zeros(
        frequencies,
        len(mine.images),
        len(corners),
        dtype=torch.complex128,
        device=mine.energy.device,
    )
    everything = slice(None)
    for bands in _parts(theirs.bands, max(1, max(total.shape[1:]) // 4)):
        cut = [
            theirs.part(bands, slice(y, y + window[0]), slice(x, x + window[1])) for y, x in corners
        ]
        a = torch.fft.rfft2(mine.part(bands, everything, everything), s=window)
        b = torch.fft.rfft2(torch.cat(cut))
        # One matrix product over the bands per frequency; strided ones would be copied one by one.
        a = a.conj_physical_().flatten(2).permute(2, 0, 1).contiguous()
        total.baddbmm_(a, b.flatten(2).permute(2, 1, 0).contiguous())
    spectra = total.permute(1, 2, 0).reshape(*total.shape[1:], window[0], -1)
    products: Tensor = torch.fft.irfft2(spectra, s=window)
    return products


def _cosines(products: Tensor, tile: Tensor, place: Tensor) -> Tensor:
    """Divide inner products (n, y, x) by the norms (n,) and (y, x)."""
    norms = tile[:, None, None] * place
    both_dark = (tile == 0)[:, None, None] & (place == 0)
    cosines = products / norms.where(norms > 0, 1.0)
    return cosines.where(norms > 0, both_dark.double()).clamp(-1.0, 1.0)


def _starts(length: int, window: int, tile: int) -> list[int]:
    """Return where windows begin, such that every tile lies inside one; the last ends flush."""
    return [*range(0, length - window, window - tile + 1), length - window]


def _parts(length: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, length)) for start in range(0, length, size))
