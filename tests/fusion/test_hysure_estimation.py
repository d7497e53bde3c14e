"""HySure's estimates of response and point spread, against least squares and planted optics."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hsirepro.fusion.estimation import assumed_spread, pair_optics
from hsirepro.fusion.hysure_estimation import estimated_spread, regularised_response
from hsirepro.optics import PointSpread, gaussian_kernel, planted_pair
from hsirepro.scenes.cube import to_tensor


def images(**kwargs):
    """Return a noise-free planted pair as tensors, with its optics."""
    pair = planted_pair(**kwargs).pair
    return to_tensor(pair.hsi), to_tensor(pair.msi), pair


def correlation(spread: PointSpread, truth: torch.Tensor) -> float:
    """Correlate the estimated kernel with the true one, set in the middle of zeros."""
    margin = (len(spread.kernel) - len(truth)) // 2
    padded = np.pad(truth.numpy(), margin)
    return float(np.corrcoef(spread.kernel.numpy().ravel(), padded.ravel())[0, 1])


def windows(image: np.ndarray, side: int, step: int) -> np.ndarray:
    """Cut an image into windows centred on blocks of ``step``, mirrored at the borders."""
    margin = (side - step) // 2
    padded = np.pad(image, margin, mode="symmetric")
    return np.lib.stride_tricks.sliding_window_view(padded, (side, side))[::step, ::step]


def ridge(design: np.ndarray, target: np.ndarray, penalty: np.ndarray, weight: float) -> np.ndarray:
    """Solve penalised least squares by stacking the penalty under the design."""
    stacked = np.vstack([design, np.sqrt(weight) * penalty])
    return np.linalg.lstsq(stacked, np.concatenate([target, np.zeros(len(penalty))]), rcond=None)[0]


@pytest.mark.parametrize(("ratio", "side", "low_side"), [(3, 9, 3), (4, 10, 3), (8, 10, 3)])
def test_response_is_smoothed_least_squares(ratio, side, low_side):
    """The response minimises misfit of the blurred images plus squared band differences."""
    hsi, msi, _ = images(size=(9 * ratio, 7 * ratio), ratio=ratio, sigma=1.0)
    ours = regularised_response(hsi, msi, ratio, smoothing=3.0).numpy()
    scale = float(hsi.max())
    design = np.stack(
        [windows(b, low_side, 1).mean((2, 3)).ravel() for b in hsi.double().numpy() / scale], axis=1
    )
    penalty = np.diff(np.eye(len(hsi)), axis=0)
    for row, band in zip(ours, msi.double().numpy() / scale, strict=True):
        target = windows(band, side, ratio).mean((2, 3)).ravel()
        expected = ridge(design, target, penalty, 3.0)
        np.testing.assert_allclose(row, expected / expected.sum(), atol=1e-8)


@pytest.mark.parametrize(("ratio", "side"), [(2, 4), (3, 5), (4, 8), (5, 9)])
def test_kernel_is_smoothed_least_squares(ratio, side):
    """The kernel minimises misfit over whole patches plus squared differences of its taps."""
    hsi, msi, pair = images(size=(9 * ratio, 8 * ratio), ratio=ratio, sigma=1.0)
    response = pair.srf.matrix.double()
    ours = estimated_spread(hsi, msi, ratio, response, smoothing=0.3, components=len(hsi))
    scale = float(hsi.max())
    seen = np.tensordot(response.numpy(), hsi.double().numpy() / scale, axes=1)
    design, target = [], []
    for band, low in zip(msi.double().numpy() / scale, seen, strict=True):
        for i in range(1, 8):
            for j in range(1, 7):
                top, left = (ratio * n - (side - ratio) // 2 for n in (i, j))
                design.append(band[top : top + side, left : left + side].ravel())
                target.append(low[i, j])
    taps = np.eye(side**2).reshape(side**2, side, side)
    penalty = np.concatenate(
        [np.diff(taps, axis=axis).reshape(side**2, -1).T for axis in (1, 2)], axis=0
    )
    expected = ridge(np.array(design), np.array(target), penalty, 0.3)
    np.testing.assert_allclose(
        ours.kernel.numpy().ravel(), expected / expected.sum(), atol=1e-6, rtol=1e-4
    )
    assert ours.stride == ratio


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("ratio", [3, 4])
def test_planted_point_spread_is_found(ratio, sigma):
    """With the true response and little smoothing the kernel correlates above 0.99."""
    hsi, msi, pair = images(size=16 * ratio, ratio=ratio, sigma=sigma)
    spread = estimated_spread(hsi, msi, ratio, pair.srf.matrix, smoothing=1e-3)
    assert correlation(spread, pair.psf.kernel) > 0.99
    assert float(spread.kernel.sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("sigma", "least"), [(0.5, 0.93), (1.0, 0.98), (2.0, 0.97)])
def test_planted_point_spread_is_found_blindly(sigma, least):
    """With HySure's own response and its own smoothing, on a scene of usual size."""
    hsi, msi, pair = images(size=192, ratio=4, sigma=sigma)
    spread = estimated_spread(hsi, msi, 4, regularised_response(hsi, msi, 4))
    assert correlation(spread, pair.psf.kernel) > least
    # Off-centre by a pixel it would fall far short.
    moved = torch.roll(spread.kernel, 1, dims=0)
    assert correlation(PointSpread(moved, 4), pair.psf.kernel) < least - 0.05


