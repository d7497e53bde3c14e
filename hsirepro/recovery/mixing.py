"""N: the implicit neural spectral mixing model of INSS, from first order to any.

What reaches the sensor after one reflection is the linear mixture l of eq. 2; after k reflections
it is what came after k - 1 times a response that a small network M^k gives (eq. 4, 5),

    l = t * (R a),      e^1 = l,      e^k = e^(k-1) * x^k,      s = sum_k e^k,
    x^k = R h^k,        h^k = 0.1 tanh M^k(a, E(p)),

with the library R of K bands and N_g spectra, abundances a, and a code E of the pixel's place p
within its tile of D x D pixels (eq. 7),

    E(p) = sin, cos (2 pi p_x / 2^k), sin, cos (2 pi p_y / 2^k),      k = 1 ... log2 D.

The weights of M^k are not learned but predicted, one set for every tile (eq. 6). All pixels of a
tile share them, so a tile is one product of matrices per layer and the weights are never repeated
per pixel: for 256 x 256 pixels these would be 12 GB.

The released code differs: x^k is multiplied as a matrix, over the rows and columns of an image
that must be square, instead of pixel by pixel; M^k is not told the abundances; and p counts from
the corner of the tile instead of its centre. ``composition="matrix"`` and the two other settings
are there to show what that changes, on small squares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from hsirepro.errors import ParameterError, ShapeError

Composition = Literal["elementwise", "matrix"]
Origin = Literal["centre", "corner"]
LARGEST = 0.1  # of a response, before the library
SLOPE = 0.01  # of the leaky ReLUs
PIXELS = 2**13  # mixed at a time


@dataclass(frozen=True)
class Mixing:
    """A mixing model, but for its weights.

    Parameters
    ----------
    materials : int
        Number N_g of spectra.
    order : int
        Highest number of reflections; 1 is the linear model.
    hidden : tuple of int
        Widths of the hidden layers of a network M before its last, whose width is N_g.
    tile : int
        Rows and columns D that share weights; a power of two.
    told_abundances : bool
        Whether M is told the abundances beside the place.
    composition : {"elementwise", "matrix"}
        How orders are multiplied: pixel by pixel, or as the released code does it.
    origin : {"centre", "corner"}
        Where places are counted from.

    Examples
    --------
    >>> Mixing(materials=345).weights_per_tile  # two networks, 16 + 345 -> 32 -> 345
    45938
    """

    materials: int
    order: int = 3
    hidden: tuple[int, ...] = (32,)
    tile: int = 16
    told_abundances: bool = True
    composition: Composition = "elementwise"
    origin: Origin = "centre"

    def __post_init__(self) -> None:
        if self.order < 1:
            raise ParameterError(f"order={self.order} is no number of reflections.")
        if self.tile < 2 or self.tile & (self.tile - 1):
            raise ParameterError(
                f"Tiles of {self.tile} x {self.tile} pixels have no code of places.",
                next_step="give a power of two, such as 8 or 16",
            )

    @property
    def layers(self) -> list[tuple[int, int]]:
        """Inputs and outputs of the layers of one network M."""
        given = self.codes + self.materials * self.told_abundances
        return list(pairwise([given, *self.hidden, self.materials]))

    @property
    def codes(self) -> int:
        """How many numbers tell a place."""
        return 4 * int(math.log2(self.tile))

    @property
    def weights_per_tile(self) -> int:
        """How many weights the networks of all orders have together."""
        return (self.order - 1) * sum((inputs + 1) * outputs for inputs, outputs in self.layers)

    def __call__(
        self, abundances: Tensor, weights: Tensor | None, library: Tensor, atmosphere: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mix.

        Parameters
        ----------
        abundances : Tensor, shape (B, N_g, H, W)
            The tile divides H and W.
        weights : Tensor, shape (B, weights_per_tile, H / D, W / D), or None
            None for the linear model.
        library : Tensor, shape (K, N_g)
        atmosphere : Tensor, shape (K,)

        Returns
        -------
        mixed, linear : Tensor, shape (B, K, H, W)
            s and l.

        Raises
        ------
        ShapeError
            If the image has no whole number of tiles, or orders are to be multiplied as
            matrices and it is not square.
        """
        size = abundances.shape[2:]
        if any(side % self.tile for side in size):
            raise ShapeError(
                f"{size[0]} x {size[1]} pixels are no whole number of tiles of {self.tile}."
            )
        if self.composition == "matrix" or self.order == 1 or weights is None:
            return self._mix(abundances, weights, library, atmosphere)
        # Some rows of tiles at a time: what is in between then fits buffers that are used again,
        # and fresh pages of memory took longer than the products.
        rows = max(1, PIXELS // (self.tile * size[1] * len(abundances)))
        shares = torch.split(abundances, rows * self.tile, dim=2)
        parts = [
            self._mix(one, told, library, atmosphere)
            for one, told in zip(shares, torch.split(weights, rows, dim=2), strict=True)
        ]
        total, linear = (torch.cat(images, dim=2) for images in zip(*parts, strict=True))
        return total, linear

    def _mix(
        self, abundances: Tensor, weights: Tensor | None, library: Tensor, atmosphere: Tensor
    ) -> tuple[Tensor, Tensor]:
        size = abundances.shape[2:]
        tiles = to_tiles(abundances, self.tile)
        linear = (tiles @ library.T) * atmosphere
        if self.order == 1 or weights is None:
            image = from_tiles(linear, size, self.tile)
            return image, image
        scaled = LARGEST * library.T  # rather than every h
        responses = [x.tanh() @ scaled for x in self._outputs(tiles, weights)]
        if self.composition == "matrix":
            return self._as_matrices(linear, responses, size)
        total = linear
        for reflected in _orders(linear, responses)[1:]:
            total = total + reflected
        return from_tiles(total, size, self.tile), from_tiles(linear, size, self.tile)

    def orders(
        self, abundances: Tensor, weights: Tensor | None, library: Tensor, atmosphere: Tensor
    ) -> Tensor:
        """Return e^1, e^2 ... of one image, shape (order, K, H, W), multiplied pixel by pixel.

        Parameters are those of a call, B being 1; so is their sum what a call mixes.
        """
        tiles = to_tiles(abundances, self.tile)
        linear = (tiles @ library.T) * atmosphere
        found = [] if weights is None else self.reflections(tiles, weights)
        parts = _orders(linear, [h @ library.T for h in found])
        return torch.cat([from_tiles(part, abundances.shape[2:], self.tile) for part in parts])

    def reflections(self, tiles: Tensor, weights: Tensor) -> list[Tensor]:
        """Return h^2, h^3 ... of tiles, each of shape (T, D * D, N_g).

        Parameters
        ----------
        tiles : Tensor, shape (T, D * D, N_g)
            Abundances.
        weights : Tensor, shape (B, weights_per_tile, H / D, W / D)
            With T tiles in all.
        """
        return [LARGEST * x.tanh() for x in self._outputs(tiles, weights)]

    def _outputs(self, tiles: Tensor, weights: Tensor) -> list[Tensor]:
        """Return M^2, M^3 ... of tiles, each of shape (T, D * D, N_g)."""
        flat = weights.permute(0, 2, 3, 1).reshape(len(tiles), -1)
        places = place_codes(self.tile, self.origin).to(tiles)
        sizes = [n for inputs, outputs in self.layers for n in (outputs, inputs * outputs)]
        # Cut all at once: the gradient of each cut alone would be as large as all weights.
        given = iter(torch.split(flat, sizes * (self.order - 1), dim=1))
        found = []
        for _ in range(self.order - 1):
            x = None
            for inputs, outputs in self.layers:
                bias = next(given).unsqueeze(1)
                matrix = next(given).view(-1, inputs, outputs)
                if x is None:  # the first layer: places and abundances need not be put together
                    x = places @ matrix[:, : self.codes] + bias
                    if self.told_abundances:
                        x = torch.baddbmm(x, tiles, matrix[:, self.codes :])
                else:
                    x = torch.baddbmm(bias, F.leaky_relu(x, SLOPE), matrix)
            assert x is not None
            found.append(x)
        return found

    def _as_matrices(
        self, linear: Tensor, responses: list[Tensor], size: torch.Size
    ) -> tuple[Tensor, Tensor]:
        if size[0] != size[1]:
            raise ShapeError(
                f"An image of {size[0]} x {size[1]} pixels is no square, and cannot be multiplied "
                "as the released code does.",
                next_step="take composition='elementwise', as the paper has it, or cut a square",
            )
        first = total = reflected = from_tiles(linear, size, self.tile)
        for response in responses:
            reflected = from_tiles(response, size, self.tile) @ reflected
            total = total + reflected
        return total, first


def _orders(linear: Tensor, responses: list[Tensor]) -> list[Tensor]:
    """Return e^1, e^2 ...: what came after one reflection less, times a response (eq. 4)."""
    found = [linear]
    for response in responses:
        found.append(found[-1] * response)
    return found


def place_codes(tile: int, origin: Origin = "centre") -> Tensor:
    """Return E of all places of a tile (eq. 7), shape (D * D, 4 log2 D), row by row.

    Of the shortest period, two pixels, one of the pair is always 0: the sine where places are whole
    numbers, from a corner, and the cosine where they are odd halves, from the centre.

    Examples
    --------
    >>> place_codes(2).shape, place_codes(16).shape
    (torch.Size([4, 4]), torch.Size([256, 16]))
    """
    place = torch.arange(tile, dtype=torch.float32)
    if origin == "centre":
        place = place - (tile - 1) / 2
    periods = 2.0 ** torch.arange(1, int(math.log2(tile)) + 1)
    angle = 2.0 * math.pi * place[:, None] / periods
    code = torch.cat([angle.sin(), angle.cos()], dim=1)
    rows, columns = torch.meshgrid(torch.arange(tile), torch.arange(tile), indexing="ij")
    return torch.cat([code[columns], code[rows]], dim=2).flatten(0, 1)


def to_tiles(image: Tensor, tile: int) -> Tensor:
    """Return the pixels of an image (B, C, H, W) tile by tile, shape (T, D * D, C)."""
    B, C, H, W = image.shape
    parts = _turned(image.flatten(2)).view(B, H // tile, tile, W // tile, tile, C)
    return parts.transpose(2, 3).reshape(-1, tile * tile, C)


def from_tiles(tiles: Tensor, size: torch.Size, tile: int) -> Tensor:
    """Return the image (B, C, H, W) of pixels that lie tile by tile; H and W are ``size``."""
    rows, columns, channels = size[0] // tile, size[1] // tile, tiles.shape[-1]
    parts = tiles.view(-1, rows, columns, tile, tile, channels).transpose(2, 3)
    return _turned(parts.reshape(-1, size[0] * size[1], channels)).view(-1, channels, *size)


def _turned(images: Tensor) -> Tensor:
    """Transpose images (B, M, N), one after the other.

    torch has a fast copy for the transpose of a matrix, and for nothing of more axes.
    """
    return torch.stack([image.T.contiguous() for image in images])
