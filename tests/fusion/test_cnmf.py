"""CNMF against its updates written out in plain NumPy, and on planted scenes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hsirepro.errors import ParameterError
from hsirepro.fusion import fuse
from hsirepro.fusion.cnmf import cnmf
from hsirepro.fusion.estimation import pair_optics
from hsirepro.metrics import evaluate
from hsirepro.optics import PointSpread, gaussian_kernel, landsat8_oli, planted_pair, upsample
from hsirepro.scenes.cube import to_tensor
from hsirepro.scenes.simulate import simulate
from hsirepro.unmixing import vca

THREE = ("blue", "green", "red")
SIX = ("blue", "green", "red", "nir", "swir1", "swir2")


def images(bands: tuple[str, ...], size=(24, 32), ratio: int = 4):
    """Return a pair, (L, h, w) and (l, H, W), of 40 or 80 bands."""
    nm = np.linspace(430.0, 860.0, 40) if bands == THREE else np.linspace(430.0, 2350.0, 80)
    truth = to_tensor(simulate(size=size, wavelengths=nm, seed=3).cube)
    srf = landsat8_oli(nm, bands)
    return PointSpread(gaussian_kernel(ratio, 1.0), ratio)(truth), srf(truth)


def by_hand(hsi, msi, p: int, iterations: int) -> tuple[np.ndarray, list[float]]:
    """Return the fused image, and the objective before the last update of each stage."""
    optics = pair_optics(hsi, msi, ratio=4)
    Z, Y = (x.flatten(1).double().numpy() for x in (hsi, optics.msi))
    R, few = optics.response.numpy(), len(Y) <= 3
    delta = 2 * np.sqrt(Y.mean() / 0.7455) / len(Y) ** 3

    def tall(x: np.ndarray) -> np.ndarray:
        return np.vstack([x, np.full(x.shape[1], delta)])

    def update_shares(B, A, H):
        before.append(np.sum((tall(B) - tall(A) @ H) ** 2) / B.size)
        return H * (tall(A).T @ tall(B)) / (tall(A).T @ (tall(A) @ H))

    def update_spectra(B, A, H):
        before.append(np.sum((tall(B) - tall(A) @ H) ** 2) / B.size)
        return A * (B @ H.T) / (A @ H @ H.T)

    before: list[float] = []
    course = []
    W = np.maximum(vca(torch.from_numpy(Z), p, seed=0)[0].numpy(), 1e-12)
    h = np.full((p, Z.shape[1]), 1 / p)
    for _ in range(3 * iterations):
        h = update_shares(Z, W, h)
    for _ in range(iterations - 1):
        W = update_spectra(Z, W, h)
        h = update_shares(Z, W, h)
    course.append(before[-1])
    maps = upsample(torch.from_numpy(h).reshape(p, *hsi.shape[1:]), 4)
    H, W_msi = np.maximum(maps.flatten(1).numpy(), 1e-12), R @ W
    for _ in range(iterations):
        H = update_shares(Y, W_msi, H)
    for _ in range(iterations - 1):
        W_msi = W_msi if few else update_spectra(Y, W_msi, H)
        H = update_shares(Y, W_msi, H)
    course.append(before[-1])
    h = optics.spread(torch.from_numpy(H).reshape(maps.shape)).flatten(1).numpy()
    for _ in range(iterations):
        W = update_spectra(Z, W, h)
    for _ in range(iterations - 1):
        W = update_spectra(Z, W, h)
        h = h if few else update_shares(Z, W, h)
    course.append(before[-1])
    return (W @ H).reshape(len(hsi), *msi.shape[1:]), course


@pytest.mark.parametrize("bands", [THREE, SIX])
def test_method_is_its_updates(bands):
    """Gram matrices, chunks and float32 change nothing: the plain updates give the same image."""
    hsi, msi = images(bands, size=(72, 80))
    outcome = cnmf(hsi, msi, ratio=4, endmembers=12, iterations=12, tolerance=0.0)
    expected, course = by_hand(hsi, msi, 12, 12)
    np.testing.assert_allclose(outcome.image.numpy(), expected, atol=1e-4)
    for stage, last in zip((1, 2, 3), course, strict=True):
        curve = outcome.curves["objective"][outcome.curves["stage"] == stage]
        assert curve[-1] == pytest.approx(last, rel=1e-4)


@pytest.mark.parametrize("bands", [THREE, SIX])
def test_objective_falls_in_every_stage(bands):
    """Multiplicative updates never raise the objective, of either image."""
    hsi, msi = images(bands, size=(72, 80))
    outcome = cnmf(hsi, msi, ratio=4, iterations=60)
    curves = outcome.curves
    assert curves["iteration"].tolist() == list(range(1, len(curves["objective"]) + 1))
    for stage in (1, 2, 3):
        curve = curves["objective"][curves["stage"] == stage]
        assert len(curve) > 50
        assert (np.diff(curve) <= 1e-6 * curve[:-1]).all()  # float32 rounds in stage 2
        assert curve[-1] < curve[0] / 1.5


def test_factors_are_not_negative():
    """Endmembers, and so the image, are not negative, even for an HSI with negative noise."""
    hsi, msi = images(THREE)
    noisy = hsi + 0.02 * torch.randn(hsi.shape, generator=torch.Generator().manual_seed(0))
    assert noisy.min() < 0
    outcome = cnmf(noisy, msi, ratio=4, iterations=20)
    assert outcome.learned["endmembers"].min() > 0
    assert outcome.image.min() >= 0


def test_number_of_endmembers_follows_the_rule():
    """30, or as many as there are bands or pixels, and what is asked for where it fits."""
    hsi, msi = images(THREE)
    assert cnmf(hsi, msi, ratio=4, iterations=1).settings["endmembers"] == 30
    assert cnmf(hsi[:9], msi, ratio=4, iterations=1).settings["endmembers"] == 9
    small = cnmf(hsi[:, :3, :4], msi[:, :12, :16], ratio=4, iterations=1)
    assert small.settings["endmembers"] == 12
    chosen = cnmf(hsi, msi, ratio=4, iterations=1, endmembers=5)
    assert chosen.learned["endmembers"].shape == (40, 5)
    with pytest.raises(ParameterError, match="cannot mix 0 endmembers"):
        cnmf(hsi, msi, ratio=4, endmembers=0)


def score(name: str, pair, **settings) -> float:
    fused = fuse(
        name,
        pair.hsi,
        pair.msi,
        ratio=pair.ratio,
        srf=pair.srf,
        psf=pair.psf,
        scale=1.0,
        **settings,
    )
    return evaluate(fused.cube, pair.truth, "hyconet", ratio=pair.ratio)["mPSNR"]


@pytest.mark.parametrize(("sigma", "margin"), [(0.5, 3.0), (2.0, 5.0)])
def test_fusion_beats_interpolation(sigma, margin):
    """Even with a point spread that is only assumed, CNMF adds 3 dB; 5 dB where it nearly fits."""
    pair = planted_pair(size=48, ratio=4, sigma=sigma).pair
    assert score("cnmf", pair) > margin + score("bicubic", pair)


def test_true_optics_are_worth_ten_decibels():
    """Told the true optics, CNMF passes 38 dB; a point spread too wide costs it 8 and more."""
    pair = planted_pair(size=48, ratio=4, sigma=0.5).pair
    given = score("cnmf", pair, response="given", spread="given")
    assert given > 38.0
    assert given > 8.0 + score("cnmf", pair)


def test_more_endmembers_than_thirty_where_the_scene_has_more(monkeypatch):
    """The virtual dimension decides where it is above 30."""
    from importlib import import_module

    module = import_module("hsirepro.fusion.cnmf")  # the package's cnmf is the method
    monkeypatch.setattr(module, "hfc", lambda image, false_alarm: 37 * (false_alarm == 0.05))
    rng = torch.Generator().manual_seed(0)
    hsi, msi = torch.rand(60, 8, 8, generator=rng), torch.rand(3, 16, 16, generator=rng)
    assert module.cnmf(hsi, msi, ratio=2, iterations=1).settings["endmembers"] == 37


def test_a_pass_ends_when_the_objective_settles():
    """By the tolerance, in each pass that looks at it."""
    from hsirepro.fusion.cnmf import cnmf

    nm = np.linspace(430.0, 860.0, 40)
    truth = to_tensor(simulate(size=(24, 32), wavelengths=nm, seed=3).cube)
    hsi = PointSpread(gaussian_kernel(4, 1.0), 4)(truth)
    msi = landsat8_oli(nm)(truth)
    curves = cnmf(hsi, msi, ratio=4, endmembers=8, tolerance=0.01).curves
    cost = curves["objective"][curves["stage"] == 1]
    settled = -np.diff(cost) <= 0.01 * cost[:-1]
    assert settled.sum() == 2  # the last update of each of the two passes
    assert settled[-1]
    # The pass over the abundances of the MSI alone does not look at it.
    assert (curves["stage"] == 2).sum() == 200 + 199
