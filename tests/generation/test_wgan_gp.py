"""Laws of WGAN-GP: its networks, its penalty, and what a little training brings."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsirepro.errors import ParameterError
from hsirepro.generation import Patches
from hsirepro.generation.wgan_gp import (
    PRESETS,
    WGANGP,
    WGANGPConfig,
    alternating,
    gradient_penalty,
    wgan_gp,
)
from hsirepro.generation.wgan_gp_net import Critic, TileGenerator, doubled, halved


def weights(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def constant(spectrum: Tensor) -> Patches:
    return Patches([spectrum[:, None, None].expand(-1, 12, 12)], 8)


@pytest.mark.parametrize(
    ("bands", "generator", "critic"),
    [(3, 1_204_483, 1_053_825), (103, 1_319_783, 1_181_825), (200, 1_431_624, 1_305_985)],
)
def test_networks_have_the_weights_of_the_published_ones(bands, generator, critic):
    """1.204 and 1.054 million for RGB at 32 x 32; bands change the outermost layers only."""
    width = PRESETS["paper"].width
    assert weights(TileGenerator(bands, 32, width)) == generator
    assert weights(Critic(bands, 32, width)) == critic


@pytest.mark.parametrize("size", [8, 16, 32, 64])
def test_tiles_of_four_times_a_power_of_two(size):
    """Both networks fit each other at every size, and stay within the range of the tanh."""
    tiles = TileGenerator(7, size, 4)(torch.randn(3, 128))
    assert tiles.shape == (3, 7, size, size)
    assert tiles.abs().max() <= 1.0
    assert Critic(7, size, 4)(tiles).shape == (3,)


@pytest.mark.parametrize(("size", "nearest"), [(4, 8), (12, 16), (20, 16), (31, 32), (33, 32)])
def test_other_sizes_are_refused(size, nearest):
    """A tile that no number of doublings makes is answered with one that they make."""
    patches = Patches([torch.rand(7, 40, 40)], size)
    with pytest.raises(ParameterError, match=rf"{size} x {size} pixels.\n.*such as {nearest}$"):
        wgan_gp(patches, iterations=1)


def test_other_size_than_fitted_is_refused():
    """The generator has one size, and says so."""
    with pytest.raises(ParameterError, match="WGAN-GP draws tiles of 8 x 8 pixels, not 16 x 16"):
        WGANGP(bands=7, size=8, width=4).sample(1, size=16)


def test_cheap_convolutions_are_the_plain_ones():
    """Convolving then averaging, or doubling then convolving, in one step; gradients as well."""
    torch.manual_seed(0)
    conv = nn.Conv2d(5, 3, 3, padding=1)
    x = torch.rand(2, 5, 6, 10, requires_grad=True)
    plain = {
        halved: F.avg_pool2d(conv(x), 2),
        doubled: conv(F.interpolate(x, scale_factor=2)),
    }
    for cheap, expected in plain.items():
        found = cheap(conv, x)
        torch.testing.assert_close(found, expected)
        for a, b in zip(
            torch.autograd.grad(found.square().sum(), [x, *conv.parameters()]),
            torch.autograd.grad(expected.square().sum(), [x, *conv.parameters()]),
            strict=True,
        ):
            torch.testing.assert_close(a, b)


@pytest.mark.parametrize("slope", [1.0, 0.25, 3.0])
def test_penalty_of_a_linear_critic(slope):
    """A plane has one slope everywhere: nothing to pay at 1, and (slope - 1)^2 else."""
    torch.manual_seed(0)
    direction = F.normalize(torch.randn(7 * 64), dim=0)
    real, fake = torch.rand(2, 5, 7, 8, 8)
    penalty = gradient_penalty(lambda tiles: slope * tiles.flatten(1) @ direction, real, fake)
    assert float(penalty.detach()) == pytest.approx((slope - 1.0) ** 2, abs=1e-6)


def test_penalty_of_a_bowl():
    """The slope of |x|^2 / 2 is |x|, whatever the point between two equal tiles."""
    tiles = torch.rand(5, 7, 8, 8)
    penalty = gradient_penalty(lambda t: 0.5 * t.flatten(1).square().sum(dim=1), tiles, tiles)
    expected = (tiles.flatten(1).square().sum(dim=1).sqrt() - 1.0).square().mean()
    assert float(penalty.detach()) == pytest.approx(float(expected), rel=1e-5)


def test_penalty_is_taken_between_the_tiles():
    """Where the critic is steep only beyond both ends, nothing is seen of it."""
    torch.manual_seed(0)
    real, fake = torch.zeros(64, 1, 1, 1), torch.ones(64, 1, 1, 1)

    def critic(tiles: Tensor) -> Tensor:
        x = tiles.flatten()
        return torch.where((x > 0.0) & (x < 1.0), x, 9.0 * x)

    inside, beyond = (gradient_penalty(critic, real, fake * end).detach() for end in (1.0, 2.0))
    assert float(inside) == 0.0
    assert float(beyond) > 20.0  # (9 - 1)^2 for half of the points


@pytest.mark.parametrize("bands", [1, 7, 33])
def test_penalty_has_gradients_of_its_own(bands):
    """Derived a second time it still has finite numbers, and reaches the first layer."""
    torch.manual_seed(0)
    critic = Critic(bands, 16, 4)
    gradient_penalty(critic, *torch.rand(2, 3, bands, 16, 16)).backward()
    found = {name: weight.grad for name, weight in critic.named_parameters()}
    assert all(torch.isfinite(grad).all() for grad in found.values() if grad is not None)
    assert found["blocks.0.first.weight"].abs().sum() > 0.0


def test_dead_critic_has_finite_gradients():
    """A critic without any slope has no direction to steepen in, and is no division by zero."""
    critic = nn.Sequential(nn.Flatten(), nn.Linear(7 * 64, 1))
    nn.init.zeros_(critic[1].weight)
    penalty = gradient_penalty(critic, *torch.rand(2, 3, 7, 8, 8))
    penalty.backward()
    assert float(penalty.detach()) == 1.0
    assert torch.isfinite(critic[1].weight.grad).all()


def test_critic_learns_the_wasserstein_distance():
    """Two clouds at a distance d: the best linear critic tells them apart by d (1 + d / 20)."""
    torch.manual_seed(0)
    shift = torch.randn(1, 3, 2, 2)
    shift *= 0.8 / shift.norm()
    critic = nn.Sequential(nn.Flatten(), nn.Linear(12, 1))
    optimizer = torch.optim.SGD(critic.parameters(), lr=0.03)
    for _ in range(200):
        real = torch.randn(8, 3, 2, 2)
        fake = real - shift
        difference = critic(real).mean() - critic(fake).mean()
        optimizer.zero_grad()
        (10.0 * gradient_penalty(critic, real, fake) - difference).backward()
        optimizer.step()
    assert float(difference.detach()) == pytest.approx(0.8 * 1.04, rel=1e-3)


def test_each_of_the_two_learns_by_its_own_steps():
    """The critic takes its steps and keeps no gradient; the generator gets one, and no step yet."""
    torch.manual_seed(0)
    net, critic = TileGenerator(7, 8, 4), Critic(7, 8, 4)
    before = [weight.clone() for weight in net.parameters()]
    optimizer = torch.optim.Adam(nn.ModuleList([net, critic]).parameters())
    config = WGANGPConfig(batch=3, critic_steps=4)
    alternating(net, critic, Patches([torch.rand(7, 12, 12)], 8), optimizer, config)()
    assert all(weight.grad is None for weight in critic.parameters())
    assert all(optimizer.state[weight]["step"] == 4 for weight in critic.parameters())
    assert all(weight.grad is not None for weight in net.parameters())
    assert all(weight not in optimizer.state for weight in net.parameters())
    for weight, old in zip(net.parameters(), before, strict=True):
        assert torch.equal(weight, old)


def test_learning_rate_falls_to_nothing(monkeypatch):
    """Linearly over the iterations, the same for both, without momentum in the first moment."""
    seen = []
    step = torch.optim.Adam.step

    def noted(self, *args, **kwargs):
        seen.append((self.param_groups[0]["lr"], self.param_groups[0]["betas"]))
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", noted)
    spectrum = torch.linspace(0.1, 0.9, 7)
    wgan_gp(constant(spectrum), iterations=4, batch=2, width=2, critic_steps=2, learning_rate=0.4)
    rates, betas = zip(*seen, strict=True)
    assert rates == pytest.approx([0.4] * 3 + [0.3] * 3 + [0.2] * 3 + [0.1] * 3)
    assert set(betas) == {(0.0, 0.9)}


def test_critic_without_steps_is_refused():
    """A generator against a critic that never learns would follow its random start."""
    with pytest.raises(ParameterError, match=r"critic_steps=0 leaves.*\n.*give 1 or more"):
        wgan_gp(constant(torch.linspace(0.1, 0.9, 7)), critic_steps=0)


def test_bright_values_are_cut():
    """What is above 1 is as good as 1: the generator cannot reach it."""
    image = torch.rand(7, 12, 12)
    image[:, 3:6, 3:6] = 1.0
    glint = torch.where(image == 1.0, 5.0, image)
    fits = [wgan_gp(Patches([im], 8), iterations=2, batch=3, width=4) for im in (image, glint)]
    a, b = (fit.model.sample(3).tiles for fit in fits)
    assert torch.equal(a, b)
    assert 0.0 <= a.min() <= a.max() <= 1.0


def test_training_brings_the_mean_spectrum_nearer():
    """A scene of one spectrum: after some steps the tiles are nearer to it than at the start."""
    spectrum = torch.tensor([0.1, 0.15, 0.2, 0.3, 0.8, 0.85, 0.9])
    narrow = {"batch": 4, "width": 4, "critic_steps": 2, "learning_rate": 0.01}
    errors = []
    for iterations in (1, 30):
        tiles = wgan_gp(constant(spectrum), iterations=iterations, **narrow).model.sample(16).tiles
        errors.append(float((tiles.mean(dim=(0, 2, 3)) - spectrum).norm()))
    assert errors[0] > 0.5
    assert errors[1] < 0.25 * errors[0]


def test_curves_are_those_of_the_critic():
    """The critic first sees a distance, and pays for its slopes: the curves hold both."""
    curves = wgan_gp(constant(torch.linspace(0.1, 0.9, 7)), iterations=1, batch=2, width=4).curves
    assert curves.keys() == {"iteration", "loss", "critic", "penalty"}
    np.testing.assert_allclose(curves["critic"] + curves["penalty"], curves["loss"])
    assert curves["penalty"][0] > 0.0
