"""Laws of HSCNN-R and HSCNN-D: their networks, their loss, and what a little training brings."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hsirepro.recovery import Pairs
from hsirepro.recovery.hscnn import (
    D_PRESETS,
    HSCNND,
    HSCNNR,
    R_PRESETS,
    DenseBlock,
    hscnn_d,
    hscnn_r,
    relative_error,
)
from hsirepro.scenes.simulate import simulate

NM = np.linspace(430.0, 860.0, 12)
RED_GREEN_BLUE = [6, 3, 1]  # of these bands


def planted(*seeds: int) -> Pairs:
    """Mixtures of smooth spectra, 48 x 48 pixels, of which three bands are seen."""
    scenes = [simulate(size=48, wavelengths=NM, seed=seed, snr_db=math.inf) for seed in seeds]
    images = [torch.from_numpy(scene.cube.values.copy()).permute(2, 0, 1) for scene in scenes]
    return Pairs([image[RED_GREEN_BLUE] for image in images], images, NM)


def reach(model) -> int:
    """How far from a pixel a colour still moves its spectrum."""
    model = model.double()
    with torch.no_grad():
        for weight in model.parameters():
            weight.abs_()  # so that no ReLU hides a way
    rgb = torch.rand(1, 3, 41, 41, dtype=torch.double, requires_grad=True)
    model.parts(rgb)["image"][..., 20, 20].sum().backward()
    places = rgb.grad[0].abs().sum(dim=0).nonzero() - 20
    return int(places.abs().max())


def test_residual_network_has_the_published_weights():
    """1.24 million at 31 bands."""
    paper = R_PRESETS["paper"]
    with torch.device("meta"):
        model = HSCNNR(bands=31, width=paper.width, blocks=paper.blocks)
    count = sum(weight.numel() for weight in model.parameters())
    assert count == 1_238_303
    assert round(count / 1e6, 2) == 1.24


@pytest.mark.parametrize(
    ("towers", "blocks", "count", "millions"),
    [
        (3, 58, 9_294_943, 9.295),
        (3, 38, 4_925_983, 4.926),
        (3, 30, 3_522_463, 3.522),
        (2, 41, 3_668_671, 3.669),
        (2, 38, 3_283_999, 3.284),
        (1, 58, 3_098_335, 3.098),
        (1, 64, 3_615_103, 3.615),
    ],
)
def test_dense_network_has_the_published_weights(towers, blocks, count, millions):
    """9.295 million as its authors ran it, and 3.615 as others quote it, at 31 bands."""
    with torch.device("meta"):
        model = HSCNND(bands=31, towers=towers, blocks=blocks)
    assert sum(weight.numel() for weight in model.parameters()) == count
    assert round(count / 1e6, 3) == millions


def test_paper_presets_are_those_of_the_docstring():
    """Sixteen blocks of 64 features, and three towers of thirty blocks."""
    assert (R_PRESETS["paper"].width, R_PRESETS["paper"].blocks) == (64, 16)
    assert (D_PRESETS["paper"].towers, D_PRESETS["paper"].blocks) == (3, 30)


@pytest.mark.parametrize(
    "model",
    [
        HSCNNR(bands=5, width=4, blocks=1),
        HSCNNR(bands=5, width=4, blocks=4),
        HSCNND(bands=5, towers=2, blocks=1),
        HSCNND(bands=5, towers=1, blocks=6),
    ],
    ids=lambda model: f"{type(model).__name__}-{model.shape['blocks']}",
)
def test_reach_is_what_is_named(model):
    """Neither more nor less, which is what tiles need to know."""
    assert reach(model) == model.reach


def test_residual_network_is_its_equation():
    """Two blocks, by the formulas of the docstring on the same weights."""
    torch.manual_seed(0)
    model = HSCNNR(bands=5, width=4, blocks=2)
    rgb = torch.rand(2, 3, 9, 8)

    def conv(x, layer):
        return F.conv2d(x, layer.weight, layer.bias, padding=1)

    first = f = conv(rgb, model.start)
    for block in model.blocks:
        f = F.relu(f + conv(F.relu(conv(f, block[0])), block[2]))
    expected = conv(F.relu(first + conv(f, model.gather)), model.end)
    torch.testing.assert_close(model(rgb), expected)


def test_dense_block_keeps_what_came_in():
    """It adds 16 features behind the old ones, none of them negative."""
    torch.manual_seed(0)
    x = torch.randn(2, 20, 6, 7)
    y = DenseBlock(20)(x)
    assert y.shape == (2, 36, 6, 7)
    assert torch.equal(y[:, :20], x)
    assert y[:, 20:].min() >= 0.0
    assert y[:, 20:].max() > 0.0


def test_relative_error_has_a_floor():
    """A hundredth of full scale: dark and negative values are divided by it."""
    made, true = torch.tensor([0.5, 0.02, 0.0, 0.0]), torch.tensor([0.4, 0.0, 0.01, -0.01])
    assert float(relative_error(made[:1], true[:1])) == pytest.approx(0.25)
    expected = (0.25 + 2.0 + 1.0 + 1.0) / 4
    assert float(relative_error(made, true)) == pytest.approx(expected)


@pytest.mark.parametrize(("fit", "last"), [(hscnn_r, 0.0), (hscnn_d, 0.01)])
def test_learning_rate_falls_by_a_power(monkeypatch, fit, last):
    """(1 - share)^1.5: a third is left at the middle; of HSCNN-D a hundredth at the end."""
    rates = []
    step = torch.optim.Adam.step

    def noted(self, *args, **kwargs):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", noted)
    how = {"iterations": 100, "batch": 1, "crop": 4, "blocks": 1, "validate_every": 100}
    fit(planted(0), learning_rate=1e-3, warm_up=0, **how)
    assert rates[0] == pytest.approx(1e-3)
    assert rates[50] == pytest.approx(1e-3 * (last + (1 - last) * 0.5**1.5))
    assert rates[99] == pytest.approx(1e-3 * (last + (1 - last) * 0.01**1.5))
