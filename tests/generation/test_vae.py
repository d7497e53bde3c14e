"""Laws of the VAE: its network, its divergence, and what a little training brings."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from hsirepro.errors import ParameterError
from hsirepro.generation import Patches
from hsirepro.generation.vae import PRESETS, VAE, AutoencoderNet, divergence, vae

NARROW = {"width": 8, "latent": 6, "batch": 8}


@pytest.mark.parametrize(
    ("size", "bands", "count"),
    [
        (64, 3, 3_937_635),
        (64, 103, 3_995_335),
        (64, 200, 4_051_304),
        (32, 3, 1_181_795),
        (32, 103, 1_239_495),
    ],
)
def test_network_has_the_weights_of_the_usual_one(size, bands, count):
    """3.94 million for RGB at 64 x 64; one stage less at 32 x 32."""
    paper = PRESETS["paper"]
    net = AutoencoderNet(bands, size, paper.width, paper.latent)
    assert sum(weight.numel() for weight in net.parameters()) == count


@pytest.mark.parametrize("size", [4, 8, 16, 64])
def test_tiles_come_back_in_their_shape(size):
    """Down to 2 x 2 and up again, for every power of two and odd numbers of bands and tiles."""
    decoded, mean, log_variance = AutoencoderNet(7, size, 4, 5)(torch.rand(3, 7, size, size))
    assert decoded.shape == (3, 7, size, size)
    assert mean.shape == log_variance.shape == (3, 5)
    assert decoded.abs().max() <= 1.0


@pytest.mark.parametrize("size", [2, 3, 12, 31, 33])
def test_other_sizes_are_refused(size):
    """Tiles that do not halve down to 2 x 2 are refused before any work."""
    with pytest.raises(ParameterError, match=rf"{size} x {size} pixels.\n.*4, 8, 16, 32, 64"):
        vae(Patches([torch.rand(7, 40, 40)], size), iterations=1)


def test_other_size_than_fitted_is_refused():
    """The decoder has one size, and says so."""
    with pytest.raises(ParameterError, match="The VAE draws tiles of 8 x 8 pixels, not 16 x 16"):
        VAE(bands=7, size=8, width=4, latent=5).sample(1, size=16)


def test_divergence_is_that_of_normal_distributions():
    """Summed over the latent numbers and averaged over tiles, as torch.distributions has it."""
    torch.manual_seed(0)
    mean, log_variance = torch.randn(2, 5, 9)
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(divergence(mean, log_variance), expected.sum(dim=1).mean())


def test_loss_is_error_plus_weighted_divergence():
    """Both terms of the first step, by other formulas on the same weights, tiles and draws."""
    image = torch.rand(7, 13, 11)
    image[2, 3, 3] = 2.0
    patches = Patches([image], 8)
    curves = vae(patches, seed=5, iterations=1, **NARROW).curves
    torch.manual_seed(5)
    net = VAE(bands=7, size=8, width=8, latent=6).net
    tiles = 2.0 * patches.draw(8).clamp(max=1.0) - 1.0
    mean, log_variance = net.encode(tiles)
    code = Normal(mean, (0.5 * log_variance).exp())
    z = mean + code.stddev * torch.randn(8, 6)
    error = torch.nn.functional.mse_loss(net.decode(z), tiles)
    kl = kl_divergence(code, Normal(0.0, 1.0)).sum() / 8
    assert curves["error"][0] == pytest.approx(float(error.detach()), rel=1e-5)
    # 8 tiles a step, and 6 x 4 different ones.
    assert curves["divergence"][0] == pytest.approx(float(kl.detach()) * 8 / 24, rel=1e-5)


def test_learning_rate_falls_by_a_twentieth_in_each_fiftieth(monkeypatch):
    """0.95 to the power of 50 is left at the end."""
    rates = []
    step = torch.optim.Adam.step

    def noted(self, *args, **kwargs):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", noted)
    vae(Patches([torch.rand(7, 9, 9)], 8), iterations=100, batch=1, width=1, latent=1, warm_up=0)
    assert rates[0] == pytest.approx(5e-3)
    assert rates[50] == pytest.approx(5e-3 * 0.95**25)
    assert rates[99] == pytest.approx(5e-3 * 0.95**49.5)


def test_reconstruction_improves():
    """Fields of two materials: after some steps tiles come back nearer than the mean spectrum."""
    torch.manual_seed(1)
    spectra = torch.tensor(
        [[0.05, 0.08, 0.12, 0.06, 0.45, 0.60, 0.62], [0.20, 0.22, 0.30, 0.45, 0.50, 0.52, 0.55]]
    )
    fields = spectra[torch.randint(2, (25, 25))] * (0.5 + torch.rand(25, 25, 1))
    image = fields.permute(2, 0, 1).repeat_interleave(8, dim=1).repeat_interleave(8, dim=2)
    patches = Patches([image], 8)
    tiles = 2.0 * patches.draw(200, torch.Generator().manual_seed(0)) - 1.0
    spread = float((tiles - tiles.mean(dim=(0, 2, 3), keepdim=True)).square().mean())
    errors = []
    for iterations in (1, 200):
        settings = {**NARROW, "iterations": iterations, "batch": 16, "warm_up": 0}
        net = vae(patches, **settings).model.net
        with torch.no_grad():
            decoded = net.decode(net.encode(tiles)[0])
        errors.append(float((decoded - tiles).square().mean()))
    assert errors[0] > spread
    assert errors[1] < 0.75 * spread


def test_draws_have_the_mean_spectrum():
    """A scene of one spectrum: what is drawn has it, which it had not at the start."""
    spectrum = torch.tensor([0.1, 0.15, 0.2, 0.3, 0.8, 0.85, 0.9])
    patches = Patches([spectrum[:, None, None].expand(-1, 12, 12)], 8)
    errors = []
    for iterations in (1, 100):
        tiles = vae(patches, iterations=iterations, warm_up=0, **NARROW).model.sample(16).tiles
        assert 0.0 <= tiles.min() <= tiles.max() <= 1.0
        errors.append(float((tiles.mean(dim=(0, 2, 3)) - spectrum).norm()))
    assert errors[0] > 0.5
    assert errors[1] < 0.2 * errors[0]
