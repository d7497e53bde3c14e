"""MAP-SMM: mixtures of pure classes, and the most probable pixels under an HSI pixel."""

from __future__ import annotations

from importlib import import_module
from itertools import product

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from hsirepro.errors import ParameterError
from hsirepro.fusion import fuse
from hsirepro.fusion.mapsmm import (
    _estimate,
    _first_statistics,
    _mixing_model,
    fraction_grid,
    mapsmm,
)
from hsirepro.metrics import evaluate
from hsirepro.optics import planted_pair
from hsirepro.scenes.cube import to_tensor
from hsirepro.unmixing.nfindr import nfindr


@pytest.mark.parametrize(("count", "levels"), [(2, 3), (4, 4), (3, 5)])
def test_fractions_are_all_points_of_the_grid(count, levels):
    """Every way to share the levels among the classes occurs once, and sums to one."""
    grid = fraction_grid(count, levels)
    points = [p for p in product(range(levels + 1), repeat=count) if sum(p) == levels]
    assert sorted(map(tuple, (grid * levels).round().int().tolist())) == sorted(points)
    torch.testing.assert_close(grid.sum(dim=1), torch.ones(len(grid)))


def test_simplex_of_largest_volume_is_found():
    """Planted pure pixels are the endmembers, whatever order the pixels are in."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        spectra = rng.random((12, 4))
        shares = rng.dirichlet(np.ones(4), 300) * 0.9 + 0.025
        pixels = np.vstack([shares, np.eye(4)])[rng.permutation(304)]
        found = nfindr(torch.from_numpy(spectra @ pixels.T), 4)
        assert (pixels[found.numpy()].max(axis=1) == 1).all()
        assert len(set(found.tolist())) == 4


def test_too_many_endmembers_are_refused():
    """Three pixels span a triangle, and no more."""
    with pytest.raises(ParameterError, match="cannot find 4 endmembers in 3 pixels of 5 bands"):
        nfindr(torch.rand(5, 3), 4)


def test_likelihood_rises_as_published():
    """Without the toolbox's quirks, expectation maximisation climbs."""
    pair = planted_pair(size=48, ratio=4, sigma=2.0).pair
    curve = mapsmm(to_tensor(pair.hsi), to_tensor(pair.msi), ratio=4, toolbox=False).curves
    likelihood = curve["log_likelihood"]
    assert len(likelihood) == 10
    assert likelihood[-1] > likelihood[0]


@pytest.mark.parametrize("toolbox", [True, False])
def test_planted_scene(toolbox):
    """Where the blur is near the block average that it assumes, it is worth 5 dB over bicubic."""
    pair = planted_pair(size=48, ratio=4, sigma=2.0).pair
    plain = fuse("bicubic", pair.hsi, pair.msi, ratio=4, scale=1.0).cube
    ours = fuse("mapsmm", pair.hsi, pair.msi, ratio=4, scale=1.0, toolbox=toolbox).cube
    score = [evaluate(cube, pair.truth, ratio=4)["mPSNR"] for cube in (plain, ours)]
    assert score[1] > score[0] + 5


def test_block_means_are_those_of_the_hsi():
    """Averaged over blocks, the leading components are those of the HSI, up to its noise."""
    pair = planted_pair(size=48, ratio=4, sigma=2.0).pair
    hsi = to_tensor(pair.hsi)
    fused = mapsmm(hsi, to_tensor(pair.msi), ratio=4, regress_bands=False).image
    low = torch.nn.functional.avg_pool2d(fused, 4)
    assert float((low - hsi).square().mean().sqrt() / hsi.square().mean().sqrt()) < 0.02


