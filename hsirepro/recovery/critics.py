"""Critics: the discriminators that R2HGAN, PDASS and INSS compete with.

Each method has two. A spatial one sees colours and spectra together and judges overlapping patches;
a spectral one judges single spectra, taken at every g-th row and column from a random offset. Both
give logits z, above 0 for real, where the originals end in a sigmoid s(z): the binary cross-entropy
of s(z) is the same number from either side, and from z it cannot overflow.

=======  ==========================================================  ============================
method   spatial                                                     spectral, g pixels apart
=======  ==========================================================  ============================
R2HGAN   3x3 d, 2d; 4x4 s2 2d, 3x3 4d, BN; 4x4 s2 4d, 3x3 8d, BN;    L-s-2s-s-1, linear, g = 64
[1]_     4x4 s2 8d, BN; 4x4 1; d = 128                               s = 128
PDASS    the same                                                    L-s-2s-4s-8s-4s-1, leaky ReLU,
[2]_                                                                 g = 16, s = 256
INSS     4x4: s2 d; s2 2d, BN; s2 4d, BN; 8d, BN; 1; d = 64          the same with s = 128
[3]_
=======  ==========================================================  ============================

Numbers are channels, s2 a stride of 2, BN a batch normalisation. Leaky ReLU follows every stage,
of slope 0.2 in the spatial ones, and of 0.01 in the spectral ones, where it follows the last layer
too. R2HGAN's spectral one has no activation at all, so that it can learn no more than a plane
between real and made spectra; a second output that its release never reads is left out here, and
all images of a batch are judged where the release, with batches of one, judged the first.

References
----------
.. [1] L. Liu, S. Lei, Z. Shi, N. Zhang, X. Zhu, "Hyperspectral remote sensing imagery generation
   from RGB images based on joint discrimination", IEEE J-STARS 14, 2021.
.. [2] L. Liu, W. Li, Z. Shi, Z. Zou, "Physics-informed hyperspectral remote sensing image synthesis
   with deep conditional generative adversarial networks", IEEE TGRS 60, 2022.
.. [3] L. Liu, Z. Zou, Z. Shi, "Hyperspectral remote sensing image synthesis based on implicit
   neural spectral mixing models", IEEE TGRS 61, 2023.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsirepro.errors import ShapeError
from hsirepro.recovery.training import Critic

SPATIAL_SLOPE = 0.2
SPECTRAL_SLOPE = 0.01
SPREAD = 0.02  # standard deviation of the first weights of convolutions


class SpatialCritic(nn.Module):
    """Judges patches of colours and spectra together.

    Parameters
    ----------
    stages : Module
        From (B, 3 + L, H, W) to logits (B, 1, h, w).
    least : int
        Rows and columns of the smallest image that gives a logit.
    """

    def __init__(self, stages: nn.Module, least: int) -> None:
        super().__init__()
        self.stages, self.least = stages, least
        start_normally(self)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, rgb: Tensor, hsi: Tensor) -> Tensor:
        """Return logits, shape (B, 1, h, w), of shapes (B, 3, H, W) and (B, L, H, W)."""
        logits: Tensor = self.stages(torch.cat([rgb, hsi], dim=1))
        return logits


def paired_convolutions(bands: int, width: int = 128) -> SpatialCritic:
    """Return the spatial critic of R2HGAN and PDASS, for images from 16 x 16 pixels.

    Examples
    --------
    >>> paired_convolutions(7, 4)(torch.rand(2, 3, 32, 32), torch.rand(2, 7, 32, 32)).shape
    torch.Size([2, 1, 3, 3])
    """
    d = width
    stages = nn.Sequential(
        _conv(3 + bands, d, 3),
        _conv(d, 2 * d, 3),
        nn.LeakyReLU(SPATIAL_SLOPE),
        _conv(2 * d, 2 * d, 4, stride=2),
        *_normalised(_conv(2 * d, 4 * d, 3)),
        _conv(4 * d, 4 * d, 4, stride=2),
        *_normalised(_conv(4 * d, 8 * d, 3)),
        *_normalised(_conv(8 * d, 8 * d, 4, stride=2)),
        _conv(8 * d, 1, 4),
    )
    return SpatialCritic(stages, least=16)


def halving_convolutions(bands: int, width: int = 64) -> SpatialCritic:
    """Return the spatial critic of INSS, for images from 24 x 24 pixels.

    Examples
    --------
    >>> halving_convolutions(7, 4)(torch.rand(2, 3, 32, 32), torch.rand(2, 7, 32, 32)).shape
    torch.Size([2, 1, 2, 2])
    """
    d = width
    stages = nn.Sequential(
        _conv(3 + bands, d, 4, stride=2),
        nn.LeakyReLU(SPATIAL_SLOPE),
        *_normalised(_conv(d, 2 * d, 4, stride=2)),
        *_normalised(_conv(2 * d, 4 * d, 4, stride=2)),
        *_normalised(_conv(4 * d, 8 * d, 4)),
        _conv(8 * d, 1, 4),
    )
    return SpatialCritic(stages, least=24)


class SpectralCritic(nn.Module):
    """Judges single spectra, one at every ``grid``-th row and column.

    Parameters
    ----------
    bands : int
    widths : tuple of int
        Numbers that the layers between the spectrum and the logit give.
    grid : int
        Pixels between two spectra; the offset, less than that, is drawn anew for each batch.
    slope : float, optional
        Of the leaky ReLU after each layer, the last one too; none by default.
    """

    def __init__(
        self, bands: int, widths: tuple[int, ...], grid: int, slope: float | None = None
    ) -> None:
        super().__init__()
        self.grid, self.slope = grid, slope
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise([bands, *widths]))
        self.end = nn.Linear(widths[-1], 1)

    def forward(self, hsi: Tensor) -> Tensor:
        """Return logits, shape (B, spectra, 1), of images of shape (B, L, H, W)."""
        down, right = (_offset(min(self.grid, side)) for side in hsi.shape[2:])
        x = hsi[:, :, down :: self.grid, right :: self.grid].flatten(2).transpose(1, 2)
        for layer in [*self.layers, self.end]:
            x = layer(x) if self.slope is None else F.leaky_relu(layer(x), self.slope)
        return x


class JointCritic(Critic):
    """A spatial and a spectral critic that judge together.

    Parameters
    ----------
    spatial : SpatialCritic
    spectral : SpectralCritic
    weight : float
        Of each opinion in the loss of the model.
    every : int
        It learns at every so many steps of the model.
    learning_rate : float
    quiet : int
        Steps of the model before it first learns and is heard: until then all its logits are 0,
        whatever it is shown. A checkpoint keeps how many are over.
    """

    steps: Tensor

    def __init__(
        self,
        spatial: SpatialCritic,
        spectral: SpectralCritic,
        *,
        weight: float = 1.0,
        every: int = 3,
        learning_rate: float = 1e-4,
        quiet: int = 0,
    ) -> None:
        super().__init__(weight, every, learning_rate)
        self.spatial, self.spectral, self.quiet = spatial, spectral, quiet
        self.register_buffer("steps", torch.tensor(0))

    def check_size(self, rows: int, columns: int) -> None:
        """Raise ShapeError if an image of that size is too small to be judged."""
        least = self.spatial.least
        if min(rows, columns) < least:
            raise ShapeError(
                f"The critic cannot judge images of {rows} x {columns} pixels: its last "
                f"convolution needs {least} x {least}.",
                next_step=f"give crops of {least} pixels or more",
            )

    def opinions(self, rgb: Tensor, hsi: Tensor) -> dict[str, Tensor]:
        """Return logits ``spatial``, shape (B, 1, h, w), and ``spectral``, (B, spectra, 1).

        Parameters
        ----------
        rgb : Tensor, shape (B, 3, H, W)
        hsi : Tensor, shape (B, L, H, W)

        Raises
        ------
        ShapeError
            If the images are too small.
        """
        self.check_size(*hsi.shape[2:])
        quiet = int(self.steps) < self.quiet
        # Only what the model is to learn from has gradients: that is one step of the model.
        self.steps += int(hsi.requires_grad)
        if quiet:
            return {"spatial": self._silence(), "spectral": self._silence()}
        return {"spatial": self.spatial(rgb, hsi), "spectral": self.spectral(hsi)}

    def _silence(self) -> Tensor:
        """Return a logit of 0 whose gradients, which a step of the critic asks for, are 0."""
        return 0.0 * self.spectral.end.bias


def inss_critic(
    bands: int, *, spatial: int = 64, spectral: int = 128, grid: int = 16, **how: Any
) -> JointCritic:
    """Return the critic of INSS.

    Parameters
    ----------
    bands : int
        Number L.
    spatial, spectral : int
        Widths d and s of the table above.
    grid : int
        Pixels between two spectra that are judged.
    **how
        Keywords of :class:`JointCritic`: ``weight``, ``every``, ``learning_rate``, ``quiet``.
    """
    spectra = SpectralCritic(bands, _pyramid(spectral), grid, SPECTRAL_SLOPE)
    return JointCritic(halving_convolutions(bands, spatial), spectra, **how)


def pdass_critic(
    bands: int, *, spatial: int = 128, spectral: int = 256, grid: int = 16, **how: Any
) -> JointCritic:
    """Return the critic of PDASS; parameters as of :func:`inss_critic`."""
    spectra = SpectralCritic(bands, _pyramid(spectral), grid, SPECTRAL_SLOPE)
    return JointCritic(paired_convolutions(bands, spatial), spectra, **how)


def r2hgan_critic(
    bands: int, *, spatial: int = 128, spectral: int = 128, grid: int = 64, **how: Any
) -> JointCritic:
    """Return the critic of R2HGAN; parameters as of :func:`inss_critic`."""
    spectra = SpectralCritic(bands, (spectral, 2 * spectral, spectral), grid)
    return JointCritic(paired_convolutions(bands, spatial), spectra, **how)


def start_normally(net: nn.Module, spread: float = SPREAD) -> None:
    """Draw the weights of all convolutions of a net from N(0, spread^2), with biases of 0."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, std=spread)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _pyramid(width: int) -> tuple[int, ...]:
    return width, 2 * width, 4 * width, 8 * width, 4 * width


def _conv(channels: int, width: int, kernel: int, *, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, width, kernel, stride=stride, padding=1)


def _normalised(conv: nn.Conv2d) -> tuple[nn.Module, ...]:
    return conv, nn.BatchNorm2d(conv.out_channels), nn.LeakyReLU(SPATIAL_SLOPE)


def _offset(end: int) -> int:
    """Return a random number below ``end``, from torch's generator, which a checkpoint keeps."""
    return int(torch.randint(end, ()))
