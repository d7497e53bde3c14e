"""Laws of HSRNet: its network, its groups of bands, and what a little training brings."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from hsirepro.errors import RecordError, WavelengthError
from hsirepro.recovery import Pairs
from hsirepro.recovery.hsrnet import (
    PRESETS,
    ChannelAttention,
    HSRNet,
    Stage,
    colour_groups,
    hsrnet,
    shared_out,
)
from hsirepro.scenes.simulate import simulate

NM = np.linspace(430.0, 860.0, 12)
RED_GREEN_BLUE = [6, 3, 1]  # of these bands
NARROW = {"features": 6, "width": 4, "stages": 1}


def planted(*seeds: int, nm: np.ndarray = NM) -> Pairs:
    """Mixtures of smooth spectra, 48 x 48 pixels, of which three bands are seen."""
    scenes = [simulate(size=48, wavelengths=nm, seed=seed, snr_db=math.inf) for seed in seeds]
    images = [torch.from_numpy(scene.cube.values.copy()).permute(2, 0, 1) for scene in scenes]
    return Pairs([image[RED_GREEN_BLUE] for image in images], images, nm)


def test_network_has_the_published_weights():
    """0.770 million at 31 bands of 400 to 700 nm."""
    paper, nm = PRESETS["paper"], np.arange(400.0, 701.0, 10.0)
    groups = shared_out(colour_groups(nm), paper.features or 31)
    with torch.device("meta"):
        model = HSRNet(bands=31, groups=groups, width=paper.width, stages=paper.stages)
    count = sum(weight.numel() for weight in model.parameters())
    assert count == 769_662
    assert round(count / 1e6, 3) == 0.770


@pytest.mark.parametrize(
    ("nm", "groups"),
    [
        (np.arange(400.0, 701.0, 10.0), (6, 10, 15)),
        (np.arange(700.0, 399.0, -10.0), (6, 10, 15)),
        ([454.9, 455.0, 554.9, 555.0], (1, 2, 1)),
        ([300.0, 1000.0, 2400.0], (1, 0, 2)),
        ([860.0, 1240.0, 1650.0], (0, 0, 3)),
    ],
)
def test_bands_go_to_the_colour_that_sees_them(nm, groups):
    """The groups of the release at its bands, in any order; the infrared goes to red."""
    assert colour_groups(nm) == groups


@pytest.mark.parametrize("groups", [(6, 10, 15), (1, 0, 2), (0, 0, 3), (3, 2, 191), (1, 1, 222)])
@pytest.mark.parametrize("features", [3, 10, 31, 48])
def test_features_are_shared_out_like_bands(groups, features):
    """All of them, within one of the share, and some for every colour that sees a band."""
    parts = shared_out(groups, features)
    assert sum(parts) == features
    for part, size in zip(parts, groups, strict=True):
        assert (part > 0) == (size > 0)
        assert abs(part - features * size / sum(groups)) <= 2.0


def test_features_are_bands_unless_told_otherwise():
    """The paper's network has one feature for each band."""
    made = hsrnet(planted(0), iterations=1, batch=1, crop=8, **{**NARROW, "features": 0})
    assert made.model.shape["groups"] == [1, 3, 8]


def test_attention_is_of_the_whole_image():
    """Means and maxima over all pixels: where they lie does not matter, and one pixel does."""
    torch.manual_seed(0)
    attention, x = ChannelAttention(6), torch.rand(2, 6, 5, 7)
    numbers = attention(x)
    assert numbers.shape == (2, 6, 1, 1)
    assert 0.0 < numbers.min() < numbers.max() < 1.0
    torch.testing.assert_close(attention(x.flip(2).roll(3, dims=3)), numbers)
    x[:, :, 0, 0] = 5.0
    assert not torch.allclose(attention(x), numbers)


def test_stage_is_its_equation():
    """A convolution, the features, and the prior, of which the last two are weighted."""
    torch.manual_seed(0)
    stage, f = Stage(6, 4), torch.randn(2, 6, 5, 7)
    prior = stage.outer(f + stage.inner(f))
    expected = stage.step(f) + stage.keep(f) * f + stage.trust(f) * prior
    torch.testing.assert_close(stage(f), expected)
    assert not torch.allclose(stage.keep(f), stage.trust(f))


def test_network_sees_differences_of_colours():
    """The five inputs in the order of the docstring, for every group."""
    seen = []
    model = HSRNet(bands=4, groups=(1, 2, 1), width=2, stages=1)
    for group in model.colours:
        group.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    model(torch.tensor([0.7, 0.4, 0.2]).reshape(1, 3, 1, 1).expand(1, 3, 2, 2))
    assert len(seen) == 3
    for given in seen:
        torch.testing.assert_close(given[0, :, 1, 0], torch.tensor([0.7, 0.3, 0.4, 0.2, 0.2]))


def test_infrared_alone_is_one_group():
    """Colours that see no band have no features, and nothing breaks."""
    made = hsrnet(planted(0, nm=NM + 400.0), iterations=1, batch=1, crop=8, **NARROW).model
    assert made.shape["groups"] == [0, 0, 6]
    assert torch.isfinite(made.reconstruct(torch.rand(3, 6, 5)).image).all()


def test_unknown_wavelengths_are_named():
    """Without wavelengths nobody knows which colour sees a band."""
    pairs = planted(0)
    with pytest.raises(WavelengthError, match="HSRNet needs the wavelengths of the 12 bands"):
        hsrnet(Pairs(pairs.rgb, pairs.hsi))


def test_other_wavelengths_are_another_run(tmp_path):
    """The same images with their bands elsewhere: the checkpoint is not taken up."""
    pairs, how = planted(0), {"iterations": 1, "batch": 1, "crop": 8, **NARROW}
    hsrnet(pairs, checkpoint=tmp_path / "state.ckpt", **how)
    with pytest.raises(RecordError, match="belongs to another run"):
        hsrnet(Pairs(pairs.rgb, pairs.hsi, NM + 5.0), checkpoint=tmp_path / "state.ckpt", **how)


@pytest.mark.parametrize("rates", [2, 5])
def test_learning_rate_halves_from_part_to_part(monkeypatch, rates):
    """Even parts of the training, each with half the rate of the one before."""
    seen = []
    step = torch.optim.Adam.step

    def noted(self, *args, **kwargs):
        seen.append(self.param_groups[0]["lr"])
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", noted)
    how = {"iterations": 20, "batch": 1, "crop": 4, "warm_up": 0, **NARROW}
    hsrnet(planted(0), learning_rate=1e-3, rates=rates, **how)
    expected = [1e-3 * 0.5 ** (step * rates // 20) for step in range(20)]
    assert seen == pytest.approx(expected)