@pytest.mark.parametrize("classes", [1, 3])
def test_estimate_is_the_gaussian_conditional(classes):
    """Given the MSI and the mean of the block, with one class of mixtures or several."""
    rng = np.random.default_rng(3)
    k, bands, ratio, noise, n = 2, 1, 2, 0.05, 4
    roots = rng.normal(size=(classes, 3, 3))
    C, mu = roots @ roots.mT + 0.1 * np.eye(3), rng.normal(size=(classes, 3))
    shares = rng.dirichlet(np.ones(classes), n)  # of the four pixels, row by row
    y, low = rng.normal(size=(bands, ratio, ratio)), rng.normal(size=(k, 1, 1))
    ours = _estimate(
        torch.from_numpy(low),
        torch.from_numpy(y),
        torch.from_numpy(shares.T.reshape(classes, ratio, ratio)),
        (torch.from_numpy(mu), torch.from_numpy(C)),
        noise,
        ratio,
    ).numpy()
    mixed = np.tensordot(shares**2, C, axes=1)  # sum of f^2 C
    means = shares @ mu

    def diagonal(rows, columns):
        out = np.zeros((n, mixed[:, rows, columns].shape[1], n, mixed[:, rows, columns].shape[2]))
        for j in range(n):
            out[j, :, j] = mixed[j, rows, columns]
        return out.reshape(out.shape[0] * out.shape[1], -1)

    z_, y_ = slice(0, k), slice(k, None)
    Czz, Czy, Cyy = diagonal(z_, z_), diagonal(z_, y_), diagonal(y_, y_)
    H = np.kron(np.ones((1, n)) / n, np.eye(k))
    joint = np.block([[Cyy, Czy.T @ H.T], [H @ Czy, H @ Czz @ H.T + noise * np.eye(k)]])
    cross = np.hstack([Czy, Czz @ H.T])
    mean_z, mean_y = means[:, :k].reshape(-1), means[:, k:].reshape(-1)
    seen = np.concatenate([y.reshape(-1) - mean_y, low.reshape(-1) - H @ mean_z])
    expected = (mean_z + cross @ np.linalg.solve(joint, seen)).reshape(n, k).T
    np.testing.assert_allclose(ours.reshape(k, n), expected, atol=1e-10)


@pytest.mark.parametrize("toolbox", [True, False])
def test_mixing_model_is_expectation_maximisation(toolbox):
    """Step by step as by hand, with the two quirks of the toolbox and without."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3, 4)) @ rng.dirichlet(np.ones(4), 200).T + 0.05 * rng.normal(
        size=(3, 200)
    )
    x = torch.from_numpy(X)
    grid = fraction_grid(3, 3).double().numpy()
    means, covariances = (s.numpy().copy() for s in _first_statistics(x, nfindr(x, 3)))
    ridge, prior, curve = 1e-6 * np.diag(np.square(X).mean(axis=1)), np.full(10, 0.1), []
    for step in range(4):
        score = np.stack(
            [
                multivariate_normal.logpdf(
                    X.T, f @ means, np.tensordot(f**2, covariances, axes=1) + ridge
                )
                for f in grid
            ]
        ) + 1.5 * np.log(2 * np.pi)
        if toolbox:  # over the image, before Bayes' rule
            score -= logsumexp(score, axis=1, keepdims=True)
        score += np.log(prior)[:, None]
        total = logsumexp(score, axis=0)
        if step == 3:
            break
        curve.append(total.mean())
        posterior = np.exp(score - total)
        prior = posterior.mean(axis=1)
        for m in range(3):
            weight = posterior[grid[:, m] == 1][0]
            means[m] = X @ weight / weight.sum()
            about = X if toolbox else X - means[m][:, None]
            covariances[m] = (about * weight) @ about.T / weight.sum()
    model = _mixing_model(x, 3, 3, toolbox)
    np.testing.assert_allclose(model.log_likelihood, curve, rtol=1e-8)
    np.testing.assert_allclose(model.means, means, atol=1e-8)
    np.testing.assert_array_equal(model.fractions, grid[score.argmax(axis=0)].T)


def test_noise_is_the_next_eigenvalue_over_the_block(monkeypatch):
    """Its variance is that of the first component left out, over the pixels of a block."""
    module = import_module("hsirepro.fusion.mapsmm")
    seen, estimate = [], module._estimate

    def noting(*given):
        seen.append(given[4])
        return estimate(*given)

    monkeypatch.setattr(module, "_estimate", noting)
    pair = planted_pair(size=32, ratio=4, sigma=1.0).pair
    hsi = to_tensor(pair.hsi)
    mapsmm(hsi, to_tensor(pair.msi), ratio=4, pure_classes=4)
    eigenvalues = np.linalg.eigvalsh(np.cov(hsi.flatten(1).double().numpy(), bias=True))[::-1]
    np.testing.assert_allclose(seen, eigenvalues[5] / 16, rtol=1e-6)
