"""Denoising diffusion of maps: schedule, network, loss and samplers, on the library diffusers.

The forward process adds noise to a map Z_0 in T steps of variance beta_t; with
alpha_t = 1 - beta_t and abar_t = alpha_1 ... alpha_t a map after t steps is

    Z_t = sqrt(abar_t) Z_0 + sqrt(1 - abar_t) eps,      eps ~ N(0, I).

A U-Net learns the noise that was added [1]_,

    L = E || eps - eps_theta(Z_t, t) ||^2,

and going back from pure noise, step by step, draws a new map:

    Z_{t-1} = 1/sqrt(alpha_t) (Z_t - beta_t / sqrt(1 - abar_t) eps_theta(Z_t, t)) + sigma_t eps.

That is the ancestral sampler, of T steps. The same network also serves solvers of the equivalent
differential equation, which need tens of them: DDIM [2]_ and DPM-Solver++ [3]_.

At the noisy end an error of eps_theta is an error of the map 1/sqrt(abar) times as large, so the
network must return its input to the last digit, which it learns late. A network that predicts the
velocity [4]_

    v = sqrt(abar_t) eps - sqrt(1 - abar_t) Z_0

gives the map without that factor.

SR3 [5]_ tells the network the noise level sqrt(abar) in place of the step t, and in training
draws it evenly between those of steps t - 1 and t, with abar_0 = 1.

References
----------
.. [1] J. Ho, A. Jain, P. Abbeel, "Denoising diffusion probabilistic models", NeurIPS, 2020.
.. [2] J. Song, C. Meng, S. Ermon, "Denoising diffusion implicit models", ICLR, 2021.
.. [3] C. Lu et al., "DPM-Solver++: fast solver for guided sampling of diffusion probabilistic
   models", arXiv:2211.01095, 2022.
.. [4] T. Salimans, J. Ho, "Progressive distillation for fast sampling of diffusion models", ICLR,
   2022, section 4.
.. [5] C. Saharia et al., "Image super-resolution via iterative refinement", IEEE Trans. Pattern
   Anal. Mach. Intell. 45(4), 2023, algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from hsirepro.errors import ParameterError, suggest

Prediction = Literal["noise", "velocity"]
Solver = Literal["ancestral", "ddim", "dpm-solver++"]
SOLVERS = ("ancestral", "ddim", "dpm-solver++")
BATCH = 64  # tiles drawn at once; part of what a seed means, so it is no setting


@dataclass(frozen=True)
class Schedule:
    """Variances of the forward process, linear in the step.

    Parameters
    ----------
    steps : int
        Number T.
    first, last : float
        beta_1 and beta_T.
    levels : bool
        Tell the network the noise level sqrt(abar_t), as SR3 does, and not t.
    predicts : {"noise", "velocity"}
        What the network is for.
    """

    steps: int = 1000
    first: float = 1e-4
    last: float = 2e-2
    levels: bool = False
    predicts: Prediction = "noise"

    @cached_property
    def signal(self) -> Tensor:
        """sqrt(abar_t) of every step, shape (T,), float64."""
        betas = torch.linspace(self.first, self.last, self.steps, dtype=torch.float64)
        return (1.0 - betas).cumprod(0).sqrt()

    def scheduler(self, solver: Solver = "ancestral", *, clip: bool = False) -> Any:
        """Return the library's scheduler of a sampler.

        Parameters
        ----------
        solver : {"ancestral", "ddim", "dpm-solver++"}
        clip : bool
            Keep the map that each step expects in the end within [-1, 1].

        Raises
        ------
        ParameterError
            If the sampler is unknown.
        """
        if solver not in SOLVERS:
            raise ParameterError(f"There is no sampler {solver!r}.", hint=suggest(solver, SOLVERS))
        # diffusers takes seconds to import, which nothing else needs.
        from diffusers.schedulers.scheduling_ddim import DDIMScheduler
        from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
        from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

        betas = {
            "num_train_timesteps": self.steps,
            "beta_start": self.first,
            "beta_end": self.last,
            "beta_schedule": "linear",
            "prediction_type": {"noise": "epsilon", "velocity": "v_prediction"}[self.predicts],
        }
        if solver == "ancestral":
            # sigma_t^2 = beta_t, one of the two choices that Ho et al. found alike.
            return DDPMScheduler(**betas, variance_type="fixed_large", clip_sample=clip)
        if solver == "ddim":
            return DDIMScheduler(**betas, clip_sample=clip, timestep_spacing="trailing")
        # Steps of equal log signal-to-noise ratio: few steps then miss neither end.
        return DPMSolverMultistepScheduler(
            **betas, use_lu_lambdas=True, final_sigmas_type="zero", thresholding=clip
        )


@dataclass(frozen=True)
class Layout:
    """Shape of the U-Net.

    Parameters
    ----------
    widths : tuple of int
        Channels of each level; from one to the next the map halves.
    blocks : int
        Residual blocks per level.
    attention : tuple of int
        Levels with self-attention, counted from 0; the middle always has it.
    groups : int
        Of the group normalisation; divides every width.
    dropout : float
    """

    widths: tuple[int, ...] = (32, 48, 64)
    blocks: int = 1
    attention: tuple[int, ...] = ()
    groups: int = 8
    dropout: float = 0.0

    @property
    def multiple(self) -> int:
        """What the sides of a map must be a multiple of."""
        return int(2 ** (len(self.widths) - 1))

    def network(self, channels: int) -> nn.Module:
        """Return the U-Net, from maps of ``channels`` to their noise."""
        from diffusers.models.unets.unet_2d import UNet2DModel

        levels = range(len(self.widths))
        down = ["AttnDownBlock2D" if i in self.attention else "DownBlock2D" for i in levels]
        up = ["AttnUpBlock2D" if i in self.attention else "UpBlock2D" for i in reversed(levels)]
        net: nn.Module = UNet2DModel(
            in_channels=channels,
            out_channels=channels,
            block_out_channels=self.widths,
            layers_per_block=self.blocks,
            down_block_types=tuple(down),
            up_block_types=tuple(up),
            norm_num_groups=self.groups,
            dropout=self.dropout,
            attention_head_dim=None,
        )
        return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    @staticmethod
    def from_plain(given: dict[str, Any]) -> Layout:
        """Return the layout that :meth:`plain` was made from."""
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in given.items()
        }
        return Layout(**fields)

    def plain(self) -> dict[str, Any]:
        """Return the layout as what JSON can hold."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }


# Layout of Ho et al. for tiles of 32 x 32: 35.8 million weights.
CIFAR = Layout((128, 256, 256, 256), blocks=2, attention=(1,), groups=32, dropout=0.1)


# How a diffusion learns in some minutes on a CPU, whatever its maps mean. Rates of 1e-3 and 3e-3
# were tried on one crop and do; with 8e-3 the loss stays high.
BRIEF: Mapping[str, Any] = MappingProxyType(
    {"iterations": 1_000, "learning_rate": 2e-3, "falls": True, "average": 0.99}
)


def denoising_loss(
    net: nn.Module, clean: Tensor, schedule: Schedule, *, absolute: bool = False
) -> dict[str, Tensor]:
    """Return the mean error of what the network predicts at random steps, by its name.

    Parameters
    ----------
    net : torch.nn.Module
        As :meth:`Layout.network` makes it.
    clean : Tensor, shape (B, C, h, w)
        Maps Z_0.
    schedule : Schedule
    absolute : bool
        Take absolute differences and not their squares.

    Returns
    -------
    dict
        ``noise`` or ``velocity``; shape ().
    """
    # Drawn on the CPU, whose generator the checkpoint keeps, whatever the device.
    told = torch.randint(schedule.steps, (len(clean),))
    noise = torch.randn(clean.shape).to(clean)
    level = schedule.signal[told]
    if schedule.levels:
        level = _between(schedule.signal, told)
        told = level.float()
    share, rest = (
        part.to(clean)[:, None, None, None] for part in (level, (1.0 - level.square()).sqrt())
    )
    noisy = (share * clean + rest * noise).contiguous(memory_format=torch.channels_last)
    predicted: Tensor = net(noisy, told.to(clean.device)).sample
    true = noise if schedule.predicts == "noise" else share * noise - rest * clean
    difference = predicted.float() - true
    mean = difference.abs().mean() if absolute else difference.square().mean()
    return {schedule.predicts: mean}


def _between(levels: Tensor, steps: Tensor) -> Tensor:
    """Return noise levels drawn between those of the steps (from 0) and of the steps before."""
    before = torch.cat([torch.ones(1).to(levels), levels])
    return torch.lerp(before[steps], levels[steps], torch.rand(len(steps)).to(levels))


@torch.no_grad()
def draw(
    net: nn.Module,
    shape: tuple[int, int, int, int],
    *,
    schedule: Schedule,
    multiple: int = 1,
    solver: Solver = "dpm-solver++",
    steps: int = 25,
    seed: int = 0,
    clip: bool = False,
) -> Tensor:
    """Go back from noise to maps.

    Parameters
    ----------
    net : torch.nn.Module
        Predicts what the schedule says.
    shape : tuple
        (n, C, h, w).
    schedule : Schedule
        The one that the network was trained with.
    multiple : int
        What the network's sides must be a multiple of; larger maps are drawn and cut.
    solver : {"ancestral", "ddim", "dpm-solver++"}
    steps : int
        At most the schedule's.
    seed : int
    clip : bool
        See :meth:`Schedule.scheduler`.

    Returns
    -------
    Tensor, shape (n, C, h, w)

    Raises
    ------
    ParameterError
        If the sampler is unknown, or the number of steps impossible.
    """
    if not 1 <= steps <= schedule.steps:
        raise ParameterError(
            f"A sampler cannot take {steps} steps.",
            next_step=f"ask for 1 to {schedule.steps}, the length of the schedule",
        )
    scheduler = schedule.scheduler(solver, clip=clip)
    device = next(net.parameters()).device
    generator = torch.Generator().manual_seed(seed)  # on the CPU: one seed, one start everywhere
    was_training = net.training
    net.eval()
    count, channels, height, width = shape
    whole = [multiple * math.ceil(side / multiple) for side in (height, width)]
    parts = []
    for first in range(0, count, BATCH):
        maps = torch.randn(min(BATCH, count - first), channels, *whole, generator=generator)
        maps = maps.to(device, memory_format=torch.channels_last)
        scheduler.set_timesteps(steps)
        how = {} if solver == "dpm-solver++" else {"generator": generator}
        for step in scheduler.timesteps:
            told = schedule.signal[step].float() if schedule.levels else step
            predicted = net(maps, told.to(device)).sample
            maps = scheduler.step(predicted, step, maps, **how).prev_sample
        parts.append(maps[:, :, :height, :width].cpu())
    net.train(was_training)
    return torch.cat(parts).contiguous()