def test_planted_response_is_found_within_its_coverage():
    """Told the coverage and smoothed little, it draws the true curve, and not a shifted one."""
    hsi, msi, pair = images(size=192, ratio=4, sigma=1.0)
    known = {"coverage": pair.srf.coverage, "wavelengths": pair.srf.wavelengths}
    response = regularised_response(hsi, msi, 4, **known, smoothing=0.1)
    truth = pair.srf.matrix.double()
    for row, true, (first, last) in zip(response, truth, pair.srf.coverage, strict=True):
        assert not row[:first].any()
        assert not row[last + 1 :].any()
        assert correlated(row, true) > 0.85
        assert correlated(row, true) > correlated(row.roll(2), true) + 0.05
    torch.testing.assert_close(response.sum(dim=1), torch.ones(3, dtype=torch.float64))
    # Smoothed as much as the authors do, the curve is flatter than the truth; without the
    # coverage it is hardly like it.
    flat, blind = (regularised_response(hsi, msi, 4, **k) for k in (known, {}))
    for row, lost, true in zip(flat, blind, truth, strict=True):
        assert correlated(row, true) > max(0.75, correlated(lost, true))


def correlated(row: torch.Tensor, true: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([row, true]))[0, 1])


def test_no_difference_is_taken_across_a_gap():
    """Smoothed hard, a response is constant on either side of a gap, and not across it."""
    rng = np.random.default_rng(0)
    hsi = torch.from_numpy(rng.random((6, 12, 12), dtype=np.float32))
    weights = torch.tensor([1.0, 1.0, 1.0, 4.0, 4.0, 4.0]) / 15
    msi = (
        torch.tensordot(weights, hsi, dims=1)[None].repeat_interleave(4, 1).repeat_interleave(4, 2)
    )
    nm = np.array([500.0, 510, 520, 700, 710, 720])
    row = regularised_response(hsi, msi, 4, wavelengths=nm, smoothing=1e6)[0]
    assert float(row[:3].std()) < 1e-3 * float(row[:3].mean())
    assert float(row[3:].mean()) > 1.5 * float(row[:3].mean())
    across = regularised_response(hsi, msi, 4, smoothing=1e6)[0]
    assert float(across.std()) < 1e-3 * float(across.mean())


def test_estimated_response_predicts_the_msi():
    """Applied to the HSI it gives the blurred MSI to 5 %, where the curve is not identified."""
    hsi, msi, pair = images(size=64, ratio=4, sigma=1.0)
    response = regularised_response(hsi, msi, 4)
    seen = torch.tensordot(response, hsi.double(), dims=1)
    truth = pair.psf(msi.double())
    assert (seen - truth).norm() < 0.05 * truth.norm()
    torch.testing.assert_close(response.sum(dim=1), torch.ones(3, dtype=torch.float64))


