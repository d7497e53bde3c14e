"""Diffusion: the library's steps are the equations, and with the true noise all samplers agree."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hsirepro.errors import ParameterError
from hsirepro.generation.diffusion import (
    BATCH,
    CIFAR,
    SOLVERS,
    Layout,
    Schedule,
    denoising_loss,
    draw,
)

SCHEDULE = Schedule()
MEAN, DEVIATION = -1.5, 0.7


def abar(schedule: Schedule = SCHEDULE) -> Tensor:
    """Return the cumulated products of 1 - beta by the definition, float64."""
    betas = torch.linspace(schedule.first, schedule.last, schedule.steps, dtype=torch.float64)
    return torch.cumprod(1.0 - betas, 0)


class GaussianNoise(nn.Module):
    """The noise that the best network would predict if maps were N(MEAN, DEVIATION^2) pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(()))

    def forward(self, noisy: Tensor, step: Tensor) -> Any:
        a = abar()[step.long()].float().reshape(-1, 1, 1, 1)
        variance = a * DEVIATION**2 + 1.0 - a
        return SimpleNamespace(sample=(1 - a).sqrt() * (noisy - a.sqrt() * MEAN) / variance)


@pytest.mark.parametrize(
    ("solver", "steps", "tolerance"),
    [("ancestral", 1000, 0.02), ("ddim", 50, 0.03), ("dpm-solver++", 20, 0.02)],
)
def test_the_true_noise_leads_to_the_true_distribution(
    solver: Any, steps: int, tolerance: float
) -> None:
    """Of Gaussian maps the best prediction is known; sampling with it gives their moments."""
    maps = draw(
        GaussianNoise(), (8, 2, 32, 32), schedule=SCHEDULE, solver=solver, steps=steps, seed=0
    )
    assert float(maps.mean()) == pytest.approx(MEAN, abs=tolerance)
    assert float(maps.std()) == pytest.approx(DEVIATION, abs=tolerance)


def test_an_ancestral_step_is_equation_14() -> None:
    """Z_{t-1} = (Z_t - beta_t / sqrt(1 - abar_t) eps) / sqrt(alpha_t) + sqrt(beta_t) noise."""
    scheduler = SCHEDULE.scheduler("ancestral")
    scheduler.set_timesteps(1000)
    z, eps = torch.randn(2, 3, 5, 7, generator=torch.Generator().manual_seed(0)).chunk(2)
    for t in (1, 17, 500, 999):
        noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(1))
        made = scheduler.step(eps, t, z, generator=torch.Generator().manual_seed(1)).prev_sample
        beta = SCHEDULE.first + (SCHEDULE.last - SCHEDULE.first) * t / 999
        mean = (z - beta / (1 - abar()[t]).sqrt() * eps) / (1 - beta) ** 0.5
        assert torch.allclose(made, (mean + beta**0.5 * noise).float(), atol=5e-4)


def test_the_last_step_adds_no_noise() -> None:
    """At t = 1 the answer is the mean."""
    scheduler = SCHEDULE.scheduler("ancestral")
    scheduler.set_timesteps(1000)
    z, eps = torch.randn(2, 3, 5, 7).chunk(2)
    made = [scheduler.step(eps, 0, z).prev_sample for _ in range(2)]
    assert torch.equal(made[0], made[1])


@pytest.mark.parametrize("predicts", ["noise", "velocity"])
def test_noise_is_added_as_in_the_closed_form(predicts: Any) -> None:
    """Z_t = sqrt(abar_t) Z_0 + sqrt(1 - abar_t) eps: a perfect predictor has loss zero."""
    clean = torch.full((64, 2, 4, 4), 0.4)

    class Perfect(nn.Module):
        def forward(self, noisy: Tensor, step: Tensor) -> Any:
            a = abar()[step].reshape(-1, 1, 1, 1)
            noise = (noisy - a.sqrt() * 0.4) / (1 - a).sqrt()
            velocity = a.sqrt() * noise - (1 - a).sqrt() * 0.4
            right = {"noise": noise, "velocity": velocity}[predicts]
            return SimpleNamespace(sample=right.float())

    class Blind(nn.Module):
        def forward(self, noisy: Tensor, step: Tensor) -> Any:
            return SimpleNamespace(sample=torch.zeros_like(noisy))

    schedule = Schedule(predicts=predicts)
    torch.manual_seed(0)
    assert float(denoising_loss(Perfect(), clean, schedule)[predicts]) < 1e-8
    standard = torch.randn(64, 2, 8, 8)
    assert float(denoising_loss(Blind(), standard, schedule)[predicts]) == pytest.approx(1, abs=0.1)


