"""VAE: a convolutional variational autoencoder of tiles.

An encoder turns a tile x into the mean mu and variance s^2 of a Gaussian over 128 latent numbers,
and a decoder turns a draw z = mu + s eps, eps ~ N(0, I), back into a tile x^ [1]_. Both minimise

    L = mean (x - x^)^2 + w KL,     KL = 1/2 sum (mu^2 + s^2 - 1 - ln s^2),

the mean over all numbers of the tiles, the sum over the latent ones and then the mean over tiles,
so that z ~ N(0, I) decodes to a new tile. The HUD paper names no source for its VAE. Here stands
the plain one that is most used: w is the batch over the number of different tiles; convolutions
of stride 2 with batch normalisation and leaky ReLU, 32, 64, 128 ... channels, from the tile down
to 2 x 2, and their mirror image; Adam from 5e-3, falling by 0.95 in each of 50 epochs (here: in
each fiftieth of the training, as random tiles have no epochs).

Five stages serve tiles of 64 x 64, the size of the original, and four those of 32 x 32; for
another number of bands only the first and last convolutions change. Tiles are reflectance taken
from [0, 1] to [-1, 1], where the decoder's tanh ends: values above 1 are cut, and none can be
drawn. The loss is that of pixels x^ plus Gaussian noise of variance w N / 2, for the N numbers of
a tile: about 1 for batches of 16 and 700,000 tiles of 100 bands, wider than all reflectance. What
is drawn is x^ without that noise, so it is smooth. The method has no abundances, and needs no
wavelengths.

References
----------
.. [1] D. P. Kingma, M. Welling, "Auto-encoding variational Bayes", ICLR, 2014.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hsirepro.errors import ParameterError
from hsirepro.generation.model import (
    Fitted,
    Generator,
    Samples,
    channels_last,
    check_count,
    fixed_size,
    no_other_ways,
)
from hsirepro.generation.patches import Patches
from hsirepro.generation.training import AveragedLength, train_averaged
from hsirepro.training import own_randomness, settled

CHUNK = 64  # tiles drawn at once


@dataclass(frozen=True)
class VAEConfig(AveragedLength):
    """Settings of the VAE.

    Parameters
    ----------
    width : int
        Channels of the first stage; each next one has twice as many.
    latent : int
        Numbers in z.
    """

    learning_rate: float = 5e-3
    average: float = 0.0
    width: int = 32
    latent: int = 128


PRESETS = {
    "paper": VAEConfig(iterations=50_000, batch=144, warm_up=0, clip_norm=math.inf),
    "small": VAEConfig(),
}


class AutoencoderNet(nn.Module):
    """Encoder and decoder of tiles, shape (B, L, size, size), within [-1, 1]."""

    def __init__(self, bands: int, size: int, width: int, latent: int) -> None:
        super().__init__()
        widths = [width * 2**stage for stage in range(stages(size))]
        deepest = 4 * widths[-1]  # numbers in the maps of 2 x 2
        self.encoder = nn.Sequential(*[_down(*pair) for pair in pairwise([bands, *widths])])
        self.mean = nn.Linear(deepest, latent)
        self.log_variance = nn.Linear(deepest, latent)
        self.start = nn.Linear(latent, deepest)
        self.decoder = nn.Sequential(
            *[_up(*pair) for pair in pairwise([*reversed(widths), width])],
            nn.Conv2d(width, bands, 3, padding=1),
            nn.Tanh(),
        )

    def encode(self, tiles: Tensor) -> tuple[Tensor, Tensor]:
        """Return mu and ln s^2 of tiles, each of shape (B, latent)."""
        deepest = self.encoder(tiles).flatten(1)
        return self.mean(deepest), self.log_variance(deepest)

    def decode(self, z: Tensor) -> Tensor:
        """Return tiles of latent numbers, shape (B, latent)."""
        tiles: Tensor = self.decoder(self.start(z).unflatten(1, (-1, 2, 2)))
        return tiles

    def forward(self, tiles: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return x^, mu and ln s^2 of tiles, with a random draw of z."""
        mean, log_variance = self.encode(tiles)
        noise = torch.randn(mean.shape).to(mean)  # on the CPU, as all that is drawn
        return self.decode(mean + (0.5 * log_variance).exp() * noise), mean, log_variance


def stages(size: int) -> int:
    """Return k of size = 2 * 2^k.

    Raises
    ------
    ParameterError
        If k is no whole number, or less than 1.
    """
    k = size.bit_length() - 2
    if k < 1 or size != 2 ** (k + 1):
        raise ParameterError(
            f"The VAE cannot draw tiles of {size} x {size} pixels.",
            next_step="fit it to patches of 4, 8, 16, 32, 64 ... pixels",
        )
    return k


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL of N(mean, exp(log_variance)) from N(0, I), the mean over tiles.

    Examples
    --------
    >>> float(divergence(torch.zeros(2, 3), torch.zeros(2, 3)))
    0.0
    >>> float(divergence(torch.ones(2, 3), torch.zeros(2, 3)))
    1.5
    """
    terms = mean.square() + log_variance.exp() - 1.0 - log_variance
    return 0.5 * terms.sum(dim=1).mean()


class VAE(Generator):
    """The autoencoder of one scene."""

    net: AutoencoderNet

    def __init__(self, *, bands: int, size: int, width: int, latent: int) -> None:
        super().__init__()
        self.size = size
        self.shape = {"bands": bands, "size": size, "width": width, "latent": latent}
        self.net = channels_last(AutoencoderNet(bands, size, width, latent))

    @torch.no_grad()
    def sample(self, count: int, *, size: int | None = None, seed: int = 0, **how: Any) -> Samples:
        """Draw tiles of the size that the model was fitted to; see :class:`Generator`."""
        check_count(count)
        fixed_size(self, size, "The VAE")
        no_other_ways(how, "The VAE")
        self.net.eval()
        device, latent = self.net.mean.bias.device, self.net.mean.out_features
        generator = torch.Generator().manual_seed(seed)
        tiles = [
            self.net.decode(
                torch.randn(min(CHUNK, count - first), latent, generator=generator).to(device)
            )
            for first in range(0, count, CHUNK)
        ]
        return Samples((torch.cat(tiles).cpu() + 1.0) / 2.0)


@own_randomness()
def vae(
    patches: Patches,
    *,
    seed: int = 0,
    device: str = "cpu",
    progress: bool = False,
    checkpoint: Path | None = None,
    preset: str = "small",
    **settings: object,
) -> Fitted:
    """Fit a VAE to the tiles of a scene.

    Parameters
    ----------
    patches : Patches
        Of 4, 8, 16, 32, 64 ... pixels.
    seed : int
        Seeds the weights, the tiles and the draws of z; the same seed gives the same bytes on one
        CPU. The caller's random generators are left as they were.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    progress : bool
        Show a bar with loss and time left.
    checkpoint : Path, optional
        Resume from here, and keep the state here while training.
    preset : {"small", "paper"}
        One network; batches and length for a CPU, or those of the original.
    **settings
        Fields of :class:`VAEConfig`, in place of the preset's.

    Returns
    -------
    Fitted
        Curves ``error`` (mean squared, of tiles within [-1, 1]) and ``divergence`` (w KL) by
        ``iteration``.

    Raises
    ------
    ParameterError
        If a setting is unknown or impossible, the tiles have no fitting size, or the loss stops
        being finite.
    """
    config = settled(PRESETS, preset, settings, "The VAE")
    weight = config.batch / patches.positions

    def build() -> VAE:
        return VAE(bands=patches.bands, size=patches.size, width=config.width, latent=config.latent)

    def prepare(model: VAE) -> Patches:
        return patches.mapped(lambda image: 2.0 * image.clamp(max=1.0) - 1.0)

    def loss(net: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        decoded, mean, log_variance = net(batch)
        return {
            "error": (decoded.float() - batch).square().mean(),
            "divergence": weight * divergence(mean.float(), log_variance.float()),
        }

    return train_averaged(
        build,
        prepare,
        loss,
        config=config,
        seed=seed,
        device=device,
        progress=progress,
        checkpoint=checkpoint,
        given=patches.images,
        title="VAE",
        decay=lambda share: 0.95 ** (50.0 * share),
    )


def _down(channels: int, width: int) -> nn.Sequential:
    conv = nn.Conv2d(channels, width, 3, stride=2, padding=1)
    return nn.Sequential(conv, nn.BatchNorm2d(width), nn.LeakyReLU())


def _up(channels: int, width: int) -> nn.Sequential:
    conv = nn.ConvTranspose2d(channels, width, 3, stride=2, padding=1, output_padding=1)
    return nn.Sequential(conv, nn.BatchNorm2d(width), nn.LeakyReLU())
