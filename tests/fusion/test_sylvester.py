"""FUSE: the closed form against the equation that it solves, written out as matrices."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import solve_sylvester

from hsirepro.fusion import fuse
from hsirepro.fusion.estimation import assumed_spread
from hsirepro.fusion.sylvester import (
    CircularSpread,
    fuse_sylvester,
    principal_directions,
    solve,
)
from hsirepro.metrics import evaluate
from hsirepro.optics import PointSpread, gaussian_kernel, planted_pair, upsample
from hsirepro.scenes.cube import to_tensor

KERNELS = [(4, 4), (8, 4), (6, 4), (5, 4), (3, 4), (2, 4), (5, 5), (9, 5), (3, 2), (4, 2), (3, 3)]


def lopsided(side: int, seed: int = 0) -> torch.Tensor:
    """Return a kernel without any symmetry: a flip or a shift of it would show."""
    kernel = torch.rand(side, side, generator=torch.Generator().manual_seed(seed)) + 0.1
    return kernel / kernel.sum()


def blur_matrix(kernel: np.ndarray, ratio: int, size: tuple[int, int]) -> np.ndarray:
    """Write out blur and decimation, transposed, tap by tap, shape (H W, h w)."""
    H, W = size
    matrix = np.zeros((H, W, H // ratio, W // ratio))
    for i in range(H // ratio):
        for j in range(W // ratio):
            for u in range(kernel.shape[0]):
                for v in range(kernel.shape[1]):
                    row = ratio * i + u - (kernel.shape[0] - ratio) // 2
                    column = ratio * j + v - (kernel.shape[1] - ratio) // 2
                    matrix[row % H, column % W, i, j] += kernel[u, v]
    return matrix.reshape(H * W, -1)


def problem(size: tuple[int, int], ratio: int, k: int = 4, seed: int = 0):
    """Random images, float64, with positive ``mixed`` and a prior of its own."""
    rng = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.rand(*shape, generator=rng, dtype=torch.float64)

    H, W = size
    coarse, msi = draw(k, H // ratio, W // ratio), draw(2, H, W)
    return coarse, msi, draw(2, k), draw(k, H, W)


@pytest.mark.parametrize(("side", "ratio"), [(4, 2), (3, 2), (5, 3), (2, 4)])
@pytest.mark.parametrize("weight", [1e-1, 1e-6])
def test_closed_form_solves_the_sylvester_equation(side, ratio, weight):
    """A general solver of Sylvester equations finds the same maps on a tiny image."""
    size = (4 * ratio, 3 * ratio)
    coarse, msi, mixed, prior = problem(size, ratio)
    spread = PointSpread(lopsided(side), ratio)
    rho = weight * torch.tensor([1.0, 3.0, 0.2, 7.0], dtype=torch.float64)
    ours = solve(coarse, msi, mixed, CircularSpread(spread, size), rho, prior)
    A = blur_matrix(spread.kernel.double().numpy(), ratio, size)
    RV, diagonal = mixed.numpy(), np.diag(rho.numpy())
    right = (
        coarse.flatten(1).numpy() @ A.T
        + RV.T @ msi.flatten(1).numpy()
        + diagonal @ prior.flatten(1).numpy()
    )
    expected = solve_sylvester(RV.T @ RV + diagonal, A @ A.T, right)
    np.testing.assert_allclose(ours.flatten(1).numpy(), expected, atol=1e-14 / weight + 1e-12)


@pytest.mark.parametrize("ratio", [4, 5])
@pytest.mark.parametrize("weight", [1e-2, 1e-11])
def test_residual_of_the_sylvester_equation_vanishes(ratio, weight):
    """Put into the equation, the maps leave less than 1e-8, however weak the prior is."""
    size = (12 * ratio, 9 * ratio)
    coarse, msi, mixed, prior = problem(size, ratio, k=6)
    blur = CircularSpread(assumed_spread(ratio), size)
    rho = weight * torch.logspace(0, 5, 6, dtype=torch.float64)
    W = solve(coarse, msi, mixed, blur, rho, prior).flatten(1)
    C = mixed.T @ mixed + rho.diag()
    maps = W.reshape(6, *size)
    left = C @ W + blur.adjoint(blur(maps)).flatten(1)
    right = blur.adjoint(coarse).flatten(1) + mixed.T @ msi.flatten(1)
    right = right + rho[:, None] * prior.flatten(1)
    assert (left - right).abs().max() < 1e-8


@pytest.mark.parametrize(("side", "ratio"), KERNELS)
def test_periodic_blur_is_the_point_spread_inside_the_image(side, ratio):
    """Away from the borders the periodic operator sees what the point spread sees, in phase."""
    size = (8 * ratio, 6 * ratio)
    spread = PointSpread(lopsided(side), ratio)
    x = torch.rand(2, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    inside = (slice(None), slice(1, -1), slice(1, -1))
    torch.testing.assert_close(CircularSpread(spread, size)(x)[inside], spread(x)[inside])


@pytest.mark.parametrize(("side", "ratio"), KERNELS)
def test_adjoint_and_spectrum_belong_to_the_blur(side, ratio):
    """<A x, y> = <x, A* y>; A A* is a filter with the folded spectrum; both adjoints agree."""
    size = (6 * ratio, 5 * ratio)
    spread = PointSpread(lopsided(side), ratio)
    blur = CircularSpread(spread, size)
    rng = torch.Generator().manual_seed(2)
    x = torch.rand(3, *size, dtype=torch.float64, generator=rng)
    y = torch.rand(3, 6, 5, dtype=torch.float64, generator=rng)
    torch.testing.assert_close((blur(x) * y).sum(), (x * blur.adjoint(y)).sum())
    filtered = torch.fft.ifft2(torch.fft.fft2(y) * blur.folded_power()).real
    torch.testing.assert_close(blur(blur.adjoint(y)), filtered)
    y[:, [0, -1]] = 0
    y[:, :, [0, -1]] = 0
    torch.testing.assert_close(blur.adjoint(y), spread.adjoint(y))


def test_kernel_larger_than_the_image_wraps_around():
    """On a very small image the periodic blur still has the weight of the whole kernel."""
    blur = CircularSpread(PointSpread(lopsided(9), 4), (4, 8))
    torch.testing.assert_close(
        blur(torch.ones(1, 4, 8, dtype=torch.float64)), torch.ones(1, 1, 2, dtype=torch.float64)
    )


@pytest.mark.parametrize("ratio", [2, 3, 4, 5, 8])
def test_assumed_kernel_is_centred_on_the_block(ratio):
    """The centroid of the kernel is the middle of the block: nothing is shifted."""
    spread = assumed_spread(ratio)
    side = len(spread.kernel)
    position = torch.arange(side) - (side - ratio) // 2
    assert (side - ratio) % 2 == 0
    assert float(spread.kernel.sum()) == pytest.approx(1, abs=1e-6)
    for axis in (0, 1):
        centroid = (spread.kernel.sum(axis) * position).sum()
        assert float(centroid) == pytest.approx((ratio - 1) / 2, abs=1e-5)


def test_directions_end_where_the_rank_does():
    """A scene of two materials has two directions, and they hold all of its power."""
    rng = torch.Generator().manual_seed(0)
    spectra = torch.rand(20, 2, generator=rng, dtype=torch.float64)
    hsi = torch.tensordot(spectra, torch.rand(2, 6, 7, generator=rng, dtype=torch.float64), dims=1)
    basis, power = principal_directions(hsi, 15)
    assert basis.shape == (20, 2)
    assert float(power.sum()) == pytest.approx(float(hsi.square().sum() / 42), rel=1e-9)
    assert principal_directions(hsi, 1)[0].shape == (20, 1)
    basis, power = principal_directions(torch.zeros(5, 3, 3, dtype=torch.float64), 4)
    assert basis.shape == (5, 1)
    assert power.tolist() == [1.0]


def quality(pair, name: str, **settings) -> float:
    fused = fuse(name, pair.hsi, pair.msi, ratio=4, srf=pair.srf, psf=pair.psf, **settings)
    return evaluate(fused.cube, pair.truth, "hyconet", ratio=4)["mPSNR"]


def test_true_point_spread_is_worth_ten_decibels():
    """Told the true blur FUSE is 10 dB above interpolation; told a wide one it inverts too much."""
    pair = planted_pair(size=48, ratio=4, sigma=0.5).pair
    bicubic = quality(pair, "bicubic")
    given = quality(pair, "fuse", spread="given")
    assert given > bicubic + 10
    assert quality(pair, "fuse") < given - 5
    pair = planted_pair(size=48, ratio=4, sigma=2.0).pair
    assert quality(pair, "fuse") > quality(pair, "bicubic") + 4


def test_settings_and_optics_are_reported():
    """The outcome says what was in force and what was believed of the sensors."""
    pair = planted_pair(size=32, ratio=4, sigma=1.0).pair
    hsi, msi = to_tensor(pair.hsi), to_tensor(pair.msi)
    outcome = fuse_sylvester(hsi, msi, ratio=4, psf=pair.psf, spread="given", components=5)
    assert outcome.settings == {
        "response": "hysure",
        "spread": "given",
        "components": 5,
        "precision": 1e-3,
        "noise": 1e-4,
    }
    assert outcome.learned["basis"].shape == (len(hsi), 5)
    torch.testing.assert_close(outcome.learned["psf"], gaussian_kernel(4, 1.0))
    assert outcome.learned["srf"].shape == (3, len(hsi))


def test_the_answer_is_that_of_the_stated_model():
    """It solves the equation of its docstring, with precision, noise and prior as stated."""
    from hsirepro.fusion.estimation import pair_optics
    from hsirepro.fusion.sylvester import (
        CircularSpread,
        fuse_sylvester,
        principal_directions,
        solve,
    )

    pair = planted_pair(size=32, ratio=4, sigma=1.0).pair
    hsi, msi = to_tensor(pair.hsi), to_tensor(pair.msi)
    optics = pair_optics(hsi, msi, ratio=4)
    basis, power = principal_directions(hsi.double(), 6)
    low = torch.tensordot(basis.T, hsi.double(), dims=1)
    rho = 0.5 * (0.01 * float(hsi.max())) ** 2 / power  # precision * noise^2 / mean square
    blur = CircularSpread(optics.spread, msi.shape[1:])
    maps = solve(low, optics.msi.double(), optics.response @ basis, blur, rho, upsample(low, 4))
    ours = fuse_sylvester(hsi, msi, ratio=4, components=6, precision=0.5, noise=0.01).image
    torch.testing.assert_close(
        ours.double(), torch.tensordot(basis, maps, dims=1), atol=1e-6, rtol=0
    )
