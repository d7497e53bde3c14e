"""uSDN: abundances by stick breaking, one decoder for both images, fixed lengths."""

from __future__ import annotations

import importlib
import math
import random
from functools import cache, partial

import numpy as np
import pytest
import torch

from hsirepro.errors import RecordError
from hsirepro.fusion import fuse, usdn_net
from hsirepro.fusion.nnls import nnls
from hsirepro.fusion.usdn import usdn
from hsirepro.fusion.usdn_net import DirichletNet, Encoder, angle, entropy
from hsirepro.metrics import evaluate
from hsirepro.optics import planted_pair
from hsirepro.scenes.cube import to_tensor
from hsirepro.training import TrainingRun

BRIEF = {"hsi_iterations": 300, "fit_iterations": 200, "msi_iterations": 60}
SHORT = {"hsi_iterations": 30, "fit_iterations": 20, "msi_iterations": 30}


@cache
def tensors() -> tuple[torch.Tensor, torch.Tensor]:
    """Return a planted pair of 8 x 8 and 32 x 32 pixels."""
    pair = planted_pair(size=32, ratio=4, sigma=1.0).pair
    return to_tensor(pair.hsi), to_tensor(pair.msi)


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


@pytest.mark.parametrize("sigma", [0.5, 2.0])
def test_planted_scene(sigma):
    """Narrow or wide, the blur need not be the assumed one: worth 4 dB over bicubic."""
    pair = planted_pair(size=48, ratio=4, sigma=sigma).pair
    score = {
        name: evaluate(
            fuse(name, pair.hsi, pair.msi, ratio=4, scale=1.0, **settings).cube,
            pair.truth,
            "hyconet",
            ratio=4,
        )["mPSNR"]
        for name, settings in (("bicubic", {}), ("usdn", BRIEF))
    }
    assert score["usdn"] > score["bicubic"] + 4


def test_phases_learn():
    """Every phase lowers its error, and the curves say which phase they are of."""
    hsi, msi = tensors()
    fused = usdn(hsi, msi, ratio=4, **BRIEF)
    assert set(fused.curves) == {"iteration", "loss", "error", "sparsity", "decay", "stage"}
    for stage, least in ((1, 0.5), (2, 0.5), (3, 1.0)):
        error = fused.curves["error"][fused.curves["stage"] == stage]
        assert error[-1] < least * error[0], stage
    assert fused.curves["iteration"][-1] == sum(BRIEF.values())
    assert fused.settings["hsi_iterations"] == BRIEF["hsi_iterations"]
    assert fused.learned["endmembers"].shape == (len(hsi), 12)


def test_fused_pixels_are_mixtures_of_the_endmembers():
    """Each fused spectrum is a convex combination of the learned endmembers."""
    hsi, msi = tensors()
    fused = usdn(hsi, msi, ratio=4, **SHORT)
    spectra = fused.learned["endmembers"].double()
    rows = torch.cat([spectra, torch.ones(1, 12, dtype=torch.float64)])
    pixels = fused.image.flatten(1).double()
    codes = nnls(rows, torch.cat([pixels, torch.ones_like(pixels[:1])]).T)
    torch.testing.assert_close(codes @ spectra.T, pixels.T, atol=1e-4, rtol=0)


def test_constant_scene_is_its_mean():
    """Without structure there is nothing to learn, whatever the scale: the spectrum comes back."""
    spectrum = torch.linspace(0.1, 0.6, 9)[:, None, None]
    hsi, msi = spectrum.expand(9, 5, 6), spectrum[:3].expand(3, 20, 24)
    fused = usdn(hsi.clone(), msi.clone(), ratio=4, **SHORT).image
    torch.testing.assert_close(fused, spectrum.expand(9, 20, 24), atol=1e-6, rtol=0)


def test_random_generators_are_left_as_they_were():
    """Training seeds itself; whoever draws afterwards sees nothing of it."""
    hsi, msi = tensors()
    legacy = np.random.mtrand._rand  # what np.random.seed seeds
    before = random.getstate(), legacy.get_state()[1].copy(), torch.get_rng_state()
    first = usdn(hsi, msi, ratio=4, seed=1, **SHORT).image
    assert random.getstate() == before[0]
    assert np.array_equal(legacy.get_state()[1], before[1])
    assert torch.equal(torch.get_rng_state(), before[2])
    torch.manual_seed(99)
    assert torch.equal(usdn(hsi, msi, ratio=4, seed=1, **SHORT).image, first)
    assert not torch.equal(usdn(hsi, msi, ratio=4, seed=2, **SHORT).image, first)


