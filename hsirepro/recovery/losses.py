"""Losses of recovery that no library has: the spectral angle's cosine, and colour in HSV."""

from __future__ import annotations

import torch
from torch import Tensor

EPS = 1e-8


def one_minus_cosine(made: Tensor, true: Tensor) -> Tensor:
    """Return 1 less the cosine of the angle between spectra, mean over pixels.

    The paper writes the cosine itself (INSS, eq. 12), which cannot be meant: it would grow.

    Parameters
    ----------
    made, true : Tensor, shape (B, L, H, W)

    Examples
    --------
    >>> bands = torch.eye(2).view(2, 2, 1, 1)
    >>> float(one_minus_cosine(bands, bands.flip(0)))
    1.0
    """
    product = (made * true).sum(dim=1)
    lengths = made.square().sum(dim=1) * true.square().sum(dim=1)
    return (1.0 - product / (lengths + EPS).sqrt()).mean()


def hsv(rgb: Tensor) -> Tensor:
    """Return hue, saturation and value of colours, each 0 to 1 where colours are.

    Parameters
    ----------
    rgb : Tensor, shape (B, 3, H, W)
        Any scale; negative values count as 0.

    Returns
    -------
    Tensor, shape (B, 3, H, W)
        Hue is a share of the full circle; 0 where there is none. Gradients are finite everywhere.

    Examples
    --------
    >>> hsv(torch.tensor([0.0, 0.5, 0.0]).view(1, 3, 1, 1)).flatten().tolist()
    [0.3333333432674408, 1.0, 0.5]
    """
    colours = rgb.clamp_min(0.0)
    red, green, blue = colours.unbind(dim=1)
    value, brightest = colours.max(dim=1)
    spread = value - colours.min(dim=1).values
    safe = torch.where(spread > EPS, spread, torch.ones_like(spread))
    sixths = torch.stack([(green - blue) / safe, 2 + (blue - red) / safe, 4 + (red - green) / safe])
    hue = sixths.gather(0, brightest[None])[0].div(6.0).remainder(1.0)
    hue = torch.where(spread > EPS, hue, torch.zeros_like(hue))
    saturation = spread / torch.where(value > EPS, value, torch.ones_like(value))
    return torch.stack([hue, saturation, value], dim=1)


def hsv_distance(made: Tensor, true: Tensor) -> Tensor:
    """Return the mean absolute difference of colours in HSV (INSS, eq. 14).

    Hues are compared the short way round: that of 0.99 is near that of 0.01. The released code
    does not do so.

    Parameters
    ----------
    made, true : Tensor, shape (B, 3, H, W)
        Red, green, blue.
    """
    off = (hsv(made) - hsv(true)).abs()
    hue = off[:, :1]
    return torch.cat([torch.minimum(hue, 1.0 - hue), off[:, 1:]], dim=1).mean()
