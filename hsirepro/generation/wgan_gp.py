"""WGAN-GP: a generative adversarial network whose critic is held to slopes of one.

A generator G turns noise z ~ N(0, I) into tiles, and a critic D gives every tile a number. The
difference of its means over real and generated tiles is the Wasserstein distance of the two
distributions, as long as D rises nowhere faster than by one per unit of distance. D is trained
to tell as much of it as there is, with a penalty on any other slope [1]_,

    L_D = E D(G(z)) - E D(x) + 10 E (|| grad D(x~) || - 1)^2,      x~ = x + u (G(z) - x),

x a real tile and u ~ U(0, 1) one number per tile; and G to leave little of it: L_G = -E D(G(z)).
One iteration is five steps of the critic, each on new tiles, and one of the generator.

Networks are the residual ones of the paper's experiments at 32 x 32, for tiles of 4 * 2^k pixels:

    generator   z (128) - linear to 4 x 4 - k blocks that double the size - tanh
    critic      k - 1 blocks that halve it, but at least one - two that do not - mean - linear

all 128 channels wide, the generator with batch normalisation and the critic without, because its
gradient is taken tile by tile. For another number of bands only the first convolutions of the
critic and the last of the generator change, as in the HUD paper's comparison.

Tiles are reflectance taken from [0, 1] to [-1, 1], where the tanh ends: values above 1 are cut,
and none can be drawn. To draw, batch normalisation takes the statistics that it has followed in
training. The method has no abundances, and needs no wavelengths.

References
----------
.. [1] I. Gulrajani, F. Ahmed, M. Arjovsky, V. Dumoulin, A. Courville, "Improved training of
   Wasserstein GANs", NeurIPS, 2017.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
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
from hsirepro.generation.training import AveragedLength
from hsirepro.generation.wgan_gp_net import LATENT, Critic, TileGenerator
from hsirepro.training import (
    TrainingRun,
    fingerprint_of,
    launch,
    moving_average,
    own_randomness,
    rising_and_falling,
    settled,
    train,
)

CHUNK = 64  # tiles drawn at once


@dataclass(frozen=True)
class WGANGPConfig(AveragedLength):
    """Settings of WGAN-GP.

    An iteration is one step of the generator, on ``2 * batch`` tiles, after ``critic_steps`` of
    the critic on ``batch``. The learning rate of both falls linearly to 0.

    Parameters
    ----------
    width : int
        Channels of every layer.
    critic_steps : int
        Per step of the generator.
    penalty : float
        Weight of the gradient penalty.
    """

    iterations: int = 600
    batch: int = 8
    learning_rate: float = 1e-3
    warm_up: int = 0
    clip_norm: float = math.inf
    average: float = 0.0
    width: int = 32
    critic_steps: int = 5
    penalty: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.critic_steps < 1:
            raise ParameterError(
                f"critic_steps={self.critic_steps} leaves the critic as it is.",
                next_step="give 1 or more; the paper has 5",
            )


PRESETS = {
    "paper": WGANGPConfig(iterations=100_000, batch=64, learning_rate=2e-4, width=128),
    "small": WGANGPConfig(),
}


def gradient_penalty(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """Return the mean squared deviation of the critic's slopes from one.

    Parameters
    ----------
    critic : torch.nn.Module
    real, fake : Tensor, shape (B, L, h, w)
        Slopes are taken at random points between each pair.

    Returns
    -------
    Tensor, shape ()

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> one = lambda tiles: tiles.mean(dim=(1, 2, 3)) * 12**0.5  # of unit slope, for 12 numbers
    >>> round(float(gradient_penalty(one, torch.rand(4, 3, 2, 2), torch.rand(4, 3, 2, 2))), 6)
    0.0
    """
    share = torch.rand(len(real), 1, 1, 1).to(real)  # on the CPU, as all that is drawn
    between = torch.lerp(real, fake, share).requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    steepness: Tensor = torch.linalg.vector_norm(slope.flatten(1), dim=1)
    return (steepness - 1.0).square().mean()


class WGANGP(Generator):
    """The generator of one scene. The critic is left behind when it is fitted."""

    def __init__(self, *, bands: int, size: int, width: int) -> None:
        super().__init__()
        self.size = size
        self.shape = {"bands": bands, "size": size, "width": width}
        self.net = channels_last(TileGenerator(bands, size, width))

    @torch.no_grad()
    def sample(self, count: int, *, size: int | None = None, seed: int = 0, **how: Any) -> Samples:
        """Draw tiles of the size that the model was fitted to; see :class:`Generator`."""
        check_count(count)
        fixed_size(self, size, "WGAN-GP")
        no_other_ways(how, "WGAN-GP")
        self.net.eval()
        device = next(self.net.parameters()).device
        generator = torch.Generator().manual_seed(seed)
        tiles = [
            self.net(torch.randn(min(CHUNK, count - first), LATENT, generator=generator).to(device))
            for first in range(0, count, CHUNK)
        ]
        return Samples((torch.cat(tiles).cpu() + 1.0) / 2.0)


@own_randomness()
def wgan_gp(
    patches: Patches,
    *,
    seed: int = 0,
    device: str = "cpu",
    progress: bool = False,
    checkpoint: Path | None = None,
    preset: str = "small",
    **settings: object,
) -> Fitted:
    """Fit WGAN-GP to the tiles of a scene.

    Parameters
    ----------
    patches : Patches
        Of 8, 16, 32, 64 ... pixels.
    seed : int
        Seeds the weights, the tiles and the noise; the same seed gives the same bytes on one CPU.
        The caller's random generators are left as they were.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    progress : bool
        Show a bar with loss and time left.
    checkpoint : Path, optional
        Resume from here, and keep the state here while training.
    preset : {"small", "paper"}
        A quarter of the width for a CPU, or width, batches and length of the paper for a GPU.
    **settings
        Fields of :class:`WGANGPConfig`, in place of the preset's.

    Returns
    -------
    Fitted
        Curves ``critic`` (less the estimate of the distance) and ``penalty``, both of the last
        step of the critic, by ``iteration``.

    Raises
    ------
    ParameterError
        If a setting is unknown or impossible, the tiles have no fitting size, or the loss stops
        being finite.
    """
    config = settled(PRESETS, preset, settings, "WGAN-GP")
    fabric = launch(device, config.precision, seed)
    model = WGANGP(bands=patches.bands, size=patches.size, width=config.width)
    critic = channels_last(Critic(patches.bands, patches.size, config.width))
    fabric.to_device(model)
    fabric.to_device(critic)
    net = model.net
    real = patches.mapped(lambda image: (2.0 * image.clamp(max=1.0) - 1.0).to(fabric.device))
    average = moving_average(net, config.average)
    # One optimiser for both: it leaves alone what has no gradient.
    both = nn.ModuleList([net, critic])
    optimizer = torch.optim.Adam(
        both.parameters(), lr=config.learning_rate, betas=(0.0, 0.9), fused=True
    )
    run = TrainingRun(
        nn.ModuleDict({"net": net, "critic": critic, "average": average}),
        optimizer,
        rising_and_falling(optimizer, config, lambda share: 1.0 - share),
        config.iterations,
        fingerprint=fingerprint_of(
            {"method": "WGAN-GP", "size": patches.size, **config.plain()}, seed, *patches.images
        ),
        checkpoint=checkpoint,
        project=lambda: average.update_parameters(net),
    )
    net.train()
    gradients = alternating(net, critic, real, optimizer, config, fabric.autocast)
    curves = train(run, gradients, title="WGAN-GP", progress=progress)
    net.load_state_dict(average.module.state_dict())
    return Fitted(model.cpu().eval(), curves, config.plain(), run.earlier_s)


def alternating(
    net: nn.Module,
    critic: nn.Module,
    real: Patches,
    optimizer: torch.optim.Optimizer,
    config: WGANGPConfig,
    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Callable[[], dict[str, Tensor]]:
    """Return what does the critic's steps and leaves the gradients of the generator's step.

    Parameters
    ----------
    net, critic : torch.nn.Module
        From noise to tiles, and from tiles to numbers.
    real : Patches
        Tiles within [-1, 1].
    optimizer : torch.optim.Optimizer
        Of the weights of both.
    config : WGANGPConfig
    autocast : callable, optional
        Gives the context that the networks run in.

    Returns
    -------
    callable
        Returns the two terms of L_D at the last step of the critic.
    """
    device = next(critic.parameters()).device

    def generated(count: int) -> Tensor:
        tiles: Tensor = net(torch.randn(count, LATENT).to(device))
        return tiles

    def criticise() -> dict[str, Tensor]:
        tiles = real.draw(config.batch)
        with autocast():
            with torch.no_grad():
                fake = generated(config.batch).float()
            # Both at once: the critic has no batch normalisation.
            of_fake, of_real = critic(torch.cat([fake, tiles])).float().chunk(2)
            penalty = config.penalty * gradient_penalty(critic, tiles, fake)
        terms = {"critic": of_fake.mean() - of_real.mean(), "penalty": penalty}
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(critic.parameters(), config.clip_norm)
        return {name: term.detach() for name, term in terms.items()}

    def gradients() -> dict[str, Tensor]:
        for _ in range(config.critic_steps):
            terms = criticise()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        with autocast():
            loss = -critic(generated(2 * config.batch)).float().mean()
        loss.backward(inputs=list(net.parameters()))  # and none for the critic
        nn.utils.clip_grad_norm_(net.parameters(), config.clip_norm)
        return terms

    return gradients
