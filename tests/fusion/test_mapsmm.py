"""MAP-SMM: mixtures of pure classes, and the most probable pixels under an HSI pixel."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from hsirepro.errors import ParameterError
from hsirepro.fusion import fuse
from hsirepro.fusion.mapsmm import _estimate, fraction_grid, mapsmm
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


def test_estimate_is_the_gaussian_conditional():
    """One class, one HSI pixel: the mean of a joint Gaussian given MSI pixels and block mean."""
    rng = np.random.default_rng(3)
    k, bands, ratio, noise = 2, 1, 2, 0.05
    root = rng.normal(size=(3, 3))
    C, mu = root @ root.T + 0.1 * np.eye(3), rng.normal(size=3)
    y, low = rng.normal(size=(bands, ratio, ratio)), rng.normal(size=(k, 1, 1))
    ours = _estimate(
        torch.from_numpy(low),
        torch.from_numpy(y),
        torch.ones(1, ratio, ratio, dtype=torch.float64),
        (torch.from_numpy(mu[None]), torch.from_numpy(C[None])),
        noise,
        ratio,
    ).numpy()
    # All four pixels in one vector: components first, then what is observed.
    n = ratio**2
    Czz, Czy, Cyy = (np.kron(np.eye(n), part) for part in (C[:k, :k], C[:k, k:], C[k:, k:]))
    H = np.kron(np.ones((1, n)) / n, np.eye(k))
    joint = np.block([[Cyy, Czy.T @ H.T], [H @ Czy, H @ Czz @ H.T + noise * np.eye(k)]])
    cross = np.hstack([Czy, Czz @ H.T])
    mean_z, mean_y = np.tile(mu[:k], n), np.tile(mu[k:], n)
    seen = np.concatenate([y.reshape(-1) - mean_y, low.reshape(-1) - H @ mean_z])
    expected = (mean_z + cross @ np.linalg.solve(joint, seen)).reshape(n, k).T
    np.testing.assert_allclose(ours.reshape(k, n), expected, atol=1e-10)


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
