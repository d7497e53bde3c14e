"""Images as blocks: the MSI pixels of one HSI pixel, side by side in memory."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

import torch
from torch import Tensor


def to_blocks(image: Tensor, ratio: int) -> Tensor:
    """Reorder an image, shape (l, h * ratio, w * ratio), to (h * w, ratio * ratio, l)."""
    bands, height, width = image.shape
    blocks = image.reshape(bands, height // ratio, ratio, width // ratio, ratio)
    return blocks.permute(1, 3, 2, 4, 0).reshape(-1, ratio * ratio, bands).contiguous()


def from_blocks(blocks: Tensor, height: int, width: int, ratio: int) -> Tensor:
    """Undo :func:`to_blocks` for an image of ``height`` x ``width`` hyperspectral pixels."""
    grid = blocks.reshape(height, width, ratio, ratio, blocks.shape[-1])
    return grid.permute(4, 0, 2, 1, 3).reshape(-1, height * ratio, width * ratio)


def assemble(parts: Iterable[Tensor], height: int, width: int, ratio: int) -> Tensor:
    """Undo :func:`to_blocks` with one part of the blocks in memory at a time.

    Parameters
    ----------
    parts : iterable of Tensor, shape (n, ratio * ratio, L)
        The blocks of consecutive HSI pixels, row by row; at least one part.
    height, width : int
        HSI pixels.
    ratio : int

    Returns
    -------
    Tensor, shape (L, height * ratio, width * ratio)

    Examples
    --------
    >>> image = torch.rand(5, 6, 8)
    >>> bool((assemble(to_blocks(image, 2).split(5), 3, 4, 2) == image).all())
    True
    """
    remaining = iter(parts)
    first = next(remaining)
    image = first.new_empty(first.shape[-1], height * ratio, width * ratio)
    grid = image.view(-1, height, ratio, width, ratio).permute(1, 3, 2, 4, 0)
    done = 0
    for part in chain([first], remaining):
        pixel = torch.arange(done, done + len(part), device=part.device)
        grid[pixel // width, pixel % width] = part.reshape(-1, ratio, ratio, part.shape[-1])
        done += len(part)
    return image
