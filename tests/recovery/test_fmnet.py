"""Laws of FM-Net: its network, its interpolation, and what a little training brings."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from hsirepro.errors import ParameterError, RecordError, WavelengthError
from hsirepro.recovery import Pairs
from hsirepro.recovery.fmnet import PRESETS, FMNet, MixtureUnit, fmnet, interpolation_matrix
from hsirepro.scenes.simulate import simulate

NM = np.linspace(430.0, 860.0, 12)
RED_GREEN_BLUE = [6, 3, 1]  # of these bands
NARROW = {"width": 4, "blocks": 1, "bases": 2}


def planted(*seeds: int) -> Pairs:
    """Mixtures of smooth spectra, 48 x 48 pixels, of which three bands are seen."""
    scenes = [simulate(size=48, wavelengths=NM, seed=seed, snr_db=math.inf) for seed in seeds]
    images = [torch.from_numpy(scene.cube.values.copy()).permute(2, 0, 1) for scene in scenes]
    return Pairs([image[RED_GREEN_BLUE] for image in images], images, NM)


@pytest.mark.parametrize(
    ("bands", "blocks", "count", "millions"),
    [(31, 4, 11_792_925, 11.79), (31, 2, 6_947_229, 6.95), (196, 2, 8_933_004, 8.93)],
)
def test_network_has_the_published_weights(bands, blocks, count, millions):
    """11.79 million with four blocks of three branches, 6.95 as released."""
    paper = PRESETS["paper"]
    assert (paper.blocks, paper.bases) == (4, 3)
    with torch.device("meta"):
        model = FMNet(bands=bands, width=paper.width, blocks=blocks, bases=paper.bases)
    assert sum(weight.numel() for weight in model.parameters()) == count
    assert round(count / 1e6, 2) == millions


@pytest.mark.parametrize("bases", [2, 3])
def test_reach_is_what_is_named(bases):
    """Neither more nor less, which is what tiles need to know."""
    model = FMNet(bands=5, width=2, blocks=2, bases=bases).double()
    model.interpolation.copy_(interpolation_matrix([450, 500, 550, 600, 650]))
    with torch.no_grad():
        for weight in model.parameters():
            # Small, so that no sigmoid, and positive, so that no ReLU hides a way.
            weight.abs_().mul_(0.1)
    side = 2 * model.reach + 3
    rgb = torch.rand(1, 3, side, side, dtype=torch.double, requires_grad=True)
    model.parts(rgb)["image"][..., model.reach + 1, model.reach + 1].sum().backward()
    places = rgb.grad[0].abs().sum(dim=0).nonzero() - (model.reach + 1)
    assert int(places.abs().max()) == model.reach


@pytest.mark.parametrize("bases", [1, 3])
def test_every_pixel_mixes_its_branches(bases):
    """Weights are shares: not negative, summing to one; a pixel's own, not the image's."""
    torch.manual_seed(0)
    unit, x = MixtureUnit(6, 4, 5, bases), torch.randn(2, 6, 9, 7)
    weights = unit.weights(x)
    assert weights.shape == (2, bases, 9, 7)
    assert weights.min() >= 0.0
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(2, 9, 7))
    branches = torch.stack([branch(x) for branch in unit.branches], dim=1)
    torch.testing.assert_close(unit(x), torch.einsum("bnhw,bnchw->bchw", weights, branches))
    if bases > 1:
        assert weights.flatten(2).std(dim=2).min() > 0.0


def test_kernels_grow_by_four():
    """3, 7 and 11 pixels."""
    kernels = [branch[0].kernel_size[0] for branch in MixtureUnit(2, 2, 2, 3).branches]
    assert kernels == [3, 7, 11]


def test_interpolation_is_linear_between_colours():
    """At a colour stands the colour; between two it is linear; beyond them it is constant."""
    nm = [400.0, 470.0, 490.0, 550.0, 625.0, 650.0, 2400.0]
    spectrum = interpolation_matrix(nm) @ torch.tensor([0.5, 0.3, 0.1])
    expected = [0.1, 0.1, 0.15, 0.3, 0.45, 0.5, 0.5]
    torch.testing.assert_close(spectrum, torch.tensor(expected))
    order = [3, 0, 6, 2, 5, 1, 4]
    shuffled = interpolation_matrix(np.array(nm)[order])
    torch.testing.assert_close(shuffled, interpolation_matrix(nm)[order])
    elsewhere = interpolation_matrix([700.0, 500.0], (500.0, 600.0, 700.0))
    torch.testing.assert_close(elsewhere, torch.tensor([[0.0, 0, 1], [1, 0, 0]]))


def test_network_improves_on_interpolation():
    """Without its last unit it gives the interpolated colours, and keeps them in its file."""
    made = fmnet(planted(0), iterations=1, batch=1, crop=8, **NARROW).model
    with torch.no_grad():
        for branch in made.end.branches:
            branch[-1].weight.zero_()
            branch[-1].bias.zero_()
    rgb = torch.rand(3, 6, 5)
    expected = torch.einsum("lc,chw->lhw", interpolation_matrix(NM), rgb)
    torch.testing.assert_close(made.reconstruct(rgb).image, expected)


def test_unknown_wavelengths_are_named():
    """Without wavelengths colours cannot be brought to bands."""
    pairs = planted(0)
    with pytest.raises(WavelengthError) as caught:
        fmnet(Pairs(pairs.rgb, pairs.hsi))
    assert str(caught.value) == (
        "FM-Net needs the wavelengths of the 12 bands, and the pairs have none.\n"
        "  next step  Pairs(rgb, hsi, wavelength=...), one value in nm per band; "
        "'hscnn-r' needs none"
    )


@pytest.mark.parametrize("places", [(650.0, 550.0), (650.0, 550.0, 550.0)])
def test_impossible_colours_are_named(places):
    """Two colours at one place, or two colours only, are refused."""
    with pytest.raises(ParameterError, match="are not the places of three colours"):
        fmnet(planted(0), red_green_blue=places)


def test_other_wavelengths_are_another_run(tmp_path):
    """The same images with their bands elsewhere: the checkpoint is not taken up."""
    pairs, how = planted(0), {"iterations": 1, "batch": 1, "crop": 8, **NARROW}
    fmnet(pairs, checkpoint=tmp_path / "state.ckpt", **how)
    with pytest.raises(RecordError, match="belongs to another run"):
        fmnet(Pairs(pairs.rgb, pairs.hsi, NM + 50.0), checkpoint=tmp_path / "state.ckpt", **how)


def test_learning_rate_halves_each_fifth(monkeypatch):
    """Four times in all."""
    rates = []
    step = torch.optim.Adam.step

    def noted(self, *args, **kwargs):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", noted)
    how = {"iterations": 20, "batch": 1, "crop": 4, "warm_up": 0, "width": 1, "blocks": 1}
    fmnet(planted(0), learning_rate=1e-3, **how)
    expected = [1e-3 * 0.5 ** (step // 4) for step in range(20)]
    assert rates == pytest.approx(expected)
