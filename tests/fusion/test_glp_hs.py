"""GLP-HS against its equations in plain NumPy, and on a planted scene."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import firwin

from hsirepro.fusion import fuse
from hsirepro.fusion.glp_hs import glp_hs, interpolate, interpolators
from hsirepro.fusion.regression import denoise
from hsirepro.metrics import evaluate
from hsirepro.optics import downsample, planted_pair
from hsirepro.scenes.cube import to_tensor


def enlarged(image: np.ndarray, ratio: int) -> np.ndarray:
    """Insert zeros, filter with 45 taps by FFT with periodic borders, average the phases."""
    h, w = image.shape
    taps = firwin(45, 1 / ratio) * ratio
    results = []
    for phase in {(ratio - 1) // 2, ratio // 2}:
        sparse = np.zeros((h * ratio, w * ratio))
        sparse[phase::ratio, phase::ratio] = image
        for axis in (0, 1):
            kernel = np.zeros(sparse.shape[axis])
            np.add.at(kernel, np.arange(-22, 23) % len(kernel), taps)
            spectrum = np.fft.fft(kernel).reshape((-1, 1) if axis == 0 else (1, -1))
            sparse = np.fft.ifft(np.fft.fft(sparse, axis=axis) * spectrum, axis=axis).real
        results.append(sparse)
    return np.mean(results, axis=0)


def blurred(image: np.ndarray, ratio: int) -> np.ndarray:
    """Gaussian of full width at half maximum r over r pixels, one sample per block."""
    side = ratio
    position = np.arange(side) - (side - 1) / 2
    taps = np.exp(-4 * np.log(2) * position**2 / ratio**2)
    taps /= taps.sum()
    margin = (side - ratio) // 2
    padded = np.pad(image, margin, mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
    return np.einsum("ijuv,u,v->ij", windows[::ratio, ::ratio], taps, taps)


def by_hand(hsi: np.ndarray, msi: np.ndarray, coarse: np.ndarray, ratio: int) -> np.ndarray:
    """Give every band the detail of its own panchromatic band."""
    ones = np.ones(coarse[0].size)
    design = np.stack([*coarse.reshape(len(coarse), -1), ones], axis=1)
    fused = []
    for band in hsi:
        weights = np.linalg.lstsq(design, band.ravel(), rcond=None)[0]
        pan = np.tensordot(weights[:-1], msi, axes=1) + weights[-1]
        large, smooth = enlarged(band, ratio), enlarged(blurred(pan, ratio), ratio)
        covariance = np.cov(large.ravel(), smooth.ravel())
        gain = covariance[0, 1] / covariance[1, 1]
        fused.append(np.maximum(large + gain * (pan - smooth), 0))
    return np.stack(fused)


@pytest.mark.parametrize("ratio", [3, 4])
def test_method_is_its_equations(ratio):
    """The fused image is that of the equations, for odd ratios and even ones."""
    pair = planted_pair(size=(12 * ratio, 10 * ratio), ratio=ratio, sigma=1.0, seed=3).pair
    hsi, msi = to_tensor(pair.hsi)[::5], to_tensor(pair.msi)
    coarse = downsample(msi, ratio, mode="bilinear").double().numpy()
    expected = by_hand(hsi.double().numpy(), msi.double().numpy(), coarse, ratio)
    sharp = glp_hs(hsi, msi, ratio=ratio, regress_bands=False).image
    np.testing.assert_allclose(sharp.numpy(), expected, atol=2e-5)
    torch.testing.assert_close(glp_hs(hsi, msi, ratio=ratio).image, denoise(sharp))


@pytest.mark.parametrize("ratio", [2, 3, 4, 5, 8])
def test_interpolation_does_not_move_the_image(ratio):
    """A wave stays in phase: block means of the enlarged image are in step with the samples."""
    n = 24
    middle = (np.arange(n) + 0.5) * ratio - 0.5
    fine = np.arange(n * ratio)
    wave = torch.tensor(np.cos(2 * np.pi * middle / (12 * ratio)), dtype=torch.float32)
    phases = interpolators(n, ratio)
    image = interpolate(wave[None, :, None].expand(1, n, n), phases, phases)[0]
    expected = np.cos(2 * np.pi * fine / (12 * ratio))
    # Two phases, half a pixel apart, flatten the wave a little; they do not shift it.
    torch.testing.assert_close(image[:, 5].double(), torch.tensor(expected), atol=0.02, rtol=0)
    assert abs(np.vdot(np.exp(2j * np.pi * fine / (12 * ratio)), image[:, 5].numpy()).imag) < 0.01


@pytest.mark.parametrize(("sigma", "margin"), [(0.5, 3.0), (2.0, 7.0)])
def test_detail_is_worth_more_than_interpolation(sigma, margin):
    """GLP-HS beats bicubic interpolation, by more where its assumed blur is nearer the truth."""
    pair = planted_pair(size=48, ratio=4, sigma=sigma).pair
    psnr = {
        name: evaluate(
            fuse(name, pair.hsi, pair.msi, ratio=4).cube, pair.truth, "hyconet", ratio=4
        )["mPSNR"]
        for name in ("bicubic", "glp-hs")
    }
    assert psnr["glp-hs"] > psnr["bicubic"] + margin


def test_fused_image_is_not_negative():
    """Light has no negative power, whatever the detail says."""
    pair = planted_pair(size=32, ratio=4, sigma=0.5).pair
    hsi, msi = to_tensor(pair.hsi), to_tensor(pair.msi)
    assert glp_hs(hsi, msi, ratio=4, regress_bands=False).image.min() == 0
