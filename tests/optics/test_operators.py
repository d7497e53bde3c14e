"""Laws of the linear operators: point spread, spectral response, resampling."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hsirepro.errors import ParameterError, ShapeError
from hsirepro.optics import (
    PointSpread,
    SpectralResponse,
    downsample,
    gaussian_kernel,
    landsat8_oli,
    resample,
    upsample,
)

SIZE = (37, 31)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


SPREADS = {
    "block": PointSpread(gaussian_kernel(4, 1.0), 4),
    "block of odd side": PointSpread(gaussian_kernel(3, 0.7), 3),
    "overlapping": PointSpread(gaussian_kernel(8, 1.7), 4),
    "overlapping by an odd number": PointSpread(random(7, 9).float(), 4),
    "narrow": PointSpread(gaussian_kernel(2, 1.0), 5),
    "blur only": PointSpread(gaussian_kernel(5, 1.0), 1),
    "wider than the image": PointSpread(random(90, 80).float(), 2),
}


@pytest.mark.parametrize("spread", SPREADS.values(), ids=SPREADS)
def test_point_spread_adjoint(spread):
    """<A x, y> = <x, A* y> for every kernel, stride and odd size."""
    x = random(2, 5, *SIZE)
    image = spread(x)
    y = random(*image.shape, seed=1)
    left = (image * y).sum()
    right = (x * spread.adjoint(y, size=SIZE)).sum()
    assert float(left) == pytest.approx(float(right), rel=1e-12)


@pytest.mark.parametrize("spread", SPREADS.values(), ids=SPREADS)
def test_point_spread_gradient_is_the_adjoint(spread):
    """The gradient of <A x, y> with respect to x is A* y."""
    x = random(2, 3, *SIZE).requires_grad_()
    image = spread(x)
    y = random(*image.shape, seed=1)
    image.backward(y)
    torch.testing.assert_close(x.grad, spread.adjoint(y, size=SIZE), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("spread", SPREADS.values(), ids=SPREADS)
def test_point_spread_equals_a_loop_over_windows(spread):
    """Each output pixel is the kernel-weighted sum of a mirrored window centred on its block."""
    x = random(1, 1, *SIZE)
    r, (n, m) = spread.stride, spread.kernel.shape
    height, width = (side // r * r for side in SIZE)
    kernel = spread.kernel.double().numpy()
    got = spread(x)[0, 0].numpy()

    def mirrored(index: np.ndarray, length: int) -> np.ndarray:
        folded = index % (2 * length)
        return np.minimum(folded, 2 * length - 1 - folded)

    for i, j in [(0, 0), (1, 2), (height // r - 1, width // r - 1)]:
        rows = mirrored(i * r + np.arange(n) - (n - r) // 2, height)
        columns = mirrored(j * r + np.arange(m) - (m - r) // 2, width)
        window = x[0, 0].numpy()[np.ix_(rows, columns)]
        assert got[i, j] == pytest.approx((kernel * window).sum(), rel=1e-12)


@pytest.mark.parametrize("shape", [(24, *SIZE), (2, 24, *SIZE)])
def test_spectral_response_adjoint_and_gradient(shape):
    """The adjoint of the spectral response is its transposed matrix at every pixel."""
    srf = SpectralResponse(random(3, 24), ["b", "g", "r"], np.linspace(430, 860, 24))
    x = random(*shape).requires_grad_()
    image = srf(x)
    y = random(*image.shape, seed=1)
    left, right = (image * y).sum().item(), (x * srf.adjoint(y)).sum().item()
    assert left == pytest.approx(right, rel=1e-12)
    image.backward(y)
    torch.testing.assert_close(x.grad, srf.adjoint(y), rtol=1e-12, atol=1e-14)


def test_operators_are_linear():
    """A(2 x - 3 y) = 2 A x - 3 A y for every operator."""
    srf = landsat8_oli(np.linspace(430, 860, 24))
    x, y = random(1, 24, 36, 28), random(1, 24, 36, 28, seed=1)
    operators = [*SPREADS.values(), srf, lambda z: downsample(z, 4), lambda z: upsample(z, 3)]
    for operator in operators:
        whole = operator(2 * x - 3 * y)
        torch.testing.assert_close(whole, 2 * operator(x) - 3 * operator(y))


def test_constant_scene_stays_constant():
    """A scene without structure looks the same through optics of unit gain."""
    x = torch.full((1, 24, *SIZE), 0.3, dtype=torch.float64)
    srf = landsat8_oli(np.linspace(430, 860, 24))
    unit = [spread for name, spread in SPREADS.items() if name not in _NOT_NORMALISED]
    assert len(unit) == len(SPREADS) - len(_NOT_NORMALISED)
    for operator in [*unit, srf, lambda z: upsample(z, 4)]:
        y = operator(x)
        torch.testing.assert_close(y, torch.full_like(y, 0.3), rtol=2e-7, atol=0)


_NOT_NORMALISED = ("overlapping by an odd number", "wider than the image")


@pytest.mark.parametrize(
    ("sigma", "profile"),
    [
        (0.5, (0.009, 0.491, 0.491, 0.009)),
        (1.0, (0.135, 0.366, 0.366, 0.135)),
        (2.0, (0.219, 0.281, 0.281, 0.219)),
    ],
)
def test_block_gaussian_profile(sigma, profile):
    """HyCoNet's point spread at ratio 4 has the profiles of its release."""
    kernel = gaussian_kernel(4, sigma)
    torch.testing.assert_close(kernel.sum(0), torch.tensor(profile), rtol=0, atol=6e-4)
    torch.testing.assert_close(kernel, kernel.T)
    assert float(kernel.sum()) == pytest.approx(1, abs=1e-6)


