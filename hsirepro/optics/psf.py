"""Point spread: what one low-resolution pixel sees of the high-resolution image.

A linear operator per band, with its exact adjoint,

    y[b, i, j] = sum_uv k[u, v] x[b, r i + u - p, r j + v - p],        p = (n - r) // 2,

with a kernel ``k`` of n x n taps, a stride ``r`` and symmetric borders. The kernel is laid over
the image as printed (correlation), as in a strided convolution layer.

HyCoNet [1]_ simulates with n = r: blocks that touch and do not overlap, no border needed.

References
----------
.. [1] K. Zheng et al., "Coupled convolutional neural network with adaptive response function
   learning for unsupervised hyperspectral super resolution", IEEE TGRS 59(3), 2021.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hsirepro.errors import ParameterError, ShapeError
from hsirepro.optics.checks import check_number, check_ratio


def gaussian_kernel(ratio: int, sigma: float) -> Tensor:
    """Sample a Gaussian over one block of ``ratio`` x ``ratio`` pixels.

    The grid is centred on the block, so between two pixels for an even ratio. Taps below the
    float64 rounding step times the peak are set to 0, and the rest are normalised to sum 1;
    both follow MATLAB's ``fspecial('gaussian', ratio, sigma)``.

    Parameters
    ----------
    ratio : int
        Side of the block in high-resolution pixels.
    sigma : float
        Standard deviation in high-resolution pixels.

    Returns
    -------
    Tensor, shape (ratio, ratio), float32

    Raises
    ------
    ParameterError
        If ``ratio`` is not a whole number above 1 or ``sigma`` is not above 0.

    Examples
    --------
    >>> [round(tap, 3) for tap in gaussian_kernel(4, sigma=1.0).sum(0).tolist()]
    [0.134, 0.366, 0.366, 0.134]
    """
    side = check_ratio(ratio)
    width = check_number("sigma", sigma, "high-resolution pixels", positive=True)
    position = np.arange(side) - (side - 1) / 2
    # The exponent is taken relative to its largest value: a narrow Gaussian on an even grid
    # would otherwise underflow to 0 everywhere, its peak lying between the pixels.
    exponent = -(position[:, None] ** 2 + position[None, :] ** 2) / (2 * width**2)
    taps = np.exp(exponent - exponent.max())
    taps[taps < np.finfo(np.float64).eps] = 0
    return torch.from_numpy((taps / taps.sum()).astype(np.float32))


class PointSpread:
    """Blur with a kernel and keep one sample per ``stride``: a linear operator with adjoint.

    Output pixel (i, j) is the weighted sum of a window as large as the kernel and centred on the
    block of ``stride`` x ``stride`` pixels that it replaces. Three cases follow:

    * kernel as large as the stride: non-overlapping blocks ("valid"), no border is touched;
    * kernel larger: windows overlap and reach over the border, where the image is mirrored with
      its edge pixel repeated (half-sample symmetric);
    * kernel smaller: only the middle of each block is seen.

    If kernel and stride differ by an odd number no pixel-exact centring exists; the window then
    lies half a pixel below and to the right of the block centre. Rows and columns beyond the
    last whole block are not used.

    Parameters
    ----------
    kernel : Tensor, shape (n, m)
        Weights. They are used as given; normalise them to sum 1 to keep the radiometry.
    stride : int
        Ratio of the sampling distances; 1 blurs without sampling.

    Raises
    ------
    ParameterError
        If ``kernel`` is not a finite matrix or ``stride`` is not a whole number above 0.

    Examples
    --------
    >>> spread = PointSpread(gaussian_kernel(4, sigma=0.5), stride=4)
    >>> spread(torch.rand(2, 31, 32, 20)).shape
    torch.Size([2, 31, 8, 5])
    """

    def __init__(self, kernel: Tensor, stride: int) -> None:
        if not isinstance(kernel, Tensor) or kernel.ndim != 2 or not kernel.numel():
            shape = tuple(getattr(kernel, "shape", ()))
            raise ParameterError(
                f"A point spread kernel is a matrix tensor, not a {type(kernel).__name__} of shape "
                f"{shape}.",
                next_step="give a tensor of shape (n, m), such as gaussian_kernel(4, 0.5)",
            )
        if not bool(torch.isfinite(kernel).all()):
            raise ParameterError("The point spread kernel holds NaN or infinite weights.")
        self.stride = check_ratio(stride, name="stride", least=1)
        self.kernel = kernel.detach().clone()

    def __repr__(self) -> str:
        size = " x ".join(str(n) for n in self.kernel.shape)
        return f"PointSpread({size}, stride={self.stride})"

    def __call__(self, x: Tensor) -> Tensor:
        """Apply the operator.

        Parameters
        ----------
        x : Tensor, shape (..., H, W)
            Images, floating point.

        Returns
        -------
        Tensor, shape (..., H // stride, W // stride)

        Raises
        ------
        ShapeError
            If the image is smaller than one block.
        """
        rows, columns = self._taps(x.shape[-2:], x.device)
        # (N, 1, H, W) with the bands as the batch: one kernel for all of them.
        flat = x.reshape(-1, 1, *x.shape[-2:])
        padded = flat.index_select(-2, rows).index_select(-1, columns)
        y = F.conv2d(padded, self._weight(x), stride=self.stride)
        return y.reshape(*x.shape[:-2], *y.shape[-2:])

    def adjoint(self, y: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Apply the adjoint, so that <A x, y> = <x, A* y> for all x and y.

        Parameters
        ----------
        y : Tensor, shape (..., h, w)
            Low-resolution images.
        size : (int, int), optional
            (H, W) of the high-resolution image; (h * stride, w * stride) if not given.

        Returns
        -------
        Tensor, shape (..., H, W)

        Raises
        ------
        ShapeError
            If an image of ``size`` would not give one of the size of ``y``.
        """
        h, w = y.shape[-2:]
        H, W = size or (h * self.stride, w * self.stride)
        if (H // self.stride, W // self.stride) != (h, w):
            raise ShapeError(
                f"size=({H}, {W}) at stride {self.stride} gives ({H // self.stride}, "
                f"{W // self.stride}), but the low-resolution image is ({h}, {w})."
            )
        rows, columns = self._taps((H, W), y.device)
        spread = F.conv_transpose2d(y.reshape(-1, 1, h, w), self._weight(y), stride=self.stride)
        # A kernel smaller than the stride leaves a gap after the last window.
        spread = F.pad(
            spread, (0, len(columns) - spread.shape[-1], 0, len(rows) - spread.shape[-2])
        )
        n = spread.shape[0]
        x = spread.new_zeros(n, 1, H, len(columns)).index_add(-2, rows, spread)
        x = x.new_zeros(n, 1, H, W).index_add(-1, columns, x)
        return x.reshape(*y.shape[:-2], H, W)

    def _weight(self, like: Tensor) -> Tensor:
        return self.kernel.to(device=like.device, dtype=like.dtype)[None, None]

    def _taps(self, size: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor]:
        """Return the row and column that each sample of the padded image is read from."""
        if min(size) < self.stride:
            raise ShapeError(
                f"An image of {size[0]} x {size[1]} pixels is smaller than one block of "
                f"{self.stride} x {self.stride}."
            )
        taps = [
            torch.from_numpy(_mirrored(length, taps, self.stride)).to(device)
            for length, taps in zip(size, self.kernel.shape, strict=True)
        ]
        return taps[0], taps[1]


def _mirrored(length: int, taps: int, stride: int) -> np.ndarray:
    """Index of the pixels under all windows along one axis, mirrored at the borders."""
    used = length // stride * stride
    before = (taps - stride) // 2
    after = taps - stride - before
    index = np.pad(np.arange(used), (max(before, 0), max(after, 0)), mode="symmetric")
    return index[max(-before, 0) : len(index) - max(-after, 0)]
