"""Generator and critic of WGAN-GP; ``wgan_gp.py`` says what they are for."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

from hsirepro.errors import ParameterError

LATENT = 128  # numbers in z


class Rising(nn.Module):
    """A residual block that doubles the rows and columns."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(2))
        self.first, self.second = _conv(width, width), _conv(width, width)
        self.shortcut = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return shape (B, width, 2h, 2w) of (B, width, h, w)."""
        y = doubled(self.first, self.norms[0](x).relu())
        y = self.second(self.norms[1](y).relu())
        # A 1x1 convolution gives the same before as after the doubling, at a quarter of the cost.
        summed: Tensor = y + F.interpolate(self.shortcut(x), scale_factor=2)
        return summed


class Falling(nn.Module):
    """A residual block of the critic, which may halve the rows and columns."""

    def __init__(self, channels: int, width: int, *, halve: bool, first: bool = False) -> None:
        super().__init__()
        self.halve, self.is_first = halve, first
        self.first, self.second = _conv(channels, width), _conv(width, width)
        self.shortcut = nn.Conv2d(channels, width, 1) if halve else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return shape (B, width, h/2, w/2), or (B, width, h, w), of (B, channels, h, w)."""
        y = self.first(x if self.is_first else x.relu()).relu()
        y = halved(self.second, y) if self.halve else self.second(y)
        kept: Tensor = self.shortcut(F.avg_pool2d(x, 2) if self.halve else x)
        return kept + y


class TileGenerator(nn.Module):
    """From noise, shape (B, 128), to tiles, shape (B, L, size, size), within [-1, 1]."""

    def __init__(self, bands: int, size: int, width: int) -> None:
        super().__init__()
        self.start = nn.Linear(LATENT, 16 * width)
        self.blocks = nn.Sequential(*[Rising(width) for _ in range(doublings(size))])
        self.end = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), _conv(width, bands))

    def forward(self, noise: Tensor) -> Tensor:
        """Return tiles."""
        x = self.start(noise).unflatten(1, (-1, 4, 4))
        tiles: Tensor = self.end(self.blocks(x)).tanh()
        return tiles


class Critic(nn.Module):
    """From tiles, shape (B, L, size, size), to one number each, shape (B,)."""

    def __init__(self, bands: int, size: int, width: int) -> None:
        super().__init__()
        more = [Falling(width, width, halve=True) for _ in range(doublings(size) - 2)]
        self.blocks = nn.Sequential(
            Falling(bands, width, halve=True, first=True),
            *more,
            Falling(width, width, halve=False),
            Falling(width, width, halve=False),
        )
        self.end = nn.Linear(width, 1)

    def forward(self, tiles: Tensor) -> Tensor:
        """Return what the critic makes of tiles."""
        numbers: Tensor = self.end(self.blocks(tiles).relu().mean(dim=(2, 3)))
        return numbers.squeeze(1)


def doublings(size: int) -> int:
    """Return k of size = 4 * 2^k.

    Raises
    ------
    ParameterError
        If k is no whole number, or less than 1.
    """
    k = round(math.log2(max(size, 8) / 4))
    if size != 4 * 2**k:
        raise ParameterError(
            f"WGAN-GP cannot draw tiles of {size} x {size} pixels.",
            next_step=f"fit it to patches of 8, 16, 32, 64 ..., such as {4 * 2**k}",
        )
    return k


def halved(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """Return the 2x2 means of a 3x3 convolution: one 4x4 convolution, at under half the cost."""
    kernel = F.avg_pool2d(F.pad(conv.weight, [1, 1, 1, 1]), 2, stride=1)
    return F.conv2d(x, kernel, conv.bias, stride=2, padding=1)


def doubled(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """Return the 3x3 convolution of an image of doubled pixels, by one transposed convolution."""
    kernel = 4.0 * F.avg_pool2d(F.pad(conv.weight.flip(2, 3), [1, 1, 1, 1]), 2, stride=1)
    return F.conv_transpose2d(x, kernel.transpose(0, 1), conv.bias, stride=2, padding=1)


def _conv(channels: int, width: int) -> nn.Conv2d:
    """Return a 3x3 convolution with the initial weights of He et al., for ReLUs."""
    conv = nn.Conv2d(channels, width, 3, padding=1)
    nn.init.kaiming_uniform_(conv.weight, nonlinearity="relu")
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv
