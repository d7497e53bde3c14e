"""The scene autoencoder: a network of residual blocks that unmixes tiles, and a linear decoder.

The encoder sees a tile T as a whole and answers with abundances A of p endmembers; the decoder
is the linear mixing model, and its weights are the endmembers E, shape (L, p), learned as well:

    A = softmax(encoder(T)),     Y_hat = E A.

T may be the hyperspectral tile Y itself (UnmixDiff) or three bands of it (Unmixing before fusion,
MSF-Diff): the decoder answers with all L bands in either case. The encoder is a 3 x 3 convolution
and a chain of groups, one per width. A group is some pairs of a spatial and a spectral block,

    x + 0.1 conv3x3(relu(conv3x3(x))),     x + 0.1 attention(conv1x1(relu(conv1x1(x)))),

with a shortcut around them all, then a 3 x 3 convolution to the next width; the last leads to p.
Attention weighs every channel by a function of the means of all over the tile. With the published
widths 32-64-128-96-48 and three pairs per group, 3 bands to 5 endmembers to 59 bands, there are
2,247,329 weights.

Training minimises, for spectra y and their estimates y_hat, all bands and pixels alike,

    mean sqrt((y - y_hat)^2 + 1e-6)  +  0.1 mean arccos(cos(y, y_hat))  +  roughness of E,

the angle in radians. The cosine is kept 1e-7 away from 1, where the slope of its arc is infinite.
The roughness has two readings. The paper's [1]_, eq. 4, is the sum over bands of e_{i+1} - e_i;
as it is printed the terms cancel but for the ends, so their absolute values are taken here
(:func:`band_roughness`). The released code squares differences, of neighbouring columns of E and
not of neighbouring bands (:func:`column_roughness`): it pulls the endmembers towards each other,
in an order that means nothing.

Published and released alike leave the sign of E free; here it may be kept from turning negative,
as reflectance is, by setting what is below 0 to 0 after every step. No wavelengths and no
endmembers are given to the method.

References
----------
.. [1] E. Pan, Y. Yu, X. Mei, J. Huang, J. Ma, "From the abundance perspective: multi-modal scene
   fusion-based hyperspectral image synthesis", Information Fusion 108, 2024, sec. 4.1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsirepro.errors import ParameterError
from hsirepro.training import TrainingRun, launch, train

SCALE = 0.1  # of what a block adds
REDUCTION = 16  # channels per channel of the bottleneck in attention
ANGLE = 0.1  # weight of the spectral angle
WIDTHS = (32, 64, 128, 96, 48)


@dataclass(frozen=True)
class SceneUnmixing:
    """Network and training of a scene autoencoder.

    Parameters
    ----------
    widths : tuple of int
        Channels of each group; 16 or more.
    blocks : int
        Pairs of blocks per group.
    batch : int
        Tiles in a step.
    learning_rate : float
        Of Adam; a tenth of it in the last quarter of the steps.
    """

    widths: tuple[int, ...] = WIDTHS
    blocks: int = 3
    batch: int = 16
    learning_rate: float = 2e-4

    def __post_init__(self) -> None:
        if min(self.widths, default=0) < REDUCTION:
            raise ParameterError(
                f"widths={self.widths} leave attention no channel.",
                next_step=f"give one width or more, each {REDUCTION} or more",
            )
        for name in ("blocks", "batch"):
            if getattr(self, name) < 1:
                raise ParameterError(
                    f"{name}={getattr(self, name)} leaves nothing to train.",
                    next_step="give 1 or more",
                )


class Residual(nn.Module):
    """A branch that is added to what it sees."""

    def __init__(self, branch: nn.Module, scale: float = 1.0) -> None:
        super().__init__()
        self.branch, self.scale = branch, scale

    def forward(self, x: Tensor) -> Tensor:
        """Return x + scale * branch(x)."""
        added: Tensor = self.branch(x)
        return x + self.scale * added


class ChannelAttention(nn.Module):
    """Weights of the channels from their means over the tile."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, width // REDUCTION, 1),
            nn.ReLU(),
            nn.Conv2d(width // REDUCTION, width, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the weighted channels, shape as ``x``."""
        weights: Tensor = self.weigh(x)
        return weights * x


def _spatial(width: int) -> nn.Module:
    layers = [nn.Conv2d(width, width, 3, padding=1) for _ in range(2)]
    return Residual(nn.Sequential(layers[0], nn.ReLU(), layers[1]), SCALE)


def _spectral(width: int) -> nn.Module:
    layers = [nn.Conv2d(width, width, 1) for _ in range(2)]
    return Residual(nn.Sequential(layers[0], nn.ReLU(), layers[1], ChannelAttention(width)), SCALE)


class SceneAutoencoder(nn.Module):
    """Encoder of tiles, and endmembers.

    Parameters
    ----------
    inputs : int
        Bands that the encoder sees.
    endmembers : int
        Number p.
    bands : int
        Bands L that the decoder answers with.
    widths, blocks
        As in :class:`SceneUnmixing`.

    Examples
    --------
    >>> model = SceneAutoencoder(3, 5, 59)
    >>> sum(weights.numel() for weights in model.parameters())
    2247329
    >>> model.encode(torch.rand(2, 3, 9, 7)).shape, model.endmembers.shape
    (torch.Size([2, 5, 9, 7]), torch.Size([59, 5]))
    """

    def __init__(
        self,
        inputs: int,
        endmembers: int,
        bands: int,
        *,
        widths: tuple[int, ...] = WIDTHS,
        blocks: int = 3,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(inputs, widths[0], 3, padding=1)]
        for width, following in zip(widths, (*widths[1:], endmembers), strict=True):
            pairs = [block(width) for _ in range(blocks) for block in (_spatial, _spectral)]
            layers += [Residual(nn.Sequential(*pairs)), nn.Conv2d(width, following, 3, padding=1)]
        self.encoder = nn.Sequential(*layers)
        self.decoder = nn.Conv2d(endmembers, bands, 1, bias=False)

    @property
    def endmembers(self) -> Tensor:
        """The endmembers E, shape (L, p)."""
        return self.decoder.weight[:, :, 0, 0]

    def encode(self, tiles: Tensor) -> Tensor:
        """Return abundances, shape (B, C, H, W) to (B, p, H, W), on the simplex over p."""
        logits: Tensor = self.encoder(tiles)
        return logits.softmax(dim=1)

    def forward(self, tiles: Tensor) -> Tensor:
        """Return reconstructed tiles, shape (B, C, H, W) to (B, L, H, W)."""
        spectra: Tensor = self.decoder(self.encode(tiles))
        return spectra


def band_roughness(endmembers: Tensor, weight: float = 1e-3) -> Tensor:
    """Return the weighted total variation of endmembers (L, p) along bands, mean over p.

    Examples
    --------
    >>> float(band_roughness(torch.tensor([[0.0], [3.0], [1.0]]), weight=1.0))
    5.0
    """
    return weight * endmembers.diff(dim=0).abs().sum(dim=0).mean()


def column_roughness(endmembers: Tensor, weight: float = 0.015) -> Tensor:
    """Return twice the weighted mean square of differences between columns of (L, p).

    Examples
    --------
    >>> float(column_roughness(torch.tensor([[0.0, 3.0, 1.0]]), weight=1.0))
    13.0
    """
    return weight * 2.0 * endmembers.diff(dim=1).square().mean()


def reconstruction_loss(estimate: Tensor, spectra: Tensor) -> dict[str, Tensor]:
    """Return the two terms that compare spectra, both shape (B, L, H, W).

    Returns
    -------
    dict of Tensor, shape ()
        ``error``, in the units of the spectra, and the weighted ``angle``.
    """
    error = ((estimate - spectra).square() + 1e-6).sqrt().mean()
    cosine = F.cosine_similarity(estimate, spectra, dim=1).clamp(-1.0 + 1e-7, 1.0 - 1e-7)
    return {"error": error, "angle": ANGLE * cosine.acos().mean()}


@torch.no_grad()
def _clamp(weights: Tensor) -> None:
    weights.clamp_(min=0.0)


@dataclass(frozen=True)
class FittedAutoencoder:
    """A trained scene autoencoder, on the CPU, and how it came about.

    Parameters
    ----------
    model : SceneAutoencoder
    curves : dict of ndarray
        ``error``, ``angle``, ``roughness`` and their sum ``loss`` by ``iteration``.
    earlier_s : float
        Seconds spent before this call, where it went on from a checkpoint.
    """

    model: SceneAutoencoder
    curves: dict[str, np.ndarray] = field(default_factory=dict)
    earlier_s: float = 0.0


def train_scene_autoencoder(
    draw: Callable[[int], tuple[Tensor, Tensor]],
    config: SceneUnmixing,
    *,
    endmembers: int,
    iterations: int,
    roughness: Callable[[Tensor], Tensor] = band_roughness,
    nonnegative: bool = True,
    fingerprint: str = "",
    seed: int = 0,
    device: str = "cpu",
    progress: bool = False,
    checkpoint: Path | None = None,
) -> FittedAutoencoder:
    """Train a scene autoencoder on random tiles.

    It seeds the random generators, so callers keep theirs with
    :func:`~hsirepro.training.own_randomness`.

    Parameters
    ----------
    draw : callable
        From a number B to what the encoder sees, shape (B, C, h, w), and what the decoder has to
        answer, (B, L, h, w). It draws with torch's global generator, which a checkpoint keeps.
    config : SceneUnmixing
    endmembers : int
        Number p, 2 or more.
    iterations : int
        Steps of Adam.
    roughness : callable
        From endmembers, shape (L, p), to a term of the loss.
    nonnegative : bool
        Keep endmembers from turning negative.
    fingerprint : str
        Settings and data of the run; a checkpoint of another run is refused.
    seed, device, progress, checkpoint
        As every method takes them.

    Returns
    -------
    FittedAutoencoder

    Raises
    ------
    ParameterError
        If there are fewer than two endmembers, or the loss stops being finite.
    """
    if endmembers < 2:
        raise ParameterError(f"{endmembers} endmembers mix nothing.", next_step="ask for 2 or more")
    if iterations < 1:
        raise ParameterError(
            f"{iterations} iterations unmix nothing.", next_step="ask for 1 or more"
        )
    fabric = launch(device, "fp32", seed)
    seen, spectra = draw(1)
    net = fabric.to_device(
        SceneAutoencoder(
            seen.shape[1],
            endmembers,
            spectra.shape[1],
            widths=config.widths,
            blocks=config.blocks,
        )
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=config.learning_rate, fused=True)
    last_quarter = 3 * iterations // 4
    run = TrainingRun(
        net,
        optimizer,
        torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: 1.0 if step < last_quarter else 0.1
        ),
        iterations,
        fingerprint=fingerprint,
        checkpoint=checkpoint,
        project=(lambda: _clamp(net.decoder.weight)) if nonnegative else None,
    )

    def gradients() -> dict[str, Tensor]:
        seen, spectra = (part.to(fabric.device) for part in draw(config.batch))
        terms = reconstruction_loss(net(seen), spectra) | {"roughness": roughness(net.endmembers)}
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        return {name: term.detach() for name, term in terms.items()}

    curves = train(run, gradients, title="scene autoencoder", progress=progress)
    return FittedAutoencoder(net.cpu().eval(), curves, run.earlier_s)
