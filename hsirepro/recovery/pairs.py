"""Pairs: colour images and the hyperspectral images that a method learns to make of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from hsirepro.errors import ParameterError, PixelError, ShapeError


class Pairs:
    """Images of three colours and of L bands, pixel for pixel on each other.

    Parameters
    ----------
    rgb : sequence of Tensor, shape (3, H, W)
        Red, green, blue.
    hsi : sequence of Tensor, shape (L, H, W)
        Each on its ``rgb``. Any unit in which values are about 0 to 1.
    wavelength : ndarray, shape (L,), optional
        Band centres in nm, for methods that need them.

    Raises
    ------
    ShapeError
        If there is no pair, or two images of a pair or the bands of two pairs do not fit.
    PixelError
        If a pixel is NaN or infinite.

    Examples
    --------
    >>> pairs = Pairs([torch.rand(3, 20, 30)], [torch.rand(7, 20, 30)])
    >>> [tuple(crops.shape) for crops in pairs.draw(4, 8)]
    [(4, 3, 8, 8), (4, 7, 8, 8)]
    """

    def __init__(
        self, rgb: Sequence[Tensor], hsi: Sequence[Tensor], wavelength: np.ndarray | None = None
    ) -> None:
        self.rgb = [image.float() for image in rgb]
        self.hsi = [image.float() for image in hsi]
        self.wavelength = None if wavelength is None else np.asarray(wavelength, dtype=np.float64)
        self._check()

    @property
    def bands(self) -> int:
        """Number L of bands."""
        return self.hsi[0].shape[0]

    def __len__(self) -> int:
        return len(self.rgb)

    def draw(
        self,
        count: int,
        size: int,
        *,
        flips: bool = False,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return random crops of the pairs; every position is as likely as any other.

        Parameters
        ----------
        count : int
        size : int
            Rows and columns, no more than the smallest image has.
        flips : bool
            Whether a crop may be mirrored and turned by quarters, all eight ways alike.
        generator : torch.Generator, optional
            torch's global one by default, which a training's checkpoint keeps.

        Returns
        -------
        tuple of Tensor, shapes (count, 3, size, size) and (count, L, size, size)

        Raises
        ------
        ParameterError
            If an image is smaller than a crop.
        """
        self.check_crop(size)
        places = np.cumsum([(i.shape[1] - size + 1) * (i.shape[2] - size + 1) for i in self.rgb])
        numbers = torch.randint(int(places[-1]), (count,), generator=generator).tolist()
        turns = torch.randint(8, (count,), generator=generator).tolist() if flips else [0] * count
        colours: list[Tensor] = []
        spectra: list[Tensor] = []
        for number, turn in zip(numbers, turns, strict=True):
            which = int(np.searchsorted(places, number, side="right"))
            inside = number - (int(places[which - 1]) if which else 0)
            row, column = divmod(inside, self.rgb[which].shape[2] - size + 1)
            for images, crops in ((self.rgb, colours), (self.hsi, spectra)):
                crop = images[which][:, row : row + size, column : column + size]
                crop = torch.rot90(crop, turn % 4, dims=(1, 2))
                crops.append(crop.flip(2) if turn >= 4 else crop)
        return torch.stack(colours), torch.stack(spectra)

    def check_crop(self, size: int) -> None:
        """Raise ParameterError unless crops of that size fit every image."""
        least = min(min(image.shape[1:]) for image in self.rgb)
        if not 1 <= size <= least:
            raise ParameterError(
                f"A crop of {size} x {size} pixels does not fit the smallest image, whose shorter "
                f"side has {least}.",
                next_step=f"ask for crops of at most {least} pixels, or leave that image out",
            )

    def to(self, device: torch.device) -> Pairs:
        """Return the pairs on a device."""
        made = object.__new__(Pairs)
        made.rgb = [image.to(device) for image in self.rgb]
        made.hsi = [image.to(device) for image in self.hsi]
        made.wavelength = self.wavelength
        return made

    def band_statistics(self) -> tuple[Tensor, Tensor]:
        """Return mean and variance of each band over all pixels, shapes (L,)."""
        pixels = torch.cat([image.flatten(1) for image in self.hsi], dim=1)
        return pixels.mean(dim=1), pixels.var(dim=1, unbiased=False)

    def colour_statistics(self) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of each colour over all pixels, shapes (3,)."""
        pixels = torch.cat([image.flatten(1) for image in self.rgb], dim=1)
        return pixels.mean(dim=1), pixels.std(dim=1, unbiased=False)

    def _check(self) -> None:
        if not self.rgb or len(self.rgb) != len(self.hsi):
            raise ShapeError(
                f"{len(self.rgb)} colour images and {len(self.hsi)} hyperspectral ones make no "
                "pairs.",
                next_step="give one of each per scene, in the same order",
            )
        for colour, spectral in zip(self.rgb, self.hsi, strict=True):
            if colour.ndim != 3 or colour.shape[0] != 3 or spectral.shape[1:] != colour.shape[1:]:
                raise ShapeError(
                    f"Shapes {tuple(colour.shape)} and {tuple(spectral.shape)} are no pair.",
                    next_step="give (3, rows, columns) and (bands, rows, columns)",
                )
            if not bool(torch.isfinite(colour).all() and torch.isfinite(spectral).all()):
                raise PixelError(
                    "A pixel of the pairs is NaN or infinite.",
                    next_step="fill it, or cut a part of the scene without it",
                )
        found = sorted({image.shape[0] for image in self.hsi})
        if len(found) > 1:
            raise ShapeError(
                f"The images have different numbers of bands: {', '.join(map(str, found))}.",
                next_step="bring them to common bands first",
            )
        if self.wavelength is not None and self.wavelength.shape != (self.bands,):
            raise ShapeError(
                f"{self.wavelength.size} wavelengths do not fit {self.bands} bands.",
            )