def test_smoothing_takes_the_curve_towards_a_constant():
    """The more differences cost, the smaller they are, for bands and for taps."""
    hsi, msi, _ = images(size=32, ratio=4, sigma=1.0)
    rough, smooth = (regularised_response(hsi, msi, 4, smoothing=s) for s in (1.0, 1e6))
    assert smooth.diff(dim=1).norm() < 0.1 * rough.diff(dim=1).norm()
    kernel = estimated_spread(hsi, msi, 4, smooth, smoothing=1e9).kernel
    torch.testing.assert_close(kernel, torch.full((8, 8), 1 / 64), atol=1e-4, rtol=0)


def test_scale_of_the_images_does_not_matter():
    """Counts or reflectance: both estimates stay the same."""
    hsi, msi, _ = images(size=32, ratio=4, sigma=1.0)
    one, many = (regularised_response(hsi * k, msi * k, 4) for k in (1.0, 4096.0))
    torch.testing.assert_close(one, many)
    one, many = (estimated_spread(hsi * k, msi * k, 4, one).kernel for k in (1.0, 4096.0))
    torch.testing.assert_close(one, many)


@pytest.mark.parametrize("size", [(2, 5), (3, 1), (4, 4)])
def test_nothing_to_estimate_from_falls_back(size):
    """A black pair, or one too small for a whole patch, gives the assumed Gaussian and no NaN."""
    msi = torch.zeros(2, 4 * size[0], 4 * size[1])
    response = regularised_response(torch.zeros(5, *size), msi, 4)
    assert not response.any()
    spread = estimated_spread(torch.zeros(5, *size), msi, 4, response)
    torch.testing.assert_close(spread.kernel, assumed_spread(4).kernel)
    rng = torch.Generator().manual_seed(0)
    hsi, msi = torch.rand(5, *size, generator=rng), torch.rand(msi.shape, generator=rng)
    kernel = estimated_spread(hsi, msi, 4, regularised_response(hsi, msi, 4)).kernel
    assert torch.isfinite(kernel).all()
    assert float(kernel.sum()) == pytest.approx(1, abs=1e-4)


def test_settings_of_the_pair_reach_the_estimates():
    """pair_optics(response="hysure", spread="hysure") is these two functions."""
    hsi, msi, _ = images(size=32, ratio=4, sigma=1.0)
    optics = pair_optics(hsi, msi, ratio=4, response="hysure", spread="hysure")
    response = regularised_response(hsi, msi, 4)
    torch.testing.assert_close(optics.response, response)
    expected = estimated_spread(hsi, msi, 4, response)
    torch.testing.assert_close(optics.spread.kernel, expected.kernel)
    assert optics.spread.kernel.shape == (8, 8)
    assert gaussian_kernel(4, 1.0).dtype == expected.kernel.dtype


def test_response_within_its_coverage_is_smoothed_least_squares():
    """Within the coverage alone: smoothing does not pull the ends of a range to zero."""
    hsi, msi, _ = images(size=(36, 28), ratio=4, sigma=1.0)
    coverage = [(3, 12), (10, 30), (40, 40)]
    ours = regularised_response(hsi, msi, 4, coverage=coverage, smoothing=3.0).numpy()
    scale = float(hsi.max())
    design = np.stack(
        [windows(b, 3, 1).mean((2, 3)).ravel() for b in hsi.double().numpy() / scale], axis=1
    )
    for row, band, (first, last) in zip(ours, msi.double().numpy() / scale, coverage, strict=True):
        target = windows(band, 10, 4).mean((2, 3)).ravel()
        seen = slice(first, last + 1)
        expected = np.zeros(len(hsi))
        expected[seen] = ridge(
            design[:, seen], target, np.diff(np.eye(last - first + 1), axis=0), 3.0
        )
        np.testing.assert_allclose(row, expected / expected.sum(), atol=1e-8)
