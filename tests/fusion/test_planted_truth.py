"""HyCoNet on a scene whose truth is known: it has to beat the closed forms, and find the PSF."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hsirepro.fusion import Fused, fuse
from hsirepro.metrics import evaluate
from hsirepro.optics import Degraded, degrade, landsat8_oli
from hsirepro.scenes import open_scene, to_tensor, wavelengths_nm

pytestmark = pytest.mark.xdist_group("planted truth")  # one training for all laws

ITERATIONS = 250  # a fortieth of the paper's, enough by 8 dB


@pytest.fixture(scope="module")
def pair() -> Degraded:
    cube = open_scene("planted")
    srf = landsat8_oli(wavelengths_nm(cube, "this law"))
    return degrade(cube, ratio=4, srf=srf, sigma=0.5)


def fused(name: str, pair: Degraded, **settings) -> Fused:
    return fuse(name, pair.hsi, pair.msi, ratio=4, srf=pair.srf, psf=pair.psf, **settings)


def quality(result: Fused, pair: Degraded) -> dict[str, float]:
    return evaluate(result.cube, pair.truth, "hyconet", ratio=4)


@pytest.fixture(scope="module")
def trained(pair) -> Fused:
    """HyCoNet as in the paper, for a short time."""
    return fused("hyconet", pair, iterations=ITERATIONS)


@pytest.mark.parametrize("baseline", ["bicubic", "gsa", "sfim-hs"])
def test_hyconet_beats_the_closed_forms(pair, trained, baseline):
    """Unmixing with learned optics is worth at least 2 dB of mPSNR over each baseline."""
    ours, theirs = quality(trained, pair), quality(fused(baseline, pair), pair)
    assert ours["mPSNR"] >= theirs["mPSNR"] + 2
    assert ours["mSAM"] < theirs["mSAM"]
    assert ours["ERGAS"] < theirs["ERGAS"]


def test_fusion_beats_interpolation(pair):
    """GSA adds detail that bicubic interpolation cannot know."""
    assert (
        quality(fused("gsa", pair), pair)["mPSNR"]
        > 2 + quality(fused("bicubic", pair), pair)["mPSNR"]
    )


def test_point_spread_is_found(pair, trained):
    """The learned PSF correlates with the planted one above 0.95, starting from a flat one."""
    learned = trained.learned["psf"]
    assert learned.shape == (4, 4)
    truth = pair.psf.kernel
    assert np.corrcoef(learned.ravel(), truth.ravel())[0, 1] > 0.95
    assert float(learned.sum()) == pytest.approx(1.0, abs=0.1)


def test_learned_response_predicts_the_msi(pair, trained):
    """On the HSI it gives the blurred MSI to 5 %, within the coverage and with rows of sum one."""
    learned = trained.learned["srf"]
    np.testing.assert_allclose(learned.sum(dim=1), 1.0, atol=1e-5)
    for row, (first, last) in zip(learned, pair.srf.coverage, strict=True):
        assert not row[:first].any()
        assert not row[last + 1 :].any()
    blurred = pair.psf(to_tensor(pair.msi))
    off = {}
    for name, response in {"learned": learned, "reversed": learned.flip(0)}.items():
        seen = torch.tensordot(response, to_tensor(pair.hsi), dims=1)
        off[name] = float((seen - blurred).norm() / blurred.norm())
    assert off["learned"] < 0.05 < off["reversed"]


def test_training_lowers_every_image_term(trained):
    """All four terms that compare images fall by half or more."""
    for name in ("z_a", "z_b", "y", "lr_msi"):
        curve = trained.curves[name]
        assert curve[-1] < curve[0] / 2, name
    assert trained.curves["iteration"][-1] == ITERATIONS
