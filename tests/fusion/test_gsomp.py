"""G-SOMP+: a dictionary, non-negative least squares, and a pursuit over patches."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
import torch

from hsirepro.fusion import fuse
from hsirepro.fusion.dictionary import learn_dictionary, sparse_codes
from hsirepro.fusion.gsomp import pursue
from hsirepro.fusion.nnls import nnls
from hsirepro.metrics import evaluate
from hsirepro.optics import planted_pair
from hsirepro.scenes.cube import to_tensor


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


@pytest.mark.parametrize("rows", [3, 6])
def test_batched_least_squares_takes_the_path_of_the_reference(rows):
    """Of the many solutions on a wide matrix it finds the one of Lawson and Hanson."""
    rng = np.random.default_rng(rows)
    A, Y = rng.random((rows, 93)), rng.random((80, rows))
    X = nnls(torch.from_numpy(A), torch.from_numpy(Y)).numpy()
    expected = np.stack([scipy.optimize.nnls(A, y)[0] for y in Y])
    np.testing.assert_allclose(X, expected, atol=1e-8)


def test_batched_least_squares_on_dependent_columns():
    """Repeated, parallel, black and wildly scaled atoms: finite, and as close as scipy's."""
    rng = np.random.default_rng(5)
    few = rng.random((4, 6))
    cases = {
        "parallel": rng.random((4, 1)) @ rng.random((1, 30)),
        "repeated": np.repeat(few, 5, axis=1),
        "plane": rng.random((4, 2)) @ rng.random((2, 40)),
        "black": np.hstack([np.zeros((4, 5)), few]),
        "all black": np.zeros((4, 7)),
        "scaled": rng.random((4, 40)) * 10.0 ** rng.integers(-6, 6, 40),
    }
    for name, A in cases.items():
        Y = np.vstack([rng.random((40, 4)), rng.normal(size=(40, 4)), np.zeros((1, 4))])
        X = nnls(torch.from_numpy(A), torch.from_numpy(Y)).numpy()
        assert np.isfinite(X).all(), name
        assert X.min() >= 0, name
        theirs = np.array([scipy.optimize.nnls(A, y)[1] for y in Y])
        assert (np.linalg.norm(Y - X @ A.T, axis=1) <= theirs + 1e-8).all(), name


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
    left = (pixels.T - nnls(atoms, pixels.T) @ atoms.T).square().sum(dim=1)
    # The few purest pixels have too little weight to draw an atom all the way to their corner.
    assert float(left.quantile(0.95)) < 1e-4
    assert float(left.max()) < 1e-2


def test_codes_are_the_sparsest_that_the_error_allows():
    """The sum of a code is the least of all codes within the error, by a general solver."""
    rng = np.random.default_rng(2)
    atoms, error = rng.random((7, 12)), 0.02
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    pixels = rng.dirichlet(np.ones(7), 5) @ atoms + 0.05 * rng.random((5, 12))
    D, z = (torch.from_numpy(a) for a in (atoms, pixels))
    start, price = z.new_zeros(5, 7), z.new_full((5, 1), 0.1)
    codes, _ = sparse_codes(D, z, start, price, error, steps=2000)
    left = (z - codes @ D).square().sum(dim=1)
    np.testing.assert_allclose(left, error, rtol=1e-3)
    for pixel, code in zip(pixels, codes.numpy(), strict=True):
        best = scipy.optimize.minimize(
            np.sum,
            np.full(7, 0.2),
            bounds=[(0, None)] * 7,
            constraints={
                "type": "ineq",
                "fun": lambda a, z=pixel: error - np.sum((z - a @ atoms) ** 2),
            },
            method="SLSQP",
        )
        assert best.success
        assert code.sum() == pytest.approx(best.fun, rel=2e-3)


def test_dictionary_leaves_alone_what_no_pixel_uses():
    """Of equal pixels one atom is made, of fewer pixels than atoms no more than there are."""
    pixels = torch.linspace(0.2, 0.9, 11)[:, None].expand(11, 40)
    atoms, sparsity = learn_dictionary(pixels, 6, error=1e-4, iterations=20, seed=0)
    first = pixels[:, :1].double() / pixels[:, :1].double().norm()
    torch.testing.assert_close(atoms, first.expand(11, 6), atol=1e-3, rtol=0)
    assert len(sparsity) == 20
    few, _ = learn_dictionary(pixels[:, :3], 6, error=1e-4, iterations=0, seed=0)
    assert few.shape == (11, 3)


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
    assert error < 0.03 * pair.msi.values.mean()


@pytest.mark.parametrize("name", ["g_somp", "g_somp_pursuit"])
def test_the_dictionary_is_that_of_the_scaled_pixels(name):
    """One atom per band, learned from pixels whose largest value is 1, with the seed given."""
    from hsirepro.fusion import gsomp
    from hsirepro.fusion.dictionary import learn_dictionary

    pair = planted_pair(size=32, ratio=4, sigma=1.0).pair
    hsi, msi = to_tensor(pair.hsi), to_tensor(pair.msi)
    outcome = getattr(gsomp, name)(hsi, msi, ratio=4, iterations=4, seed=5)
    pixels = hsi.flatten(1).clamp_min(0) / hsi.max()
    atoms, sparsity = learn_dictionary(pixels, len(hsi), error=0.01, iterations=4, seed=5)
    torch.testing.assert_close(outcome.learned["dictionary"], atoms.float())
    np.testing.assert_array_equal(outcome.curves["sparsity"], sparsity)


@pytest.mark.parametrize("shrink", [0.9, 0.5])
def test_pursuit_is_its_rounds(shrink):
    """Round by round as published: directions, best atoms, non-negative fit, end by shrinkage."""
    from hsirepro.fusion.gsomp import pursue

    rng = np.random.default_rng(0)
    atoms = rng.random((6, 40)) * rng.uniform(0.1, 3.0, 40)
    patches = rng.random((5, 9, 6)) + rng.normal(0, 0.5, (5, 9, 6)).clip(-0.3)
    ours = pursue(torch.from_numpy(patches), torch.from_numpy(atoms), 2, shrink).numpy()
    rounds = []
    for y, codes in zip(patches, ours, strict=True):
        support, residual, left = set(), y, np.linalg.norm(y, 2)
        for count in range(20):  # noqa: B007  (used below)
            length = np.linalg.norm(residual, axis=1, keepdims=True)
            length[length <= 1e-9 * np.linalg.norm(y, axis=1, keepdims=True)] = np.inf
            score = (residual / length).sum(axis=0) @ (atoms / np.linalg.norm(atoms, axis=0))
            support |= set(np.argsort(-score)[:2])
            used = sorted(support)
            best = np.stack([scipy.optimize.nnls(atoms[:, used], pixel)[0] for pixel in y])
            residual = y - best @ atoms[:, used].T
            before, left = left, np.linalg.norm(residual, 2)
            if left > shrink * before:
                break
        rounds.append(count)
        expected = np.zeros_like(codes)
        expected[:, used] = best
        np.testing.assert_allclose(codes @ atoms.T, expected @ atoms.T, atol=1e-8)
    assert shrink < 0.6 or max(rounds) > 1
