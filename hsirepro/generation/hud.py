"""HUD: hyperspectral images by diffusion in the space of abundances.

An unmixing autoencoder turns a scene into abundances X of p endmembers. They lie on the simplex,
where Gaussian noise would lead off; so they are taken to an unconstrained space and back by

    Z = ln(X + exp(-ln p - 8)),                                       eq. 4
    X_hat = softmax(Z) = (X + exp(-ln p - 8)) / (1 + exp(-8)),        eq. 5, 6

which loses less than 0.0004 of an abundance. A diffusion model learns tiles of Z (eq. 7-15, in
``diffusion.py``), draws new ones, and the endmembers turn them into spectra: Y_hat = A X_hat.
Whatever is drawn is a mixture of the scene's endmembers.

What the paper leaves open, and what is done here:

==================  ==========================================================================
pixel values        divided by the scene's 99.9th percentile, before the tiles are cut
abundances          fully constrained (``fcls``); ``linear`` is clamped and scaled to sum one,
                    since eq. 4 has no value for the negative ones
scale of Z          less its mean, over its standard deviation (one pair of numbers per scene):
                    noise of variance 1 fits data of variance 1. ``raw`` leaves Z as it is,
                    -10 to 0
schedule            1e-4 to 0.02, linear, sigma_t^2 = beta_t, as Ho et al. (2020)
network, training   the U-Net of Ho et al. for 32 x 32, Adam 2e-4 with a warm start, gradients
                    cut at norm 1, moving average of the weights (``paper``); on a CPU a small one
                    that predicts the velocity (``small``), since with the noise of eq. 15 a
                    thousand steps are too few for anything but noise
sampler             eq. 14 (the listing of algorithm 2 lacks its outer bracket), or fewer steps
==================  ==========================================================================

References
----------
.. [1] S. Shen, B. Pan, Z. Zhang, Z. Shi, "Hyperspectral image generation with unmixing guided
   diffusion model".
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from hsirepro.generation.diffusion import (
    BRIEF,
    CIFAR,
    Layout,
    Schedule,
    Solver,
    denoising_loss,
    draw,
)
from hsirepro.generation.model import Fitted, Generator, Samples, check_count, no_other_ways
from hsirepro.generation.patches import Patches
from hsirepro.generation.training import AveragedLength, train_averaged
from hsirepro.training import own_randomness, settled
from hsirepro.unmixing.autoencoder import Encoder, UnmixingAutoencoder, fine_tuned, mixed
from hsirepro.unmixing.autoencoder import unmixing_autoencoder as unmix

FLOOR = 8.0  # of eq. 4: an absent endmember has exp(-8) of an even share


@dataclass(frozen=True)
class HUDConfig(AveragedLength):
    """Settings of HUD.

    Parameters
    ----------
    endmembers : int
        Number p; the paper takes the number of classes of the scene.
    encoder : {"fcls", "linear"}
        How abundances are found; eq. 2 or eq. 3.
    fine_tuning : int
        Steps of further training of the autoencoder; the paper advises 0.
    scaling : {"standardised", "raw"}
        Of Z, before the diffusion.
    layout : Layout
        Of the U-Net.
    schedule : Schedule
    """

    endmembers: int = 9
    encoder: Encoder = "fcls"
    fine_tuning: int = 0
    scaling: Literal["standardised", "raw"] = "standardised"
    layout: Layout = field(default_factory=Layout)
    schedule: Schedule = field(default_factory=Schedule)


PRESETS = {
    "paper": HUDConfig(
        iterations=50_000, batch=128, warm_up=5_000, average=0.9999, layout=CIFAR, precision="bf16"
    ),
    "small": HUDConfig(schedule=Schedule(predicts="velocity"), **BRIEF),
}


def unconstrain(abundances: Tensor) -> Tensor:
    """Return Z of abundances on the simplex, shape (..., p, H, W), eq. 4.

    Examples
    --------
    >>> shares = torch.tensor([0.25, 0.75, 0.0]).reshape(3, 1, 1)
    >>> [round(float(share), 4) for share in constrain(unconstrain(shares)).flatten()]
    [0.25, 0.7499, 0.0001]
    """
    p = abundances.shape[-3]
    return (abundances + math.exp(-math.log(p) - FLOOR)).log()


def constrain(z: Tensor) -> Tensor:
    """Return abundances of Z, shape (..., p, H, W), eq. 5: on the simplex for any Z."""
    return z.softmax(dim=-3)


class HUD(Generator):
    """The autoencoder and the diffusion of one scene."""

    def __init__(
        self,
        *,
        bands: int,
        size: int,
        endmembers: int,
        encoder: Encoder,
        layout: dict[str, Any],
        schedule: dict[str, Any],
    ) -> None:
        super().__init__()
        self.size = size
        self.shape = {
            "bands": bands,
            "size": size,
            "endmembers": endmembers,
            "encoder": encoder,
            "layout": layout,
            "schedule": schedule,
        }
        self.layout = Layout.from_plain(layout)
        self.schedule = Schedule(**schedule)
        self.autoencoder = UnmixingAutoencoder(torch.zeros(bands, endmembers), encoder)
        self.net = self.layout.network(endmembers)
        self.register_buffer("centre", torch.zeros(()))
        self.register_buffer("spread", torch.ones(()))

    centre: Tensor
    spread: Tensor

    def project(self, image: Tensor) -> Tensor:
        """Return the scaled Z of an image, shape (L, H, W) to (p, H, W)."""
        return (unconstrain(self.autoencoder.encode(image)) - self.centre) / self.spread

    def sample(
        self,
        count: int,
        *,
        size: int | None = None,
        seed: int = 0,
        solver: Solver = "dpm-solver++",
        steps: int = 25,
        **how: Any,
    ) -> Samples:
        """Draw tiles of any size; see :class:`Generator` and :func:`diffusion.draw`."""
        check_count(count)
        no_other_ways(how, "HUD", "solver or steps")
        side = size or self.size
        endmembers = self.autoencoder.endmembers.cpu()
        maps = draw(
            self.net,
            (count, endmembers.shape[1], side, side),
            multiple=self.layout.multiple,
            schedule=self.schedule,
            solver=solver,
            steps=steps,
            seed=seed,
        )
        abundances = constrain(maps * self.spread.cpu() + self.centre.cpu())
        return Samples(mixed(endmembers, abundances), abundances)


def projection_loss(model: HUD, image: Tensor) -> float:
    """Return the largest change of an abundance of an image by eq. 4 and back, shape (L, H, W)."""
    abundances = model.autoencoder.encode(image)
    return float((constrain(unconstrain(abundances)) - abundances).abs().max())


@own_randomness()
def hud(
    patches: Patches,
    *,
    seed: int = 0,
    device: str = "cpu",
    progress: bool = False,
    checkpoint: Path | None = None,
    preset: str = "small",
    **settings: object,
) -> Fitted:
    """Fit HUD to the tiles of a scene.

    Parameters
    ----------
    patches : Patches
    seed : int
        Seeds the endmembers, the weights, the tiles and the noise; the same seed gives the same
        bytes on one CPU. The caller's random generators are left as they were.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    progress : bool
        Show a bar with loss and time left.
    checkpoint : Path, optional
        Resume from here, and keep the state here while training.
    preset : {"small", "paper"}
        Network and length for a CPU, or those of Ho et al. (2020) for a GPU.
    **settings
        Fields of :class:`HUDConfig`, in place of the preset's.

    Returns
    -------
    Fitted
        Curve ``noise`` or ``velocity`` (mean squared error of it) by ``iteration``.

    Raises
    ------
    ParameterError
        If a setting is unknown or impossible, or the loss stops being finite.
    """
    config = settled(PRESETS, preset, settings, "HUD")
    pixels = patches.pixels()
    autoencoder = unmix(pixels, config.endmembers, encoder=config.encoder, seed=seed)
    if config.fine_tuning:
        autoencoder = fine_tuned(autoencoder, pixels, iterations=config.fine_tuning, seed=seed)

    def build() -> HUD:
        model = HUD(
            bands=patches.bands,
            size=patches.size,
            endmembers=config.endmembers,
            encoder=config.encoder,
            layout=config.layout.plain(),
            schedule=asdict(config.schedule),
        )
        model.autoencoder = autoencoder
        if config.scaling == "standardised":
            everything = torch.cat([model.project(im).flatten() for im in patches.images])
            model.centre, model.spread = everything.mean(), everything.std()
        return model

    def prepare(model: HUD) -> Patches:
        return patches.mapped(model.project)

    def loss(net: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        return denoising_loss(net, batch, config.schedule)

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
        title="HUD",
    )
