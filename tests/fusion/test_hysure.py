"""HySure against ADMM with all its splitting variables, written in NumPy, and on planted scenes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hsirepro.errors import ParameterError
from hsirepro.fusion import fuse, hysure_admm
from hsirepro.fusion.estimation import pair_optics
from hsirepro.fusion.hysure import hysure
from hsirepro.fusion.hysure_admm import admm
from hsirepro.fusion.hysure_estimation import estimated_spread, regularised_response
from hsirepro.fusion.sylvester import CircularSpread
from hsirepro.metrics import evaluate
from hsirepro.optics import PointSpread, planted_pair, upsample
from hsirepro.scenes.cube import to_tensor

RATIO, SIZE = 3, (12, 15)
WEIGHTS = {"tau": 2e-2, "beta": 0.7, "mu": 0.05}


def problem(p: int = 4, k: int = 5, bands: int = 2, seed: int = 0):
    """Random endmembers and images, float64, with a kernel without symmetry."""
    rng = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.rand(*shape, generator=rng, dtype=torch.float64)

    kernel = draw(5, 5)
    spread = PointSpread(kernel / kernel.sum(), RATIO)
    coarse = draw(k, SIZE[0] // RATIO, SIZE[1] // RATIO)
    return coarse, draw(bands, *SIZE), draw(k, p), draw(bands, p), spread


def published_admm(coarse, msi, E, RE, spread, start, iterations, *, tau, beta, mu):
    """Run ADMM with V_1 to V_4 and D_1 to D_4 kept as images, and complex spectra throughout."""
    H, W = SIZE
    kernel = spread.kernel.double().numpy()
    image = np.zeros(SIZE)
    for u in range(len(kernel)):
        for v in range(len(kernel)):
            image[-(u - 1) % H, -(v - 1) % W] += kernel[u, v]  # window of 5 around a block of 3
    B = np.fft.fft2(image)
    rows, columns = (np.exp(2j * np.pi * np.fft.fftfreq(n)) - 1 for n in SIZE)
    filters = [B, np.ones(SIZE), np.tile(columns, (H, 1)), np.tile(rows[:, None], (1, W))]
    denominator = sum(np.abs(f) ** 2 for f in filters)

    def apply(x, f):
        return np.fft.ifft2(np.fft.fft2(x) * f).real

    mask = np.zeros(SIZE, dtype=bool)
    mask[::RATIO, ::RATIO] = True
    z, y = coarse.numpy().reshape(len(coarse), -1), msi.numpy()
    E, RE = E.numpy(), RE.numpy()
    eye = np.eye(E.shape[1])
    X = start.numpy()
    D = [np.zeros_like(X) for _ in filters]
    for _ in range(iterations):
        N = [apply(X, f) - d for f, d in zip(filters, D, strict=True)]
        V = [n.copy() for n in N]
        V[0][:, mask] = np.linalg.solve(E.T @ E + mu * eye, E.T @ z + mu * N[0][:, mask])
        right = beta * np.tensordot(RE.T, y, axes=1) + mu * N[1]
        V[1] = np.tensordot(np.linalg.inv(beta * RE.T @ RE + mu * eye), right, axes=1)
        norm = np.sqrt((N[2] ** 2 + N[3] ** 2).sum(axis=0))
        for i in (2, 3):
            V[i] = np.maximum(0, 1 - tau / mu / norm) * N[i]
        D = [v - n for v, n in zip(V, N, strict=True)]
        spectrum = sum(np.fft.fft2(v + d) * f.conj() for v, d, f in zip(V, D, filters, strict=True))
        primal = [v - apply(X, f) for v, f in zip(V, filters, strict=True)]
        X = np.fft.ifft2(spectrum / denominator).real
    return X, np.sqrt(sum((r**2).sum() for r in primal))


def objective(X, coarse, msi, E, RE, spread, *, tau, beta) -> float:
    """Evaluate what HySure minimises."""
    low = CircularSpread(spread, SIZE)(X)
    along, down = (torch.roll(X, -1, axis) - X for axis in (2, 1))
    variation = (along.square() + down.square()).sum(dim=0).sqrt().sum()
    misfits = (coarse - torch.tensordot(E, low, dims=1), msi - torch.tensordot(RE, X, dims=1))
    data = 0.5 * misfits[0].square().sum() + 0.5 * beta * misfits[1].square().sum()
    return float(data + tau * variation)


@pytest.mark.parametrize("iterations", [1, 2, 23])
def test_sweeps_are_those_of_admm(iterations):
    """Without its splitting variables the method takes the same steps, to rounding."""
    coarse, msi, E, RE, spread = problem()
    low = torch.linalg.pinv(E, rtol=1e-2) @ coarse.flatten(1)
    start = upsample(low.reshape(-1, *coarse.shape[1:]), RATIO)
    expected, residual = published_admm(coarse, msi, E, RE, spread, start, iterations, **WEIGHTS)
    maps, curves = admm(
        coarse, msi, E, RE, CircularSpread(spread, SIZE), iterations=iterations, **WEIGHTS
    )
    np.testing.assert_allclose(maps.numpy(), expected, atol=1e-10)
    assert curves["primal_residual"][-1] == pytest.approx(residual, rel=1e-9)
    assert curves["iteration"][-1] == iterations - 1


def test_strips_of_rows_leave_no_seam(monkeypatch):
    """Working in strips that fit the cache changes nothing, whatever their height."""
    results = []
    for cache in (1, 5 * 15 * 4, 2**17):
        monkeypatch.setattr(hysure_admm, "_CACHE", cache)
        coarse, msi, E, RE, spread = problem()
        results.append(
            admm(coarse, msi, E, RE, CircularSpread(spread, SIZE), iterations=11, **WEIGHTS)
        )
    for maps, curves in results[:2]:
        torch.testing.assert_close(maps, results[2][0])
        np.testing.assert_allclose(curves["objective"], results[2][1]["objective"])


def test_minimum_is_found():
    """In the end no step in any direction lowers the objective, and the curve says its value."""
    coarse, msi, E, RE, spread = problem()
    terms = (coarse, msi, E, RE, spread)
    weights = {"tau": WEIGHTS["tau"], "beta": WEIGHTS["beta"]}
    blur = CircularSpread(spread, SIZE)
    maps, _ = admm(coarse, msi, E, RE, blur, iterations=500, **WEIGHTS)
    _, curves = admm(coarse, msi, E, RE, blur, iterations=501, **WEIGHTS)
    value = objective(maps, *terms, **weights)
    assert curves["objective"][-1] == pytest.approx(value, rel=1e-10)
    rng = torch.Generator().manual_seed(1)
    for size in (1e-1, 1e-2):
        for _ in range(10):
            step = size * torch.randn(maps.shape, generator=rng, dtype=maps.dtype)
            assert objective(maps + step, *terms, **weights) > value
            smooth = upsample(step[:, ::RATIO, ::RATIO], RATIO)
            assert objective(maps + smooth, *terms, **weights) > value


def test_residual_and_objective_fall():
    """The primal residual falls by a factor of 20, and the objective towards its minimum."""
    pair = planted_pair(size=48, ratio=4, sigma=1.0).pair
    curves = hysure(to_tensor(pair.hsi), to_tensor(pair.msi), ratio=4, iterations=200).curves
    residual = curves["primal_residual"]
    assert curves["iteration"].tolist() == [*range(0, 200, 10), 199]
    assert residual[-1] < residual[0] / 20
    assert (np.diff(residual[len(residual) // 2 :]) < 0).all()
    assert curves["objective"][-1] < curves["objective"][0]
    assert curves["objective"][-1] < 1.001 * curves["objective"].min()


def test_float32_maps_are_enough():
    """Maps in float32 and in float64 give the same image."""
    pair = planted_pair(size=32, ratio=4, sigma=0.5).pair
    hsi, msi = to_tensor(pair.hsi), to_tensor(pair.msi)
    single = hysure(hsi, msi, ratio=4, iterations=60).image
    double = hysure(hsi.double(), msi.double(), ratio=4, iterations=60).image
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), double, atol=2e-5, rtol=0)


@pytest.mark.parametrize(
    ("optics", "margin"),
    [({}, 1.0), ({"response": "hysure"}, 7.0), ({"response": "given", "spread": "given"}, 10.0)],
)
def test_fusion_beats_interpolation(optics, margin):
    """Blind fusion is better than bicubic interpolation; the truer the optics, the better."""
    pair = planted_pair(size=48, ratio=4, sigma=0.5).pair
    psnr = {}
    for name, settings in (("bicubic", {}), ("hysure", {**optics, "iterations": 100})):
        fused = fuse(name, pair.hsi, pair.msi, ratio=4, srf=pair.srf, psf=pair.psf, **settings)
        psnr[name] = evaluate(fused.cube, pair.truth, "hyconet", ratio=4)["mPSNR"]
    assert psnr["hysure"] > psnr["bicubic"] + margin


def test_blur_is_estimated_before_the_response_is_replaced():
    """By default the kernel rests on HySure's response, and the fusion on the review's."""
    pair = planted_pair(size=32, ratio=4, sigma=1.0).pair
    hsi, msi = to_tensor(pair.hsi), to_tensor(pair.msi)
    learned = hysure(hsi, msi, ratio=4, iterations=1).learned
    kernel = estimated_spread(hsi, msi, 4, regularised_response(hsi, msi, 4)).kernel
    torch.testing.assert_close(learned["psf"], kernel)
    torch.testing.assert_close(learned["srf"], pair_optics(hsi, msi, ratio=4).response)


def test_endmembers_are_limited_by_the_data():
    """Six pixels hold no more than six endmembers, two materials no more than two."""
    rng = torch.Generator().manual_seed(0)
    msi = torch.rand(2, 8, 12, generator=rng)
    hsi = torch.rand(9, 2, 3, generator=rng)
    outcome = hysure(hsi, msi, ratio=4, iterations=3)
    assert outcome.learned["endmembers"].shape == (9, 6)
    assert outcome.settings["endmembers"] == 30
    hsi = torch.tensordot(torch.rand(9, 2, generator=rng), torch.rand(2, 5, 6), dims=1)
    msi = torch.rand(2, 20, 24, generator=rng)
    assert hysure(hsi, msi, ratio=4, iterations=3).learned["endmembers"].shape == (9, 2)


@pytest.mark.parametrize(
    "settings", [{"endmembers": 0}, {"iterations": 2.5}, {"tau": 0.0}, {"mu": -1.0}]
)
def test_impossible_settings_are_named(settings):
    """A setting that cannot be is refused by its name."""
    name = next(iter(settings))
    with pytest.raises(ParameterError, match=f"^{name}="):
        hysure(torch.rand(5, 3, 3), torch.rand(2, 12, 12), ratio=4, **settings)
