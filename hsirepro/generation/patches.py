"""Patches: the random overlapping tiles of a scene that a generative method learns from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from hsirepro.errors import ParameterError, PixelError, ShapeError, WavelengthError

RED_GREEN_BLUE = (650.0, 550.0, 470.0)  # nm
TOLERANCE = 40.0  # nm: further off, a band no longer stands for its colour


class Patches:
    """Square tiles at random positions of one or several images of the same bands.

    Every position of every image is as likely as any other; tiles overlap, as the papers have it.

    Parameters
    ----------
    images : sequence of Tensor, shape (L, H, W)
        Reflectance, not negative, about 0 to 1.
    size : int
        Rows and columns of a tile.
    wavelength : ndarray, shape (L,), optional
        Band centres in nm, for methods that need to know which band is red.

    Raises
    ------
    ShapeError
        If there is no image, or the images differ in bands.
    ParameterError
        If a tile is larger than an image.
    PixelError
        If a pixel is NaN, infinite or negative, or all pixels are equal.

    Examples
    --------
    >>> patches = Patches([torch.rand(5, 20, 30), torch.rand(5, 12, 12)], size=8)
    >>> patches.bands, patches.positions, patches.draw(4).shape
    (5, 324, torch.Size([4, 5, 8, 8]))
    """

    def __init__(
        self, images: Sequence[Tensor], size: int, wavelength: np.ndarray | None = None
    ) -> None:
        self.images = [image.float() for image in images]
        self.size = size
        self.wavelength = wavelength
        self._check()
        # Views, not copies: shape (C, rows of positions, columns of positions, size, size).
        self._windows = [im.unfold(1, size, 1).unfold(2, size, 1) for im in self.images]
        self._ends = np.cumsum([w.shape[1] * w.shape[2] for w in self._windows])

    @property
    def bands(self) -> int:
        """Number L of bands."""
        return self.images[0].shape[0]

    @property
    def positions(self) -> int:
        """Number of different tiles."""
        return int(self._ends[-1])

    def draw(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Return random tiles.

        Parameters
        ----------
        count : int
        generator : torch.Generator, optional
            torch's global one by default, which a training's checkpoint keeps.

        Returns
        -------
        Tensor, shape (count, L, size, size)
        """
        return self.at(torch.randint(self.positions, (count,), generator=generator).tolist())

    def at(self, positions: Sequence[int]) -> Tensor:
        """Return the tiles at these positions, row by row, image after image."""
        tiles = []
        for position in positions:
            which = int(np.searchsorted(self._ends, position, side="right"))
            window = self._windows[which]
            before = int(self._ends[which - 1]) if which else 0
            row, column = divmod(position - before, window.shape[2])
            tiles.append(window[:, row, column])
        return torch.stack(tiles)

    def mapped(self, function: Callable[[Tensor], Tensor]) -> Patches:
        """Return the tiles of images that a per-pixel function has been applied to.

        Parameters
        ----------
        function : callable
            From shape (L, H, W) to (C, H, W). Its answer may hold any finite values.
        """
        made = object.__new__(Patches)
        made.images = [function(image) for image in self.images]
        made.size, made.wavelength = self.size, None
        made._windows = [im.unfold(1, self.size, 1).unfold(2, self.size, 1) for im in made.images]
        made._ends = self._ends
        return made

    def rgb_bands(self, method: str) -> list[int]:
        """Return the numbers of the bands nearest to red, green and blue, from 0.

        Parameters
        ----------
        method : str
            Who needs them, for errors.

        Raises
        ------
        WavelengthError
            If wavelengths are not known, or none is near one of the colours.

        Examples
        --------
        >>> nm = np.array([460.0, 500.0, 540.0, 580.0, 620.0, 660.0])
        >>> Patches([torch.rand(6, 9, 9)], 4, nm).rgb_bands("MPRNet")
        [5, 2, 0]
        """
        nm = self.wavelength
        if nm is None or len(nm) != self.bands:
            given = "none are" if nm is None else f"{len(nm)} are"
            raise WavelengthError(
                f"{method} needs the wavelengths of {self.bands} bands to find red, green and "
                f"blue; {given} given.",
                next_step="Patches(images, size, wavelength=...), one value in nm per band",
            )
        chosen = [int(np.abs(nm - colour).argmin()) for colour in RED_GREEN_BLUE]
        for colour, band in zip(RED_GREEN_BLUE, chosen, strict=True):
            if not abs(nm[band] - colour) <= TOLERANCE:
                raise WavelengthError(
                    f"No band lies within {TOLERANCE:.0f} nm of {colour:g} nm; "
                    f"the nearest is at {nm[band]:g} nm.",
                    next_step=f"{method} needs a scene that covers 470 to 650 nm; other methods, "
                    "such as 'unmixdiff', do not",
                )
        return chosen

    def pixels(self) -> Tensor:
        """Return all pixels as columns, shape (L, N)."""
        return torch.cat([image.flatten(1) for image in self.images], dim=1)

    def _check(self) -> None:
        if not self.images or any(im.ndim != 3 for im in self.images):
            raise ShapeError(
                "There is no image of shape (bands, rows, columns) to learn from.",
                shapes=", ".join(str(tuple(im.shape)) for im in self.images) or "none",
            )
        if len({im.shape[0] for im in self.images}) > 1:
            raise ShapeError(
                "The images have different numbers of bands: "
                + ", ".join(str(im.shape[0]) for im in self.images)
                + ".",
                next_step="bring them to common bands first",
            )
        least = min(min(im.shape[1:]) for im in self.images)
        if not 1 <= self.size <= least:
            raise ParameterError(
                f"A tile of {self.size} x {self.size} pixels does not fit the image of "
                f"{' x '.join(str(n) for n in self.images[0].shape[1:])}.",
                next_step=f"ask for tiles of at most {least} pixels",
            )
        for image in self.images:
            _check_pixels(image)


def _check_pixels(image: Tensor) -> None:
    if not bool(torch.isfinite(image).all()):
        wrong = int((~torch.isfinite(image)).any(dim=0).sum())
        raise PixelError(
            f"{wrong} pixels are NaN or infinite.",
            next_step="fill them, or cut a part of the scene without them",
        )
    lowest, highest = image.aminmax()
    if float(lowest) < 0:
        share = float((image < 0).float().mean())
        raise PixelError(
            f"{100 * share:.2g} % of the values are negative (down to {float(lowest):.3g}); "
            "reflectance is not.",
            next_step="clip them to 0, as hsirepro.scenes.clean does",
        )
    if float(highest) == float(lowest):
        raise PixelError(
            f"All pixels are {float(lowest):g}: there is nothing to learn.",
            next_step="check the file's scale factor and no-data value",
        )
