"""HySime: the signal subspace of mixtures whose rank and noise are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from hsirepro.errors import ParameterError
from hsirepro.unmixing import estimate_noise, hfc, hysime

BANDS = 80


def mixture(
    count: int, snr_db: float = 30.0, *, number: int = 4000, coloured: bool = False, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Return signal and noise (L, N), and the power of the noise by band (L,)."""
    rng = np.random.default_rng(seed)
    signal = rng.random((BANDS, count)) @ rng.dirichlet(np.ones(count), number).T
    shape = np.ones(BANDS)
    if coloured:  # a bell over a few bands in the middle, on a floor of 1 %
        shape = 0.01 + np.exp(-0.5 * ((np.arange(BANDS) - BANDS / 2) / (BANDS / 8)) ** 2)
    power = np.mean(signal**2) / 10 ** (snr_db / 10) * shape / shape.mean()
    noise = np.sqrt(power)[:, None] * rng.standard_normal(signal.shape)
    return torch.from_numpy(signal), torch.from_numpy(noise), torch.from_numpy(power)


@pytest.mark.parametrize("count", [1, 2, 5, 9, 15])
@pytest.mark.parametrize("coloured", [False, True])
def test_planted_rank_is_found(count, coloured):
    """At 30 dB, in white noise and in noise of a few bands, every endmember is counted."""
    for seed in range(3):
        signal, noise, _ = mixture(count, coloured=coloured, seed=seed)
        found, basis = hysime(signal + noise)
        assert found == count
        assert basis.shape == (BANDS, count)
        torch.testing.assert_close(basis.T @ basis, torch.eye(count, dtype=torch.float64))
        # The basis holds the signal: what it leaves out is far less than the noise.
        left_out = signal - basis @ (basis.T @ signal)
        assert left_out.square().mean() < 0.05 * noise.square().mean()


def test_coloured_noise_misleads_virtual_dimensionality():
    """HFC takes the noise to be white; HySime estimates it."""
    counts = []
    for seed in range(3):
        signal, noise, _ = mixture(5, coloured=True, seed=seed)
        assert hysime(signal + noise)[0] == 5
        counts.append(hfc(signal + noise))
    assert counts != [5, 5, 5]


def test_a_direction_counts_if_its_signal_exceeds_the_noise():
    """A second material of twice the power of the noise is counted, of half of it is not."""
    rng = np.random.default_rng(0)
    first, second = np.ones(BANDS), np.resize([1.0, -1.0], BANDS)
    for power, expected in ((2.0, 2), (0.5, 1)):
        bright = 100.0 * first[:, None] * (1 + 0.1 * rng.standard_normal(20_000))
        faint = np.sqrt(power / BANDS) * second[:, None] * rng.standard_normal(20_000)
        noise = rng.standard_normal((BANDS, 20_000))
        assert hysime(torch.from_numpy(bright + faint + noise))[0] == expected


def test_nothing_but_noise_has_no_signal():
    """White noise, and black bands within it, have no dimension."""
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal((20, 5000)))
    assert hysime(noise)[0] == 0
    noise[[3, 8]] = 0.0
    count, basis = hysime(noise)
    assert (count, basis.shape) == (0, (20, 0))
    assert hysime(torch.zeros(4, 9))[0] == 0


def test_without_noise_the_rank_is_exact():
    """In float64, and in float32 with its rounding, noise-free mixtures keep their rank."""
    signal, _, _ = mixture(6)
    for pixels in (signal, signal.float()):
        assert hysime(pixels)[0] == 6


def test_neither_order_nor_unit_matters():
    """Shuffled pixels, counts instead of reflectance, and an image of rows: the same subspace."""
    signal, noise, _ = mixture(5, 25.0, coloured=True)
    pixels = signal + noise
    count, basis = hysime(pixels)
    order = torch.randperm(4000, generator=torch.Generator().manual_seed(0))
    for other in (pixels[:, order], 8000.0 * pixels, 1e-6 * pixels, pixels.reshape(-1, 50, 80)):
        found, again = hysime(other)
        assert found == count
        torch.testing.assert_close(again @ again.T, basis @ basis.T, rtol=0, atol=1e-8)


def test_noise_is_the_residual_of_each_band_on_the_others():
    """The estimate is that of least squares band by band, as written out with NumPy."""
    signal, noise, _ = mixture(4, number=700)
    image = (signal + noise).reshape(BANDS, 20, 35)
    found = estimate_noise(image)
    assert found.shape == image.shape
    assert found.dtype == torch.float64
    pixels, found = image.flatten(1).numpy(), found.flatten(1).numpy()
    for band in (0, 17, BANDS - 1):
        others = np.delete(pixels, band, axis=0).T
        weights = np.linalg.lstsq(others, pixels[band], rcond=None)[0]
        residual = pixels[band] - others @ weights
        np.testing.assert_allclose(found[band], residual, atol=1e-8 * pixels.max())


@pytest.mark.parametrize(("coloured", "above"), [(False, 1.2), (True, 1.6)])
def test_noise_has_the_power_that_was_planted(coloured, above):
    """The power of each band is found; the noise of the bands that explain it adds a little."""
    signal, noise, power = mixture(5, number=10_000, coloured=coloured)
    found = estimate_noise(signal + noise)
    ratio = found.square().mean(dim=1) / power
    assert ratio.min() > 0.95
    assert ratio.max() < above
    assert ratio[power >= power.mean()].max() < 1.2
    assert torch.corrcoef(torch.stack([found[40], noise[40]]))[0, 1] > 0.9


def test_chunks_do_not_show(monkeypatch):
    """The size of a chunk changes nothing but the memory."""
    import sys

    signal, noise, _ = mixture(3, number=500)
    whole, count = estimate_noise(signal + noise), hysime(signal + noise)[0]
    monkeypatch.setattr(sys.modules["hsirepro.unmixing.hysime"], "CHUNK", 7)
    torch.testing.assert_close(estimate_noise(signal + noise), whole, rtol=0, atol=1e-10)
    assert hysime(signal + noise)[0] == count


@pytest.mark.parametrize("call", [hysime, estimate_noise])
@pytest.mark.parametrize("shape", [(30, 30), (30, 5, 6), (1, 50)])
def test_too_few_pixels_are_refused(call, shape):
    """Where the other bands explain any band exactly there is nothing to estimate."""
    image = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ParameterError, match=f"pixels of {shape[0]} bands do not tell noise"):
        call(image)