@pytest.mark.parametrize("batch", [40, 16384])
def test_resumed_is_uninterrupted(tmp_path, monkeypatch, batch):
    """Cut off in the second phase and taken up again, a run ends in the same bytes."""
    module = importlib.import_module("hsirepro.fusion.usdn")  # the package's usdn is the method
    monkeypatch.setattr(usdn_net, "BATCH", batch)
    monkeypatch.setattr(module, "TrainingRun", partial(TrainingRun, checkpoint_every=10))
    hsi, msi = tensors()
    whole = usdn(hsi, msi, ratio=4, **SHORT)
    fit_phase, calls = DirichletNet.fit_phase, []

    def cut_off(net):
        calls.append(1)
        if len(calls) == 15:
            raise KeyboardInterrupt
        return fit_phase(net)

    state = tmp_path / "state.ckpt"
    monkeypatch.setattr(DirichletNet, "fit_phase", cut_off)
    with pytest.raises(KeyboardInterrupt):
        usdn(hsi, msi, ratio=4, checkpoint=state, **SHORT)
    assert state.exists()
    resumed = usdn(hsi, msi, ratio=4, checkpoint=state, **SHORT)
    assert len(calls) < 2 * SHORT["fit_iterations"]  # it did not start again
    assert torch.equal(resumed.image, whole.image)
    for name, curve in whole.curves.items():
        np.testing.assert_array_equal(resumed.curves[name], curve)


def test_checkpoint_of_another_run_is_refused(tmp_path):
    """Another response is another run, even on the same images."""
    hsi, msi = tensors()
    state = tmp_path / "state.ckpt"
    usdn(hsi, msi, ratio=4, checkpoint=state, **SHORT)
    with pytest.raises(RecordError, match="belongs to another run"):
        usdn(hsi, 0.9 * msi, ratio=4, checkpoint=state, **SHORT)


def test_losses_are_those_of_the_three_phases():
    """Every term of the docstring, computed by hand from the same weights."""
    from hsirepro.fusion.blocks import to_blocks
    from hsirepro.fusion.estimation import pair_optics
    from hsirepro.fusion.usdn_net import DirichletNet, angle, entropy

    pair = planted_pair(size=32, ratio=4, sigma=1.0).pair
    hsi, msi = to_tensor(pair.hsi), to_tensor(pair.msi)
    optics = pair_optics(hsi, msi, ratio=4)
    torch.manual_seed(0)
    net = DirichletNet(hsi, optics, 4)
    pixels, y, R = hsi.flatten(1).T.double(), optics.msi.double(), optics.response
    mean = pixels.mean(dim=0)
    unit = (pixels - mean).square().mean().sqrt()
    z = ((pixels - mean) / unit).float()
    low, high = (
        ((image - R @ mean) / unit).float()
        for image in (optics.spread(y).flatten(1).T, to_blocks(y, 4).flatten(0, 1))
    )
    a_h = net.encode_hsi(z @ R.T.float() @ net.whiten)
    a_m, a_low = (net.encode_msi(image @ net.whiten) for image in (high, low))
    D = net.decode.second.weight @ net.decode.first.weight
    decay = sum(
        1e-4 * w.square().mean() for w in (net.decode.first.weight, net.decode.second.weight)
    )
    around = a_h.repeat_interleave(16, dim=0)  # 16 MSI pixels of one HSI pixel are neighbours
    expected = [
        {
            "error": (z - a_h @ D.T).square().sum() / len(hsi),
            "sparsity": 1e-3 * entropy(a_h),
            "decay": decay,
        },
        {"error": (a_low - a_h).square().sum()},
        {
            "error": (high - a_m @ D.T @ R.T.float()).square().sum() / 3,
            "sparsity": 1e-3 * entropy(a_m),
        },
        {"error": len(a_m) * angle(a_m, around)},
    ]
    found = [net.hsi_phase(), net.fit_phase(), net.msi_phase(0), net.msi_phase(10)]
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.keys() == theirs.keys()
        for name, term in theirs.items():
            torch.testing.assert_close(mine[name], term, rtol=1e-4, atol=1e-6)
