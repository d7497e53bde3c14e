"""The three-stage network of MPRNet; ``mprnet.py`` says what it is for.

Widths are those of its variant for spectra: one width w for the features, the same again for
every deeper level of the encoders (w, 2w, 3w), and twice the width in the last stage.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = 3  # of the encoders and decoders
BLOCKS = 4  # with channel attention, in a block of the last stage


class AttendedBlock(nn.Module):
    """Two convolutions, their channels weighted by a function of the channels' means; residual."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_conv3(width, width), nn.PReLU(), _conv3(width, width))
        self.weight = nn.Sequential(
            _conv1(width, width), nn.ReLU(), _conv1(width, width), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the shape that is given, (B, width, h, w)."""
        y: Tensor = self.body(x)
        share: Tensor = self.weight(y.mean(dim=(2, 3), keepdim=True))
        return x + y * share


class Encoder(nn.Module):
    """Features at full, half and quarter resolution.

    Parameters
    ----------
    width : int
    fused : bool
        Whether it takes up the features of an earlier stage, level by level.
    """

    def __init__(self, width: int, *, fused: bool) -> None:
        super().__init__()
        widths = [width * level for level in range(1, LEVELS + 1)]
        self.blocks = nn.ModuleList(_blocks(2, w) for w in widths)
        self.down = nn.ModuleList(_conv1(w, w + width) for w in widths[:-1])
        earlier = widths if fused else []
        self.encoded = nn.ModuleList(_conv1(w, w) for w in earlier)
        self.decoded = nn.ModuleList(_conv1(w, w) for w in earlier)

    def forward(
        self, x: Tensor, encoded: list[Tensor] | None = None, decoded: list[Tensor] | None = None
    ) -> list[Tensor]:
        """Return one map per level, finest first."""
        levels: list[Tensor] = []
        for level, blocks in enumerate(self.blocks):
            if level:
                x = self.down[level - 1](F.avg_pool2d(x, 2))
            x = blocks(x)
            if encoded is not None and decoded is not None:
                x = x + self.encoded[level](encoded[level]) + self.decoded[level](decoded[level])
            levels.append(x)
        return levels


class Decoder(nn.Module):
    """The way back up, with the encoder's features beside it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = [width * level for level in range(1, LEVELS + 1)]
        self.blocks = nn.ModuleList(_blocks(2, w) for w in widths)
        self.up = nn.ModuleList(_conv1(w + width, w) for w in widths[:-1])
        self.beside = nn.ModuleList(AttendedBlock(w) for w in widths[:-1])

    def forward(self, encoded: list[Tensor]) -> list[Tensor]:
        """Return one map per level, finest first."""
        x = self.blocks[-1](encoded[-1])
        levels = [x]
        for level in reversed(range(LEVELS - 1)):
            # A 1x1 convolution gives the same before as after the interpolation, and is cheaper.
            x = _twice(self.up[level](x)) + self.beside[level](encoded[level])
            x = self.blocks[level](x)
            levels.insert(0, x)
        return levels


class Supervised(nn.Module):
    """What leads from one stage to the next: its image, and its features as that image has them."""

    def __init__(self, width: int, bands: int) -> None:
        super().__init__()
        self.features = _conv1(width, width)
        self.image = _conv1(width, bands)
        self.mask = _conv1(bands, width)

    def forward(self, x: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        """Return features, shape (B, width, h, w), and the stage's image, (B, bands, h, w)."""
        image = self.image(x) + start
        return x + self.features(x) * self.mask(image).sigmoid(), image


class FullResolution(nn.Module):
    """The last stage: no coarser level of its own, but those of the stage before at every step."""

    def __init__(self, width: int) -> None:
        super().__init__()
        wide = 2 * width
        self.steps = nn.ModuleList(
            nn.Sequential(_blocks(BLOCKS, wide), _conv3(wide, wide)) for _ in range(LEVELS)
        )
        self.encoded = nn.ModuleList(_to_full(level, width, wide) for level in range(LEVELS))
        self.decoded = nn.ModuleList(_to_full(level, width, wide) for level in range(LEVELS))

    def forward(self, x: Tensor, encoded: list[Tensor], decoded: list[Tensor]) -> Tensor:
        """Return the shape that is given, (B, 2 width, h, w)."""
        for level, step in enumerate(self.steps):
            x = x + step(x)
            x = x + self.encoded[level](encoded[level]) + self.decoded[level](decoded[level])
        return x


class MPRNetwork(nn.Module):
    """From RGB to spectra in three stages, which encode quarters, halves and the whole image.

    Parameters
    ----------
    bands : int
        Number L.
    width : int
        Channels of the features.
    """

    def __init__(self, bands: int, width: int) -> None:
        super().__init__()
        self.start = _conv3(3, bands)
        self.shallow = nn.ModuleList(
            nn.Sequential(_conv3(bands, width), AttendedBlock(width)) for _ in range(3)
        )
        self.encoders = nn.ModuleList(Encoder(width, fused=fused) for fused in (False, True))
        self.decoders = nn.ModuleList(Decoder(width) for _ in range(2))
        self.supervised = nn.ModuleList(Supervised(width, bands) for _ in range(2))
        self.merge = nn.ModuleList(_conv3(2 * width, out) for out in (width, 2 * width))
        self.full = FullResolution(width)
        self.end = _conv3(2 * width, bands)

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """Return the images of the three stages, the last one best.

        Parameters
        ----------
        rgb : Tensor, shape (B, 3, h, w)
            With sides that 8 divides.

        Returns
        -------
        list of three Tensor, shape (B, L, h, w)
        """
        whole = self.start(rgb)
        halves = _cut(whole, 2)  # upper and lower, stacked as a batch of twice the length
        quarters = _cut(halves, 3)

        encoded = self.encoders[0](self.shallow[0](quarters))
        encoded = [_join(level, 3) for level in encoded]
        decoded = self.decoders[0](encoded)
        features, image = self.supervised[0](decoded[0], halves)
        images = [_join(image, 2)]

        features = self.merge[0](torch.cat([self.shallow[1](halves), features], dim=1))
        encoded = self.encoders[1](features, encoded, decoded)
        encoded = [_join(level, 2) for level in encoded]
        decoded = self.decoders[1](encoded)
        features, image = self.supervised[1](decoded[0], whole)
        images.append(image)

        features = self.merge[1](torch.cat([self.shallow[2](whole), features], dim=1))
        images.append(whole + self.end(self.full(features, encoded, decoded)))
        return images


def _cut(x: Tensor, dim: int) -> Tensor:
    """Return the two halves along ``dim`` one after the other in the batch."""
    return torch.cat(x.chunk(2, dim=dim))


def _join(x: Tensor, dim: int) -> Tensor:
    return torch.cat(x.chunk(2), dim=dim)


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear")


def _blocks(count: int, width: int) -> nn.Sequential:
    return nn.Sequential(*[AttendedBlock(width) for _ in range(count)])


def _to_full(level: int, width: int, wide: int) -> nn.Sequential:
    """Return what takes the features of a level to full resolution and ``wide`` channels."""
    steps = [_conv1((k + 1) * width, k * width) for k in range(level, 0, -1)]
    grow = nn.Upsample(scale_factor=2, mode="bilinear")
    return nn.Sequential(*steps, _conv1(width, wide), *[grow] * level)


def _conv3(channels: int, width: int) -> nn.Conv2d:
    return nn.Conv2d(channels, width, 3, padding=1, bias=False)


def _conv1(channels: int, width: int) -> nn.Conv2d:
    return nn.Conv2d(channels, width, 1, bias=False)
