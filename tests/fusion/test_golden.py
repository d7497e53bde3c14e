"""GSA and SFIM-HS against their equations, written out in plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hsirepro.fusion.gsa import gsa, most_correlated
from hsirepro.fusion.regression import denoise, predict, regress
from hsirepro.fusion.sfim_hs import sfim_hs
from hsirepro.optics import PointSpread, gaussian_kernel, landsat8_oli
from hsirepro.scenes.cube import to_tensor
from hsirepro.scenes.simulate import simulate

NM = np.linspace(430.0, 860.0, 20)
RATIO = 4


def linear(x):
    return np.clip(1 - np.abs(x), 0, None)


def cubic(x):
    """Keys' kernel with a = -1/2."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def resampler(length: int, new: int, kernel) -> np.ndarray:
    """Return the matrix of MATLAB's imresize along one axis, (new, length)."""
    step = length / new
    stretch = max(step, 1.0)
    matrix = np.zeros((new, length))
    for i in range(new):
        centre = (i + 0.5) * step - 0.5
        taps = np.arange(np.floor(centre - 2 * stretch) - 1, np.ceil(centre + 2 * stretch) + 2)
        weights = kernel((taps - centre) / stretch)
        weights /= weights.sum()
        mirrored = np.mod(taps.astype(int), 2 * length)
        mirrored = np.where(mirrored < length, mirrored, 2 * length - 1 - mirrored)
        np.add.at(matrix[i], mirrored, weights)
    return matrix


def resize(image: np.ndarray, size: tuple[int, int], kernel) -> np.ndarray:
    """Resize images, shape (C, H, W)."""
    rows, columns = (
        resampler(old, new, kernel) for old, new in zip(image.shape[1:], size, strict=True)
    )
    return np.einsum("ih,chw,jw->cij", rows, image, columns)


def with_ones(images: np.ndarray) -> np.ndarray:
    """Return the pixels of images, shape (C, H, W), as rows, with a column of ones."""
    flat = images.reshape(len(images), -1).T
    return np.hstack([flat, np.ones((len(flat), 1))])


def regressed_between_bands(image: np.ndarray) -> np.ndarray:
    """Predict every band from all others, by least squares without an intercept."""
    flat = image.reshape(len(image), -1).T
    out = np.empty_like(flat)
    for band in range(flat.shape[1]):
        others = np.delete(flat, band, axis=1)
        out[:, band] = others @ np.linalg.lstsq(others, flat[:, band], rcond=None)[0]
    return out.T.reshape(image.shape)


def sfim_by_hand(hsi: np.ndarray, msi: np.ndarray) -> np.ndarray:
    """Regress each HSI band on the MSI, and modulate it by the ratio of fine to coarse."""
    coarse = resize(msi, hsi.shape[1:], linear)
    fused = np.empty((len(hsi), *msi.shape[1:]))
    for band, image in enumerate(hsi):
        weights = np.linalg.lstsq(with_ones(coarse), image.ravel(), rcond=None)[0]
        pan = (with_ones(msi) @ weights).reshape(msi.shape[1:])
        pan_coarse = (with_ones(coarse) @ weights).reshape(image.shape)
        nearest = np.ones((RATIO, RATIO))
        fused[band] = pan * np.kron(image, nearest) / np.kron(pan_coarse, nearest)
    return fused


def gsa_by_hand(hsi: np.ndarray, msi: np.ndarray) -> np.ndarray:
    """Group bands by correlation, and put the MSI band in the place of the group's intensity."""
    coarse = resize(msi, hsi.shape[1:], linear)
    small = resize(msi, hsi.shape[1:], cubic)
    large = resize(hsi, msi.shape[1:], cubic)
    bands, candidates = (image.reshape(len(image), -1) for image in (hsi, coarse))
    partner = np.corrcoef(bands, candidates)[: len(hsi), len(hsi) :].argmax(axis=1)
    fused = np.empty_like(large)
    for band in range(len(msi)):
        group = np.flatnonzero(partner == band)
        if not len(group):
            continue
        zero_mean = hsi[group] - hsi[group].mean(axis=(1, 2), keepdims=True)
        target = small[band] - msi[band].mean()
        alpha = np.linalg.lstsq(with_ones(zero_mean), target.ravel(), rcond=None)[0]
        smooth = large[group] - large[group].mean(axis=(1, 2), keepdims=True)
        intensity = (with_ones(smooth) @ alpha).reshape(msi.shape[1:])
        intensity -= intensity.mean()
        for member, image in zip(group, smooth, strict=True):
            gain = np.cov(intensity.ravel(), image.ravel(), bias=True)[0, 1] / intensity.var()
            sharp = image + gain * (msi[band] - msi[band].mean() - intensity)
            fused[member] = sharp + large[member].mean()
    return fused