def test_narrow_gaussian_sees_the_middle():
    """At ratio 8 and sigma 0.5 only the central two pixels matter, and an extreme one survives."""
    profile = gaussian_kernel(8, 0.5).sum(0)
    assert float(profile[3:5].sum()) == pytest.approx(0.98, abs=0.01)
    assert gaussian_kernel(8, 0.5)[0, 0] == 0
    assert gaussian_kernel(4, 1e-3)[1:3, 1:3].tolist() == [[0.25, 0.25], [0.25, 0.25]]


def keys(t: np.ndarray) -> np.ndarray:
    t = np.abs(t)
    near = 1.5 * t**3 - 2.5 * t**2 + 1
    far = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    return np.where(t <= 1, near, np.where(t <= 2, far, 0))


def triangle(t: np.ndarray) -> np.ndarray:
    return np.clip(1 - np.abs(t), 0, None)


def resize_matrix(length: int, scale: float, kernel) -> np.ndarray:
    """MATLAB's imresize along one axis, written out: weights with mirrored, repeated borders."""
    out = round(length * scale)
    stretch = max(1.0, 1 / scale)
    centre = (np.arange(out) + 0.5) / scale - 0.5
    reach = int(np.ceil(2 * stretch)) + 2
    W = np.zeros((out, length))
    for i in range(out):
        taps = np.arange(int(np.floor(centre[i])) - reach, int(np.floor(centre[i])) + reach + 1)
        weights = kernel((taps - centre[i]) / stretch)
        folded = taps % (2 * length)
        np.add.at(W[i], np.minimum(folded, 2 * length - 1 - folded), weights / weights.sum())
    return W


@pytest.mark.parametrize(("mode", "kernel"), [("bicubic", keys), ("bilinear", triangle)])
@pytest.mark.parametrize("ratio", [2, 3, 4, 8])
def test_resampling_equals_imresize(mode, kernel, ratio):
    """Resampling is a Keys (a = -0.5) or linear filter with mirrored borders, edges included."""
    low = random(3, 7, 5)
    W, V = (resize_matrix(n, ratio, kernel) for n in (7, 5))
    expected = torch.from_numpy(W @ low.numpy() @ V.T)
    torch.testing.assert_close(upsample(low, ratio, mode), expected, rtol=0, atol=1e-12)

    high = random(2, 3, 7 * ratio, 5 * ratio)
    W, V = (resize_matrix(n * ratio, 1 / ratio, kernel) for n in (7, 5))
    expected = torch.from_numpy(W @ high.numpy() @ V.T)
    torch.testing.assert_close(downsample(high, ratio, mode), expected, rtol=0, atol=1e-12)


def test_enlarging_a_few_planes_at_a_time_changes_nothing(monkeypatch):
    """However many planes are enlarged at once, the image and its gradient are the same."""
    low = random(2, 3, 6, 5)
    results = []
    for pixels in (1, 2**22):
        monkeypatch.setattr(resample, "_PIXELS_AT_ONCE", pixels)
        x = low.clone().requires_grad_()
        large = upsample(x, 4)
        large.square().sum().backward()
        results.append((large.detach(), x.grad))
    assert results[0][0].shape == (2, 3, 24, 20)
    assert torch.equal(results[0][0], results[1][0])
    torch.testing.assert_close(results[0][1], results[1][1])


def test_dtype_is_kept():
    """Operators answer in the floating type they are asked in."""
    srf = landsat8_oli(np.linspace(430, 860, 24))
    x = torch.rand(1, 24, 16, 16)
    for operator in (SPREADS["block"], srf, lambda z: downsample(z, 2), lambda z: upsample(z, 2)):
        assert operator(x).dtype == torch.float32
        assert operator(x.double()).dtype == torch.float64


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: gaussian_kernel(-4, 1), ParameterError, "ratio=-4 has to be at least 2"),
        (lambda: gaussian_kernel(4, 0), ParameterError, "sigma=0 has to be a finite number above"),
        (lambda: gaussian_kernel(4, "1e-3"), ParameterError, "sigma='1e-3' is not a number (str)"),
        (lambda: gaussian_kernel(4, None), ParameterError, "sigma=None is not a number"),
        (lambda: PointSpread(torch.rand(3), 2), ParameterError, "not a Tensor of shape (3,)"),
        (lambda: PointSpread(torch.full((2, 2), torch.nan), 2), ParameterError, "NaN or infinite"),
        (lambda: PointSpread(torch.rand(2, 2), 0), ParameterError, "stride=0 has to be at least 1"),
        (lambda: SPREADS["block"](torch.rand(1, 1, 3, 9)), ShapeError, "3 x 9 pixels is smaller"),
        (
            lambda: SPREADS["block"].adjoint(torch.rand(1, 1, 3, 9), size=(16, 36)),
            ShapeError,
            "size=(16, 36) at stride 4 gives (4, 9)",
        ),
        (lambda: downsample(torch.rand(1, 10, 9), 4), ShapeError, "crop it to 8 x 8"),
        (lambda: downsample(torch.rand(8, 8), 4), ShapeError, "shape (8, 8)"),
        (lambda: upsample(torch.rand(1, 8, 8), 1.5), ParameterError, "ratio=1.5 is not a whole"),
        (lambda: upsample(torch.rand(1, 8, 8), 2, "bicubik"), ParameterError, "mean 'bicubic'?"),
    ],
)
def test_bad_input_is_named(call, error, text):
    """An impossible operator or image is refused with the thing that is wrong."""
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)
