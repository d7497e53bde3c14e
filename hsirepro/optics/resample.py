"""Resampling by a whole ratio, equal to MATLAB's ``imresize``.

Fusion methods and their published numbers rest on ``imresize``: Keys' cubic kernel with
a = -0.5 [1]_, or the linear one, stretched by the ratio when shrinking (anti-aliasing), with
pixel areas aligned and mirrored borders. ``torch.nn.functional.interpolate`` with
``antialias=True`` has the same kernels but renormalises at the border; mirroring the image
before it makes the two equal everywhere.

References
----------
.. [1] R. G. Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP
   29(6), 1981, eq. 15.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hsirepro.errors import ParameterError, ShapeError, suggest
from hsirepro.optics.checks import check_ratio

Mode = Literal["bicubic", "bilinear"]
# Low-resolution pixels that the cubic kernel can reach beyond the border, rounded up.
_REACH = 3
_PIXELS_AT_ONCE = 2**22  # of the enlarged image; 17 MB in float32


def downsample(x: Tensor, ratio: int, mode: Mode = "bicubic") -> Tensor:
    """Shrink images by ``ratio`` with anti-aliasing.

    Parameters
    ----------
    x : Tensor, shape (C, H, W) or (B, C, H, W)
        Images, float32 or float64.
    ratio : int
        Whole number that divides H and W.
    mode : {"bicubic", "bilinear"}
        Keys' cubic (a = -0.5) or the linear kernel.

    Returns
    -------
    Tensor, shape (C, H / ratio, W / ratio) or (B, C, H / ratio, W / ratio)

    Raises
    ------
    ParameterError
        If ``ratio`` or ``mode`` is impossible.
    ShapeError
        If ``ratio`` does not divide the image.

    Examples
    --------
    >>> downsample(torch.ones(3, 12, 8), 4).shape
    torch.Size([3, 3, 2])
    """
    r = check_ratio(ratio)
    H, W = _image_size(x)
    if H % r or W % r:
        raise ShapeError(
            f"An image of {H} x {W} pixels cannot be shrunk by {r}: it is not divisible.",
            next_step=f"crop it to {H - H % r} x {W - W % r}",
        )
    small = _resize(_mirror(x, _REACH * r), (H // r + 2 * _REACH, W // r + 2 * _REACH), mode)
    return small[..., _REACH:-_REACH, _REACH:-_REACH].contiguous()


def upsample(x: Tensor, ratio: int, mode: Mode = "bicubic") -> Tensor:
    """Enlarge images by ``ratio``.

    Parameters
    ----------
    x : Tensor, shape (C, h, w) or (B, C, h, w)
        Images, float32 or float64.
    ratio : int
        Whole number.
    mode : {"bicubic", "bilinear"}
        Keys' cubic (a = -0.5) or the linear kernel.

    Returns
    -------
    Tensor, shape (C, h * ratio, w * ratio) or (B, C, h * ratio, w * ratio)

    Raises
    ------
    ParameterError
        If ``ratio`` or ``mode`` is impossible.

    Examples
    --------
    >>> upsample(torch.ones(3, 4, 5), 8).shape
    torch.Size([3, 32, 40])
    """
    r = check_ratio(ratio)
    h, w = _image_size(x)
    size, edge = ((h + 2 * _REACH) * r, (w + 2 * _REACH) * r), _REACH * r
    planes = x.reshape(-1, h, w)
    large = x.new_empty(len(planes), h * r, w * r)
    # Few planes at a time: the mirrored borders would take the memory of a second image.
    at_once = max(_PIXELS_AT_ONCE // (size[0] * size[1]), 1)
    for start in range(0, len(planes), at_once):
        part = slice(start, start + at_once)
        large[part] = _resize(_mirror(planes[part], _REACH), size, mode)[:, edge:-edge, edge:-edge]
    return large.reshape(*x.shape[:-2], h * r, w * r)


def _image_size(x: Tensor) -> tuple[int, int]:
    if x.ndim not in (3, 4):
        raise ShapeError(
            f"Resampling takes images (C, H, W) or (B, C, H, W), not a tensor of shape "
            f"{tuple(x.shape)}."
        )
    return x.shape[-2], x.shape[-1]


def _mirror(x: Tensor, width: int) -> Tensor:
    """Pad by ``width`` with half-sample symmetry, which torch's own padding does not offer."""
    for axis in (-2, -1):
        index = np.pad(np.arange(x.shape[axis]), width, mode="symmetric")
        x = x.index_select(axis, torch.from_numpy(index).to(x.device))
    return x


def _resize(x: Tensor, size: tuple[int, int], mode: Mode) -> Tensor:
    if mode not in ("bicubic", "bilinear"):
        raise ParameterError(
            f"mode={mode!r} is not a resampling kernel.",
            next_step=suggest(str(mode), ("bicubic", "bilinear")),
        )
    batch = x if x.ndim == 4 else x[None]
    y = F.interpolate(batch, size=size, mode=mode, antialias=True, align_corners=False)
    return y if x.ndim == 4 else y[0]
