"""Coupled unmixing by projected gradients, against plain NumPy, SciPy and planted scenes."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
import torch
from scipy.optimize import lsq_linear

from hsirepro.errors import ParameterError
from hsirepro.fusion import fuse
from hsirepro.fusion.estimation import pair_optics
from hsirepro.fusion.lanaras import correct_shares, correct_spectra, lanaras
from hsirepro.metrics import evaluate
from hsirepro.optics import PointSpread, gaussian_kernel, landsat8_oli, planted_pair, upsample
from hsirepro.scenes.cube import to_tensor
from hsirepro.scenes.simulate import simulate
from hsirepro.unmixing import fcls, project_simplex, sisal

NM = np.linspace(430.0, 860.0, 40)


def images(size=(24, 32)) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a pair, (40, h, w) and (3, H, W), at ratio 4."""
    truth = to_tensor(simulate(size=size, wavelengths=NM, seed=3).cube)
    return PointSpread(gaussian_kernel(4, 1.0), 4)(truth), landsat8_oli(NM)(truth)


def on_simplex(columns: np.ndarray) -> np.ndarray:
    """Project columns on the simplex by sorting."""
    falling = -np.sort(-columns, axis=0)
    levels = (np.cumsum(falling, axis=0) - 1) / np.arange(1, len(columns) + 1)[:, None]
    kept = (falling > levels).sum(axis=0, keepdims=True)
    return np.maximum(columns - np.take_along_axis(levels, kept - 1, axis=0), 0)


def by_hand(hsi, msi, p: int, rounds: int) -> np.ndarray:
    """Take the steps of the module with a dense matrix for the point spread."""
    optics = pair_optics(hsi, msi, ratio=4)
    Z, Y = (x.flatten(1).double().numpy() for x in (hsi, optics.msi))
    H, W = msi.shape[1:]
    pictures = torch.eye(H * W, dtype=torch.float64).reshape(-1, H, W)
    S = optics.spread(pictures).flatten(1).numpy()  # (H W, h w)
    E = sisal(torch.from_numpy(Z), p, outside=0.006)[0].clip(0, 1)
    low = fcls(torch.from_numpy(Z), E).reshape(p, *hsi.shape[1:])
    E, A = E.numpy(), on_simplex(upsample(low, 4).flatten(1).numpy())
    for _ in range(rounds):
        AS = A @ S
        old = np.inf
        while (now := np.linalg.norm(E @ AS - Z)) * 1.01 < old:
            E = np.clip(E - (E @ AS - Z) @ AS.T / (1.01 * np.linalg.norm(AS @ AS.T)), 0, 1)
            old = now
        RE = optics.response.numpy() @ E
        old = np.inf
        while (now := np.linalg.norm(RE @ A - Y)) * 1.01 < old:
            A = on_simplex(A - RE.T @ (RE @ A - Y) / (1.01 * np.linalg.norm(RE @ RE.T)))
            old = now
    return (E @ A).reshape(len(hsi), H, W)


@pytest.mark.parametrize(("p", "rounds"), [(6, 1), (6, 4), (20, 2)])
def test_method_is_its_steps(p, rounds, monkeypatch):
    """Chunks, float32 and the operator of the point spread change nothing."""
    # The package shows the function under the name of its module.
    monkeypatch.setattr(import_module("hsirepro.fusion.lanaras"), "CHUNK", 100)
    hsi, msi = images()
    fused = lanaras(hsi, msi, ratio=4, endmembers=p, iterations=rounds).image
    np.testing.assert_allclose(fused.numpy(), by_hand(hsi, msi, p, rounds), atol=1e-4)


def test_spectra_end_at_bounded_least_squares():
    """Steps on the endmembers, repeated, reach SciPy's least squares within [0, 1]."""
    rng = np.random.default_rng(0)
    A = rng.dirichlet(np.full(4, 0.3), 300).T
    Z = rng.uniform(-0.2, 1.2, (10, 4)) @ A + 0.05 * rng.standard_normal((10, 300))
    E, left = torch.full((10, 4), 0.5, dtype=torch.float64), np.inf
    for _ in range(100):
        before = left
        E, left = correct_spectra(E, torch.from_numpy(A), torch.from_numpy(Z))
        assert left <= before * (1 + 1e-12)
    expected = np.stack([lsq_linear(A.T, row, (0, 1), tol=1e-14).x for row in Z])
    np.testing.assert_allclose(E, expected, atol=1e-6)
    assert ((expected < 1e-9) | (expected > 1 - 1e-9)).any()  # the bounds are felt


