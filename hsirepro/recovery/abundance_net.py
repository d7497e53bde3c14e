"""F: the network that INSS and PDASS estimate abundances with from colours.

A U-Net of residual blocks: a 3 x 3 stem, six stages of two residual blocks that halve the
resolution each, and six that double it, bilinearly and then by one 3 x 3 convolution. What stands
beside each other on the way down and up is added. A last convolution gives one number per
spectrum of the library and pixel, of which a softmax makes abundances. The paper counts "6 + 6
residual blocks"; the released code, and so this, has twelve going down and six plain
convolutions going up.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Norm = Literal["running", "batch"]
GROWTH = (1, 2, 4, 8, 8, 8)  # widths of the stages, over that of the first
REACH = 10
"""Pixels of the coarsest grid beyond which nothing matters to a pixel: on the way down 7 of each
grid that a stage halves, on the way up 3, and two convolutions more."""
SLOPE = 0.2  # of the leaky ReLUs
START = 0.02  # standard deviation of the first weights


class AbundanceNet(nn.Module):
    """From colours to abundances and the features that the mixing model is made of.

    Parameters
    ----------
    width : int
        Channels d of the first stage.
    materials : int
        Number N_g of spectra.
    norm : {"running", "batch"}
        Whether a fitted network normalises by what it saw in training or, as the released code
        does, by the image that it is given.
    stages : int
        How often the resolution is halved, at most six times.
    """

    def __init__(self, width: int, materials: int, norm: Norm, stages: int = len(GROWTH)) -> None:
        super().__init__()
        widths = [width * factor for factor in GROWTH[:stages]]
        #: What the sides of an image must be multiples of.
        self.multiple = 2**stages
        #: Channels of the features on the way up, by how many times coarser than the image.
        self.widths = {2**n: w for n, w in enumerate([width, *widths[:-1]])}
        self.stem = _started(nn.Conv2d(3, width, 3, padding=1))
        self.down = nn.ModuleList(_Stage(a, b, norm) for a, b in pairwise([width, *widths]))
        self.norms = nn.ModuleList(_norm(w, norm) for w in widths[:-1])
        self.up = nn.ModuleList(
            _upwards(a, b, norm) for a, b in pairwise([*reversed(widths), width])
        )
        self.head = _started(nn.Conv2d(width, materials, 3, padding=1))

    def forward(self, colours: Tensor) -> tuple[Tensor, dict[int, Tensor]]:
        """Return abundances and features.

        Parameters
        ----------
        colours : Tensor, shape (B, 3, H, W)
            Standardised; ``multiple`` divides the sides.

        Returns
        -------
        abundances : Tensor, shape (B, N_g, H, W)
            Not negative, summing to one.
        features : dict of int to Tensor
            Those of the way up, by how many times coarser than the image they are.
        """
        first = x = self.stem(colours)
        beside = []
        for number, stage in enumerate(self.down):
            x = stage(F.leaky_relu(x, SLOPE))
            if number < len(self.norms):
                x = self.norms[number](x)
            beside.append(x)
        features: dict[int, Tensor] = {}
        x = torch.zeros_like(beside[-1])
        for number, stage in enumerate(self.up):
            x = x + beside.pop()
            x = stage(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))
            features[self.multiple // 2 ** (number + 1)] = x
        logits = self.head(F.leaky_relu(first + x, SLOPE))
        return logits.float().softmax(dim=1), features


class _Stage(nn.Module):
    """Two residual blocks, the first of which halves the resolution."""

    def __init__(self, channels: int, width: int, norm: Norm) -> None:
        super().__init__()
        self.first = _Residual(channels, width, 2, norm)
        self.second = _Residual(width, width, 1, norm)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.first(x))
        return y


class _Residual(nn.Module):
    """Two normalised 3 x 3 convolutions beside the input, or a 1 x 1 convolution of it."""

    def __init__(self, channels: int, width: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 3, stride, padding=1, bias=False),
            _norm(width, norm),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            _norm(width, norm),
        )
        same = stride == 1 and channels == width
        self.aside: nn.Module = nn.Identity()
        if not same:
            conv = nn.Conv2d(channels, width, 1, stride, bias=False)
            self.aside = nn.Sequential(conv, _norm(width, norm))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.aside(x))


def _upwards(channels: int, width: int, norm: Norm) -> nn.Sequential:
    conv = _started(nn.Conv2d(channels, width, 3, padding=1))
    return nn.Sequential(conv, _norm(width, norm), nn.LeakyReLU(SLOPE))


def _started(conv: nn.Conv2d) -> nn.Conv2d:
    """Give a convolution outside the residual blocks its first weights."""
    nn.init.normal_(conv.weight, std=START)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def _norm(width: int, norm: Norm) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, track_running_stats=norm == "running")
