"""Laws of the critics: their networks, what they look at, and when they are heard."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsirepro.errors import ShapeError
from hsirepro.recovery.critics import (
    JointCritic,
    SpectralCritic,
    inss_critic,
    pdass_critic,
    r2hgan_critic,
)

BUILDERS = {"inss": inss_critic, "pdass": pdass_critic, "r2hgan": r2hgan_critic}
LEAST = {"inss": 24, "pdass": 16, "r2hgan": 16}


def small(name: str, bands: int = 7, **how) -> JointCritic:
    torch.manual_seed(0)
    return BUILDERS[name](bands, **{"spatial": 4, "spectral": 8, **how})


def images(count: int, rows: int, columns: int, bands: int = 7) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (
        torch.rand(count, 3, rows, columns, generator=generator),
        torch.rand(count, bands, rows, columns, generator=generator),
    )


def count(net: nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())


@pytest.mark.parametrize(
    ("name", "bands", "spatial", "spectral", "millions"),
    [
        ("inss", 196, 2_967_233, 1_240_449, (2.97, 1.24)),
        ("inss", 224, 2_995_905, 1_244_033, (3.00, 1.24)),
        ("pdass", 48, 28_297_217, 4_867_841, (28.30, 4.87)),
        ("pdass", 196, 28_467_713, 4_905_729, (28.47, 4.91)),
        ("r2hgan", 224, 28_499_969, 94_849, (28.50, 0.09)),
    ],
)
def test_critics_have_the_published_weights(name, bands, spatial, spectral, millions):
    """2.97 and 1.24 million of INSS at 196 bands, 28.3 and 4.87 of PDASS at its 48."""
    with torch.device("meta"):
        critic = BUILDERS[name](bands)
    assert (count(critic.spatial), count(critic.spectral)) == (spatial, spectral)
    assert (round(spatial / 1e6, 2), round(spectral / 1e6, 2)) == millions


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("size", [(32, 32), (33, 47), (64, 40)])
def test_every_size_from_32_is_judged(name, size):
    """A logit per patch and one per spectrum, finite, and neither without gradients."""
    critic = small(name, grid=16)
    rgb, hsi = images(3, *size)
    said = critic.opinions(rgb, hsi)
    assert said.keys() == {"spatial", "spectral"}
    assert said["spatial"].shape[:2] == (3, 1)
    assert said["spatial"][0].numel() >= 1
    assert said["spectral"].shape[0] == 3
    assert said["spectral"].shape[1] >= (size[0] // 16) * (size[1] // 16)
    sum(logit.square().mean() for logit in said.values()).backward()
    for parameter, weight in critic.named_parameters():
        assert weight.grad is not None, parameter
        assert torch.isfinite(weight.grad).all(), parameter


@pytest.mark.parametrize("name", BUILDERS)
def test_least_size_is_the_least(name):
    """At the least size there is one patch; a row less is refused, as it would not go through."""
    critic, least = small(name), LEAST[name]
    assert critic.opinions(*images(2, least, least))["spatial"].shape == (2, 1, 1, 1)
    rgb, hsi = images(2, least - 1, least)
    with pytest.raises(ShapeError) as caught:
        critic.opinions(rgb, hsi)
    assert str(caught.value) == (
        f"The critic cannot judge images of {least - 1} x {least} pixels: its last convolution "
        f"needs {least} x {least}.\n  next step  give crops of {least} pixels or more"
    )
    with pytest.raises(RuntimeError):
        critic.spatial(rgb, hsi)


@pytest.mark.parametrize("name", BUILDERS)
def test_patches_see_colours_and_spectra(name):
    """The spatial critic is conditional: other colours of the same spectra, another opinion."""
    critic = small(name)
    rgb, hsi = images(2, 32, 32)
    before = critic.spatial(rgb, hsi)
    assert not torch.equal(critic.spatial(1.0 - rgb, hsi), before)
    assert not torch.equal(critic.spatial(rgb, 1.0 - hsi), before)


def test_spectra_are_taken_from_a_grid_at_random():
    """Every fifth row and column matters and no other, from any of the 25 offsets."""
    critic = SpectralCritic(4, (6,), grid=5)
    torch.manual_seed(0)
    offsets = set()
    for _ in range(300):
        hsi = torch.rand(1, 4, 12, 15, requires_grad=True)
        critic(hsi).square().sum().backward()
        rows, columns = hsi.grad[0].abs().sum(dim=0).nonzero().unbind(dim=1)
        down, right = int(rows[0]), int(columns[0])
        expected = [(y, x) for y in range(down, 12, 5) for x in range(right, 15, 5)]
        assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == expected
        offsets.add((down, right))
    assert offsets == {(y, x) for y in range(5) for x in range(5)}


def test_image_within_one_cell_of_the_grid_gives_one_spectrum():
    """Crops smaller than the grid still have a spectrum each."""
    assert small("r2hgan").opinions(*images(2, 32, 40))["spectral"].shape == (2, 1, 1)


@pytest.mark.parametrize(("name", "linear"), [("r2hgan", True), ("pdass", False), ("inss", False)])
def test_only_the_spectral_critic_of_r2hgan_is_linear(name, linear):
    """Without activations the logit of a mixture is the mixture of the logits."""
    critic = small(name, grid=1).spectral
    with torch.no_grad():
        for weight in critic.parameters():
            weight.copy_(torch.randn(weight.shape))
        one, other = images(1, 4, 4)[1], images(1, 4, 4)[1].flip(2)
        mixture = critic(0.3 * one + 0.7 * other)
        assert torch.allclose(mixture, 0.3 * critic(one) + 0.7 * critic(other), rtol=1e-3) == linear


@pytest.mark.parametrize(("name", "logit"), [("r2hgan", -1.0), ("pdass", -0.01), ("inss", -0.01)])
def test_leaky_relu_follows_the_last_layer_too(name, logit):
    """What is thought to be made is said a hundred times more softly, as in the releases."""
    critic = small(name)
    with torch.no_grad():
        critic.spectral.end.weight.zero_()
        critic.spectral.end.bias.fill_(-1.0)
    said = critic.opinions(*images(1, 32, 32))["spectral"]
    torch.testing.assert_close(said, torch.full_like(said, logit))


def test_quiet_critic_neither_speaks_nor_learns():
    """For as many steps of the model as it is told; its own looks at images are not counted."""
    critic = small("inss", quiet=2)
    rgb, hsi = images(2, 32, 32)
    weights = {name: weight.clone() for name, weight in critic.named_parameters()}
    optimizer = torch.optim.Adam(critic.parameters(), lr=0.1)
    made = hsi.clone().requires_grad_()
    for _ in range(2):
        for real in (hsi, hsi):
            said = critic.opinions(rgb, real)
            assert all(not logit.any() for logit in said.values())
            optimizer.zero_grad()
            sum(F.softplus(logit).mean() for logit in said.values()).backward()
            optimizer.step()
        assert all(not logit.any() for logit in critic.opinions(rgb, made).values())
    for name, weight in critic.named_parameters():
        assert torch.equal(weight, weights[name]), name
    assert all(logit.any() for logit in critic.opinions(rgb, hsi).values())
    awake = small("inss", quiet=2)
    awake.load_state_dict(critic.state_dict())
    assert awake.opinions(rgb, made)["spatial"].any()


@pytest.mark.parametrize("name", BUILDERS)
def test_critics_tell_made_from_real(name):
    """After some steps both tell a rising spectrum from a falling one, on images they never saw."""
    critic = small(name, grid=2)
    optimizer = torch.optim.Adam(critic.parameters(), lr=3e-3)
    slope = torch.linspace(-0.3, 0.3, 7)[:, None, None]

    def batch() -> tuple[Tensor, Tensor, Tensor]:
        rgb = torch.rand(4, 3, 32, 32)
        ground = 0.5 + 0.2 * torch.randn(4, 1, 32, 32)
        return rgb, ground + slope, ground - slope

    for _ in range(80):
        rgb, real, made = batch()
        optimizer.zero_grad()
        likely, unlikely = critic.opinions(rgb, real), critic.opinions(rgb, made)
        sum(
            F.softplus(-likely[kind]).mean() + F.softplus(unlikely[kind]).mean() for kind in likely
        ).backward()
        optimizer.step()
    rgb, real, made = batch()
    for kind, logit in critic.opinions(rgb, real).items():
        assert (logit > 0).float().mean() > 0.9, kind
        assert (critic.opinions(rgb, made)[kind] < 0).float().mean() > 0.9, kind