def test_the_signal_is_that_of_the_library() -> None:
    """sqrt(abar_t), told to the network and used in the loss, as the samplers have it."""
    for schedule in (SCHEDULE, Schedule(2000, 1e-6, 1e-2, levels=True)):
        theirs = schedule.scheduler().alphas_cumprod.double().sqrt()
        assert torch.allclose(schedule.signal, theirs, rtol=1e-4)


@pytest.mark.parametrize("solver", SOLVERS)
def test_both_predictions_draw_the_same(solver: Any) -> None:
    """A network that knows the noise, and one that knows the velocity, lead to the same maps."""

    class Knows(nn.Module):
        def __init__(self, velocity: bool) -> None:
            super().__init__()
            self.velocity = velocity
            self.any = nn.Parameter(torch.zeros(()))

        def forward(self, noisy: Tensor, step: Tensor) -> Any:
            a = abar()[step]
            # Maps of mean 0.5 and deviation 0.2: what is expected of the noise.
            noise = (1 - a).sqrt() * (noisy - a.sqrt() * 0.5) / (0.04 * a + 1 - a)
            clean = (noisy - (1 - a).sqrt() * noise) / a.sqrt()
            velocity = a.sqrt() * noise - (1 - a).sqrt() * clean
            return SimpleNamespace(sample=(velocity if self.velocity else noise).float())

    noise, velocity = (
        draw(
            Knows(predicts == "velocity"),
            (3, 2, 8, 8),
            schedule=Schedule(predicts=predicts),
            solver=solver,
            steps=20,
        )
        for predicts in ("noise", "velocity")
    )
    assert torch.allclose(noise, velocity, atol=2e-3)


def test_the_schedule_ends_in_noise() -> None:
    """Nothing of the map is left at T: the start of sampling is the end of the forward process."""
    assert float(abar()[-1]) == pytest.approx(4e-5, rel=0.02)


def test_layout_of_the_paper_has_its_size() -> None:
    """The U-Net of Ho et al. for 32 x 32 has 35.7 million weights; ours has 35.76 at 9 maps."""
    net = CIFAR.network(9)
    assert sum(weight.numel() for weight in net.parameters()) == 35_760_137


def test_layout_survives_being_written_down() -> None:
    """A file holds lists where the layout has tuples."""
    assert Layout.from_plain(CIFAR.plain()) == CIFAR


@pytest.mark.parametrize("solver", SOLVERS)
def test_same_seed_same_maps_and_more_maps_keep_the_first(solver: Any) -> None:
    """A seed names the maps; asking for more in another batch changes none of the first batch."""
    net = Layout((8, 8), groups=4).network(3)
    how: dict[str, Any] = {"schedule": SCHEDULE, "solver": solver, "steps": 3}
    few = draw(net, (BATCH, 3, 4, 4), seed=5, **how)
    again = draw(net, (BATCH, 3, 4, 4), seed=5, **how)
    many = draw(net, (BATCH + 2, 3, 4, 4), seed=5, **how)
    other = draw(net, (BATCH, 3, 4, 4), seed=6, **how)
    assert torch.equal(few, again)
    assert torch.equal(few, many[:BATCH])
    assert not torch.equal(few, other)


def test_sampling_leaves_the_network_as_it_was() -> None:
    """Dropout is off while drawing and on again for training afterwards."""
    net = Layout((8, 8), groups=4, dropout=0.5).network(3).train()
    first, second = (draw(net, (2, 3, 4, 4), schedule=SCHEDULE, steps=2, seed=0) for _ in "ab")
    assert torch.equal(first, second)
    assert net.training


def test_impossible_sampling_is_refused() -> None:
    """The error names the number, and what there is."""
    net = Layout((8, 8), groups=4).network(3)
    with pytest.raises(ParameterError, match=r"1001 steps(.|\n)*1 to 1000"):
        draw(net, (1, 3, 4, 4), schedule=SCHEDULE, steps=1001)
    with pytest.raises(ParameterError, match=r"no sampler 'ddpm'(.|\n)*'ddim'"):
        SCHEDULE.scheduler("ddpm")  # type: ignore[arg-type]
