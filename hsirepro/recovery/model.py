"""What a fitted recovery method is: it gives a colour image spectra, and can be kept in a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsirepro import training
from hsirepro.errors import ParameterError, PixelError, ShapeError


@dataclass(frozen=True)
class Recovered:
    """What a model makes of a colour image.

    Parameters
    ----------
    image : Tensor, shape (L, H, W)
        In the unit of the images that the model was fitted to.
    abundances : Tensor, shape (p, H, W), optional
        Not negative, summing to one over p, where the method has them.
    """

    image: Tensor
    abundances: Tensor | None = None


class Recoverer(nn.Module, ABC):
    """A model from colours to spectra. ``shape`` rebuilds it empty; its state fills it."""

    #: Constructor arguments, plain numbers and texts, so that a file can hold them.
    shape: dict[str, object]
    #: Number L of bands.
    bands: int
    #: What the sides of an image must be multiples of; others are padded by reflection.
    multiple: int = 1
    #: How long the sides of an image must be; shorter ones are padded likewise.
    least: int = 1
    #: Pixels beyond which nothing matters to a pixel; None where it has not been worked out.
    reach: int | None = None

    @abstractmethod
    def parts(self, rgb: Tensor) -> dict[str, Tensor]:
        """Return all that the model makes of colours, by name.

        Parameters
        ----------
        rgb : Tensor, shape (B, 3, H, W)
            Sides that ``multiple`` divides.

        Returns
        -------
        dict of Tensor
            ``image``, shape (B, L, H, W), and what else the method's loss needs, such as
            ``abundances``, shape (B, p, H, W).
        """

    def forward(self, rgb: Tensor) -> Tensor:
        """Return the image alone, shape (B, L, H, W)."""
        return self.parts(rgb)["image"]

    @torch.no_grad()
    def reconstruct(
        self, rgb: Tensor, *, tile: int | None = None, overlap: int = 64, seed: int = 0
    ) -> Recovered:
        """Give a colour image spectra.

        Parameters
        ----------
        rgb : Tensor, shape (3, H, W)
            In the unit of the colour images that the model was fitted to.
        tile : int, optional
            Rows and columns that are worked on at once, so that memory stays bounded; the whole
            image by default. Further than ``overlap`` / 2 from a pixel nothing may matter to it:
            then the result is that of the whole image.
        overlap : int
            Pixels that neighbouring tiles share; each gives half of them.
        seed : int
            Of methods that draw at random; the others have no use for it.

        Returns
        -------
        Recovered

        Raises
        ------
        ShapeError
            If the image does not have three channels.
        PixelError
            If a pixel is NaN or infinite.
        ParameterError
            If tiles do not overlap as they must.
        """
        check_rgb(rgb)
        self.eval()
        device = next(self.parameters()).device
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            torch.manual_seed(seed)
            found = _tiled(self, rgb.float().to(device), tile, overlap)
        return Recovered(found["image"].cpu(), _on_cpu(found.get("abundances")))


@dataclass(frozen=True)
class Fitted(training.Fitted[Recoverer]):
    """A fitted recovery method and how it came about.

    Parameters
    ----------
    last : Recoverer, optional
        As it was after the last step, where ``model`` is as it was best on the validation pairs.
    """

    last: Recoverer | None = None


def check_rgb(rgb: Tensor) -> None:
    """Raise ShapeError unless an image has three channels, PixelError if it has NaN."""
    if rgb.ndim != 3 or rgb.shape[0] != 3:
        told = {1: "grey", 4: "of four channels, the fourth perhaps alpha"}
        kind = told.get(rgb.shape[0] if rgb.ndim == 3 else 1, "no colour image")
        raise ShapeError(
            f"An image of shape {tuple(rgb.shape)} is {kind}; (3, rows, columns) is needed.",
            next_step="open it with hsirepro.scenes.rgb.open_rgb, which says what it leaves out",
        )
    if not bool(torch.isfinite(rgb).all()):
        wrong = int((~torch.isfinite(rgb)).any(dim=0).sum())
        raise PixelError(
            f"{wrong} pixels of the colour image are NaN or infinite.",
            next_step="fill them, or cut a part without them",
        )


def _tiled(model: Recoverer, rgb: Tensor, tile: int | None, overlap: int) -> dict[str, Tensor]:
    """Return the parts of a whole image, put together from tiles where one is asked for."""
    rows, columns = rgb.shape[1:]
    if tile is None or tile >= max(rows, columns):
        return padded(model.parts, model, rgb)
    step = tile - overlap
    if overlap < 0 or step < 1 or tile % model.multiple or step % model.multiple:
        raise ParameterError(
            f"Tiles of {tile} pixels that share {overlap} cannot be laid.",
            next_step=f"both are multiples of {model.multiple} here, the tile the larger: "
            f"such as tile={4 * max(model.multiple, 16)}, overlap={max(model.multiple, 16)}",
        )
    whole: dict[str, Tensor] = {}
    for top in _starts(rows, tile, step):
        for left in _starts(columns, tile, step):
            made = padded(model.parts, model, rgb[:, top : top + tile, left : left + tile])
            # Half of what two tiles share comes from each; the borders of the image from one.
            down, right = (overlap // 2 if start else 0 for start in (top, left))
            for name, part in made.items():
                target = whole.setdefault(name, part.new_empty(part.shape[0], rows, columns))
                inner = part[:, down:, right:]
                y, x = top + down, left + right
                target[:, y : y + inner.shape[1], x : x + inner.shape[2]] = inner
    return whole


def _starts(length: int, tile: int, step: int) -> range:
    """Return where tiles start so that they reach the end; the last may be cut short."""
    return range(0, max(1, length - tile + step), step)


def padded(
    parts_of: Callable[[Tensor], dict[str, Tensor]], model: Recoverer, rgb: Tensor
) -> dict[str, Tensor]:
    """Return the parts of an image whose sides need not be multiples of anything.

    Parameters
    ----------
    parts_of : callable
        From colours (B, 3, H, W), whose sides are what the model asks for, to parts by name.
    model : Recoverer
        Its ``multiple`` and ``least`` are kept to.
    rgb : Tensor, shape (3, H, W)

    Returns
    -------
    dict of Tensor, each of shape (C, H, W)
        Parts of other sizes than the image are left out.
    """
    rows, columns = rgb.shape[1:]
    down, right = (
        max(side, model.least) + -max(side, model.least) % model.multiple - side
        for side in (rows, columns)
    )
    image = rgb[None]
    while down or right:  # a mirror gives no more than the image has
        pad = (0, min(right, image.shape[3] - 1), 0, min(down, image.shape[2] - 1))
        if not any(pad):
            image = F.pad(image, (0, right, 0, down), mode="replicate")
            break
        image = F.pad(image, pad, mode="reflect")
        right, down = right - pad[1], down - pad[3]
    parts = parts_of(image)
    return {
        name: part[0, :, :rows, :columns]
        for name, part in parts.items()
        if part.shape[-2:] == image.shape[-2:]
    }


def _on_cpu(part: Tensor | None) -> Tensor | None:
    return None if part is None else part.cpu()