def test_shares_end_at_fully_constrained_least_squares():
    """Steps on the abundances, repeated, reach the fully constrained least squares."""
    generator = torch.Generator().manual_seed(0)
    E = torch.rand(6, 4, generator=generator, dtype=torch.float64)
    A = project_simplex(torch.rand(4, 200, generator=generator, dtype=torch.float64))
    Y = E @ A + 0.1 * torch.randn(6, 200, generator=generator, dtype=torch.float64)
    A, left = torch.full_like(A, 0.25), np.inf
    for _ in range(400):
        before, left = left, correct_shares(A, E, Y)
        assert left <= before * (1 + 1e-12)
    torch.testing.assert_close(A, fcls(Y, E), rtol=0, atol=1e-5)


def test_rounds_end_when_the_residuals_settle():
    """The last round changes the summed residuals by 1e-4 or less, none before it does."""
    hsi, msi = images(size=(48, 48))
    curves = lanaras(hsi, msi, ratio=4, endmembers=8, spread="review").curves
    objective = curves["objective"]
    assert 2 < len(objective) < 200
    change = np.abs(np.diff(objective)) / objective[1:]
    assert change[-1] <= 1e-4 < change[:-1].min()
    assert objective[-1] < objective[0]
    parts = curves["hsi"] * np.sqrt(hsi.numel()) + curves["msi"] * np.sqrt(msi.numel())
    np.testing.assert_allclose(parts, objective)


def test_everything_stays_within_its_range():
    """Endmembers lie in [0, 1], abundances on the simplex, so the image in [0, 1] too."""
    hsi, msi = images()
    noisy = hsi + 0.05 * torch.randn(hsi.shape, generator=torch.Generator().manual_seed(0))
    outcome = lanaras(noisy, msi, ratio=4, iterations=3)
    for values in (outcome.learned["endmembers"], outcome.image):
        assert values.min() >= 0
        assert values.max() <= 1 + 1e-6


def test_counts_are_divided_by_the_largest():
    """An image in counts is fused as the same image with a maximum of 1."""
    hsi, msi = images()
    hsi, msi = (x / float(max(hsi.max(), msi.max())) for x in (hsi, msi))
    small, large = (
        lanaras(unit * hsi, unit * msi, ratio=4, endmembers=6, iterations=3)
        for unit in (1.0, 4000.0)
    )
    torch.testing.assert_close(large.image / 4000.0, small.image, atol=1e-4, rtol=0)
    torch.testing.assert_close(
        large.learned["endmembers"] / 4000.0, small.learned["endmembers"], atol=1e-4, rtol=0
    )


def test_endmembers_are_limited_by_the_pixels():
    """No more endmembers than bands, pixels or directions in which the pixels differ."""
    hsi, msi = images()
    assert lanaras(hsi, msi, ratio=4, iterations=1).settings["endmembers"] == 30
    assert lanaras(hsi[:7], msi, ratio=4, iterations=1).settings["endmembers"] == 7
    grey = hsi[:1].expand(40, -1, -1)
    assert lanaras(grey, msi, ratio=4, iterations=1).settings["endmembers"] == 2
    with pytest.raises(ParameterError, match="cannot mix 0 endmembers"):
        lanaras(hsi, msi, ratio=4, endmembers=0)


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
    """Even with a point spread that is only assumed it adds 3 dB; 5 dB where it nearly fits."""
    pair = planted_pair(size=48, ratio=4, sigma=sigma).pair
    assert score("lanaras", pair) > margin + score("bicubic", pair)


def test_true_optics_are_worth_decibels():
    """Half a decibel; 5 dB and more where the response, too, is fitted through the spread."""
    pair = planted_pair(size=48, ratio=4, sigma=0.5).pair
    assert score("lanaras", pair, spread="given") > 0.5 + score("lanaras", pair)
    told = score("lanaras", pair, response="estimated", spread="given")
    assert told > 5.0 + score("lanaras", pair, response="estimated")
