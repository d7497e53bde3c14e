"""Laws of R2HGAN: its generator, its dropout, its loss, and what a little training brings."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hsirepro.errors import ParameterError, ShapeError
from hsirepro.recovery import Pairs
from hsirepro.recovery.critics import r2hgan_critic
from hsirepro.recovery.r2hgan import PRESETS, R2HGAN, r2hgan
from hsirepro.scenes.simulate import simulate

NM = np.linspace(430.0, 860.0, 12)
RED_GREEN_BLUE = [6, 3, 1]  # of these bands
NARROW = {"width": 4, "levels": 3, "spatial": 2, "spectral": 4, "batch": 2, "crop": 16}


def planted(*seeds: int) -> Pairs:
    """Mixtures of smooth spectra, 48 x 48 pixels, of which three bands are seen."""
    scenes = [simulate(size=48, wavelengths=NM, seed=seed, snr_db=math.inf) for seed in seeds]
    images = [torch.from_numpy(scene.cube.values.copy()).permute(2, 0, 1) for scene in scenes]
    return Pairs([image[RED_GREEN_BLUE] for image in images], images, NM)


def generator(levels: int = 3, *, centred: bool = False) -> R2HGAN:
    torch.manual_seed(0)
    return R2HGAN(bands=5, width=4, levels=levels, centred=centred)


@pytest.mark.parametrize(
    ("width", "bands", "count", "millions"),
    [
        (128, 224, 218_514_400, 218.5),
        (64, 224, 54_862_432, 54.9),
        (128, 196, 218_399_684, 218.4),
    ],
)
def test_generator_has_the_published_weights(width, bands, count, millions):
    """218.5 million for 224 bands, 54.9 at half the width: the bands of AVIRIS, not the 196."""
    with torch.device("meta"):
        model = R2HGAN(bands=bands, width=width, levels=8, centred=False)
    assert sum(weight.numel() for weight in model.parameters()) == count
    assert round(count / 1e6, 1) == millions


def test_paper_preset_is_the_original():
    """Eight levels of 128 channels on single crops of 256, and critics as wide."""
    paper = PRESETS["paper"]
    assert (paper.width, paper.levels, paper.crop, paper.batch) == (128, 8, 256, 1)
    assert (paper.spatial, paper.spectral, paper.grid) == (128, 128, 64)


@pytest.mark.parametrize("levels", [1, 2, 3, 5])
def test_images_go_down_to_a_pixel_and_up_again(levels):
    """2^levels pixels are one at the bottom, and all are there again at the end."""
    model, side = generator(levels), 2**levels
    sizes = []
    model.down[-1].register_forward_hook(lambda *call: sizes.append(call[-1].shape[2:]))
    assert model(torch.rand(2, 3, side, 3 * side)).shape == (2, 5, side, 3 * side)
    assert sizes == [(1, 3)]
    assert model.multiple == side


def test_first_weights_have_the_published_spread():
    """N(0, 0.02^2) at the original width, biases of 0; narrower layers start larger."""
    for width, spread in ((128, 0.02), (32, 0.04)):
        model = R2HGAN(bands=9, width=width, levels=3, centred=False)
        for conv in model.modules():
            if isinstance(conv, nn.Conv2d | nn.ConvTranspose2d):
                assert float(conv.weight.std()) == pytest.approx(spread, rel=0.1)
                assert not conv.bias.any()


@pytest.mark.parametrize(("levels", "stages"), [(1, 0), (2, 1), (4, 3), (6, 3)])
def test_dropout_is_of_a_half_in_the_first_three_stages(monkeypatch, levels, stages):
    """Also when recovering; never in the last stage, which makes the bands."""
    shares = []
    monkeypatch.setattr(F, "dropout", lambda x, p, training: shares.append((p, training)) or x)
    generator(levels).reconstruct(torch.rand(3, 8, 8))
    assert shares == [(0.5, True)] * stages


def test_dropout_comes_from_the_seed():
    """One seed, one result; another seed, another draw of the same spectra."""
    model, rgb = generator(), torch.rand(3, 16, 16)
    with torch.no_grad():  # as wide as after some training
        for conv in model.up:
            conv.weight.mul_(5.0)
    first = model.reconstruct(rgb, seed=1).image
    assert torch.equal(model.reconstruct(rgb, seed=1).image, first)
    assert not torch.equal(model.reconstruct(rgb, seed=2).image, first)


@pytest.mark.parametrize(("centred", "low"), [(False, -1.0), (True, 0.0)])
def test_tanh_bounds_the_spectra(centred, low):
    """As released, what is dark may come out below 0; centred, it cannot."""
    model = generator(centred=centred)
    with torch.no_grad():
        model.up[-1].bias.copy_(torch.tensor([-50.0, -1.0, 0.0, 1.0, 50.0]))
    spectrum = model.reconstruct(torch.zeros(3, 8, 8)).image[:, 4, 4]
    tanh = torch.tensor([-50.0, -1.0, 0.0, 1.0, 50.0]).tanh()
    torch.testing.assert_close(spectrum, (tanh + 1.0) / 2.0 if centred else tanh)
    assert float(spectrum[0]) == low


@pytest.mark.parametrize("centred", [False, True])
def test_loss_is_error_and_two_opinions(centred):
    """The terms of a step by other formulas, on the same weights, crops, dropout and places."""
    pairs = planted(0)
    how = {**NARROW, "iterations": 1, "centred": centred, "l1": 30.0, "grid": 4}
    curves = r2hgan(pairs, seed=5, **how).curves  # a seventh of one step is none
    torch.manual_seed(5)
    model = R2HGAN(bands=12, width=4, levels=3, centred=centred)
    critic = r2hgan_critic(12, spatial=2, spectral=4, grid=4)
    rgb, hsi = pairs.draw(2, 16, flips=True)
    made = model.parts(rgb)["image"]

    def entropy(logits: Tensor, *, real: bool) -> float:
        likely = logits.double().sigmoid()
        return -float((likely if real else 1.0 - likely).log().mean())

    critic.opinions(rgb, hsi), critic.opinions(rgb, made.detach())  # draw places, as a step does
    # The critics have learnt since, by one step of Adam: as far as their rate.
    opinions = critic.opinions(rgb, made)
    for kind in ("spatial", "spectral"):
        expected = entropy(opinions[kind], real=True)
        assert curves[f"{kind}_made"][0] == pytest.approx(expected, abs=0.02)
    error = 30.0 * float((made - hsi).abs().mean().detach()) * (2.0 if centred else 1.0)
    assert curves["error"][0] == pytest.approx(error, rel=1e-5)


def test_generator_learns_alone_for_a_seventh():
    """Two steps of fourteen: until then the critics say ln 2, whatever they are shown."""
    curves = r2hgan(planted(0), iterations=14, validate_every=1, **NARROW).curves
    for kind in ("spatial_made", "spectral_made"):
        assert curves[kind][:2] == pytest.approx([math.log(2.0)] * 2, rel=1e-6)
        assert (abs(curves[kind][2:] - math.log(2.0)) > 1e-6).all()


def test_learning_rates_fall_twice(monkeypatch):
    """To a tenth after 300 of 700 epochs and again after 600, the model's and the critics'."""
    rates, step = [], torch.optim.Adam.step

    def noted(self, *args, **kwargs):
        rates.append([group["lr"] for group in self.param_groups])
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", noted)
    how = {**NARROW, "learning_rate": 2e-4, "critic_rate": 1e-5, "warm_up": 0, "critic_every": 99}
    r2hgan(planted(0), iterations=14, **how)
    rates = rates[1:]  # the first is the critics' own
    assert len(rates) == 14
    for number, pair in enumerate(rates):
        left = 0.1 ** ((number >= 6) + (number >= 12))
        assert pair == pytest.approx([2e-4 * left, 1e-5 * left])


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"crop": 20}, ParameterError,
         "Crops of 20 pixels cannot be halved 3 times.\n"
         "  next step  give a multiple of 8, or fewer levels"),
        ({"levels": 0}, ParameterError, "levels=0 makes no U-Net.\n  next step  give 1 or more"),
        ({"crop": 8}, ShapeError,
         "The critic cannot judge images of 8 x 8 pixels: its last convolution needs 16 x 16.\n"
         "  next step  give crops of 16 pixels or more"),
    ],
)  # fmt: skip
def test_impossible_sizes_are_named(settings, error, text):
    """A crop that does not halve, no levels, and a crop too small to be judged."""
    with pytest.raises(error) as caught:
        r2hgan(planted(0), iterations=1, **{**NARROW, **settings})
    assert str(caught.value) == text
