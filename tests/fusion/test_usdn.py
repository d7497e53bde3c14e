"""uSDN: abundances by stick breaking, one decoder for both images, fixed lengths."""

from __future__ import annotations

import math

import numpy as np
import torch

from hsirepro.fusion import fuse
from hsirepro.fusion.usdn import Encoder, angle, entropy
from hsirepro.metrics import evaluate
from hsirepro.optics import planted_pair

BRIEF = {"hsi_iterations": 700, "fit_iterations": 400, "msi_iterations": 100}


def test_stick_breaking_gives_abundances():
    """Whatever the pixel, abundances are positive and sum to one, with finite gradients."""
    torch.manual_seed(0)
    encoder = Encoder(7)
    pixels = torch.cat([torch.randn(200, 7), 100 * torch.randn(50, 7), torch.zeros(1, 7)])
    abundances = encoder(pixels)
    assert abundances.shape == (251, 12)
    assert float(abundances.detach().min()) >= 0
    torch.testing.assert_close(abundances.sum(dim=1), torch.ones(251), atol=1e-4, rtol=0)
    entropy(abundances).backward()
    for parameter in encoder.parameters():
        assert torch.isfinite(parameter.grad).all()


def test_sticks_are_those_of_the_equation():
    """a_j = v_j prod (1 - v_k), written out in a loop."""
    torch.manual_seed(1)
    encoder = Encoder(5).double()
    pixels = torch.randn(20, 5, dtype=torch.float64)
    seen = pixels
    for layer in encoder.layers:
        seen = torch.cat([seen, layer(seen)], dim=1)
    u, beta = encoder.sticks(seen).detach().numpy(), encoder.shape(seen).detach().numpy()
    v = (1 / (1 + np.exp(-u))) ** (1 / np.log1p(np.exp(beta)))
    left, expected = np.ones(20), []
    for j in range(11):
        expected.append(v[:, j] * left)
        left = left * (1 - v[:, j])
    expected.append(left)
    np.testing.assert_allclose(encoder(pixels).detach().numpy(), np.stack(expected, 1), atol=1e-6)


def test_entropy_and_angle():
    """One endmember alone has no entropy, p equal ones log p; turned abundances an angle of 1/2."""
    alone, equal = torch.eye(4), torch.full((4, 4), 0.25)
    assert float(entropy(alone)) < 1e-4
    assert math.isclose(float(entropy(equal)), 4 * math.log(4), rel_tol=1e-5)
    assert math.isclose(float(angle(alone, alone.roll(1, 0))), 0.5, rel_tol=1e-3)
    assert float(angle(equal, equal)) < 1e-3


def test_planted_scene():
    """With a wide PSF, so that the assumed one nearly fits, it is worth 1.5 dB over bicubic."""
    pair = planted_pair(size=48, ratio=4, sigma=1.0).pair
    optics = {"ratio": 4, "srf": pair.srf, "psf": pair.psf, "scale": 1.0}
    score = {
        name: evaluate(
            fuse(name, pair.hsi, pair.msi, **optics, **settings).cube, pair.truth, ratio=4
        )["mPSNR"]
        for name, settings in (("bicubic", {}), ("usdn", BRIEF))
    }
    assert score["usdn"] > score["bicubic"] + 1.5


def test_phases_learn():
    """The last phase brings the MSI closer; the curve of every term is kept."""
    pair = planted_pair(size=32, ratio=4, sigma=1.0).pair
    fused = fuse("usdn", pair.hsi, pair.msi, ratio=4, srf=pair.srf, scale=1.0, **BRIEF)
    assert set(fused.curves) == {"iteration", "loss", "msi", "sparsity", "angle"}
    assert fused.curves["msi"][-1] < fused.curves["msi"][0]
    assert fused.settings["hsi_iterations"] == 700
    assert fused.learned["endmembers"].shape == (pair.hsi.sizes["wavelength"], 12)
