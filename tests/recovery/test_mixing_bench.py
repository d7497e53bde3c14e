"""The bench of the mixing model times what it says."""

from __future__ import annotations

import pytest
import torch

from hsirepro.bench import recovery as bench
from hsirepro.recovery.mixing import to_tiles


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Make problems of seconds into problems of milliseconds."""
    for name, value in {"MATERIALS": 7, "BANDS": 5, "SIDE": 48, "SMALLER": 32, "ROUNDS": 1}.items():
        monkeypatch.setattr(bench, name, value)
    bench.problem.cache_clear()
    bench.factors.cache_clear()
    yield
    bench.problem.cache_clear()
    bench.factors.cache_clear()


def test_pixel_by_pixel_is_the_same_model():
    """Weights repeated for every pixel give the image, and the gradients, to 1e-5."""
    mixing, net, (features, abundances, library, t) = bench.problem(32, 4)
    net[-1].weight.data.mul_(1000)  # as T starts, N says next to nothing
    found = {}
    for name in ("tiles", "pixels"):
        features.grad = abundances.grad = None
        if name == "tiles":
            image, linear = mixing(abundances, net(features), library, t)
            image, linear = (part[0].flatten(1).T for part in (image, linear))
        else:
            image, linear = bench.mix_by_pixel(mixing, abundances, net(features), library, t)
        (image * torch.linspace(0, 1, 5)).sum().backward()
        found[name] = (image, linear, features.grad, abundances.grad)
    assert not torch.allclose(*found["tiles"][:2], atol=1e-3)
    for one, other in zip(*found.values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_products_are_those_of_the_model():
    """As many multiplications as T and N have by their shapes, counted by hand."""
    channels = 4
    mixing, _, (_, abundances, _, _) = bench.problem(32, channels)
    tiles, pixels = len(to_tiles(abundances, bench.TILE)), 32 * 32
    per_pixel = 5 * 7 + (bench.ORDER - 1) * ((16 + 7) * 32 + 32 * 7 + 7 * 5)
    per_tile = 9 * channels * 64 + 64 * mixing.weights_per_tile
    counted = sum(a.numel() * b.shape[-1] for a, b, _ in bench.factors(32, channels))
    assert counted == pixels * per_pixel + tiles * per_tile


def test_the_report_gives_ratio_and_peak(monkeypatch, capsys):
    """Both widths, time over the products, and on what image pixels were taken one by one."""
    monkeypatch.setattr(bench, "peak_mb", lambda module, call: 123.0)
    before = torch.get_num_threads()
    bench.report(before)
    lines = capsys.readouterr().out.strip().splitlines()
    assert "48 x 48 pixels, 7 spectra, 5 bands, order 3" in lines[0]
    assert sum("of the products, peak 123 MB" in line for line in lines) == 2
    assert sum("on 32 x 32 pixels" in line for line in lines) == 2
