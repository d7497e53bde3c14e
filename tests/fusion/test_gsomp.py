"""G-SOMP+: a dictionary, non-negative least squares, and a pursuit over patches."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
import torch

from hsirepro.fusion import fuse
from hsirepro.fusion.dictionary import learn_dictionary
from hsirepro.fusion.gsomp import pursue
from hsirepro.fusion.nnls import nnls
from hsirepro.metrics import evaluate
from hsirepro.optics import planted_pair


@pytest.mark.parametrize(("rows", "columns"), [(3, 46), (6, 100), (3, 2), (1, 7), (8, 8)])
def test_batched_least_squares_agrees_with_scipy(rows, columns):
    """All pixels together reach the residual that scipy reaches for each, with no negative."""
    rng = np.random.default_rng(rows * columns)
    A, Y = rng.random((rows, columns)), rng.normal(0.3, 0.5, (60, rows))
    X = nnls(torch.from_numpy(A), torch.from_numpy(Y)).numpy()
    assert X.min() >= 0
    assert ((X > 0).sum(axis=1) <= rows).all()
    ours = np.linalg.norm(Y - X @ A.T, axis=1)
    theirs = np.array([scipy.optimize.nnls(A, y)[1] for y in Y])
    np.testing.assert_allclose(ours, theirs, atol=1e-8)


def test_least_squares_keep_to_the_columns_that_are_allowed():
    """A pixel uses the atoms of its support, and solves the smaller problem exactly."""
    rng = np.random.default_rng(1)
    A, Y = rng.random((4, 12)), rng.random((20, 4))
    allowed = rng.random((20, 12)) < 0.4
    X = nnls(torch.from_numpy(A), torch.from_numpy(Y), torch.from_numpy(allowed)).numpy()
    assert not X[~allowed].any()
    for x, y, own in zip(X, Y, allowed, strict=True):
        best = scipy.optimize.nnls(A[:, own], y)[1] if own.any() else np.linalg.norm(y)
        assert np.linalg.norm(y - A @ x) == pytest.approx(best, abs=1e-8)


def test_dictionary_codes_every_pixel_sparsely():
    """Atoms are non-negative, of length at most one, and hold mixtures of three materials."""
    rng = np.random.default_rng(0)
    materials = rng.random((20, 3))
    pixels = torch.from_numpy(materials @ rng.dirichlet(np.ones(3), 400).T).float()
    atoms, _ = learn_dictionary(pixels, 10, error=1e-4, iterations=60, seed=0)
    assert atoms.shape == (20, 10)
    assert float(atoms.min()) >= 0
    assert float(atoms.norm(dim=0).max()) <= 1 + 1e-6
    codes = nnls(atoms, pixels.T)
    assert float((pixels.T - codes @ atoms.double().T).square().sum(dim=1).max()) < 1e-3


def test_pursuit_finds_the_atoms_of_a_patch():
    """Pixels made of two atoms each, shared by their patch, are reproduced from few atoms."""
    rng = torch.Generator().manual_seed(0)
    atoms = torch.rand(6, 60, generator=rng, dtype=torch.float64)
    patches = []
    for first, second in ((3, 41), (17, 58), (0, 29)):
        shares = torch.rand(16, 2, generator=rng, dtype=torch.float64)
        patches.append(shares @ atoms[:, [first, second]].T)
    y = torch.stack(patches)
    codes = pursue(y, atoms, atoms_per_round=8, shrink=0.99)
    assert float(codes.min()) >= 0
    assert float((y - codes @ atoms.T).norm() / y.norm()) < 0.05
    used = (codes > 0).any(dim=1).sum(dim=1)
    assert int(used.max()) < 60


def test_pursuit_with_all_atoms_is_least_squares_on_all():
    """Where every atom enters in the first round, the two variants are one."""
    rng = torch.Generator().manual_seed(2)
    atoms = torch.rand(3, 15, generator=rng, dtype=torch.float64)
    y = torch.rand(4, 9, 3, generator=rng, dtype=torch.float64)
    codes = pursue(y, atoms, atoms_per_round=15, shrink=0.99)
    expected = nnls(atoms, y.flatten(0, 1)).reshape(4, 9, 15)
    torch.testing.assert_close(codes @ atoms.T, expected @ atoms.T)


@pytest.mark.parametrize("name", ["g-somp", "g-somp-pursuit"])
def test_planted_scene(name):
    """With six bands and the true optics it is worth 3 dB over bicubic."""
    pair = planted_pair(
        size=48, ratio=4, sigma=1.0, bands=("blue", "green", "red", "nir"), seed=0
    ).pair
    optics = {"ratio": 4, "srf": pair.srf, "psf": pair.psf, "scale": 1.0}
    plain = fuse("bicubic", pair.hsi, pair.msi, **optics).cube
    ours = fuse(name, pair.hsi, pair.msi, response="given", spread="given", **optics).cube
    score = {n: evaluate(c, pair.truth, ratio=4)["mPSNR"] for n, c in ((1, plain), (2, ours))}
    assert score[2] > score[1] + 3


def test_fused_pixels_explain_the_msi():
    """Each fused pixel, seen through the response, is the MSI pixel, within the dictionary."""
    pair = planted_pair(size=32, ratio=4, sigma=1.0).pair
    optics = {"ratio": 4, "srf": pair.srf, "psf": pair.psf, "scale": 1.0}
    fused = fuse("g-somp", pair.hsi, pair.msi, response="given", spread="given", **optics).cube
    seen = fused.values @ pair.srf.matrix.numpy().T
    error = np.sqrt(np.square(seen - pair.msi.values).mean())
    assert error < 0.02 * pair.msi.values.mean()