@pytest.fixture(scope="module")
def images() -> tuple[torch.Tensor, torch.Tensor]:
    """Return a planted pair, (L, h, w) and (l, H, W), with rows and columns that differ."""
    truth = to_tensor(simulate(size=(48, 56), wavelengths=NM, snr_db=30.0, seed=4).cube)
    return PointSpread(gaussian_kernel(RATIO, 1.0), RATIO)(truth), landsat8_oli(NM)(truth)


@pytest.mark.parametrize(("method", "by_hand"), [(gsa, gsa_by_hand), (sfim_hs, sfim_by_hand)])
def test_method_is_its_equations(images, method, by_hand):
    """The fused image is that of the equations, before and after regression between bands."""
    hsi, msi = images
    expected = by_hand(hsi.double().numpy(), msi.double().numpy())
    fused = method(hsi, msi, ratio=RATIO, regress_bands=False).image.numpy()
    np.testing.assert_allclose(fused, expected, rtol=1e-4, atol=1e-4)
    fused = method(hsi, msi, ratio=RATIO).image.numpy()
    expected = regressed_between_bands(expected)
    np.testing.assert_allclose(fused, expected, rtol=1e-4, atol=1e-4)


def test_bands_find_the_msi_band_that_they_follow(images):
    """A band inside the blue response belongs to blue, one inside the red response to red."""
    hsi, msi = images
    coarse = torch.nn.functional.avg_pool2d(msi, RATIO)
    partner = most_correlated(hsi, coarse)
    assert partner[np.abs(NM - 482).argmin()] == 0
    assert partner[np.abs(NM - 655).argmin()] == 2
    assert most_correlated(-3 * coarse.flip(0) + 7, coarse).tolist() != [2, 1, 0]
    assert most_correlated(3 * coarse.flip(0) + 7, coarse).tolist() == [2, 1, 0]


def test_gsa_leaves_a_group_alone_that_explains_nothing():
    """If the bands of a group are constant there is no intensity to replace."""
    hsi = torch.full((2, 4, 4), 0.25)
    fused = gsa(hsi, torch.rand(1, 16, 16), ratio=4, regress_bands=False).image
    torch.testing.assert_close(fused, torch.full((2, 16, 16), 0.25))


def test_regression_is_least_squares_with_an_intercept():
    """A planted linear relation is found again, and collinear predictors share its weight."""
    rng = torch.Generator().manual_seed(0)
    predictors = torch.rand(3, 500, generator=rng)
    planted = torch.tensor([[0.5, -2.0, 0.1, 0.7], [1.0, 0.0, 3.0, -0.2]])
    target = predict(planted, predictors)
    torch.testing.assert_close(regress(target, predictors), planted, atol=1e-4, rtol=1e-4)
    doubled = regress(target, torch.cat([predictors, predictors[:1]]))
    torch.testing.assert_close(doubled[:, 0], doubled[:, 3], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(doubled[:, 0] * 2, planted[:, 0], atol=1e-4, rtol=1e-4)
    image = predict(planted, predictors.reshape(3, 20, 25))
    torch.testing.assert_close(image.flatten(1), target)


def test_denoising_lowers_independent_noise():
    """Noise that no other band shares is not predicted by them: the image gets closer to truth."""
    scene = simulate(size=32, wavelengths=NM, snr_db=1000.0, seed=2).cube
    clean = to_tensor(scene)
    noisy = clean + 0.02 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    cleaned = denoise(noisy)
    assert (cleaned - clean).square().mean() < 0.7 * (noisy - clean).square().mean()
    twin = torch.stack([clean[0], clean[0], clean[1]])
    torch.testing.assert_close(denoise(twin)[:2], twin[:2], atol=1e-4, rtol=1e-4)
